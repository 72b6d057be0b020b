"""Decomposition of proper losses: published values, peers, properties, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from tests.support.strategies import quick
from xentexp import get_loss
from xentexp.errors import InputError
from xentexp.inference import Decomposition, decompose
from xentexp.losses import LOSSES

PROPER = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.properness in ("proper", "strictly proper")
    and loss.properties.targets != "multilabel"
]
FAMILIES = ("logit_line", "temperature", "temperature_biases", "vector")


def two_classes(rng: Any, n: int, *, ties: bool = False, slope: float = 1.0) -> tuple[Any, Any]:
    """Labels, and predictions whose log-odds are `slope` times the true ones."""
    odds = rng.normal(-0.5, 1.2, n)
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-odds))).astype(int)
    p = 1.0 / (1.0 + np.exp(-slope * odds))
    return y, np.round(p, 1).clip(0.1, 0.9) if ties else p


def three_classes(rng: Any, n: int) -> tuple[Any, Any]:
    """Labels and calibrated predictions."""
    raw = np.exp(rng.normal(0.0, 1.5, (n, 3)))
    p = raw / raw.sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    return y, p


def parts(result: Decomposition) -> tuple[float, float, float, float]:
    return result.score, result.miscalibration, result.discrimination, result.uncertainty


# -- isotonic: published values and peers -------------------------------------------------------


def test_four_rows_by_hand() -> None:
    # Isotonic values 0, .5, .5, 1 (the predictions .4 and .35 are in the wrong order). brier_loss
    # of two classes is (p - y)^2. Brier: (.01 + .16 + .4225 + .04) / 4 = .158125; recalibrated
    # (.25 + .25) / 4 = .125; base rate .25. Log loss: recalibrated log(2) / 2, base rate log 2.
    y, p = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert parts(decompose(y, p, "brier_loss")) == pytest.approx((0.158125, 0.033125, 0.125, 0.25))
    # model-diagnostics 1.5.0, decompose(y, p, scoring_function=LogLoss())
    expected = (0.4722880, 0.1257144, 0.3465736, 0.6931472)
    assert parts(decompose(y, p)) == pytest.approx(expected, abs=5e-8)


@pytest.mark.peers
@pytest.mark.parametrize("seed", range(6))
def test_four_losses_against_model_diagnostics(seed: int) -> None:
    from model_diagnostics import scoring

    rng = np.random.default_rng(seed)
    y, p = two_classes(rng, 200, ties=seed % 2 == 0)
    # Poisson deviance: model-diagnostics changes the blocks if the first one has the value 0.
    y[[p.argmin(), p.argmax()]] = 1, 0
    weight = rng.exponential(size=200) if seed % 3 else None

    def theirs(score: Any, *, both: bool = False, factor: float = 1.0) -> Any:
        table = scoring.decompose(y, p, weight, scoring_function=score)
        order = ["score", "miscalibration", "discrimination", "uncertainty"]
        row = np.array(table.select(order).row(0))
        if both:  # the same for the other class: isotonic regression commutes with 1 - p
            table = scoring.decompose(1 - y, 1.0 - p, weight, scoring_function=score)
            row = row + np.array(table.select(order).row(0))
        return factor * row

    cases = {
        "categorical_crossentropy": theirs(scoring.LogLoss()),
        "brier_loss": theirs(scoring.SquaredError()),
        # degree 3: 2 / (3 2) of the power score of a single class
        "power_loss": theirs(scoring.HomogeneousExpectileScore(degree=3), both=True, factor=3.0),
        # both are twice y log(y / p) - y + p; ours is the mean over both columns
        "poisson_deviance": theirs(scoring.PoissonDeviance(), both=True, factor=0.5),
    }
    for name, expected in cases.items():
        result = decompose(y, p, name, sample_weight=weight, n_draws=1)
        np.testing.assert_allclose(parts(result), expected, rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("name", PROPER)
def test_every_proper_loss_against_isotonic_regression_of_scikit_learn(name: str) -> None:
    rng = np.random.default_rng(0)
    y, p = two_classes(rng, 300)
    weight = rng.exponential(size=300)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(p, y, sample_weight=weight)
    loss, labels = get_loss(name), [0, 1]
    options = {"sample_weight": weight, "labels": labels}
    score = loss(y, p, **options)
    recalibrated = loss(y, fitted.predict(p), **options)
    uncertainty = loss(y, np.full(300, np.average(y, weights=weight)), **options)
    result = decompose(y, p, name, sample_weight=weight, labels=labels, n_draws=1)
    expected = (score, score - recalibrated, uncertainty - recalibrated, uncertainty)
    assert parts(result) == pytest.approx(expected, abs=1e-12)


# -- isotonic: the test and the reference ---------------------------------------------------------


def test_p_counts_the_observed_miscalibration() -> None:
    # (1 + #) / (1 + n): no draw is as bad as these
    result = decompose(np.repeat([0, 1], 200), np.repeat([0.9, 0.1], 200), n_draws=9)
    assert result.p == 0.1


def test_a_draw_with_the_same_miscalibration_counts() -> None:
    # Predictions of 0 and 1 that are right: the only possible draw has the same labels.
    result = decompose([0, 1, 1], [0.0, 1.0, 1.0], n_draws=9)
    assert (result.p, result.miscalibration, result.calibrated_reference) == (1.0, 0.0, 0.0)


def test_reference_of_one_row_by_hand() -> None:
    # One prediction of .25: isotonic regression repeats the label, so that the miscalibration is
    # the Brier score of the label, .25^2 or .75^2; the mean is .25 .75.
    result = decompose([0], [0.25], "brier_loss", labels=[0, 1], n_draws=2_000)
    standard_error = math.sqrt(0.1875 * 0.5**2 / 2_000)
    assert result.calibrated_reference == pytest.approx(0.1875, abs=4 * standard_error)
    # P(miscalibration >= .0625) = 1
    assert result.p == 1.0
    # P(miscalibration >= .5625) = .25
    one = decompose([1], [0.25], "brier_loss", labels=[0, 1], n_draws=2_000)
    assert one.p == pytest.approx(0.25, abs=4 * math.sqrt(0.1875 / 2_000))


def test_weights_are_those_of_the_drawn_rows() -> None:
    # Two rows of the same prediction with weights 3 and 1: frequencies 0, 1/4, 3/4, 1 with
    # probability 1/4 each. Miscalibration is (frequency - 1/2)^2: 1/4 or 1/16, mean 5/32.
    result = decompose(
        [0, 1], [0.5, 0.5], "brier_loss", labels=[0, 1], sample_weight=[3, 1], n_draws=2_000
    )
    assert result.miscalibration == pytest.approx(1 / 16)
    assert result.calibrated_reference == pytest.approx(5 / 32, abs=4 * 3 / 32 / math.sqrt(2_000))


@pytest.mark.long
@pytest.mark.parametrize(("n", "expected", "repeats"), [(2_000, 0.0118, 300), (20_000, 0.0026, 40)])
def test_miscalibration_of_a_calibrated_model(n: int, expected: float, repeats: int) -> None:
    # Measured by independent code for log loss. It grows with the spread of the predictions: .0077
    # if the log-odds have the standard deviation .5, .0113 if 1.5 (2,000 rows).
    rng = np.random.default_rng(7)
    results = [decompose(*two_classes(rng, n), n_draws=10) for _ in range(repeats)]
    observed = np.mean([result.miscalibration for result in results])
    assert observed == pytest.approx(expected, rel=0.25)
    reference = np.mean([result.calibrated_reference for result in results])
    assert reference == pytest.approx(observed, rel=0.05)


@pytest.mark.slow
def test_p_is_uniform_for_calibrated_predictions() -> None:
    rng = np.random.default_rng(8)
    p = np.array([decompose(*two_classes(rng, 300), n_draws=19).p for _ in range(1_000)])
    # p takes the values .05, .10, ...: P(p <= a) = a. Binomial with 1,000 trials: four errors.
    for level in (0.05, 0.2, 0.5):
        error = math.sqrt(level * (1.0 - level) / 1_000)
        assert (p <= level + 1e-9).mean() == pytest.approx(level, abs=4 * error)


# -- properties -----------------------------------------------------------------------------------

samples = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@quick
@given(rng=samples, n=st.integers(1, 60), name=st.sampled_from(PROPER), ties=st.booleans())
def test_isotonic_parts_add_up_and_are_not_negative(
    rng: Any, n: int, name: str, ties: bool
) -> None:
    y, p = two_classes(rng, n, ties=ties)
    p[rng.random(n) < 0.1] = 0.0
    p[rng.random(n) < 0.1] = 1.0
    result = decompose(y, p, name, labels=[0, 1], n_draws=2)
    score, *others = parts(result)
    assert score == pytest.approx(get_loss(name)(y, p, labels=[0, 1]), rel=1e-12, abs=1e-14)
    assert score == pytest.approx(others[0] - others[1] + others[2], rel=1e-12, abs=1e-12)
    assert min(others) >= -1e-12


@quick
@given(rng=samples, name=st.sampled_from(PROPER))
def test_discrimination_depends_on_the_order_only(rng: Any, name: str) -> None:
    y, p = two_classes(rng, 60, ties=True)
    moved = p**3 / 2.0 + 0.1
    first, second = (decompose(y, q, name, labels=[0, 1], n_draws=1) for q in (p, moved))
    assert first.discrimination == pytest.approx(second.discrimination, abs=1e-12)
    assert first.uncertainty == second.uncertainty


@quick
@given(rng=samples, name=st.sampled_from(PROPER), ties=st.booleans())
def test_a_repeated_row_is_a_row_of_weight_2(rng: Any, name: str, ties: bool) -> None:
    y, p = two_classes(rng, 40, ties=ties)
    twice = rng.random(40) < 0.5
    weighted = decompose(y, p, name, labels=[0, 1], sample_weight=1.0 + twice, n_draws=1)
    y, p = np.concatenate([y, y[twice]]), np.concatenate([p, p[twice]])
    repeated = decompose(y, p, name, labels=[0, 1], n_draws=1)
    assert parts(weighted) == pytest.approx(parts(repeated), abs=1e-12)


@quick
@given(rng=samples, family=st.sampled_from(("isotonic", *FAMILIES)), ties=st.booleans())
def test_the_order_of_the_rows_does_not_matter(rng: Any, family: str, ties: bool) -> None:
    y, p = two_classes(rng, 50, ties=ties)
    weight, groups = rng.exponential(size=50), rng.integers(12, size=50)
    order = rng.permutation(50)
    first = decompose(
        y, p, family=family, sample_weight=weight, groups=groups, labels=[0, 1], n_draws=1
    )
    second = decompose(
        y[order],
        p[order],
        family=family,
        sample_weight=weight[order],
        groups=groups[order],
        labels=[0, 1],
        n_draws=1,
    )
    assert parts(first) == pytest.approx(parts(second), abs=1e-9)
    assert first.p == pytest.approx(second.p, abs=1e-7, nan_ok=True)


@quick
@given(rng=samples, family=st.sampled_from(FAMILIES), name=st.sampled_from(PROPER))
def test_parametric_parts_add_up(rng: Any, family: str, name: str) -> None:
    y, p = two_classes(rng, 50)
    result = decompose(y, p, name, family=family, labels=[0, 1])
    _, miscalibration, discrimination, uncertainty = parts(result)
    assert result.score == pytest.approx(miscalibration - discrimination + uncertainty, abs=1e-12)
    assert 0.0 <= result.p <= 1.0


@quick
@given(rng=samples, family=st.sampled_from(("isotonic", *FAMILIES)))
def test_rows_of_weight_0_are_left_out(rng: Any, family: str) -> None:
    y, p = two_classes(rng, 40)
    weight, groups = rng.integers(3, size=40).astype(float), rng.integers(15, size=40)
    weight[:20] = 1.0
    kept = weight > 0.0
    options: dict[str, Any] = {"family": family, "labels": [0, 1], "n_draws": 3}
    first = decompose(y, p, sample_weight=weight, groups=groups, **options)
    second = decompose(y[kept], p[kept], sample_weight=weight[kept], groups=groups[kept], **options)
    assert parts(first) == pytest.approx(parts(second), abs=1e-12)
    assert (first.n_rows, first.n_groups) == (kept.sum(), len(set(groups[kept])))


# -- what it accepts, says and refuses ------------------------------------------------------------


def test_default_families() -> None:
    rng = np.random.default_rng(0)
    assert decompose(*two_classes(rng, 50), n_draws=1).family == "isotonic"
    assert decompose(*three_classes(rng, 50)).family == "temperature_biases"


def test_labels_columns_and_one_hot_rows_are_the_same_input() -> None:
    y, p = np.array(["no", "yes", "yes", "no"]), np.array([0.2, 0.6, 0.9, 0.7])
    expected = parts(decompose([0, 1, 1, 0], p, n_draws=1))
    columns, one_hot = np.stack([1 - p, p], axis=1), np.eye(2)[[0, 1, 1, 0]]
    assert parts(decompose(y, p, n_draws=1)) == expected
    assert parts(decompose(one_hot, columns, n_draws=1)) == pytest.approx(expected)
    reverse = decompose(y, columns[:, ::-1], labels=["yes", "no"], n_draws=1)
    assert parts(reverse) == pytest.approx(expected)


def test_a_constant_prediction_has_no_discrimination() -> None:
    y = np.repeat([0, 1], [70, 30])
    result = decompose(y, np.full(100, 0.3), "brier_loss")
    assert parts(result) == pytest.approx((0.21, 0.0, 0.0, 0.21), abs=1e-15)
    assert result.p == 1.0


def test_one_class_only_has_no_uncertainty() -> None:
    result = decompose([0, 0], [0.1, 0.3], labels=[0, 1])
    expected = -(math.log(0.9) + math.log(0.7)) / 2
    assert parts(result) == pytest.approx((expected, expected, 0.0, 0.0))


def test_base_rates_of_three_classes_by_hand() -> None:
    y, p = three_classes(np.random.default_rng(1), 40)
    y[y == 2] = 1  # the third class does not occur: it adds 0 log 0
    result = decompose(y, p, labels=[0, 1, 2])
    share = np.bincount(y, minlength=3)[:2] / 40
    assert result.uncertainty == pytest.approx(-(share * np.log(share)).sum())


def test_saves_and_the_sentence() -> None:
    y, p = two_classes(np.random.default_rng(2), 2_000, slope=2.0)
    result = decompose(y, p)
    assert result.saves == result.miscalibration - result.calibrated_reference > 0.0
    assert result.p == 1 / 101
    assert str(result) == result.describe()
    assert f"Recalibration (isotonic) would save at least {result.saves:.4g}" in str(result)
    assert "(p = 0.0099)" in str(result)


def test_without_evidence_the_sentence_says_so() -> None:
    y, p = two_classes(np.random.default_rng(3), 500)
    result = decompose(y, p, family="logit_line")
    assert result.p > 0.05
    assert "Miscalibration is not significant" in str(result)
    assert "would save" not in str(result)


def test_groups_of_the_isotonic_family_have_no_p_value() -> None:
    y, p = two_classes(np.random.default_rng(4), 60)
    result = decompose(y, p, groups=np.arange(60) // 2)
    assert math.isnan(result.p)
    assert result.n_groups == 30
    assert result.reason is not None
    assert result.reason in str(result)
    assert "independent rows" in result.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "absolute_error"}, "absolute_error, which is improper"),
        ({"loss": "entropy"}, "entropy, which is not a proper loss"),
        ({"loss": "multilabel_crossentropy"}, "decompose binary_crossentropy of each label"),
        ({"loss": "hinge_loss"}, "hinge_loss, which is improper"),
        ({"loss": get_loss("huber_loss", delta=0.3)}, "delta=0.3.* choose other parameters"),
        ({"loss": "roc_auc"}, "a loss is required; got 'roc_auc'"),
        ({"family": "platt"}, "family must be one of 'auto', 'isotonic'"),
        ({"y_true": [[0.5, 0.5], [1, 0], [0, 1]]}, "y_true must have one true class in each row"),
        ({"y_true": [0, 2, 1]}, "y_true"),
        ({"groups": [1, 2]}, "groups must have one entry for each of the 3 rows"),
        ({"groups": {1, 2, 3}}, "groups must be an array or a list; got a set"),
        ({"groups": ["a", None, "b"]}, "groups must not have missing entries; row 1 has None"),
        ({"sample_weight": [1, -1, 1]}, "sample_weight must be finite and not negative"),
        ({"n_draws": 0}, "n_draws must be an integer >= 1; got 0"),
        ({"random_state": "x"}, "random_state must be an integer >= 0, a numpy.random.Generator"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments = {"y_true": [0, 1, 1], "y_pred": [0.2, 0.4, 0.7], **change}
    with pytest.raises(InputError, match=message):
        decompose(**arguments)


@pytest.mark.parametrize("family", ["isotonic", "logit_line"])
def test_families_of_two_classes_refuse_three(family: str) -> None:
    with pytest.raises(InputError, match=f"for 3 classes; got '{family}'"):
        decompose(*three_classes(np.random.default_rng(0), 20), family=family)
