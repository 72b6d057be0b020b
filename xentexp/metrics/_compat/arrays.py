"""Arrays and options as the peers take them: any number of dimensions, numbers of any size."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from xentexp._numerics import Array
from xentexp.errors import InputError, unknown_name


def numbers(values: object, name: str, dtype: DTypeLike | None = None) -> Array:
    """Any array-like of real numbers, NaN and infinities included."""
    if values is None:
        raise InputError(f"{name} must be given; got None")
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; leave those rows out, or fill them in")
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} must be a rectangular array; its rows differ in length") from None
    text = array.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in array.flat)
    if array.dtype.kind not in "biufO" or text:
        held = array.flat[0] if array.size else array.dtype
        raise InputError(f"{name} must be real numbers; it holds {held!r}")
    if dtype is None:
        small_float = array.dtype.kind == "f" and array.dtype.itemsize <= 8
        dtype = array.dtype if small_float else np.float64
    try:
        converted: Array = array.astype(dtype, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be real numbers; one of its values is none") from None
    return converted


def total(values: Array, axis: Any = None) -> Array:
    """Sum in float64, rounded to the precision of the values."""
    value: Array = values.sum(axis=axis, dtype=np.float64)
    return np.asarray(value).astype(values.dtype)


def mean(values: Array, axis: Any = None) -> Array:
    """Mean as `total`; NaN of nothing, without a warning."""
    sums = total(values, axis)
    count = values.size // sums.size if sums.size else 1
    return np.asarray(sums / np.asarray(count, dtype=values.dtype))


def stretched(array: Array, name: str, shape: tuple[int, ...]) -> Array:
    """Array broadcast to a shape, which may not grow by it."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise InputError(f"{name} must broadcast to {shape}; its shape is {array.shape}") from None


def together(
    one: Array, other: Array, names: tuple[str, str] = ("y_true", "y_pred")
) -> tuple[Array, Array]:
    """Two arrays broadcast against each other."""
    try:
        shape = np.broadcast_shapes(one.shape, other.shape)
    except ValueError:
        raise InputError(
            f"{names[0]} and {names[1]} must broadcast; their shapes are {one.shape} and "
            f"{other.shape}"
        ) from None
    return np.broadcast_to(one, shape), np.broadcast_to(other, shape)


def same_shape(y_true: Array, y_pred: Array) -> None:
    """Refuse targets and predictions of different shapes."""
    if y_true.shape != y_pred.shape:
        raise InputError(
            f"y_true and y_pred must have the same shape; got {y_true.shape} and {y_pred.shape}"
        )


def dimension(axis: object, array: Array) -> int:
    """Number of an axis, counted from the front."""
    number = whole(axis, "axis")
    if not -array.ndim <= number < array.ndim:
        raise InputError(f"axis must be one of the {array.ndim} of y_pred; got {number}")
    return number % array.ndim


def switch(value: object, name: str) -> bool:
    """An option that is on or off."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def real(value: object, name: str) -> float:
    """An option that is a number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number; got {value!r}")
    return float(value)


def choice(value: object, name: str, known: Iterable[str]) -> str:
    """An option that is one of a few words."""
    known = list(known)
    if not isinstance(value, str) or value not in known:
        raise unknown_name(name, value, known)
    return value


def whole(value: object, name: str) -> int:
    """An option that is a whole number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} must be a whole number; got {value!r}")
    return int(value)


def between_0_and_1(array: Array, name: str) -> None:
    """Refuse an array with a value outside, or with NaN."""
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise InputError(f"{name} must lie in [0, 1]; it holds {array[outside].flat[0]}")


def class_numbers(
    target: Array, n_classes: int, ignore_index: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers, 0 where ignored, and where they are not."""
    counted = np.ones(target.shape, dtype=bool)
    if ignore_index is not None:
        counted = np.asarray(target != ignore_index)
    bad = counted & ~((target >= 0) & (target < n_classes) & (target == np.floor(target)))
    if bad.any():
        raise InputError(
            f"y_true must hold class numbers from 0 to {n_classes - 1}; it holds "
            f"{target[bad].flat[0]:g}"
        )
    return np.where(counted, target, 0).astype(np.intp), counted
