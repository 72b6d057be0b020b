"""Paired comparison over folds, whose training rows overlap, and many comparisons at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from xentexp.errors import InputError

_ROUNDING = 1e-12
"""Differences below this share of the values are rounding, and none."""


@dataclass(frozen=True)
class Comparison:
    """What `compare_paired` finds.

    Parameters
    ----------
    difference : float
        Mean of the first less the second.
    low, high : float
        Confidence interval of the difference.
    standard_error : float
        Of the difference, corrected.
    statistic : float
        Difference in standard errors.
    df : int
        Degrees of freedom of the t distribution it is compared with: folds less one.
    p : float
        Two-sided p-value.
    reason : str or None
        Why there is no test, where there is none: all but the difference are NaN then.

    Examples
    --------
    >>> from xentexp.inference import compare_paired
    >>> found = compare_paired([0.44, 0.42, 0.47], [0.42, 0.41, 0.44], test_train_ratio=0.5)
    >>> round(found.difference, 4), found.df
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
    """Mean over the folds of test rows by training rows.

    Parameters
    ----------
    sizes : iterable of (int, int)
        Number of training and of test rows of each fold.

    Returns
    -------
    float
        ``1 / (k - 1)`` for k folds of equal size.

    Raises
    ------
    InputError
        Without folds, and for a fold without rows.

    Examples
    --------
    >>> split_ratio([(80, 20), (80, 20)])
    0.25
    """
    ratios = []
    for n_train, n_test in sizes:
        if n_train < 1 or n_test < 1:
            raise InputError(
                f"a fold must have a training and a test row at least; got {n_train} and {n_test}"
            )
        ratios.append(n_test / n_train)
    if not ratios:
        raise InputError("folds must be one at least; got none")
    return float(np.mean(ratios))


def compare_paired(
    first: ArrayLike, second: ArrayLike, *, test_train_ratio: float, confidence: float = 0.95
) -> Comparison:
    """Corrected resampled t-test of two models on the same folds.

    Folds share training rows, so that their differences vary less than those of independent
    samples would, and the plain t-test finds too much. Nadeau and Bengio take
    ``(1 / J + n_test / n_train) s^2`` for the variance of the mean difference, where s^2 is the
    variance over the J folds (divisor J - 1), and compare with t of J - 1 degrees of freedom. J
    counts folds times repeats (Bouckaert and Frank). It remains an approximation: it was made
    for random splits of the same size.

    Parameters
    ----------
    first, second : array-like of shape (J,)
        Value of each model in each fold, in the same order.
    test_train_ratio : float
        Test rows by training rows, see `split_ratio`; 0 is the plain paired t-test.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    Comparison
        With ``p=1`` where all differences are 0 (up to rounding), and ``p=0`` where they are
        all the same and not 0. NaN, with the reason, for one fold and for values that are not
        finite.

    Raises
    ------
    InputError
        For lengths that differ, a negative ratio, a confidence that is none.

    References
    ----------
    Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52.
    Bouckaert, R. R. & Frank, E. (2004). Evaluating the replicability of significance tests for
    comparing learning algorithms. PAKDD.

    Examples
    --------
    >>> a, b = [0.44, 0.42, 0.47, 0.45, 0.43], [0.42, 0.41, 0.44, 0.43, 0.42]
    >>> found = compare_paired(a, b, test_train_ratio=0.25)
    >>> round(found.difference, 4), round(found.p, 4)
    (0.018, 0.0327)
    >>> round(compare_paired(a, b, test_train_ratio=0.0).p, 4)
    0.0086
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise InputError(
            f"both models must have one value for each fold, and one fold at least; got shapes "
            f"{a.shape} and {b.shape}"
        )
    if not (math.isfinite(test_train_ratio) and test_train_ratio >= 0.0):
        raise InputError(f"test_train_ratio must be >= 0; got {test_train_ratio}")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1; got {confidence}")
    n = len(a)
    bad = np.flatnonzero(~(np.isfinite(a) & np.isfinite(b)))
    if len(bad):
        return _untested(math.nan, n, f"fold {bad[0] + 1} of {n} has no finite value")
    differences = a - b
    size = np.maximum(np.abs(a), np.abs(b))
    differences[np.abs(differences) <= _ROUNDING * size] = 0.0
    mean = float(differences.mean())
    if n == 1:
        return _untested(mean, n, "one fold: no spread to test against")
    spread = float(differences.std(ddof=1))
    if spread <= _ROUNDING * abs(mean):
        # all the same: t is 0/0, or infinite
        none = mean == 0.0
        statistic = 0.0 if none else math.copysign(math.inf, mean)
        return Comparison(mean, mean, mean, 0.0, statistic, n - 1, 1.0 if none else 0.0)
    error = spread * math.sqrt(1.0 / n + test_train_ratio)
    statistic = mean / error
    reach = error * float(stdtrit(n - 1, 0.5 + confidence / 2.0))
    p = 2.0 * float(stdtr(n - 1, -abs(statistic)))
    return Comparison(mean, mean - reach, mean + reach, error, statistic, n - 1, p)


def _untested(difference: float, n: int, reason: str) -> Comparison:
    nan = math.nan
    return Comparison(difference, nan, nan, nan, nan, n - 1, nan, reason)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for their number by Holm's step-down method.

    Rejecting what is below alpha keeps the chance of one false rejection or more below alpha,
    however the tests depend on each other.

    Parameters
    ----------
    p : array-like of shape (m,)
        P-values of a family. NaN is a test that was not made: it stays NaN and does not count.

    Returns
    -------
    ndarray of shape (m,)
        At least `p`, at most 1.

    Raises
    ------
    InputError
        For values outside of [0, 1].

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=np.float64)
    made = ~np.isnan(values)
    family = values[made]
    if values.ndim != 1 or ((family < 0.0) | (family > 1.0)).any():
        raise InputError(f"p-values must be a list of numbers in [0, 1]; got {p!r}")
    order = np.argsort(family, kind="stable")
    factors = np.arange(len(family), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(family[order] * factors), 1.0)
    adjusted = np.empty(len(family))
    adjusted[order] = stepped
    out = np.full(len(values), np.nan)
    out[made] = adjusted
    return out
