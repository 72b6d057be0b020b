"""A linear classifier that is trained on any loss."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from xentexp._numerics import FloatArray
from xentexp.errors import InputError, unknown_name
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._descent import Descent, Watcher, descend
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.objectives._objective import initial_scores

_STARTS = ("auto", "prior", "crossentropy")

_NEAR = 1e-4
"""How well the cross-entropy is minimized where its model is a start and no more."""


def _has_kinks(loss: Loss) -> bool:
    """Whether there may be kinks at the minimum; other subgradients are those of p = 0 and 1."""
    return loss.properties.gradient == "subgradient" and loss.properties.convex


class LinearLossClassifier(LossClassifier):
    """Linear classifier trained on any loss: logistic regression with the loss of your choice.

    It minimizes ``C sum_i w_i l_i + ||coef||^2 / 2``, ``l_i`` the loss of a row's raw scores
    ``x_i coef' + intercept`` and ``w_i`` the product of its sample and class weight, as
    `sklearn.linear_model.LogisticRegression` does: trained on the cross-entropy it is that
    model. Scale the columns first.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        Any loss of classes that has a gradient: its name, a peer's name for it, or an object of
        `xentexp.get_loss`.
    loss_params : mapping, optional
        Parameters of the loss, where it is a name.
    C : float, default=1.0
        Inverse strength of the penalty on the coefficients; ``inf`` for none. The intercept is
        not penalized.
    fit_intercept : bool, default=True
        Whether scores have a constant; without it that of every class is 0.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    correct_probabilities : bool, default=False
        Whether `predict_proba` undoes what the loss, the class weights and the smoothing shift;
        see `xentexp.estimators._link.ScoreLink`. Probabilities of a loss that is not
        proper are far from the truth without it.
    init : {"auto", "prior", "crossentropy"}, default="auto"
        Where a descent starts: coefficients of 0 and the constants of the classes' shares, or
        the model of the cross-entropy. ``"auto"`` is the first, but the second for losses with
        kinks, which may have one at 0, and both for losses that are not convex: neither finds
        the lower minimum always, and the lower end is kept. It takes three fits.
    tol : float, default=1e-7
        Largest entry of the gradient, per unit of weight, at which the descent ends. A loss with
        kinks (hinges) ends it where 20 steps bring less than ``1e-5 tol`` of its value.
    max_iter : int, default=3000
        Most steps of a descent.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the last one, and from nowhere else.
    record : sequence of str or Loss, optional
        Losses to record after each step beside the one that is trained on; ``()`` for that
        alone, None for nothing.
    validation_fraction : float, optional
        Share of the rows that is held out, and what is recorded on it as well. It stops nothing.
    random_state : int, RandomState instance or None
        Which rows are held out.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels.
    coef_ : ndarray of shape (1, n_features) or (k, n_features)
        One row for two classes, and for losses of one latent score.
    intercept_ : ndarray of shape (1,) or (k,)
        Constants.
    n_iter_ : ndarray of shape (1,)
        Steps of the descent that was kept.
    objective_ : float
        What was minimized, over C and the sum of the weights: mean loss plus penalty.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class.
    learning_curve_ : dict
        ``{"train": {loss: [value after each step]}}``, and ``"valid"``: weighted means, not
        penalized; empty where nothing was recorded.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they all have one.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_wine(return_X_y=True)
    >>> model = LinearLossClassifier(loss="brier_loss").fit(scale(X), y)
    >>> model.coef_.shape, model.predict_proba(scale(X)).shape
    ((3, 13), (178, 3))
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
        """Train on rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
            Numbers, as float64.
        y : array-like of shape (n,)
            Labels of any type, of two classes or more.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        LinearLossClassifier
            Itself.

        Raises
        ------
        InputError
            For a loss that is not trained on, and bad parameters.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        whole = self._read(loss, X, y, sample_weight)
        parts = split_parts(whole, self.validation_fraction, self.random_state)
        descent, self.learning_curve_ = self._descend(parts)
        if not (np.isfinite(descent.value) and np.isfinite(descent.point).all()):
            raise InputError(
                f"the descent on {loss.name} left the finite numbers; scale the columns of X"
            )
        self.coef_, self.intercept_ = unpacked(descent.point, X.shape[1], self.fit_intercept)
        self.objective_ = descent.value
        self.n_iter_ = np.array([descent.n_iter], dtype=np.int32)
        if descent.failure is not None:
            warnings.warn(
                f"the descent on {loss.name} did not converge after {descent.n_iter} steps: "
                f"{descent.failure}; scale the columns, or raise max_iter (max_iter="
                f"{self.max_iter}) or tol (tol={self.tol:g})",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _check_parameters(self) -> None:
        if not (isinstance(self.C, Real) and self.C > 0.0):
            raise InputError(f"C must be > 0, or inf for no penalty; got {self.C!r}")
        check_number("tol", self.tol, 0.0, np.inf)
        check_count("max_iter", self.max_iter)
        if self.init not in _STARTS:
            raise unknown_name("init", self.init, _STARTS)
        self._check_fraction()
        if self.validation_fraction is not None and self.record is None:
            raise InputError(
                "validation_fraction holds rows out to record losses on; set record, e.g. to ()"
            )

    def _descend(
        self, parts: dict[str, TrainingRows]
    ) -> tuple[Descent, dict[str, dict[str, list[float]]]]:
        """The lowest end of the descents from each start, and what was recorded on the way."""
        train = parts["train"]
        objective = self._objective(train.X, train.training)
        ends = []
        for start in self._starts(objective):
            history = self._history({} if self.record is None else parts)

            def watch(point: FloatArray, history: History = history) -> None:
                for name in history.parts:
                    history.record(name, objective.scores(point, parts[name].X))

            ends.append((self._walk(objective, start, watch), history))
        descent, history = min(ends, key=lambda end: end[0].value)
        return descent, history.curve

    def _objective(self, X: Any, training: TrainingObjective) -> PenalizedLoss:
        return PenalizedLoss(X, training, float(self.C), bool(self.fit_intercept))

    def _walk(
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
            start = objective.packed(self.coef_, self.intercept_)
            if len(start) == objective.n_parameters:
                return [start]
        kinks, bumps = _has_kinks(loss), not loss.properties.convex
        starts = []
        if self.init == "prior" or (self.init == "auto" and not kinks):
            starts.append(objective.prior())
        if self.init == "crossentropy" or (self.init == "auto" and (kinks or bumps)):
            proper = TrainingObjective(
                get_training_loss("categorical_crossentropy"),
                training.index,
                training.n_classes,
                sample_weight=training.weight,
                label_smoothing=training.label_smoothing,
            )
            near = self._objective(objective.X, proper)
            if near.n_parameters != objective.n_parameters:
                raise InputError(
                    f"{loss.name} has one score for {len(self.classes_)} classes, the "
                    f"cross-entropy one for each; set init to 'prior' or 'auto'"
                )
            starts.append(self._walk(near, near.prior(), tol=_NEAR).point)
        return starts

    # -- predicting ------------------------------------------------------------------------

    def _scores(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return scores_of(X, self.coef_, self.intercept_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_HUGE = 1e100


def scores_of(X: Any, coef: FloatArray, intercept: FloatArray) -> FloatArray:
    """Raw scores ``(m, n)`` of a linear model."""
    scores = (X @ coef[0])[np.newaxis] if len(coef) == 1 else np.ascontiguousarray((X @ coef.T).T)
    scores += intercept[:, np.newaxis]
    return np.asarray(scores)


def unpacked(
    point: FloatArray, n_features: int, fit_intercept: bool
) -> tuple[FloatArray, FloatArray]:
    """Coefficients and intercepts from a vector: score by score, its intercept last."""
    table = point.reshape(-1, n_features + fit_intercept)
    coef = np.ascontiguousarray(table[:, :n_features])
    return coef, table[:, n_features].copy() if fit_intercept else np.zeros(len(table))


class PenalizedLoss:
    """Mean loss plus ``||coef||^2 / (2 C W)``, ``W`` the sum of the weights, and its gradient."""

    def __init__(self, X: Any, training: TrainingObjective, C: float, fit_intercept: bool) -> None:
        self.X = X
        self.training = training
        self.fit_intercept = fit_intercept
        self.n_features = X.shape[1]
        self.n_parameters = training.n_scores * (self.n_features + fit_intercept)
        self._penalty = 1.0 / (C * training.total_weight)
        self._slopes = np.empty((training.n_scores, training.n_rows))  # overwritten at each point

    def __call__(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Value, at most 1e100, and gradient at a vector of parameters."""
        coef, intercept = unpacked(point, self.n_features, self.fit_intercept)
        scores = scores_of(self.X, coef, intercept)
        with np.errstate(over="ignore", invalid="ignore"):  # where the value is infinite
            loss, slopes = self.training.loss_gradient(scores, out=self._slopes)
        value = loss + 0.5 * self._penalty * float(np.vdot(coef, coef))
        if not value < _HUGE:  # a step too far: the line search comes back
            return _HUGE, np.zeros(self.n_parameters)
        slopes /= self.training.total_weight
        by_coef = slopes @ self.X if isinstance(self.X, np.ndarray) else (self.X.T @ slopes.T).T
        return value, self.packed(by_coef + self._penalty * coef, slopes.sum(axis=1))

    def scores(self, point: FloatArray, X: Any) -> FloatArray:
        """Raw scores (m, n) of other rows."""
        return scores_of(X, *unpacked(point, self.n_features, self.fit_intercept))

    def packed(self, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """One vector of coefficients and constants: the inverse of `unpacked`."""
        if not self.fit_intercept:
            return coef.ravel()
        return np.column_stack([coef, intercept]).ravel()

    def prior(self) -> FloatArray:
        """Coefficients of 0, and the constants that fit the shares of the classes."""
        constants = initial_scores(self.training)
        if len(constants) > 1:
            constants = constants - constants.mean()  # as they stay, the penalty being even
        return self.packed(np.zeros((len(constants), self.n_features)), constants)
