"""CatBoost as a classifier that is trained on any loss."""

from __future__ import annotations

import warnings
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
from xentexp.objectives._boosting import by_class
from xentexp.objectives._catboost import CatBoostMetric, CatBoostObjective


class CatBoostLossClassifier(BoosterClassifier):
    """CatBoost trained on any loss, with probabilities.

    Trained on the cross-entropy it is ``catboost.CatBoostClassifier`` to rounding, where that is
    given the same baseline. CatBoost calls a Python objective of several classes row by row:
    expect some 60 microseconds for each row and tree, and a hundredth of it for two classes.

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
    learning_rate : float, default=0.1
        What each tree is multiplied by.
    max_depth : int, default=6
        Depth of a tree.
    reg_lambda : float, default=3
        L2 penalty of a leaf.
    hessian_factor : float, optional
        What curvatures are multiplied by; 1 by default, as in CatBoost's own objectives.
    boost_from_average : bool, default=True
        Whether to start from the class shares, which CatBoost's own classifiers do not.
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
        Further parameters of CatBoost, e.g. ``{"rsm": 0.8}``.
    n_jobs : int, optional
        Threads; None for 1, -1 for all.
    random_state : int, RandomState or None
        Seed of CatBoost and of the held-out part.

    Attributes
    ----------
    classes_, booster_, initial_scores_, n_iter_, best_iteration_, learning_curve_
        See `BoosterClassifier`; `booster_` is a ``catboost.CatBoost``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CatBoostLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "catboost"
    takes_categories: ClassVar[bool] = False
    reserved: ClassVar[frozenset[str]] = frozenset(
        (
            *("loss_function", "objective", "eval_metric", "custom_metric", "custom_loss"),
            *("classes_count", "class_weights", "auto_class_weights", "scale_pos_weight"),
            *("n_estimators", "iterations", "num_boost_round", "num_trees"),
            *("learning_rate", "eta", "depth", "max_depth", "l2_leaf_reg", "reg_lambda"),
            *("thread_count", "n_jobs", "random_seed", "random_state", "early_stopping_rounds"),
            *("od_wait", "od_type", "od_pval", "use_best_model", "boost_from_average"),
            *("cat_features", "verbose", "silent", "verbose_eval", "logging_level"),
        )
    )

    def __init__(
        self,
        loss: str | Loss = "categorical_crossentropy",
        *,
        loss_params: Mapping[str, object] | None = None,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        correct_probabilities: bool = False,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        max_depth: int = 6,
        reg_lambda: float = 3.0,
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
        catboost = import_extra("catboost", type(self).__name__)
        train = parts["train"]
        n_scores = train.training.n_scores
        options: dict[str, Any] = {
            "n_classes": train.training.n_classes,
            "label_smoothing": self.label_smoothing,
        }
        params: dict[str, Any] = {
            "allow_writing_files": False,
            **(self.booster_params or {}),
            "loss_function": CatBoostObjective(
                train.training.loss, hessian_factor=self.hessian_factor, **options
            ),
            "eval_metric": CatBoostMetric(train.training.loss, **options),
            "iterations": self.n_estimators,
            "learning_rate": self.learning_rate,
            "depth": self.max_depth,
            "l2_leaf_reg": self.reg_lambda,
            "thread_count": self._threads(),
            "random_seed": self._seed(),
            "verbose": False,
        }
        if n_scores > 1:
            params["classes_count"] = n_scores
            params.setdefault("bootstrap_type", "Bayesian")  # as MultiClass has it
        if not _can_split(train.X):
            self.booster_, self.n_iter_ = None, 0  # no column can be split: CatBoost would abort
            return
        stops = self.early_stopping_rounds is not None

        def pool(part: TrainingRows) -> Any:
            return catboost.Pool(
                part.X,
                part.training.index,
                weight=part.training.weight,
                baseline=self._start(part.training.n_rows),
            )

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to import numba")
            warnings.filterwarnings("ignore", "Can't optimi")
            self.booster_ = catboost.CatBoost(params).fit(
                pool(train),
                eval_set=pool(parts["valid"]) if stops else None,
                early_stopping_rounds=self.early_stopping_rounds,
                use_best_model=False,
            )
        self.n_iter_ = int(self.booster_.tree_count_)
        for name in history.parts:
            self._record(name, parts[name], history)

    def _record(self, name: str, part: TrainingRows, history: History) -> None:
        """Losses of each round, afterwards: CatBoost tells a metric nothing of other losses."""
        scores = np.array(self._start(part.training.n_rows).T, order="C")
        for tree in range(self.n_iter_):
            scores_of_tree = self.booster_.predict(
                part.X,
                prediction_type="RawFormulaVal",
                ntree_start=tree,
                ntree_end=tree + 1,
                thread_count=self._threads(),
            )
            scores += by_class(np.asarray(scores_of_tree))
            history.record(name, scores)

    def _booster_scores(self, X: Any) -> NDArray[np.floating]:
        return np.asarray(
            self.booster_.predict(
                X,
                prediction_type="RawFormulaVal",
                ntree_end=self.best_iteration_,
                thread_count=self._threads(),
            )
        )

    def _importances(self) -> FloatArray:
        return np.asarray(self.booster_.get_feature_importance(type="PredictionValuesChange"))


def _can_split(X: NDArray[np.floating]) -> bool:
    """Whether a column holds two values, of which missing is one."""
    missing = np.isnan(X)
    lowest = np.where(missing, np.inf, X).min(axis=0)
    highest = np.where(missing, -np.inf, X).max(axis=0)
    return bool(np.any((lowest < highest) | (missing.any(axis=0) & ~missing.all(axis=0))))
