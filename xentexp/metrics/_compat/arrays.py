"""Checks of arrays and options for peers: any number of dimensions, any real numbers."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from xentexp._inputs.asarray import as_array
from xentexp._numerics import Array
from xentexp.errors import InputError, unknown_name


def numbers(values: object, name: str, dtype: DTypeLike | None = None) -> Array:
    """Float array (by default of the same precision) of real numbers, NaN and infinities."""
    array = as_array(values, name)
    text = array.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in array.flat)
    if array.dtype.kind not in "biufO" or text:
        example = array.flat[0] if array.size else array.dtype
        raise InputError(f"{name} must be real numbers; got {example!r}")
    if dtype is None:
        small_float = array.dtype.kind == "f" and array.dtype.itemsize <= 8
        dtype = array.dtype if small_float else np.float64
    try:
        converted: Array = array.astype(dtype, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be real numbers; got a value of another type") from None
    return converted


def total(values: Array, axis: Any = None) -> Array:
    """Sum in float64, rounded to the precision of the values."""
    value: Array = values.sum(axis=axis, dtype=np.float64)
    return np.asarray(value).astype(values.dtype)


def mean(values: Array, axis: Any = None) -> Array:
    """Mean, computed like `total`; NaN for an empty array, without a warning."""
    sums = total(values, axis)
    count = values.size // sums.size if sums.size else 1
    return np.asarray(sums / np.asarray(count, dtype=values.dtype))


def broadcast_to(array: Array, name: str, shape: tuple[int, ...]) -> Array:
    """Array broadcast to a shape."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise InputError(
            f"{name} must be an array that broadcasts to shape {shape}; its shape is {array.shape}"
        ) from None


def broadcast_pair(
    one: Array, other: Array, names: tuple[str, str] = ("y_true", "y_pred")
) -> tuple[Array, Array]:
    """Two arrays broadcast against each other."""
    try:
        shape = np.broadcast_shapes(one.shape, other.shape)
    except ValueError:
        raise InputError(
            f"{names[0]} and {names[1]} must have shapes that broadcast; got {one.shape} and "
            f"{other.shape}"
        ) from None
    return np.broadcast_to(one, shape), np.broadcast_to(other, shape)


def check_same_shape(y_true: Array, y_pred: Array) -> None:
    """Raise an InputError if targets and predictions have different shapes."""
    if y_true.shape != y_pred.shape:
        raise InputError(
            f"y_true and y_pred must have the same shape; got {y_true.shape} and {y_pred.shape}"
        )


def dimension(axis: object, array: Array) -> int:
    """Number of an axis, counted from the first."""
    number = to_int(axis, "axis")
    if not -array.ndim <= number < array.ndim:
        raise InputError(f"axis must be an axis of y_pred, which has {array.ndim}; got {number}")
    return number % array.ndim


def to_bool(value: object, name: str) -> bool:
    """Value of an option that must be a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def to_float(value: object, name: str) -> float:
    """Value of an option that must be a real number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number; got {value!r}")
    return float(value)


def to_choice(value: object, name: str, choices: Iterable[str]) -> str:
    """Value of an option that must be one of some strings."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise unknown_name(name, value, choices)
    return value


def to_int(value: object, name: str) -> int:
    """Value of an option that must be an integer."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} must be an integer; got {value!r}")
    return int(value)


def check_unit_interval(array: Array, name: str) -> None:
    """Raise an InputError for a value outside [0, 1] or NaN."""
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise InputError(f"{name} must lie in [0, 1]; got {array[outside].flat[0]}")


def class_numbers(
    target: Array, n_classes: int, ignore_index: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers (0 for ignored rows), and whether each row counts."""
    counted = np.ones(target.shape, dtype=bool)
    if ignore_index is not None:
        counted = np.asarray(target != ignore_index)
    bad = counted & ~((target >= 0) & (target < n_classes) & (target == np.floor(target)))
    if bad.any():
        raise InputError(
            f"y_true must be class numbers from 0 to {n_classes - 1}; got {target[bad].flat[0]:g}"
        )
    return np.where(counted, target, 0).astype(np.intp), counted
