"""Costs of decisions: values by hand and by brute force, intervals, amounts, matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from xentexp.errors import InputError
from xentexp.inference import cost_curve, matrix_costs


def made(n: int = 300, seed: int = 0) -> tuple[Any, Any]:
    """Calibrated scores with ties, and outcomes."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 3, n), 2)
    return (rng.random(n) < p).astype(int), p


def brute(y: Any, p: Any, t: float, miss: float, false_alarm: float, amount: Any = 1.0) -> float:
    """Mean cost at a cutoff, row by row."""
    flagged = p >= t
    return float(np.mean(amount * np.where(flagged, false_alarm * (1 - y), miss * y)))


@pytest.mark.parametrize("miss", [0.5, 1.0, 5.0, 20.0])
def test_the_minimum_is_over_all_cutoffs(miss: float) -> None:
    y, p = made()
    curve = cost_curve(y, p, miss=miss, false_alarm=1.0)
    everywhere = [brute(y, p, t, miss, 1.0) for t in [*np.unique(p), 2.0]]
    assert curve.best_cost == pytest.approx(min(everywhere))
    assert brute(y, p, curve.best_threshold, miss, 1.0) == pytest.approx(min(everywhere))
    assert curve.constant_cost == pytest.approx(min(brute(y, p, t, miss, 1.0) for t in (0.0, 2.0)))
    assert curve.saved == pytest.approx(1.0 - min(everywhere) / curve.constant_cost)
    assert curve.theoretical_threshold == 1.0 / (1.0 + miss)
    shown = [brute(y, p, t, miss, 1.0) for t in curve.thresholds]
    assert curve.costs.tolist() == pytest.approx(shown)
    assert len(curve.thresholds) <= 200
    assert (np.diff(curve.thresholds) > 0.0).all()


def test_cutoffs_in_the_range_cost_at_most_one_per_cent_more() -> None:
    y, p = made(2000)
    curve = cost_curve(y, p, miss=5, false_alarm=1)
    inside = np.linspace(curve.tolerance_low, curve.tolerance_high, 50)
    limit = 1.01 * curve.best_cost + 1e-9
    assert all(brute(y, p, t, 5.0, 1.0) <= limit for t in inside)
    scores = np.unique(p)
    below = scores[scores < curve.tolerance_low].max(initial=0.0)
    above = scores[scores > curve.tolerance_high].min(initial=1.0)
    assert brute(y, p, below, 5.0, 1.0) > limit
    assert brute(y, p, above, 5.0, 1.0) > limit


def test_the_confusion_is_that_of_scikit_learn() -> None:
    y, p = made()
    curve = cost_curve(y, p, miss=5, false_alarm=1)
    for t in (0.0, 0.2, 0.31, 1.5):
        point = curve.at(t)
        tn, fp, fn, tp = confusion_matrix(y, p >= t, labels=[0, 1]).ravel()
        assert (point.tp, point.fp, point.fn, point.tn) == (tp, fp, fn, tn)
        assert point.shares == (tp / 300, fp / 300, fn / 300, tn / 300)
        assert point.cost == pytest.approx(brute(y, p, t, 5.0, 1.0))


def test_amounts_multiply_both_costs() -> None:
    y, p = made()
    amount = np.arange(300) % 7
    curve = cost_curve(y, p, miss=5, false_alarm=1, amount=amount)
    everywhere = [brute(y, p, t, 5.0, 1.0, amount) for t in [*np.unique(p), 2.0]]
    assert curve.best_cost == pytest.approx(min(everywhere))
    assert curve.theoretical_threshold == pytest.approx(1 / 6)
    assert curve.at(0.2).tp == cost_curve(y, p, miss=5, false_alarm=1).at(0.2).tp


def test_weights_are_repeated_rows() -> None:
    y, p = made()
    weight = np.arange(300) % 3
    repeated = np.repeat(np.arange(300), weight)
    weighted = cost_curve(y, p, miss=5, false_alarm=1, sample_weight=weight)
    plain = cost_curve(y[repeated], p[repeated], miss=5, false_alarm=1)
    assert weighted.best_cost == pytest.approx(plain.best_cost)
    assert weighted.best_threshold == plain.best_threshold
    assert weighted.at(0.3).shares == pytest.approx(plain.at(0.3).shares)
    amount = np.arange(300) % 5
    with_amount = cost_curve(y, p, miss=5, false_alarm=1, sample_weight=weight, amount=amount)
    again = cost_curve(y[repeated], p[repeated], miss=5, false_alarm=1, amount=amount[repeated])
    assert with_amount.best_cost == pytest.approx(again.best_cost)


def test_a_useless_model_saves_nothing() -> None:
    y, _ = made()
    curve = cost_curve(y, np.full(300, 0.3), miss=1, false_alarm=1)
    assert (curve.saved, curve.saved_on_new_rows) == (0.0, 0.0)
    assert not curve.constant_flags
    assert curve.best_threshold == 1.0
    assert curve.at(curve.best_threshold).fp == 0.0


def test_a_perfect_model_saves_everything() -> None:
    y, _ = made()
    curve = cost_curve(y, y.astype(float), miss=5, false_alarm=1)
    assert (curve.best_cost, curve.saved, curve.saved_high) == (0.0, 1.0, 1.0)
    assert curve.best_threshold == 1.0
    assert curve.at(curve.best_threshold).shares == (y.mean(), 0.0, 0.0, 1.0 - y.mean())


def test_refusing_all_may_be_best() -> None:
    y = [1, 1, 1, 0]
    curve = cost_curve(y, [0.1, 0.2, 0.3, 0.4], miss=20, false_alarm=1)
    assert curve.constant_flags
    assert (curve.best_threshold, curve.best_cost, curve.saved) == (0.0, 0.25, 0.0)


def test_without_events_no_saving_is_defined() -> None:
    curve = cost_curve([0, 0, 0], [0.1, 0.2, 1.0], miss=5, false_alarm=1, labels=[0, 1])
    assert curve.constant_cost == 0.0
    assert math.isnan(curve.saved)
    assert math.isnan(curve.saved_low)
    assert curve.reason == "the better constant decision costs 0"
    assert curve.best_threshold > 1.0  # a row has score 1, and none is flagged
    assert curve.at(curve.best_threshold).fp == 0.0


def test_the_interval_is_lower_than_the_saving_on_the_same_rows() -> None:
    y, p = made(1000)
    curve = cost_curve(y, p, miss=5, false_alarm=1)
    assert curve.saved_low < curve.saved_on_new_rows <= curve.saved
    assert curve.saved_on_new_rows < curve.saved_high
    assert curve.reason is None
    again = cost_curve(y, p, miss=5, false_alarm=1)
    assert (curve.saved_low, curve.saved_high) == (again.saved_low, again.saved_high)


def test_groups_widen_the_interval() -> None:
    y, p = made(100)
    y, p, groups = (np.tile(values, 10) for values in (y, p, np.arange(100)))
    rows = cost_curve(y, p, miss=5, false_alarm=1)
    grouped = cost_curve(y, p, miss=5, false_alarm=1, groups=groups)
    assert grouped.saved_high - grouped.saved_low > 2 * (rows.saved_high - rows.saved_low)
    assert grouped.saved == rows.saved


def test_the_interval_covers_the_saving_of_the_chosen_cutoff() -> None:
    # p is uniform and calibrated: at cutoff t the cost is (5 t^2 + (1 - t)^2) / 2, flagging all
    # costs 1 / 2.
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        p = rng.random(500)
        curve = cost_curve((rng.random(500) < p).astype(int), p, miss=5, false_alarm=1)
        t = curve.best_threshold
        truth = 1.0 - (5.0 * t**2 + (1.0 - t) ** 2)
        covered += curve.saved_low <= truth <= curve.saved_high
    assert covered >= 53  # .95 of 60 minus two standard errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"miss": 0}, r"miss must be .*1e\+100.*; got 0"),
        ({"false_alarm": -1}, r"false_alarm must be .*1e\+100.*; got -1"),
        ({"miss": math.inf}, r"miss must be .*1e\+100"),
        ({"amount": [1.0]}, r"amount must have shape \(300,\)"),
        ({"amount": [-1.0] * 300}, "amount must be finite and not negative; row 0 has -1.0"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
        ({"thresholds": [2.0]}, r"thresholds must be a list of cutoffs in \[0, 1\]"),
        ({"groups": [1]}, "groups must have one entry for each of the 300 rows"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], message: str) -> None:
    y, p = made()
    with pytest.raises(InputError, match=message):
        cost_curve(y, p, **{"miss": 5, "false_alarm": 1, **options})


# -- cost matrix -------------------------------------------------------------------------------


def test_decisions_of_least_expected_cost() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], 200)
    y = np.array([rng.choice(3, p=row) for row in p])
    matrix = np.array([[0, 1, 4], [2, 0, 1], [9, 3, 0]])
    amount = rng.random(200)
    result = matrix_costs(y, p, matrix, amount=amount)
    chosen = [min(range(3), key=lambda j: sum(row * matrix[:, j])) for row in p]
    costs = [a * matrix[i, j] for a, i, j in zip(amount, y, chosen, strict=True)]
    constants = [np.mean(amount * matrix[y, j]) for j in range(3)]
    assert result.cost == pytest.approx(np.mean(costs))
    assert result.constant_cost == pytest.approx(min(constants))
    assert result.constant_decision == int(np.argmin(constants))
    assert result.saved == pytest.approx(1 - np.mean(costs) / min(constants))
    assert result.saved_low < result.saved < result.saved_high
    assert result.decisions.tolist() == confusion_matrix(y, chosen).tolist()


def test_two_classes_are_a_cutoff_at_the_theoretical_threshold() -> None:
    y, p = made()
    result = matrix_costs(y, p, [[0, 1], [5, 0]])
    point = cost_curve(y, p, miss=5, false_alarm=1).at(1 / 6)
    assert result.cost == pytest.approx(point.cost)
    assert result.decisions.tolist() == [[point.tn, point.fp], [point.fn, point.tp]]


def test_the_delta_method_agrees_with_the_bootstrap() -> None:
    y, p = made(1000)
    result = matrix_costs(y, p, [[0, 1], [5, 0]])
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        rows = rng.integers(0, 1000, 1000)
        cost = brute(y[rows], p[rows], 1 / 6, 5.0, 1.0)
        draws.append(1 - cost / brute(y[rows], p[rows], 0.0, 5.0, 1.0))
    half = (result.saved_high - result.saved_low) / 2
    assert half == pytest.approx(1.96 * np.std(draws), rel=0.15)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1]], r"matrix must have 2 rows and columns, one for each class; got shape \(1, 2\)"),
        ([[0, -1], [5, 0]], r"matrix must have costs from 0 to 1e\+100, at least one above 0"),
        ([[0, 1], [math.inf, 0]], r"matrix must have costs from 0 to 1e\+100"),
        ([[0, math.nan], [5, 0]], r"matrix must have costs from 0 to 1e\+100"),
        ([[5, 0], [0, 5]], "wrong decision that costs less .*; got 0 for decision 1 and 5 for"),
        ([[1, 1], [1, 1]], "matrix must have a wrong decision that costs more"),
        ([[0, 0], [0, 0]], r"matrix must have costs from 0 to 1e\+100, at least one above 0"),
    ],
)
def test_the_matrix_is_checked(matrix: Any, message: str) -> None:
    y, p = made()
    with pytest.raises(InputError, match=message):
        matrix_costs(y, p, matrix)
