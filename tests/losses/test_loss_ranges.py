"""Ranges of all losses: values lie inside and reach closed ends; extreme scores."""

import numpy as np
import pytest
from hypothesis import given
from scipy.special import expit

from tests.support.strategies import (
    by_row,
    is_multilabel,
    linked,
    measure,
    n_classes,
    of_scores,
    quick,
    random_cases,
    targets_and_scores,
    without_a_clip,
)
from xentexp._inputs.checked import PlannedInput
from xentexp.losses import LOSSES
from xentexp.metrics._registry import get_loss

# Largest value of a row, by the upper end of properties.range.
UPPER = {
    "inf": lambda loss, k: np.inf,
    "1": lambda loss, k: 1.0,
    "2": lambda loss, k: 2.0,
    "4": lambda loss, k: 4.0,
    "pi/2": lambda loss, k: np.pi / 2,
    "beta": lambda loss, k: loss.beta,
    "1/q": lambda loss, k: 1 / loss.q,
    "sum_m 1/m": lambda loss, k: sum(1 / m for m in range(1, loss.order + 1)),
    "1/(1 - t1)": lambda loss, k: 1 / (1 - loss.t1),
    "k - 1": lambda loss, k: k - 1,
    "(k - 1)/k": lambda loss, k: (k - 1) / k,
    "1/k": lambda loss, k: 1 / k,
    "2/k": lambda loss, k: 2 / k,
    "2/k log cosh 1": lambda loss, k: 2 / k * np.log(np.cosh(1)),
    "2/k log(2)^2": lambda loss, k: 2 / k * np.log(2) ** 2,
    "log k": lambda loss, k: np.log(k),
    "log 2": lambda loss, k: np.log(2),
}
WITHIN = 1 + 1e-14


def upper_end(loss, k):
    low, high = loss.properties.range[1:-1].split(", ")
    assert low == "0"
    return UPPER[high](loss, k)


@quick
@given(random_cases(spreads=[0.1, 2.0, 30.0, 1e3, 1e6]))
def test_values_lie_in_their_range(loss, case):
    for soft in (False, True):
        y, raw, k = targets_and_scores(loss, case, soft=soft)
        values = by_row(loss, y, raw, k)
        assert not np.isnan(values).any()
        assert values.min() >= 0
        assert values.max() <= upper_end(loss, k) * WITHIN
        assert np.isfinite(values).all() or loss.name in OVERFLOW
        if loss.properties.range.startswith("(") and np.abs(raw).max() < 20:
            assert values.min() > 0
        if of_scores(loss):
            continue
        certain = np.eye(k)[case[0].integers(k, size=len(raw))]
        for p in (linked(loss, raw), certain):
            values = measure(loss, y, p, k, reduction="none")
            assert not np.isnan(values).any()
            assert values.min() >= 0
            assert values.max() <= upper_end(loss, k) * WITHIN


OVERFLOW = {"exponential_loss"}


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_upper_end_is_reached_or_approached(loss, k):
    if loss.properties.binary_only and k > 2:
        assert loss.why_not(PlannedInput(k)) == (f"is for two classes; there are {k}")
        return
    end = (
        1.0 if loss.name == "brier_loss" and k == 2 else upper_end(loss, k)
    )  # the Brier score is halved
    last, first = np.eye(k)[[k - 1]], np.eye(k)[[0]]
    if loss.properties.targets == "none":
        reached = measure(loss, None, np.full((1, k), 1 / k), k)
    elif loss.properties.targets == "positive":
        reached = measure(loss, first, last, k)  # infinite at the first zero
    elif np.isfinite(end) or loss.properties.range.endswith("]"):
        reached = measure(loss, np.array([0]), last, k)
    else:
        far = {"latent": np.array([-1e4])}.get(loss.properties.response, -1e4 * last)
        y = last.astype(int) if is_multilabel(loss) else np.array([k - 1])
        assert by_row(loss, y, far, k)[0] > 1e3
        return
    assert reached == pytest.approx(end, rel=1e-14)


@pytest.mark.parametrize("k", [2, 3])
def test_a_perfect_prediction_has_loss_0(loss, k):
    if loss.properties.range.startswith("("):
        assert loss.name in NEVER_ZERO
        return
    assert loss.name not in NEVER_ZERO
    k = n_classes(loss, k)
    certain, y = np.eye(k), np.arange(k)
    if is_multilabel(loss):
        y = certain.astype(int)
    if loss.properties.targets == "positive":
        y = certain = np.full((k, k), 0.1) + (1 - 0.1 * k) * np.eye(k)
    predicted = 5 * certain - 3 if of_scores(loss) else certain
    values = measure(loss, y, predicted, k, reduction="none", **without_a_clip(loss))
    np.testing.assert_array_equal(values, np.zeros(k))
    assert not np.signbit(values).any()


NEVER_ZERO = {"exponential_loss", "logistic_margin_loss", "cumulative_link_log_loss"}


@pytest.mark.parametrize(
    "name",
    [
        "kl_divergence", "reverse_kl_divergence", "jensen_shannon_divergence",
        "renyi_divergence", "alpha_divergence", "bi_tempered_logistic_loss", "brier_loss",
        "squared_error", "absolute_error", "huber_loss", "log_cosh_loss", "poisson_deviance",
        "squared_log_error", "ranked_probability_score", "squared_earth_mover_distance",
    ],
)  # fmt: skip
def test_the_divergence_of_a_distribution_from_itself_is_0(name):
    loss, p = LOSSES[name], np.random.default_rng(0).dirichlet(np.ones(4), size=50)
    np.testing.assert_allclose(measure(loss, p, p, 4, reduction="none"), 0, atol=1e-14)


# -- extremes --------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [600.0, 699.0, 701.0, 1e4, 1e300])
def test_raw_scores_far_apart_stay_accurate(gap):
    raw, y = np.array([[gap, 0.0, -1.0], [0.0, gap, 0.0]]), np.array([1, 1])
    expected = {
        "categorical_crossentropy": [gap, 0],
        "logarithmic_score": [gap / np.log(2), 0],
        "categorical_focal_crossentropy": [gap, 0],
        "poly1_crossentropy": [gap + 1, 0],
        "renyi_divergence": [gap, 0],
        "kl_divergence": [gap, 0],
        "poisson_deviance": [2 / 3 * gap, 0],
        "cumulative_log_loss": [gap - np.log1p(np.exp(-1)), 0],
        "brier_loss": [2, 0],
        "spherical_loss": [1, 0],
        "ranked_probability_score": [1, 0],
        "categorical_hinge": [gap + 1, 0],
        "weston_watkins_hinge": [gap + 1, 0],
        "bi_tempered_logistic_loss": None,
    }
    for name, values in expected.items():
        ours = by_row(get_loss(name), y, raw, 3)
        assert np.isfinite(ours).all(), name
        if values is not None:
            np.testing.assert_allclose(ours, values, rtol=1e-14, atol=1e-200, err_msg=name)
    np.testing.assert_allclose(by_row(get_loss("entropy"), y, raw, 3), [0, 0], atol=1e-12)


def test_extreme_latent_scores_stay_accurate():
    loss = LOSSES["cumulative_link_log_loss"]  # thresholds -.5 and .5
    values = by_row(loss, [0, 1, 2], np.array([900.0, 900.0, -900.0]), 3)
    middle = 900 - 0.5 - np.log1p(-np.exp(-1.0))
    np.testing.assert_allclose(values, [900.5, middle, 900.5], rtol=1e-14)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "brier_loss", "categorical_hinge"])
def test_extreme_raw_scores_in_one_block_do_not_affect_each_other(name):
    # One pair per block, because the computation depends on the extreme scores of the block.
    loss = get_loss(name)
    for true in np.arange(-800.0, 801.0, 50.0):
        for other in (*np.arange(-800.0, 801.0, 50.0), true + 712.0):
            miss = expit(other - true)
            expected = {
                "categorical_crossentropy": np.logaddexp(0.0, other - true),
                "brier_loss": miss**2,
                "categorical_hinge": max(0.0, 1.0 + other - true),
            }[name]
            (ours,) = by_row(loss, np.array([1]), np.array([[other, true]]), 2)
            assert ours == pytest.approx(expected, rel=1e-12, abs=1e-300), (true, other)
