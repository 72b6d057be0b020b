"""What the losses of Keras 3.15.1 return on its torch backend, in plain NumPy.

Keras computes in ``dtype``, by default float32 (``keras.config.floatx()``); here the default
is the dtype of the predictions. In float64 its torch backend rounds some steps to float32,
which is not done here. The other backends differ in bad input alone: for a label out of
range, or an infinite raw score.
"""

from __future__ import annotations

import warnings

import numpy as np

from xentexp._numerics import Array, log_softmax, softplus
from xentexp.errors import InputError
from xentexp.metrics._compat.arrays import (
    class_numbers,
    dimension,
    mean,
    numbers,
    real,
    same_shape,
    stretched,
    switch,
    together,
    total,
    whole,
)
from xentexp.metrics._compat.keras_reduction import weighted
from xentexp.metrics._compat.torch import clamped_cross_entropy

EPSILON = 1e-7
"""``keras.config.epsilon()``."""

_NO_LABEL = -100  # torch's default ignore_index, which Keras' torch backend lets through


def _clip(proba: Array) -> Array:
    low, high = (np.asarray(bound, dtype=proba.dtype) for bound in (EPSILON, 1 - EPSILON))
    return np.clip(proba, low, high)


def _smooth(target: Array, label_smoothing: object, n_classes: int) -> Array:
    smoothing = real(label_smoothing, "label_smoothing")
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
    """BinaryCrossentropy: a mean over `axis`, so that (n,) is one sample of n columns."""
    same_shape(target, predicted)
    target = _smooth(target, label_smoothing, 2)
    if switch(from_logits, "from_logits"):
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
    """BinaryFocalCrossentropy: `alpha` counts with `apply_class_balancing` alone."""
    same_shape(target, predicted)
    target = _smooth(target, label_smoothing, 2)
    proba = 1 / (1 + np.exp(-predicted)) if switch(from_logits, "from_logits") else predicted
    values = clamped_cross_entropy(target, _clip(proba))
    true_proba = target * proba + (1 - target) * (1 - proba)
    values = np.power(1 - true_proba, real(gamma, "gamma")) * values
    share = real(alpha, "alpha")
    if switch(apply_class_balancing, "apply_class_balancing"):
        values = (target * share + (1 - target) * (1 - share)) * values
    return _mean_over(values, axis)


def _class_axis(axis: object, target: Array, predicted: Array) -> int:
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    same_shape(target, predicted)
    if predicted.shape[-1] == 1:
        warnings.warn(
            f"y_pred has shape {predicted.shape}, one class, of which the cross-entropy says "
            "nothing; binary_crossentropy takes the probability of one of two",
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
    """CategoricalCrossentropy: one-hot or soft targets; smoothing counts the last axis."""
    where = _class_axis(axis, target, predicted)
    target = _smooth(target, label_smoothing, target.shape[-1])
    if switch(from_logits, "from_logits"):
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
    """CategoricalFocalCrossentropy: `alpha` on every class, or one number for each."""
    where = _class_axis(axis, target, predicted)
    target = _smooth(target, label_smoothing, target.shape[-1])
    if switch(from_logits, "from_logits"):
        predicted = np.exp(_log_softmax(predicted, where))
    proba = _renormalised(predicted, where)
    weight = stretched(numbers(alpha, "alpha", proba.dtype), "alpha", proba.shape)
    factor = np.power(1 - proba, real(gamma, "gamma")) * weight
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
    """SparseCategoricalCrossentropy: class numbers; labels of `ignore_class` leave the mean."""
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    where = dimension(axis, predicted)
    if target.ndim == predicted.ndim and target.shape[where] == 1:
        target = np.squeeze(target, axis=where)
    rest = tuple(n for place, n in enumerate(predicted.shape) if place != where)
    if target.shape != rest:
        raise InputError(
            f"y_true must hold class numbers of shape {rest}, that of y_pred without its axis "
            f"{where}; its shape is {target.shape}"
        )
    mask = None
    if ignore_class is not None:
        mask = np.asarray(target != whole(ignore_class, "ignore_class"))
        target = np.where(mask, target, 0)
        predicted = np.where(np.expand_dims(mask, where), predicted, np.zeros_like(predicted))
    if switch(from_logits, "from_logits"):
        log_proba = _log_softmax(predicted, where)
    else:
        log_proba = np.log(_renormalised(predicted, where))
    labels, known = class_numbers(np.trunc(target), predicted.shape[where], _NO_LABEL)
    taken = np.take_along_axis(log_proba, np.expand_dims(labels, where), axis=where)
    values = np.squeeze(-taken, axis=where)
    counted = known if mask is None else known & mask
    values = np.where(counted, values, np.zeros_like(values))
    return values if mask is None else (values, mask)


@weighted
def generalized_crossentropy(target: Array, predicted: Array, *, q: float = 0.5) -> Array:
    """CategoricalGeneralizedCrossEntropy: class numbers; a negative one is no class, p = 0."""
    exponent = real(q, "q")
    if not 0 < exponent < 1:
        raise InputError(f"q must lie in (0, 1); got {q!r}")
    if predicted.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    labels, n_classes = np.trunc(target), predicted.shape[-1]
    if (labels >= n_classes).any():
        raise InputError(
            f"y_true must hold class numbers below {n_classes}; it holds {labels.max():g}"
        )
    one_hot = labels[..., np.newaxis] == np.arange(n_classes)
    chosen, proba = together(one_hot.astype(predicted.dtype), predicted)
    return (1 - np.power(total(proba * chosen, -1), exponent)) / exponent


def _margins(target: Array, predicted: Array) -> Array:
    if ((target == 0) | (target == 1)).all():
        target = 2 * target - 1
    target, scores = together(target, predicted)
    return np.asarray(np.maximum(1 - target * scores, np.zeros((), dtype=scores.dtype)))


@weighted
def hinge_loss(target: Array, predicted: Array) -> Array:
    """Hinge, a mean over the last axis; targets 0 and 1, or -1 and 1."""
    return _mean_over(_margins(target, predicted), -1)


@weighted
def squared_hinge_loss(target: Array, predicted: Array) -> Array:
    """SquaredHinge, a mean over the last axis; targets 0 and 1, or -1 and 1."""
    return _mean_over(np.square(_margins(target, predicted)), -1)


@weighted
def categorical_hinge(target: Array, predicted: Array) -> Array:
    """CategoricalHinge: the true class is compared as if it were a wrong class of score 0."""
    target, scores = together(target, predicted)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise InputError(f"y_pred must have an axis of classes; its shape is {scores.shape}")
    true, wrong = total(target * scores, -1), ((1 - target) * scores).max(axis=-1)
    return np.asarray(np.maximum(wrong - true + 1, np.zeros((), dtype=scores.dtype)))


@weighted
def squared_error(target: Array, predicted: Array) -> Array:
    """MeanSquaredError, a mean over the last axis."""
    target, predicted = together(target, predicted)
    return _mean_over(np.square(target - predicted), -1)


@weighted
def absolute_error(target: Array, predicted: Array) -> Array:
    """MeanAbsoluteError, a mean over the last axis."""
    target, predicted = together(target, predicted)
    return _mean_over(np.abs(target - predicted), -1)


@weighted
def huber_loss(target: Array, predicted: Array, *, delta: float = 1.0) -> Array:
    """Huber, a mean over the last axis."""
    target, predicted = together(target, predicted)
    distance = np.abs(predicted - target)
    bound = np.asarray(real(delta, "delta"), dtype=distance.dtype)
    near, far = np.square(distance) / 2, bound * distance - np.square(bound) / 2
    return _mean_over(np.where(distance <= bound, near, far), -1)


@weighted
def log_cosh_loss(target: Array, predicted: Array) -> Array:
    """LogCosh, a mean over the last axis."""
    target, predicted = together(target, predicted)
    error = predicted - target
    soft = softplus(np.atleast_1d(error * -2)).reshape(error.shape)
    values = error + soft - np.asarray(np.log(2), dtype=error.dtype)
    return _mean_over(values, -1)


@weighted
def poisson_deviance(target: Array, predicted: Array) -> Array:
    """Poisson: mu - y log(mu + 1e-7), half the deviance less a term of y alone."""
    target, predicted = together(target, predicted)
    small = np.asarray(EPSILON, dtype=predicted.dtype)
    values = predicted - target * np.log(predicted + small)
    return _mean_over(values, -1)


@weighted
def squared_log_error(target: Array, predicted: Array) -> Array:
    """MeanSquaredLogarithmicError: both raised to 1e-7 at least, a mean over the last axis."""
    target, predicted = together(target, predicted)
    small = np.asarray(EPSILON, dtype=predicted.dtype)
    logs = [np.log(np.maximum(values, small) + 1) for values in (predicted, target)]
    return _mean_over(np.square(logs[0] - logs[1]), -1)


@weighted
def kl_divergence(target: Array, predicted: Array) -> Array:
    """KLDivergence: both clipped to [1e-7, 1], a sum over the last axis."""
    target, predicted = together(target, predicted)
    if predicted.ndim == 0:
        raise InputError("q must have an axis of classes; got a single number")
    low, high = (np.asarray(bound, dtype=predicted.dtype) for bound in (EPSILON, 1))
    target, predicted = np.clip(target, low, high), np.clip(predicted, low, high)
    return total(target * np.log(target / predicted), -1)
