"""What users hand over (lists, NumPy, pandas, Polars, tensors) as arrays, or a clear complaint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.validation.mapped import ReadPages

Array = NDArray[Any]

PIECE = 65536  # numbers that are looked at together: they stay in the cache
_HOST_DEVICES = (1, 3, 11)  # of DLPack: main memory, also where it is pinned for a GPU
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA", 14: "oneAPI"}


class Rows(NamedTuple):
    """Some consecutive rows, without those that are ignored."""

    span: slice
    keep: NDArray[np.bool_] | None = None

    def of(self, values: Array) -> Array:
        """Those rows of an array."""
        return values[self.span] if self.keep is None else values[self.span][self.keep]

    def put(self, out: Array, values: Array) -> None:
        """Write the values of those rows, the last axis, into an array of all rows."""
        if self.keep is None:
            out[..., self.span] = values
        else:
            out[..., self.span][..., self.keep] = values

    def number(self, position: int) -> int:
        """Number among all rows of the row at a position among these."""
        within = position if self.keep is None else int(np.flatnonzero(self.keep)[position])
        return int(self.span.start) + within


def pieces(values: Array, ignore_label: object = None) -> Iterator[tuple[Rows, Array]]:
    """Pieces of an array, without ignored labels: what looks at all rows needs little memory."""
    read = ReadPages(values)
    step = max(1, PIECE // (1 if values.ndim == 1 else values.shape[1]))
    for start in range(0, len(values), step):
        rows = Rows(slice(start, min(start + step, len(values))))
        piece = values[rows.span]
        if ignore_label is not None:
            keep = np.asarray(piece != ignore_label)
            if not keep.all():
                rows, piece = Rows(rows.span, keep), piece[keep]
        if len(piece):
            yield rows, piece
        read.up_to(rows.span.stop)


def column_names(values: object) -> list[object] | None:
    """Column names of a data frame, None for anything else."""
    if type(values) is np.ndarray or not hasattr(values, "columns"):
        return None
    if hasattr(values, "to_numpy"):
        names = list(values.columns)
    elif hasattr(values, "column_names"):  # a table of pyarrow
        names = list(values.column_names)
    else:
        return None
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"column names must be unique; {', '.join(repeated)} stand twice or more")
    if names == [f"column_{i}" for i in range(len(names))]:  # Polars' names for columns without one
        return list(range(len(names)))
    return names


def to_array(values: object, name: str) -> Array:
    """Any array-like as a NumPy array of one or two dimensions, without a copy if possible."""
    array = as_array(values, name)
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


def as_array(values: object, name: str) -> Array:
    """Anything as a NumPy array of whatever shape, without a copy if possible."""
    if type(values) is np.ndarray:
        return values
    if values is None:
        raise InputError(f"{name} must be given; got None")
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave those rows out, or fill them in")
    if isinstance(values, (list, tuple)):
        return _from_list(values, name)
    if getattr(values, "requires_grad", False) is True:
        raise InputError(f"{name} carries gradients, which a metric has no use for; detach() it")
    _refuse_other_devices(values, name)
    try:
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        said = str(error).strip().split("\n")[0].rstrip(".")
        kind = type(values).__name__
        raise InputError(
            f"{name} must be an array that NumPy can read; this {kind} is not: {said}"
        ) from None


def _from_list(values: list[Any] | tuple[Any, ...], name: str) -> Array:
    try:
        array = np.asarray(values)
    except (TypeError, RuntimeError) as error:  # of tensors
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(f"{name} must hold plain numbers or labels; {said}") from None
    except ValueError:
        raise InputError(f"{name} must be a rectangular array; its rows differ in length") from None
    if (
        array.ndim == 1
        and array.dtype.kind in "US"
        and not all(isinstance(value, (str, bytes)) for value in values)
    ):
        return np.asarray(values, dtype=object)  # NumPy would turn numbers and NaN into text
    return array


def _refuse_other_devices(values: object, name: str) -> None:
    if not hasattr(values, "__dlpack_device__"):
        return
    try:
        device = int(values.__dlpack_device__()[0])
    except (TypeError, ValueError, RuntimeError, BufferError):
        return  # without an exchange, __array__ tells whether NumPy can read it
    if device not in _HOST_DEVICES:
        raise InputError(
            f"{name} must lie in main memory; it is on a {_DEVICES.get(device, 'foreign')} "
            f"device: move it there first, as .cpu() does for torch"
        )


def to_numbers(values: object, name: str) -> Array:
    """Any array-like of real numbers; those that are no floats become such block by block."""
    array = to_array(values, name)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise InputError(f"{name} must be real numbers; got {array.dtype}")
    if array.dtype.kind == "V":
        raise InputError(f"{name} must be numbers of a type that NumPy has; got {array.dtype}")
    if array.dtype.kind != "O":
        raise InputError(f"{name} must be numbers; it holds {_plain(array.flat[0])!r}")
    strange = any(isinstance(v, (str, bytes)) for v in array.flat)
    try:
        if not strange:
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    example = next((v for v in array.flat if not isinstance(v, (int, float))), array.flat[0])
    raise InputError(f"{name} must be numbers; it holds {_plain(example)!r}")


_FLOATS = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16))


def float_type(values: Array) -> np.dtype[np.floating[Any]]:
    """Type that numbers are computed from: their own, or float64 where that is no plain float."""
    return values.dtype if values.dtype in _FLOATS else _FLOATS[0]


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


# The C library of Linux gives every freed array above a threshold back to the system, and pays
# for it with a page fault per 4 KiB of the next one, which doubles the time of a block. The
# threshold rises with what was freed: this array is never touched and costs nothing.
np.empty(1 << 20)
