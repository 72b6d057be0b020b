"""What users hand over (lists, NumPy, pandas, Polars, tensors) as arrays, or a clear complaint."""

from __future__ import annotations

from typing import Any

import numpy as np

from xentexp._numerics import Array
from xentexp.errors import InputError

_HOST_DEVICES = (1, 3, 11)  # of DLPack: main memory, also where it is pinned for a GPU
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA", 14: "oneAPI"}


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
        raise InputError(f"column names must be unique; duplicate: {', '.join(repeated)}")
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
        raise InputError(f"{name} must be numbers; it holds {plain(array.flat[0])!r}")
    strange = any(isinstance(v, (str, bytes)) for v in array.flat)
    try:
        if not strange:
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    example = next((v for v in array.flat if not isinstance(v, (int, float))), array.flat[0])
    raise InputError(f"{name} must be numbers; it holds {plain(example)!r}")


_FLOATS = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16))


def float_type(values: Array) -> np.dtype[np.floating[Any]]:
    """Type that numbers are computed from: their own, or float64 where that is no plain float."""
    return values.dtype if values.dtype in _FLOATS else _FLOATS[0]


def plain(label: Any) -> Any:
    """A label as a plain Python value."""
    return label.item() if isinstance(label, np.generic) else label


# The C library of Linux gives every freed array above a threshold back to the system, and pays
# for it with a page fault per 4 KiB of the next one, which doubles the time of a block. The
# threshold rises with what was freed: this array is never touched and costs nothing.
np.empty(1 << 19)
