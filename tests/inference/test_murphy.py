"""Murphy curves and their differences: brute force, peers, identities and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from tests.inference.test_decomposition import two_classes
from tests.support.strategies import quick
from xentexp.errors import InputError
from xentexp.inference import murphy_curve, murphy_difference, paired_difference


def row_costs(y: Any, p: Any, threshold: float) -> Any:
    """Costs of the rows by the definition: t for a false alarm, 1 - t for a miss."""
    alarm = np.asarray(p) >= threshold
    return np.where(y == 1, np.where(alarm, 0.0, 1.0 - threshold), np.where(alarm, threshold, 0.0))


def test_four_rows_by_hand() -> None:
    # t = .35: the rows with p = .4 (a false alarm, .35) and .35 (equal to t: an alarm, correct).
    # t = .36: the same false alarm, and a miss of cost .64.
    curve = murphy_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], thresholds=[0.36, 0.35, 1.0, 0.0])
    assert curve.thresholds.tolist() == [0.0, 0.35, 0.36, 1.0]
    np.testing.assert_allclose(curve.costs * 4, [0.0, 0.35, 1.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_by_brute_force_and_by_model_diagnostics(ties: bool) -> None:
    scoring = pytest.importorskip("model_diagnostics.scoring")
    rng = np.random.default_rng(0)
    y, p = two_classes(rng, 200, ties=ties)
    weight = rng.exponential(size=200)
    curve = murphy_curve(y, p, sample_weight=weight)
    assert len(curve.thresholds) == 199
    expected = [np.average(row_costs(y, p, t), weights=weight) for t in curve.thresholds]
    np.testing.assert_allclose(curve.costs, expected, rtol=1e-12, atol=1e-15)
    theirs = [
        scoring.ElementaryScore(t, functional="mean")(y_obs=y, y_pred=p, weights=weight)
        for t in curve.thresholds
    ]
    np.testing.assert_allclose(curve.costs, theirs, rtol=1e-12, atol=1e-15)


def test_the_integral_is_half_the_brier_score() -> None:
    # Ehm et al. (2016), table 1. The curve is linear in t between the predictions, so that the
    # midpoint rule is exact if the predictions are multiples of the steps.
    rng = np.random.default_rng(1)
    p = rng.integers(0, 101, 500) / 100
    y = (rng.random(500) < p).astype(int)
    curve = murphy_curve(y, p, thresholds=(np.arange(100) + 0.5) / 100)
    assert curve.costs.mean() == pytest.approx(brier_score_loss(y, p) / 2, rel=1e-12)


DESIGNS = ("none", "weight", "groups", "folds", "groups and weight", "folds and weight", "repeats")


@pytest.mark.parametrize("design", DESIGNS)
def test_the_difference_is_the_paired_difference_of_the_costs(design: str) -> None:
    rng = np.random.default_rng(2)
    y, p = two_classes(rng, 120, ties=True)
    q = np.clip(p + rng.normal(0.0, 0.15, 120), 0.0, 1.0)
    known = {
        "weight": {"sample_weight": np.where(np.arange(120) % 7, rng.exponential(size=120), 0.0)},
        "groups": {"groups": np.sort(rng.integers(0, 25, 120)) * 3},
        "folds": {"folds": np.arange(120) % 4},
        "repeats": {"repeats": np.arange(120) // 60, "folds": np.arange(120) % 4},
    }
    rows: dict[str, Any] = {
        name: values
        for part in design.split(" and ")
        for name, values in known.get(part, {}).items()
    }
    thresholds = [0.0, 0.1, 0.25, 0.5, 0.7, 0.95]
    ours = murphy_difference(y, p, q, thresholds=thresholds, confidence=0.9, **rows)
    for i, t in enumerate(thresholds):
        theirs = paired_difference(
            row_costs(y, p, t), row_costs(y, q, t), target="models", confidence=0.9, **rows
        )
        for name in ("difference", "low", "high", "standard_error"):
            value = getattr(ours, name)[i]
            assert value == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-13), (t, name)
        assert (ours.method, ours.reason) == (theirs.method, theirs.reason)
        assert theirs.by_rows is not None
        assert (ours.n_rows, ours.n_groups) == (theirs.by_rows.n_rows, theirs.by_rows.n_groups)
    curves = [
        murphy_curve(y, x, thresholds=thresholds, sample_weight=rows.get("sample_weight"))
        for x in (p, q)
    ]
    if "repeats" not in rows:
        np.testing.assert_allclose(ours.difference, curves[0].costs - curves[1].costs, atol=1e-14)


@quick
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 10), st.integers(0, 10), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    )
)
def test_any_ties_groups_and_constant_rows(rows: list[tuple[int, int, int, int]]) -> None:
    y, p, q, groups = (np.array(column) for column in zip(*rows, strict=True))
    ours = murphy_difference(
        y, p / 10, q / 10, thresholds=[0.0, 0.3, 0.5, 1.0], labels=[0, 1], groups=groups
    )
    for i, t in enumerate([0.0, 0.3, 0.5, 1.0]):
        theirs = paired_difference(row_costs(y, p / 10, t), row_costs(y, q / 10, t), groups=groups)
        assert ours.difference[i] == pytest.approx(theirs.difference, abs=1e-14)
        assert ours.standard_error[i] == pytest.approx(theirs.standard_error, abs=1e-8, nan_ok=True)
        assert (ours.reason is None) == (theirs.reason is None)


def test_a_model_against_itself_has_no_difference() -> None:
    y, p = two_classes(np.random.default_rng(3), 50)
    result = murphy_difference(y, p, p)
    for values in (result.difference, result.low, result.high, result.standard_error):
        assert not values.any()


def test_one_row_has_no_interval() -> None:
    result = murphy_difference([1], [0.4], [0.6], thresholds=[0.5], labels=[0, 1])
    assert result.difference.tolist() == [0.5]
    assert math.isnan(result.low[0])
    assert result.reason == "an interval needs at least two rows"


def test_classes_may_have_names() -> None:
    codes = murphy_curve([0, 1, 1], [0.2, 0.4, 0.7]).costs
    names = murphy_curve(["no", "yes", "yes"], [0.2, 0.4, 0.7], labels=["no", "yes"]).costs
    np.testing.assert_array_equal(codes, names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [0.5, 1.5]}, r"thresholds must be a list of numbers in \[0, 1\]"),
        ({"thresholds": []}, "thresholds must be a list"),
        ({"thresholds": [math.nan]}, "thresholds must "),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
        ({"y_reference": [0.2, 0.4]}, "y_true has 3 rows but y_reference has 2"),
        ({"y_reference": [0.2, 0.4, 1.4]}, "y_reference"),
        ({"y_true": None}, "y_true must have one true class in each row"),
        ({"groups": [1, 2]}, "groups must have one entry for each of the 3 rows"),
        ({"y_pred": np.full((3, 3), 1 / 3)}, "murphy_difference is for two classes; there are 3"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments = {"y_true": [0, 1, 1], "y_pred": [0.2, 0.4, 0.7], "y_reference": [0.5, 0.5, 0.5]}
    with pytest.raises(InputError, match=message):
        murphy_difference(**{**arguments, **change})
