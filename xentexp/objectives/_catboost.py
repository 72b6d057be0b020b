"""Objective and metric for users who call CatBoost themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.losses._base import row_gradient_hessian
from xentexp.losses._crossentropy import Crossentropy
from xentexp.objectives._boosting import BoosterLoss, BoosterObjective
from xentexp.objectives._curvature import curvature_rule, positive_curvature
from xentexp.objectives._objective import TrainingObjective


def _some_rows(
    loss: BoosterLoss, scores: FloatArray, labels: ArrayLike, weight: Any
) -> TrainingObjective:
    """The loss on a part of the rows, as CatBoost passes them."""
    if isinstance(loss.class_weight, str):
        raise InputError(
            "class_weight='balanced' needs all rows at once, but CatBoost passes them in parts; "
            "pass the weights, e.g. {0: 1.0, 1: 3.5}"
        )
    return loss.training(np.asarray(labels), weight, len(scores))


class CatBoostObjective(BoosterObjective):
    """Objective for ``CatBoost(dict(loss_function=..., eval_metric=...))``.

    With a custom objective CatBoost needs a custom metric (`CatBoostMetric`), and for several
    classes ``classes_count``. It calls a Python objective of several classes row by row, twice
    for each row and tree, at some 30 microseconds a call: use it for small tables. It starts at
    0: pass ``Pool(baseline=...)`` and add it to the predictions, or use
    `xentexp.estimators.CatBoostLossClassifier`.

    Parameters
    ----------
    loss : str or Loss
        Any loss of classes that has a gradient: its name, a peer's name for it, or an object of
        `xentexp.get_loss`.
    class_weight : mapping or array-like of shape (k,), optional
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; only needed for losses of one latent score.
    hessian_factor : float, optional
        Factor of the curvatures; 1 by default, as in CatBoost's own objectives.
    **loss_params : object
        Parameters of the loss, where it is a name.

    Raises
    ------
    InputError
        For a loss that cannot be trained on, for unknown parameters and for bad values.

    See Also
    --------
    CatBoostMetric : The value of the loss, to watch on held-out rows.

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
        """First and second derivatives of what CatBoost maximizes, for two classes.

        Parameters
        ----------
        approxes : array-like of shape (m,)
            Raw scores of the second class.
        targets : array-like of shape (m,)
            0 or 1.
        weights : array-like of shape (m,), optional
            Weights of the rows.

        Returns
        -------
        ndarray of shape (m, 2)
            Weighted derivatives.
        """
        scores = np.asarray(approxes, dtype=np.float64)[np.newaxis]
        ders = np.empty((scores.shape[1], 2))
        training = _some_rows(self, scores, targets, weights)
        gradient, curvature = training.newton_terms(scores, self.hessian_factor or 1.0)
        np.negative(gradient[0], out=ders[:, 0])
        np.negative(curvature[0], out=ders[:, 1])
        return ders

    def calc_ders_multi(
        self, approxes: ArrayLike, target: float, weight: float | None
    ) -> tuple[FloatArray, FloatArray]:
        """First derivatives and matrix of second ones of what CatBoost maximizes, for one row.

        Parameters
        ----------
        approxes : array-like of shape (k,)
            Raw scores.
        target : float
            Class number.
        weight : float, optional
            Weight of the row.

        Returns
        -------
        gradient : ndarray of shape (k,)
            Weighted.
        hessian : ndarray of shape (k, k)
            Weighted. The cross-entropy has its cross terms, ``p_i p_j``, as CatBoost's own
            MultiClass; other losses have their curvatures on the diagonal.
        """
        scores = np.asarray(approxes, dtype=np.float64)
        training, label = self._of_each_class(len(scores)), int(target)
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

    def _of_each_class(self, k: int) -> TrainingObjective:
        """The loss on one row of each class, kept from call to call."""
        if self._each_class is None or self._each_class.n_classes != k:
            self._each_class = _some_rows(self, np.empty((k, k)), np.arange(k), None)
        return self._each_class


class CatBoostMetric(BoosterLoss):
    """Metric for ``CatBoost(dict(eval_metric=...))``.

    Parameters
    ----------
    loss : str or Loss
        Any loss of classes that has a gradient: its name, a peer's name for it, or an object of
        `xentexp.get_loss`.
    class_weight : mapping or array-like of shape (k,), optional
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; only needed for losses of one latent score.
    **loss_params : object
        Parameters of the loss, where it is a name.

    Raises
    ------
    InputError
        For a loss that cannot be trained on, for unknown parameters and for bad values.

    See Also
    --------
    CatBoostObjective : The objective that trains on the loss.

    Examples
    --------
    >>> from xentexp.objectives import CatBoostMetric
    >>> metric = CatBoostMetric("brier_loss")
    >>> metric.get_final_error(*metric.evaluate([[0.0, 0.0]], [0, 1], None))
    0.25
    """

    def is_max_optimal(self) -> bool:
        """Whether higher is better.

        Returns
        -------
        bool
            False.
        """
        return False

    def evaluate(
        self, approxes: ArrayLike, target: ArrayLike, weight: ArrayLike | None
    ) -> tuple[float, float]:
        """Weighted sum of the values of some rows, and the sum of their weights.

        Parameters
        ----------
        approxes : array-like of shape (n_scores, m)
            Raw scores.
        target : array-like of shape (m,)
            Class numbers.
        weight : array-like of shape (m,), optional
            Weights of the rows.

        Returns
        -------
        tuple of float
            Numerator and denominator of `get_final_error`.
        """
        scores = np.asarray(approxes, dtype=np.float64)
        training = _some_rows(self, scores, target, weight)
        return training.mean_loss(scores) * training.total_weight, training.total_weight

    def get_final_error(self, error: float, weight: float) -> float:
        """Weighted mean.

        Parameters
        ----------
        error, weight : float
            Sums of the results of `evaluate`.

        Returns
        -------
        float
            Their ratio.
        """
        return error / weight if weight else 0.0
