"""Predictions, target distributions and plain numbers, checked by block while in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array, float_type, to_numbers
from xentexp._inputs.rows import Rows, pieces
from xentexp._numerics import Array, FloatArray, IntArray
from xentexp.errors import InputError


@dataclass(frozen=True)
class Predictions:
    """Probabilities or scores, (n,) of the second of two classes, or (n, k)."""

    values: Array
    kind: Literal["proba", "logits", "decision"]
    order: IntArray | None = None  # column of each class; None if the columns are in order
    normalize: bool | None = False
    name: str = "y_pred"
    eps: float = float(np.finfo(np.float64).eps)  # precision of the numbers that were passed
    tolerance: float = 0.0  # of the row sums, if larger than that of the precision

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return 2 if self.values.ndim == 1 else int(self.values.shape[1])

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Type that the values are converted to before the computation."""
        return float_type(self.values)

    def block(self, rows: Rows) -> Array:
        """Checked predictions of some rows, in the order of the classes."""
        values, dtype = rows.of(self.values), self.dtype
        if values.dtype != dtype:
            values = values.astype(dtype)
        if self.kind == "proba":
            values = self._check_proba(values, rows)
        elif not _finite(values):
            single = values.ndim == 1
            known = np.isfinite(values) if single else known_scores(values)
            if not known.all():
                row = _first_bad(known)
                hint = "" if single else "; beside a finite score, -inf masks a class"
                raise InputError(
                    f"raw scores must be finite; row {rows.number(row)} of {self.name} has "
                    f"{values[row].tolist()}{hint}"
                )
        return values if self.order is None else values[:, self.order]

    def _check_proba(self, values: Array, rows: Rows) -> Array:
        divide = self.normalize is True and values.ndim == 2
        if not within_unit(values) and not (
            divide and 0.0 <= values.min() <= values.max() < np.inf
        ):
            if divide:
                row = _first_bad((values >= 0.0) & np.isfinite(values))
                raise InputError(
                    f"{self.name} must be finite and not negative with normalize=True; row "
                    f"{rows.number(row)} of {self.name} has {values[row].tolist()}"
                )
            row = _first_bad((values >= 0.0) & (values <= 1.0))
            if np.isnan(values[row]).any():
                raise InputError(
                    f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                    f"{values[row].tolist()}, a missing value"
                )
            # The functions of p and q do not have the option.
            logits = "; if they are raw scores, pass from_logits=True"
            raise InputError(
                f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                f"{values[row].tolist()}; if they are percentages, divide by 100"
                f"{logits if self.name == 'y_pred' else ''}"
            )
        if values.ndim == 1 or self.normalize is None:
            return values
        sums = row_sums(values)
        if divide:
            if not sums.min() > 0.0:
                row = int(sums.argmin())
                raise InputError(
                    f"rows must have a positive sum with normalize=True; row {rows.number(row)} of "
                    f"{self.name} sums to 0"
                )
            return values / sums[:, np.newaxis]
        tolerance = max(row_sum_tolerance(self.eps), self.tolerance)
        if not _sum_to_one(sums, tolerance):
            tolerance = max(tolerance, self._less_precise)
            if not _sum_to_one(sums, tolerance):
                raise _wrong_sums(
                    self.values,
                    self.dtype,
                    rows,
                    tolerance,
                    self.name,
                    "; pass normalize=True to divide each row by its sum, or normalize=None to "
                    "use the rows unchanged",
                )
        return values

    @cached_property
    def _less_precise(self) -> float:
        return less_precise_tolerance(self.values)


def _sum_to_one(sums: Array, tolerance: float) -> bool:
    if len(sums) <= _FEW_ROWS and sums.dtype == np.float64:  # a product is faster for few rows
        error = sums - 1.0
        if np.dot(error, error) <= tolerance * tolerance:
            return True
    return bool(sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance)


_FEW_ROWS = 4096


def _wrong_sums(
    values: Array,
    dtype: np.dtype[np.floating[Any]],
    rows: Rows,
    tolerance: float,
    name: str,
    advice: str = "",
) -> InputError:
    """Error for rows that do not sum to 1; it names the worst of all rows if none is ignored."""
    if rows.keep is None:
        parts = [row_sums(piece.astype(dtype, copy=False)) for _, piece in pieces(values)]
        sums, rows = np.concatenate(parts), Rows(slice(0, len(values)))
    else:
        sums = row_sums(rows.of(values).astype(dtype, copy=False))
    error = np.abs(sums.astype(np.float64) - 1.0)
    worst = int(np.nanargmax(error))
    count = int(np.count_nonzero(error > tolerance))
    return InputError(
        f"rows of {name} must sum to 1; {count} of {len(sums)} {'does' if count == 1 else 'do'} "
        f"not, the worst is row {rows.number(worst)} with {float(sums[worst]):.9g}; it is off by "
        f"{error[worst]:.2g}, more than the tolerance {tolerance:.2g}{advice}"
    )


def _finite(scores: Array) -> bool:
    if scores.dtype.itemsize >= 4 and (scores.flags.c_contiguous or scores.flags.f_contiguous):
        flat = scores.reshape(-1) if scores.flags.c_contiguous else scores.T.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.dot(flat, flat) < np.inf:  # faster than a minimum and a maximum
                return True
    return bool(scores.min() > -np.inf and scores.max() < np.inf)


def known_scores(scores: Array) -> Array:
    """Whether each raw score is finite, or -inf in a row that has a finite score."""
    finite = np.isfinite(scores)
    if scores.ndim == 2:  # in shape (n,), the score of the first class is 0
        return finite | (np.isneginf(scores) & finite.any(axis=1, keepdims=True))
    return finite | np.isneginf(scores)


def _first_bad(good: Array) -> int:
    bad = ~good if good.ndim == 1 else ~good.all(axis=1)
    return int(np.flatnonzero(bad)[0])


ColumnKind = Literal["multilabel", "real", "counts", "above -1"]


@dataclass(frozen=True)
class Columns:
    """Plain numbers or labels of a multilabel problem: one column, (n,), or several, (n, k)."""

    values: Array
    kind: Literal["proba", "logits"]
    low: float
    high: float
    rule: str
    name: str
    order: IntArray | None = None

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return 1 if self.values.ndim == 1 else int(self.values.shape[1])

    def block(self, rows: Rows) -> Any:
        """Checked values of some rows, (n, k) of float64."""
        values = rows.of(self.values).astype(np.float64, copy=False)
        if not (values.min() >= self.low and values.max() <= self.high):
            bad = ~((values >= self.low) & (values <= self.high))
            row = int(bad.reshape(len(bad), -1).any(axis=1).argmax())
            raise InputError(
                f"{self.name} must be {self.rule}; row {rows.number(row)} has "
                f"{values[row].tolist()}"
            )
        if values.ndim == 1:
            return values[:, np.newaxis]
        return values if self.order is None else values[:, self.order]


_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.nextafter(0.0, 1.0))
_ABOVE = float(np.nextafter(-1.0, 0.0))
# Minimum, maximum and the rule in words: of the targets, and of the predictions.
_DOMAINS: dict[str, tuple[tuple[float, float, str], tuple[float, float, str]]] = {
    "multilabel": (
        (0.0, 1.0, "1, 0 or a probability in [0, 1] in each column"),
        (0.0, 1.0, "probabilities in [0, 1] (or raw scores with from_logits=True)"),
    ),
    "real": ((-_LARGEST, _LARGEST, "finite numbers"), (-_LARGEST, _LARGEST, "finite numbers")),
    "counts": (
        (0.0, _LARGEST, "finite numbers >= 0"),
        (_SMALLEST, _LARGEST, "finite numbers > 0"),
    ),
    "above -1": ((_ABOVE, _LARGEST, "finite numbers > -1"),) * 2,
}


def to_columns(values: object, kind: ColumnKind, name: str, *, logits: bool = False) -> Columns:
    """Convert an array-like of shape (n,), (n, 1) or (n, k); `block` checks the values."""
    array = as_array(values, name)
    array = to_numbers(array[:, 0] if array.shape[1:] == (1,) else array, name)
    targets, predictions = _DOMAINS[kind]
    low, high, rule = targets if name == "y_true" else predictions
    if logits:
        low, high, rule = -np.inf, _LARGEST, "raw scores, finite or -inf"
    return Columns(array, "logits" if logits else "proba", low, high, rule, name)


def row_sums(values: Array) -> Array:
    """Sum of each row: adds a few columns, but multiplies many by a vector of ones, for speed."""
    if values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    n_columns = values.shape[1]
    if n_columns > 4:
        return values @ np.ones(n_columns, dtype=values.dtype)
    total = values[:, 0] + values[:, 1]
    for column in range(2, n_columns):
        total += values[:, column]
    return total


_BITS_OF_ONE = {
    2: (np.uint16, 0x3C00),
    4: (np.uint32, 0x3F800000),
    8: (np.uint64, 0x3FF0000000000000),
}


def within_unit(values: Array) -> bool:
    """Whether all floats lie in [0, 1]."""
    # Read as unsigned integers, floats in [0, 1] run from 0 to the bits of 1.0, while negative
    # numbers and NaN are larger. This takes one pass instead of two.
    kind, one = _BITS_OF_ONE[values.dtype.itemsize]
    if np.maximum.reduce(values.view(kind), axis=None) <= one:
        return True
    return bool(values.min() >= 0.0 and values.max() <= 1.0)  # -0.0 lies in [0, 1]


def all_below(index: NDArray[np.intp], bound: int) -> bool:
    """Whether all integers lie in ``0, ..., bound - 1``."""
    # As an unsigned integer, a negative one is larger than any bound.
    return bool(np.maximum.reduce(index.view(np.uintp)) < bound)


def row_sum_tolerance(eps: float) -> float:
    """Largest accepted distance of a row sum from 1: sqrt of the precision, as in scikit-learn."""
    return sqrt(eps)


def printed_tolerance(values: Array) -> float:
    """Largest distance from 1 of the row sums of probabilities that were read from text."""
    # With d digits after the decimal point, of the numbers from 0.1 to 1, it is 10^-d for each
    # column; 0 if they were printed with more digits than float32 has, or with a single one.
    if values.dtype.kind != "f" or values.ndim == 1:
        return 0.0
    digits = _printed_digits(values)
    if digits is None or digits < 2:
        return 0.0
    return float(values.shape[1] * 10.0 ** -min(digits, 7))  # float32 has 7 digits, printed as 9


def less_precise_tolerance(values: Array) -> float:
    """Tolerance of numbers that were float32 or had 6 to 9 digits before they became float64."""
    if values.dtype.kind != "f" or values.dtype.itemsize < 8:
        return 0.0
    if all(bool(np.all(piece == piece.astype(np.float32))) for _, piece in pieces(values)):
        return row_sum_tolerance(float(np.finfo(np.float32).eps))
    tolerance = printed_tolerance(values)
    return tolerance if tolerance <= 1e-6 * values.shape[1] else 0.0


_MOST_DIGITS = 9  # of a float32 number


def _printed_digits(values: Array) -> int | None:
    """Least number of decimals that gives all numbers from 0.1 to 1; None if it is above 9."""
    digits = 0
    for _, piece in pieces(values):
        numbers = piece[(piece >= 0.1) & (piece < 1.0)]
        while bool((np.abs(np.rint(numbers * 10.0**digits) - numbers * 10.0**digits) > 1e-6).any()):
            digits += 1
            if digits > _MOST_DIGITS:
                return None
    return digits


def to_weight(values: object, n_rows: int) -> Array:
    """Convert sample weights: one per row, finite, not negative, not all zero."""
    weight = to_numbers(values, "sample_weight")
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight must have shape ({n_rows},), one weight per row; got shape "
            f"{weight.shape}"
        )
    high = squares = 0.0
    for rows, piece in pieces(weight):
        block = piece.astype(np.float64, copy=False)
        if not (block.min() >= 0.0 and block.max() < np.inf):
            row = int(np.flatnonzero(~((block >= 0.0) & np.isfinite(block)))[0])
            raise InputError(
                f"sample_weight must be finite and not negative; row {rows.number(row)} has "
                f"{block[row]}"
            )
        high = max(high, float(block.max()))
        with np.errstate(over="ignore", under="ignore"):
            squares += float(block @ block)
    if high == 0.0:
        raise InputError("sample_weight must be positive for at least one row; got only zeros")
    if not (np.finfo(np.float64).tiny < squares < np.inf):
        raise InputError(
            f"sample_weight must be of a size whose square is a float64 number; the largest weight "
            f"is {high}; divide all weights by a constant"
        )
    return weight


@dataclass(frozen=True)
class Distributions:
    """Target distributions: (n, k), or (n,) with the probability of the second of two classes."""

    values: Array
    order: IntArray | None = None
    name: str = "y_true"
    eps: float = float(np.finfo(np.float64).eps)  # precision of the numbers that were passed

    def soft(self, rows: slice) -> FloatArray:
        """Checked target distribution of some rows, (n, k)."""
        block = self.values[rows].astype(np.float64, copy=False)
        if block.ndim == 1:
            return np.stack([1.0 - block, block], axis=1)
        if not within_unit(block):
            bad = ~((block >= 0.0) & (block <= 1.0))
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"targets with a column per class must lie in [0, 1]; row "
                f"{rows.start + int(row)}, column {int(column)} of {self.name} has "
                f"{block[row, column]}"
            )
        tolerance, sums = row_sum_tolerance(self.eps), row_sums(block)
        if not _sum_to_one(sums, tolerance):
            tolerance = max(tolerance, self._less_precise)
            if not _sum_to_one(sums, tolerance):
                number = np.dtype(np.float64)
                raise _wrong_sums(self.values, number, Rows(rows), tolerance, self.name)
        return block if self.order is None else block[:, self.order]

    @cached_property
    def _less_precise(self) -> float:
        return less_precise_tolerance(self.values)

    def one_hot(self, step: int) -> bool:
        """Whether every row has one class with target 1."""
        starts = range(0, len(self.values), step)
        parts = (self.soft(slice(start, start + step)) for start in starts)
        return all(as_index(part) is not None for part in parts)

    def positive(self, step: int) -> bool:
        """Whether all targets are above 0."""
        starts = range(0, len(self.values), step)
        return all(bool((self.soft(slice(start, start + step)) > 0).all()) for start in starts)


def as_index(soft: FloatArray) -> IntArray | None:
    """Column of the 1 in each row if all rows are one-hot, else None."""
    # The squares of numbers in [0, 1] whose rows sum to 1 add up to n only if the rows are one-hot.
    flat = np.ascontiguousarray(soft).reshape(-1)
    if float(flat @ flat) != len(soft):
        return None
    index = soft @ np.arange(soft.shape[1], dtype=np.float64)
    rounded = index.astype(np.intp)
    return rounded if bool(np.all(soft[np.arange(len(soft)), rounded] == 1.0)) else None
