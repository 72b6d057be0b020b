"""Conversion of lists, NumPy, pandas, Polars and tensors to NumPy arrays, with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MappingView, Set
from typing import Any

import numpy as np

from xentexp._numerics import Array
from xentexp.errors import InputError

_HOST_DEVICES = (1, 3, 11)  # DLPack codes of main memory, also if pinned for a GPU
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA", 14: "oneAPI"}
_COPIES = {  # of an array on a device, in main memory; by the package of its class
    "torch": "{name}.cpu()",
    "jax": 'jax.device_put({name}, jax.devices("cpu")[0])',
    "jaxlib": 'jax.device_put({name}, jax.devices("cpu")[0])',
    "cupy": "cupy.asnumpy({name})",
    "numba": "{name}.copy_to_host()",
}


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


def categories_of(values: object) -> list[Any] | None:
    """Categories of labels of a categorical type (pandas, Enum of Polars); None for others."""
    if type(values) is np.ndarray or isinstance(values, (list, tuple)):
        return None
    known = getattr(getattr(values, "dtype", None), "categories", None)
    return [plain(label) for label in known] if np.iterable(known) else None


def to_array(values: object, name: str) -> Array:
    """Convert an array-like to a NumPy array of 1 or 2 dimensions, without a copy if possible."""
    array = as_array(values, name)
    if array.ndim == 0:
        if hasattr(values, "toarray"):
            raise InputError(
                f"{name} must be a dense array; got a sparse {type(values).__name__}; pass "
                f"{name}.toarray()"
            )
        shown = " ".join(repr(values).split())  # in one line
        raise InputError(f"{name} must be an array; got the single value {shown}")
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
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(
            f"{name} must not have masked values; remove those rows or fill in the values"
        )
    if isinstance(values, (list, tuple)):
        return _from_list(values, name)
    refuse_collection(values, name)
    _refuse_other_devices(values, name)
    if getattr(values, "requires_grad", False) is True:
        raise InputError(
            f"{name} must not require gradients, which are not used here; pass {name}.detach()"
        )
    try:
        if str(getattr(values, "dtype", "")) == "torch.bfloat16":  # NumPy has no such type
            values = values.float()  # type: ignore[attr-defined]
        if (dtype := _pandas_type(values)) is not None:
            missing = {"na_value": np.nan if dtype.kind == "f" else None}
            options = missing if dtype.kind in "fO" else {}
            return np.asarray(values.to_numpy(dtype=dtype, **options))  # type: ignore[attr-defined]
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            return np.from_dlpack(values)
        array = np.asarray(values)
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        kind = type(values).__name__
        if "device" in reason and hasattr(values, "to_device"):  # of the array API standard
            reason += f"; pass {name}.to_device(DEVICE) with the device of main memory"
        raise InputError(
            f"{name} must be an array that NumPy can read; got {kind}: {reason}"
        ) from None


def refuse_collection(values: object, name: str) -> None:
    """Raise an InputError for a set, mapping or iterator, which NumPy reads as a single object."""
    if isinstance(values, (Set, Mapping, MappingView, Iterator)):
        order = ", which has no order" if isinstance(values, (set, frozenset)) else ""
        raise InputError(
            f"{name} must be an array or a list; got a {type(values).__name__}{order}; pass a list "
            f"in the order that you mean"
        )


def _pandas_type(values: object) -> np.dtype[Any] | None:
    """NumPy type of numbers in nullable or Arrow types of pandas; None for anything else."""
    # np.asarray converts such numbers to float64 or to objects.
    if not (hasattr(values, "to_numpy") and hasattr(values, "isna")):
        return None
    types = [*values.dtypes] if hasattr(values, "columns") else [values.dtype]  # type: ignore[attr-defined]
    extension = [hasattr(kind, "numpy_dtype") for kind in types]
    converted = [
        np.dtype(getattr(kind, "numpy_dtype", object)) if new else kind
        for kind, new in zip(types, extension, strict=True)
    ]
    if not any(extension) or not all(
        isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in converted
    ):
        return None
    common = np.result_type(*converted)
    missing = common.kind != "f" and bool(np.asarray(values.isna()).any())
    return np.dtype(object) if missing else common


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
    if (
        array.ndim == 1
        and array.dtype.kind == "f"
        and any(isinstance(value, int) and abs(value) > 2**53 for value in values)
    ):
        return np.asarray(values, dtype=object)  # float64 does not have these integers
    return array


def _refuse_other_devices(values: object, name: str) -> None:
    """Raise an InputError for an array outside main memory, which would be copied unnoticed."""
    device = _other_device(values)
    if device is None:
        return
    package = type(values).__module__.partition(".")[0]
    copy = _COPIES.get(package, "a copy in main memory").format(name=name)
    if package == "torch" and getattr(values, "requires_grad", False):
        copy = f"{name}.detach().cpu()"
    raise InputError(
        f"{name} must be in main memory; got an array on a {device} device; pass {copy}"
    )


def _other_device(values: object) -> str | None:
    """Kind of the device of an array outside main memory; None for main memory or no array."""
    try:
        if hasattr(values, "__dlpack_device__"):
            code = int(values.__dlpack_device__()[0])
            return None if code in _HOST_DEVICES else _DEVICES.get(code, "different")
        # Arrays of numba, which have no DLPack.
        return "CUDA" if hasattr(values, "__cuda_array_interface__") else None
    except (TypeError, ValueError, RuntimeError, BufferError):
        # Of an array of JAX on a TPU, or in parts on several devices: np.asarray would copy it.
        devices = getattr(values, "devices", None)
        platforms = {str(device.platform) for device in devices()} if callable(devices) else set()
        return next((kind.upper() for kind in sorted(platforms - {"cpu"})), None)


def to_floats(values: object, name: str) -> tuple[float, ...]:
    """Convert a sequence of numbers; text and switches raise a TypeError, as other objects do."""
    refuse_collection(values, name)
    listed = list(values)  # type: ignore[call-overload]
    if any(isinstance(value, (str, bytes, bool, np.bool_)) for value in listed):
        raise TypeError(f"{name} must be numbers")
    return tuple(map(float, listed))


def to_numbers(values: object, name: str) -> Array:
    """Convert an array-like of real numbers to a NumPy array, which keeps its numeric type."""
    return _numeric(to_array(values, name), name)


def to_numeric(values: object, name: str) -> Array:
    """Convert real numbers as `to_numbers` does, of any shape: the caller checks it."""
    return _numeric(as_array(values, name), name)


def _numeric(array: Array, name: str) -> Array:
    if array.dtype.kind in "biuf":
        return array
    if not array.size:
        return array.astype(np.float64)
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
    except OverflowError:
        raise InputError(
            f"{name} must be numbers of float64, up to 1.8e308; got a larger integer"
        ) from None
    except (TypeError, ValueError):
        pass
    example = next((v for v in array.flat if not isinstance(v, (int, float))), array.flat[0])
    raise InputError(f"{name} must be numbers; got {plain(example)!r}")


_FloatType = np.dtype[np.floating[Any]]
_DOUBLE: _FloatType = np.dtype(np.float64)
_FLOATS: dict[int, _FloatType] = {2: np.dtype(np.float16), 4: np.dtype(np.float32)}  # by bytes
_EPS_OF_BYTES = {size: float(np.finfo(f"f{size}").eps) for size in (2, 4, 8)}


def float_type(values: Array) -> _FloatType:
    """Native type of float16, float32 and float64 arrays; float64 for any other array."""
    dtype = values.dtype
    return _FLOATS.get(dtype.itemsize, _DOUBLE) if dtype.kind == "f" else _DOUBLE


_EPS = {
    "bfloat16": 2.0**-7,
    **dict.fromkeys(("float16", "halffloat"), _EPS_OF_BYTES[2]),
    **dict.fromkeys(("float32", "float"), _EPS_OF_BYTES[4]),
}


def precision(values: object, array: Array) -> float:
    """Machine epsilon of array-like numbers: of the least precise column of a data frame."""
    # `array` has the converted values. The types are compared by name, for all libraries alike.
    converted = _EPS_OF_BYTES[float_type(array).itemsize]
    if type(values) is np.ndarray or isinstance(values, (list, tuple)):
        return converted
    types = getattr(values, "dtypes", None)
    if types is None and hasattr(values, "schema"):
        types = values.schema.types  # a pyarrow table
    if types is None or isinstance(types, np.dtype) or not np.iterable(types):
        types = [getattr(values, "dtype", getattr(values, "type", None))]
    names = [str(kind).lower().removeprefix("torch.").removesuffix("[pyarrow]") for kind in types]
    return max([converted, *(_EPS[name] for name in names if name in _EPS)])


def plain(label: Any) -> Any:
    """Convert a NumPy scalar to a plain Python value."""
    return label.item() if isinstance(label, np.generic) else label


# The C library of Linux returns each freed array above a size threshold to the system, and the next
# array costs a page fault per 4 KiB, which doubles the time of a block. The threshold rises to the
# size of the largest freed array. This array raises it; it needs no memory, as it is never touched.
np.empty(1 << 19)
