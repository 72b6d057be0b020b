"""`cost_curve` and `matrix_costs`: what decisions cost, the best cutoff, and what a model saves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.asarray import to_numeric
from xentexp._inputs.options import check_number
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.inference._checks import check_confidence, codes_of
from xentexp.inference._distributions import critical_value
from xentexp.inference._intervals import Interval, mean_interval
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._two_classes import Ranked, TwoClasses, named_weight, two_classes

_N_PARTS = 10
_N_REPEATS = 5
_N_STEPS = 4096
_N_POINTS = 200
_TOLERANCE = 0.01


LARGEST_COST = 1e100
"""Larger costs would overflow in sums and products."""


@dataclass(frozen=True)
class CostPoint:
    """Decisions at one cutoff of a `CostCurve`.

    Parameters
    ----------
    threshold : float
        Cutoff: rows with at least this score are flagged as events.
    cost : float
        Mean cost of a row. Lower is better.
    tp, fp, fn, tn : float
        Flagged events, flagged other rows (false alarms), events that are not flagged (misses) and
        other rows that are not flagged: numbers of rows (sums of their weights).

    Examples
    --------
    >>> from xentexp.inference import cost_curve
    >>> point = cost_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], miss=5, false_alarm=1).at(0.5)
    >>> (point.tp, point.fp, point.fn, point.tn), point.cost, point.shares
    ((1.0, 0.0, 1.0, 2.0), 1.25, (0.25, 0.0, 0.25, 0.5))
    """

    threshold: float
    cost: float
    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Shares of `tp`, `fp`, `fn` and `tn` among all rows."""
        total = self.tp + self.fp + self.fn + self.tn
        return self.tp / total, self.fp / total, self.fn / total, self.tn / total


@dataclass(frozen=True, eq=False)
class CostCurve:
    """Result of `cost_curve`. Costs are means over rows, in the unit of `miss`; lower is better.

    Parameters
    ----------
    thresholds, costs : ndarray of shape (m,)
        Cutoffs in ascending order, and the mean cost of a row at each.
    best_threshold : float
        Cutoff of the lowest cost among all distinct scores and the two constant decisions; the one
        nearest to `theoretical_threshold` if several are. 0 flags all rows; a cutoff above all
        scores (1, or the next number if a score is 1) flags none.
    best_cost : float
        Cost at `best_threshold`. It is the lowest one on these rows, so on new rows the cost is
        higher on average; see `saved_low`.
    tolerance_low, tolerance_high : float
        Range of cutoffs around the best whose cost is at most 1% higher.
    constant_cost : float
        Cost of the better constant decision.
    constant_flags : bool
        Whether that decision flags all rows (refuses all) or none (accepts all).
    saved : float
        ``1 - best_cost / constant_cost``: 0 for a useless model, 1 for a perfect one. NaN if
        `constant_cost` is 0.
    saved_low, saved_high : float
        Confidence interval for what the cutoff saves on new rows; NaN without an interval. Its
        centre is `saved_on_new_rows`, not `saved`.
    saved_on_new_rows : float
        Estimate of what the cutoff saves on new rows, from cutoffs that are chosen on nine tenths
        of the rows and applied to the other tenth.
    theoretical_threshold : float
        ``false_alarm / (false_alarm + miss)``: the best cutoff of calibrated probabilities. Amounts
        do not change it, as they multiply both costs.
    miss, false_alarm : float
        Cost of an event that is not flagged, and of another row that is flagged.
    confidence : float
        Level of the interval.
    method : str
        How the interval was computed, in words.
    reason : str or None
        Why there is no interval; None if there is one.
    steps : Ranked
        Sums over the rows with at least each distinct score, from which `at` is computed.

    Examples
    --------
    >>> from xentexp.inference import cost_curve
    >>> curve = cost_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], miss=5, false_alarm=1)
    >>> curve.best_threshold, curve.best_cost, curve.constant_cost, curve.saved
    (0.35, 0.25, 0.5, 0.5)
    """

    thresholds: FloatArray
    costs: FloatArray
    best_threshold: float
    best_cost: float
    tolerance_low: float
    tolerance_high: float
    constant_cost: float
    constant_flags: bool
    saved: float
    saved_low: float
    saved_high: float
    saved_on_new_rows: float
    theoretical_threshold: float
    miss: float
    false_alarm: float
    confidence: float
    method: str
    reason: str | None
    steps: Ranked = field(repr=False)

    def at(self, threshold: float) -> CostPoint:
        """Decisions and cost at a cutoff.

        Parameters
        ----------
        threshold : float
            Rows with at least this score are flagged.

        Returns
        -------
        CostPoint
            Numbers of rows, and the mean cost of a row.

        Raises
        ------
        InputError
            If the cutoff is not a number of at least 0.
        """
        check_number("threshold", threshold, 0.0, math.inf)
        steps = self.steps
        step = int(np.searchsorted(-steps.score, -threshold, side="right"))
        flagged, tp = (
            float(sums[step - 1]) if step else 0.0 for sums in (steps.rows, steps.events)
        )
        total, events = float(steps.rows[-1]), float(steps.events[-1])
        return CostPoint(
            threshold=float(threshold),
            cost=float(_step_costs(steps, self.miss, self.false_alarm)[step]),
            tp=tp,
            fp=flagged - tp,
            fn=events - tp,
            tn=total - flagged - events + tp,
        )


def cost_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    miss: float,
    false_alarm: float,
    amount: ArrayLike | None = None,
    thresholds: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> CostCurve:
    """Cost of decisions over the cutoff, the best cutoff, and what it saves.

    Rows with at least the cutoff are flagged as events (refused). A flagged row that is not an
    event costs `false_alarm`, an event that is not flagged costs `miss`, both multiplied by the
    amount of the row. The minimum is over all distinct scores.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes; the second class is the event.
    y_pred : array-like of shape (n,) or (n, 2)
        Probabilities; shape (n,) is for the event.
    miss : float
        Cost of an event that is not flagged, above 0.
    false_alarm : float
        Cost of another row that is flagged, above 0.
    amount : array-like of shape (n,), default=None
        Amount of each row, at least 0, that multiplies both costs, e.g. the size of a loan. By
        default all rows have amount 1.
    thresholds : array-like of shape (m,), default=None
        Cutoffs at which the curve is given, between 0 and 1. By default at most 200: evenly spaced,
        quantiles of the scores, the best and the theoretical cutoff. The best cutoff does not
        depend on them.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person, whose rows may depend on each other. By default rows are
        independent.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1, both excluded.

    Returns
    -------
    CostCurve
        The curve, the best cutoff, the range within 1% of its cost, and what it saves compared
        with the better constant decision.

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, a cost is not above 0, an
        amount is negative or missing, or an argument has a wrong shape or value.

    Notes
    -----
    The interval is for the saving of these predictions on new rows, if the cutoff is the best one
    of these rows. The lowest cost on these rows is too optimistic for it, because the cutoff was
    chosen on them. Therefore rows (or groups) are split at random into ten parts, five times; the
    cutoff for each part is chosen on the other nine. The mean cost so obtained, divided by that of
    the constant decision, gives `saved_on_new_rows` and its standard error (delta method,
    `mean_interval`). To its square, half the square of ``saved - saved_on_new_rows`` is added for
    the choice of the cutoff.

    In simulations of 200, 1,000 and 5,000 rows with 22% events, calibrated or noisy scores and
    ``miss`` of 1, 5 and 20 times ``false_alarm`` (200 to 400 samples each), intervals of level .95
    covered the saving of the chosen cutoff in 93 to 97% of the samples; without the addition in 84
    to 94%. `saved` was too high by .09 to .19 with 200 rows, .03 to .06 with 1,000 and .01 to .02
    with 5,000; `saved_on_new_rows` was off by .011 at most.

    References
    ----------
    Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI. Bahnsen, A. C., Aouada, D.
    & Ottersten, B. (2014). Example-dependent cost-sensitive logistic regression for credit scoring.
    ICMLA (savings).

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.inference import cost_curve
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 4, 5000)
    >>> y = (rng.random(5000) < p).astype(int)
    >>> curve = cost_curve(y, p, miss=5, false_alarm=1)
    >>> round(curve.theoretical_threshold, 3), len(curve.thresholds)
    (0.167, 200)
    >>> bool(curve.tolerance_low <= curve.best_threshold <= curve.tolerance_high)
    True
    >>> curve.saved_low < curve.saved_on_new_rows < curve.saved
    True
    """
    for name, cost in (("miss", miss), ("false_alarm", false_alarm)):
        check_number(name, cost, 0.0, LARGEST_COST, low_open=True)
    check_confidence(confidence)
    data = two_classes("cost_curve", y_true, y_pred, labels=labels, sample_weight=sample_weight)
    amounts = np.ones(len(data.event))
    if amount is not None:
        amounts = named_weight(amount, data.n_read, "amount")[data.kept]
    codes = None if groups is None else codes_of("groups", groups, data.n_read)[data.kept]
    weight = data.weights
    steps = data.ranked(weight * amounts, weight * amounts * data.event)
    theoretical = false_alarm / (false_alarm + miss)
    cutoffs = _cutoffs(steps.score)
    costs = _step_costs(steps, miss, false_alarm)
    best = _best_step(costs, cutoffs, theoretical)
    good = costs <= costs[best] * (1.0 + _TOLERANCE) + _rounding(costs)
    worse = np.flatnonzero(~good)
    first = int(worse[worse < best].max(initial=-1)) + 1
    last = int(worse[worse > best].min(initial=len(costs))) - 1
    shown = _shown(thresholds, steps.score, float(cutoffs[best]), theoretical)
    flags_all = bool(costs[-1] < costs[0])
    constant = float(min(costs[0], costs[-1]))
    on_rows = _crossed_costs(data, codes, amounts, miss, false_alarm)
    of_constant = amounts * (false_alarm * ~data.event if flags_all else miss * data.event)
    saved = 1.0 - float(costs[best]) / constant if constant else math.nan
    interval = _saving(on_rows, of_constant, data.weight, codes, confidence, chosen=saved)
    return CostCurve(
        thresholds=shown,
        costs=costs[np.searchsorted(-steps.score, -shown, side="right")],
        best_threshold=float(cutoffs[best]),
        best_cost=float(costs[best]),
        tolerance_low=float(cutoffs[last]),
        tolerance_high=float(cutoffs[first]),
        constant_cost=constant,
        constant_flags=flags_all,
        saved=saved,
        saved_low=interval.low,
        saved_high=interval.high,
        saved_on_new_rows=interval.mean,
        theoretical_threshold=theoretical,
        miss=float(miss),
        false_alarm=float(false_alarm),
        confidence=float(confidence),
        method=f"cutoffs chosen on other rows; {interval.method}",
        reason=interval.reason,
        steps=steps,
    )


def _cutoffs(score: FloatArray) -> FloatArray:
    """Cutoffs, descending: none is flagged, then rows from each distinct score on, then all."""
    above = 1.0 if score[0] < 1.0 else np.nextafter(1.0, 2.0)
    return np.concatenate([[above], score[:-1], [0.0]])


def _step_costs(steps: Ranked, miss: float, false_alarm: float) -> FloatArray:
    """Mean cost of a row at each of `_cutoffs`."""
    amount, of_events = (np.append(0.0, sums) for sums in steps.amounts)
    missed = of_events[-1] - of_events
    return np.asarray((miss * missed + false_alarm * (amount - of_events)) / steps.rows[-1])


def _rounding(costs: FloatArray) -> float:
    return 1e-12 * float(costs.max())


def _best_step(costs: FloatArray, cutoffs: FloatArray, theoretical: float) -> int:
    lowest = np.flatnonzero(costs <= costs.min() + _rounding(costs))
    return int(lowest[np.abs(cutoffs[lowest] - theoretical).argmin()])


def _shown(
    thresholds: ArrayLike | None, score: FloatArray, best: float, theoretical: float
) -> FloatArray:
    """Cutoffs of the curve, ascending."""
    if thresholds is None:
        even = np.linspace(0.0, 1.0, _N_POINTS // 2)
        quantiles = score
        if len(score) > _N_POINTS // 2 - 2:
            quantiles = np.quantile(
                score, np.linspace(0.0, 1.0, _N_POINTS // 2 - 2), method="inverted_cdf"
            )
        return np.unique(np.concatenate([even, quantiles, [best, theoretical]]))
    array = to_numeric(thresholds, "thresholds").astype(np.float64)
    if array.ndim != 1 or not len(array) or not ((array >= 0.0) & (array <= 1.0)).all():
        raise InputError(
            f"thresholds must be a list of cutoffs in [0, 1], at least one; got {thresholds!r}"
        )
    return np.sort(array)


def _crossed_costs(
    data: TwoClasses, codes: IntArray | None, amounts: FloatArray, miss: float, false_alarm: float
) -> FloatArray:
    """Cost of each row at the best cutoff of the other parts of the rows."""
    n_units = len(data.event) if codes is None else int(codes.max()) + 1
    n_parts = min(_N_PARTS, n_units)
    rng = np.random.default_rng(0)
    distinct, step = np.unique(-data.score, return_inverse=True)
    n_steps = min(len(distinct), _N_STEPS)
    coarse = np.arange(len(distinct)) * n_steps // len(distinct)
    step = coarse[step]  # of each row, that of the highest scores first
    lowest_score = -distinct[np.append(np.flatnonzero(np.diff(coarse)), len(distinct) - 1)]
    distance = np.abs(_cutoffs(lowest_score) - false_alarm / (false_alarm + miss))
    # What flagging a row changes.
    change = np.where(data.event, -miss, false_alarm) * amounts
    weighted = change * data.weights
    flagged = np.zeros(len(step))
    for _ in range(_N_REPEATS):
        unit_part = rng.permutation(n_units) % n_parts
        part = unit_part if codes is None else unit_part[codes]
        sums = np.bincount(part * n_steps + step, weighted, minlength=n_parts * n_steps)
        sums = np.pad(sums.reshape(n_parts, n_steps).cumsum(axis=1), ((0, 0), (1, 0)))
        costs = sums.sum(axis=0) - sums  # of the other parts, if the first steps are flagged
        costs -= costs.min(axis=1, keepdims=True)
        lowest = costs <= 1e-12 * np.abs(weighted).sum()
        best = np.where(lowest, distance, np.inf).argmin(axis=1)
        flagged += step < best[part]
    return np.where(data.event, miss, 0.0) * amounts + change * flagged / _N_REPEATS


def _saving(
    costs: FloatArray,
    constant: FloatArray,
    weight: FloatArray | None,
    codes: IntArray | None,
    confidence: float,
    *,
    chosen: float | None = None,
) -> Interval:
    """Interval of 1 minus the ratio of two mean costs of the same rows, by the delta method."""
    # `chosen` is the saving with the cutoff that was chosen on the same rows. How much higher it
    # is shows how uncertain the choice is.
    mean, base = (float(np.average(values, weights=weight)) for values in (costs, constant))
    if base == 0.0:
        values = np.full(len(costs), 0.0)
        interval = mean_interval(values, confidence=confidence)
        why = "the better constant decision costs 0"
        nan = math.nan
        return replace(interval, mean=nan, low=nan, high=nan, standard_error=nan, reason=why)
    ratio = mean / base
    values = 1.0 - ratio - (costs - ratio * constant) / base
    interval = mean_interval(values, groups=codes, sample_weight=weight, confidence=confidence)
    if chosen is None or interval.reason is not None:
        return replace(interval, high=min(interval.high, 1.0))
    optimism = max(0.0, chosen - interval.mean)
    error = math.hypot(interval.standard_error, optimism * math.sqrt(0.5))
    half = critical_value(interval.df, confidence) * error
    high = min(interval.mean + half, 1.0)
    return replace(interval, standard_error=error, low=interval.mean - half, high=high)


# -- cost matrix -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MatrixCosts:
    """Result of `matrix_costs`. Costs are means over rows; lower is better.

    Parameters
    ----------
    cost : float
        Mean cost of the decisions of least expected cost.
    decisions : ndarray of shape (k, k)
        Number of rows (sum of their weights) by true class (rows) and decision (columns).
    constant_decision : label
        Class that is the best decision for all rows.
    constant_cost : float
        Mean cost of that decision.
    saved : float
        ``1 - cost / constant_cost``; NaN if `constant_cost` is 0. Below 0, the constant decision
        costs less.
    saved_low, saved_high : float
        Confidence interval of `saved` for these predictions on new rows; NaN without an interval.
    classes : tuple
        Labels of the classes, in the order of the columns of the predictions.
    confidence : float
        Level of the interval.
    method : str
        How the interval was computed, in words.
    reason : str or None
        Why there is no interval; None if there is one.

    Examples
    --------
    >>> from xentexp.inference import matrix_costs
    >>> result = matrix_costs([0, 1, 2], [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.2, 0.2, 0.6]],
    ...                       [[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    >>> result.cost, result.constant_decision, round(result.constant_cost, 4), result.saved
    (0.0, 1, 0.6667, 1.0)
    """

    cost: float
    decisions: FloatArray
    constant_decision: Any
    constant_cost: float
    saved: float
    saved_low: float
    saved_high: float
    classes: tuple[Any, ...]
    confidence: float
    method: str
    reason: str | None


def matrix_costs(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    matrix: ArrayLike,
    *,
    amount: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> MatrixCosts:
    """Cost of the decisions of least expected cost under a cost matrix, and what they save.

    The decision for a row is the column j with the smallest ``sum_i p_i matrix[i][j]``, the first
    if several are. For two classes it is the cutoff ``false_alarm / (false_alarm + miss)``; use
    `cost_curve` to choose a cutoff from the data.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels or one-hot rows.
    y_pred : array-like of shape (n,) or (n, k)
        Probabilities; shape (n,) is for the second of two classes.
    matrix : array-like of shape (k, k)
        Cost of each true class (rows) and decision (columns), in the order of the classes: at
        least 0, not all 0.
    amount : array-like of shape (n,), default=None
        Amount of each row, at least 0, that multiplies its cost. By default all have amount 1.
    labels : array-like of shape (k,), default=None
        All classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person, whose rows may depend on each other. By default rows are
        independent.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1, both excluded.

    Returns
    -------
    MatrixCosts
        Mean cost, table of decisions, best constant decision, and the share of its cost saved.

    Raises
    ------
    InputError
        If a row has no single true class, the matrix has another shape, a cost or an amount is
        negative or missing, or an argument has a wrong shape or value.

    Notes
    -----
    The decisions follow from the probabilities, not from the outcomes of these rows, so that
    `saved` needs no correction for a choice. The interval is that of a ratio of two means (delta
    method, `mean_interval`).

    References
    ----------
    Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.

    Examples
    --------
    >>> from xentexp.inference import matrix_costs
    >>> matrix_costs([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [[0, 1], [5, 0]]).decisions
    array([[1., 1.],
           [0., 2.]])
    """
    check_confidence(confidence)
    checked = read(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    if y_true is None or not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions or None; pass labels "
            "or one-hot rows"
        )
    table = check_cost_matrix(matrix, checked.n_classes)
    data = MetricInput(checked)
    n = len(data.index)
    amounts = np.ones(n) if amount is None else named_weight(amount, n, "amount")
    codes = None if groups is None else codes_of("groups", groups, n)
    chosen = (table.T @ data.proba_by_class).argmin(axis=0)
    costs = amounts * table[data.index, chosen]
    weight = np.ones(n) if data.weight is None else data.weight
    totals = np.array([weight @ (amounts * table[data.index, j]) for j in range(len(table))])
    constant = int(totals.argmin())
    of_constant = amounts * table[data.index, constant]
    interval = _saving(costs, of_constant, data.weight, codes, confidence)
    k = len(table)
    counts = np.bincount(data.index * k + chosen, weight, minlength=k * k)
    return MatrixCosts(
        cost=float(np.average(costs, weights=weight)),
        decisions=counts.astype(np.float64).reshape(k, k),
        constant_decision=data.classes[constant],
        constant_cost=float(totals[constant] / weight.sum()),
        saved=interval.mean,
        saved_low=interval.low,
        saved_high=interval.high,
        classes=data.classes,
        confidence=float(confidence),
        method=interval.method,
        reason=interval.reason,
    )


def check_cost_matrix(matrix: object, n_classes: int) -> FloatArray:
    """Cost matrix as floats, (k, k); an InputError for another shape or costs below 0."""
    array = to_numeric(matrix, "matrix").astype(np.float64)
    if array.shape != (n_classes, n_classes):
        raise InputError(
            f"matrix must have {n_classes} rows and columns, one for each class; got shape "
            f"{array.shape}"
        )
    if not ((array >= 0.0) & (array <= LARGEST_COST)).all() or not array.any():
        raise InputError(
            f"matrix must have costs from 0 to {LARGEST_COST:g}, at least one above 0; got "
            f"{array.tolist()}"
        )
    wrong = array < np.diag(array)[:, None]
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise InputError(
            f"matrix must not have a wrong decision that costs less than the correct one; got "
            f"{array[row, column]:g} for decision {column} and {array[row, row]:g} for the correct "
            f"one in row {row} (counted from 0); rows are true classes, columns are decisions"
        )
    if (array == np.diag(array)[:, None]).all():
        raise InputError(
            f"matrix must have a wrong decision that costs more than the correct one; got "
            f"{array.tolist()}"
        )
    return array
