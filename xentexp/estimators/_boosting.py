"""What the boosted classifiers share: rows, rounds, initial scores, predictions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xentexp._numerics import FloatArray
from xentexp.errors import InputError, plain_errors
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._tabular_input import categories_of, further_rows, training_rows
from xentexp.losses._base import check_number
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.objectives._boosting import by_class, newton_like
from xentexp.objectives._objective import initial_scores

Objective = Callable[[NDArray[np.floating], Any], tuple[NDArray[Any], NDArray[Any]]]


class BoosterClassifier(LossClassifier):
    """Base of the boosted classifiers: a booster's file says how it trains and predicts."""

    module: ClassVar[str]
    booster_: Any
    reserved: ClassVar[frozenset[str]]
    takes_categories: ClassVar[bool] = True

    # Parameters of the derived classes.
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
        """Set `booster_` and `n_iter_`, and record the parts that the history has."""

    @abstractmethod
    def _booster_scores(self, X: Any) -> NDArray[np.floating]:
        """Raw scores of `best_iteration_` rounds, (n,) or (n, n_scores)."""

    @abstractmethod
    def _importances(self) -> FloatArray:
        """Importance of each column, in any unit; of a model with trees."""

    # -- fitting ---------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, n_features)
            Numbers, maybe missing; LightGBM and XGBoost take pandas categories too.
        y : array-like of shape (n,)
            Labels of any type, of two classes or more.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            For a missing booster, a loss that is not trained on, and bad parameters.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        self.categories_ = categories_of(X)
        if self.categories_ and not self.takes_categories:
            raise InputError(
                f"{type(self).__name__} takes numbers; encode the categories of "
                f"{', '.join(map(str, self.categories_))} (preprocessing 'ordinal')"
            )
        X, y = training_rows(self, X, y, self.categories_)
        whole = self._read(loss, X, y, sample_weight)
        parts = split_parts(whole, self.validation_fraction, self.random_state)
        recorded = {
            name: part for name, part in parts.items() if self.record is not None or name == "valid"
        }
        history = self._history(recorded, self.early_stopping_rounds)
        objective = parts["train"].training
        self.initial_scores_ = (
            initial_scores(objective) if self.boost_from_average else np.zeros(objective.n_scores)
        )
        with plain_errors(f"{self.module} refuses", self.module):
            self._train(parts, history)
        self.best_iteration_ = self.n_iter_
        if self.early_stopping_rounds is not None and self.n_iter_:
            self.best_iteration_ = history.best_round()
        self.learning_curve_ = history.curve
        return self

    def _check_parameters(self) -> None:
        check_count("n_estimators", self.n_estimators)
        if self.early_stopping_rounds is not None:
            check_count("early_stopping_rounds", self.early_stopping_rounds)
        if self.hessian_factor is not None:
            check_number("hessian_factor", self.hessian_factor, 0.0, np.inf, low_open=True)
        check_number("learning_rate", self.learning_rate, 0.0, np.inf, low_open=True)
        self._check_fraction()
        if self.early_stopping_rounds is not None and self.validation_fraction is None:
            raise InputError(
                "early_stopping_rounds needs rows to watch; set validation_fraction, e.g. to 0.1"
            )
        params = {} if self.booster_params is None else self.booster_params
        if not isinstance(params, Mapping):
            raise InputError(f"booster_params must be a dict or None; got {params!r}")
        taken = sorted(self.reserved & set(params))
        if taken:
            raise InputError(
                f"booster_params must not hold {', '.join(taken)}: {type(self).__name__} has its "
                f"own parameter or sets it itself"
            )

    def _objective(self, objective: TrainingObjective, default_factor: float) -> Objective:
        """Gradients and curvatures of raw scores, as LightGBM and XGBoost call for them."""
        factor = self.hessian_factor or default_factor
        return lambda scores, _: newton_like(objective, scores, factor)

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))

    def _start(self, n_rows: int) -> FloatArray:
        """Initial scores of rows, (n, n_scores)."""
        return np.tile(self.initial_scores_, (n_rows, 1))

    # -- predicting ------------------------------------------------------------------------

    def _scores(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = further_rows(self, X, self.categories_)
        start = self.initial_scores_[:, np.newaxis]
        if self.best_iteration_ == 0:
            return np.repeat(start, len(X), axis=1)
        with plain_errors(f"{self.module} refuses", self.module):
            scores = np.asarray(self._booster_scores(X), dtype=np.float64)
        return np.asarray(by_class(scores) + start)

    @property
    def feature_importances_(self) -> FloatArray:
        """Share of each column in what the splits gained; all 0 without a split."""
        check_is_fitted(self)
        if self.best_iteration_ == 0:
            return np.zeros(self.n_features_in_)
        values = np.asarray(self._importances(), dtype=np.float64)
        total = values.sum()
        return values / total if total > 0.0 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = self.takes_categories
        return tags
