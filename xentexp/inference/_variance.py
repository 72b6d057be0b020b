"""Mean, standard error and degrees of freedom of many columns of row values at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array
from xentexp._inputs.columns import to_weight
from xentexp._inputs.labels import is_missing
from xentexp._inputs.options import check_choice
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.inference._comparison import _ROUNDING, split_ratio

VARIANCES = ("auto", "all_pairs", "within_folds", "CR0", "CR1", "CR2", "HAC")


class Moments(NamedTuple):
    """Mean, standard error (scalars or one per column) and degrees of freedom."""

    mean: FloatArray
    standard_error: FloatArray
    df: float


@dataclass(frozen=True)
class Part:
    """Rows of positive weight of one repeat, as codes."""

    rows: NDArray[np.intp] | None  # which of the values; None for all of them
    n_rows: int
    weight: FloatArray | None  # None: equal weights
    groups: IntArray | None
    folds: IntArray | None
    times: IntArray | None  # number of the period, in the order of time

    @cached_property
    def total(self) -> float:
        return float(self.n_rows) if self.weight is None else float(self.weight.sum())

    @cached_property
    def n_effective(self) -> float:
        """Kish's effective number of rows."""
        if self.weight is None:
            return float(self.n_rows)
        return self.total**2 / float(self.weight @ self.weight)

    def of(self, values: FloatArray) -> FloatArray:
        return values if self.rows is None else values[self.rows]

    def mean(self, values: FloatArray) -> FloatArray:
        if self.weight is None:
            return np.asarray(values.mean(axis=0))
        return np.asarray(self.weight @ values / self.total)

    def sums(self, codes: IntArray, values: FloatArray) -> FloatArray:
        """Weighted sums of the columns by code, shape (number of codes, m)."""
        if values.shape[1] == 1:
            column = values[:, 0] if self.weight is None else self.weight * values[:, 0]
            return np.asarray(np.bincount(codes, column)[:, None], dtype=np.float64)
        from scipy.sparse import csc_array

        data = np.ones(self.n_rows) if self.weight is None else self.weight
        matrix = csc_array((data, codes, np.arange(self.n_rows + 1)))
        return np.asarray(matrix @ values)


@dataclass(frozen=True)
class Design:
    """Checked and coded rows, made once for all values that have these rows."""

    parts: tuple[Part, ...]  # one for each repeat
    variance: str  # "independent" or one of VARIANCES except "auto"
    n_values: int
    n_groups: int | None

    @property
    def n_rows(self) -> int:
        return max(part.n_rows for part in self.parts)

    @property
    def n_effective(self) -> float | None:
        if self.parts[0].weight is None:
            return None
        return min(part.n_effective for part in self.parts)

    @cached_property
    def n_folds(self) -> int:
        """Number of folds of all repeats; 0 without folds."""
        return sum(int(p.folds.max()) + 1 for p in self.parts if p.folds is not None)

    @cached_property
    def largest_share(self) -> float:
        """Largest share of a group in the weight of all rows."""
        shares = [_totals(part, part.groups)[0] / part.total for part in self.parts]
        return max(float(share.max()) for share in shares)

    def fold_sizes(self) -> Iterator[tuple[int, int]]:
        """Rows of the other folds and of the fold, for each fold."""
        for part in self.parts:
            assert part.folds is not None
            for size in np.bincount(part.folds).tolist():
                yield part.n_rows - size, size

    def ratio(self) -> float:
        """Test rows divided by training rows if all other folds were trained on."""
        return split_ratio(self.fold_sizes())

    def why_not(self) -> str | None:
        """Why there is no standard error for the target "models"."""
        for part in self.parts:
            if self.variance.startswith("CR") and int(_codes_of(part.groups).max()) == 0:
                return "an interval needs at least two groups"
            if self.variance == "HAC" and int(_codes_of(part.times).max()) == 0:
                return "an interval needs rows of at least two times"
            if self.variance == "within_folds" and np.bincount(_codes_of(part.folds)).min() == 1:
                return "the variance within folds needs at least two rows in each fold"
            if part.n_rows == 1:
                return "an interval needs at least two rows"
        return None


def make_design(
    n_values: int,
    *,
    groups: object = None,
    sample_weight: object = None,
    folds: object = None,
    repeats: object = None,
    time: object = None,
    variance: str = "auto",
) -> Design:
    """Check and code the rows, and choose the variance."""
    chosen = _choose(variance, groups, sample_weight, folds, time)
    weight = None
    if sample_weight is not None:
        weight = to_weight(sample_weight, n_values).astype(np.float64, copy=False)
        weight = weight / weight.max()
    given = {"groups": groups, "folds": folds, "repeats": repeats, "time": time}
    arrays = {
        name: _labels(name, values, n_values)
        for name, values in given.items()
        if values is not None
    }
    n_groups = None
    kept = np.flatnonzero(weight) if weight is not None and not weight.all() else None
    if groups is not None:
        labels = arrays["groups"] if kept is None else arrays["groups"][kept]
        n_groups = len(np.unique(labels))
    parts = tuple(_part(rows, n_values, weight, arrays) for rows in _rows_of_repeats(arrays, kept))
    return Design(parts, chosen, n_values, n_groups)


def _choose(
    variance: str, groups: object, sample_weight: object, folds: object, time: object
) -> str:
    check_choice("variance", variance, VARIANCES)
    if groups is not None and time is not None:
        raise InputError(
            "groups and time must not both be given; a variance is either for groups of rows or "
            "for rows in the order of time; pass groups if rows of a group depend on each other "
            "more than rows of neighbouring times, otherwise time"
        )
    if variance == "auto":
        if groups is not None:
            return "CR2"
        if time is not None:
            return "HAC"
        return "independent" if folds is None else "all_pairs"
    needed = {"all_pairs": "folds", "within_folds": "folds", "HAC": "time"}.get(variance, "groups")
    if {"folds": folds, "time": time, "groups": groups}[needed] is None:
        raise InputError(f"variance={variance!r} needs {needed}; got None; pass {needed}")
    ignored = {"groups": groups, "time": time}
    if variance == "within_folds":
        ignored["sample_weight"] = sample_weight
    for name, value in ignored.items():
        if name != needed and value is not None:
            raise InputError(
                f"variance={variance!r} does not use {name}; leave {name} out or choose "
                f"variance='auto'"
            )
    return variance


def _labels(name: str, values: object, n: int) -> NDArray[Any]:
    """Integer codes of labels, in their order."""
    array = as_array(values, name)
    if array.shape != (n,):
        raise InputError(
            f"{name} must have one entry for each of the {n} values; got shape {array.shape}"
        )
    missing = array != array if array.dtype.kind != "O" else [is_missing(v) for v in array]
    if np.any(missing):
        row = int(np.flatnonzero(missing)[0])
        raise InputError(f"{name} must not have missing entries; row {row} has {array[row]}")
    try:
        return np.unique(array, return_inverse=True)[1]
    except TypeError:
        raise InputError(
            f"{name} must have entries of one type that can be sorted; got several types"
        ) from None


def _rows_of_repeats(
    arrays: dict[str, NDArray[Any]], kept: NDArray[np.intp] | None
) -> list[NDArray[np.intp] | None]:
    if "repeats" not in arrays:
        return [kept]
    repeats = arrays["repeats"] if kept is None else arrays["repeats"][kept]
    order = np.argsort(repeats, kind="stable")
    ends = np.flatnonzero(np.diff(repeats[order])) + 1
    rows = order if kept is None else kept[order]
    return list(np.split(rows, ends))


def _part(
    rows: NDArray[np.intp] | None,
    n_values: int,
    weight: FloatArray | None,
    arrays: dict[str, NDArray[Any]],
) -> Part:
    def codes(name: str) -> IntArray | None:
        if name not in arrays:
            return None
        values = arrays[name]
        return values if rows is None else np.unique(values[rows], return_inverse=True)[1]

    if weight is not None and rows is not None:
        weight = weight[rows]
    n = n_values if rows is None else len(rows)
    return Part(rows, n, weight, codes("groups"), codes("folds"), codes("time"))


def _codes_of(codes: IntArray | None) -> IntArray:
    assert codes is not None
    return codes


def row_moments(values: FloatArray, design: Design) -> Moments:
    """Moments for the target "models" of values of shape (n,) or (n, m), without loops over m."""
    table = values[:, None] if values.ndim == 1 else values
    with np.errstate(invalid="ignore", over="ignore"):
        moments = [_part_moments(part.of(table), part, design) for part in design.parts]
        mean = np.mean([m.mean for m in moments], axis=0)
        error = np.sqrt(np.mean([m.standard_error**2 for m in moments], axis=0))
    shape = values.shape[1:]
    return Moments(mean.reshape(shape), error.reshape(shape), min(m.df for m in moments))


def _part_moments(values: FloatArray, part: Part, design: Design) -> Moments:
    mean = part.mean(values)
    if design.why_not() is not None:
        return Moments(mean, np.full_like(mean, np.nan), math.nan)
    deviations = values - mean
    if design.variance == "HAC":
        square, df = _hac(deviations, part)
    elif design.variance == "within_folds":
        square, df = _within_folds(values, part), math.inf
    elif design.variance == "all_pairs":
        square, df = _linearized(deviations, part), math.inf
    else:
        square, df = _clustered(deviations, part, design.variance)
    error = np.sqrt(square)
    # Equal values whose mean was rounded have the standard error 0.
    scale = np.abs(values).max(axis=0)
    error[error * math.sqrt(part.n_rows) <= _ROUNDING * scale] = 0.0
    error[~np.isfinite(mean)] = np.nan
    return Moments(mean, error, df)


def _linearized(deviations: FloatArray, part: Part) -> FloatArray:
    if part.weight is not None:
        deviations = deviations * part.weight[:, None]
    return np.asarray(np.einsum("ij,ij->j", deviations, deviations) / part.total**2)


def _within_folds(values: FloatArray, part: Part) -> FloatArray:
    """Variance within folds of Bayle et al.; folds of unequal size count by their rows."""
    folds = _codes_of(part.folds)
    sizes = np.bincount(folds)
    centered = values - (part.sums(folds, values) / sizes[:, None])[folds]
    factors = sizes / (sizes - 1.0) / part.n_rows**2
    return np.asarray(np.einsum("ij,ij,i->j", centered, centered, factors[folds]))


def _totals(part: Part, codes: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Sums of the weights and of their squares by code; each row is a code if there are none."""
    weight = np.ones(part.n_rows) if part.weight is None else part.weight
    if codes is None:
        return weight, weight**2
    totals, squares = np.bincount(codes, weight), np.bincount(codes, weight**2)
    return totals.astype(np.float64), squares.astype(np.float64)


def _clustered(deviations: FloatArray, part: Part, variance: str) -> tuple[FloatArray, float]:
    """Cluster-robust variance of the mean; independent rows are groups of one row."""
    codes = part.groups
    if codes is None:
        sums = deviations if part.weight is None else deviations * part.weight[:, None]
    else:
        sums = part.sums(codes, deviations)
    totals, squares = _totals(part, codes)
    n_groups = len(totals)
    if variance in ("CR0", "CR1"):
        square = np.einsum("ij,ij->j", sums, sums) / part.total**2
        return square * (1.0 if variance == "CR0" else n_groups / (n_groups - 1)), n_groups - 1
    share = totals / part.total
    factors = 1.0 / (1.0 - share)
    square = np.einsum("ij,ij,i->j", sums, sums, factors) / part.total**2
    return square, satterthwaite(share, squares, factors)


def satterthwaite(share: FloatArray, squares: FloatArray, factors: FloatArray) -> float:
    """Degrees of freedom of ``sum_g factors_g S_g^2`` for independent rows of equal variance."""
    # S_g is the weighted sum of the deviations in group g, share_g = W_g / W and squares_g the sum
    # of the squared weights. Cov(S_g, S_h) = [g = h] squares_g + rest_gh with
    # rest_gh = share_g share_h Q - share_g squares_h - share_h squares_g and Q = sum of squares.
    # The double sum of (factors Cov)^2 is expanded, so that it takes O(G).
    total = float(squares.sum())
    rest = share**2 * total - 2.0 * share * squares
    variances = squares + rest
    a = float(factors @ share**2)
    b = float(factors @ squares**2)
    c = float(factors @ (share * squares))
    pairs = 2.0 * a * b + 2.0 * c**2 + (a * total) ** 2 - 4.0 * total * a * c
    pairs += float(factors**2 @ (variances**2 - rest**2))
    return float(factors @ variances) ** 2 / pairs


def automatic_lag(n_periods: int) -> int:
    """Newey and West's rule ``4 (T / 100)^(2/9)``, at most (T - 1) / 2."""
    return min(int(4.0 * (n_periods / 100.0) ** (2.0 / 9.0)), (n_periods - 1) // 2)


def _hac(deviations: FloatArray, part: Part) -> tuple[FloatArray, float]:
    """Newey-West variance with the correction of Harvey, Leybourne and Newbold."""
    sums = part.sums(_codes_of(part.times), deviations) / part.total
    n_periods = len(sums)
    lag = automatic_lag(n_periods)
    square = np.einsum("ij,ij->j", sums, sums)
    for k in range(1, lag + 1):
        bartlett = 1.0 - k / (lag + 1.0)
        square += 2.0 * bartlett * np.einsum("ij,ij->j", sums[k:], sums[:-k])
    h = lag + 1
    factor = (n_periods + 1 - 2 * h + h * (h - 1) / n_periods) / n_periods
    return np.maximum(square, 0.0) / factor, n_periods - 1


def fold_means(values: FloatArray, design: Design) -> FloatArray:
    """Weighted mean of each fold of each repeat, shape (J,) or (J, m)."""
    table = values[:, None] if values.ndim == 1 else values
    means = []
    with np.errstate(invalid="ignore", over="ignore"):
        for part in design.parts:
            folds = _codes_of(part.folds)
            totals, _ = _totals(part, folds)
            means.append(part.sums(folds, part.of(table)) / totals[:, None])
    return np.concatenate(means).reshape(-1, *values.shape[1:])
