"""Classifiers for tables: a preprocessing that fits the column types, then the classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from xentexp.errors import unknown_name
from xentexp.experiments.datasets import find_entities

_numeric = make_column_selector(dtype_include="number")
_other = make_column_selector(dtype_exclude="number")


def _scaled() -> Any:
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    category = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False
    )
    return ColumnTransformer([("numeric", numeric, _numeric), ("category", category, _other)])


def _ordinal() -> Any:
    numeric = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    category = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    return ColumnTransformer([("numeric", numeric, _numeric), ("category", category, _other)])


class EntityColumn(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A column that says which entity, e.g. which person, a row belongs to."""

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Find the key."""
        found = find_entities(X)
        self.key_ = [] if found is None else list(found.columns)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows with the column ``entity``, where entities were found."""
        check_is_fitted(self)
        texts = {
            name: X[name].astype(object).where(X[name].notna(), "missing").astype(str)
            for name in _other(X)
        }
        rows = X.assign(**texts)
        if self.key_:
            hashes = pd.util.hash_pandas_object(X[self.key_], index=False)
            rows["entity"] = hashes.map("{:016x}".format)
        return rows


class FrequentCategories(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns that are not numeric as pandas categories of the training part."""

    def __init__(self, max_categories: int = 254) -> None:
        self.max_categories = max_categories

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn the categories of each column."""
        self.categories_ = {
            name: sorted(X[name].value_counts().index[: self.max_categories], key=str)
            for name in _other(X)
        }
        self.empty_ = [name for name in X if X[name].isna().all()]
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows whose categories are those of the training part."""
        check_is_fitted(self)
        return X.drop(columns=self.empty_).assign(
            **{
                name: X[name].astype("category").cat.set_categories(kept)
                for name, kept in self.categories_.items()
                if name not in self.empty_
            }
        )


class EncodedLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that takes labels 0 to k - 1 alone, made to take any.

    Parameters
    ----------
    estimator : estimator
        E.g. ``xgboost.XGBClassifier()``.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> model = EncodedLabels(DummyClassifier()).fit([[0], [1], [2]], ["no", "yes", "no"])
    >>> model.classes_.tolist(), model.predict([[0]]).tolist()
    (['no', 'yes'], ['no'])
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the classifier on the numbers of the labels.

        Parameters
        ----------
        X : array-like
            Training rows.
        y : array-like of shape (n,)
            Labels of any type.

        Returns
        -------
        EncodedLabels
            Itself.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.estimator_ = clone(self.estimator).fit(X, codes)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities.

        Parameters
        ----------
        X : array-like
            Rows.

        Returns
        -------
        ndarray of shape (n, k)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class.

        Parameters
        ----------
        X : array-like
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        most_probable: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return most_probable


class TextCategories(EncodedLabels):
    """Classifier whose categorical columns are named when it is fitted, as CatBoost needs.

    CatBoost modifies the list ``cat_features`` that its constructor receives, so scikit-learn's
    ``clone`` refuses such an estimator.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``fit`` takes ``cat_features``, e.g. ``catboost.CatBoostClassifier()``.
        All columns that are not numeric are passed as categories.

    Examples
    --------
    >>> import pandas as pd
    >>> from catboost import CatBoostClassifier
    >>> X = pd.DataFrame({"job": ["clerk", "nurse"] * 10, "income": range(20)})
    >>> classifier = CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False)
    >>> model = TextCategories(classifier).fit(X, ["good", "bad"] * 10)
    >>> model.predict(X[:2]).tolist()
    ['good', 'bad']
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Fit the classifier on the numbers of the labels.

        Parameters
        ----------
        X : DataFrame
            Training rows, whose categories are text.
        y : array-like of shape (n,)
            Labels of any type.

        Returns
        -------
        TextCategories
            Itself.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.estimator_ = clone(self.estimator).fit(X, codes, cat_features=_other(X))
        return self


PREPROCESSING: dict[str, Callable[[], Any]] = {
    "scaled": _scaled,
    "ordinal": _ordinal,
    "native": FrequentCategories,
    "entity": EntityColumn,
    "entity_ordinal": lambda: make_pipeline(EntityColumn(), _ordinal()),
    "none": lambda: "passthrough",
}
"""What may stand before a classifier: medians for missing numbers (with an indicator) and unit
variance, one column per category; medians and a number per category; categories left to the
classifier; categories as text, with a column of the entity; the same as numbers; nothing."""


def tabular_pipeline(classifier: Any, preprocessing: str = "scaled") -> Pipeline:
    """Pipeline of a classifier for tables of mixed columns.

    Parameters
    ----------
    classifier : estimator
        Any scikit-learn classifier.
    preprocessing : {"scaled", "ordinal", "native", "entity", "entity_ordinal", "none"}
        What stands before it: see `PREPROCESSING`.

    Returns
    -------
    Pipeline
        Unfitted.

    Raises
    ------
    InputError
        For an unknown preprocessing.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> tabular_pipeline(LogisticRegression()).named_steps["classifier"]
    LogisticRegression()
    """
    if preprocessing not in PREPROCESSING:
        raise unknown_name("preprocessing", preprocessing, PREPROCESSING)
    steps = [("preprocessing", PREPROCESSING[preprocessing]()), ("classifier", classifier)]
    return Pipeline(steps)
