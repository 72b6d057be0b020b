"""XGBoost as a classifier that is trained on any loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import import_extra
from xentexp.estimators._boosting import BoosterClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows
from xentexp.losses import Loss
from xentexp.objectives import TrainingObjective
from xentexp.objectives._boosting import by_class
from xentexp.objectives._xgboost import xgboost_factor


class XGBoostLossClassifier(BoosterClassifier):
    """XGBoost trained on any loss, with probabilities.

    XGBoost's own classifier under a custom objective starts at 0 or adds a base score that is
    not one, and takes every raw score for a logit. This starts where XGBoost's own objectives
    start, takes any labels, and gives probabilities by the link of the loss: trained on the
    cross-entropy it is ``xgboost.XGBClassifier`` to the precision of its float32 scores.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        What to train on: a name, a peer's name, or a loss.
    loss_params : dict, optional
        Parameters of the loss, where it is a name.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    correct_probabilities : bool, default=False
        Whether to undo what the loss, smoothing and class weights do to the probabilities.
    n_estimators : int, default=100
        Rounds.
    learning_rate : float, default=0.3
        What each tree is multiplied by.
    max_depth : int, default=6
        Depth of a tree.
    min_child_weight : float, default=1
        Sum of curvatures in a leaf.
    reg_lambda : float, default=1
        L2 penalty of a leaf.
    hessian_factor : float, optional
        What curvatures are multiplied by; XGBoost's own by default: 2 of several classes, 1
        of two.
    boost_from_average : bool, default=True
        Whether to start from the class shares.
    early_stopping_rounds : int, optional
        Rounds without a new best on the held-out part, after which to stop; predictions use
        the best. Needs `validation_fraction`.
    validation_fraction : float, optional
        Share of the rows that is held out, stratified by class.
    record : sequence of str or Loss, optional
        Losses to record after each round beside the one that is trained on, in
        `learning_curve_`. With None nothing is computed on the training part, and on a held-out
        part the trained loss alone.
    booster_params : dict, optional
        Further parameters of XGBoost, e.g. ``{"colsample_bytree": 0.8}``.
    n_jobs : int, optional
        Threads; None for 1, -1 for all.
    random_state : int, RandomState or None
        Seed of XGBoost and of the held-out part.

    Attributes
    ----------
    classes_, booster_, initial_scores_, n_iter_, best_iteration_, learning_curve_
        See `BoosterClassifier`; `booster_` is a ``xgboost.Booster``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = XGBoostLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "xgboost"
    reserved: ClassVar[frozenset[str]] = frozenset(
        (
            *("objective", "num_class", "base_score", "eval_metric", "multi_strategy"),
            *("disable_default_eval_metric", "n_estimators", "num_boost_round"),
            *("learning_rate", "eta", "max_depth", "min_child_weight", "reg_lambda", "lambda"),
            *("n_jobs", "nthread", "random_state", "seed", "early_stopping_rounds"),
            *("booster", "enable_categorical"),
        )
    )

    min_child_weight: float

    def __init__(
        self,
        loss: str | Loss = "categorical_crossentropy",
        *,
        loss_params: Mapping[str, object] | None = None,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        correct_probabilities: bool = False,
        n_estimators: int = 100,
        learning_rate: float = 0.3,
        max_depth: int = 6,
        min_child_weight: float = 1.0,
        reg_lambda: float = 1.0,
        hessian_factor: float | None = None,
        boost_from_average: bool = True,
        early_stopping_rounds: int | None = None,
        validation_fraction: float | None = None,
        record: Sequence[str | Loss] | None = None,
        booster_params: Mapping[str, object] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self._set_parameters(locals())

    def _train(self, parts: Mapping[str, TrainingRows], history: History) -> None:
        xgboost = import_extra("xgboost", type(self).__name__)
        objective = parts["train"].training
        n_scores = objective.n_scores
        params: dict[str, Any] = {
            "tree_method": "hist",
            "verbosity": 1,
            **(self.booster_params or {}),
            "base_score": 0.0,
            "disable_default_eval_metric": True,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "nthread": self._threads(),
            "seed": self._seed(),
        }
        if n_scores > 1:
            params["num_class"] = n_scores
        sets = {name: self._matrix(part.X, part.training) for name, part in parts.items()}

        class Watch(xgboost.callback.TrainingCallback):  # type: ignore[misc, name-defined]
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                # XGBoost's own metrics would be rounded to six decimals.
                for name in history.parts:
                    scores = model.predict(sets[name], output_margin=True)
                    history.record(name, by_class(scores))
                return history.is_over()

        self.booster_ = xgboost.train(
            params,
            sets["train"],
            num_boost_round=self.n_estimators,
            obj=self._objective(objective, xgboost_factor(n_scores)),
            verbose_eval=False,
            callbacks=[Watch()] if history.parts else None,
        )
        self.n_iter_ = int(self.booster_.num_boosted_rounds())

    def _matrix(self, X: Any, training: TrainingObjective | None = None) -> Any:
        xgboost = import_extra("xgboost", type(self).__name__)
        options: dict[str, Any] = {}
        if training is not None:
            start = self._start(training.n_rows)
            options["label"] = training.index
            options["weight"] = training.weight  # it weighs the quantiles that columns are cut at
            options["base_margin"] = start[:, 0] if training.n_scores == 1 else start
        return xgboost.DMatrix(
            X, nthread=self._threads(), enable_categorical=bool(self.categories_), **options
        )

    def _booster_scores(self, X: Any) -> NDArray[np.floating]:
        return np.asarray(
            self.booster_.predict(
                self._matrix(X), output_margin=True, iteration_range=(0, self.best_iteration_)
            )
        )

    def _importances(self) -> FloatArray:
        gains = self.booster_.get_score(importance_type="total_gain")
        return np.array([gains.get(f"f{place}", 0.0) for place in range(self.n_features_in_)])
