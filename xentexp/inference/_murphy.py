"""Murphy curves of two classes: the cost of decisions at every threshold, and its difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.asarray import to_numeric
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.inference._checks import check_confidence, codes_of
from xentexp.inference._distributions import critical_value
from xentexp.inference._intervals import row_method
from xentexp.inference._variance import Part, cr2, make_design
from xentexp.metrics._two_classes import two_classes

_N_INTERVALS = 200


@dataclass(frozen=True, eq=False)
class MurphyCurve:
    """Result of `murphy_curve`.

    Parameters
    ----------
    thresholds : ndarray of shape (m,)
        Thresholds, ascending.
    costs : ndarray of shape (m,)
        Mean cost of a row at each threshold.
    n_rows : int
        Number of rows with a positive weight.

    Examples
    --------
    >>> from xentexp.inference import murphy_curve
    >>> curve = murphy_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], thresholds=[0.2, 0.5])
    >>> curve.costs.round(3).tolist(), curve.n_rows
    ([0.05, 0.125], 4)
    """

    thresholds: FloatArray
    costs: FloatArray
    n_rows: int


@dataclass(frozen=True, eq=False)
class MurphyDifference:
    """Result of `murphy_difference`.

    Parameters
    ----------
    thresholds : ndarray of shape (m,)
        Thresholds, ascending.
    difference : ndarray of shape (m,)
        Mean cost of a row minus that of the reference: positive where the reference is better.
    low, high : ndarray of shape (m,)
        Limits of the confidence interval at each threshold; NaN without an interval.
    standard_error : ndarray of shape (m,)
        Standard error of the difference at each threshold.
    confidence : float
        Level of the interval at each threshold.
    n_rows : int
        Number of rows with a positive weight, of one repeat.
    method : str
        How the intervals were computed, in words.
    n_groups : int or None
        Number of groups, if groups were passed.
    reason : str or None
        Why there are no intervals, e.g. a single row; None if there are.

    Examples
    --------
    >>> from xentexp.inference import murphy_difference
    >>> y, p, q = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.3, 0.6, 0.3, 0.7]
    >>> result = murphy_difference(y, p, q, thresholds=[0.2, 0.5])
    >>> result.difference.round(3).tolist(), result.method
    ([-0.05, -0.125], 't, 4 independent rows')
    """

    thresholds: FloatArray
    difference: FloatArray
    low: FloatArray
    high: FloatArray
    standard_error: FloatArray
    confidence: float
    n_rows: int
    method: str
    n_groups: int | None = None
    reason: str | None = None


def murphy_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> MurphyCurve:
    """Mean cost of the decisions at each threshold, where the threshold sets the costs.

    At threshold t a row counts as the second class if its probability is at least t. A false alarm
    costs t and a miss costs 1 - t, which is the ratio of costs for which t is the best threshold
    of calibrated probabilities. This is the elementary score of Ehm et al. for the mean: every
    proper loss of two classes is a mixture of these curves over the thresholds. A prediction that
    is equal to a threshold is an alarm. The integral of the curve from 0 to 1 is half the mean of
    ``(y - p)^2``, the Brier score of two classes. Lower is better.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes.
    y_pred : array-like of shape (n,) or (n, 2)
        Probabilities; shape (n,) is for the second class.
    thresholds : array-like of shape (m,), default=None
        Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.

    Returns
    -------
    MurphyCurve
        Costs in the units of the costs of a false alarm and a miss, which sum to 1.

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, or an argument has a wrong
        shape or value.

    References
    ----------
    Ehm, W., Gneiting, T., Jordan, A. & Krueger, F. (2016). Of quantiles and expectiles: consistent
    scoring functions, Choquet representations and forecast rankings. JRSS B 78.

    Examples
    --------
    At 0.2 the second row is a false alarm of cost 0.2, at 0.5 the third row is a miss of cost 0.5:

    >>> from xentexp.inference import murphy_curve
    >>> murphy_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], thresholds=[0.2, 0.5]).costs * 4
    array([0.2, 0.5])
    """
    data = two_classes("murphy_curve", y_true, y_pred, labels=labels, sample_weight=sample_weight)
    at = _to_thresholds(thresholds)
    event, proba, weight = data.event, data.score, data.weights
    false_alarms = _at_least(proba[~event], weight[~event], at)
    hits = _at_least(proba[event], weight[event], at)
    misses = weight[event].sum() - hits
    costs = (at * false_alarms + (1.0 - at) * misses) / weight.sum()
    return MurphyCurve(at, costs, len(weight))


def murphy_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_reference: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    confidence: float = 0.95,
) -> MurphyDifference:
    """Difference of the Murphy curves of two models on the same rows, with intervals.

    The intervals are those of `paired_difference` with ``target="models"`` for the costs of the
    rows at each threshold: they are about these fitted models on new rows. They are pointwise: at
    each threshold the interval has the stated level, but the whole curve leaves the band somewhere
    more often. Time and memory are those of sorting the rows, whatever the number of thresholds.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes.
    y_pred : array-like of shape (n,) or (n, 2)
        Probabilities of the model; shape (n,) is for the second class.
    y_reference : array-like of shape (n,) or (n, 2)
        Probabilities of the model that it is compared with.
    thresholds : array-like of shape (m,), default=None
        Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person. Rows of a group may depend on each other.
    folds : array-like of shape (n,), default=None
        Fold in which the row was a test row.
    repeats : array-like of shape (n,), default=None
        Repeat of cross-validation of each prediction.
    confidence : float, default=0.95
        Confidence level at each threshold, between 0 and 1, both excluded.

    Returns
    -------
    MurphyDifference
        Cost of `y_pred` minus cost of `y_reference`: positive where the reference is better.

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, or an argument has a wrong
        shape or value.

    References
    ----------
    Ehm, W., Gneiting, T., Jordan, A. & Krueger, F. (2016). Of quantiles and expectiles: consistent
    scoring functions, Choquet representations and forecast rankings. JRSS B 78.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.inference import murphy_difference
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000)
    >>> y = (rng.random(2000) < p).astype(int)
    >>> result = murphy_difference(y, np.full(2000, 0.5), p, thresholds=[0.3, 0.7])
    >>> bool((result.low > 0.0).all())  # a constant prediction costs more than the true one
    True
    """
    check_confidence(confidence)
    function = "murphy_difference"
    options: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
    data = two_classes(function, y_true, y_pred, **options)
    reference = two_classes(function, y_true, y_reference, name="y_reference", **options)
    at = _to_thresholds(thresholds)
    rows: dict[str, Any] = {
        name: None if values is None else codes_of(name, values, data.n_read)[data.kept]
        for name, values in (("groups", groups), ("folds", folds), ("repeats", repeats))
    }
    design = make_design(len(data.kept), sample_weight=data.weight, **rows)
    changes = _Changes(
        data.event.astype(np.float64),
        np.searchsorted(at, data.score, side="right"),
        np.searchsorted(at, reference.score, side="right"),
    )
    reason = design.why_not()
    moments = [_moments(changes, part, at, design.variance, reason) for part in design.parts]
    difference = np.mean([mean for mean, _, _ in moments], axis=0)
    error = np.sqrt(np.mean([square for _, square, _ in moments], axis=0))
    half = error * critical_value(min(df for _, _, df in moments), confidence)
    return MurphyDifference(
        at,
        difference,
        difference - half,
        difference + half,
        error,
        float(confidence),
        design.n_rows,
        row_method(design),
        design.n_groups,
        reason,
    )


class _Changes(NamedTuple):
    """Outcome of each row, and at how many of the thresholds each model gives an alarm."""

    event: FloatArray
    first: NDArray[np.intp]
    second: NDArray[np.intp]


def _moments(
    changes: _Changes, part: Part, at: FloatArray, variance: str, reason: str | None
) -> tuple[FloatArray, FloatArray, float]:
    """Mean, squared standard error and degrees of freedom at each threshold."""
    # The cost of a row differs by s (t - y), where s is 1 if only the first model gives an alarm,
    # -1 if only the second does, and else 0. Sums over a unit (a row, or the rows of a group) are
    # therefore t U - V with U = sum(w s) and V = sum(w s y), which change at two places for each
    # row: sorted by unit and place, all units together take O(n log n).
    event, first, second = (
        values if part.rows is None else values[part.rows] for values in changes
    )
    n, m = part.n_rows, len(at)
    weight = np.ones(n) if part.weight is None else part.weight
    units = np.arange(n) if part.groups is None else part.groups
    totals = np.bincount(units, weight)
    share = totals / part.total
    factors, df = np.ones(len(share)), math.inf  # of the all-pairs variance
    if variance != "all_pairs" and reason is None:  # CR2; independent rows are groups of one row
        squares = np.bincount(units, weight**2).astype(np.float64)
        _, df = cr2(np.zeros((len(share), 1)), share, squares)
        factors = 1.0 / (1.0 - share)
    # s is 1 from place `second` on and 0 again from place `first` on, or the reverse.
    differ = np.flatnonzero(first != second)
    unit = np.concatenate([units[differ], units[differ]])
    place = np.concatenate([second[differ], first[differ]])
    step = np.concatenate([weight[differ], -weight[differ]])
    step_event = step * np.concatenate([event[differ], event[differ]])
    order = np.lexsort((place, unit))
    unit, place = unit[order], place[order]
    last = np.empty(len(unit), dtype=bool)  # the last change of a unit, which ends at s = 0
    last[:-1] = unit[1:] != unit[:-1]
    last[-1:] = True
    u, v = np.cumsum(step[order]), np.cumsum(step_event[order])
    u[last] = v[last] = 0.0
    following = np.where(last, place, np.roll(place, -1))

    def over_units(values: FloatArray) -> FloatArray:
        """Sum over the units at each threshold of values that hold from one change to the next."""
        started = np.bincount(place, values, minlength=m + 1)
        ended = np.bincount(following, values, minlength=m + 1)
        return np.asarray(np.cumsum(started - ended)[:m])

    f, size = factors[unit], totals[unit]
    mean = (at * over_units(u) - over_units(v)) / part.total
    own = at**2 * over_units(f * u * u) - 2.0 * at * over_units(f * u * v) + over_units(f * v * v)
    cross = at * over_units(f * size * u) - over_units(f * size * v)
    square = own - 2.0 * mean * cross + mean**2 * float(factors @ totals**2)
    if reason is not None:
        return mean, np.full(m, np.nan), math.inf
    return mean, np.maximum(square, 0.0) / part.total**2, df


def _at_least(proba: FloatArray, weight: FloatArray, thresholds: FloatArray) -> FloatArray:
    """Weight of the rows whose probability is at least each of the thresholds."""
    places = np.searchsorted(thresholds, proba, side="right")
    below = np.cumsum(np.bincount(places, weight, minlength=len(thresholds) + 1))
    return np.asarray(below[-1] - below[:-1])


def _to_thresholds(thresholds: ArrayLike | None) -> FloatArray:
    if thresholds is None:
        return np.arange(1, _N_INTERVALS) / _N_INTERVALS
    array = to_numeric(thresholds, "thresholds").astype(np.float64)
    if array.ndim != 1 or not len(array) or not ((array >= 0.0) & (array <= 1.0)).all():
        raise InputError(
            f"thresholds must be a list of numbers in [0, 1], at least one; got {thresholds!r}"
        )
    return np.sort(array)
