"""Predictions: probabilities or raw scores, checked block by block while they are in cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array, float_type, to_numbers
from xentexp._inputs.rows import Rows, pieces
from xentexp._numerics import Array, FloatArray, IntArray
from xentexp.errors import InputError


@dataclass(frozen=True)
class Predictions:
    """Predictions ``(n,)`` of the second of two classes, or ``(n, k)``."""

    values: Array
    kind: Literal["proba", "logits", "decision"]
    order: IntArray | None = None
    normalize: bool | None = False
    name: str = "y_pred"

    @property
    def n_classes(self) -> int:
        """Number of classes that the predictions are for."""
        return 2 if self.values.ndim == 1 else int(self.values.shape[1])

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Type that the values are computed from."""
        return float_type(self.values)

    def block(self, rows: Rows) -> Array:
        """Checked predictions of some rows, in the order of the classes."""
        values = rows.of(self.values)
        if values.dtype != self.dtype:
            values = values.astype(self.dtype)
        if self.kind == "proba":
            values = self._check_proba(values, rows)
        elif not _finite(values):
            row = _first_bad(np.isfinite(values))
            raise InputError(
                f"raw scores must be finite; row {rows.number(row)} of {self.name} has "
                f"{values[row].tolist()}"
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
                    f"normalize=True takes finite numbers that are not negative; row "
                    f"{rows.number(row)} of {self.name} has {values[row].tolist()}"
                )
            row = _first_bad((values >= 0.0) & (values <= 1.0))
            if np.isnan(values[row]).any():
                raise InputError(
                    f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                    f"{values[row].tolist()}, a missing value"
                )
            raise InputError(
                f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                f"{values[row].tolist()} (pass raw scores with from_logits=True where there is "
                f"such an option)"
            )
        if values.ndim == 1 or self.normalize is None:
            return values
        sums = row_sums(values)
        if divide:
            if not sums.min() > 0.0:
                row = int(sums.argmin())
                raise InputError(
                    f"normalize=True divides rows by their sums; row {rows.number(row)} of "
                    f"{self.name} sums to 0"
                )
            return values / sums[:, np.newaxis]
        tolerance = row_sum_tolerance(self.dtype)
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            self._complain_of_sums(tolerance, rows)
        return values

    def _complain_of_sums(self, tolerance: float, rows: Rows) -> None:
        if rows.keep is None:  # the worst of all rows, none of which is ignored here
            sums = np.concatenate([row_sums(piece) for _, piece in pieces(self.values)])
            rows = Rows(slice(0, len(self.values)))
        else:
            sums = row_sums(rows.of(self.values))
        off = np.abs(sums - 1.0)
        row = int(np.nanargmax(off))
        count = int(np.count_nonzero(off > tolerance))
        raise InputError(
            f"rows of {self.name} must sum to 1; {count} of {len(sums)} do not, the worst is row "
            f"{rows.number(row)} with {sums[row]:.9g}; pass normalize=True to divide each row by "
            f"its sum, or normalize=None to take them as they are"
        )


def _finite(scores: Array) -> bool:
    if scores.dtype.itemsize >= 4 and (scores.flags.c_contiguous or scores.flags.f_contiguous):
        flat = scores.reshape(-1) if scores.flags.c_contiguous else scores.T.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.dot(flat, flat) < np.inf:  # quicker than a minimum and a maximum
                return True
    return bool(scores.min() > -np.inf and scores.max() < np.inf)


def _first_bad(good: Array) -> int:
    bad = ~good if good.ndim == 1 else ~good.all(axis=1)
    return int(np.flatnonzero(bad)[0])


ColumnKind = Literal["multilabel", "real", "counts", "above -1"]


@dataclass(frozen=True)
class Columns:
    """Targets or predictions ``(n,)``, one column, or ``(n, k)``."""

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
                f"{self.name} must hold {self.rule}; row {rows.number(row)} has "
                f"{values[row].tolist()}"
            )
        if values.ndim == 1:
            return values[:, np.newaxis]
        return values if self.order is None else values[:, self.order]


_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.nextafter(0.0, 1.0))
_ABOVE = float(np.nextafter(-1.0, 0.0))
# Least and largest value, of targets and of predictions, and the rule in words.
_DOMAINS: dict[str, tuple[tuple[float, float, str], tuple[float, float, str]]] = {
    "multilabel": (
        (0.0, 1.0, "a yes or no (or its probability, in [0, 1]) in each column"),
        (0.0, 1.0, "probabilities in [0, 1] (pass raw scores with from_logits=True)"),
    ),
    "real": ((-_LARGEST, _LARGEST, "finite numbers"), (-_LARGEST, _LARGEST, "finite numbers")),
    "counts": (
        (0.0, _LARGEST, "finite numbers >= 0"),
        (_SMALLEST, _LARGEST, "finite numbers > 0"),
    ),
    "above -1": ((_ABOVE, _LARGEST, "finite numbers > -1"),) * 2,
}


def to_columns(values: object, kind: ColumnKind, name: str, *, logits: bool = False) -> Columns:
    """Columns of a kind, whose values are still to be checked."""
    array = as_array(values, name)
    array = to_numbers(array[:, 0] if array.shape[1:] == (1,) else array, name)
    targets, predictions = _DOMAINS[kind]
    low, high, rule = targets if name == "y_true" else predictions
    if logits:
        low, high, rule = -_LARGEST, _LARGEST, "finite raw scores"
    return Columns(array, "logits" if logits else "proba", low, high, rule, name)


def row_sums(values: Array) -> Array:
    """Sum of each row: by columns where they are few, else a product, for speed."""
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
    # As whole numbers the bits of those floats run from 0 to the bits of 1; the bits of a
    # negative number or a NaN are larger. One pass instead of two.
    kind, one = _BITS_OF_ONE[values.dtype.itemsize]
    if np.maximum.reduce(values.view(kind), axis=None) <= one:
        return True
    return bool(values.min() >= 0.0 and values.max() <= 1.0)  # -0.0 is one of them


def all_below(index: NDArray[np.intp], bound: int) -> bool:
    """Whether all lie in ``0, ..., bound - 1``; a negative one is huge without its sign."""
    return bool(np.maximum.reduce(index.view(np.uintp)) < bound)


def row_sum_tolerance(dtype: np.dtype[np.floating[Any]]) -> float:
    """How far from 1 a row sum may be: the square root of the precision, as scikit-learn has it."""
    return float(np.sqrt(np.finfo(dtype).eps))


def to_weight(values: object, n_rows: int) -> Array:
    """Sample weights: one for each row, finite, not negative, not all zero."""
    weight = to_numbers(values, "sample_weight")
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight must have shape ({n_rows},), one for each row; got {weight.shape}"
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
        raise InputError("sample_weight is zero for every row; at least one must be positive")
    if not (np.finfo(np.float64).tiny < squares < np.inf):
        raise InputError(
            f"sample_weight must be of a size whose square float64 can hold; the largest is "
            f"{high}: divide all by the same number"
        )
    return weight


@dataclass(frozen=True)
class Distributions:
    """Target distributions: ``(n, k)`` in the order of the classes, or ``(n,)`` of the second."""

    values: Array
    order: IntArray | None = None
    name: str = "y_true"

    def soft(self, rows: slice) -> FloatArray:
        """Checked target distribution of some rows, (n, k)."""
        block = self.values[rows].astype(np.float64, copy=False)
        if block.ndim == 1:
            return np.stack([1.0 - block, block], axis=1)
        if not within_unit(block):
            bad = ~((block >= 0.0) & (block <= 1.0))
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"targets in columns must lie in [0, 1]; row {rows.start + int(row)}, "
                f"column {int(column)} of {self.name} has {block[row, column]}"
            )
        sums, tolerance = row_sums(block), row_sum_tolerance(float_type(self.values))
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            row = int(np.abs(sums - 1.0).argmax())
            raise InputError(
                f"rows of {self.name} must sum to 1; row {rows.start + row} sums to "
                f"{block[row].sum():.9g}"
            )
        return block if self.order is None else block[:, self.order]

    def one_hot(self, step: int) -> bool:
        """Whether every row has one class of target 1."""
        starts = range(0, len(self.values), step)
        parts = (self.soft(slice(start, start + step)) for start in starts)
        return all(as_index(part) is not None for part in parts)

    def positive(self, step: int) -> bool:
        """Whether no class of any row has target 0."""
        starts = range(0, len(self.values), step)
        return all(bool((self.soft(slice(start, start + step)) > 0).all()) for start in starts)


def as_index(soft: FloatArray) -> IntArray | None:
    """Column of the 1 in each row where all rows are one-hot, else None."""
    # Entries of [0, 1] in rows of sum 1 have squares that add up to n only if they are one-hot.
    flat = np.ascontiguousarray(soft).reshape(-1)
    if float(flat @ flat) != len(soft):
        return None
    index = soft @ np.arange(soft.shape[1], dtype=np.float64)
    rounded = index.astype(np.intp)
    return rounded if bool(np.all(soft[np.arange(len(soft)), rounded] == 1.0)) else None
