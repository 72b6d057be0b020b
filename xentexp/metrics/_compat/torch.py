"""What the losses of ``torch.nn`` 2.13.0 return on the CPU, in plain NumPy.

Targets and weights are rounded to the dtype of the predictions, where torch wants to be
given the same dtype. ``from_logits`` is no keyword of torch's: it chooses between the loss
on raw scores and the one on probabilities.
"""

from __future__ import annotations

import warnings

import numpy as np

from xentexp._numerics import Array, log_softmax, softplus
from xentexp.errors import InputError
from xentexp.metrics._compat.arrays import (
    between_0_and_1,
    choice,
    class_numbers,
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

_REDUCTIONS = ("mean", "sum", "none")


def _pair(y_true: object, y_pred: object) -> tuple[Array, Array]:
    predicted = numbers(y_pred, "y_pred")
    return numbers(y_true, "y_true", predicted.dtype), predicted


def _reduce(values: Array, reduction: object) -> Array:
    how = choice(reduction, "reduction", _REDUCTIONS)
    if how == "none":
        return values
    return mean(values) if how == "mean" else total(values)


def clamped_cross_entropy(target: Array, proba: Array) -> Array:
    """``binary_cross_entropy``: no logarithm is below -100; NaN is out of [0, 1]."""
    between_0_and_1(proba, "y_pred")
    between_0_and_1(target, "y_true")
    lowest = np.asarray(-100, dtype=proba.dtype)
    negative, positive = np.log1p(-proba), np.log(proba)
    negative, positive = np.maximum(negative, lowest), np.maximum(positive, lowest)
    return np.asarray((target - 1) * negative - target * positive)


def binary_crossentropy(
    y_true: object,
    y_pred: object,
    *,
    from_logits: bool = False,
    weight: object = None,
    pos_weight: object = None,
    reduction: str = "mean",
) -> Array:
    """BCELoss, or BCEWithLogitsLoss with `from_logits`."""
    target, predicted = _pair(y_true, y_pred)
    same_shape(target, predicted)
    if switch(from_logits, "from_logits"):
        log_sigmoid = -softplus(np.atleast_1d(-predicted)).reshape(predicted.shape)
        if pos_weight is not None:
            positive = numbers(pos_weight, "pos_weight", predicted.dtype)
            positive = stretched(positive, "pos_weight", predicted.shape)
            log_sigmoid = log_sigmoid * ((positive - 1) * target + 1)
        values = (1 - target) * predicted - log_sigmoid
    else:
        if pos_weight is not None:
            raise InputError("pos_weight is for BCEWithLogitsLoss; use from_logits=True with it")
        values = clamped_cross_entropy(target, predicted)
    if weight is not None:
        values = values * stretched(
            numbers(weight, "weight", predicted.dtype), "weight", predicted.shape
        )
    return _reduce(values, reduction)


def categorical_crossentropy(
    y_true: object,
    y_pred: object,
    *,
    from_logits: bool = False,
    weight: object = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """CrossEntropyLoss with `from_logits`, or NLLLoss on the logarithms of `y_pred`."""
    ignored = whole(ignore_index, "ignore_index")
    target, scores = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
    how = choice(reduction, "reduction", _REDUCTIONS)
    smoothing = real(label_smoothing, "label_smoothing")
    if scores.ndim == 0:
        raise InputError("y_pred must have an axis of classes; got a single number")
    axis = 0 if scores.ndim == 1 else 1
    by_class = np.moveaxis(scores, axis, 0)
    n_classes = len(by_class)
    class_weight = None
    if weight is not None:
        class_weight = numbers(weight, "weight", scores.dtype)
        if class_weight.shape != (n_classes,):
            raise InputError(
                f"weight must have shape ({n_classes},), one for each class; got "
                f"{class_weight.shape}"
            )
    soft = target.shape == scores.shape
    if switch(from_logits, "from_logits"):
        if smoothing > 1.0:
            raise InputError(f"label_smoothing must lie in [0, 1]; got {smoothing}")
        smoothing = max(smoothing, 0.0)  # torch takes a negative one as none
        log_proba = log_softmax(by_class)[0] if by_class.size else by_class
    else:
        if soft:
            raise InputError(
                "y_true must be class numbers: NLLLoss takes no distributions; use "
                "from_logits=True for CrossEntropyLoss"
            )
        if smoothing:
            raise InputError(
                "label_smoothing is for CrossEntropyLoss; use from_logits=True with it"
            )
        log_proba = np.log(by_class)
    if soft:
        if ignored >= 0:
            raise InputError(
                f"ignore_index is for class numbers, not for distributions; got {ignored}"
            )
        by_class_target = np.moveaxis(target, axis, 0).astype(scores.dtype)
        if smoothing:
            by_class_target = by_class_target * (1 - smoothing) + smoothing / n_classes
        return _of_distributions(log_proba, by_class_target, class_weight, how)
    return _of_numbers(log_proba, target, class_weight, ignored, smoothing, how)


def _by_class(class_weight: Array, log_proba: Array) -> Array:
    return class_weight.reshape(-1, *(1,) * (log_proba.ndim - 1))


def _of_distributions(
    log_proba: Array, target: Array, class_weight: Array | None, how: str
) -> Array:
    products = log_proba * target
    if class_weight is not None:
        products = products * _by_class(class_weight, log_proba)
    if how == "none":
        return -total(products, 0)
    # Over the number of rows, whatever the weights: an index target is divided by theirs.
    n_rows = np.asarray(log_proba[0].size, dtype=log_proba.dtype)
    return np.asarray(-total(products) / n_rows) if how == "mean" else -total(products)


def _of_numbers(
    log_proba: Array,
    target: Array,
    class_weight: Array | None,
    ignore_index: int,
    smoothing: float,
    how: str,
) -> Array:
    rest = log_proba.shape[1:]
    if log_proba.ndim == 1 and target.shape == (1,):
        target = target.reshape(())
    if target.shape != rest:
        raise InputError(
            f"y_true must hold class numbers of shape {rest}, or distributions of the shape of "
            f"y_pred; its shape is {target.shape}"
        )
    labels, counted = class_numbers(target, len(log_proba), ignore_index)
    taken = np.take_along_axis(log_proba, labels[np.newaxis], axis=0)[0]
    weights = np.ones_like(taken) if class_weight is None else class_weight[labels]
    weights = np.where(counted, weights, np.zeros_like(weights))
    values: Array = np.where(counted, -taken * weights, np.zeros_like(taken))
    smooth: Array | None = None
    if smoothing:
        scaled = log_proba
        if class_weight is not None:
            scaled = log_proba * _by_class(class_weight, log_proba)
        smooth = np.where(counted, -total(scaled, 0), np.zeros_like(taken))
    if how != "none":
        divisor = total(weights) if how == "mean" else np.ones((), dtype=log_proba.dtype)
        values = np.asarray(total(values) / divisor)
        smooth = None if smooth is None else total(smooth) / divisor
    if smooth is None:
        return values
    return np.asarray((1 - smoothing) * values + smooth * (smoothing / len(log_proba)))


def multi_margin_loss(
    y_true: object,
    y_pred: object,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: object = None,
    reduction: str = "mean",
) -> Array:
    """MultiMarginLoss: the sum over the wrong classes, divided by the number of classes."""
    target, scores = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
    how = choice(reduction, "reduction", _REDUCTIONS)
    if p not in (1, 2):
        raise InputError(f"p must be 1 or 2; got {p!r}")
    if scores.ndim not in (1, 2) or scores.shape[-1] == 0:
        raise InputError(f"y_pred must have shape (n, k) or (k,); got {scores.shape}")
    rows = scores.reshape(-1, scores.shape[-1])
    fits = target.shape == (len(rows),) or (scores.ndim == 1 and target.shape == ())
    if not fits:
        raise InputError(
            f"y_true must hold a class number for each of {len(rows)} rows; its shape is "
            f"{target.shape}"
        )
    if how == "mean" and len(rows) == 0:
        raise InputError("y_pred is empty, of which torch's mean is undefined memory; give a row")
    labels, _ = class_numbers(np.atleast_1d(target), rows.shape[1], None)
    true = np.take_along_axis(rows, labels[:, np.newaxis], axis=1)
    lead = np.asarray(real(margin, "margin"), dtype=rows.dtype) - true + rows
    lead = np.where(lead > 0, lead, np.zeros_like(lead))  # NaN counts as 0, as it does there
    np.put_along_axis(lead, labels[:, np.newaxis], 0, axis=1)
    terms = lead if p == 1 else lead * lead
    if weight is not None:
        class_weight = numbers(weight, "weight", rows.dtype)
        if class_weight.shape != (rows.shape[1],):
            raise InputError(
                f"weight must have shape ({rows.shape[1]},), one for each class; got "
                f"{class_weight.shape}"
            )
        terms = terms * class_weight[labels][:, np.newaxis]
    values = mean(terms, 1)
    return _reduce(values.reshape(target.shape) if how == "none" else values, how)


def logistic_margin_loss(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """SoftMarginLoss: log(1 + exp(-y x)), y = +-1; infinite where the exponential overflows."""
    target, scores = _pair(y_true, y_pred)
    margin = stretched(target, "y_true", scores.shape) * scores
    return _reduce(np.log1p(np.exp(-margin)), reduction)


def _numbers_of_a_regression(y_true: object, y_pred: object) -> tuple[Array, Array]:
    target, predicted = _pair(y_true, y_pred)
    if target.shape != predicted.shape:
        warnings.warn(
            f"y_true has shape {target.shape} and y_pred {predicted.shape}: torch broadcasts "
            "them, which is likely not what is meant",
            UserWarning,
            stacklevel=2,
        )
    return together(target, predicted)


def squared_error(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """MSELoss."""
    target, predicted = _numbers_of_a_regression(y_true, y_pred)
    return _reduce(np.square(predicted - target), reduction)


def absolute_error(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """L1Loss."""
    target, predicted = _numbers_of_a_regression(y_true, y_pred)
    return _reduce(np.abs(predicted - target), reduction)


def huber_loss(
    y_true: object,
    y_pred: object,
    *,
    delta: float | None = None,
    beta: float | None = None,
    reduction: str = "mean",
) -> Array:
    """HuberLoss of `delta` (1.0), or SmoothL1Loss where `beta` is given."""
    target, predicted = _numbers_of_a_regression(y_true, y_pred)
    distance = np.abs(predicted - target)
    half = np.asarray(0.5, dtype=distance.dtype)
    if beta is None:
        bound = np.asarray(real(1.0 if delta is None else delta, "delta"), dtype=distance.dtype)
        if not bound > 0:
            raise InputError(f"delta must be > 0; got {delta!r}")
        near, far = half * distance * distance, bound * (distance - half * bound)
        return _reduce(np.where(distance < bound, near, far), reduction)
    if delta is not None:
        raise InputError("delta is HuberLoss', beta SmoothL1Loss'; give one of them")
    bound = np.asarray(real(beta, "beta"), dtype=distance.dtype)
    if not bound >= 0:
        raise InputError(f"beta must be >= 0; got {beta!r}")
    if bound == 0:
        return _reduce(distance, reduction)
    near, far = half * distance * distance / bound, distance - half * bound
    return _reduce(np.where(distance < bound, near, far), reduction)


def poisson_deviance(
    y_true: object,
    y_pred: object,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    """PoissonNLLLoss: exp(x) - y x by default, so `y_pred` is then the logarithm of the mean."""
    target, predicted = together(*_pair(y_true, y_pred))
    if switch(log_input, "log_input"):
        values = np.exp(predicted) - target * predicted
    else:
        small = np.asarray(real(eps, "eps"), dtype=predicted.dtype)
        values = predicted - target * np.log(predicted + small)
    if switch(full, "full"):
        two_pi = np.asarray(2 * np.pi, dtype=target.dtype)
        stirling = target * np.log(target) - target + np.log(two_pi * target) / 2
        values = values + np.where(target <= 1, np.zeros_like(stirling), stirling)
    return _reduce(values.astype(predicted.dtype), reduction)


def kl_divergence(
    y_true: object, y_pred: object, *, log_target: bool = False, reduction: str = "mean"
) -> Array:
    """KLDivLoss of the logarithm of the second distribution; its mean is over elements."""
    target, predicted = _pair(y_true, y_pred)
    how = choice(reduction, "reduction", (*_REDUCTIONS, "batchmean"))
    target, log_predicted = together(target, np.log(predicted), ("p", "q"))
    if switch(log_target, "log_target"):
        values = np.exp(target) * (target - log_predicted)
    else:
        logarithm = target * np.log(target)
        zero = np.zeros_like(target)
        values = np.where(target == 0, zero, logarithm) - target * log_predicted
    if how != "batchmean":
        return _reduce(values, how)
    n_rows = len(predicted) if predicted.ndim else 1
    return np.asarray(total(values) / np.asarray(n_rows, dtype=values.dtype))
