"""CatBoost classifier that is trained on any loss."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from xentexp._numerics import FloatArray
from xentexp.errors import import_extra
from xentexp.estimators._boosting import BoosterClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows
from xentexp.losses import Loss
from xentexp.objectives._boosting import by_class
from xentexp.objectives._catboost import CatBoostMetric, CatBoostObjective

_OF_COLUMNS = {
    "monotone_constraints",
    "feature_weights",
    "first_feature_use_penalties",
    "per_object_feature_penalties",
}
"""Parameters of CatBoost that may have one value for each column that they name."""


class CatBoostLossClassifier(BoosterClassifier):
    """CatBoost classifier that is trained on any loss.

    It starts from the class proportions and predicts class probabilities. Trained on the
    cross-entropy it gives the same model as ``catboost.CatBoostClassifier`` with the same baseline,
    up to rounding. Missing values (NaN) are supported; categories must be encoded as numbers.

    CatBoost calls a Python objective row by row if there are more than two classes: expect about 60
    microseconds for each row and tree. For two classes it is about 100 times faster.

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
        Maximum number of boosting rounds; each round fits one tree.
    learning_rate : float, default=0.1
        Positive factor that multiplies the output of each tree. Smaller values need more rounds.
    max_depth : int, default=6
        Depth of the trees.
    reg_lambda : float, default=3.0
        L2 penalty on the values of the leaves; larger values make smaller steps.
    hessian_factor : float, default=None
        Positive factor that multiplies the curvatures (second derivatives); larger values make
        smaller steps. None uses the factor of CatBoost's own objectives: 1.
    boost_from_average : bool, default=True
        If True, boosting starts from the weighted class proportions;
        CatBoost's own classifiers do not do this. If False, it starts from the raw score 0.
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
        Further parameters of CatBoost, for example ``{"rsm": 0.8}``. Columns may be given by name
        or number, as in ``{"monotone_constraints": {"age": 1}}``. Parameters that this class sets
        itself, such as ``learning_rate``, raise an error.
    n_jobs : int, default=None
        Number of threads. None means 1, unless a ``joblib.parallel_config`` context sets another
        number; -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of CatBoost and of the selection of held-out rows. Pass an int for reproducible
        results.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class; None if `class_weight` is None.
    booster_ : catboost.CatBoost or None
        Trained model of CatBoost. Its raw scores start from 0, without `initial_scores_`. None
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
    feature_importances_ : ndarray of shape (n_features,)
        Fraction of each column in CatBoost's ``PredictionValuesChange``; all 0 if there is no
        split.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if all names are strings.

    See Also
    --------
    LinearLossClassifier : Linear model that is trained on any loss.
    LightGBMLossClassifier, XGBoostLossClassifier : The same with another booster.
    xentexp.objectives.CatBoostObjective : The objective, for code that calls CatBoost directly.
    xentexp.tuning.TunedClassifier : Search of the parameters of a classifier.

    Notes
    -----
    With weights ``w_i`` (sample weight times class weight), each round of CatBoost [4]_ fits a tree
    to the gradients ``g_i`` and curvatures ``h_i`` of ``w_i l(y_i, s_i)`` at the raw scores
    ``s_i``. Curvatures that are not positive are replaced, see
    `xentexp.objectives.CatBoostObjective`. Boosting starts from the raw scores whose probabilities
    are the weighted, smoothed class proportions; for losses of decision scores from the best
    constant, or from 0 if it does not determine the proportions.

    A row of weight 2 is not the same as two rows of weight 1: CatBoost draws its bootstrap and the
    noise of its splits by row, and multiplies `reg_lambda` by the mean weight. For this reason
    scikit-learn's ``check_sample_weight_equivalence_on_dense_data`` and ``..._on_sparse_data`` fail
    with the default parameters, which are those of CatBoost. The models are the same with
    ``booster_params={"bootstrap_type": "No", "random_strength": 0}`` and a `reg_lambda` that is
    divided by the mean weight.

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
    .. [4] Prokhorenkova, L. et al. (2018). CatBoost: unbiased boosting with categorical features.
       NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xentexp.estimators import CatBoostLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CatBoostLossClassifier("categorical_focal_crossentropy", n_estimators=20)
    >>> model.fit(X, y).predict_proba(X).shape, model.score(X, y) > 0.95
    ((150, 3), True)
    """

    module: ClassVar[str] = "catboost"
    unused: ClassVar[frozenset[str]] = frozenset(
        (
            *("best_model_min_trees", "class_names", "eval_fraction", "metric_period"),
            *("target_border", "train_dir"),
            # CatBoost does not shrink models that start from a baseline.
            *("model_shrink_rate", "model_shrink_mode", "posterior_sampling"),
        )
    )
    supports_categories: ClassVar[bool] = False
    reserved: ClassVar[frozenset[str]] = frozenset(
        (
            *("loss_function", "objective", "eval_metric", "custom_metric", "custom_loss"),
            *("classes_count", "class_weights", "auto_class_weights", "scale_pos_weight"),
            *("n_estimators", "iterations", "num_boost_round", "num_trees"),
            *("learning_rate", "eta", "depth", "max_depth", "l2_leaf_reg", "reg_lambda"),
            *("thread_count", "n_jobs", "random_seed", "random_state", "early_stopping_rounds"),
            *("od_wait", "od_type", "od_pval", "use_best_model", "boost_from_average"),
            "cat_features",
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
            "allow_const_label": True,  # if all rows of the other classes have the weight 0
            **self._settings(),
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
        }
        if not {"verbose", "silent", "verbose_eval", "logging_level"} & set(params):
            params["verbose"] = False
        if n_scores > 1:
            params["classes_count"] = n_scores
            params.setdefault("bootstrap_type", "Bayesian")  # default of CatBoost's MultiClass
        if not _can_split(train.X):
            # CatBoost raises an error if no column can be split.
            self.booster_, self.n_iter_ = None, 0
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

    def _settings(self) -> dict[str, Any]:
        """The parameters in `booster_params`, with numbers for names of columns."""
        settings = dict(self.booster_params or {})
        for name in _OF_COLUMNS & set(settings):
            value = settings[name]
            if isinstance(value, Mapping):
                numbers = self._positions(value)
                settings[name] = dict(zip(numbers, value.values(), strict=True))
        ignored = settings.get("ignored_features")
        if ignored is not None:
            settings["ignored_features"] = self._positions(ignored)
        return settings

    def _record(self, name: str, part: TrainingRows, history: History) -> None:
        """Record the losses of each round after training, tree by tree."""
        # A metric of CatBoost returns a single number, so it cannot record several losses.
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


def _can_split(X: Any) -> bool:
    """Whether any column holds two different values; a missing value counts as one."""
    columns = (column.toarray() for column in X.T.tocsr()) if issparse(X) else X.T
    for values in map(np.ravel, columns):
        missing = np.isnan(values)
        known = values[~missing]
        if len(known) and (len(known) < len(values) or known.min() < known.max()):
            return True
    return False
