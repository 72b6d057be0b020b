"""Losses of Keras 3.15.1 with the numbers of its torch backend, in NumPy.

Keras computes in ``dtype``, by default float32 (``keras.config.floatx()``); here the default
is the dtype of the predictions. In float64 its torch backend rounds some steps to float32;
here they stay in float64. The other backends return other values only for invalid input, i.e. a
label out of range or an infinite raw score.
"""

from __future__ import annotations

import warnings

import numpy as np

from xentexp._numerics import Array, log_softmax, softplus
from xentexp.errors import InputError
from xentexp.metrics._compat.arrays import (
    broadcast_pair,
    broadcast_to,
    check_same_shape,
    class_numbers,
    dimension,
    mean,
    numbers,
    to_bool,
    to_float,
    to_int,
    total,
)
from xentexp.metrics._compat.keras_reduction import weighted
from xentexp.metrics._compat.torch import clamped_cross_entropy

EPSILON = 1e-7
"""``keras.config.epsilon()``."""

_NO_LABEL = -100  # default ignore_index of torch, which the torch backend of Keras ignores too


def _clip(proba: Array) -> Array:
    low, high = (np.asarray(bound, dtype=proba.dtype) for bound in (EPSILON, 1 - EPSILON))
    return np.clip(proba, low, high)


def _smooth(target: Array, label_smoothing: object, n_classes: int) -> Array:
    smoothing = to_float(label_smoothing, "label_smoothing")
    return target * (1.0 - smoothing) + smoothing / n_classes if smoothing else target


def _mean_over(values: Array, axis: object) -> Array:
    if axis is None or values.ndim == 0:
        return mean(values)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return mean(values, tuple(dimension(one, values) for one in axes))


@weighted
def binary_crossentropy(
    target: Array,
    predicted: Array,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
) -> Array:
    """Mean over `axis`, so that an array of shape (n,) is one row of n columns."""
    check_same_shape(target, predicted)
    target = _smooth(target, label_smoothing, 2)
    if to_bool(from_logits, "from_logits"):
        soft = softplus(np.atleast_1d(-predicted)).reshape(predicted.shape)
        values = (1 - target) * predicted + soft
    else:
        values = clamped_cross_entropy(target, _clip(predicted))
    return _mean_over(values, axis)


@weighted
def binary_focal_crossentropy(
    target: Array,
    predicted: Array,
    *,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
) -> Array:
    """Mean over `axis`. `alpha` is used only with `apply_class_balancing`."""
    check_same_shape(target, predicted)
    target = _smooth(target, label_smoothing, 2)
    proba = 1 / (1 + np.exp(-predicted)) if to_bool(from_logits, "from_logits") else predicted
    values = clamped_cross_entropy(target, _clip(proba))
    true_proba = target * proba + (1 - target) * (1 - proba)
    values = np.power(1 - true_proba, to_float(gamma, "gamma")) * values
    share = to_float(alpha, "alpha")
    if to_bool(apply_class_balancing, "apply_class_balancing"):
        values = (target * share + (1 - target) * (1 - share)) * values
    return _mean_over(values, axis)


def _class_axis(axis: object, target: Array, predicted: Array) -> int:
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    check_same_shape(target, predicted)
    if predicted.shape[-1] == 1:
        warnings.warn(
            f"y_pred should have a column for each of two or more classes; its shape is "
            f"{predicted.shape}; use binary_crossentropy for the probability of one of two classes",
            SyntaxWarning,
            stacklevel=2,
        )
    return dimension(axis, predicted)


def _renormalised(proba: Array, axis: int) -> Array:
    return _clip(proba / np.expand_dims(total(proba, axis), axis))


@weighted
def categorical_crossentropy(
    target: Array,
    predicted: Array,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """One-hot or soft targets. Smoothing uses the length of the last axis, whatever `axis`."""
    where = _class_axis(axis, target, predicted)
    target = _smooth(target, label_smoothing, target.shape[-1])
    if to_bool(from_logits, "from_logits"):
        log_proba = _log_softmax(predicted, where)
    else:
        log_proba = np.log(_renormalised(predicted, where))
    return -total(target * log_proba, where)


def _log_softmax(scores: Array, axis: int) -> Array:
    if scores.size == 0:
        return scores
    return np.moveaxis(log_softmax(np.moveaxis(scores, axis, 0))[0], 0, axis)


@weighted
def categorical_focal_crossentropy(
    target: Array,
    predicted: Array,
    *,
    alpha: object = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`alpha` is one number for all classes or one for each class."""
    where = _class_axis(axis, target, predicted)
    target = _smooth(target, label_smoothing, target.shape[-1])
    if to_bool(from_logits, "from_logits"):
        predicted = np.exp(_log_softmax(predicted, where))
    proba = _renormalised(predicted, where)
    weight = broadcast_to(numbers(alpha, "alpha", proba.dtype), "alpha", proba.shape)
    factor = np.power(1 - proba, to_float(gamma, "gamma")) * weight
    return total(factor * -target * np.log(proba), where)


@weighted
def sparse_categorical_crossentropy(
    target: Array,
    predicted: Array,
    *,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array | tuple[Array, Array]:
    """Targets are class numbers. Rows of `ignore_class` are left out of the mean."""
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    where = dimension(axis, predicted)
    if target.ndim == predicted.ndim and target.shape[where] == 1:
        target = np.squeeze(target, axis=where)
    rest = tuple(n for place, n in enumerate(predicted.shape) if place != where)
    if target.shape != rest:
        raise InputError(
            f"y_true must be class numbers with shape {rest}, the shape of y_pred without axis "
            f"{where}; its shape is {target.shape}"
        )
    mask = None
    if ignore_class is not None:
        mask = np.asarray(target != to_int(ignore_class, "ignore_class"))
        target = np.where(mask, target, 0)
        predicted = np.where(np.expand_dims(mask, where), predicted, np.zeros_like(predicted))
    if to_bool(from_logits, "from_logits"):
        log_proba = _log_softmax(predicted, where)
    else:
        log_proba = np.log(_renormalised(predicted, where))
    labels, known = class_numbers(np.trunc(target), predicted.shape[where], _NO_LABEL)
    log_true = np.take_along_axis(log_proba, np.expand_dims(labels, where), axis=where)
    values = np.squeeze(-log_true, axis=where)
    counted = known if mask is None else known & mask
    values = np.where(counted, values, np.zeros_like(values))
    return values if mask is None else (values, mask)


@weighted
def generalized_crossentropy(target: Array, predicted: Array, *, q: float = 0.5) -> Array:
    """Targets are class numbers. A negative number is not a class, and its row has p = 0."""
    exponent = to_float(q, "q")
    if not 0 < exponent < 1:
        raise InputError(f"q must lie in (0, 1); got {q!r}")
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    labels, n_classes = np.trunc(target), predicted.shape[-1]
    if (labels >= n_classes).any():
        raise InputError(f"y_true must be class numbers below {n_classes}; got {labels.max():g}")
    one_hot = labels[..., np.newaxis] == np.arange(n_classes)
    target, proba = broadcast_pair(one_hot.astype(predicted.dtype), predicted)
    return (1 - np.power(total(proba * target, -1), exponent)) / exponent


def _margins(target: Array, predicted: Array) -> Array:
    if ((target == 0) | (target == 1)).all():
        target = 2 * target - 1
    target, scores = broadcast_pair(target, predicted)
    return np.asarray(np.maximum(1 - target * scores, np.zeros((), dtype=scores.dtype)))


@weighted
def hinge_loss(target: Array, predicted: Array) -> Array:
    """Mean over the last axis. Targets are 0 and 1, or -1 and 1."""
    return _mean_over(_margins(target, predicted), -1)


@weighted
def squared_hinge_loss(target: Array, predicted: Array) -> Array:
    """Mean over the last axis. Targets are 0 and 1, or -1 and 1."""
    return _mean_over(np.square(_margins(target, predicted)), -1)


@weighted
def categorical_hinge(target: Array, predicted: Array) -> Array:
    """The maximum over wrong classes includes the true class, with score 0."""
    target, scores = broadcast_pair(target, predicted)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise InputError(f"y_pred must have an axis of classes; its shape is {scores.shape}")
    true, wrong = total(target * scores, -1), ((1 - target) * scores).max(axis=-1)
    return np.asarray(np.maximum(wrong - true + 1, np.zeros((), dtype=scores.dtype)))


@weighted
def squared_error(target: Array, predicted: Array) -> Array:
    """Mean over the last axis."""
    target, predicted = broadcast_pair(target, predicted)
    return _mean_over(np.square(target - predicted), -1)


@weighted
def absolute_error(target: Array, predicted: Array) -> Array:
    """Mean over the last axis."""
    target, predicted = broadcast_pair(target, predicted)
    return _mean_over(np.abs(target - predicted), -1)


@weighted
def huber_loss(target: Array, predicted: Array, *, delta: float = 1.0) -> Array:
    """Mean over the last axis."""
    target, predicted = broadcast_pair(target, predicted)
    distance = np.abs(predicted - target)
    bound = np.asarray(to_float(delta, "delta"), dtype=distance.dtype)
    near, far = np.square(distance) / 2, bound * distance - np.square(bound) / 2
    return _mean_over(np.where(distance <= bound, near, far), -1)


@weighted
def log_cosh_loss(target: Array, predicted: Array) -> Array:
    """Mean over the last axis."""
    target, predicted = broadcast_pair(target, predicted)
    error = predicted - target
    soft = softplus(np.atleast_1d(error * -2)).reshape(error.shape)
    values = error + soft - np.asarray(np.log(2), dtype=error.dtype)
    return _mean_over(values, -1)


@weighted
def poisson_deviance(target: Array, predicted: Array) -> Array:
    """``mu - y log(mu + 1e-7)``: half the deviance without the terms that depend only on y."""
    target, predicted = broadcast_pair(target, predicted)
    small = np.asarray(EPSILON, dtype=predicted.dtype)
    values = predicted - target * np.log(predicted + small)
    return _mean_over(values, -1)


@weighted
def squared_log_error(target: Array, predicted: Array) -> Array:
    """Mean over the last axis. Targets and predictions below 1e-7 count as 1e-7."""
    target, predicted = broadcast_pair(target, predicted)
    small = np.asarray(EPSILON, dtype=predicted.dtype)
    logs = [np.log(np.maximum(values, small) + 1) for values in (predicted, target)]
    return _mean_over(np.square(logs[0] - logs[1]), -1)


@weighted
def kl_divergence(target: Array, predicted: Array) -> Array:
    """Sum over the last axis. Both distributions are clipped to [1e-7, 1]."""
    target, predicted = broadcast_pair(target, predicted)
    if predicted.ndim == 0:
        raise InputError("q must have an axis of classes; got a single number")
    low, high = (np.asarray(bound, dtype=predicted.dtype) for bound in (EPSILON, 1))
    target, predicted = np.clip(target, low, high), np.clip(predicted, low, high)
    return total(target * np.log(target / predicted), -1)
