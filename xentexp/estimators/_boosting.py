"""Common base of the LightGBM, XGBoost and CatBoost classifiers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xentexp._inputs.labels import refuse_missing_labels
from xentexp._inputs.options import check_bool, check_integer, check_n_jobs
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, plain_errors
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._tabular_input import (
    categories_of,
    further_rows,
    plain_frame,
    training_rows,
)
from xentexp.losses._base import check_number
from xentexp.objectives import get_training_loss
from xentexp.objectives._boosting import by_class
from xentexp.objectives._objective import initial_scores


class BoosterClassifier(LossClassifier):
    """Base of the boosted classifiers; a derived class implements training and prediction."""

    module: ClassVar[str]  # package to import
    booster_: Any
    reserved: ClassVar[frozenset[str]]  # names and aliases that booster_params must not contain
    unused: ClassVar[frozenset[str]]  # names and aliases of parameters that would have no effect
    supports_categories: ClassVar[bool] = True

    # Parameters that every derived class has.
    hessian_factor: float | None
    boost_from_average: bool
    n_estimators: int
    learning_rate: float
    max_depth: int
    reg_lambda: float
    early_stopping_rounds: int | None
    booster_params: Mapping[str, object] | None
    n_jobs: int | None
    random_state: Any

    def _set_parameters(self, values: Mapping[str, Any]) -> None:
        """Set the arguments of ``__init__`` as attributes."""
        for name, value in values.items():
            if name != "self":
                setattr(self, name, value)

    @abstractmethod
    def _train(self, parts: Mapping[str, TrainingRows], history: History) -> None:
        """Set `booster_` and `n_iter_`, and record the losses of the parts in the history."""

    @abstractmethod
    def _booster_scores(self, X: Any) -> NDArray[np.floating]:
        """Raw scores (n,) or (n, n_scores) of `best_iteration_` rounds, without initial scores."""

    @abstractmethod
    def _importances(self) -> FloatArray:
        """Importance of each column in the booster's unit; the model has at least one tree."""

    # -- fitting ---------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to training rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
            Training rows: numbers, which may be missing (NaN). LightGBM and XGBoost also accept
            pandas categories. As in the boosters' own classifiers, entries that a sparse matrix
            does not store are zeros for LightGBM and CatBoost, but missing values for XGBoost.
        y : array-like of shape (n,)
            Labels of any type, of at least two classes.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, finite and not negative. None gives every row the weight 1. Rows of
            weight 0 have no effect.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        InputError
            If the booster is not installed, if the loss cannot be trained on, if a parameter is
            not valid, or if the booster rejects its parameters or the data.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        refuse_missing_labels(y)
        X = plain_frame(X)
        self.categories_ = categories_of(X)
        if self.categories_ and not self.supports_categories:
            raise InputError(
                f"X must hold numbers for {type(self).__name__}; got categories in "
                f"{', '.join(map(str, self.categories_))}; encode the categories as numbers, e.g. "
                f"with OrdinalEncoder (in an experiment: preprocessing 'ordinal')"
            )
        X, y = training_rows(self, X, y, self.categories_)
        all_rows = self._read(loss, X, y, sample_weight)
        parts = split_parts(all_rows, self.validation_fraction, self.random_state)
        recorded = {
            name: part for name, part in parts.items() if self.record is not None or name == "valid"
        }
        history = self._history(recorded, self.early_stopping_rounds)
        objective = parts["train"].training
        self.initial_scores_ = (
            initial_scores(objective) if self.boost_from_average else np.zeros(objective.n_scores)
        )
        with plain_errors(f"{self.module} raised an error", self.module):
            self._train(parts, history)
        self.best_iteration_ = self.n_iter_
        if self.early_stopping_rounds is not None and self.n_iter_:
            self.best_iteration_ = history.best_round()
        self.learning_curve_ = history.curve
        return self

    def _check_parameters(self) -> None:
        check_count("n_estimators", self.n_estimators)
        check_bool("boost_from_average", self.boost_from_average)
        check_n_jobs(self.n_jobs)
        check_integer("max_depth", self.max_depth, -1)
        check_number("reg_lambda", self.reg_lambda, 0.0, np.inf)
        if self.early_stopping_rounds is not None:
            check_count("early_stopping_rounds", self.early_stopping_rounds)
        if self.hessian_factor is not None:
            check_number("hessian_factor", self.hessian_factor, 0.0, np.inf, low_open=True)
        check_number("learning_rate", self.learning_rate, 0.0, np.inf, low_open=True)
        self._check_fraction()
        if self.early_stopping_rounds is not None and self.validation_fraction is None:
            raise InputError(
                f"early_stopping_rounds requires held-out rows; got {self.early_stopping_rounds!r} "
                f"with validation_fraction=None; set validation_fraction, e.g. to 0.1"
            )
        params = {} if self.booster_params is None else self.booster_params
        if not isinstance(params, Mapping) or not all(isinstance(name, str) for name in params):
            raise InputError(
                f"booster_params must be a dict with names as keys, or None; got {params!r}"
            )
        reserved = sorted(self.reserved & set(params))
        if reserved:
            raise InputError(
                f"booster_params must not hold parameters that {type(self).__name__} sets; got "
                f"{', '.join(reserved)}; set the parameter of {type(self).__name__} instead, if "
                f"there is one"
            )
        unused = sorted(self.unused & set(params))
        if unused:
            raise InputError(
                f"booster_params must not hold parameters that do not work in "
                f"{type(self).__name__}; got {', '.join(unused)}; remove them"
            )

    def _refuse_stopping_with_dart(self) -> None:
        if self.early_stopping_rounds is not None:
            raise InputError(
                f"early_stopping_rounds must be None for dart, because later rounds change the "
                f"trees of the best round; got {self.early_stopping_rounds!r}; choose n_estimators "
                f"by cross-validation instead"
            )

    def _positions(self, columns: Any) -> list[int]:
        """Numbers of columns that a parameter of the booster gives by name or number."""
        if isinstance(columns, str) or not np.iterable(columns):
            raise InputError(
                f"columns in booster_params must be a list of names or numbers; got {columns!r}"
            )
        # Boosters receive the columns without their names, which some of them do not accept.
        known = {name: number for number, name in enumerate(getattr(self, "feature_names_in_", ()))}
        known |= {number: number for number in range(self.n_features_in_)}
        unknown = [
            column for column in columns if not isinstance(column, Hashable) or column not in known
        ]
        if unknown:
            raise InputError(
                f"columns in booster_params must be names of columns of X or their numbers from 0 "
                f"to {self.n_features_in_ - 1}; got {', '.join(map(repr, unknown[:5]))}"
            )
        return [known[column] for column in columns]

    def _by_position(self, value: Any, missing: float) -> Any:
        """One number for each column from a mapping; other values are returned unchanged."""
        if not isinstance(value, Mapping):
            return value
        numbers = dict(zip(self._positions(value), value.values(), strict=True))
        return [numbers.get(column, missing) for column in range(self.n_features_in_)]

    def _groups(self, value: Any) -> Any:
        """Groups of columns by number; text is returned unchanged."""
        if isinstance(value, str):
            return value
        return [self._positions(group) for group in (value if np.iterable(value) else [value])]

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))

    def _start(self, n_rows: int) -> FloatArray:
        """Initial scores for n rows, (n, n_scores)."""
        return np.tile(self.initial_scores_, (n_rows, 1))

    # -- predicting ------------------------------------------------------------------------

    def _scores(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = further_rows(self, X, self.categories_)
        start = self.initial_scores_[:, np.newaxis]
        if self.best_iteration_ == 0:
            return np.repeat(start, X.shape[0], axis=1)
        with plain_errors(f"{self.module} raised an error", self.module):
            scores = np.asarray(self._booster_scores(X), dtype=np.float64)
        return np.asarray(by_class(scores) + start)

    @property
    def feature_importances_(self) -> FloatArray:
        """Relative importance of each column.

        Returns
        -------
        ndarray of shape (n_features,)
            Fraction of each column in the total gain of the splits (for CatBoost in
            ``PredictionValuesChange``); they sum to 1, or are all 0 if there is no split.
        """
        check_is_fitted(self)
        if self.best_iteration_ == 0:
            return np.zeros(self.n_features_in_)
        values = np.asarray(self._importances(), dtype=np.float64)
        total = values.sum()
        return values / total if total > 0.0 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = self.supports_categories
        return tags
