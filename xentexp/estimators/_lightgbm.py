"""LightGBM classifier that is trained on any loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.options import check_integer
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.estimators._boosting import BoosterClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows
from xentexp.losses import Loss
from xentexp.objectives._boosting import by_class, newton_in_layout
from xentexp.objectives._lightgbm import (
    aliases_of,
    boosting,
    check_unused,
    lightgbm_factor,
    setting,
)


class LightGBMLossClassifier(BoosterClassifier):
    """LightGBM classifier that is trained on any loss.

    Under a custom objective, LightGBM's own classifier starts boosting from the score 0 and
    predicts raw scores. This classifier starts from the class proportions, as LightGBM's own
    objectives do, and predicts class probabilities. Trained on the cross-entropy it gives the same
    model as ``lightgbm.LGBMClassifier``. Missing values (NaN) and pandas categories are supported.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        Loss to minimize: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    loss_params : mapping, default=None
        Parameters of the loss, for example ``{"gamma": 2.0}`` for
        ``"categorical_focal_crossentropy"``. They replace the defaults of the loss, and the
        parameters of a loss that is passed as an object. None changes no parameter.
    class_weight : dict, array-like of shape (k,), "balanced" or None, default=None
        Weight of each class. A mapping has the labels as keys; labels that it omits get the weight
        1. An array has one weight per class in the order of `classes_`. ``"balanced"`` gives all
        classes the same total weight, ``n / (k * np.bincount(y))``; if `fit` receives sample
        weights, they are counted instead of rows. Class weights multiply the sample weights. None
        gives every class the weight 1.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the classes. 0 uses the
        labels unchanged.
    correct_probabilities : bool, default=False
        If True, `predict_proba` corrects the probabilities for the shift that the loss, the class
        weights and label smoothing cause, see Notes. It may also be changed with `set_params` after
        `fit`. Without it, probabilities of a loss that is not proper can be far from the true ones.
    n_estimators : int, default=100
        Maximum number of boosting rounds. Each round fits one tree per raw score: one tree for two
        classes, k trees for k > 2 classes.
    learning_rate : float, default=0.1
        Positive factor that multiplies the output of each tree. Smaller values need more rounds.
    num_leaves : int, default=31
        Maximum number of leaves of a tree.
    max_depth : int, default=-1
        Maximum depth of a tree; -1 means no limit.
    min_child_samples : int, default=20
        Minimum number of rows in a leaf.
    reg_lambda : float, default=0.0
        L2 penalty on the values of the leaves; larger values make smaller steps.
    hessian_factor : float, default=None
        Positive factor that multiplies the curvatures (second derivatives); larger values make
        smaller steps. None uses the factor of LightGBM's own objectives: k / (k - 1) for
        k > 2 classes, 1 for two classes.
    boost_from_average : bool, default=True
        If True, boosting starts from the weighted class proportions. If False, it starts from
        the raw score 0.
    early_stopping_rounds : int, default=None
        Number of rounds without a lower loss on the held-out rows after which training stops.
        Predictions then use the best round. It requires `validation_fraction`. None trains all
        `n_estimators` rounds.
    validation_fraction : float, default=None
        Fraction of the rows, above 0 and below 1, that is held out of training to record the loss
        and to stop early. The rows are selected at random and stratified by class; every class
        keeps at least one training row. None holds no row out.
    record : sequence of str or Loss, default=None
        Losses to record in `learning_curve_` after each round, in addition to the loss that is
        trained on, for the training rows and the held-out rows. ``()`` records only the loss that
        is trained on. None records only the loss that is trained on, and only for the held-out
        rows, which is faster.
    booster_params : mapping, default=None
        Further parameters of LightGBM, for example ``{"feature_fraction": 0.8}``. Columns may be
        given by name or number, as in ``{"categorical_feature": ["month"]}``. Parameters that
        this class sets itself, such as ``learning_rate``, raise an error.
    n_jobs : int, default=None
        Number of threads. None means 1, unless a ``joblib.parallel_config`` context sets another
        number; -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of LightGBM and of the selection of held-out rows. Pass an int for reproducible
        results.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class; None if `class_weight` is None.
    booster_ : lightgbm.Booster or None
        Trained model of LightGBM. Its raw scores start from 0, without `initial_scores_`. None
        if no column can be split, because all are constant.
    initial_scores_ : ndarray of shape (n_scores,)
        Raw scores from which boosting starts; predictions add them to the scores of `booster_`.
        `n_scores` is 1 for two classes and for losses of one latent score, else k.
    n_iter_ : int
        Number of rounds that were trained.
    best_iteration_ : int
        Number of rounds that predictions use: the best round if `early_stopping_rounds` is set,
        else `n_iter_`.
    learning_curve_ : dict
        ``{"train": {loss: [value after each round]}, "valid": ...}``. The loss that is trained on
        has the class weights and the smoothing of training; other losses have only the sample
        weights. Parts that were not recorded are missing.
    categories_ : dict
        Categories of each categorical column of a DataFrame; empty for other input.
    feature_importances_ : ndarray of shape (n_features,)
        Fraction of each column in the total gain of the splits; all 0 if there is no split.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if all names are strings.

    See Also
    --------
    LinearLossClassifier : Linear model that is trained on any loss.
    XGBoostLossClassifier, CatBoostLossClassifier : The same with another booster.
    xentexp.objectives.LightGBMObjective : The objective, for code that calls LightGBM directly.
    xentexp.tuning.TunedClassifier : Search of the parameters of a classifier.

    Notes
    -----
    With weights ``w_i`` (sample weight times class weight), each round of LightGBM [4]_ fits a tree
    to the gradients ``g_i`` and curvatures ``h_i`` of ``w_i l(y_i, s_i)`` at the raw scores
    ``s_i``; a leaf adds ``-learning_rate * sum(g_i) / (sum(h_i) + reg_lambda)`` to the scores of
    its rows. Curvatures that are not positive are replaced, see
    `xentexp.objectives.LightGBMObjective`. Boosting starts from the raw scores whose probabilities
    are the weighted, smoothed class proportions; for losses of decision scores from the best
    constant, or from 0 if it does not determine the proportions.

    `predict_proba` applies the link of the loss to the raw scores: a softmax for most losses (for
    two classes a sigmoid), the tempered softmax for ``"bi_tempered_logistic_loss"``, the thresholds
    for losses of one latent score. Scores of losses of decision scores, such as exponential loss,
    are read as logits. Losses whose scores do not determine probabilities, such as
    ``"hinge_loss"``, have neither `predict_proba` nor `predict_log_proba`.

    A loss that is not proper (such as focal or exponential loss), label smoothing and class weights
    shift these probabilities away from the true ones. With ``correct_probabilities=True``,
    `predict_proba` returns the class distribution for which the scores minimize the expected loss
    [1]_ [2]_ [3]_. A model that reaches the minimum then gives true probabilities, and for two
    classes the order of the rows does not change. A model that stops before the minimum, as after
    few rounds, is corrected too much or too little.

    References
    ----------
    .. [1] Zhang, T. (2004). Statistical behavior and consistency of classification methods based
       on convex risk minimization. Annals of Statistics 32, 56-85.
    .. [2] Reid, M. D., Williamson, R. C. (2010). Composite binary losses. JMLR 11, 2387-2422.
    .. [3] Charoenphakdee, N. et al. (2021). On focal loss for class-posterior probability
       estimation: a theoretical perspective. CVPR.
    .. [4] Ke, G. et al. (2017). LightGBM: a highly efficient gradient boosting decision tree.
       NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xentexp.estimators import LightGBMLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LightGBMLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "lightgbm"
    unused: ClassVar[frozenset[str]] = frozenset()  # LightGBM itself knows the aliases
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_integer("num_leaves", self.num_leaves, 2)
        check_integer("min_child_samples", self.min_child_samples, 0)

    def _train(self, parts: Mapping[str, TrainingRows], history: History) -> None:
        lightgbm = import_extra("lightgbm", type(self).__name__)
        settings = dict(self.booster_params or {})
        _check_names(lightgbm, settings)
        check_unused(settings)
        if boosting(settings) in ("rf", "random_forest"):
            raise InputError(
                "boosting must not be 'rf' for LightGBMLossClassifier, because LightGBM has no "
                "custom objectives for random forests; got 'rf'; choose 'gbdt' or 'dart'"
            )
        if boosting(settings) == "dart":
            self._refuse_stopping_with_dart()
            if "train" in history.parts:
                raise InputError(
                    f"record must be None with boosting='dart', because LightGBM drops trees from "
                    f"the model whenever it predicts the training rows; got {self.record!r}; leave "
                    f"record unset"
                )
        categorical = self._columns(settings)
        train = parts["train"]
        n_scores = train.training.n_scores
        factor = self.hessian_factor or lightgbm_factor(n_scores)
        params: dict[str, Any] = {
            "verbosity": -1,
            **settings,
            "objective": lambda scores, _: newton_in_layout(train.training, scores, factor),
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
                categorical_feature=categorical,
                free_raw_data=False,
            )

        sets = {"train": data(train)}
        sets["train"].construct()
        if not any(map(sets["train"].feature_num_bin, range(train.X.shape[1]))):
            # LightGBM raises an error if no column can be split.
            self.booster_, self.n_iter_ = None, 0
            return
        if "valid" in parts:
            sets["valid"] = data(parts["valid"], sets["train"])
        names = list(history.parts)

        def record(scores: NDArray[np.float64], data: Any) -> list[Any]:
            name = next(name for name in names if sets[name] is data)
            history.record(name, by_class(scores))
            return []

        def stop(state: Any) -> None:
            if history.should_stop():
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

    def _columns(self, settings: dict[str, Any]) -> Any:
        """Replace names of columns in the settings; remove and return the categorical columns."""
        key, groups = setting(settings, "interaction_constraints")
        if groups is not None:
            settings[key] = self._groups(groups)
        key, constraints = setting(settings, "monotone_constraints")
        if constraints is not None:
            settings[key] = self._by_position(constraints, 0)
        # LightGBM ignores them in its parameters.
        key, categorical = setting(settings, "categorical_feature")
        settings.pop(key, None)
        if categorical is None or (isinstance(categorical, str) and categorical == "auto"):
            return "auto"
        # Columns of pandas categories are always categorical.
        numbers = self._positions(categorical) + self._positions(self.categories_)
        if self.categories_:  # a DataFrame, in which LightGBM finds columns by name
            return sorted({f"f{number}" for number in numbers})
        return sorted(set(numbers))

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
    """Raise an error for unknown parameters, which LightGBM would ignore."""
    aliases = lightgbm.basic._ConfigAliases._get_all_param_aliases()
    known = {name for names in aliases.values() for name in names} | set(aliases)
    for name in params:
        if name not in known:
            raise unknown_name("parameter of LightGBM", name, known)
    unused = sorted(set(params) & {alias for name in _UNUSED for alias in aliases_of(name)})
    if unused:
        raise InputError(
            f"booster_params must not hold parameters that do not work in LightGBMLossClassifier; "
            f"got {', '.join(unused)}; remove them"
        )


_UNUSED = (
    # of other objectives
    *("alpha", "fair_c", "label_gain", "lambdarank_norm", "lambdarank_truncation_level"),
    *("lambdarank_position_bias_regularization", "objective_seed", "poisson_max_delta_step"),
    *("reg_sqrt", "tweedie_variance_power"),
    # of LightGBM's metrics and its own early stopping
    *("auc_mu_weights", "early_stopping_min_delta", "eval_at", "first_metric_only"),
    *("is_provide_training_metric", "metric_freq", "multi_error_top_k"),
    # of its command line and of its predictions
    *("config", "convert_model", "convert_model_language", "data", "group_column", "header"),
    *("ignore_column", "initscore_filename", "input_model", "label_column", "output_model"),
    *(
        "num_iteration_predict",
        "output_result",
        "refit_decay_rate",
        "pred_early_stop",
        "pred_early_stop_freq",
    ),
    *("pred_early_stop_margin", "predict_contrib", "predict_disable_shape_check"),
    *("predict_leaf_index", "predict_raw_score", "save_binary", "snapshot_freq"),
    *("start_iteration_predict", "task", "two_round", "valid", "weight_column"),
)
