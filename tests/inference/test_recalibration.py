"""Parametric recalibration: fits, optimism, likelihood ratio and score tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tests.inference.test_decomposition import PROPER, three_classes, two_classes
from xentexp import get_loss
from xentexp.inference import Decomposition, decompose


def sharpened(rng: Any, n: int) -> tuple[Any, Any]:
    """Three classes whose predictions have true scales and biases."""
    y, p = three_classes(rng, n)
    return y, softmax(np.log(p) * [1.6, 1.3, 1.1] + [0.0, 0.4, -0.2], axis=1)


def recalibrated(result: Decomposition, p: Any) -> Any:
    assert result.scales is not None
    assert result.biases is not None
    return softmax(np.log(p) * result.scales + result.biases, axis=1)


# -- fits -----------------------------------------------------------------------------------------


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision scores are its features."""

    def fit(self, X: Any, y: Any) -> Scores:
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X: Any) -> Any:
        return X

    def predict(self, X: Any) -> Any:
        return self.classes_[X.argmax(axis=1)]


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear to accept sample_weight")
@pytest.mark.parametrize("weighted", [False, True])
def test_temperature_has_the_loss_of_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y, p = sharpened(rng, 500)
    weight = rng.exponential(size=500) if weighted else None
    frozen = FrozenEstimator(Scores().fit(np.log(p), y))
    theirs = CalibratedClassifierCV(frozen, method="temperature", ensemble=False)
    theirs.fit(np.log(p), y, sample_weight=weight)
    expected = log_loss(y, theirs.predict_proba(np.log(p)), sample_weight=weight)
    ours = decompose(y, p, family="temperature", sample_weight=weight)
    assert log_loss(y, recalibrated(ours, p), sample_weight=weight) == pytest.approx(
        expected, abs=1e-7
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_logit_line_is_logistic_regression(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    y, p = two_classes(rng, 400, slope=1.7)
    weight = rng.exponential(size=400) if weighted else None
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    theirs.fit(logit(p)[:, np.newaxis], y, sample_weight=weight)
    ours = decompose(y, p, family="logit_line", sample_weight=weight)
    assert ours.scales is not None
    assert ours.biases is not None
    assert ours.scales == pytest.approx([theirs.coef_[0, 0]] * 2, abs=1e-6)
    assert ours.biases == pytest.approx([0.0, theirs.intercept_[0]], abs=1e-6)
    same = decompose(y, p, family="temperature_biases", sample_weight=weight)
    assert same.miscalibration == ours.miscalibration


@pytest.mark.parametrize("family", ["temperature", "temperature_biases", "vector"])
def test_fit_against_a_general_optimizer(family: str) -> None:
    y, p = sharpened(np.random.default_rng(2), 600)

    def parameters(x: Any) -> tuple[Any, Any]:
        scales = x[:3] if family == "vector" else np.repeat(x[:1], 3)
        biases = np.zeros(3) if family == "temperature" else np.append(0.0, x[-2:])
        return scales, biases

    def loss(x: Any) -> float:
        scales, biases = parameters(x)
        return float(-log_softmax(np.log(p) * scales + biases, axis=1)[np.arange(600), y].mean())

    n = {"temperature": 1, "temperature_biases": 3, "vector": 5}[family]
    start = np.array([1.0] * (3 if family == "vector" else 1) + [0.0] * 2)[:n]
    best = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-7})
    result = decompose(y, p, family=family)
    scales, biases = parameters(best.x)
    assert result.df == n
    assert result.scales == pytest.approx(scales, abs=1e-4)
    assert result.biases == pytest.approx(biases, abs=1e-4)
    # in-sample gain minus df / (2 n), and the likelihood ratio test
    gain = loss(start) - best.fun
    assert result.miscalibration == pytest.approx(gain - n / 1200, abs=1e-9)
    assert result.p == pytest.approx(stats.chi2.sf(1200 * gain, n), rel=1e-6)
    assert result.score == pytest.approx(log_loss(y, p))
    assert result.n_effective == 600


def test_the_family_decides() -> None:
    # The predictions are distorted by a scale and a bias for each class.
    y, p = sharpened(np.random.default_rng(3), 20_000)
    saves = [
        decompose(y, p, family=family).saves
        for family in ("temperature", "temperature_biases", "vector")
    ]
    assert saves[0] < saves[1] < saves[2]


def test_vector_depends_on_the_zero_of_the_logits_and_takes_log_p() -> None:
    # The distortion is in scales of log p, so that the vector family undoes all of it.
    rng = np.random.default_rng(4)
    y, calibrated = three_classes(rng, 20_000)
    scores = np.log(calibrated)  # rows are not shifted
    scales, biases = np.array([1.6, 1.3, 1.1]), np.array([0.0, 0.4, -0.2])

    # q with log q_j = scale_j log p_j + bias_j + c and sum p = 1 has its c found by bisection.
    def sums(c: Any) -> Any:
        return np.exp((scores + c[:, np.newaxis] - biases) / scales).sum(axis=1)

    low, high = np.full(len(y), -60.0), np.full(len(y), 60.0)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (
            np.where(sums(middle) < 1, middle, low),
            np.where(sums(middle) < 1, high, middle),
        )
    p = np.exp((scores + low[:, np.newaxis] - biases) / scales)
    result = decompose(y, p / p.sum(axis=1, keepdims=True), family="vector")
    assert result.scales == pytest.approx(scales, abs=0.1)
    assert result.biases == pytest.approx(biases, abs=0.1)


def test_a_probability_of_0_has_the_logarithm_of_the_clip() -> None:
    y, p = [0, 1, 1, 0, 1], np.array([0.0, 0.7, 0.6, 0.4, 0.3])
    zero = decompose(y, p, family="logit_line")
    tiny = decompose(y, np.maximum(p, 2.0**-52), family="logit_line")
    assert zero.miscalibration == pytest.approx(tiny.miscalibration, abs=1e-9)
    assert "1 rows have a probability below the clip 2.2e-16" in zero.notes[0]
    assert tiny.notes == ()


@pytest.mark.parametrize("family", ["logit_line", "temperature", "vector"])
def test_separable_labels(family: str) -> None:
    # The likelihood has no maximum; its limit is a loss of 0.
    y, p = np.repeat([0, 1], 20), np.linspace(0.1, 0.9, 40)
    result = decompose(y, p, family=family)
    df = {"logit_line": 2, "temperature": 1, "vector": 3}[family]
    assert result.miscalibration == pytest.approx(result.score - df / 80, abs=1e-6)
    assert result.notes == ()


def test_sure_and_wrong_predictions() -> None:
    y = np.array([0, 1] * 20)
    p = np.where(np.arange(40) < 10, 1 - y, y).astype(float)
    result = decompose(y, p, family="temperature")
    # A scale s gives the probability 1 / (1 + eps^s) to the side of the prediction: 3/4.
    assert result.scales == pytest.approx([math.log(3) / (52 * math.log(2))] * 2, rel=1e-6)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert result.miscalibration == pytest.approx(result.score - entropy - 1 / 80)


# -- parameters that the predictions determine ----------------------------------------------------


def test_a_constant_prediction_determines_the_biases_only() -> None:
    y = np.repeat([0, 1, 2], [50, 30, 20])
    p = np.tile([0.4, 0.3, 0.3], (100, 1))
    result = decompose(y, p)
    assert result.df == 2
    gain = log_loss(y, p) - log_loss(y, np.tile([0.5, 0.3, 0.2], (100, 1)))
    assert result.miscalibration == pytest.approx(gain - 2 / 200)
    assert result.p == pytest.approx(stats.chi2.sf(200 * gain, 2))


def test_uniform_predictions_have_no_temperature() -> None:
    result = decompose([0, 1, 2, 2], np.full((4, 3), 1 / 3), family="temperature")
    assert (result.df, result.miscalibration) == (0, 0.0)
    assert math.isnan(result.p)
    assert result.reason is not None
    assert "do not determine" in result.reason


# -- other losses than the log loss ---------------------------------------------------------------


def test_optimism_of_the_brier_loss_by_its_formula() -> None:
    # Logit line with x = (1, logit p): the second derivatives are the sums of q (1 - q) x x' for
    # the log loss and 2 (q (1 - q))^2 x x' for (q - y)^2, in expectation under q.
    y, p = two_classes(np.random.default_rng(5), 300, slope=1.5)
    result = decompose(y, p, "brier_loss", family="logit_line")
    q = recalibrated(result, np.stack([1 - p, p], axis=1))[:, 1]
    x = np.stack([np.ones(300), logit(p)])
    log_part, brier_part = (x * q * (1 - q)) @ x.T, 2.0 * (x * (q * (1 - q)) ** 2) @ x.T
    optimism = np.trace(np.linalg.solve(log_part, brier_part)) / 600
    gain = np.mean((p - y) ** 2) - np.mean((q - y) ** 2)
    assert result.miscalibration == pytest.approx(gain - optimism, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in PROPER if name != "zero_one_loss"])
def test_optimism_of_every_loss_by_finite_differences(name: str) -> None:
    # Logit line with x = (1, logit p) and log-odds z of the recalibrated q. Derivatives in z: q - y
    # for the log loss, and finite differences for the loss. J is their expected product times x x'.
    y, p = two_classes(np.random.default_rng(20), 200, slope=1.3)
    loss, labels = get_loss(name), [0, 1]
    result = decompose(y, p, name, family="logit_line", labels=labels)
    q = recalibrated(result, np.stack([1 - p, p], axis=1))[:, 1]
    x, z, step = np.stack([np.ones(200), logit(p)]), logit(q), 1e-5
    product = np.zeros(200)
    for label, proba in ((0, 1.0 - q), (1, q)):
        of_label = np.full(200, label)
        low, high = (
            loss.per_sample(of_label, expit(v), labels=labels) for v in (z - step, z + step)
        )
        product += proba * (high - low) / (2.0 * step) * (q - label)
    optimism = np.trace(np.linalg.solve((x * q * (1 - q)) @ x.T, (x * product) @ x.T)) / 400
    gain = result.score - loss(y, q, labels=labels)
    assert result.miscalibration == pytest.approx(gain - optimism, abs=1e-8)


def test_a_multiple_of_the_log_loss_has_the_same_multiple_of_the_optimism() -> None:
    y, p = sharpened(np.random.default_rng(6), 300)
    nats, bits = decompose(y, p), decompose(y, p, "logarithmic_score")  # base 2
    factor = 1.0 / math.log(2.0)
    assert bits.score == pytest.approx(factor * nats.score)
    assert bits.miscalibration == pytest.approx(factor * nats.miscalibration, rel=1e-7)
    assert bits.p == nats.p


@pytest.mark.long
@pytest.mark.parametrize("name", ["brier_loss", "spherical_loss", "bi_tempered_logistic_loss"])
def test_the_estimate_of_other_losses_is_unbiased(name: str) -> None:
    # Calibrated predictions: recalibration saves 0 on new rows. In sample it saves several standard
    # errors of this mean.
    rng = np.random.default_rng(9)
    results = [decompose(*three_classes(rng, 300), name, family="vector") for _ in range(400)]
    values = np.array([result.miscalibration for result in results])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(400)


def test_zero_one_loss_is_cross_fitted() -> None:
    # The classes of the predictions are exchanged: each map, fitted on 4/5 of 400 rows, exchanges
    # them back, up to rows near 1/2.
    y, p = two_classes(np.random.default_rng(10), 400)
    result = decompose(y, 1.0 - p, "zero_one_loss", family="logit_line")
    assert "cross-fitted in five folds" in result.method
    expected = np.mean((p > 0.5) == y) - np.mean((p < 0.5) == y)
    assert result.miscalibration == pytest.approx(expected, abs=0.03)


def test_cross_fitted_maps_do_not_see_their_rows() -> None:
    # Labels without any relation to the predictions: maps of other rows save nothing, whereas a map
    # fitted on the six rows that it recalibrates would save about .2.
    rng = np.random.default_rng(21)
    results = [
        decompose(
            np.arange(30) % 2, rng.permutation(30) / 40 + 0.1, "zero_one_loss", family="logit_line"
        )
        for _ in range(20)
    ]
    assert np.mean([result.miscalibration for result in results]) < 0.05


# -- weights and groups ---------------------------------------------------------------------------


def test_weights_use_the_effective_number_of_rows() -> None:
    rng = np.random.default_rng(11)
    y, p = sharpened(rng, 400)
    weight = rng.exponential(size=400)
    result = decompose(y, p, sample_weight=weight)
    kish = weight.sum() ** 2 / (weight**2).sum()
    assert result.n_effective == pytest.approx(kish)
    gain = log_loss(y, p, sample_weight=weight) - log_loss(
        y, recalibrated(result, p), sample_weight=weight
    )
    assert result.miscalibration == pytest.approx(gain - 3 / (2 * kish), abs=1e-9)
    assert result.p == pytest.approx(stats.chi2.sf(2 * kish * gain, 3), rel=1e-6)


def test_score_test_of_groups_by_its_formula() -> None:
    # Boos (1992): S' (sum_g s_g s_g')^-1 S with the sums s_g of (p - y) (1, logit p) and S their
    # total is compared with the chi-squared distribution.
    rng = np.random.default_rng(12)
    y, p = two_classes(rng, 300)
    groups = rng.integers(40, size=300)
    scores = (p - y)[:, np.newaxis] * np.stack([np.ones(300), logit(p)], axis=1)
    sums = np.array([scores[groups == g].sum(axis=0) for g in range(40)])
    statistic = sums.sum(axis=0) @ np.linalg.inv(sums.T @ sums) @ sums.sum(axis=0)
    result = decompose(y, p, family="logit_line", groups=groups)
    assert result.p == pytest.approx(stats.chi2.sf(statistic, 2), rel=1e-8)
    assert result.n_groups == 40


def test_optimism_of_groups_by_its_formula() -> None:
    rng = np.random.default_rng(13)
    y, p = two_classes(rng, 300)
    groups = np.repeat(np.arange(60), 5)
    result = decompose(y, p, family="logit_line", groups=groups)
    q = recalibrated(result, np.stack([1 - p, p], axis=1))[:, 1]
    x = np.stack([np.ones(300), logit(p)])
    sums = np.array([((q - y) * x)[:, groups == g].sum(axis=1) for g in range(60)]) / 300
    trace = np.trace(np.linalg.solve((x * q * (1 - q)) @ x.T / 300, 60 / 59 * sums.T @ sums))
    assert result.n_effective == pytest.approx(2 / trace, rel=1e-6)
    gain = log_loss(y, p) - log_loss(y, q)
    assert result.miscalibration == pytest.approx(gain - trace / 2, abs=1e-8)


def test_groups_that_repeat_rows() -> None:
    # Each row ten times is no more information than each row once: p stays, and the likelihood
    # ratio test that takes the rows for independent is ten times as sure.
    y, p = two_classes(np.random.default_rng(14), 400, slope=1.2)
    once = decompose(y, p, family="logit_line", groups=np.arange(400))
    tenfold = [np.repeat(values, 10) for values in (y, p, np.arange(400))]
    repeated = decompose(tenfold[0], tenfold[1], family="logit_line", groups=tenfold[2])
    assert repeated.p == pytest.approx(once.p, rel=1e-8)
    assert repeated.miscalibration == pytest.approx(once.miscalibration, abs=1e-8)
    assert repeated.n_effective == pytest.approx(once.n_effective, rel=1e-6)
    independent = decompose(y, p, family="logit_line")
    assert once.p == pytest.approx(independent.p, abs=0.02)


def test_few_groups() -> None:
    y, p = two_classes(np.random.default_rng(15), 60)
    result = decompose(y, p, family="logit_line", groups=np.arange(60) % 2)
    assert math.isnan(result.p)
    assert result.reason == "2 groups are too few for 2 parameters"
    assert math.isfinite(result.miscalibration)
    some = decompose(y, p, family="logit_line", groups=np.arange(60) % 12)
    assert some.notes == ("12 groups are few: the p-value can be too small",)


# -- size of the tests ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("family", ["temperature", "temperature_biases", "vector"])
def test_size_of_the_likelihood_ratio_test(family: str) -> None:
    rng = np.random.default_rng(16)
    results = [decompose(*three_classes(rng, 1_000), family=family) for _ in range(500)]
    rejected = np.mean([result.p < 0.05 for result in results])
    assert 0.01 <= rejected <= 0.07 + 2 * math.sqrt(0.05 * 0.95 / 500)
    values = np.array([result.miscalibration for result in results])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(500)


def clustered(rng: Any, n_groups: int) -> tuple[Any, Any, Any]:
    """Calibrated rows, half of which repeat the row of their group."""
    groups = np.repeat(np.arange(n_groups), rng.poisson(15, n_groups) + 1)
    (y, p), (group_y, group_p) = (three_classes(rng, n) for n in (len(groups), n_groups))
    repeated = rng.random(len(groups)) < 0.5
    y = np.where(repeated, group_y[groups], y)
    return y, np.where(repeated[:, np.newaxis], group_p[groups], p), groups


@pytest.mark.long
def test_size_of_the_score_test_of_groups() -> None:
    rng = np.random.default_rng(17)
    cases = [clustered(rng, 50) for _ in range(400)]
    clustered_p = [decompose(y, p, groups=groups).p for y, p, groups in cases]
    independent_p = [decompose(y, p).p for y, p, _ in cases]
    # .06 to .08 in longer simulations, with an error of .014 here
    assert 0.03 < np.mean(np.array(clustered_p) < 0.05) < 0.11
    assert np.mean(np.array(independent_p) < 0.05) > 0.3  # what groups are for


def test_it_is_the_loss_of_the_registry() -> None:
    y, p = sharpened(np.random.default_rng(18), 100)
    for name in ("brier_loss", "spherical_loss", "ranked_probability_score"):
        assert decompose(y, p, name).score == pytest.approx(get_loss(name)(y, p))


def test_the_optimism_of_many_classes_is_that_of_some_rows() -> None:
    # 40 classes: 1,875 of 4,000 rows; another sample gives nearly the same optimism.
    rng = np.random.default_rng(19)
    raw = np.exp(rng.normal(0.0, 1.0, (4_000, 40)))
    p = raw / raw.sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) < rng.random((4_000, 1))).sum(axis=1).clip(0, 39)
    results = [
        decompose(y, p, "spherical_loss", labels=range(40), random_state=seed) for seed in (0, 1)
    ]
    gains = [
        result.score - get_loss("spherical_loss")(y, recalibrated(result, p), labels=range(40))
        for result in results
    ]
    first, second = (gain - r.miscalibration for gain, r in zip(gains, results, strict=True))
    assert first != second
    assert first == pytest.approx(second, rel=0.05)
