"""LightGBM as a classifier that is trained on any loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import import_extra, unknown_name
from xentexp.estimators._boosting import BoosterClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows
from xentexp.losses import Loss
from xentexp.objectives._boosting import by_class
from xentexp.objectives._lightgbm import lightgbm_factor


class LightGBMLossClassifier(BoosterClassifier):
    """LightGBM trained on any loss, with probabilities.

    LightGBM under a custom objective starts at 0 and predicts raw scores. This starts where its
    own objectives start, and gives probabilities by the link of the loss: trained on the
    cross-entropy it is ``lightgbm.LGBMClassifier``.

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
    num_leaves : int, default=31
        Leaves of a tree.
    max_depth : int, default=-1
        Depth of a tree; -1 for any.
    min_child_samples : int, default=20
        Rows in a leaf.
    reg_lambda : float, default=0
        L2 penalty of a leaf.
    hessian_factor : float, optional
        What curvatures are multiplied by; LightGBM's own by default: K/(K-1) of K > 2 classes,
        else 1.
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
        Further parameters of LightGBM, e.g. ``{"feature_fraction": 0.8}``.
    n_jobs : int, optional
        Threads; None for 1, -1 for all.
    random_state : int, RandomState or None
        Seed of LightGBM and of the held-out part.

    Attributes
    ----------
    classes_, booster_, initial_scores_, n_iter_, best_iteration_, learning_curve_
        See `BoosterClassifier`; `booster_` is a ``lightgbm.Booster``.

    Notes
    -----
    The name is not ``LightGBMClassifier``: LightGBM's own differs from that by a few letters.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LightGBMLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "lightgbm"
    reserved: ClassVar[frozenset[str]] = frozenset(
        (
            *("objective", "application", "app", "loss", "num_class", "num_classes"),
            *("metric", "metrics", "metric_types", "boost_from_average"),
            *("n_estimators", "num_iterations", "num_iteration", "n_iter", "num_tree"),
            *("num_trees", "num_round", "num_rounds", "nrounds", "num_boost_round", "max_iter"),
            *("learning_rate", "shrinkage_rate", "eta"),
            *("num_leaves", "num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes", "max_depth"),
            *("min_child_samples", "min_data_in_leaf", "min_data_per_leaf", "min_data"),
            *("min_samples_leaf", "reg_lambda", "lambda_l2", "lambda", "l2_regularization"),
            *("n_jobs", "num_threads", "num_thread", "nthread", "nthreads"),
            *("random_state", "seed", "random_seed", "early_stopping_round"),
            *("early_stopping_rounds", "early_stopping", "n_iter_no_change"),
        )
    )

    num_leaves: int
    min_child_samples: int

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
        num_leaves: int = 31,
        max_depth: int = -1,
        min_child_samples: int = 20,
        reg_lambda: float = 0.0,
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
        lightgbm = import_extra("lightgbm", type(self).__name__)
        _check_names(lightgbm, self.booster_params or {})
        train = parts["train"]
        n_scores = train.training.n_scores
        params: dict[str, Any] = {
            "verbosity": -1,
            **(self.booster_params or {}),
            "objective": self._objective(train.training, lightgbm_factor(n_scores)),
            "metric": "none",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "max_depth": self.max_depth,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.reg_lambda,
            "num_threads": self._threads(),
            "seed": self._seed(),
        }
        if n_scores > 1:
            params["num_class"] = n_scores

        def data(part: TrainingRows, reference: Any = None) -> Any:
            return lightgbm.Dataset(
                part.X,
                part.training.index,
                init_score=self._start(part.training.n_rows).ravel(order="F"),
                reference=reference,
                params={**params, "objective": "none"},
                free_raw_data=False,
            )

        sets = {"train": data(train)}
        sets["train"].construct()
        if not any(map(sets["train"].feature_num_bin, range(train.X.shape[1]))):
            self.booster_, self.n_iter_ = None, 0  # no column can be split: LightGBM would abort
            return
        if "valid" in parts:
            sets["valid"] = data(parts["valid"], sets["train"])
        names = list(history.parts)

        def record(scores: NDArray[np.float64], data: Any) -> list[Any]:
            name = next(name for name in names if sets[name] is data)
            history.record(name, by_class(scores))
            return []

        def stop(state: Any) -> None:
            if history.is_over():
                raise lightgbm.callback.EarlyStopException(state.iteration, [])

        self.booster_ = lightgbm.train(
            params,
            sets["train"],
            num_boost_round=self.n_estimators,
            valid_sets=[sets[name] for name in names] or None,
            valid_names=names or None,
            feval=record if names else None,
            callbacks=[stop],
        )
        self.n_iter_ = int(self.booster_.current_iteration())

    def _booster_scores(self, X: Any) -> NDArray[np.floating]:
        return np.asarray(
            self.booster_.predict(
                X,
                raw_score=True,
                num_iteration=self.best_iteration_,
                num_threads=self._threads(),
            )
        )

    def _importances(self) -> FloatArray:
        return np.asarray(self.booster_.feature_importance("gain", iteration=self.best_iteration_))


def _check_names(lightgbm: Any, params: Mapping[str, object]) -> None:
    """Refuse what LightGBM would read and ignore."""
    aliases = lightgbm.basic._ConfigAliases._get_all_param_aliases()
    known = {name for names in aliases.values() for name in names} | set(aliases)
    for name in params:
        if name not in known:
            raise unknown_name("parameter of LightGBM", name, known)
