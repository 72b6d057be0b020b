"""Classifier whose probabilities are calibrated on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils.metaestimators import available_if

from xentexp._inputs.options import check_choice
from xentexp.errors import InputError
from xentexp.tuning._inner_folds import (
    Split,
    as_seed,
    check_inner_cv,
    inner_splits,
    is_number_of_folds,
    training_rows,
)
from xentexp.tuning._weights import fit_weights

METHODS = ("sigmoid", "isotonic", "temperature")
"""Methods of scikit-learn's CalibratedClassifierCV."""


class CalibratedClassifier(CalibratedClassifierCV):  # type: ignore[misc]
    """Classifier whose probabilities are calibrated on out-of-fold predictions.

    It is scikit-learn's `CalibratedClassifierCV` with ``ensemble=False``: `estimator` is fitted on
    all rows, and one calibrator is fitted on its predictions of inner folds, which are made by
    copies that were not trained on the predicted rows. The difference is that `fit` accepts groups,
    whose rows stay together in the inner folds, and that it raises an error where the inner folds
    cannot be used.

    Parameters
    ----------
    estimator : estimator
        Classifier with ``decision_function`` or ``predict_proba``; the first is used if it has
        both. It is cloned and not changed. To calibrate a pipeline, make this classifier its last
        step, so that weights and groups reach it.
    method : {"sigmoid", "isotonic", "temperature"}, default="sigmoid"
        ``"sigmoid"``: logistic regression on the prediction (Platt), for more than two classes one
        for each class against the others. ``"isotonic"``: an increasing step function, in the same
        way. ``"temperature"``: one factor for the logarithms of all probabilities, or for all
        decision scores.
    cv : int, splitter or iterable of splits, default=5
        Inner folds. An int of at least 2 uses shuffled `StratifiedKFold`, or `StratifiedGroupKFold`
        if `fit` receives groups. With a splitter object or an iterable of (train, test) index
        arrays, each row must be in exactly one test part.
    random_state : int, RandomState instance or None, default=None
        Seed of the inner folds; not used for a splitter or splits. Pass an int for reproducible
        results.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    calibrated_classifiers_ : list of one object
        The estimator fitted on all rows (``estimator``) and its calibrators (``calibrators``).
    n_splits_ : int
        Number of inner folds.
    n_features_in_ : int
        Number of columns of the training rows; only if the fitted estimator has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if the fitted estimator has them.

    Raises
    ------
    InputError
        In `fit`, if the method or `cv` is not valid, if a class or the groups are too few for the
        inner folds, if a class is missing in the training part of an inner fold, if a row is not
        in exactly one test part, or if there are weights and `estimator` does not accept them.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : The same without groups, or an ensemble.
    xentexp.inference.decompose : What calibration could save.

    Notes
    -----
    Isotonic regression can predict the probability 0 or 1. A single row of another class then
    makes the cross-entropy very large.

    With ``method="temperature"``, scikit-learn 1.9.1 uses integer labels as positions of columns;
    here, other labels than 0 to k - 1 are encoded first.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from xentexp.experiments import CalibratedClassifier
    >>> from xentexp.metrics import categorical_crossentropy
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = CalibratedClassifier(GaussianNB(), method="temperature", random_state=0)
    >>> calibrated = model.fit(X[:400], y[:400]).predict_proba(X[400:])
    >>> uncalibrated = GaussianNB().fit(X[:400], y[:400]).predict_proba(X[400:])
    >>> [f"{categorical_crossentropy(y[400:], p):.2f}" for p in (uncalibrated, calibrated)]
    ['0.29', '0.11']
    """

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "sigmoid",
        cv: Any = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the estimator on all rows, and the calibrator on its out-of-fold predictions.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
            Training rows in any form that `estimator` accepts.
        y : array-like of shape (n,)
            Class labels of any type.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, for the fits of the estimator and of the calibrator. None gives
            every row the weight 1.
        groups : array-like of shape (n,), default=None
            Group of each row; rows of the same group stay together in the inner folds. None means
            that there are no groups.

        Returns
        -------
        CalibratedClassifier
            The fitted classifier itself.

        Raises
        ------
        InputError
            See the class.
        """
        check_choice("method", self.method, METHODS)
        check_inner_cv(self.cv)
        X, labels, weight, groups = training_rows(X, y, sample_weight, groups)
        fit_weights(self, weight)
        classes, codes = np.unique(labels, return_inverse=True)
        _check_rows(self.cv, classes, codes, groups)
        splits = inner_splits(self.cv, X, labels, groups, as_seed(self.random_state))
        _check_splits(splits, classes, codes)
        estimator, targets = self.estimator, labels
        if self.method == "temperature" and not np.array_equal(classes, np.arange(len(classes))):
            estimator, targets = _DecodedLabels(self.estimator, classes), codes
            if weight is not None and get_config()["enable_metadata_routing"]:
                estimator.set_fit_request(sample_weight=True)
        fitted = CalibratedClassifierCV(
            estimator, method=self.method, cv=splits, ensemble=False
        ).fit(X, targets, sample_weight=weight)
        self.calibrated_classifiers_ = fitted.calibrated_classifiers_
        self.classes_ = classes
        self.n_splits_ = len(splits)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))
        return self


def _check_rows(
    cv: Any, classes: NDArray[Any], codes: NDArray[np.intp], groups: NDArray[Any] | None
) -> None:
    """Raise an InputError if a class or the groups are too few for a number of folds."""
    if len(classes) < 2:
        raise InputError(f"y must have at least two classes; got only {classes.tolist()[0]!r}")
    if not is_number_of_folds(cv):
        return
    counts = np.bincount(codes)
    if counts.min() < cv:
        label = classes.tolist()[int(counts.argmin())]
        raise InputError(
            f"calibration needs at least {cv} training rows of each class, one for each inner "
            f"fold (cv={cv}); class {label!r} has {counts.min()}; leave out calibration or the "
            f"class"
        )
    if groups is not None and (n_groups := len(np.unique(groups))) < cv:
        raise InputError(
            f"calibration needs at least {cv} groups of training rows, one for each inner fold "
            f"(cv={cv}); got {n_groups}; leave out calibration or the groups"
        )


def _check_splits(splits: Sequence[Split], classes: NDArray[Any], codes: NDArray[np.intp]) -> None:
    """Raise an InputError unless each row is predicted once, by a model that knows all classes."""
    tested = np.concatenate([np.arange(len(codes))[test] for _, test in splits])
    if not np.array_equal(np.sort(tested), np.arange(len(codes))):
        raise InputError(
            f"cv must have each row in exactly one test part; {len(np.unique(tested)):,} of "
            f"{len(codes):,} rows are in one; use e.g. KFold for rows in time order"
        )
    for number, (train, test) in enumerate(splits):
        if not len(test):
            raise InputError(
                f"calibration needs rows in each inner fold; inner fold {number} has none, because "
                f"the groups differ too much in size; leave out calibration or the groups"
            )
        absent = np.setdiff1d(np.arange(len(classes)), codes[train])
        if len(absent):
            label = classes.tolist()[absent[0]]
            raise InputError(
                f"calibration needs training rows of each class in each inner fold; inner fold "
                f"{number} has all rows of class {label!r} in its test part; leave out calibration "
                f"or the class"
            )


def _has(name: str) -> Any:
    """Condition that the wrapped estimator has a method."""
    return available_if(lambda self: hasattr(self.estimator, name))


class _DecodedLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier of the labels 0 to k - 1 that fits another one with the original labels."""

    def __init__(self, estimator: Any, labels: NDArray[Any]) -> None:
        self.estimator = estimator
        self.labels = labels

    def fit(self, X: Any, y: NDArray[np.intp], sample_weight: Any = None) -> Self:
        weights = fit_weights(self.estimator, sample_weight)
        self.estimator_ = clone(self.estimator).fit(X, self.labels[y], **weights)
        self.classes_ = np.searchsorted(self.labels, self.estimator_.classes_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict(self, X: Any) -> Any:
        return np.searchsorted(self.labels, self.estimator_.predict(X))

    @_has("decision_function")  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        return self.estimator_.decision_function(X)

    @_has("predict_proba")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        return self.estimator_.predict_proba(X)
