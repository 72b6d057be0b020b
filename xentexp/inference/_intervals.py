"""Confidence intervals of a mean over rows and of the difference of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from xentexp._inputs.asarray import to_numbers
from xentexp._inputs.options import check_choice, refuse_unordered
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.inference._comparison import (
    Comparison,
    check_confidence,
    compare_paired,
    difference_of,
)
from xentexp.inference._variance import (
    Design,
    automatic_lag,
    fold_means,
    make_design,
    row_moments,
)

TARGETS = {
    "models": "these fitted models on new rows",
    "algorithm": "the algorithm at this training size, on new rows",
}


@dataclass(frozen=True)
class Interval:
    """Confidence interval of a mean or of a metric.

    Parameters
    ----------
    mean : float
        Estimate: the (weighted) mean of the values, or the metric.
    standard_error : float
        Standard error of the estimate.
    low, high : float
        Limits of the confidence interval.
    df : float
        Degrees of freedom of the t distribution, infinite for the normal distribution.
    target : {"models", "algorithm"}
        What is estimated: "models" is the expected value for these fitted models on new rows,
        "algorithm" the expected value for models that the algorithm fits to new training data of
        this size.
    method : str
        How the interval was computed, in words.
    confidence : float
        Confidence level.
    n_rows : int
        Number of rows with positive weight, of one repeat.
    n_groups : int or None
        Number of groups, if groups were passed.
    n_effective : float or None
        Effective number of rows, ``sum(w)^2 / sum(w^2)`` (Kish), if weights were passed.
    notes : tuple of str
        Warnings in sentences, e.g. that there are few groups.
    reason : str or None
        Why there is no interval; None if there is one. Without an interval, `low`, `high` and
        `standard_error` are NaN.

    Examples
    --------
    >>> from xentexp.inference import mean_interval
    >>> print(mean_interval([0.2, 0.5, 0.1, 0.9, 0.4, 0.7, 0.3, 0.6, 0.8, 0.15]))
    0.465 [0.264, 0.666] (95 %): these fitted models on new rows; t, 10 independent rows
    """

    mean: float
    standard_error: float
    low: float
    high: float
    df: float
    target: str
    method: str
    confidence: float
    n_rows: int
    n_groups: int | None = None
    n_effective: float | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None

    def __str__(self) -> str:
        shown = _limits(self.mean, self.low, self.high, self.standard_error, self.confidence)
        return f"{shown}: {TARGETS[self.target]}; {self.reason or self.method}"


@dataclass(frozen=True)
class Difference:
    """Difference of two models on the same rows, with interval and test.

    Parameters
    ----------
    difference : float
        Mean of the first model minus the mean of the second.
    standard_error, low, high : float
        Standard error of the difference and limits of the confidence interval.
    statistic : float
        The difference divided by its standard error.
    df : float
        Degrees of freedom of the t distribution, infinite for the normal distribution.
    p : float
        Two-sided p-value of the null hypothesis that the difference is 0.
    target : {"models", "algorithm"}
        What is estimated; see `Interval`. If both intervals were computed, the target of the wider.
    method : str
        How the interval was computed, in words.
    confidence : float
        Confidence level.
    by_rows : Interval or None
        Interval of the differences of the rows, for the target "models".
    by_folds : Comparison or None
        Corrected t-test over the folds, for the target "algorithm".
    notes : tuple of str
        Warnings in sentences, e.g. that there are few groups.
    reason : str or None
        Why there is no interval; None if there is one. Without an interval, `low`, `high`,
        `standard_error`, `statistic` and `p` are NaN.

    Examples
    --------
    >>> from xentexp.inference import paired_difference
    >>> print(paired_difference([0.2, 0.5, 0.1, 0.9], [0.1, 0.3, 0.1, 0.6]))
    0.150 [-0.055, 0.355] (95 %), p = 0.103: first minus second, these fitted models on new rows; \
t, 4 independent rows
    """

    difference: float
    standard_error: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    target: str
    method: str
    confidence: float
    by_rows: Interval | None = None
    by_folds: Comparison | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None

    def __str__(self) -> str:
        shown = _limits(self.difference, self.low, self.high, self.standard_error, self.confidence)
        p = "" if math.isnan(self.p) else ", p < 0.001" if self.p < 0.001 else f", p = {self.p:.3f}"
        what = f"first minus second, {TARGETS[self.target]}"
        return f"{shown}{p}: {what}; {self.reason or self.method}"


def _limits(mean: float, low: float, high: float, error: float, confidence: float) -> str:
    """Estimate and limits, with two digits of the standard error."""
    decimals = 4
    if error > 0.0 and math.isfinite(error):
        decimals = max(0, 1 - math.floor(math.log10(error)))
    if math.isnan(low):
        return f"{mean:.{decimals}f} (no interval)"
    limits = f"[{low:.{decimals}f}, {high:.{decimals}f}]"
    return f"{mean:.{decimals}f} {limits} ({100 * confidence:g} %)"


def critical_value(df: float, confidence: float) -> float:
    """Quantile of t, or of the normal distribution if df is infinite."""
    level = 0.5 + confidence / 2.0
    return float(ndtri(level) if math.isinf(df) else stdtrit(df, level))


def two_sided_p(statistic: float, df: float) -> float:
    """P-value of a t or normal statistic."""
    tail = ndtr(-abs(statistic)) if math.isinf(df) else stdtr(df, -abs(statistic))
    return 2.0 * float(tail)


def statistic_of(difference: float, error: float) -> float:
    """Difference divided by its standard error; 0 for 0/0."""
    if error == 0.0:
        return 0.0 if difference == 0.0 else math.copysign(math.inf, difference)
    return difference / error


def mean_interval(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    time: ArrayLike | None = None,
    target: str = "models",
    variance: str = "auto",
    test_train_ratio: float | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Confidence interval of the mean of values of rows, e.g. of losses.

    Parameters
    ----------
    values : array-like of shape (n,)
        Value of each row, e.g. its out-of-fold loss.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person, as numbers or text. Rows of a group may depend on each
        other, rows of different groups may not. Groups may span folds.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row, at least 0. Rows of weight 0 are ignored.
    folds : array-like of shape (n,), default=None
        Fold in which the row was a test row. The numbers may be the same in each repeat.
    repeats : array-like of shape (n,), default=None
        Repeat of cross-validation of each value. A row then has a value in each repeat: all
        arrays are the concatenation over the repeats.
    time : array-like of shape (n,), default=None
        Time of each row, of any type that can be sorted. Rows of the same time are one period;
        periods are taken as equally spaced. Not accepted together with `groups`.
    target : {"models", "algorithm"}, default="models"
        "models": the expected value for these fitted models on new rows. "algorithm": the expected
        value for models that the algorithm fits to new training data of this size; needs `folds`.
    variance : {"auto", "all_pairs", "within_folds", "CR0", "CR1", "CR2", "HAC"}, default="auto"
        Variance over the rows, see Notes. "auto" is "CR2" with groups, "HAC" with time,
        "all_pairs" with folds, and otherwise the usual variance of a mean.
    test_train_ratio : float, default=None
        Test rows divided by training rows, for the interval over folds; see `split_ratio`. By
        default the rows of a fold divided by those of the other folds of its repeat.
    confidence : float, default=0.95
        Confidence level, between 0 and 1, both excluded.

    Returns
    -------
    Interval
        The estimate is the (weighted) mean over the rows for the target "models", and the mean
        over the folds for "algorithm". If a value is not finite or there are too few rows, groups,
        times or folds, ``reason`` says so and the limits are NaN.

    Raises
    ------
    InputError
        If the arrays do not have one entry per row, an option is invalid, `variance` needs an
        argument that is missing or does not use one that was passed, or the target "algorithm" is
        asked for without folds.

    Notes
    -----
    For the target "models", with weights w, their sum W, values l and their weighted mean m:

    - no folds, no groups: ``s / sqrt(n)`` and t with n - 1 degrees of freedom. With weights, each
      row is a group, see below;
    - "all_pairs": the variance over all rows (Bayle et al.), ``sqrt(sum(w^2 (l - m)^2)) / W``, and
      the normal distribution; no small-sample factor;
    - "within_folds": the mean of the variances within the folds, divided by n; normal;
    - "CR2": ``sqrt(sum_g S_g^2 / (1 - h_g)) / W``, where S_g is the sum of ``w (l - m)`` over group
      g and h_g its share of W. The degrees of freedom of t are those of Bell and McCaffrey: they
      match the variance of the estimate for independent rows of equal variance. Without weights,
      the squared standard error is unbiased for such rows; with weights, if the variance of a row
      is inversely proportional to its weight;
    - "CR0" leaves out ``1 - h_g``; "CR1" multiplies CR0 by ``G / (G - 1)``; both use t with G - 1;
    - "HAC": Newey and West with Bartlett weights over the T periods and the lag
      ``4 (T / 100)^(2/9)``, rounded down and at most (T - 1) / 2; multiplied by the factor of
      Harvey, Leybourne and Newbold for a horizon of lag + 1; t with T - 1. For a difference it is
      the test of Diebold and Mariano.

    With repeats, the estimate is the mean of the repeats, its standard error the root mean square
    of those of the repeats, with the degrees of freedom of one repeat.

    For the target "algorithm", the interval is the corrected t over the means of the folds, as in
    `compare_paired`.

    In simulations (ridge logistic models, log loss and Brier loss, nominal 95 %) "all_pairs"
    covered .925 to .97 from 300 rows with 50 rows per feature and from 1,000 rows otherwise, and
    .89 to .91 for 300 rows of 20 features; weighted .925 to .945 from about 370 effective rows;
    "CR2" .91 to .96 with 20 groups and .92 to .97 from 50; the corrected t .97 to .99 for 5 folds.
    Less stable models need more rows: "all_pairs" covered .88 to .90 for trees and boosters at 500
    rows of 10 features, and .935 to .94 for trees at 2,000. "HAC" covered .945 to .98 for 300 and
    1,200 rows with features and shocks of autocorrelation .5, and .84 to .945 with .9, where the
    automatic lag is too short. ``docs/coverage.md`` has the designs.

    References
    ----------
    Bayle, P., Bayle, A., Janson, L. & Mackey, L. (2020). Cross-validation confidence intervals for
    test error. NeurIPS.
    Bell, R. M. & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression
    with multi-stage samples. Survey Methodology 28.
    Newey, W. K. & West, K. D. (1994). Automatic lag selection in covariance matrix estimation.
    Review of Economic Studies 61.
    Harvey, D., Leybourne, S. & Newbold, P. (1997). Testing the equality of prediction mean squared
    errors. International Journal of Forecasting 13.
    Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52.

    Examples
    --------
    >>> from xentexp.inference import mean_interval
    >>> losses = [0.2, 0.5, 0.1, 0.9, 0.4, 0.7, 0.3, 0.6, 0.8, 0.15]
    >>> people = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]
    >>> result = mean_interval(losses, groups=people)
    >>> print(result)
    0.465 [0.358, 0.572] (95 %): these fitted models on new rows; t, cluster-robust variance \
(CR2) over 4 groups of 10 rows
    >>> round(result.df, 2)
    2.86
    """
    checked = _values("values", values)
    design = _design(len(checked), groups, sample_weight, folds, repeats, time, variance)
    check_confidence(confidence)
    check_choice("target", target, tuple(TARGETS))
    if target == "models":
        return _by_rows(checked, design, confidence)
    ratio = _ratio(design, test_train_ratio)
    means = fold_means(checked, design)
    result = compare_paired(
        means, np.zeros(len(means)), test_train_ratio=ratio, confidence=confidence
    )
    return Interval(
        float(means.mean()),
        result.standard_error,
        result.low,
        result.high,
        result.df,
        target,
        _fold_method(design, ratio),
        confidence,
        design.n_rows,
        design.n_groups,
        design.n_effective,
        reason=result.reason,
    )


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    time: ArrayLike | None = None,
    target: str | None = None,
    variance: str = "auto",
    test_train_ratio: float | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Interval and test of the difference of two models on the same rows.

    With folds there are two intervals: the one of `mean_interval` for the differences of the rows,
    and the corrected t-test over the folds, `compare_paired`. The first is too narrow for nested or
    nearly equal models (it covered .83 to .89 in simulations), and one does not know beforehand
    whether two models are nearly equal. By default the wider of the two is shown: in simulations
    it covered at least .94 with 5 folds and at least .91 with 10 times 5.

    Parameters
    ----------
    first, second : array-like of shape (n,)
        Value of each row, e.g. its out-of-fold loss, of two models in the same order of rows.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. a person, as numbers or text. Rows of a group may depend on each
        other, rows of different groups may not. Groups may span folds.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row, at least 0. Rows of weight 0 are ignored.
    folds : array-like of shape (n,), default=None
        Fold in which the row was a test row. The numbers may be the same in each repeat.
    repeats : array-like of shape (n,), default=None
        Repeat of cross-validation of each value. A row then has a value in each repeat: all
        arrays are the concatenation over the repeats.
    time : array-like of shape (n,), default=None
        Time of each row, of any type that can be sorted. Rows of the same time are one period;
        periods are taken as equally spaced. Not accepted together with `groups`.
    target : {"models", "algorithm"} or None, default=None
        What is estimated, see `mean_interval`. None: the wider of the two intervals around the
        mean over the rows; without folds, the interval over the rows. With `time`, the interval
        over the folds needs `test_train_ratio`.
    variance : {"auto", "all_pairs", "within_folds", "CR0", "CR1", "CR2", "HAC"}, default="auto"
        Variance over the rows, see Notes. "auto" is "CR2" with groups, "HAC" with time,
        "all_pairs" with folds, and otherwise the usual variance of a mean.
    test_train_ratio : float, default=None
        Test rows divided by training rows, for the interval over folds; see `split_ratio`. By
        default the rows of a fold divided by those of the other folds of its repeat.
    confidence : float, default=0.95
        Confidence level, between 0 and 1, both excluded.

    Returns
    -------
    Difference
        ``first - second`` with interval and two-sided p-value. Differences that are rounding errors
        count as 0; p is 1 if all differences are 0, and 0 if they are equal and not 0. If a value
        is not finite or there are too few rows, groups or times, ``reason`` says so.

    Raises
    ------
    InputError
        If the arrays do not have one entry per row, an option is invalid, `variance` needs an
        argument that is missing or does not use one that was passed, or the target "algorithm" is
        asked for without folds.

    Notes
    -----
    See `mean_interval` for the variances and their coverage. The interval over the rows is also too
    narrow for a logistic model and a tree with 50 groups (.86) or with weights (.88 to .92); the
    wider interval covered at least .975 with 5 folds, also for trees, boosters and groups.

    Examples
    --------
    >>> from xentexp.inference import paired_difference
    >>> first = [0.44, 0.42, 0.47, 0.45, 0.43, 0.40, 0.46, 0.44]
    >>> second = [0.42, 0.41, 0.44, 0.43, 0.42, 0.41, 0.42, 0.42]
    >>> result = paired_difference(first, second, folds=[0, 0, 1, 1, 2, 2, 3, 3])
    >>> print(result.by_rows)
    0.0175 [0.0079, 0.0271] (95 %): these fitted models on new rows; normal, all-pairs variance \
over 8 rows in 4 folds
    >>> round(result.low, 4), round(result.high, 4), result.target
    (-0.0147, 0.0497, 'algorithm')
    """
    a, b = _values("first", first), _values("second", second)
    if len(a) != len(b):
        raise InputError(
            f"first and second must have the same rows; got {len(a)} and {len(b)} values"
        )
    design = _design(len(a), groups, sample_weight, folds, repeats, time, variance)
    check_confidence(confidence)
    if target is not None:
        check_choice("target", target, tuple(TARGETS))
    by_rows = by_folds = None
    notes: tuple[str, ...] = ()
    if target != "algorithm":
        by_rows = _by_rows(difference_of(a, b), design, confidence)
        notes = by_rows.notes
    method = ""
    if target == "algorithm" or (target is None and folds is not None):
        if target is None and time is not None and test_train_ratio is None:
            notes += (
                "Without test_train_ratio there is no interval over time-ordered folds to compare "
                "with.",
            )
        else:
            ratio = _ratio(design, test_train_ratio)
            method = _fold_method(design, ratio)
            by_folds = compare_paired(
                fold_means(a, design),
                fold_means(b, design),
                test_train_ratio=ratio,
                confidence=confidence,
            )
    return _wider(by_rows, by_folds, method, confidence, notes)


def _wider(
    by_rows: Interval | None,
    by_folds: Comparison | None,
    fold_method: str,
    confidence: float,
    notes: tuple[str, ...],
) -> Difference:
    """The wider of two intervals, around the mean over the rows."""
    if by_rows is None:
        assert by_folds is not None
        f = by_folds
        return Difference(
            f.difference, f.standard_error, f.low, f.high, f.statistic, f.df, f.p, "algorithm",
            fold_method, confidence, None, f, notes, f.reason,
        )  # fmt: skip
    center, error, df = by_rows.mean, by_rows.standard_error, by_rows.df
    target, method = "models", by_rows.method
    if by_rows.reason is None and by_folds is not None:
        if by_folds.reason is not None:
            notes += (f"There is no interval over the folds: {by_folds.reason}.",)
        else:
            half = error * critical_value(df, confidence)
            over_folds = by_folds.standard_error * critical_value(by_folds.df, confidence)
            if over_folds > half:
                error, df, target = by_folds.standard_error, by_folds.df, "algorithm"
                method = f"wider of two intervals: {fold_method}, not {by_rows.method}"
            else:
                method = f"wider of two intervals: {by_rows.method}, not {fold_method}"
    half = error * critical_value(df, confidence)
    statistic = math.nan if math.isnan(error) else statistic_of(center, error)
    return Difference(
        center, error, center - half, center + half, statistic, df, two_sided_p(statistic, df),
        target, method, confidence, by_rows, by_folds, notes, by_rows.reason,
    )  # fmt: skip


def _values(name: str, values: object) -> FloatArray:
    refuse_unordered(name, values)
    array = to_numbers(values, name)
    if array.ndim != 1:
        raise InputError(f"{name} must have one value per row; got shape {array.shape}")
    return array.astype(np.float64, copy=False)


def _design(
    n: int,
    groups: object,
    sample_weight: object,
    folds: object,
    repeats: object,
    time: object,
    variance: str,
) -> Design:
    return make_design(
        n,
        groups=groups,
        sample_weight=sample_weight,
        folds=folds,
        repeats=repeats,
        time=time,
        variance=variance,
    )


def _ratio(design: Design, test_train_ratio: float | None) -> float:
    """Ratio of test to training rows, as passed or from the folds."""
    if not design.n_folds:
        raise InputError("target='algorithm' needs folds; got None; pass the fold of each row")
    if test_train_ratio is not None:
        return test_train_ratio
    if design.n_folds == 1:
        return 0.0  # there is no test
    if design.variance == "HAC":
        raise InputError(
            "test_train_ratio must be given with time-ordered folds, whose training rows are not "
            "all other rows; split_ratio computes it from the sizes of the folds"
        )
    if design.n_folds < 2 * len(design.parts):
        raise InputError(
            "test_train_ratio must be given if a repeat has a single fold; split_ratio computes "
            "it from the sizes of the folds"
        )
    return design.ratio()


def _by_rows(values: FloatArray, design: Design, confidence: float) -> Interval:
    moments = row_moments(values, design)
    mean, error = float(moments.mean), float(moments.standard_error)
    reason = design.why_not() or _not_finite(values, design)
    half = math.nan
    if reason is not None:
        error = math.nan
    else:
        half = error * critical_value(moments.df, confidence)
    return Interval(
        mean, error, mean - half, mean + half, moments.df, "models", row_method(design), confidence,
        design.n_rows, design.n_groups, design.n_effective, row_notes(design, moments.df), reason,
    )  # fmt: skip


def _not_finite(values: FloatArray, design: Design) -> str | None:
    for part in design.parts:
        bad = np.flatnonzero(~np.isfinite(part.of(values)))
        if len(bad):
            row = bad[0] if part.rows is None else part.rows[bad[0]]
            return f"row {row} has no finite value"
    return None


def row_method(design: Design) -> str:
    """How the interval over rows is computed, in words."""
    n_repeats = len(design.parts)
    rows, folds = f"{design.n_rows:,} rows", f"{design.n_folds // n_repeats:,} folds"
    if design.variance == "independent":
        text = f"t, {design.n_rows:,} independent rows"
    elif design.variance == "all_pairs":
        text = f"normal, all-pairs variance over {rows} in {folds}"
    elif design.variance == "within_folds":
        text = f"normal, variance within folds over {rows} in {folds}"
    elif design.variance == "HAC":
        n = n_times(design)
        text = f"t, Newey-West variance with lag {automatic_lag(n)} over {n:,} times of {rows}"
    else:
        text = f"t, cluster-robust variance ({design.variance}) over {design.n_groups:,} groups "
        text += f"of {rows}"
    if design.n_effective is not None:
        text += f", weighted ({design.n_effective:,.0f} effective rows)"
    if n_repeats > 1:
        text += f", root mean square of {n_repeats} repeats"
    return text


def n_times(design: Design) -> int:
    """Number of periods of a repeat."""
    return min(int(part.times.max()) + 1 for part in design.parts if part.times is not None)


def _fold_method(design: Design, ratio: float) -> str:
    n_repeats = len(design.parts)
    folds = f"{design.n_folds} folds"
    if n_repeats > 1:
        folds += f" of {n_repeats} repeats"
    return f"corrected t over {folds} (test/train rows {ratio:.3g})"


def row_notes(design: Design, df: float) -> tuple[str, ...]:
    """Warnings where the interval over rows was not shown to cover."""
    notes = []
    if design.variance.startswith("CR"):
        if design.n_groups is not None and design.n_groups < 20:
            notes.append(
                f"There are only {design.n_groups} groups: the coverage of the interval was "
                f"checked from 20 groups."
            )
        if design.largest_share > 0.2:
            what = "rows" if design.n_effective is None else "weight"
            notes.append(
                f"One group has {design.largest_share:.0%} of the {what}: the interval has only "
                f"{df:.1f} degrees of freedom."
            )
    elif design.variance == "HAC":
        if n_times(design) < 50:
            notes.append(
                f"There are only {n_times(design)} times: the Newey-West variance is often too "
                f"small for few times."
            )
    elif design.n_rows < 300:
        notes.append(
            f"There are only {design.n_rows} rows: the coverage of the interval was checked from "
            f"300 rows."
        )
    if design.n_effective is not None and design.n_effective < 370:
        notes.append(
            f"The weights leave only {design.n_effective:.0f} effective rows: the coverage of the "
            f"interval was checked from 370."
        )
    return tuple(notes)
