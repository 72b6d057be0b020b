"""Conversion of lists, NumPy, pandas, Polars and tensors to NumPy arrays, with clear errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from xentexp._numerics import Array
from xentexp.errors import InputError

_HOST_DEVICES = (1, 3, 11)  # DLPack codes of main memory, also if pinned for a GPU
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA", 14: "oneAPI"}


def column_names(values: object) -> list[object] | None:
    """Column names of a data frame; None for anything else."""
    if type(values) is np.ndarray or not hasattr(values, "columns"):
        return None
    if hasattr(values, "to_numpy"):
        names = list(values.columns)
    elif hasattr(values, "column_names"):  # a pyarrow table
        names = list(values.column_names)
    else:
        return None
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"column names must be unique; duplicate: {', '.join(repeated)}")
    if names == [f"column_{i}" for i in range(len(names))]:  # default names of Polars
        return list(range(len(names)))
    return names


def to_array(values: object, name: str) -> Array:
    """Convert an array-like to a NumPy array of 1 or 2 dimensions, without a copy if possible."""
    array = as_array(values, name)
    if array.ndim == 0:
        raise InputError(f"{name} must be an array; got the single value {values!r}")
    if array.ndim > 2:
        raise InputError(f"{name} must have one or two dimensions; got shape {array.shape}")
    if array.shape[0] == 0 or array.size == 0:
        raise InputError(f"{name} must have at least one row; got an empty array")
    if array.ndim == 2 and array.shape[1] == 1:
        raise InputError(
            f"{name} must have shape (n,) or a column for each of two or more classes; got shape "
            f"{array.shape}; pass np.ravel({name}) for shape ({array.shape[0]},)"
        )
    return array


def as_array(values: object, name: str) -> Array:
    """Convert an array-like to a NumPy array of any shape, without a copy if possible."""
    if type(values) is np.ndarray:
        return values
    if values is None:
        raise InputError(f"{name} must be given; got None")
    if np.ma.is_masked(values):
        raise InputError(
            f"{name} must not have masked values; remove those rows or fill in the values"
        )
    if isinstance(values, (list, tuple)):
        return _from_list(values, name)
    if getattr(values, "requires_grad", False) is True:
        raise InputError(
            f"{name} must not require gradients, which are not used here; pass {name}.detach()"
        )
    _refuse_other_devices(values, name)
    try:
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        kind = type(values).__name__
        raise InputError(
            f"{name} must be an array that NumPy can read; got {kind}: {reason}"
        ) from None


def _from_list(values: list[Any] | tuple[Any, ...], name: str) -> Array:
    try:
        array = np.asarray(values)
    except (TypeError, RuntimeError) as error:  # a list of tensors
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(f"{name} must contain plain numbers or labels: {reason}") from None
    except ValueError:
        raise InputError(
            f"{name} must be a rectangular array; its rows have different lengths"
        ) from None
    if (
        array.ndim == 1
        and array.dtype.kind in "US"
        and not all(isinstance(value, (str, bytes)) for value in values)
    ):
        return np.asarray(values, dtype=object)  # otherwise NumPy converts numbers and NaN to text
    return array


def _refuse_other_devices(values: object, name: str) -> None:
    if not hasattr(values, "__dlpack_device__"):
        return
    try:
        device = int(values.__dlpack_device__()[0])
    except (TypeError, ValueError, RuntimeError, BufferError):
        return  # np.asarray finds out whether NumPy can read it
    if device not in _HOST_DEVICES:
        raise InputError(
            f"{name} must be in main memory; got an array on a {_DEVICES.get(device, 'different')} "
            f"device; copy it first, e.g. with .cpu() for torch"
        )


def to_numbers(values: object, name: str) -> Array:
    """Convert an array-like of real numbers to a NumPy array, which keeps its numeric type."""
    array = to_array(values, name)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise InputError(f"{name} must be real numbers; got {array.dtype}")
    if array.dtype.kind == "V":
        raise InputError(f"{name} must have a numeric NumPy type; got {array.dtype}")
    if array.dtype.kind != "O":
        raise InputError(f"{name} must be numbers; got {plain(array.flat[0])!r}")
    has_text = any(isinstance(v, (str, bytes)) for v in array.flat)
    try:
        if not has_text:
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    example = next((v for v in array.flat if not isinstance(v, (int, float))), array.flat[0])
    raise InputError(f"{name} must be numbers; got {plain(example)!r}")


_FLOATS = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16))


def float_type(values: Array) -> np.dtype[np.floating[Any]]:
    """Type of float16, float32 and float64 arrays; float64 for any other array."""
    return values.dtype if values.dtype in _FLOATS else _FLOATS[0]


def plain(label: Any) -> Any:
    """Convert a NumPy scalar to a plain Python value."""
    return label.item() if isinstance(label, np.generic) else label


# The C library of Linux returns each freed array above a size threshold to the system, and the next
# array costs a page fault per 4 KiB, which doubles the time of a block. The threshold rises to the
# size of the largest freed array. This array raises it; it needs no memory, as it is never touched.
np.empty(1 << 19)
