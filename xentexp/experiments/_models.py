"""Pipelines for tables of mixed column types: a preprocessing and a classifier."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from xentexp.errors import unknown_name
from xentexp.experiments.datasets import find_entities
from xentexp.tuning._weights import fit_weights


def _scaled() -> Any:
    category = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False
    )
    return _by_type(make_pipeline(_imputer(), StandardScaler()), category)


def _ordinal() -> Any:
    category = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    return _by_type(_imputer(), category)


# scikit-learn's packages compose and impute import linear models, support vector machines and
# neighbors, which are not needed for other preprocessings.
def _by_type(numeric: Any, category: Any) -> Any:
    from sklearn.compose import ColumnTransformer, make_column_selector

    return ColumnTransformer(
        [
            ("numeric", numeric, make_column_selector(dtype_include="number")),
            ("category", category, make_column_selector(dtype_exclude="number")),
        ]
    )


def _imputer() -> Any:
    from sklearn.impute import SimpleImputer

    # strategy="median" would sort copies of the whole table, five times as large as it together.
    return SimpleImputer(strategy=median, add_indicator=True, keep_empty_features=True)


def median(values: NDArray[Any]) -> float:
    """Median of the known values of a column; 0 without any."""
    return float(np.median(values)) if len(values) else 0.0


def _other(X: pd.DataFrame) -> list[Any]:
    """Names of the columns that are not numeric."""
    from sklearn.compose import make_column_selector

    names: list[Any] = make_column_selector(dtype_exclude="number")(X)
    return names


class EntityColumn(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add a column that identifies the entity, e.g. the person, of each row."""

    # `find_entities` is run on the training part; a row belongs to the entity with equal values in
    # the key. Categories become text, as CatBoost needs. A model that uses this column scores well
    # on random folds but learns nothing about new entities.

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Find the columns that identify an entity."""
        entities = find_entities(X)
        self.key_ = [] if entities is None else list(entities.columns)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return a copy with categories as text and, if entities were found, the column entity."""
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
    """Non-numeric columns as pandas categories: the most frequent ones of the training part."""

    # For classifiers that split on categories and missing values, and limit the number of
    # categories; other categories become missing. Columns without any value in the training part
    # are dropped because scikit-learn's boosting cannot bin them.

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
        """Return a copy with the categories of the training part; others become missing."""
        check_is_fitted(self)
        return X.drop(columns=self.empty_).assign(
            **{
                name: X[name].astype("category").cat.set_categories(categories)
                for name, categories in self.categories_.items()
                if name not in self.empty_
            }
        )


class EncodedLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Wrapper that encodes labels of any type for a classifier that needs labels 0 to k - 1.

    Parameters
    ----------
    estimator : estimator
        Classifier to wrap, with ``fit`` and ``predict_proba``, such as
        ``xgboost.XGBClassifier()``. It is cloned, not modified.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Sorted labels of the training data.
    estimator_ : estimator
        Fitted classifier, whose labels are the positions in `classes_`.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> model = EncodedLabels(DummyClassifier()).fit([[0], [1], [2]], ["no", "yes", "no"])
    >>> model.classes_.tolist(), model.predict([[0]]).tolist()
    (['no', 'yes'], ['no'])
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Encode the labels as 0 to k - 1 and fit the wrapped classifier.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Training rows, passed to the wrapped classifier unchanged.
        y : array-like of shape (n,)
            Labels of any type that can be sorted.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, passed to the wrapped classifier. By default all rows count the
            same.

        Returns
        -------
        EncodedLabels
            The fitted estimator itself.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        weights = fit_weights(self.estimator, sample_weight)
        self.estimator_ = clone(self.estimator).fit(X, codes, **weights)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n, k)
            Probabilities, with columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n,)
            Predicted labels, of the type of the training labels.
        """
        most_probable: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return most_probable


class TextCategories(EncodedLabels):
    """Wrapper that passes the non-numeric columns as ``cat_features`` to ``fit``, for CatBoost.

    CatBoost also accepts ``cat_features`` in its constructor, but modifies the list, so that
    scikit-learn's ``clone`` and therefore cross-validation fail. Labels are encoded as by
    `EncodedLabels`.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``fit`` accepts ``cat_features``, such as
        ``catboost.CatBoostClassifier()``. It is cloned, not modified.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Sorted labels of the training data.
    estimator_ : estimator
        Fitted classifier, whose labels are the positions in `classes_`.

    Examples
    --------
    >>> import pandas as pd
    >>> from catboost import CatBoostClassifier  # doctest: +SKIP
    >>> X = pd.DataFrame({"job": ["clerk", "nurse"] * 10, "income": range(20)})
    >>> classifier = CatBoostClassifier(iterations=2, verbose=0)  # doctest: +SKIP
    >>> model = TextCategories(classifier).fit(X, ["good", "bad"] * 10)  # doctest: +SKIP
    >>> model.predict(X[:2]).tolist()  # doctest: +SKIP
    ['good', 'bad']
    """

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: Any = None) -> Self:
        """Encode the labels as 0 to k - 1 and fit the wrapped classifier.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Training rows. Non-numeric columns must contain text or integers without missing
            values, as CatBoost requires; they are passed as categorical.
        y : array-like of shape (n,)
            Labels of any type that can be sorted.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, passed to the wrapped classifier. By default all rows count the
            same.

        Returns
        -------
        TextCategories
            The fitted estimator itself.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        weights = fit_weights(self.estimator, sample_weight)
        self.estimator_ = clone(self.estimator).fit(X, codes, cat_features=_other(X), **weights)
        return self


_SEEDS = ("random_state", "random_seed", "seed")  # the same parameter of different boosters


def seeded(estimator: Any, seed: int) -> tuple[Any, list[str]]:
    """Copy of an estimator with `seed` for each seed that is None, and the names of these."""
    copy = clone(estimator)
    parts = {"": copy}
    for name, part in copy.get_params(deep=True).items():
        if hasattr(part, "get_params") and not isinstance(part, type):
            parts[f"{name}__"] = part
    names = [prefix + name for prefix, part in parts.items() if (name := _missing_seed(part))]
    return copy.set_params(**dict.fromkeys(names, seed)), names


def _missing_seed(estimator: Any) -> str | None:
    """Parameter that sets the seed of one estimator; None if it has none, or a seed is set."""
    own = estimator.get_params(deep=False)
    # CatBoost omits parameters that are not set from get_params.
    known = {**own, **inspect.signature(type(estimator)).parameters}
    names = [name for name in _SEEDS if name in known]
    if any(own.get(name) is not None for name in names):
        return None
    return next((name for name in names if name in own), next(iter(names), None))


PREPROCESSING: dict[str, Callable[[], Any]] = {
    "scaled": _scaled,
    "ordinal": _ordinal,
    "native": FrequentCategories,
    "entity": EntityColumn,
    "entity_ordinal": lambda: make_pipeline(EntityColumn(), _ordinal()),
    "none": lambda: "passthrough",
}
"""Preprocessings by name; `tabular_pipeline` describes them."""


def tabular_pipeline(classifier: Any, preprocessing: str = "scaled") -> Pipeline:
    """Make a pipeline of a preprocessing for mixed column types and a classifier.

    Parameters
    ----------
    classifier : estimator
        Any scikit-learn classifier.
    preprocessing : str, default="scaled"
        How columns are prepared:

        - ``"scaled"``: numeric columns with missing values replaced by the median (plus an
          indicator column) and scaled to unit variance; one-hot columns for categories. For
          linear models and neural networks.
        - ``"ordinal"``: medians as above, and one integer code per category. For tree models
          that need numbers.
        - ``"native"``: categorical columns as pandas categories, missing values unchanged. For
          boosting models that handle both.
        - ``"entity"``: categories as text, and a column that identifies the entity (e.g. the
          person) of each row, if `xentexp.experiments.datasets.find_entities` finds any. For
          CatBoost.
        - ``"entity_ordinal"``: ``"entity"``, then ``"ordinal"``.
        - ``"none"``: columns unchanged.

    Returns
    -------
    Pipeline
        Unfitted scikit-learn pipeline with the steps ``preprocessing`` and ``classifier``.

    Raises
    ------
    InputError
        If the name of the preprocessing is unknown.

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
