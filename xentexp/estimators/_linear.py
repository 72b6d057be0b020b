"""Linear classifier that is trained on any loss."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from xentexp._inputs.labels import refuse_missing_labels
from xentexp._inputs.options import check_bool, real_number
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, unknown_name
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._descent import Descent, Watcher, descend
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._tabular_input import plain_frame
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.objectives._objective import initial_scores

_DTYPES = [np.float64, np.float32]
_STARTS = ("auto", "prior", "crossentropy")

_START_TOL = 1e-4
"""Tolerance for the cross-entropy if its model is only the start of another run."""


def _has_kinks(loss: Loss) -> bool:
    """Whether there may be kinks at the minimum."""
    # Losses that are not convex have subgradients only at p = 0 and p = 1.
    return loss.properties.gradient == "subgradient" and loss.properties.convex


class LinearLossClassifier(SparseCoefMixin, LossClassifier):  # type: ignore[misc]
    """Linear classifier that is trained on any loss.

    It is logistic regression with the loss of your choice: it minimizes the weighted sum of the
    loss plus an L2 penalty on the coefficients, see Notes. Trained on the cross-entropy it gives
    the same model as `sklearn.linear_model.LogisticRegression`. Scale the columns first, for
    example with `sklearn.preprocessing.StandardScaler`, because the penalty depends on their scale.

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
    C : float, default=1.0
        Inverse of the strength of the penalty, above 0; smaller values mean a stronger penalty.
        ``np.inf`` means no penalty. The intercept is not penalized.
    fit_intercept : bool, default=True
        If True, the scores have an intercept. If False, the intercepts are 0.
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
    init : {"auto", "prior", "crossentropy"}, default="auto"
        Where the optimization starts.

        - ``"prior"``: coefficients 0 and the intercepts that fit the class proportions.
        - ``"crossentropy"``: the coefficients of a model that is trained on the cross-entropy.
        - ``"auto"``: ``"prior"`` for smooth convex losses and ``"crossentropy"`` for convex losses
          with kinks, such as hinge losses, because there may be a kink at 0. For losses that are
          not convex it runs both, because either may find the lower minimum, and keeps the better
          result; this takes the time of three fits.
    tol : float, default=1e-7
        Tolerance of the stopping criterion. Optimization stops if the largest absolute entry of the
        gradient of `objective_` is at most `tol`, or cannot be reduced because of rounding. For
        losses with kinks it stops if the last 20 steps reduce the objective by at most
        ``1e-5 * tol``, relative to its value. See Notes for the precision of the coefficients.
    max_iter : int, default=3000
        Maximum number of steps of one optimization run. If it is reached, `fit` warns with a
        ``ConvergenceWarning``. 0 keeps the start that `init` selects.
    warm_start : bool, default=False
        If True, `fit` starts only from the coefficients of the previous `fit` (if their shape
        matches) and ignores `init`.
    record : sequence of str or Loss, default=None
        Losses to record in `learning_curve_` after each step, in addition to the loss that is
        trained on. ``()`` records only the loss that is trained on; None records nothing.
    validation_fraction : float, default=None
        Fraction of the rows, above 0 and below 1, that is held out of training to record losses on
        them, stratified by class. It requires `record` and does not stop training early. None holds
        no row out.
    random_state : int, RandomState instance or None, default=None
        Seed that selects the held-out rows. It is not used if `validation_fraction` is None.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (k, n_features)
        Coefficients; one row for two classes and for losses of one latent score. They are float32
        if `X` is float32, as in scikit-learn, and float64 otherwise. A sparse matrix after
        `sparsify`.
    intercept_ : ndarray of shape (1,) or (k,)
        Intercepts, of the dtype of `coef_`; 0 if ``fit_intercept=False``.
    n_iter_ : ndarray of shape (1,)
        Number of steps of the optimization run whose result is kept.
    objective_ : float
        Minimum that was reached: mean loss plus penalty. It is the objective in Notes divided by
        C and by the sum of the weights.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class; None if `class_weight` is None.
    learning_curve_ : dict
        ``{"train": {loss: [value after each step]}, "valid": ...}``, without the penalty. The loss
        that is trained on has the class weights and the smoothing of training; other losses have
        only the sample weights. Empty if `record` is None.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if all names are strings.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same model with the cross-entropy.
    LightGBMLossClassifier, XGBoostLossClassifier, CatBoostLossClassifier : Boosted trees.
    NetworkLossClassifier : Neural network.
    xentexp.tuning.TunedClassifier : Search of the parameters of a classifier.

    Notes
    -----
    With rows ``x_i``, labels ``y_i`` and weights ``w_i`` (sample weight times class weight), the
    objective is::

        C * sum_i w_i * l(y_i, x_i @ coef.T + intercept) + ||coef||^2 / 2

    Smooth losses are minimized by L-BFGS. Convex losses with kinks are minimized by BFGS with a
    line search for the weak Wolfe conditions [4]_, whose matrix has one row and column for each
    parameter; above 2000 parameters L-BFGS is used for them too.

    Integer weights and repeated rows have the same minimum, but the results differ within the
    precision of the optimization. A smooth loss is minimized up to `tol` in the gradient. With
    kinks, the gradient does not become small, and only the decrease of the objective can be
    tested, so that the coefficients are less precise, above all for a large `C`. On scaled tables
    such as wine and iris, coefficients of hinge losses differed between weights and repeated rows
    by up to 3e-7 with ``C=1``, 3e-3 with ``C=100`` and 6e-3 with ``C=1e4``, although the
    objectives agreed to 3e-10. If a loss is bounded, as ``"absolute_error"``, the minimum may lie
    at infinity, for example if always predicting the largest class is best: the intercepts then
    grow until the gradient is at most `tol`, and intercepts and raw scores are determined by `tol`
    and by rounding, while the probabilities tend to 0 and 1.

    `predict_proba` applies the link of the loss to the raw scores: a softmax for most losses (for
    two classes a sigmoid), the tempered softmax for ``"bi_tempered_logistic_loss"``, the thresholds
    for losses of one latent score. Scores of losses of decision scores, such as exponential loss,
    are read as logits. Losses whose scores do not determine probabilities, such as
    ``"hinge_loss"``, have neither `predict_proba` nor `predict_log_proba`.

    A loss that is not proper (such as focal or exponential loss), label smoothing and class weights
    shift these probabilities away from the true ones. With ``correct_probabilities=True``,
    `predict_proba` returns the class distribution for which the scores minimize the expected loss
    [1]_ [2]_ [3]_. A model that reaches the minimum then gives true probabilities, and for two
    classes the order of the rows does not change. A model that stops before the minimum
    is corrected too much or too little.

    References
    ----------
    .. [1] Zhang, T. (2004). Statistical behavior and consistency of classification methods based
       on convex risk minimization. Annals of Statistics 32, 56-85.
    .. [2] Reid, M. D., Williamson, R. C. (2010). Composite binary losses. JMLR 11, 2387-2422.
    .. [3] Charoenphakdee, N. et al. (2021). On focal loss for class-posterior probability
       estimation: a theoretical perspective. CVPR.
    .. [4] Lewis, A. S., Overton, M. L. (2013). Nonsmooth optimization via quasi-Newton methods.
       Mathematical Programming 141, 135-163.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from xentexp.estimators import LinearLossClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = LinearLossClassifier(loss="brier_loss").fit(scale(X), y)
    >>> model.coef_.shape, model.predict_proba(scale(X)).shape
    ((3, 13), (178, 3))

    Corrected probabilities of a loss that is not proper:

    >>> LinearLossClassifier(loss="exponential_loss", correct_probabilities=True).fit(
    ...     [[0.0], [1.0], [1.0], [2.0]], ["no", "no", "yes", "yes"]).predict([[1.9]])
    array(['yes'], dtype='<U3')
    """

    def __init__(
        self,
        loss: str | Loss = "categorical_crossentropy",
        *,
        loss_params: Mapping[str, object] | None = None,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        correct_probabilities: bool = False,
        init: Literal["auto", "prior", "crossentropy"] = "auto",
        tol: float = 1e-7,
        max_iter: int = 3000,
        warm_start: bool = False,
        record: Sequence[str | Loss] | None = None,
        validation_fraction: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.loss_params = loss_params
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.correct_probabilities = correct_probabilities
        self.init = init
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.record = record
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    # -- fitting ---------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to training rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
            Training rows, finite numbers. The computation is in float64.
        y : array-like of shape (n,)
            Labels of any type, of at least two classes.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, finite and not negative. None gives every row the weight 1.

        Returns
        -------
        self : LinearLossClassifier
            The fitted classifier.

        Raises
        ------
        InputError
            If the loss cannot be trained on, if a parameter is not valid, or if the objective
            overflows because the columns of `X` are too large.

        Warns
        -----
        ConvergenceWarning
            If `tol` is not reached within `max_iter` steps.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        refuse_missing_labels(y)
        X = plain_frame(X, keep_zeros=True)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=_DTYPES)
        dtype, X = X.dtype, X.astype(np.float64, copy=False)
        all_rows = self._read(loss, X, y, sample_weight)
        parts = split_parts(all_rows, self.validation_fraction, self.random_state)
        descent, self.learning_curve_ = self._descend(parts)
        if not (np.isfinite(descent.value) and np.isfinite(descent.point).all()):
            raise InputError(
                f"X must have columns of moderate size; got values for which the minimization of "
                f"{loss.name} overflows; scale the columns of X, e.g. with StandardScaler"
            )
        coef, intercept = unpacked(descent.point, X.shape[1], self.fit_intercept)
        self.coef_, self.intercept_ = coef.astype(dtype), intercept.astype(dtype)
        self.objective_ = descent.value
        self.n_iter_ = np.array([descent.n_iter], dtype=np.int32)
        if descent.failure is not None:
            warnings.warn(
                f"the minimization of {loss.name} did not converge after {descent.n_iter} steps: "
                f"{descent.failure}; scale the columns of X, or increase max_iter "
                f"(max_iter={self.max_iter}) or tol (tol={self.tol:g})",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _check_parameters(self) -> None:
        if not (real_number(self.C) or 0.0) > 0.0:
            raise InputError(f"C must be > 0, or np.inf for no penalty; got {self.C!r}")
        check_bool("fit_intercept", self.fit_intercept)
        check_bool("warm_start", self.warm_start)
        check_number("tol", self.tol, 0.0, np.inf)
        check_count("max_iter", self.max_iter, low=0)
        if self.init not in _STARTS:
            raise unknown_name("init", self.init, _STARTS)
        self._check_fraction()
        if self.validation_fraction is not None and self.record is None:
            raise InputError(
                f"validation_fraction requires record, because held-out rows are only used to "
                f"record losses; got validation_fraction={self.validation_fraction!r}; set "
                f"record, e.g. to ()"
            )

    def _descend(
        self, parts: dict[str, TrainingRows]
    ) -> tuple[Descent, dict[str, dict[str, list[float]]]]:
        """Best result over all starts, and its learning curve."""
        train = parts["train"]
        objective = self._objective(train.X, train.training)
        results = []
        for start in self._starts(objective):
            history = self._history({} if self.record is None else parts)

            def watch(point: FloatArray, history: History = history) -> None:
                for name in history.parts:
                    history.record(name, objective.scores(point, parts[name].X))

            results.append((self._minimize(objective, start, watch), history))
        descent, history = min(results, key=lambda result: result[0].value)
        return descent, history.curve

    def _objective(self, X: Any, training: TrainingObjective) -> PenalizedLoss:
        return PenalizedLoss(X, training, float(self.C), bool(self.fit_intercept))

    def _minimize(
        self,
        objective: PenalizedLoss,
        start: FloatArray,
        watch: Watcher | None = None,
        tol: float = 0.0,
    ) -> Descent:
        kinks = _has_kinks(objective.training.loss)
        tol = max(self.tol, tol)
        return descend(objective, start, kinks=kinks, tol=tol, max_iter=self.max_iter, watch=watch)

    def _starts(self, objective: PenalizedLoss) -> list[FloatArray]:
        training = objective.training
        loss = training.loss
        if self.warm_start and hasattr(self, "coef_"):
            start = objective.packed(self._dense_coef(), self.intercept_).astype(np.float64)
            if len(start) == objective.n_parameters:
                return [start]
        kinks, nonconvex = _has_kinks(loss), not loss.properties.convex
        starts = []
        if self.init == "prior" or (self.init == "auto" and not kinks):
            starts.append(objective.prior())
        if self.init == "crossentropy" or (self.init == "auto" and (kinks or nonconvex)):
            crossentropy = TrainingObjective(  # of the same rows and weights
                get_training_loss("categorical_crossentropy"),
                training.index,
                training.n_classes,
                sample_weight=training.weight,
                label_smoothing=training.label_smoothing,
            )
            start_objective = self._objective(objective.X, crossentropy)
            if start_objective.n_parameters != objective.n_parameters:
                raise InputError(
                    f"init must not be 'crossentropy' for {loss.name} with {len(self.classes_)} "
                    f"classes, because it has a single score and the cross-entropy one for each "
                    f"class; got {self.init!r}; set init to 'prior' or 'auto'"
                )
            start = start_objective.prior()
            starts.append(self._minimize(start_objective, start, tol=_START_TOL).point)
        return starts

    # -- predicting ------------------------------------------------------------------------

    def _scores(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = plain_frame(X, keep_zeros=True)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        if issparse(self.coef_):
            scores = safe_sparse_dot(X, self.coef_.T, dense_output=True)
            return np.ascontiguousarray((scores + self.intercept_).T, dtype=np.float64)
        return scores_of(X, self.coef_, self.intercept_)

    def _dense_coef(self) -> FloatArray:
        coef: Any = self.coef_
        return np.asarray(coef.toarray() if issparse(coef) else coef)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_HUGE = 1e100
"""Value of the objective where it would overflow."""


def scores_of(X: Any, coef: FloatArray, intercept: FloatArray) -> FloatArray:
    """Raw scores ``(m, n)`` of a linear model."""
    scores = (X @ coef[0])[np.newaxis] if len(coef) == 1 else np.ascontiguousarray((X @ coef.T).T)
    scores += intercept[:, np.newaxis]
    return np.asarray(scores)


def unpacked(
    point: FloatArray, n_features: int, fit_intercept: bool
) -> tuple[FloatArray, FloatArray]:
    """Coefficients and intercepts from a vector: score by score, each with its intercept last."""
    table = point.reshape(-1, n_features + fit_intercept)
    coef = np.ascontiguousarray(table[:, :n_features])
    return coef, table[:, n_features].copy() if fit_intercept else np.zeros(len(table))


class PenalizedLoss:
    """Mean loss plus ``||coef||^2 / (2 C W)`` with its gradient; W is the sum of the weights."""

    def __init__(self, X: Any, training: TrainingObjective, C: float, fit_intercept: bool) -> None:
        self.X = X
        self.training = training
        self.fit_intercept = fit_intercept
        self.n_features = X.shape[1]
        self.n_parameters = training.n_scores * (self.n_features + fit_intercept)
        self._penalty = 1.0 / (C * training.total_weight)
        # Buffer that each call overwrites.
        self._slopes = np.empty((training.n_scores, training.n_rows))

    def __call__(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Value, at most 1e100, and gradient at a vector of parameters."""
        coef, intercept = unpacked(point, self.n_features, self.fit_intercept)
        scores = scores_of(self.X, coef, intercept)
        with np.errstate(over="ignore", invalid="ignore"):  # handled below
            loss, slopes = self.training.loss_gradient(scores, out=self._slopes)
        value = loss + 0.5 * self._penalty * float(np.vdot(coef, coef))
        if not value < _HUGE:  # the step is too long; the line search shortens it
            return _HUGE, np.zeros(self.n_parameters)
        slopes /= self.training.total_weight
        by_coef = slopes @ self.X if isinstance(self.X, np.ndarray) else (self.X.T @ slopes.T).T
        return value, self.packed(by_coef + self._penalty * coef, slopes.sum(axis=1))

    def scores(self, point: FloatArray, X: Any) -> FloatArray:
        """Raw scores (n_scores, n) of any rows."""
        return scores_of(X, *unpacked(point, self.n_features, self.fit_intercept))

    def packed(self, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """Vector of coefficients and intercepts; the inverse of `unpacked`."""
        if not self.fit_intercept:
            return coef.ravel()
        return np.column_stack([coef, intercept]).ravel()

    def prior(self) -> FloatArray:
        """Coefficients 0 and the intercepts that fit the class proportions."""
        intercept = initial_scores(self.training)
        if len(intercept) > 1:
            # A constant that is added to all scores does not change the loss: start with mean 0,
            # which every step keeps, because the gradient sums to 0 over the classes.
            intercept = intercept - intercept.mean()
        return self.packed(np.zeros((len(intercept), self.n_features)), intercept)
