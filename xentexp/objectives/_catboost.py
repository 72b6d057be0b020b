"""Objective and metric for code that calls CatBoost directly."""

from __future__ import annotations

from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.losses._base import row_gradient_hessian
from xentexp.losses._crossentropy import Crossentropy
from xentexp.objectives._boosting import BoosterLoss, BoosterObjective, calling_frame
from xentexp.objectives._curvature import curvature_rule, positive_curvature
from xentexp.objectives._objective import NoWeightError, TrainingObjective

_LOGITS = ("Logloss", "CrossEntropy", "Focal", "MultiClass")
"""CatBoost's own objectives whose raw scores are logits of class probabilities."""


def _training_on_part(
    loss: BoosterLoss, scores: NDArray[np.floating], labels: ArrayLike, weight: Any
) -> TrainingObjective | None:
    """Loss on one part of the rows, or None if they have no weight."""
    # CatBoost never passes all rows at once, but pieces of about 1000 rows.
    _check_class_weight(loss)
    try:
        return loss.training(np.asarray(labels), weight, len(scores))
    except NoWeightError:
        return None


def _check_class_weight(loss: BoosterLoss) -> None:
    if isinstance(loss.class_weight, str):
        raise InputError(
            f"class_weight must be a mapping or one number for each class, because CatBoost "
            f"passes the rows in parts; got {loss.class_weight!r}; pass the weights, e.g. "
            f"{{0: 1.0, 1: 3.5}}"
        )


def _settings() -> dict[str, Any]:
    """Parameters of the CatBoost model that calls the objective or metric; else empty."""

    def trains(frame: FrameType) -> bool:
        module = str(frame.f_globals.get("__name__"))
        return module.startswith("catboost.") and isinstance(frame.f_locals.get("params"), dict)

    frame = calling_frame(trains)
    return {} if frame is None else dict(frame.f_locals["params"])


def _check_weights_reach(settings: dict[str, Any]) -> None:
    """Raise an error for class weights that CatBoost does not pass to the objective."""
    if "classes_count" in settings or "class_names" in settings:  # as for a dict of class weights
        return
    for name in ("class_weights", "auto_class_weights"):
        if settings.get(name) not in (None, "None"):
            raise InputError(
                f"{name} must not be set without classes_count with a custom objective for two "
                f"classes, because CatBoost ignores it then; got {settings[name]!r}; set "
                f"classes_count=2 too, or pass class_weight= to CatBoostObjective and "
                f"CatBoostMetric instead"
            )


def _check_objective(settings: dict[str, Any]) -> None:
    """Raise an error if the raw scores of the objective are not logits or those of our losses."""
    objective = settings.get("loss_function", settings.get("objective", "RMSE"))
    if settings and isinstance(objective, str) and objective.partition(":")[0] not in _LOGITS:
        raise InputError(
            f"loss_function must be {', '.join(_LOGITS)} or a custom one for CatBoostMetric, "
            f"because the raw scores of others do not determine class probabilities; got "
            f"{objective!r}"
        )


class CatBoostObjective(BoosterObjective):
    """Custom objective for CatBoost that trains on any loss.

    Pass it as ``CatBoost({"loss_function": ..., "eval_metric": ...})``. With a custom objective
    CatBoost also needs a custom metric, see `CatBoostMetric`, and for more than two classes
    ``classes_count``.

    For two classes and a custom objective CatBoost ignores ``auto_class_weights`` and a list of
    ``class_weights`` without ``classes_count=2``; setting them without it raises an error.

    CatBoost starts boosting from the score 0. To start elsewhere, pass ``Pool(baseline=...)`` and
    add it to the predictions. `xentexp.estimators.CatBoostLossClassifier` does this and returns
    class probabilities.

    For more than two classes CatBoost calls a Python objective twice for each row and tree; a call
    takes about 30 microseconds, so use it for small tables.

    Parameters
    ----------
    loss : str or Loss
        Loss to train on: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    class_weight : mapping or array-like of shape (k,), default=None
        Weight of each class number 0, 1, ..., k - 1. A mapping may omit classes; their weight is
        1. Class weights multiply the sample weights. None gives every class the weight 1.
        ``"balanced"`` is not possible, because CatBoost passes the rows in parts.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the k classes. 0 uses
        the labels unchanged.
    n_classes : int, default=None
        Number of classes. It is required for losses of one latent score, such as
        ``"cumulative_link_log_loss"``; for other losses None takes it from the scores.
    hessian_factor : float, default=None
        Positive factor that multiplies the curvatures. None uses 1, as CatBoost's own
        objectives do.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If the loss has no gradient or is not a loss of class labels, if a parameter is unknown or
        out of range, or, when called, if labels, weights and scores do not match.

    See Also
    --------
    CatBoostMetric : Value of the loss on held-out rows; CatBoost requires one.
    xentexp.estimators.CatBoostLossClassifier : Classifier that trains CatBoost on any loss.

    Notes
    -----
    The gradients are exact. The curvatures are the diagonal of the hessian for smooth convex
    losses. For losses that are not convex a curvature is at least the absolute gradient, so that
    no single row asks for a step larger than 1; for convex losses with kinks, such as hinge
    losses, it is at least 1. All derivatives are multiplied by the row weights. CatBoost
    maximizes its objective, so the derivatives that it receives have the opposite sign.

    Examples
    --------
    >>> from xentexp.objectives import CatBoostObjective
    >>> objective = CatBoostObjective("categorical_crossentropy")
    >>> objective.calc_ders_range([0.0], [1.0], None)
    array([[ 0.5 , -0.25]])
    >>> objective.calc_ders_multi([0.0, 0.0, 0.0], 1.0, None)[1].round(3)
    array([[-0.222,  0.111,  0.111],
           [ 0.111, -0.222,  0.111],
           [ 0.111,  0.111, -0.222]])
    """

    _each_class: TrainingObjective | None = None

    def calc_ders_range(
        self, approxes: ArrayLike, targets: ArrayLike, weights: ArrayLike | None
    ) -> FloatArray:
        """First and second derivatives for two classes; CatBoost calls it for a part of the rows.

        Parameters
        ----------
        approxes : array-like of shape (m,)
            Raw scores of the second class.
        targets : array-like of shape (m,)
            Class numbers, 0 or 1.
        weights : array-like of shape (m,) or None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        ndarray of shape (m, 2)
            Weighted first and second derivatives of the negative loss.
        """
        scores = np.asarray(approxes, dtype=np.float64)[np.newaxis]
        _check_weights_reach(_settings())
        ders = np.empty((scores.shape[1], 2))
        training = _training_on_part(self, scores, targets, weights)
        if training is None:
            return np.zeros_like(ders)
        gradient, curvature = training.newton_terms(scores, self.hessian_factor or 1.0)
        np.negative(gradient[0], out=ders[:, 0])
        np.negative(curvature[0], out=ders[:, 1])
        return ders

    def calc_ders_multi(
        self, approxes: ArrayLike, target: float, weight: float | None
    ) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives for more than two classes; CatBoost calls it for one row.

        Parameters
        ----------
        approxes : array-like of shape (k,)
            Raw score of each class.
        target : float
            Class number of the true class.
        weight : float or None
            Weight of the row; None stands for 1.

        Returns
        -------
        gradient : ndarray of shape (k,)
            Weighted first derivatives of the negative loss.
        hessian : ndarray of shape (k, k)
            Weighted second derivatives of the negative loss. For the cross-entropy the matrix is
            complete, with the off-diagonal terms ``p_i p_j``, as in CatBoost's own MultiClass. For
            other losses it is diagonal.
        """
        scores = np.asarray(approxes, dtype=np.float64)
        training, label = self._training_per_class(len(scores)), int(target)
        scale = 1.0 if weight is None else weight
        if training.weight is not None:
            scale *= training.weight[label]
        block = training.block(slice(label, label + 1), scores[:, np.newaxis])
        gradient, hessian = row_gradient_hessian(self.loss, block)
        factor = -scale * (self.hessian_factor or 1.0)
        if isinstance(self.loss, Crossentropy):
            p = gradient[:, 0] + block.target_by_class[:, 0]
            matrix = np.outer(p, -factor * p)
            np.fill_diagonal(matrix, factor * hessian[:, 0])
        else:
            curvature = positive_curvature(curvature_rule(self.loss), (gradient, hessian))
            matrix = np.diag(factor * curvature[:, 0])
        return -scale * gradient[:, 0], matrix

    def _training_per_class(self, k: int) -> TrainingObjective:
        """Loss on k rows, row i of class i; cached, as CatBoost calls for each row."""
        if self._each_class is None or self._each_class.n_classes != k:
            _check_class_weight(self)
            self._each_class = self.training(np.arange(k), None, k)
        return self._each_class


class CatBoostMetric(BoosterLoss):
    """Evaluation metric for CatBoost that computes any loss from raw scores.

    Pass it as ``CatBoost({"eval_metric": ...})``. The value is the weighted mean of the loss; lower
    is better.

    CatBoost passes raw scores to the metric. They are read as logits beside CatBoost's objectives
    ``Logloss``, ``CrossEntropy``, ``Focal`` and ``MultiClass``; others, such as
    ``MultiClassOneVsAll``, raise an error.

    Parameters
    ----------
    loss : str or Loss
        Loss to compute: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    class_weight : mapping or array-like of shape (k,), default=None
        Weight of each class number 0, 1, ..., k - 1. A mapping may omit classes; their weight is
        1. Class weights multiply the sample weights. None gives every class the weight 1.
        ``"balanced"`` is not possible, because CatBoost passes the rows in parts.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the k classes. 0 uses
        the labels unchanged.
    n_classes : int, default=None
        Number of classes. It is required for losses of one latent score, such as
        ``"cumulative_link_log_loss"``; for other losses None takes it from the scores.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If the loss has no gradient or is not a loss of class labels, if a parameter is unknown or
        out of range, or, when called, if labels, weights and scores do not match.

    See Also
    --------
    CatBoostObjective : Objective that trains on the loss.

    Examples
    --------
    >>> from xentexp.objectives import CatBoostMetric
    >>> metric = CatBoostMetric("brier_loss")
    >>> metric.get_final_error(*metric.evaluate([[0.0, 0.0]], [0, 1], None))
    0.25
    """

    def is_max_optimal(self) -> bool:
        """Whether higher values are better; CatBoost asks for it.

        Returns
        -------
        bool
            False: lower values of a loss are better.
        """
        return False

    def evaluate(
        self, approxes: ArrayLike, target: ArrayLike, weight: ArrayLike | None
    ) -> tuple[float, float]:
        """Weighted sum of the loss over a part of the rows, and the sum of their weights.

        Parameters
        ----------
        approxes : array-like of shape (n_scores, m)
            Raw scores, one row for two classes and k rows for more.
        target : array-like of shape (m,)
            Class numbers 0 to k - 1.
        weight : array-like of shape (m,) or None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        error : float
            Weighted sum of the loss, in nats for the cross-entropy.
        weight : float
            Sum of the weights. CatBoost adds the results of all parts and passes the two sums to
            `get_final_error`.
        """
        _check_objective(_settings())
        scores = self.one_score(np.asarray(approxes, dtype=np.float64))
        training = _training_on_part(self, scores, target, weight)
        if training is None:
            return 0.0, 0.0
        return training.mean_loss(scores) * training.total_weight, training.total_weight

    def get_final_error(self, error: float, weight: float) -> float:
        """Weighted mean of the loss over all rows.

        Parameters
        ----------
        error : float
            Weighted sum of the loss, added over the results of `evaluate`.
        weight : float
            Sum of the weights, added over the results of `evaluate`.

        Returns
        -------
        float
            ``error / weight``, or 0 if `weight` is 0.
        """
        return error / weight if weight else 0.0
