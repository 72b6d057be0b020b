"""Metrics of scikit-learn 1.9.1, with the same numbers, in NumPy.

Unlike with Keras and torch, targets are labels (numbers or strings), not class numbers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from xentexp._inputs.asarray import as_array
from xentexp._numerics import Array
from xentexp.errors import InputError
from xentexp.metrics._compat.arrays import numbers, to_bool
from xentexp.metrics._compat.labels import (
    comparable,
    differing_rows,
    indicators,
    is_sparse,
    kind_of,
    positions,
    read_labels,
)

_NOT_ONE = "The values of y_pred do not sum to one. Make sure to pass probabilities."


def _finite(values: object, name: str, dtype: DTypeLike | None = None) -> Array:
    array = numbers(values, name, dtype)
    if array.ndim == 0 or array.ndim > 2:
        raise InputError(f"{name} must have one or two dimensions; its shape is {array.shape}")
    if array.size == 0:
        raise InputError(f"{name} must have at least one row; it is empty")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)].flat[0]
        raise InputError(f"{name} must be finite; got {bad}")
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
        raise InputError("sample_weight must have at least one value other than 0; all are 0")
    return weight


def _same_length(y_true: Array, y_pred: Array) -> None:
    if len(y_true) != len(y_pred):
        raise InputError(
            f"y_true and y_pred must have the same length; got {len(y_true)} and {len(y_pred)}"
        )


def _average(values: Array, weight: Array | None, normalize: bool = True) -> Array:
    if not normalize:
        return np.asarray(values.sum(axis=0) if weight is None else weight @ values)
    if weight is not None and weight.sum() == 0:
        raise InputError(
            "sample_weight must have a sum other than 0, by which the mean divides; got 0"
        )
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
            f"y_pred must have a column for each of {target.shape[1]} classes; got "
            f"{proba.shape[1]}; pass labels= with every class"
        )
    return target.astype(proba.dtype), proba, weight


def _in_unit_interval(proba: Array) -> None:
    if proba.min() < 0 or proba.max() > 1:
        bad = proba.max() if proba.max() > 1 else proba.min()
        raise InputError(f"y_pred must lie in [0, 1]; got {bad}")


def log_loss(
    y_true: object,
    y_pred: object,
    *,
    normalize: bool = True,
    sample_weight: object = None,
    labels: object = None,
) -> Array:
    """Clips to [eps, 1 - eps], eps the precision of the dtype. Rows are not renormalised."""
    is_mean = to_bool(normalize, "normalize")
    proba = _finite(y_pred, "y_pred")
    target, proba, weight = _multiclass(y_true, proba, sample_weight, labels)
    return _average(_log_losses(target, proba), weight, is_mean)


def _log_losses(target: Array, proba: Array) -> Array:
    eps = np.finfo(proba.dtype).eps
    return np.asarray(-(target * np.log(np.clip(proba, eps, 1 - eps))).sum(axis=1))


def brier_score_loss(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    pos_label: Any = None,
    labels: object = None,
    scale_by_half: bool | str = "auto",
) -> Array:
    """For two classes, half the sum. `pos_label` is used only for y_pred of shape (n,)."""
    if not (isinstance(scale_by_half, str) and scale_by_half == "auto"):
        to_bool(scale_by_half, "scale_by_half")
    target, proba, weight = _of_one_or_more_columns(
        y_true, y_pred, sample_weight, pos_label, labels
    )
    values = _average(_squared_distances(target, proba), weight)
    half = proba.shape[1] == 2 if isinstance(scale_by_half, str) else bool(scale_by_half)
    return values * np.asarray(0.5, values.dtype) if half else values


def d2_score(
    y_true: object,
    y_pred: object,
    *,
    loss: Any = "categorical_crossentropy",
    sample_weight: object = None,
    pos_label: Any = None,
    labels: object = None,
) -> Array:
    """`loss` selects one of the two. The null model predicts the class proportions in y_true."""
    is_log_loss = loss in _CROSS_ENTROPIES
    if not is_log_loss and loss != "brier_loss":
        raise InputError(
            f"loss must be 'categorical_crossentropy' or 'brier_loss' with convention='sklearn'; "
            f"got {loss!r}"
        )
    if is_log_loss and pos_label is not None:
        raise InputError(
            f"pos_label must be left out for the log loss, which takes y_pred of shape (n,) for "
            f"the second class; got {pos_label!r}"
        )
    given = {"y_true": y_true, "y_pred": y_pred}
    if sample_weight is not None:
        given["sample_weight"] = sample_weight
    rows = {as_array(values, name).shape[:1] for name, values in given.items()}
    if rows in ({(0,)}, {(1,)}):
        # scikit-learn returns NaN before it looks at the values.
        warnings.warn("D2 is not defined for fewer than two rows", UserWarning, stacklevel=2)
        return np.asarray(np.nan)
    if is_log_loss:
        proba = _finite(y_pred, "y_pred")
        target, proba, weight = _multiclass(y_true, proba, sample_weight, labels)
    else:
        target, proba, weight = _of_one_or_more_columns(
            y_true, y_pred, sample_weight, pos_label, labels
        )
    null = np.tile(_average(target, weight), (len(target), 1))
    losses = _log_losses if is_log_loss else _squared_distances
    value, null_value = (_average(losses(target, p), weight) for p in (proba, null))
    return np.asarray(1 - value / null_value)


_CROSS_ENTROPIES = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)


def _squared_distances(target: Array, proba: Array) -> Array:
    return np.asarray(np.square(target - proba).sum(axis=1))


def _of_one_or_more_columns(
    y_true: object, y_pred: object, sample_weight: object, pos_label: Any, labels: object
) -> tuple[Array, Array, Array | None]:
    """Targets, probabilities and weights; `pos_label` is used only for a single column."""
    proba = _finite(y_pred, "y_pred")
    if proba.ndim == 2 and proba.shape[1] > 1:
        return _multiclass(y_true, proba, sample_weight, labels)
    proba = proba.reshape(-1)
    true_labels = read_labels(y_true, "y_true")
    _same_length(true_labels, proba)
    weight = _weight(sample_weight, len(proba))
    if (kind := kind_of(true_labels, "y_true")) != "binary":
        raise InputError(f"y_true must be binary for y_pred of shape (n,); it is {kind}")
    _in_unit_interval(proba)
    positive = np.asarray(true_labels == _positive(true_labels, pos_label), dtype=proba.dtype)
    target, proba = (np.stack([1 - one, one], axis=1) for one in (positive, proba))
    return target, proba, weight


def _positive(labels: Array, pos_label: Any) -> Any:
    if pos_label is not None:
        return pos_label
    if labels.dtype.kind in "US":
        raise InputError("pos_label must be given if y_true is strings; got None")
    classes = np.unique(labels).tolist()
    return 1 if set(classes) <= {0, 1} or set(classes) <= {-1, 1} else classes[-1]


def hinge_loss(
    y_true: object, y_pred: object, *, labels: object = None, sample_weight: object = None
) -> Array:
    """With two classes, a single class in y_true is the negative class, whatever `labels`."""
    scores = _finite(y_pred, "y_pred")
    true_labels = read_labels(y_true, "y_true")
    if true_labels.ndim > 1:
        raise InputError(f"y_true must have shape (n,); its shape is {true_labels.shape}")
    _same_length(true_labels, scores)
    weight = None
    if sample_weight is not None:
        weight = numbers(sample_weight, "sample_weight")
        if weight.shape != (len(true_labels),):
            raise InputError(
                f"sample_weight must have shape ({len(true_labels)},), one for each row; got "
                f"{weight.shape}"
            )
    classes = np.unique(true_labels if labels is None else read_labels(labels, "labels"))
    if len(classes) > 2:
        if scores.ndim == 1 or scores.shape[1] != len(classes):
            raise InputError(
                f"y_pred must have a column for each of {len(classes)} classes; its shape is "
                f"{scores.shape}"
            )
        true = np.zeros(scores.shape, dtype=bool)
        true[np.arange(len(true_labels)), positions(true_labels, classes)] = True
        margin = scores[true] - np.where(true, -np.inf, scores).max(axis=1)
    else:
        if scores.ndim == 2 and scores.shape[1] != 1:
            raise InputError(
                f"y_pred must have shape (n,) for two classes; its shape is {scores.shape}"
            )
        kind_of(true_labels, "y_true")
        margin = _signs(true_labels) * scores.reshape(-1)
    return _average(np.maximum(1 - margin, 0), weight)


def _signs(labels: Array) -> Array:
    """First column of LabelBinarizer(neg_label=-1), which does not use `labels`."""
    classes = np.unique(labels)
    if len(classes) == 1:
        return np.full(len(labels), -1.0)
    positive = classes[1] if len(classes) == 2 else classes[0]
    return np.where(labels == positive, 1.0, -1.0)


def zero_one_loss(
    y_true: object, y_pred: object, *, normalize: bool = True, sample_weight: object = None
) -> Array:
    """`y_pred` is predicted labels. A row of 0 and 1 is wrong if any of its labels is wrong."""
    is_mean = to_bool(normalize, "normalize")
    wrong = _wrong_rows(y_true, y_pred)
    weight = _weight(sample_weight, len(wrong))
    score = _average(np.asarray(1.0 - wrong), weight, is_mean)
    if is_mean:
        return np.asarray(1 - score)
    return np.asarray((len(wrong) if weight is None else weight.sum()) - score)


def _wrong_rows(y_true: object, y_pred: object) -> Array:
    if is_sparse(y_true) or is_sparse(y_pred):
        return differing_rows(y_true, y_pred)
    true_labels = read_labels(y_true, "y_true")
    predicted = read_labels(y_pred, "y_pred")
    _same_length(true_labels, predicted)
    kinds = [kind_of(true_labels, "y_true"), kind_of(predicted, "y_pred")]
    mixed = "indicator" in kinds and kinds[0] != kinds[1]
    if mixed or true_labels.shape[1:] != predicted.shape[1:]:
        raise InputError(
            f"y_pred must be predicted labels with the same shape as y_true; got shapes "
            f"{predicted.shape} and {true_labels.shape}"
        )
    if not comparable(true_labels, predicted):
        raise InputError(
            f"y_true and y_pred must be both strings, both dates or both numbers; their dtypes are "
            f"{true_labels.dtype} and {predicted.dtype}"
        )
    differs = np.asarray(true_labels != predicted).reshape(len(true_labels), -1)
    return np.asarray(differs.any(axis=1))


def _regression(
    y_true: object, y_pred: object, sample_weight: object
) -> tuple[Array, Array, Array | None]:
    """Targets, predictions and weights as columns, in the highest precision of the arrays."""
    named = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
    arrays = [as_array(value, name) for name, value in named.items() if hasattr(value, "dtype")]
    floats = [array.dtype for array in arrays if array.dtype.kind == "f"]
    dtype = np.result_type(*floats) if floats else np.dtype(np.float64)
    target, predicted = _finite(y_true, "y_true", dtype), _finite(y_pred, "y_pred", dtype)
    _same_length(target, predicted)
    target, predicted = target.reshape(len(target), -1), predicted.reshape(len(predicted), -1)
    if target.shape != predicted.shape:
        raise InputError(
            f"y_true and y_pred must have the same number of columns; got {target.shape[1]} and "
            f"{predicted.shape[1]}"
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
    column_weight = numbers(multioutput, "multioutput")
    if by_output.size == 1 or column_weight.shape != by_output.shape:
        raise InputError(
            f"multioutput must be a weight for each of two or more columns; there are "
            f"{by_output.size} columns and its shape is {column_weight.shape}"
        )
    return _average(by_output, column_weight)


def mean_squared_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Targets are numbers, not labels. By default the mean over columns is unweighted."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    return _over_outputs(np.square(target - predicted), weight, multioutput)


def mean_absolute_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Targets are numbers, not labels. By default the mean over columns is unweighted."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    return _over_outputs(np.abs(predicted - target), weight, multioutput)


def mean_squared_log_error(
    y_true: object,
    y_pred: object,
    *,
    sample_weight: object = None,
    multioutput: object = "uniform_average",
) -> Array:
    """Targets and predictions are numbers above -1."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    lowest = min(target.min(), predicted.min())
    if lowest <= -1:
        raise InputError(f"y_true and y_pred must be > -1; got {lowest}")
    return _over_outputs(np.square(np.log1p(target) - np.log1p(predicted)), weight, multioutput)


def mean_poisson_deviance(y_true: object, y_pred: object, *, sample_weight: object = None) -> Array:
    """``2 (y log(y / mu) - y + mu)`` of a single column, with targets y >= 0 and means mu > 0."""
    target, predicted, weight = _regression(y_true, y_pred, sample_weight)
    if target.shape[1] > 1:
        raise InputError(f"y_true must have a single column; its shape is {target.shape}")
    if target.min() < 0:
        raise InputError(f"y_true must be >= 0; got {target.min()}")
    if predicted.min() <= 0:
        raise InputError(f"y_pred must be > 0; got {predicted.min()}")
    target, predicted = target[:, 0], predicted[:, 0]
    ratio = np.where(target > 0, target / predicted, np.ones_like(target))
    return _average(2 * (target * np.log(ratio) - target + predicted), weight)
