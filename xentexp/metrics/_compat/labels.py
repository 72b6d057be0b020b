"""Labels as in scikit-learn 1.9.1: strings, numbers, or rows of 0 and 1."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array
from xentexp._numerics import Array
from xentexp.errors import InputError


def read_labels(values: object, name: str) -> Array:
    """Labels as an array; a single column gets shape (n,)."""
    if values is None:
        raise InputError(f"{name} must be given; got None")
    if is_sparse(values):
        raise InputError(
            f"{name} must not be sparse, except for zero_one_loss with a column for each label; "
            f"pass {name}.toarray()"
        )
    array = as_array(values, name)
    objects = np.asarray(values, dtype=object) if isinstance(values, (list, tuple)) else array
    if array.ndim == 0 or array.size == 0:
        raise InputError(f"{name} must be an array with at least one label; got {values!r}")
    if any(isinstance(label, bytes) for label in objects.flat):
        raise InputError(
            f"{name} must be strings or numbers; got {objects.flat[0]!r}; decode the bytes to "
            f"strings"
        )
    text = [isinstance(label, str) for label in objects.flat]
    # NumPy converts numbers next to strings to strings, and scikit-learn rejects numbers in an
    # object array.
    if any(text) != all(text) or (array.dtype.kind not in "biufUM" and not all(text)):
        raise InputError(
            f"{name} must be all strings, all numbers or all dates; its dtype is {array.dtype}"
        )
    if all(text):
        array = array.astype(str)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def kind_of(labels: Array, name: str) -> str:
    """``"binary"``, ``"multiclass"`` or ``"indicator"``, as from ``type_of_target``."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # scikit-learn also takes large numbers for no labels
            fractions = labels[labels != labels.astype(np.int64)]
        if fractions.size:
            raise InputError(f"{name} must be labels; got the number {fractions.flat[0]}")
    n_labels = len(np.unique(labels))
    if labels.ndim == 1:
        return "binary" if n_labels <= 2 else "multiclass"
    if labels.ndim > 2 or n_labels > 2 or labels.dtype.kind in "US":
        raise InputError(
            f"{name} must be labels of shape (n,) or rows of 0 and 1; its shape is {labels.shape}"
        )
    return "indicator"


def is_sparse(values: object) -> bool:
    """Whether it is a sparse matrix or array of SciPy."""
    return hasattr(values, "tocsr")


def differing_rows(y_true: object, y_pred: object) -> NDArray[np.bool_]:
    """Rows that differ in any label, where one or both of the arguments are sparse."""
    pair = [_indicator(y_true, "y_true"), _indicator(y_pred, "y_pred")]
    if pair[0].shape != pair[1].shape:
        raise InputError(
            f"y_true and y_pred must have the same shape; got {pair[0].shape} and {pair[1].shape}"
        )
    if not all(map(is_sparse, pair)):
        pair = [values.toarray() if is_sparse(values) else values for values in pair]
    return np.asarray((pair[0] != pair[1]).sum(axis=1)).ravel() > 0


def _indicator(values: Any, name: str) -> Any:
    """Columns of 0 and 1 (or another number) for two or more labels, sparse or dense."""
    if not is_sparse(values):
        labels = read_labels(values, name)
        valid = kind_of(labels, name) == "indicator"
    else:
        labels = values.tocsr()
        stored = np.unique(labels.data[labels.data != 0])
        valid = labels.ndim == 2 and min(labels.shape) > 0 and labels.shape[1] > 1
        valid = valid and len(stored) <= 1 and bool(np.all(stored == stored.astype(np.int64)))
    if not valid:
        raise InputError(
            f"{name} must have a column of 0 and 1 for each of two or more labels, as y_true or "
            f"y_pred is sparse; its shape is {labels.shape}"
        )
    return labels


def positions(labels: Array, classes: Array) -> NDArray[np.intp]:
    """Position of each label among the sorted classes."""
    position = np.zeros(labels.shape, dtype=np.intp)
    known = np.zeros(labels.shape, dtype=bool)
    if comparable(labels, classes):
        position = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        nearest = classes[position]
        known = (nearest == labels) | ((nearest != nearest) & (labels != labels))  # NaN is a label
    if not known.all():
        unknown = labels[~known].tolist()[0]
        raise InputError(f"y_true must be labels among {classes.tolist()}; got {unknown!r}")
    return position


def comparable(labels: Array, classes: Array) -> bool:
    """Whether both are strings, both dates or both numbers."""
    return all((labels.dtype.kind in kinds) == (classes.dtype.kind in kinds) for kinds in "UM")


def indicators(y_true: object, labels: object) -> Array:
    """One-hot rows, as from LabelBinarizer, but with two columns for two classes."""
    true_labels = read_labels(y_true, "y_true")
    kind = kind_of(true_labels, "y_true")
    if labels is None:
        if isinstance(y_true, (list, tuple)) and np.ndim(y_true) > true_labels.ndim:
            raise InputError("y_true must be a flat list of labels; got lists of a single label")
        if kind == "indicator":
            return true_labels.astype(np.float64)
        classes = np.unique(true_labels)
        if len(classes) == 1:
            raise InputError(
                f"y_true must have two or more labels; got only {classes.tolist()[0]!r}; pass "
                f"labels= with every class"
            )
    else:
        named = read_labels(labels, "labels")
        if "indicator" in (kind, kind_of(named, "labels")):
            raise InputError(
                "labels must be left out for y_true with a column for each class, and must have "
                "shape (n,)"
            )
        classes = np.unique(named)
        if len(classes) < 2 or len(classes) != len(named):
            raise InputError(f"labels must be two or more distinct labels; got {named.tolist()}")
        if (classes != named).any():
            warnings.warn(
                f"labels should be sorted, because the columns of y_pred are taken in the order "
                f"{classes.tolist()}; got {named.tolist()}",
                UserWarning,
                stacklevel=2,
            )
    return np.eye(len(classes))[positions(true_labels, classes)]
