"""What the boosted classifiers share: weights, held-out part, scores, probabilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from xentexp.derivatives import CheckedLoss
from xentexp.errors import InputError
from xentexp.estimators.parts import check_classes
from xentexp.estimators.predictions import ScorePredictor
from xentexp.estimators.probabilities import ScoreLink
from xentexp.estimators.progress import PartLosses, Progress, find_recorded
from xentexp.estimators.rows import categories_of, further_rows, training_rows
from xentexp.losses import Loss
from xentexp.losses.base import check_number
from xentexp.losses.links import FloatArray
from xentexp.objectives import Training, find_class_weight, find_loss
from xentexp.objectives.start import initial_scores


@dataclass(frozen=True)
class Part:
    """Rows of one part, and the loss on them."""

    X: Any
    training: Training


class BoosterClassifier(ScorePredictor, BaseEstimator):  # type: ignore[misc]
    """Base of the boosted classifiers: a booster's file says how it trains and predicts.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels.
    booster_ : object
        The booster's own model; its scores start from 0.
    initial_scores_ : ndarray of shape (n_scores,)
        What is added to them.
    n_iter_ : int
        Rounds that were trained.
    best_iteration_ : int
        Rounds that predictions use.
    learning_curve_ : dict
        Part -> loss -> a value for each round; empty where nothing was recorded.
    """

    module: ClassVar[str]
    booster_: Any
    reserved: ClassVar[frozenset[str]]
    takes_categories: ClassVar[bool] = True

    # Parameters of the derived classes.
    loss: str | Loss | CheckedLoss
    loss_params: Mapping[str, object] | None
    class_weight: Mapping[Any, float] | ArrayLike | str | None
    label_smoothing: float
    correct_probabilities: bool
    hessian_factor: float | None
    boost_from_average: bool
    n_estimators: int
    learning_rate: float
    early_stopping_rounds: int | None
    validation_fraction: float | None
    record: Sequence[str | Loss] | None
    booster_params: Mapping[str, object] | None
    n_jobs: int | None
    random_state: Any

    @abstractmethod
    def _train(self, train: Part, valid: Part | None, progress: Progress | None) -> None:
        """Set `booster_` and `n_iter_`."""

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
        definition = find_loss(self.loss, self.loss_params)
        self._check_parameters()
        self.categories_ = categories_of(X)
        if self.categories_ and not self.takes_categories:
            raise InputError(
                f"{type(self).__name__} takes numbers; encode the categories of "
                f"{', '.join(map(str, self.categories_))} (preprocessing 'ordinal')"
            )
        X, y = training_rows(self, X, y, self.categories_)
        self.classes_, index = np.unique(y, return_inverse=True)
        k = len(self.classes_)
        check_classes(definition, self.classes_)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        self.class_weight_ = find_class_weight(
            self.class_weight, self.classes_.tolist(), index, weight
        )
        self.link_ = ScoreLink(
            definition, k, self.class_weight_, self.label_smoothing, self.correct_probabilities
        )
        others = find_recorded(self.record or (), definition, self.link_, k)

        def part(rows: NDArray[np.intp] | None) -> tuple[Part, PartLosses]:
            its_X, its_index, its_weight = X, index, weight
            if rows is not None:
                its_X = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
                its_index = index[rows]
                its_weight = None if weight is None else weight[rows]
            training = Training(
                definition,
                its_index,
                k,
                sample_weight=its_weight,
                class_weight=self.class_weight_,
                label_smoothing=self.label_smoothing,
            )
            return Part(its_X, training), PartLosses(training, others, self.link_, its_weight)

        kept, held_out = self._split(index)
        train, train_losses = part(kept)
        valid, valid_losses = (None, None) if held_out is None else part(held_out)
        measured = {}
        if self.record is not None:
            measured["train"] = train_losses
        if valid_losses is not None:
            measured["valid"] = valid_losses
        names = [definition.name, *(loss.name for loss in others)]
        progress = Progress(names, measured, self.early_stopping_rounds) if measured else None

        self.initial_scores_ = (
            initial_scores(train.training)
            if self.boost_from_average
            else np.zeros(train.training.n_scores)
        )
        try:
            self._train(train, valid, progress)
        except Exception as error:
            if type(error).__module__.split(".")[0].lstrip("_") != self.module:
                raise
            reason = str(error).split("\nStack trace", 1)[0].strip()  # of XGBoost's own code
            raise InputError(f"{self.module} refuses: {reason}") from error
        self.best_iteration_ = self.n_iter_
        if progress is not None and self.early_stopping_rounds is not None and self.n_iter_:
            self.best_iteration_ = progress.best_round()
        self.learning_curve_ = {} if progress is None else progress.curve
        return self

    def _check_parameters(self) -> None:
        for name in ("n_estimators", "early_stopping_rounds"):
            value = getattr(self, name)
            if value is None and name != "n_estimators":
                continue
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be an integer >= 1; got {value!r}")
        if self.hessian_factor is not None:
            check_number("hessian_factor", self.hessian_factor, 0.0, np.inf, low_open=True)
        check_number("learning_rate", self.learning_rate, 0.0, np.inf, low_open=True)
        fraction = self.validation_fraction
        if fraction is not None and not (isinstance(fraction, Real) and 0.0 < fraction < 1.0):
            raise InputError(f"validation_fraction must be > 0 and < 1; got {fraction!r}")
        if self.early_stopping_rounds is not None and fraction is None:
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

    def _split(self, index: NDArray[np.intp]) -> tuple[Any, Any]:
        if self.validation_fraction is None:
            return None, None
        try:
            kept, held_out = train_test_split(
                np.arange(len(index)),
                test_size=self.validation_fraction,
                stratify=index,
                random_state=check_random_state(self.random_state),
            )
        except ValueError as error:
            raise InputError(
                f"validation_fraction={self.validation_fraction} leaves no part with each class: "
                f"{error}"
            ) from error
        return np.sort(kept), np.sort(held_out)

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
        scores = np.asarray(self._booster_scores(X), dtype=np.float64)
        by_class = scores[np.newaxis] if scores.ndim == 1 else scores.T
        return np.asarray(by_class + start)

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
