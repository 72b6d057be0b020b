"""Intervals of metrics of the whole data set, e.g. AUC, and of their differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from xentexp._inputs.asarray import to_numeric
from xentexp._inputs.columns import to_weight
from xentexp._inputs.options import check_integer
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError, UndefinedError
from xentexp.inference._checks import (
    Rows,
    check_confidence,
    codes_of,
    random_generator,
    rows_by_code,
)
from xentexp.inference._comparison import _ROUNDING, difference_of
from xentexp.inference._distributions import critical_value, statistic_of, two_sided_p
from xentexp.inference._intervals import Difference, Interval
from xentexp.inference._variance import ALMOST_ALL, cr2, kish
from xentexp.losses import Loss
from xentexp.metrics import MetricInput, get_loss, get_metric
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._calibration import (
    CalibrationIntercept,
    CalibrationSlope,
    ExpectedCalibrationError,
    MaximumCalibrationError,
)
from xentexp.metrics._evaluation import check_applies
from xentexp.metrics._ranking import Gini, KsStatistic, RocAuc
from xentexp.metrics._running_sums import sum_losses
from xentexp.metrics._skill import BalancedLoss, D2Score, Perplexity

_KS_EVENTS = 40
_FEW_EVENTS = 20
_FEW_GROUPS = 20
_NOT_SHOWN = "no interval: no method was shown to cover for this metric"


class _NoIntervalError(Exception):
    """Why there is no interval; the value of the metric may exist."""


def metric_interval(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    metric: str | Metric,
    *,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.Generator | None = 0,
) -> Interval:
    """Confidence interval of a metric of the whole data set, e.g. AUC, or of a loss.

    The target is "models": the value of these fitted models on new rows.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        True classes: labels or one-hot rows.
    y_pred : array-like of shape (n,) or (n, k)
        Predicted probabilities; shape (n,) holds those of the second of two classes.
    metric : str, Loss or DatasetMetric
        Metric by name or as an object, see `xentexp.get_metric`.
    folds : array-like of shape (n,), default=None
        Fold in which the row was a test row. The value is then the mean of the values of the
        folds, and its variance the sum of those of the folds divided by their squared number.
    repeats : array-like of shape (n,), default=None
        Repeat of cross-validation of each prediction. All arrays are the concatenation over the
        repeats. The value is the mean over the repeats, and its standard error the root mean
        square of those of the repeats.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person. Rows of different groups are independent.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row, at least 0. Rows of weight 0 are ignored.
    labels : array-like of shape (k,), default=None
        All classes, in the order of the columns of `y_pred`.
    prior : array-like of shape (k,) or (n, k), default=None
        Proportions of the classes in the training rows, for D2 scores: the same for all rows, or
        those of the training rows of its fold in each row.
    confidence : float, default=0.95
        Confidence level, between 0 and 1, both excluded.
    n_resamples : int, default=1000
        Number of bootstrap resamples, at least 100; only for `ks_statistic`.
    random_state : int, Generator or None, default=0
        Seed or generator of the resamples; only for `ks_statistic`.

    Returns
    -------
    Interval
        ``mean`` is the value of the metric. If the metric is undefined, ``mean`` is NaN; if there
        is no interval, its limits and standard error are NaN; ``reason`` says why.

    Raises
    ------
    InputError
        If the input or an option is invalid, or the metric is not defined for such input.

    Notes
    -----
    What is given for each metric:

    ==================================  ======================================================
    metric                              interval
    ==================================  ======================================================
    roc_auc, gini                       DeLong, on the logit scale. Three or more classes: only
                                        with ``multiclass="ovr"`` and ``average="macro"``, as
                                        the mean of the AUC of each class against the rest
    ks_statistic                        bootstrap, its bias subtracted from both limits; from
                                        40 rows of each class, without folds and groups
    expected_calibration_error with     root of the normal interval of the squared error, cut
    ``norm="l2", debiased=True``        at 0; without folds and groups
    d2_<loss>                           ratio of means, linearized (the delta method)
    balanced_<loss>                     sum of the variances of the means of the classes
    perplexity                          exponential of the interval of the mean log loss
    calibration_slope, _intercept       sandwich variance of the logistic regression
    a loss                              linearized mean
    expected_calibration_error (other)  none: an interval of ECE does not cover
    all others                          none: no method was shown to cover
    ==================================  ======================================================

    All but `ks_statistic` and the calibration error are sums over rows up to terms of higher order.
    With groups, these contributions are summed by group (for AUC as by Obuchowski) and have the
    variance CR2 with the degrees of freedom of Bell and McCaffrey for the t distribution.

    Nominal 95 % intervals of AUC covered .92 to .97 in simulations, and .90 with 12 events; those
    of `ks_statistic` .87 to .95 with at least 40 events, but .81 in five folds of 200 rows; those
    of the debiased calibration error .97 to 1.00, also for calibrated predictions. Without groups
    (logistic data, 400 draws, Monte Carlo error .011), 300 and 1,000 rows:

    =================================  ===  =====
    metric                             300  1,000
    =================================  ===  =====
    d2_brier_loss                      .93  .96
    balanced_categorical_crossentropy  .93  .96
    perplexity                         .95  .95
    calibration_slope                  .96  .96
    calibration_intercept              .95  .94
    =================================  ===  =====

    In five folds of 200 rows, AUC covered .97. With groups (logistic data with a feature and an
    error by group, 200 draws, Monte Carlo error .015), 20 groups of 30 rows and 50 groups of 20
    rows:

    =================================  ===  ===
    metric                             20   50
    =================================  ===  ===
    roc_auc                            .94  .96
    d2_brier_loss                      .92  .94
    balanced_categorical_crossentropy  .93  .95
    perplexity                         .96  .96
    calibration_slope                  .93  .92
    calibration_intercept              .95  .94
    =================================  ===  ===

    Without groups, 300 rows: AUC of three classes .96, paired difference of two AUC .92.

    References
    ----------
    DeLong, E. R., DeLong, D. M. & Clarke-Pearson, D. L. (1988). Comparing the areas under two or
    more correlated receiver operating characteristic curves. Biometrics 44.
    Sun, X. & Xu, W. (2014). Fast implementation of DeLong's algorithm. IEEE Signal Processing
    Letters 21.
    Obuchowski, N. A. (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53.
    Kumar, A., Liang, P. & Ma, T. (2019). Verified uncertainty calibration. NeurIPS.

    Examples
    --------
    >>> from xentexp.inference import metric_interval
    >>> y_true = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> y_pred = [0.1, 0.4, 0.35, 0.2, 0.8, 0.7, 0.6, 0.9]
    >>> result = metric_interval(y_true, y_pred, "roc_auc")
    >>> round(result.mean, 3), round(result.low, 3), round(result.high, 3)
    (0.875, 0.345, 0.989)
    >>> metric_interval(y_true, y_pred, "ece").reason
    "no interval: an interval of this calibration error does not cover; use \
expected_calibration_error with norm='l2' and debiased=True"
    """
    check_confidence(confidence)
    check_integer("n_resamples", n_resamples, 100)
    rng = random_generator(random_state)
    sample = _read(y_true, [y_pred], metric, folds, repeats, groups, sample_weight, labels, prior)
    try:
        value = sample.value(0)
    except UndefinedError as undefined:
        return sample.interval(math.nan, confidence, reason=str(undefined))
    try:
        if isinstance(sample.metric, KsStatistic):
            return _ks_interval(sample, value, confidence, n_resamples, rng)
        if isinstance(sample.metric, ExpectedCalibrationError):
            return _calibration_interval(sample, value, confidence)
        error, df = sample.standard_error(sample.contributions(0))
        low, high = _limits(sample.metric, value, error, critical_value(df, confidence))
    except _NoIntervalError as why:
        return sample.interval(value, confidence, reason=str(why))
    return sample.interval(value, confidence, error, low, high, df, sample.method())


def metric_difference(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    metric: str | Metric,
    *,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Difference of a metric of the whole data set between two models on the same rows.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        True classes: labels or one-hot rows.
    first, second : array-like of shape (n,) or (n, k)
        Predicted probabilities of each model.
    metric : str, Loss or DatasetMetric
        Metric by name or as an object.
    folds, repeats, groups, sample_weight, labels, prior, confidence
        As in `metric_interval`.

    Returns
    -------
    Difference
        Value of the first model minus value of the second, with a normal interval (t with
        groups) for the target "models". If there is none, ``reason`` says why and the limits are
        NaN.

    Raises
    ------
    InputError
        If the input or an option is invalid, or the metric is not defined for such input.

    Notes
    -----
    The contributions of the rows, see `metric_interval`, are subtracted. For AUC this is the
    paired test of DeLong et al. There is no interval for `ks_statistic` and calibration errors.
    The interval of the rows is too narrow for models that are nested or nearly equal.

    Examples
    --------
    >>> from xentexp.inference import metric_difference
    >>> y_true = [0, 0, 1, 0, 1, 1, 0, 1]
    >>> first = [0.1, 0.4, 0.35, 0.2, 0.8, 0.7, 0.6, 0.9]
    >>> second = [0.3, 0.6, 0.4, 0.5, 0.45, 0.9, 0.1, 0.7]
    >>> result = metric_difference(y_true, first, second, "roc_auc")
    >>> round(result.difference, 4), round(result.standard_error, 4)
    (0.125, 0.2041)
    """
    check_confidence(confidence)
    sample = _read(
        y_true, [first, second], metric, folds, repeats, groups, sample_weight, labels, prior
    )
    value = error = df = low = high = p = statistic = math.nan
    reason, method = None, "none"
    try:
        both = sample.value(0), sample.value(1)
        value = float(difference_of(*map(np.atleast_1d, both))[0])
        error, df = sample.standard_error(
            [a - b for a, b in zip(sample.contributions(0), sample.contributions(1), strict=True)]
        )
        if error * math.sqrt(len(sample.index)) <= _ROUNDING * max(map(abs, both)):
            error = 0.0
        half = critical_value(df, confidence) * error
        low, high, statistic = value - half, value + half, statistic_of(value, error)
        p, method = two_sided_p(statistic, df), f"paired, {sample.method(difference=True)}"
    except (UndefinedError, _NoIntervalError) as why:
        reason = str(why)
        error = df = math.nan
    by_rows = sample.interval(value, confidence, error, low, high, df, method, reason)
    return Difference(
        value,
        error,
        low,
        high,
        statistic,
        df,
        p,
        "models",
        method,
        confidence,
        by_rows=by_rows,
        notes=by_rows.notes,
        reason=reason,
    )


@dataclass(frozen=True)
class _Sample:
    """Checked rows of positive weight, and the metric."""

    metric: Metric
    index: IntArray
    probabilities: tuple[FloatArray, ...]  # (n, k), for each model
    clips: tuple[float, ...]
    weight: FloatArray | None
    groups: IntArray | None
    prior: FloatArray | None
    repeats: tuple[tuple[Rows, ...], ...]  # rows of each fold of each repeat

    def fold(self, model: int, rows: Rows) -> MetricInput:
        checked = read(
            self.index[rows],
            self.probabilities[model][rows],
            labels=range(self.probabilities[model].shape[1]),
            sample_weight=None if self.weight is None else self.weight[rows],
            normalize=None,
            clip=self.clips[model],
        )
        prior = self.prior
        if prior is not None and prior.ndim == 2:
            prior = prior[rows[0]]
        return MetricInput(checked, prior=prior)

    def value(self, model: int) -> float:
        """Mean over the folds of a repeat, then over the repeats."""
        return float(
            np.mean(
                [
                    np.mean([_value(self.metric, self.fold(model, rows)) for rows in folds])
                    for folds in self.repeats
                ]
            )
        )

    def contributions(self, model: int) -> list[FloatArray]:
        """How much each row moves the value, for the folds of all repeats in turn."""
        return [
            _contributions(self.metric, self.fold(model, rows), self.groups is not None)
            for folds in self.repeats
            for rows in folds
        ]

    def standard_error(self, contributions: Sequence[FloatArray]) -> tuple[float, float]:
        """Root mean square over the repeats, and the degrees of freedom."""
        parts: Iterator[FloatArray] = iter(contributions)
        squares, dfs = [], []
        for folds in self.repeats:
            if min(map(len, folds)) == 1:
                where = "each fold" if len(folds) > 1 else "each repeat"
                raise _NoIntervalError(f"an interval needs at least two rows in {where}")
            if self.weight is not None:
                weights = self.weight[np.concatenate(folds)]
                if weights.max() > ALMOST_ALL * weights.sum():
                    raise _NoIntervalError("one row has all of the weight, up to rounding")
            moved = np.concatenate([next(parts) for _ in folds]) / len(folds)
            if self.groups is None:
                square, df = float(moved @ moved), math.inf
            else:
                square, df = self._clustered(moved, folds)
            squares.append(square)
            dfs.append(df)
        return math.sqrt(float(np.mean(squares))), min(dfs)

    def _clustered(self, moved: FloatArray, folds: tuple[Rows, ...]) -> tuple[float, float]:
        assert self.groups is not None
        codes = np.unique(self.groups[np.concatenate(folds)], return_inverse=True)[1]
        weights = [np.ones(len(r)) if self.weight is None else self.weight[r] for r in folds]
        share = np.concatenate([w / w.sum() / len(folds) for w in weights])
        totals = np.bincount(codes, share).astype(np.float64)
        if len(totals) < 2:
            raise _NoIntervalError("an interval needs at least two groups")
        if totals.max() > ALMOST_ALL:
            raise _NoIntervalError("one group has all of the weight, up to rounding")
        sums = np.bincount(codes, moved).astype(np.float64)[:, np.newaxis]
        square, df = cr2(sums, totals, np.bincount(codes, share**2).astype(np.float64))
        return float(square[0]), df

    def method(self, *, difference: bool = False) -> str:
        scale = ""
        if isinstance(self.metric, RocAuc):
            name, scale = "DeLong", "" if difference else ", logit scale"
        elif isinstance(self.metric, (CalibrationSlope, CalibrationIntercept)):
            name = "sandwich variance"
        else:
            name = "linearized"
            if isinstance(self.metric, Perplexity) and not difference:
                scale = ", log scale"
        if self.groups is not None:
            return f"t, {name} with sums by group (CR2){scale}"
        return f"normal, {name}{scale}"

    def interval(
        self,
        value: float,
        confidence: float,
        error: float = math.nan,
        low: float = math.nan,
        high: float = math.nan,
        df: float = math.nan,
        method: str = "none",
        reason: str | None = None,
    ) -> Interval:
        rows = [np.concatenate(folds) for folds in self.repeats]
        n_groups = effective = None
        if self.groups is not None:
            n_groups = len(np.unique(self.groups[np.concatenate(rows)]))
        if self.weight is not None:
            effective = min(kish(self.weight[repeat]) for repeat in rows)
        return Interval(
            value,
            error,
            low,
            high,
            df,
            "models",
            method,
            confidence,
            max(map(len, rows)),
            n_groups,
            effective,
            notes=() if reason else self._notes(n_groups),
            reason=reason,
        )

    def _notes(self, n_groups: int | None) -> tuple[str, ...]:
        notes = []
        fewest = int(np.bincount(self.index[np.concatenate(self.repeats[0])]).min())
        if isinstance(self.metric, RocAuc) and fewest < _FEW_EVENTS:
            notes.append(
                f"A class has only {fewest} rows; with 12, a nominal 95 % interval covered 90 %."
            )
        if n_groups is not None and n_groups < _FEW_GROUPS:
            notes.append(f"There are only {n_groups} groups, so the interval may be too narrow.")
        return tuple(notes)


def _read(
    y_true: object,
    predictions: list[ArrayLike],
    metric: str | Metric,
    folds: object,
    repeats: object,
    groups: object,
    sample_weight: object,
    labels: object,
    prior: object,
) -> _Sample:
    found = get_metric(metric)
    inputs = []
    for y_pred in predictions:
        checked = read(y_true, y_pred, labels=labels, ordered=True if labels is not None else None)
        check_applies(checked, [found])
        if not checked.one_hot:
            raise InputError(
                "y_true must have one true class in each row; got rows of target probabilities; "
                "pass labels"
            )
        inputs.append(MetricInput(checked))
    if inputs[0].classes != inputs[-1].classes:
        raise InputError(
            f"first and second must have the same classes; got {list(inputs[0].classes)} and "
            f"{list(inputs[-1].classes)}; pass labels"
        )
    index = inputs[0].index
    n = len(index)
    weight = None
    if sample_weight is not None:
        weight = to_weight(sample_weight, n).astype(np.float64)
    kept = np.arange(n) if weight is None else np.flatnonzero(weight)
    fold_codes = np.zeros(n, np.intp) if folds is None else codes_of("folds", folds, n)
    by_repeat = [kept] if repeats is None else rows_by_code(codes_of("repeats", repeats, n), kept)
    parts = tuple(tuple(rows_by_code(fold_codes, rows)) for rows in by_repeat)
    return _Sample(
        found,
        index,
        tuple(np.ascontiguousarray(data.proba_by_class.T) for data in inputs),
        tuple(data.checked.clip for data in inputs),
        weight,
        None if groups is None else codes_of("groups", groups, n),
        None if prior is None else _to_prior(prior, n, parts),
        parts,
    )


def _to_prior(prior: object, n: int, parts: tuple[tuple[Rows, ...], ...]) -> FloatArray:
    array = to_numeric(prior, "prior").astype(np.float64)
    if array.ndim == 2:
        if len(array) != n:
            raise InputError(f"prior must have one row for each of the {n} rows; got {len(array)}")
        for rows in (rows for folds in parts for rows in folds):
            if not (array[rows] == array[rows[0]]).all():
                raise InputError(
                    "prior must be the same for all rows of a fold; got different rows; pass folds"
                )
    return array


def _value(metric: Metric, data: MetricInput) -> float:
    if isinstance(metric, Loss):
        return data.loss(metric)[0]
    assert isinstance(metric, DatasetMetric)
    return metric.value(data)


def _limits(metric: Metric, value: float, error: float, critical: float) -> tuple[float, float]:
    if isinstance(metric, RocAuc):
        lowest, width = (-1.0, 2.0) if isinstance(metric, Gini) else (0.0, 1.0)
        area = (value - lowest) / width
        if not 0.0 < area < 1.0 or error == 0.0:
            raise _NoIntervalError(
                "no interval: the estimated standard error is 0, as if the predictions separate "
                "the classes"
            )
        half = critical * error / width / (area * (1.0 - area))
        low, high = expit(logit(area) - half), expit(logit(area) + half)
        return lowest + width * float(low), lowest + width * float(high)
    if isinstance(metric, Perplexity):
        factor = math.exp(critical * error / value)
        return value / factor, value * factor
    return value - critical * error, value + critical * error


def _contributions(metric: Metric, data: MetricInput, grouped: bool) -> FloatArray:
    """Influence of each row on the value: with mean 0, and the sum of squares is the variance."""
    if isinstance(metric, RocAuc):
        return _of_area(metric, data, grouped)
    for kind, function in _LINEAR.items():
        if isinstance(metric, kind):
            return function(metric, data)
    if isinstance(metric, (ExpectedCalibrationError, MaximumCalibrationError, KsStatistic)):
        raise _NoIntervalError("no interval of this difference: no method was shown to cover")
    raise _NoIntervalError(_NOT_SHOWN)


def _of_area(metric: RocAuc, data: MetricInput, grouped: bool) -> FloatArray:
    factor = 2.0 if isinstance(metric, Gini) else 1.0
    if data.n_classes == 2:
        return factor * delong(data.index == 1, data.ranking(1), data.weight, grouped=grouped)
    if metric.multiclass != "ovr" or metric.average != "macro":
        raise _NoIntervalError(_NOT_SHOWN)
    columns = [
        delong(data.index == column, data.ranking(column), data.weight, grouped=grouped)
        for column in range(data.n_classes)
    ]
    return np.asarray(factor * np.mean(columns, axis=0))


def delong(
    positive: NDArray[np.bool_], scores: FloatArray, weight: FloatArray | None, *, grouped: bool
) -> FloatArray:
    """Contribution of each row to the AUC; its square sum is the variance of DeLong et al."""
    weights = np.ones(len(scores)) if weight is None else weight
    values, position = np.unique(scores, return_inverse=True)
    out = np.empty(len(scores))
    for rows, sign in ((positive, 1.0), (~positive, -1.0)):
        mass = np.bincount(position, np.where(rows, 0.0, weights), minlength=len(values))
        # Proportion of the other class below, ties half
        below = ((np.cumsum(mass) - mass / 2.0) / mass.sum())[position[rows]]
        out[rows] = sign * _centred(below, weights[rows], unbiased=not grouped)
    return out


def _centred(values: FloatArray, weight: FloatArray, *, unbiased: bool) -> FloatArray:
    """``w (v - mean) / W``; with the divisor n - 1 in the variance if `unbiased`."""
    share = weight / weight.sum()
    moved = share * (values - share @ values)
    if not unbiased:
        return np.asarray(moved)
    rest = 1.0 - float(share @ share)
    if rest <= 0.0:
        raise _NoIntervalError("an interval needs at least two rows of each class")
    return np.asarray(moved / math.sqrt(rest))


def _weights(data: MetricInput) -> FloatArray:
    return np.ones(len(data.index)) if data.weight is None else data.weight


def _row_losses(loss: Loss, data: MetricInput) -> FloatArray:
    _, values = sum_losses(data.checked, [loss], per_sample=True)
    assert values is not None
    return _finite(np.asarray(values[loss.name], dtype=np.float64))


def _finite(values: FloatArray) -> FloatArray:
    if not np.isfinite(values).all():
        raise _NoIntervalError("an interval needs finite losses; at least one is infinite")
    return values


def _of_loss(metric: Loss, data: MetricInput) -> FloatArray:
    return _centred(_row_losses(metric, data), _weights(data), unbiased=False)


def _of_perplexity(metric: Perplexity, data: MetricInput) -> FloatArray:
    return np.asarray(metric.value(data) * _of_loss(get_loss("categorical_crossentropy"), data))


def _of_balanced(metric: BalancedLoss, data: MetricInput) -> FloatArray:
    losses, weights = _row_losses(get_loss(metric.loss), data), _weights(data)
    present = np.unique(data.index)
    out = np.empty(len(losses))
    for column in present:
        rows = data.index == column
        out[rows] = _centred(losses[rows], weights[rows], unbiased=False) / len(present)
    return out


def _of_d2(metric: D2Score, data: MetricInput) -> FloatArray:
    loss, weights = get_loss(metric.loss), _weights(data)
    # A null model that is estimated from these rows minimizes their loss, so that the error of
    # its proportions has no effect of first order.
    prior = metric._prior(data, data.class_weight_sum)
    k = data.n_classes
    constant = read(
        np.arange(k),
        np.tile(prior, (k, 1)),
        labels=range(k),
        normalize=None,
        clip=data.checked.clip,
    )
    null = _row_losses(loss, MetricInput(constant))[data.index]
    losses = _row_losses(loss, data)
    mean, mean_null = np.average(losses, weights=weights), np.average(null, weights=weights)
    return -_centred(losses - mean / mean_null * null, weights, unbiased=False) / mean_null


def _of_slope(metric: CalibrationSlope, data: MetricInput) -> FloatArray:
    named = metric.column(data)
    columns = range(data.n_classes) if named is None else [named]
    slopes = [_one_slope(metric, data, column) for column in columns]
    return np.asarray(np.mean(slopes, axis=0))


def _one_slope(metric: CalibrationSlope, data: MetricInput, column: int) -> FloatArray:
    odds, labels, weights = metric.class_odds(data, column)
    slope = metric._slope(data, column)
    intercept = _intercept(slope * odds, labels, weights)
    fitted = expit(intercept + slope * odds)
    curvature = weights * fitted * (1.0 - fitted)
    centred = odds - np.average(odds, weights=curvature)
    return np.asarray(weights * centred * (labels - fitted) / (curvature @ centred**2))


def _of_intercept(metric: CalibrationIntercept, data: MetricInput) -> FloatArray:
    column = metric.column(data)
    assert column is not None
    odds, labels, weights = metric.class_odds(data, column)
    fitted = expit(metric.value(data) + odds)
    return np.asarray(weights * (labels - fitted) / (weights @ (fitted * (1.0 - fitted))))


def _intercept(offset: FloatArray, labels: NDArray[np.bool_], weights: FloatArray) -> float:
    from scipy.optimize import brentq

    share = weights / weights.sum()
    frequency = float(share @ labels)
    low = float(logit(frequency) - offset.max() - 1e-9)
    high = float(logit(frequency) - offset.min() + 1e-9)
    return float(
        brentq(lambda a: frequency - float(share @ expit(a + offset)), low, high, xtol=1e-14)
    )


_LINEAR: dict[type, Callable[..., FloatArray]] = {
    Loss: _of_loss,
    Perplexity: _of_perplexity,
    BalancedLoss: _of_balanced,
    D2Score: _of_d2,
    CalibrationSlope: _of_slope,
    CalibrationIntercept: _of_intercept,
}


def _calibration_interval(sample: _Sample, value: float, confidence: float) -> Interval:
    metric = sample.metric
    assert isinstance(metric, ExpectedCalibrationError)
    if not metric.debiased:
        raise _NoIntervalError(
            "no interval: an interval of this calibration error does not cover; use "
            "expected_calibration_error with norm='l2' and debiased=True"
        )
    if len(sample.repeats) > 1 or len(sample.repeats[0]) > 1 or sample.groups is not None:
        raise _NoIntervalError(
            "no interval: the debiased calibration error has one only without folds and groups"
        )
    tables = list(metric.tables(sample.fold(0, sample.repeats[0][0])))
    if len(tables) > 1:
        raise _NoIntervalError("no interval with of='classes': no method was shown to cover")
    table = tables[0]
    share = table.weight / table.weight.sum()
    noise = np.nan_to_num(table.variance, nan=0.0)
    distance = (table.observed - table.predicted) ** 2
    known = ~np.isnan(table.variance)
    square = float(share[known] @ (distance - noise)[known])
    # Variance of the square of a normal variable: 4 mean^2 variance + 2 variance^2.
    error = math.sqrt(float(share**2 @ (4.0 * distance * noise + 2.0 * noise**2)))
    if error == 0.0:
        raise _NoIntervalError("no interval: the estimated standard error is 0")
    half = critical_value(math.inf, confidence) * error
    low, high = (math.sqrt(max(0.0, limit)) for limit in (square - half, square + half))
    root_error = error / (2.0 * value) if value > 0.0 else math.inf
    method = "root of the normal interval of the debiased squared error, cut at 0"
    return sample.interval(value, confidence, root_error, low, high, math.inf, method)


def _ks_interval(
    sample: _Sample, value: float, confidence: float, n_resamples: int, rng: np.random.Generator
) -> Interval:
    if sample.groups is not None:
        raise _NoIntervalError("no interval with groups: no method was shown to cover")
    squares, shifts = [], []
    for folds in sample.repeats:
        if len(folds) > 1:  # the bias is as large in the mean, whose standard error is smaller
            raise _NoIntervalError("no interval with folds: it covers too seldom")
        fewest = int(np.bincount(sample.index[folds[0]], minlength=2).min())
        if fewest < _KS_EVENTS:
            raise _NoIntervalError(
                f"no interval: it covers with at least {_KS_EVENTS} rows of each class; there are "
                f"{fewest}"
            )
        data = sample.fold(0, folds[0])
        draws = _ks_resamples(data, n_resamples, rng)
        shifts.append(float(draws.mean()) - _value(sample.metric, data))
        squares.append(float(draws.var(ddof=1)))
    error, bias = math.sqrt(float(np.mean(squares))), float(np.mean(shifts))
    half = critical_value(math.inf, confidence) * error
    low, high = max(0.0, value - bias - half), min(1.0, value - bias + half)
    method = f"normal, standard error of {n_resamples:,} resamples, their bias subtracted"
    return sample.interval(value, confidence, error, low, high, math.inf, method)


def _ks_resamples(data: MetricInput, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """KS statistic in resamples of the rows."""
    scores, weights = data.ranking(1), _weights(data)
    order = np.argsort(scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) > 0.0, True))
    of_second = np.where(data.index == 1, weights, 0.0)[order]
    of_first = np.where(data.index == 1, 0.0, weights)[order]
    n, out = len(order), np.empty(n_resamples)
    for resample in range(n_resamples):
        counts = np.bincount(rng.integers(0, n, n), minlength=n)
        second, first = np.cumsum(counts * of_second), np.cumsum(counts * of_first)
        out[resample] = np.abs(second[ends] / second[-1] - first[ends] / first[-1]).max()
    return out


__all__ = ["metric_difference", "metric_interval"]
