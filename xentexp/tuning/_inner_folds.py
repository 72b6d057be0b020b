"""Inner folds of a training part: how its rows are split again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets

from xentexp._inputs.labels import refuse_missing_labels
from xentexp.errors import InputError, plain_errors

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def is_number_of_folds(cv: object) -> bool:
    """Whether the parameter cv is a number of folds."""
    return isinstance(cv, (int, np.integer)) and not isinstance(cv, bool)


def check_inner_cv(cv: Any) -> None:
    """Raise an InputError unless cv is a number of folds, a splitter or splits."""
    gives_splits = hasattr(cv, "split") or isinstance(cv, Iterable)
    if not (
        cv >= 2
        if is_number_of_folds(cv)
        else gives_splits and not isinstance(cv, (str, np.ndarray))
    ):
        raise InputError(f"cv must be an integer >= 2, a splitter or splits; got {cv!r}")


def as_seed(random_state: Any) -> int:
    """Seed of the inner folds: an integer itself, otherwise one that is drawn."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def training_rows(
    X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
) -> tuple[Any, NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """What `fit` receives, of one length and the last three as arrays; y must be class labels."""
    refuse_missing_labels(y)
    X, labels, weight, groups = indexable(X, y, sample_weight, groups)
    labels = column_or_1d(labels, warn=True)
    assert_all_finite(labels, input_name="y")
    with plain_errors("y must contain classes", ValueError):
        check_classification_targets(labels)
    return (
        X,
        labels,
        None if weight is None else np.asarray(weight),
        None if groups is None else np.asarray(groups),
    )


def inner_splits(cv: Any, X: Any, y: NDArray[Any], groups: object, seed: int) -> list[Split]:
    """Rows for training and for the test of each inner fold."""
    if is_number_of_folds(cv):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        splitter = kind(int(cv), shuffle=True, random_state=seed)
    else:
        splitter = check_cv(cv, y, classifier=True)
    with plain_errors("cv must give pairs of training and test rows", TypeError):
        return list(splitter.split(X, y, groups))
