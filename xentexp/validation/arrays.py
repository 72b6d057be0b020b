"""What users hand over (lists, NumPy, pandas, Polars) as arrays, or a clear complaint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Some consecutive rows, without those that are ignored."""

    span: slice
    keep: NDArray[np.bool_] | None = None

    def of(self, values: Array) -> Array:
        """Those rows of an array."""
        return values[self.span] if self.keep is None else values[self.span][self.keep]

    def number(self, position: int) -> int:
        """Number among all rows of the row at a position among these."""
        within = position if self.keep is None else int(np.flatnonzero(self.keep)[position])
        return int(self.span.start) + within


def column_names(values: object) -> list[object] | None:
    """Column names of a data frame, None for anything else."""
    if not (hasattr(values, "columns") and hasattr(values, "to_numpy")):
        return None
    names = list(values.columns)
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"column names must be unique; {', '.join(repeated)} stand twice or more")
    return names


def to_array(values: object, name: str) -> Array:
    """Any array-like as a NumPy array of one or two dimensions, without a copy if possible."""
    if values is None:
        raise InputError(f"{name} must be given; got None")
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave those rows out, or fill them in")
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} must be a rectangular array; its rows differ in length") from None
    if (
        isinstance(values, (list, tuple))
        and array.ndim == 1
        and array.dtype.kind in "US"
        and not all(isinstance(value, (str, bytes)) for value in values)
    ):
        array = np.asarray(values, dtype=object)  # NumPy would turn numbers and NaN into text
    if array.ndim == 0:
        raise InputError(f"{name} must be an array; got the single value {values!r}")
    if array.ndim > 2:
        raise InputError(f"{name} must have one or two dimensions; its shape is {array.shape}")
    if array.shape[0] == 0 or array.size == 0:
        raise InputError(f"{name} is empty; at least one row is needed")
    if array.ndim == 2 and array.shape[1] == 1:
        raise InputError(
            f"{name} has shape {array.shape}, which is neither (n,) nor one column for each of "
            f"two or more classes; ravel it to ({array.shape[0]},) if that is what it means"
        )
    return array


def to_numbers(values: object, name: str) -> Array:
    """Any array-like of real numbers; floats keep their precision."""
    array = to_array(values, name)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return array
    if array.dtype.kind == "c":
        raise InputError(f"{name} must be real numbers; got {array.dtype}")
    if array.dtype.kind not in "biufO":
        raise InputError(f"{name} must be numbers; it holds {_plain(array.flat[0])!r}")
    strange = array.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in array.flat)
    try:
        if not strange:
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    example = next((v for v in array.flat if not isinstance(v, (int, float))), array.flat[0])
    raise InputError(f"{name} must be numbers; it holds {_plain(example)!r}")


def row_sum_tolerance(values: Array) -> float:
    """How far from 1 a row sum may be: the square root of the precision, as scikit-learn has it."""
    return float(np.sqrt(np.finfo(values.dtype).eps))


def to_weight(values: object, n_rows: int) -> NDArray[np.float64]:
    """Sample weights: one for each row, finite, not negative, not all zero."""
    weight = to_numbers(values, "sample_weight").astype(np.float64, copy=False)
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight must have shape ({n_rows},), one for each row; got {weight.shape}"
        )
    low, high = weight.min(), weight.max()
    if not (low >= 0.0 and np.isfinite(high)):
        row = int(np.flatnonzero(~((weight >= 0.0) & np.isfinite(weight)))[0])
        raise InputError(
            f"sample_weight must be finite and not negative; row {row} has {weight[row]}"
        )
    with np.errstate(over="ignore", under="ignore"):
        squares = float(weight @ weight)
    if weight.any() and not (np.isfinite(squares) and squares > np.finfo(np.float64).tiny):
        raise InputError(
            f"sample_weight must be of a size whose square float64 can hold; the largest is "
            f"{high}: divide all by the same number"
        )
    if not weight.any():
        raise InputError("sample_weight is zero for every row; at least one must be positive")
    return weight


def to_class_weight(values: object, classes: tuple[Any, ...]) -> NDArray[np.float64] | None:
    """Weight of each class: from a mapping, in their order; None for "balanced"."""
    if isinstance(values, str):
        if values != "balanced":
            raise InputError(
                f"class_weight must be 'balanced', a mapping or one number for each class; got "
                f"{values!r}"
            )
        return None
    if isinstance(values, Mapping):
        strange = [label for label in values if label not in classes]
        if strange:
            raise InputError(
                f"class_weight names {show(strange)}, not among the classes {show(classes)}"
            )
        values = [values.get(label, 1.0) for label in classes]
    weight = to_numbers(values, "class_weight").astype(np.float64, copy=False)
    if weight.shape != (len(classes),):
        raise InputError(
            f"class_weight must have one number for each of {len(classes)} classes; got shape "
            f"{weight.shape}"
        )
    if not (weight.min() >= 0.0 and weight.max() < np.inf and weight.any()):
        raise InputError(
            f"class_weight must be finite, not negative and not all zero; got {weight.tolist()}"
        )
    return weight


def to_classes(labels: object, name: str = "labels") -> tuple[Any, ...]:
    """Class list: two or more distinct labels, none missing."""
    array = np.asarray(labels, dtype=object) if isinstance(labels, (list, tuple)) else labels
    array = np.asarray(array)
    if array.ndim != 1:
        raise InputError(f"{name} must be one-dimensional; its shape is {array.shape}")
    classes = tuple(_plain(label) for label in array)
    for label in classes:
        if is_missing(label):
            raise InputError(f"{name} must not hold a missing value; got {list(classes)}")
    if len(set(classes)) != len(classes):
        raise InputError(f"{name} must be distinct; got {list(classes)}")
    if len(classes) < 2:
        raise InputError(f"{name} must name two classes at least; got {list(classes)}")
    return classes


def is_missing(label: object) -> bool:
    """Whether a label is None, NaN, NaT or pandas' NA."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float) and label != label


def show(labels: tuple[Any, ...] | list[Any]) -> str:
    """Labels for a message, at most ten."""
    shown = ", ".join(map(repr, labels[:10]))
    return shown if len(labels) <= 10 else f"{shown}, ... ({len(labels)} in all)"


def _plain(label: Any) -> Any:
    """A label as a plain Python value."""
    return label.item() if isinstance(label, np.generic) else label
