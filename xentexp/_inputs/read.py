"""Validation: `read` and `read_columns` turn the arguments of users into a `CheckedInput`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np

from xentexp._inputs.asarray import column_names, float_type, to_array, to_numbers
from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.columns import ColumnKind, Distributions, Predictions, to_columns, to_weight
from xentexp._inputs.labels import (
    Labels,
    fractional,
    infer_classes,
    match_columns,
    named_classes,
    show,
    to_class_weight,
    to_classes,
)
from xentexp._inputs.options import check_bool
from xentexp._numerics import Array
from xentexp.errors import InputError


def read(
    y_true: object,
    y_pred: object,
    *,
    decision: object = None,
    from_logits: bool = False,
    labels: object = None,
    sample_weight: object = None,
    class_weight: object = None,
    label_smoothing: float = 0.0,
    normalize: bool | None = False,
    clip: float | Literal["auto"] = "auto",
    ignore_label: object = None,
    ordered: bool | None = None,
    latent: int | None = None,
    names: tuple[str, str] = ("y_true", "y_pred"),
) -> CheckedInput:
    """Check shapes, column names and options; the values are checked block by block."""
    # y_true may be None for a loss of the predictions, y_pred for a loss of decision scores. Raw
    # scores (from_logits) also serve as decision scores. `latent` is the number of classes if
    # `decision` has one score per row for any number of classes, and 0 if only `labels` gives it.
    # `ordered` is by default True for `labels` and for ascending numbers. `names` is for messages.
    if not (isinstance(label_smoothing, Real) and 0.0 <= label_smoothing <= 1.0):
        raise InputError(f"label_smoothing must lie in [0, 1]; got {label_smoothing!r}")
    if normalize not in (True, False, None):
        raise InputError(f"normalize must be True, False or None; got {normalize!r}")
    normalize = None if normalize is None else bool(normalize)
    check_bool("from_logits", from_logits)
    if isinstance(ignore_label, float) and ignore_label != ignore_label:
        raise InputError(
            "ignore_label must not be nan; mark the rows with another label, e.g. -1, and pass it"
        )
    probabilities = scores = None
    if y_pred is not None:
        values = to_numbers(y_pred, names[1])
        kind: Literal["proba", "logits"] = "logits" if from_logits else "proba"
        probabilities = Predictions(values, kind, normalize=normalize, name=names[1])
        if from_logits and decision is None:
            scores = replace(probabilities, kind="decision")
    if decision is not None:
        name = names[1] if y_pred is None else "decision"
        scores = Predictions(to_numbers(decision, name), "decision", name=name)
    first = probabilities or scores
    if first is None:
        raise InputError(f"{names[1]} must be given; got None")
    arrays = (y_pred, decision)
    frames = [columns for columns in map(column_names, arrays) if columns is not None]
    n_classes = first.n_classes if latent is None else latent
    classes = _known_classes(labels, frames, n_classes)
    n_rows = len(first.values)
    if latent is not None:
        classes = _latent_classes(first, classes, latent)
        n_classes = len(classes)
    else:
        for predictions in (probabilities, scores):
            if predictions is not None:
                _check_shape(predictions, n_rows, n_classes, classes)
    targets: Labels | Distributions | None = None
    if y_true is not None:
        array = to_array(y_true, names[0])
        if len(array) != n_rows:
            raise InputError(f"{names[0]} has {len(array)} rows but {first.name} has {n_rows}")
        if labels is None and classes is not None and array.ndim == 1:
            classes = named_classes(classes, array, ignore_label)
        targets, classes = read_targets(
            array,
            n_classes,
            classes,
            columns=column_names(y_true),
            ignore_label=ignore_label,
            name=names[0],
        )
        if ignore_label is not None and isinstance(targets, Distributions):
            raise InputError(
                f"ignore_label is only used with labels of shape (n,); {names[0]} has distributions"
            )
    classes = classes or tuple(range(n_classes))
    checked = CheckedInput(
        classes=classes,
        targets=targets,
        probabilities=_in_order(probabilities, y_pred, classes),
        decision=_in_order(scores, y_pred if decision is None else decision, classes),
        weight=None if sample_weight is None else to_weight(sample_weight, n_rows),
        smoothing=float(label_smoothing),
        clip=_clip(clip, first.dtype),
        ignore_label=ignore_label,
        ordered=(labels is not None or ascending(classes)) if ordered is None else ordered,
    )
    weights = to_class_weight(class_weight, classes, checked.class_weight_sum)
    return checked if weights is None else replace(checked, class_weight=weights)


def read_columns(
    y_true: object,
    y_pred: object,
    kind: ColumnKind,
    *,
    from_logits: bool = False,
    sample_weight: object = None,
    label_smoothing: float = 0.0,
    clip: float | Literal["auto"] = "auto",
) -> CheckedInput:
    """Check plain numbers or labels of a multilabel problem: columns that are not classes."""
    if not (isinstance(label_smoothing, Real) and 0.0 <= label_smoothing <= 1.0):
        raise InputError(f"label_smoothing must lie in [0, 1]; got {label_smoothing!r}")
    check_bool("from_logits", from_logits)
    truth = to_columns(y_true, kind, "y_true")
    predicted = to_columns(y_pred, kind, "y_pred", logits=from_logits)
    if truth.values.shape != predicted.values.shape:
        raise InputError(
            f"y_true and y_pred must have the same shape; got {truth.values.shape} and "
            f"{predicted.values.shape}"
        )
    names = column_names(y_true), column_names(y_pred)
    if names[0] is not None and names[1] is not None and truth.n_columns > 1:
        predicted = replace(predicted, order=match_columns(names[1], tuple(names[0]), "y_pred"))
    n_rows = len(truth.values)
    return CheckedInput(
        classes=tuple(range(truth.n_columns)),
        targets=truth,
        probabilities=predicted,
        decision=None,
        weight=None if sample_weight is None else to_weight(sample_weight, n_rows),
        smoothing=float(label_smoothing),
        clip=_clip(clip, float_type(predicted.values)) if kind == "multilabel" else 0.0,
    )


def _latent_classes(
    scores: Predictions, classes: tuple[Any, ...] | None, n_classes: int
) -> tuple[Any, ...]:
    if scores.values.ndim != 1:
        raise InputError(
            f"{scores.name} must have one score for each row, shape (n,); got shape "
            f"{scores.values.shape}"
        )
    if classes is None and n_classes:
        classes = tuple(range(n_classes))
    if classes is None or (n_classes and n_classes != len(classes)):
        expected = f"{n_classes} classes" if n_classes else "all classes"
        got = "None" if classes is None else show(classes)
        raise InputError(
            f"labels must be {expected} in their order, one more than there are thresholds; got "
            f"{got}"
        )
    return classes


def ascending(classes: tuple[Any, ...]) -> bool:
    """Whether classes are ascending numbers, which are taken for ordered classes."""
    if not all(isinstance(label, (int, float)) for label in classes):
        return False
    return all(a < b for a, b in pairwise(classes))


def _clip(clip: float | Literal["auto"], dtype: np.dtype[np.floating[Any]]) -> float:
    if isinstance(clip, str):
        if clip != "auto":
            raise InputError(f"clip must be 'auto' or a number in [0, 1); got {clip!r}")
        return float(np.finfo(dtype).eps)
    if not (isinstance(clip, Real) and 0.0 <= clip < 1.0):
        raise InputError(f"clip must be 'auto' or a number in [0, 1); got {clip!r}")
    return float(clip)


def _known_classes(
    labels: object, frames: list[list[object]], n_classes: int
) -> tuple[Any, ...] | None:
    """Classes from `labels` or from column names; None without either."""
    if labels is not None:
        return to_classes(labels)
    for names in frames:
        if names != list(range(n_classes)):
            return to_classes(names, "column names of y_pred")
    return None


def _check_shape(
    predictions: Predictions, n_rows: int, n_classes: int, classes: tuple[Any, ...] | None
) -> None:
    name, shape = predictions.name, predictions.values.shape
    if shape[0] != n_rows:
        raise InputError(f"y_pred has {n_rows} rows but {name} has {shape[0]}")
    n_expected = n_classes if classes is None else len(classes)
    if predictions.n_classes != n_expected:
        listed = "" if classes is None else f" ({show(classes)})"
        columns = "for the second of two classes" if len(shape) == 1 else f"{shape[1]} columns"
        raise InputError(
            f"{name} must have one column for each class; it has shape {shape}, {columns}, but "
            f"there are {n_expected} classes{listed}"
        )


def _in_order(
    predictions: Predictions | None, array: object, classes: tuple[Any, ...]
) -> Predictions | None:
    """Predictions whose columns are matched to the classes by the column names of `array`."""
    names = column_names(array)
    if predictions is None or names is None:
        return predictions
    return replace(predictions, order=match_columns(names, classes, predictions.name))


def read_targets(
    y_true: Array,
    n_columns: int,
    classes: tuple[Any, ...] | None,
    *,
    columns: list[object] | None = None,
    ignore_label: object = None,
    name: str = "y_true",
) -> tuple[Labels | Distributions, tuple[Any, ...]]:
    """Targets, labels or distributions, and the classes, inferred if they are None."""
    if y_true.ndim == 1:
        if n_columns == 2 and classes in (None, (0, 1)) and fractional(y_true, ignore_label):
            return Distributions(y_true), (0, 1)
        classes = infer_classes(y_true, n_columns, ignore_label) if classes is None else classes
        return Labels(y_true, classes), classes
    order = None
    if y_true.shape[1] != n_columns:
        raise InputError(f"{name} has {y_true.shape[1]} columns but y_pred has {n_columns} classes")
    if columns is not None:
        classes = to_classes(columns, f"column names of {name}") if classes is None else classes
        order = match_columns(columns, classes, name)
    return Distributions(to_numbers(y_true, name), order, name), classes or tuple(range(n_columns))
