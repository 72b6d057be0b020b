"""Paired comparison over folds whose training rows overlap, and adjustment of p-values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.asarray import to_numeric
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.inference._checks import check_confidence
from xentexp.inference._distributions import critical_value, statistic_of, two_sided_p

_ROUNDING = 1e-12
"""Differences below this proportion of the values are rounding errors and count as 0."""


@dataclass(frozen=True)
class Comparison:
    """Result of `compare_paired`.

    Parameters
    ----------
    difference : float
        Mean over the folds of the value of the first model minus the value of the second.
    low, high : float
        Limits of the confidence interval of the difference.
    standard_error : float
        Standard error of the difference, corrected for the overlap of the training rows.
    statistic : float
        t statistic: the difference divided by its standard error.
    df : int
        Degrees of freedom of the t distribution: the number of folds minus 1.
    p : float
        Two-sided p-value of the null hypothesis that the difference is 0.
    reason : str or None
        Why there is no test, e.g. a single fold; None if there is a test. Without a test, `low`,
        `high`, `standard_error`, `statistic` and `p` are NaN.

    Examples
    --------
    >>> from xentexp.inference import compare_paired
    >>> result = compare_paired([0.44, 0.42, 0.47], [0.42, 0.41, 0.44], test_train_ratio=0.5)
    >>> round(result.difference, 4), result.df
    (0.02, 2)
    """

    difference: float
    low: float
    high: float
    standard_error: float
    statistic: float
    df: int
    p: float
    reason: str | None = None


def split_ratio(sizes: Iterable[tuple[int, int]]) -> float:
    """Mean over the folds of the number of test rows divided by the number of training rows.

    Parameters
    ----------
    sizes : iterable of (int, int)
        Number of training rows and number of test rows of each fold, each at least 1.

    Returns
    -------
    float
        Ratio for `compare_paired`; ``1 / (k - 1)`` for k folds of equal size.

    Raises
    ------
    InputError
        If there are no folds, if a fold is not a pair of numbers, or if it has no training rows or
        no test rows.

    Examples
    --------
    >>> split_ratio([(80, 20), (80, 20)])
    0.25
    """
    ratios = []
    for fold in sizes:
        if not isinstance(fold, (tuple, list, np.ndarray)) or len(fold) != 2:
            raise InputError(
                f"sizes must have a pair (training rows, test rows) for each fold; got {fold!r}; "
                f"for a single fold pass [(n_train, n_test)]"
            )
        n_train, n_test = fold
        if n_train < 1 or n_test < 1:
            raise InputError(
                f"every fold must have at least one training row and one test row; got {n_train} "
                f"and {n_test}"
            )
        ratios.append(n_test / n_train)
    if not ratios:
        raise InputError("sizes must have at least one fold; got none")
    return float(np.mean(ratios))


def compare_paired(
    first: ArrayLike, second: ArrayLike, *, test_train_ratio: float, confidence: float = 0.95
) -> Comparison:
    """Corrected resampled t-test of the difference of two models on the same folds.

    The folds share training rows, so that their differences are correlated and vary too little: the
    usual paired t-test is significant too often. Nadeau and Bengio estimate the variance of the
    mean difference by ``(1 / J + n_test / n_train) s^2``, where ``s^2`` is the variance over the J
    folds (divisor J - 1), and use the t distribution with J - 1 degrees of freedom. With repeated
    cross-validation, J is the number of folds times the number of repeats (Bouckaert and Frank).
    The test is an approximation, derived for random splits of equal size.

    Parameters
    ----------
    first, second : array-like of shape (J,)
        Value (e.g. the mean loss) of each model in each fold, in the same order of folds.
    test_train_ratio : float
        Number of test rows divided by the number of training rows, at least 0; see `split_ratio`.
        0 gives the usual paired t-test.
    confidence : float, default=0.95
        Confidence level of the interval, between 0 and 1, both excluded.

    Returns
    -------
    Comparison
        Difference ``first - second``, confidence interval and p-value. ``p`` is 1 if all
        differences are 0 (up to rounding) and 0 if they are equal and not 0. For a single fold
        and for values that are not finite, the test is NaN and ``reason`` says why.

    Raises
    ------
    InputError
        If the lengths differ or are 0, `test_train_ratio` is negative, or `confidence` is not
        between 0 and 1.

    References
    ----------
    Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52.
    Bouckaert, R. R. & Frank, E. (2004). Evaluating the replicability of significance tests for
    comparing learning algorithms. PAKDD.

    Examples
    --------
    >>> a, b = [0.44, 0.42, 0.47, 0.45, 0.43], [0.42, 0.41, 0.44, 0.43, 0.42]
    >>> result = compare_paired(a, b, test_train_ratio=0.25)
    >>> round(result.difference, 4), round(result.p, 4)
    (0.018, 0.0327)
    >>> round(compare_paired(a, b, test_train_ratio=0.0).p, 4)
    0.0086
    """
    a = to_numeric(first, "first").astype(np.float64, copy=False)
    b = to_numeric(second, "second").astype(np.float64, copy=False)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise InputError(
            f"first and second must have one value for each fold, at least one; got shapes "
            f"{a.shape} and {b.shape}"
        )
    ratio = test_train_ratio
    if isinstance(ratio, bool) or not (
        isinstance(ratio, Real) and math.isfinite(ratio) and ratio >= 0.0
    ):
        raise InputError(
            f"test_train_ratio must be a number >= 0; got {ratio!r}; split_ratio computes it from "
            f"the sizes of the folds"
        )
    check_confidence(confidence)
    n = len(a)
    differences = difference_of(a, b)
    bad = np.flatnonzero(~np.isfinite(differences))
    if len(bad):
        return _untested(math.nan, n, f"fold {bad[0] + 1} of {n} has no finite value")
    if n == 1:
        return _untested(float(differences[0]), n, "a test needs at least two folds")
    exponent = exponent_of(size_of(differences))
    differences = np.ldexp(differences, -exponent)
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation <= _ROUNDING * abs(mean):
        deviation = 0.0  # all differences are equal: t is 0/0 or infinite
    error = deviation * math.sqrt(1.0 / n + test_train_ratio)
    statistic = statistic_of(mean, error)
    p = two_sided_p(statistic, n - 1)
    half = error * critical_value(n - 1, confidence)
    with np.errstate(over="ignore"):
        mean, low, high, error = np.ldexp(
            [mean, mean - half, mean + half, error], exponent
        ).tolist()
    return Comparison(mean, low, high, error, statistic, n - 1, p)


def size_of(values: FloatArray) -> FloatArray:
    """Largest absolute value of each column, without a copy of the values."""
    return np.asarray(np.maximum(values.max(axis=0), -values.min(axis=0)))


def exponent_of(size: FloatArray) -> IntArray:
    """Power of two to divide by where squares of numbers of this size would not be floats."""
    with np.errstate(over="ignore", under="ignore"):
        square = size * size
    extreme = ~((square > 1e-200) & (square < 1e200)) & (size > 0.0) & np.isfinite(size)
    return np.where(extreme, np.frexp(size)[1], 0)


def difference_of(first: FloatArray, second: FloatArray) -> FloatArray:
    """First minus second; differences that are rounding errors are 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.asarray(first - second)
        size = np.maximum(np.abs(first), np.abs(second))
        rounding = np.isfinite(difference) & (np.abs(difference) <= _ROUNDING * size)
        difference[rounding] = 0.0
    return difference


def _untested(difference: float, n: int, reason: str) -> Comparison:
    nan = math.nan
    return Comparison(difference, nan, nan, nan, nan, n - 1, nan, reason)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for the number of tests by Holm's step-down method.

    If the hypotheses whose adjusted p-value is at most alpha are rejected, the probability of at
    least one false rejection is at most alpha, whatever the dependence of the tests.

    Parameters
    ----------
    p : array-like of shape (m,)
        P-values of a family of tests, in [0, 1]. NaN stands for a test that was not made: it stays
        NaN and is not counted.

    Returns
    -------
    ndarray of shape (m,)
        Adjusted p-values in the order of `p`: at least `p` and at most 1.

    Raises
    ------
    InputError
        If a value is not in [0, 1], or `p` is not one-dimensional.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = to_numeric(p, "p").astype(np.float64, copy=False)
    tested = ~np.isnan(values)
    family = values[tested]
    if values.ndim != 1 or ((family < 0.0) | (family > 1.0)).any():
        raise InputError(f"p must be one-dimensional, with numbers in [0, 1]; got {p!r}")
    order = np.argsort(family, kind="stable")
    factors = np.arange(len(family), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(family[order] * factors), 1.0)
    adjusted = np.empty(len(family))
    adjusted[order] = stepped
    out = np.full(len(values), np.nan)
    out[tested] = adjusted
    return out
