"""What the metrics of scikit-learn 1.9.1 return, in plain NumPy.

Labels are labels here, text as well, and not class numbers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from xentexp._numerics import Array
from xentexp.errors import InputError
from xentexp.metrics._compat.arrays import numbers, switch
from xentexp.metrics._compat.labels import indicators, kind_of, positions, read_labels

_NOT_ONE = "The values of y_pred do not sum to one. Make sure to pass probabilities."


def _finite(values: object, name: str, dtype: DTypeLike | None = None) -> Array:
    array = numbers(values, name, dtype)
    if array.ndim == 0 or array.ndim > 2:
        raise InputError(f"{name} must have one or two dimensions; its shape is {array.shape}")
    if array.size == 0:
        raise InputError(f"{name} is empty; at least one row is needed")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)].flat[0]
        raise InputError(f"{name} must be finite; it holds {bad}")
    return array


def _weight(sample_weight: object, n_rows: int) -> Array | None:
    if sample_weight is None:
        return None
    weight = _finite(sample_weight, "sample_weight")
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight must have shape ({n_rows},), one for each row; got {weight.shape}"
        )
    if not weight.any():
        raise InputError("sample_weight is zero for every row; at least one must be positive")
    return weight


def _same_length(y_true: Array, y_pred: Array) -> None:
    if len(y_true) != len(y_pred):
        raise InputError(f"y_true has {len(y_true)} rows but y_pred has {len(y_pred)}")


def _average(values: Array, weight: Array | None, normalize: bool = True) -> Array:
    if not normalize:
        return np.asarray(values.sum(axis=0) if weight is None else weight @ values)
    if weight is not None and weight.sum() == 0:
        raise InputError("sample_weight sums to zero; the mean divides by the sum")
    return np.asarray(np.average(values, axis=0, weights=weight))


def _multiclass(
    y_true: object, proba: Array, sample_weight: object, labels: object
) -> tuple[Array, Array, Array | None]:
    _in_unit_interval(proba)
    _same_length(read_labels(y_true, "y_true"), proba)
    weight = _weight(sample_weight, len(proba))
    target = indicators(y_true, labels)
    if proba.ndim == 1 or proba.shape[1] == 1:
        positive = proba.reshape(-1)
        proba = np.stack([1 - positive, positive], axis=1)
    tolerance = np.sqrt(np.finfo(proba.dtype).eps)
    if not np.isclose(proba.sum(axis=1), 1, rtol=tolerance).all():
        warnings.warn(_NOT_ONE, UserWarning, stacklevel=2)
    if target.shape[1] != proba.shape[1]:
        raise InputError(
            f"y_pred has {proba.shape[1]} columns but there are {target.shape[1]} classes; give "
            f"every class as labels"
        )
    return target.astype(proba.dtype), proba, weight


def _in_unit_interval(proba: Array) -> None:
    if proba.min() < 0 or proba.max() > 1:
        bad = proba.max() if proba.max() > 1 else proba.min()
        raise InputError(f"y_pred must lie in [0, 1]; it holds {bad}")


def log_loss(
    y_true: object,
    y_pred: object,
    *,
    normalize: bool = True,
    sample_weight: object = None,
    labels: object = None,
) -> Array:
    """Clip at the precision of the dtype, above as well; rows are never renormalised."""
    mean_wanted = switch(normalize, "normalize")
    proba = _finite(y_pred, "y_pred")
    target, proba, weight = _multiclass(y_true, proba, sample_weight, labels)
    eps = np.finfo(proba.dtype).eps
    logarithm = np.log(np.clip(proba, eps, 1 - eps))
    return _average(-(target * logarithm).sum(axis=1), weight, mean_wanted)


def brier_score_loss(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    pos_label: Any = None,
    labels: object = None,
    scale_by_half: bool | str = "auto",
) -> Array:
    """Half the sum over classes for two of them; `pos_label` for y_pred of shape (n,) alone."""
    if not (isinstance(scale_by_half, str) and scale_by_half == "auto"):
        switch(scale_by_half, "scale_by_half")
    proba = _finite(y_pred, "y_pred")
    if proba.ndim == 2 and proba.shape[1] > 1:
        target, proba, weight = _multiclass(y_true, proba, sample_weight, labels)
        half = proba.shape[1] == 2
    else:
        proba = proba.reshape(-1)
        given = read_labels(y_true, "y_true")
        _same_length(given, proba)
        weight = _weight(sample_weight, len(proba))
        if (kind := kind_of(given, "y_true")) != "binary":
            raise InputError(f"y_true must be binary for y_pred of shape (n,); it is {kind}")
        _in_unit_interval(proba)
        positive = np.asarray(given == _positive(given, pos_label), dtype=proba.dtype)
        target, proba = (np.stack([1 - one, one], axis=1) for one in (positive, proba))
        half = True
    values = _average(np.square(target - proba).sum(axis=1), weight)
    half = half if isinstance(scale_by_half, str) else bool(scale_by_half)
    return values * np.asarray(0.5, values.dtype) if half else values


def _positive(labels: Array, pos_label: Any) -> Any:
    if pos_label is not None:
        return pos_label
    if labels.dtype.kind in "US":
        raise InputError("pos_label must be given where y_true holds text; got None")
    classes = np.unique(labels).tolist()
    return 1 if set(classes) <= {0, 1} or set(classes) <= {-1, 1} else classes[-1]


def hinge_loss(
    y_true: object, y_pred: object, *, labels: object = None, sample_weight: object = None
) -> Array:
    """Two classes: one class alone counts as the negative one, whatever `labels` say."""
    scores = _finite(y_pred, "y_pred")
    given = read_labels(y_true, "y_true")
    if given.ndim > 1:
        raise InputError(f"y_true must have shape (n,); its shape is {given.shape}")
    _same_length(given, scores)
    weight = None
    if sample_weight is not None:
        weight = numbers(sample_weight, "sample_weight")
        if weight.shape != (len(given),):
            raise InputError(
                f"sample_weight must have shape ({len(given)},), one for each row; got "
                f"{weight.shape}"
            )
    classes = np.unique(given if labels is None else read_labels(labels, "labels"))
    if len(classes) > 2:
        if scores.ndim == 1 or scores.shape[1] != len(classes):
            raise InputError(
                f"y_pred must have a column for each of {len(classes)} classes; its shape is "
                f"{scores.shape}"
            )
        true = np.zeros(scores.shape, dtype=bool)
        true[np.arange(len(given)), positions(given, classes)] = True
        margin = scores[true] - np.where(true, -np.inf, scores).max(axis=1)
    else:
        if scores.ndim == 2 and scores.shape[1] != 1:
            raise InputError(
                f"y_pred must have shape (n,) for two classes; its shape is {scores.shape}"
            )
        kind_of(given, "y_true")
        margin = _signs(given) * scores.reshape(-1)
    return _average(np.maximum(1 - margin, 0), weight)


def _signs(labels: Array) -> Array:
    """First column of LabelBinarizer(neg_label=-1), which never hears of the `labels`."""
    classes = np.unique(labels)
    if len(classes) == 1:
        return np.full(len(labels), -1.0)
    positive = classes[1] if len(classes) == 2 else classes[0]
    return np.where(labels == positive, 1.0, -1.0)


def zero_one_loss(
    y_true: object, y_pred: object, *, normalize: bool = True, sample_weight: object = None
) -> Array:
    """Predicted labels, not probabilities; rows of 0 and 1 count as wrong if any label is."""
    mean_wanted = switch(normalize, "normalize")
    given, predicted = read_labels(y_true, "y_true"), read_labels(y_pred, "y_pred")
    _same_length(given, predicted)
    kinds = [kind_of(given, "y_true"), kind_of(predicted, "y_pred")]
    if ("indicator" in kinds and kinds[0] != kinds[1]) or given.shape[1:] != predicted.shape[1:]:
        raise InputError(
            f"y_pred must hold predicted labels like y_true; their shapes are {predicted.shape} "
            f"and {given.shape}"
        )
    if (given.dtype.kind in "US") != (predicted.dtype.kind in "US"):
        raise InputError("y_true and y_pred must both hold text, or both hold numbers")
    weight = _weight(sample_weight, len(given))
    wrong = np.asarray(given != predicted).reshape(len(given), -1).any(axis=1)
    score = _average(np.asarray(1.0 - wrong), weight, mean_wanted)
    if mean_wanted:
        return np.asarray(1 - score)
    return np.asarray((len(given) if weight is None else weight.sum()) - score)


def _regression(
    y_true: object, y_pred: object, sample_weight: object
) -> tuple[Array, Array, Array | None]:
    """Columns of numbers in the highest precision that any array has."""
    arrays = [value for value in (y_true, y_pred, sample_weight) if hasattr(value, "dtype")]
    floats = [np.asarray(array).dtype for array in arrays if np.asarray(array).dtype.kind == "f"]
    dtype = np.result_type(*floats) if floats else np.dtype(np.float64)
    target, predicted = _finite(y_true, "y_true", dtype), _finite(y_pred, "y_pred", dtype)
    _same_length(target, predicted)
    target, predicted = target.reshape(len(target), -1), predicted.reshape(len(predicted), -1)
    if target.shape != predicted.shape:
        raise InputError(
            f"y_true has {target.shape[1]} columns but y_pred has {predicted.shape[1]}"
        )
    weight = _weight(sample_weight, len(target))
    return target, predicted, None if weight is None else weight.astype(dtype)


def _over_outputs(values: Array, weight: Array | None, multioutput: object) -> Array:
    by_output = _average(values, weight)
    if isinstance(multioutput, str):
        if multioutput == "raw_values":
            return by_output
        if multioutput == "uniform_average":
            return np.asarray(by_output.mean())
    if multioutput is None or isinstance(multioutput, str):
        raise InputError(
            f"multioutput must be 'raw_values', 'uniform_average' or weights; got {multioutput!r}"
        )
    shares = numbers(multioutput, "multioutput")
    if by_output.size == 1 or shares.shape != by_output.shape:
        raise InputError(
            f"multioutput must be a weight for each of two or more columns; there are "
            f"{by_output.size} columns and its shape is {shares.shape}"
        )
    return _average(by_output, shares)


def mean_squared_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Numbers, not labels; the mean over columns counts them alike."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    return _over_outputs(np.square(target - predicted), weight, multioutput)


def mean_absolute_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Numbers, not labels; the mean over columns counts them alike."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    return _over_outputs(np.abs(predicted - target), weight, multioutput)


def mean_squared_log_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Numbers above -1."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    lowest = min(target.min(), predicted.min())
    if lowest <= -1:
        raise InputError(f"y_true and y_pred must be > -1; got {lowest}")
    return _over_outputs(np.square(np.log1p(target) - np.log1p(predicted)), weight, multioutput)


def mean_poisson_deviance(y_true: object, y_pred: object, *, sample_weight: object = None) -> Array:
    """2 (y log(y / mu) - y + mu) of one column; y >= 0, mu > 0."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    if target.shape[1] > 1:
        raise InputError(f"y_true must be one column; its shape is {target.shape}")
    if target.min() < 0:
        raise InputError(f"y_true must be >= 0; it holds {target.min()}")
    if predicted.min() <= 0:
        raise InputError(f"y_pred must be > 0; it holds {predicted.min()}")
    target, predicted = target[:, 0], predicted[:, 0]
    ratio = np.where(target > 0, target / predicted, np.ones_like(target))
    return _average(2 * (target * np.log(ratio) - target + predicted), weight)
