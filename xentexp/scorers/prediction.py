"""Predictions of a fitted classifier, with a column for every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError
from xentexp.inputs.asarray import to_array
from xentexp.inputs.labels import distinct, is_missing, show
from xentexp.numerics import Array


def predict(
    estimator: Any, X: Any, classes: Sequence[Any], *, proba: bool = True, decision: bool = True
) -> tuple[Array | None, Array | None]:
    """Probabilities and decision scores of a fitted classifier, with a column for every class.

    Parameters
    ----------
    estimator : object
        A fitted classifier or pipeline.
    X : array-like
        Rows.
    classes : sequence
        Every class, in the order wanted.
    proba, decision : bool
        What is wanted.

    Returns
    -------
    proba : ndarray of shape (n, k) or None
        A class unknown to the estimator has probability 0. None where it has no
        `predict_proba`.
    decision : ndarray of shape (n,) or (n, k), or None
        A class unknown to the estimator scores one below the row's lowest. None where it has
        no `decision_function`.

    Raises
    ------
    InputError
        Where it has neither, and for scores of pairs of classes.
    """
    has_proba = hasattr(estimator, "predict_proba")
    has_decision = hasattr(estimator, "decision_function")
    if not has_proba and not has_decision:
        raise InputError(f"{describe(estimator)} has neither predict_proba nor decision_function")
    known = np.asarray(estimator.classes_).tolist()
    probabilities = scores = None
    if proba and has_proba:
        probabilities = _align(np.asarray(estimator.predict_proba(X)), known, classes, absent=0.0)
    if decision and has_decision:
        last = _last_step(estimator)
        if getattr(last, "decision_function_shape", "ovr") == "ovo" and len(known) > 2:
            raise InputError(
                f"losses of decision scores need one column for each of {len(known)} classes; "
                f"{describe(estimator)} has scores of pairs of classes: set "
                f"decision_function_shape='ovr'"
            )
        scores = _align(np.asarray(estimator.decision_function(X)), known, classes, absent=None)
    return probabilities, scores


def _align(
    values: Array, known: Sequence[Any], classes: Sequence[Any], *, absent: float | None
) -> Array:
    """Columns of `known` as columns of all `classes`; None: one below the row's lowest."""
    if values.ndim == 2 and values.shape[1] != len(known):
        raise InputError(
            f"predictions must have one column for each of {len(known)} classes; their shape is "
            f"{values.shape} (an SVC needs decision_function_shape='ovr')"
        )
    if list(known) == list(classes):
        return values
    if values.ndim == 1:
        values = np.stack([np.zeros_like(values), values], axis=1)
    filled = np.zeros((len(values), len(classes)), dtype=values.dtype)
    filled[:] = values.min(axis=1, keepdims=True) - 1.0 if absent is None else absent
    position = {label: column for column, label in enumerate(classes)}
    filled[:, [position[label] for label in known]] = values
    return filled


def all_classes(known: list[Any], y: ArrayLike, labels: ArrayLike | None) -> list[Any]:
    """Classes that the classifier knows and those of the labels, or `labels` as given."""
    if labels is not None:
        given = np.asarray(labels).tolist()
        strange = [label for label in known if label not in given]
        if strange:
            raise InputError(f"labels must name every class of the classifier; it knows {strange}")
        return list(given)
    found = to_array(y, "y")
    if found.ndim != 1:
        raise InputError(f"y must hold labels, of shape (n,); its shape is {found.shape}")
    unseen = {label for label in distinct(found) if not is_missing(label)}.difference(known)
    try:
        return sorted([*known, *unseen]) if unseen else list(known)
    except TypeError:
        raise InputError(
            f"y holds {show(list(unseen))}, which has no order with the classes {show(known)} of "
            f"the classifier; pass labels="
        ) from None


def _last_step(estimator: Any) -> Any:
    """The classifier itself, out of searches and pipelines."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def describe(estimator: Any) -> str:
    """Name of a classifier, for a message."""
    return type(_last_step(estimator)).__name__
