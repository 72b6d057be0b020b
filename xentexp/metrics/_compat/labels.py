"""Labels as in scikit-learn 1.9.1: strings, numbers, or rows of 0 and 1."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array
from xentexp._numerics import Array
from xentexp.errors import InputError


def read_labels(values: object, name: str) -> Array:
    """Labels as an array; a single column gets shape (n,)."""
    array = as_array(values, name)
    objects = np.asarray(values, dtype=object) if isinstance(values, (list, tuple)) else array
    if array.ndim == 0 or array.size == 0:
        raise InputError(f"{name} must be an array with at least one label; got {values!r}")
    text = [isinstance(label, (str, bytes)) for label in objects.flat]
    # NumPy converts numbers next to strings to strings, and scikit-learn rejects numbers in an
    # object array.
    if any(text) != all(text) or (array.dtype.kind not in "biufUS" and not all(text)):
        raise InputError(f"{name} must be strings or numbers, not both; its dtype is {array.dtype}")
    if all(text):
        array = array.astype(str)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def kind_of(labels: Array, name: str) -> str:
    """``"binary"``, ``"multiclass"`` or ``"indicator"``, as from ``type_of_target``."""
    if labels.dtype.kind == "f":
        fractions = labels[~(labels == np.floor(labels)) | np.isinf(labels)]
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


def positions(labels: Array, classes: Array) -> NDArray[np.intp]:
    """Position of each label among the sorted classes."""
    position = np.zeros(labels.shape, dtype=np.intp)
    known = np.zeros(labels.shape, dtype=bool)
    if (labels.dtype.kind in "US") == (classes.dtype.kind in "US"):
        position = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        nearest = classes[position]
        known = (nearest == labels) | ((nearest != nearest) & (labels != labels))  # NaN is a label
    if not known.all():
        unknown = labels[~known].tolist()[0]
        raise InputError(f"y_true must be labels among {classes.tolist()}; got {unknown!r}")
    return position


def indicators(y_true: object, labels: object) -> Array:
    """One-hot rows, as from LabelBinarizer, but with two columns for two classes."""
    true_labels = read_labels(y_true, "y_true")
    kind = kind_of(true_labels, "y_true")
    if labels is None:
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
