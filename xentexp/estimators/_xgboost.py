"""XGBoost classifier that is trained on any loss."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.options import check_number
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, import_extra
from xentexp.estimators._boosting import BoosterClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows
from xentexp.losses import Loss
from xentexp.objectives import TrainingObjective
from xentexp.objectives._boosting import by_class
from xentexp.objectives._xgboost import check_scale_pos_weight, xgboost_factor


class XGBoostLossClassifier(BoosterClassifier):
    """XGBoost classifier that is trained on any loss.

    Under a custom objective, XGBoost's own classifier adds a base score to the raw scores and
    converts every raw score with a sigmoid or softmax, whatever the loss. This classifier starts
    from the class proportions, as XGBoost's own objectives do, accepts any labels, and uses the
    link of the loss for class probabilities. Trained on the cross-entropy it gives the same model
    as ``xgboost.XGBClassifier`` of XGBoost 3.1 or later, up to the precision of XGBoost's float32
    scores; earlier versions start from other scores. Missing values (NaN) and pandas categories are
    supported.

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
    learning_rate : float, default=0.3
        Positive factor that multiplies the output of each tree. Smaller values need more rounds.
    max_depth : int, default=6
        Maximum depth of a tree.
    min_child_weight : float, default=1.0
        Minimum sum of the curvatures in a leaf; larger values make smaller trees.
    reg_lambda : float, default=1.0
        L2 penalty on the values of the leaves; larger values make smaller steps.
    hessian_factor : float, default=None
        Positive factor that multiplies the curvatures (second derivatives); larger values make
        smaller steps. None uses the factor of XGBoost's own objectives: 2 for more than
        two classes, 1 for two classes.
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
        Further parameters of XGBoost, for example ``{"colsample_bytree": 0.8}``. Columns may be
        given by name or number, as in ``{"monotone_constraints": {"age": 1}}``. Parameters that
        this class sets itself, such as ``learning_rate``, raise an error.
    n_jobs : int, default=None
        Number of threads. None means 1, unless a ``joblib.parallel_config`` context sets another
        number; -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of XGBoost and of the selection of held-out rows. Pass an int for reproducible
        results.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class; None if `class_weight` is None.
    booster_ : xgboost.Booster or None
        Trained model of XGBoost. Its raw scores start from 0, without `initial_scores_`. None
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
    LightGBMLossClassifier, CatBoostLossClassifier : The same with another booster.
    xentexp.objectives.XGBoostObjective : The objective, for code that calls XGBoost directly.
    xentexp.tuning.TunedClassifier : Search of the parameters of a classifier.

    Notes
    -----
    With weights ``w_i`` (sample weight times class weight), each round of XGBoost [4]_ fits a tree
    to the gradients ``g_i`` and curvatures ``h_i`` of ``w_i l(y_i, s_i)`` at the raw scores
    ``s_i``; a leaf adds ``-learning_rate * sum(g_i) / (sum(h_i) + reg_lambda)`` to the scores of
    its rows. Curvatures that are not positive are replaced, see
    `xentexp.objectives.XGBoostObjective`. Boosting starts from the raw scores whose probabilities
    are the weighted, smoothed class proportions; for losses of decision scores from the best
    constant, or from 0 if it does not determine the proportions.

    The derivatives are rounded to 20 bits (a relative error below 1e-6) before they are multiplied
    by the weights; XGBoost itself stores 24 bits. This makes a row of integer weight up to 16
    exactly equal to so many rows of weight 1.

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
    .. [4] Chen, T., Guestrin, C. (2016). XGBoost: a scalable tree boosting system. KDD.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xentexp.estimators import XGBoostLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = XGBoostLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "xgboost"
    unused: ClassVar[frozenset[str]] = frozenset(("validate_parameters",))
    reserved: ClassVar[frozenset[str]] = frozenset(
        (
            *("objective", "num_class", "base_score", "eval_metric", "multi_strategy"),
            *("disable_default_eval_metric", "n_estimators", "num_boost_round"),
            *("learning_rate", "eta", "max_depth", "min_child_weight", "reg_lambda", "lambda"),
            *("n_jobs", "nthread", "random_state", "seed", "early_stopping_rounds"),
            "enable_categorical",
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("min_child_weight", self.min_child_weight, 0.0, np.inf)

    def _train(self, parts: Mapping[str, TrainingRows], history: History) -> None:
        xgboost = import_extra("xgboost", type(self).__name__)
        objective = parts["train"].training
        n_scores = objective.n_scores
        settings = self._settings()
        params: dict[str, Any] = {
            "tree_method": "hist",
            "verbosity": 1,
            **settings,
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
        elif params["tree_method"] == "approx":
            # It weights the quantiles by the hessians, except under objectives whose hessians are
            # constant, such as the default. Neither objective transforms base_score.
            params["objective"] = "binary:hinge"
        sets = {name: self._matrix(part.X, part.training) for name, part in parts.items()}
        _check_names(xgboost, params, sets["train"])

        class Recorder(xgboost.callback.TrainingCallback):  # type: ignore[misc, name-defined]
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                # Not a metric of XGBoost: those are rounded to six decimals.
                for name in history.parts:
                    scores = model.predict(sets[name], output_margin=True)
                    history.record(name, by_class(scores))
                return history.should_stop()

        self.booster_ = xgboost.train(
            params,
            sets["train"],
            num_boost_round=self.n_estimators,
            obj=self._rounded_objective(objective),
            verbose_eval=False,
            callbacks=[Recorder()] if history.parts else None,
        )
        self.n_iter_ = int(self.booster_.num_boosted_rounds())

    def _settings(self) -> dict[str, Any]:
        """The parameters in `booster_params`, checked, with numbers for names of columns."""
        settings = dict(self.booster_params or {})
        check_scale_pos_weight(settings.pop("scale_pos_weight", None))
        booster = settings.get("booster", "gbtree")
        if booster not in ("gbtree", "dart"):
            raise InputError(
                f"booster must be 'gbtree' or 'dart' for XGBoostLossClassifier; got {booster!r}; "
                f"for a linear model use LinearLossClassifier"
            )
        if booster == "dart":
            self._refuse_stopping_with_dart()
        constraints = self._by_position(settings.get("monotone_constraints"), 0)
        if isinstance(constraints, list):
            settings["monotone_constraints"] = tuple(constraints)
        if settings.get("interaction_constraints") is not None:
            settings["interaction_constraints"] = str(
                self._groups(settings["interaction_constraints"])
            )
        return settings

    def _rounded_objective(self, objective: TrainingObjective) -> Callable[..., Any]:
        """Function for gradients and curvatures that have 20 bits before they are weighted."""
        # XGBoost stores derivatives in float32, which has 24 bits. With 20, a row of weight w <= 16
        # is exactly the same as w rows of weight 1, which also are summed without rounding.
        unweighted = TrainingObjective(
            objective.loss,
            objective.index,
            objective.n_classes,
            label_smoothing=objective.label_smoothing,
        )
        weight = 1.0 if objective.weight is None else objective.weight
        factor = self.hessian_factor or xgboost_factor(objective.n_scores)

        def derivatives(scores: NDArray[np.floating], _: Any) -> tuple[NDArray[Any], NDArray[Any]]:
            pair = np.empty_like(scores), np.empty_like(scores)
            terms = unweighted.newton_terms(by_class(scores), factor)
            for term, result in zip(terms, pair, strict=True):
                np.multiply(with_20_bits(term), weight, out=by_class(result), casting="same_kind")
            return pair

        return derivatives

    def _matrix(self, X: Any, training: TrainingObjective | None = None) -> Any:
        xgboost = import_extra("xgboost", type(self).__name__)
        options: dict[str, Any] = {}
        if training is not None:
            start = self._start(training.n_rows)
            options["label"] = training.index
            options["weight"] = training.weight  # also used for the quantiles of the histogram bins
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
        return np.array([gains.get(f"f{column}", 0.0) for column in range(self.n_features_in_)])


def with_20_bits(values: FloatArray) -> FloatArray:
    """Values rounded to 20 significant bits."""
    # Dekker, T. J. (1971). A floating-point technique for extending the available precision.
    # Numerische Mathematik 18, 224-242: the leading part of a split of the 53 bits of float64.
    scaled = values * (2.0**33 + 1.0)
    return np.asarray(scaled - (scaled - values))


def _check_names(xgboost: Any, params: Mapping[str, object], data: Any) -> None:
    """Raise an error for parameters that XGBoost does not use; it would only warn of them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings = {**params, "verbosity": 1, "validate_parameters": True}
        xgboost.Booster(settings, [data]).save_config()  # reads the parameters
    for warning in caught:
        unused = re.search(r"Parameters: \{ (.*) \} are not used", str(warning.message))
        if unused is not None:
            raise InputError(
                f"booster_params must not hold parameters that XGBoost does not use; got "
                f"{unused[1].replace(chr(34), '')}; check the names, or remove them"
            )
