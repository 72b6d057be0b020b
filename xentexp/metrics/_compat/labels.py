"""Labels as scikit-learn 1.9.1 reads them: text or numbers, or rows of 0 and 1."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import Array
from xentexp.errors import InputError


def read_labels(values: object, name: str) -> Array:
    """Labels as an array, a single column as (n,); what they may be is asked of `kind_of`."""
    if values is None:
        raise InputError(f"{name} must be given; got None")
    try:
        array = np.asarray(values)
        as_given = np.asarray(values, dtype=object)
    except ValueError:
        raise InputError(f"{name} must be a rectangular array; its rows differ in length") from None
    if array.ndim == 0 or array.size == 0:
        raise InputError(f"{name} must be an array of at least one label; got {values!r}")
    text = [isinstance(label, (str, bytes)) for label in as_given.flat]
    # NumPy makes text of numbers beside text; numbers in an object array are no labels there.
    if any(text) != all(text) or (array.dtype.kind not in "biufUS" and not all(text)):
        raise InputError(f"{name} must hold text or numbers, not both; its dtype is {array.dtype}")
    if all(text):
        array = array.astype(str)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def kind_of(labels: Array, name: str) -> str:
    """``"binary"``, ``"multiclass"`` or ``"indicator"``, as ``type_of_target`` has it."""
    if labels.dtype.kind == "f":
        strange = labels[~(labels == np.floor(labels)) | np.isinf(labels)]
        if strange.size:
            raise InputError(f"{name} must hold labels; it holds the number {strange.flat[0]}")
    n_labels = len(np.unique(labels))
    if labels.ndim == 1:
        return "binary" if n_labels <= 2 else "multiclass"
    if labels.ndim > 2 or n_labels > 2 or labels.dtype.kind in "US":
        raise InputError(
            f"{name} must hold labels of shape (n,), or rows of 0 and 1; its shape is "
            f"{labels.shape}"
        )
    return "indicator"


def positions(labels: Array, classes: Array) -> NDArray[np.intp]:
    """Where the labels stand among sorted classes."""
    place = np.zeros(labels.shape, dtype=np.intp)
    known = np.zeros(labels.shape, dtype=bool)
    if (labels.dtype.kind in "US") == (classes.dtype.kind in "US"):
        place = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        found = classes[place]
        known = (found == labels) | ((found != found) & (labels != labels))  # NaN is a label
    if not known.all():
        strange = labels[~known].tolist()[0]
        raise InputError(f"y_true must hold labels of {classes.tolist()}; it holds {strange!r}")
    return place


def indicators(y_true: object, labels: object) -> Array:
    """One column for each class: LabelBinarizer, and two columns for two classes."""
    given = read_labels(y_true, "y_true")
    kind = kind_of(given, "y_true")
    if labels is None:
        if kind == "indicator":
            return given.astype(np.float64)
        classes = np.unique(given)
        if len(classes) == 1:
            raise InputError(
                f"y_true holds the one label {classes.tolist()[0]!r}; give every class as labels"
            )
    else:
        named = read_labels(labels, "labels")
        if "indicator" in (kind, kind_of(named, "labels")):
            raise InputError("labels go with labels of shape (n,), not with a column per class")
        classes = np.unique(named)
        if len(classes) < 2 or len(classes) != len(named):
            raise InputError(f"labels must be two or more, distinct; got {named.tolist()}")
        if (classes != named).any():
            warnings.warn(
                f"labels are {named.tolist()}, but the columns of y_pred are taken to be in the "
                f"order {classes.tolist()}",
                UserWarning,
                stacklevel=2,
            )
    return np.eye(len(classes))[positions(given, classes)]
