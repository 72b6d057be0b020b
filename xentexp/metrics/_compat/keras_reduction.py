"""Steps that all losses of Keras share: read the arrays, apply weights and mask, reduce."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from xentexp._numerics import Array
from xentexp.metrics._compat.arrays import broadcast_pair, broadcast_to, numbers, to_choice, total

_REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none")
_DTYPES = ("float16", "float32", "float64")


def _same_rank(one: Array, other: Array) -> tuple[Array, Array]:
    """Add or remove a last axis of length 1 if the numbers of dimensions differ by one."""
    if one.ndim == other.ndim + 1 and one.shape[-1] == 1:
        return (one, other[..., np.newaxis]) if other.ndim == 1 else (one[..., 0], other)
    if other.ndim == one.ndim + 1 and other.shape[-1] == 1:
        return (one[..., np.newaxis], other) if one.ndim == 1 else (one, other[..., 0])
    return one, other


def _divide(value: Array, divisor: Array) -> Array:
    return value / divisor if divisor != 0 else np.zeros_like(value)


def _reduce(
    values: Array, sample_weight: object, reduction: str | None, mask: Array | None = None
) -> Array:
    """Weighted values, or their sum divided by the denominator of the reduction."""
    method = "none" if reduction is None else to_choice(reduction, "reduction", _REDUCTIONS)
    dtype = values.dtype
    weight = None if sample_weight is None else numbers(sample_weight, "sample_weight", dtype)
    if mask is not None:
        counted = mask.astype(dtype)
        if method in ("mean", "sum_over_batch_size"):
            # The mean below divides by the number of all values: scale up those that count.
            counted = counted * _divide(np.asarray(mask.size, dtype), total(counted))
        if weight is not None:
            counted, weight = _same_rank(counted, weight)
            # The mask must fit the shape of the weights; the values below may have more axes.
            counted = broadcast_to(counted, "the values of the rows", weight.shape) * weight
        weight = counted
    if weight is not None:
        values, weight = _same_rank(values, weight)
        names = "the values of the rows", "sample_weight"
        values, row_weight = broadcast_pair(values, weight, names)
        values = values * row_weight
    if method == "none" or values.shape in ((), (0,)):
        return values
    if method == "sum":
        return total(values)
    if method == "mean_with_sample_weight" and weight is not None:
        return _divide(total(values), total(weight))
    return _divide(total(values), np.asarray(values.size, dtype))


def weighted(values_of: Callable[..., Array | tuple[Array, Array]]) -> Callable[..., Array]:
    """Decorator: a loss of Keras from a function that returns values, or values and a mask."""

    def loss(
        y_true: object,
        y_pred: object,
        *,
        sample_weight: object = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
        **keywords: Any,
    ) -> Array:
        if dtype is not None:
            to_choice(dtype, "dtype", _DTYPES)
        predicted = numbers(y_pred, "y_pred", dtype)
        target, predicted = _same_rank(numbers(y_true, "y_true", predicted.dtype), predicted)
        values = values_of(target, predicted, **keywords)
        mask = None
        if isinstance(values, tuple):
            values, mask = values
        return _reduce(values, sample_weight, reduction, mask)

    keywords = [
        parameter
        for function in (values_of, loss)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    loss.__name__ = loss.__qualname__ = values_of.__name__
    loss.__doc__ = values_of.__doc__
    loss.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    return loss
