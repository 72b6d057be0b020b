"""CatBoost trained on any loss, for those who call CatBoost themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.errors import InputError
from xentexp.inputs.block import Block
from xentexp.losses import Loss
from xentexp.losses.crossentropy import Crossentropy
from xentexp.numerics import FloatArray
from xentexp.objectives.boosting import BoosterLoss
from xentexp.objectives.curvature import curvature_rule, positive_curvature
from xentexp.objectives.objective import TrainingObjective


class CatBoostLoss(BoosterLoss):
    """A loss on a piece of the rows: CatBoost hands them over piece by piece."""

    def piece(self, scores: FloatArray, labels: NDArray[Any], weight: Any) -> TrainingObjective:
        """The loss on some rows.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, m)
            Raw scores.
        labels : ndarray of shape (m,)
            Numbers of the classes.
        weight : ndarray of shape (m,) or None
            Weights of the rows.

        Returns
        -------
        TrainingObjective
            Of these rows.

        Raises
        ------
        InputError
            For class weights that depend on all rows.
        """
        if isinstance(self.class_weight, str):
            raise InputError(
                "class_weight='balanced' cannot be told from the pieces that CatBoost hands over; "
                "pass the weights, e.g. {0: 1.0, 1: 3.5}"
            )
        return self.training(labels, weight, len(scores))


class CatBoostObjective(CatBoostLoss):
    """Derivatives of a loss, as CatBoost calls for them; see `catboost_objective`."""

    def calc_ders_range(
        self, approxes: ArrayLike, targets: ArrayLike, weights: ArrayLike | None
    ) -> FloatArray:
        """First and second derivative of what CatBoost makes large, of two classes.

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
            Weighted.
        """
        scores = np.asarray(approxes, dtype=np.float64)[np.newaxis]
        ders = np.empty((scores.shape[1], 2))
        training = self.piece(scores, np.asarray(targets), weights)
        gradient, curvature = training.newton_terms(scores, self.hessian_factor or 1.0)
        np.negative(gradient[0], out=ders[:, 0])
        np.negative(curvature[0], out=ders[:, 1])
        return ders

    def calc_ders_multi(
        self, approxes: ArrayLike, target: float, weight: float | None
    ) -> tuple[FloatArray, FloatArray]:
        """First derivatives and matrix of second ones of what CatBoost makes large, of one row.

        Parameters
        ----------
        approxes : array-like of shape (k,)
            Raw scores.
        target : float
            Number of the class.
        weight : float, optional
            Weight of the row.

        Returns
        -------
        gradient : ndarray of shape (k,)
            Weighted.
        hessian : ndarray of shape (k, k)
            Weighted. Of the cross-entropy with its cross terms, ``p_i p_j``, as CatBoost's own
            MultiClass has them; of other losses the curvatures on the diagonal.
        """
        scores = np.asarray(approxes, dtype=np.float64)
        k = len(scores)
        own = (1.0 if weight is None else weight) * self._of_class(k)[int(target)]
        e = self.label_smoothing
        index, soft = np.array([int(target)]), None
        if e:
            soft = np.full((1, k), e / k)
            soft[0, index[0]] += 1.0 - e
        by_row, margins = scores[np.newaxis], self.definition.properties.needs == "scores"
        block = Block(
            n_classes=k,
            index=None if e else index,
            soft=soft,
            logits=None if margins else by_row,
            decision=by_row if margins else None,
        )
        gradient, hessian = self.definition.block_gradient_hessian(block)
        factor = -own * (self.hessian_factor or 1.0)
        if isinstance(self.definition, Crossentropy):
            p = gradient[:, 0] + block.target_by_class[:, 0]
            matrix = np.outer(p, -factor * p)
            np.fill_diagonal(matrix, factor * hessian[:, 0])
        else:
            curvature = positive_curvature(curvature_rule(self.definition), (gradient, hessian))
            matrix = np.diag(factor * curvature[:, 0])
        return -own * gradient[:, 0], matrix

    def _of_class(self, k: int) -> FloatArray:
        """Weight of each class."""
        if self._class_weight is None or len(self._class_weight) != k:
            everyone = np.arange(k)
            training = self.piece(np.empty((k, k)), everyone, None)
            found = np.ones(k) if training.weight is None else training.weight
            self._class_weight = found
        return self._class_weight

    _class_weight: FloatArray | None = None


class CatBoostMetric(CatBoostLoss):
    """Value of a loss, as CatBoost calls for it; see `catboost_metric`."""

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
        """Weighted sum of the values of a piece of the rows, and the sum of its weights.

        Parameters
        ----------
        approxes : array-like of shape (n_scores, m)
            Raw scores.
        target : array-like of shape (m,)
            Numbers of the classes.
        weight : array-like of shape (m,), optional
            Weights of the rows.

        Returns
        -------
        tuple of float
            What `get_final_error` divides.
        """
        scores = np.asarray(approxes, dtype=np.float64)
        training = self.piece(scores, np.asarray(target), weight)
        return training.loss(scores) * training.total_weight, training.total_weight

    def get_final_error(self, error: float, weight: float) -> float:
        """Weighted mean.

        Parameters
        ----------
        error, weight : float
            Sums of what `evaluate` gave.

        Returns
        -------
        float
            Their ratio.
        """
        return error / weight if weight else 0.0


def catboost_objective(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    hessian_factor: float | None = None,
    **parameters: object,
) -> CatBoostObjective:
    """Objective for ``CatBoost(dict(loss_function=..., eval_metric=...))``.

    CatBoost wants a metric beside a custom objective (`catboost_metric`), and of several
    classes ``classes_count``. It calls a Python objective of several classes row by row, twice
    for each row and tree: that takes some 30 microseconds a call, so it is for small tables.
    It starts at 0; pass ``Pool(baseline=...)`` and add it to the predictions, or use
    `xentexp.estimators.catboost.CatBoostLossClassifier`.

    Parameters
    ----------
    loss : str or Loss
        Name, a peer's name, or a loss.
    class_weight : mapping or array-like of shape (k,), optional
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; needed for losses of one latent score alone.
    hessian_factor : float, optional
        What curvatures are multiplied by; 1 by default, as in CatBoost's own objectives.
    **parameters : object
        Parameters of the loss.

    Returns
    -------
    CatBoostObjective
        An object that can be pickled.

    Raises
    ------
    InputError
        For a loss that is not trained on, unknown parameters and bad values.

    Examples
    --------
    >>> objective = catboost_objective("categorical_crossentropy")
    >>> objective.calc_ders_range([0.0], [1.0], None)
    array([[ 0.5 , -0.25]])
    >>> objective.calc_ders_multi([0.0, 0.0, 0.0], 1.0, None)[1].round(3)
    array([[-0.222,  0.111,  0.111],
           [ 0.111, -0.222,  0.111],
           [ 0.111,  0.111, -0.222]])
    """
    return CatBoostObjective(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
        hessian_factor=hessian_factor,
    )


def catboost_metric(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    **parameters: object,
) -> CatBoostMetric:
    """Metric for ``CatBoost(dict(eval_metric=...))``.

    Parameters
    ----------
    loss, class_weight, label_smoothing, n_classes, **parameters
        As for `catboost_objective`.

    Returns
    -------
    CatBoostMetric
        An object with ``evaluate``, ``is_max_optimal`` and ``get_final_error``.

    Raises
    ------
    InputError
        As `catboost_objective`.

    Examples
    --------
    >>> metric = catboost_metric("brier_loss")
    >>> metric.get_final_error(*metric.evaluate([[0.0, 0.0]], [0, 1], None))
    0.25
    """
    return CatBoostMetric(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
    )
