"""Losses of ``torch.nn`` 2.13.0, with the numbers that they return on the CPU, in NumPy.

torch requires targets and weights of the dtype of the predictions; here they are converted to
it. ``from_logits`` is not a keyword of torch: it selects the loss of raw scores instead of the
loss of probabilities.
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
    check_unit_interval,
    class_numbers,
    mean,
    numbers,
    to_bool,
    to_choice,
    to_float,
    to_int,
    total,
)

_REDUCTIONS = ("mean", "sum", "none")


def _pair(y_true: object, y_pred: object) -> tuple[Array, Array]:
    predicted = numbers(y_pred, "y_pred")
    return numbers(y_true, "y_true", predicted.dtype), predicted


def _reduce(values: Array, reduction: object) -> Array:
    method = to_choice(reduction, "reduction", _REDUCTIONS)
    if method == "none":
        return values
    return mean(values) if method == "mean" else total(values)


def clamped_cross_entropy(target: Array, proba: Array) -> Array:
    """``binary_cross_entropy``: logarithms below -100 count as -100; NaN is refused."""
    check_unit_interval(proba, "y_pred")
    check_unit_interval(target, "y_true")
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
    """BCEWithLogitsLoss with ``from_logits=True``, BCELoss otherwise."""
    target, predicted = _pair(y_true, y_pred)
    check_same_shape(target, predicted)
    if to_bool(from_logits, "from_logits"):
        log_sigmoid = -softplus(np.atleast_1d(-predicted)).reshape(predicted.shape)
        if pos_weight is not None:
            positive = numbers(pos_weight, "pos_weight", predicted.dtype)
            positive = broadcast_to(positive, "pos_weight", predicted.shape)
            log_sigmoid = log_sigmoid * ((positive - 1) * target + 1)
        values = (1 - target) * predicted - log_sigmoid
    else:
        if pos_weight is not None:
            raise InputError("pos_weight is a keyword of BCEWithLogitsLoss; use from_logits=True")
        values = clamped_cross_entropy(target, predicted)
    if weight is not None:
        values = values * broadcast_to(
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
    """CrossEntropyLoss with ``from_logits=True``, else NLLLoss of the logarithms of `y_pred`."""
    ignored = to_int(ignore_index, "ignore_index")
    target, scores = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
    method = to_choice(reduction, "reduction", _REDUCTIONS)
    smoothing = to_float(label_smoothing, "label_smoothing")
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
    if to_bool(from_logits, "from_logits"):
        if smoothing > 1.0:
            raise InputError(f"label_smoothing must lie in [0, 1]; got {smoothing}")
        smoothing = max(smoothing, 0.0)  # torch treats a negative number as 0
        log_proba = log_softmax(by_class)[0] if by_class.size else by_class
    else:
        if soft:
            raise InputError(
                "y_true must be class numbers for NLLLoss; got target probabilities; use "
                "from_logits=True for CrossEntropyLoss"
            )
        if smoothing:
            raise InputError(
                "label_smoothing is a keyword of CrossEntropyLoss; use from_logits=True"
            )
        log_proba = np.log(by_class)
    if soft:
        if ignored >= 0:
            raise InputError(
                f"ignore_index must be negative for target probabilities; got {ignored}"
            )
        by_class_target = np.moveaxis(target, axis, 0).astype(scores.dtype)
        if smoothing:
            by_class_target = by_class_target * (1 - smoothing) + smoothing / n_classes
        return _of_distributions(log_proba, by_class_target, class_weight, method)
    return _of_numbers(log_proba, target, class_weight, ignored, smoothing, method)


def _by_class(class_weight: Array, log_proba: Array) -> Array:
    return class_weight.reshape(-1, *(1,) * (log_proba.ndim - 1))


def _of_distributions(
    log_proba: Array, target: Array, class_weight: Array | None, method: str
) -> Array:
    products = log_proba * target
    if class_weight is not None:
        products = products * _by_class(class_weight, log_proba)
    if method == "none":
        return -total(products, 0)
    # Unlike for class numbers, the mean divides by the number of rows, not by the weights.
    n_rows = np.asarray(log_proba[0].size, dtype=log_proba.dtype)
    return np.asarray(-total(products) / n_rows) if method == "mean" else -total(products)


def _of_numbers(
    log_proba: Array,
    target: Array,
    class_weight: Array | None,
    ignore_index: int,
    smoothing: float,
    method: str,
) -> Array:
    rest = log_proba.shape[1:]
    if log_proba.ndim == 1 and target.shape == (1,):
        target = target.reshape(())
    if target.shape != rest:
        raise InputError(
            f"y_true must be class numbers of shape {rest}, or target probabilities of the shape "
            f"of y_pred; its shape is {target.shape}"
        )
    labels, counted = class_numbers(target, len(log_proba), ignore_index)
    log_true = np.take_along_axis(log_proba, labels[np.newaxis], axis=0)[0]
    weights = np.ones_like(log_true) if class_weight is None else class_weight[labels]
    weights = np.where(counted, weights, np.zeros_like(weights))
    values: Array = np.where(counted, -log_true * weights, np.zeros_like(log_true))
    smooth: Array | None = None
    if smoothing:
        scaled = log_proba
        if class_weight is not None:
            scaled = log_proba * _by_class(class_weight, log_proba)
        smooth = np.where(counted, -total(scaled, 0), np.zeros_like(log_true))
    if method != "none":
        divisor = total(weights) if method == "mean" else np.ones((), dtype=log_proba.dtype)
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
    """Sum over the wrong classes, divided by the number of all classes."""
    target, scores = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
    method = to_choice(reduction, "reduction", _REDUCTIONS)
    if p not in (1, 2):
        raise InputError(f"p must be 1 or 2; got {p!r}")
    if scores.ndim not in (1, 2) or scores.shape[-1] == 0:
        raise InputError(f"y_pred must have shape (n, k) or (k,); got {scores.shape}")
    rows = scores.reshape(-1, scores.shape[-1])
    fits = target.shape == (len(rows),) or (scores.ndim == 1 and target.shape == ())
    if not fits:
        raise InputError(
            f"y_true must have a class number for each of {len(rows)} rows; its shape is "
            f"{target.shape}"
        )
    if method == "mean" and len(rows) == 0:
        raise InputError(
            "y_pred must have at least one row; it is empty, and torch returns uninitialized memory"
        )
    labels, _ = class_numbers(np.atleast_1d(target), rows.shape[1], None)
    true = np.take_along_axis(rows, labels[:, np.newaxis], axis=1)
    lead = np.asarray(to_float(margin, "margin"), dtype=rows.dtype) - true + rows
    lead = np.where(lead > 0, lead, np.zeros_like(lead))  # NaN counts as 0, as in torch
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
    return _reduce(values.reshape(target.shape) if method == "none" else values, method)


def logistic_margin_loss(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """``log(1 + exp(-y x))`` with y = +-1; infinite if the exponential overflows."""
    target, scores = _pair(y_true, y_pred)
    margin = broadcast_to(target, "y_true", scores.shape) * scores
    return _reduce(np.log1p(np.exp(-margin)), reduction)


def _regression_pair(y_true: object, y_pred: object) -> tuple[Array, Array]:
    target, predicted = _pair(y_true, y_pred)
    if target.shape != predicted.shape:
        warnings.warn(
            f"y_true and y_pred should have the same shape; got {target.shape} and "
            f"{predicted.shape}, which torch broadcasts",
            UserWarning,
            stacklevel=2,
        )
    return broadcast_pair(target, predicted)


def squared_error(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """Mean of ``(y_pred - y_true)^2`` over all elements."""
    target, predicted = _regression_pair(y_true, y_pred)
    return _reduce(np.square(predicted - target), reduction)


def absolute_error(y_true: object, y_pred: object, *, reduction: str = "mean") -> Array:
    """Mean of ``|y_pred - y_true|`` over all elements."""
    target, predicted = _regression_pair(y_true, y_pred)
    return _reduce(np.abs(predicted - target), reduction)


def huber_loss(
    y_true: object,
    y_pred: object,
    *,
    delta: float | None = None,
    beta: float | None = None,
    reduction: str = "mean",
) -> Array:
    """HuberLoss with `delta` (1.0 by default), or SmoothL1Loss if `beta` is given."""
    target, predicted = _regression_pair(y_true, y_pred)
    distance = np.abs(predicted - target)
    half = np.asarray(0.5, dtype=distance.dtype)
    if beta is None:
        bound = np.asarray(to_float(1.0 if delta is None else delta, "delta"), dtype=distance.dtype)
        if not bound > 0:
            raise InputError(f"delta must be > 0; got {delta!r}")
        near, far = half * distance * distance, bound * (distance - half * bound)
        return _reduce(np.where(distance < bound, near, far), reduction)
    if delta is not None:
        raise InputError("delta (HuberLoss) and beta (SmoothL1Loss) must not both be given")
    bound = np.asarray(to_float(beta, "beta"), dtype=distance.dtype)
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
    """``exp(x) - y x`` by default, where `y_pred` is x, the logarithm of the mean."""
    target, predicted = broadcast_pair(*_pair(y_true, y_pred))
    if to_bool(log_input, "log_input"):
        values = np.exp(predicted) - target * predicted
    else:
        small = np.asarray(to_float(eps, "eps"), dtype=predicted.dtype)
        values = predicted - target * np.log(predicted + small)
    if to_bool(full, "full"):
        two_pi = np.asarray(2 * np.pi, dtype=target.dtype)
        stirling = target * np.log(target) - target + np.log(two_pi * target) / 2
        values = values + np.where(target <= 1, np.zeros_like(stirling), stirling)
    return _reduce(values.astype(predicted.dtype), reduction)


def kl_divergence(
    y_true: object, y_pred: object, *, log_target: bool = False, reduction: str = "mean"
) -> Array:
    """The logarithm of `q` is the input of KLDivLoss. The mean is over all elements."""
    target, predicted = _pair(y_true, y_pred)
    method = to_choice(reduction, "reduction", (*_REDUCTIONS, "batchmean"))
    target, log_predicted = broadcast_pair(target, np.log(predicted), ("p", "q"))
    if to_bool(log_target, "log_target"):
        values = np.exp(target) * (target - log_predicted)
    else:
        logarithm = target * np.log(target)
        zero = np.zeros_like(target)
        values = np.where(target == 0, zero, logarithm) - target * log_predicted
    if method != "batchmean":
        return _reduce(values, method)
    n_rows = len(predicted) if predicted.ndim else 1
    return np.asarray(total(values) / np.asarray(n_rows, dtype=values.dtype))
