"""Validation: `read` and `read_columns` turn the arguments of users into a `CheckedInput`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np

from xentexp._inputs.asarray import categories_of, column_names, plain, precision, to_numbers
from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.columns import ColumnKind, Distributions, Predictions, to_columns, to_weight
from xentexp._inputs.labels import (
    Labels,
    check_ignore_label,
    fractional,
    infer_categories,
    infer_classes,
    match_columns,
    named_classes,
    refuse_bool,
    show,
    to_class_weight,
    to_classes,
    to_labels,
)
from xentexp._inputs.options import check_bool, check_label_smoothing
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
    tolerance: float = 0.0,
    names: tuple[str, str] = ("y_true", "y_pred"),
) -> CheckedInput:
    """Check shapes, column names and options; the values are checked block by block."""
    # y_true may be None for a loss of the predictions, y_pred for a loss of decision scores. Raw
    # scores (from_logits) also serve as decision scores. `latent` is the number of classes if
    # `decision` has one score per row for any number of classes, and 0 if only `labels` gives it.
    # `ordered` is by default True for `labels` and for ascending numbers. `names` is for messages.
    # `tolerance` of row sums is for numbers from text, see `printed_tolerance`.
    check_label_smoothing(label_smoothing)
    if not (normalize is None or isinstance(normalize, (bool, np.bool_))):
        raise InputError(f"normalize must be True, False or None; got {normalize!r}")
    normalize = None if normalize is None else bool(normalize)
    check_bool("from_logits", from_logits)
    if ordered is not None:
        check_bool("ordered", ordered)
    probabilities = scores = None
    if y_pred is not None:
        values = to_numbers(y_pred, names[1])
        kind: Literal["proba", "logits"] = "logits" if from_logits else "proba"
        probabilities = Predictions(
            values,
            kind,
            normalize=normalize,
            name=names[1],
            eps=precision(y_pred, values),
            tolerance=tolerance,
        )
        if from_logits and decision is None:
            scores = replace(probabilities, kind="decision")
    if decision is not None:
        name = names[1] if y_pred is None else "decision"
        values = to_numbers(decision, name)
        scores = Predictions(
            values,
            "decision",
            name=name,
            eps=precision(decision, values),
        )
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
        array = to_labels(y_true, names[0])
        if ignore_label is not None:
            check_ignore_label(ignore_label, array)
            ignore_label = plain(ignore_label)
        if len(array) != n_rows:
            raise InputError(f"{names[0]} has {len(array)} rows but {first.name} has {n_rows}")
        if latent is not None and labels is None:
            refuse_bool(array, n_classes)
        if labels is None and classes is not None and array.ndim == 1:
            classes = named_classes(classes, array, ignore_label)
        if probabilities is not None and not from_logits:
            _check_not_swapped(array, values, names)
        targets, classes = read_targets(
            array,
            n_classes,
            classes,
            columns=column_names(y_true),
            categories=categories_of(y_true),
            eps=precision(y_true, array) if array.ndim == 2 else 0.0,
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
        clip=_clip(clip, first.eps),
        ignore_label=ignore_label,
        ordered=(labels is not None or ascending(classes)) if ordered is None else ordered,
    )
    if class_weight is None:
        return checked
    weights = to_class_weight(class_weight, classes, checked.class_weight_sum)
    return replace(checked, class_weight=weights)


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
    check_label_smoothing(label_smoothing)
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
        clip=_clip(clip, precision(y_pred, predicted.values)) if kind == "multilabel" else 0.0,
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
    if classes == tuple(range(len(classes))):
        return True
    if not all(isinstance(label, (int, float)) for label in classes):
        return False
    return all(a < b for a, b in pairwise(classes))


def _clip(clip: float | Literal["auto"], eps: float) -> float:
    if isinstance(clip, str) and clip == "auto":
        return eps
    if not (isinstance(clip, Real) and not isinstance(clip, bool) and 0.0 <= clip < 1.0):
        raise InputError(f"clip must be 'auto' or a number in [0, 1); got {clip!r}")
    return float(clip)


def _check_not_swapped(y_true: Array, y_pred: Array, names: tuple[str, str]) -> None:
    """Raise an InputError for probabilities as targets of predictions that are labels."""
    # Fractions with predictions that are exactly 0 or 1 but floats may be soft targets.
    if y_pred.dtype.kind not in "biu" or y_true.dtype.kind != "f" or y_true.ndim == 2:
        return
    fraction = (y_true > 0.0) & (y_true < 1.0)
    if y_pred.ndim == 1 and fraction.any():
        row = int(fraction.argmax())
        raise InputError(
            f"{names[1]} must have probabilities; got integers, while {names[0]} has fractions "
            f"({y_true[row]:.9g} in row {row}); exchange {names[0]} and {names[1]}, or pass "
            f"{names[1]} as floats"
        )


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
    categories: list[Any] | None = None,
    ignore_label: object = None,
    name: str = "y_true",
    eps: float = 0.0,
) -> tuple[Labels | Distributions, tuple[Any, ...]]:
    """Targets, labels or distributions, and the classes, inferred if they are None."""
    if y_true.ndim == 1:
        if n_columns == 2 and classes in (None, (0, 1)) and fractional(y_true, ignore_label):
            return Distributions(y_true), (0, 1)
        if classes is None and categories is not None:
            classes = infer_categories(categories, y_true, n_columns, ignore_label)
        if classes is None:
            classes = infer_classes(y_true, n_columns, ignore_label)
            known = y_true.dtype.kind in "iuf" and classes == tuple(range(n_columns))
            return Labels(y_true, classes, columns=known), classes
        return Labels(y_true, classes), classes
    order = None
    if y_true.shape[1] != n_columns:
        raise InputError(f"{name} has {y_true.shape[1]} columns but y_pred has {n_columns} classes")
    if columns is not None:
        classes = to_classes(columns, f"column names of {name}") if classes is None else classes
        order = match_columns(columns, classes, name)
    return Distributions(to_numbers(y_true, name), order, name, eps), classes or tuple(
        range(n_columns)
    )
