"""Common base of the objectives and metrics for LightGBM, XGBoost and CatBoost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.labels import to_class_weight
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.objectives._objective import TrainingObjective, get_training_loss


class BoosterLoss:
    """Loss on the rows that a booster passes; labels are class numbers 0 to k - 1."""

    def __init__(
        self,
        loss: str | Loss,
        *,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        n_classes: int | None = None,
        **loss_params: object,
    ) -> None:
        self.loss = get_training_loss(loss, loss_params)
        if self.loss.properties.response == "latent" and n_classes is None:
            raise InputError(
                f"n_classes must be set for {self.loss.name}, because its single score does not "
                f"determine the number of classes; pass n_classes=, e.g. n_classes=3"
            )
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.n_classes = n_classes
        # Labels, weights, number of scores and objective of the last call.
        self._last: tuple[Any, Any, int, TrainingObjective] | None = None

    @property
    def __name__(self) -> str:
        """Name of the loss; XGBoost reads it from its metrics."""
        return self.loss.name

    def __getstate__(self) -> dict[str, Any]:
        """State without the cached rows of the last call."""
        return {**self.__dict__, "_last": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r})"

    def training(
        self, labels: NDArray[Any], weight: NDArray[Any] | None, n_scores: int
    ) -> TrainingObjective:
        """Loss on these rows; cached, because a booster passes the same rows in each round."""
        if self._last is not None:
            last_labels, last_weight, last_scores, training = self._last
            if (
                n_scores == last_scores
                and np.array_equal(labels, last_labels)
                and (weight is None) == (last_weight is None)
                and (weight is None or np.array_equal(weight, last_weight))
            ):
                return training
        if weight is not None and len(weight) != len(labels):
            raise InputError(
                f"sample_weight must have one number for each of {len(labels)} rows; got "
                f"{len(weight)}"
            )
        k = self.n_classes or max(2, n_scores)
        index = np.asarray(labels).astype(np.intp)
        if not np.array_equal(index, labels) or index.min() < 0 or index.max() >= k:
            raise InputError(
                f"labels must be class numbers 0 to {k - 1}, for {k} classes; got "
                f"{np.unique(labels)[:5].tolist()}; encode the labels, e.g. with LabelEncoder"
            )
        weights = None if weight is None else np.asarray(weight, dtype=np.float64)
        training = TrainingObjective(
            self.loss,
            index,
            k,
            sample_weight=weights,
            class_weight=to_class_weight(
                self.class_weight, tuple(range(k)), lambda: np.bincount(index, weights, k)
            ),
            label_smoothing=self.label_smoothing,
        )
        if training.n_scores != n_scores:
            raise InputError(
                f"scores must have {training.n_scores} per row for {self.loss.name} with {k} "
                f"classes; got {n_scores}; set the booster's number of classes (num_class, "
                f"classes_count)"
            )
        # Copies: the caller may change its arrays in place.
        copied_weight = None if weight is None else np.array(weight)
        self._last = np.array(labels), copied_weight, n_scores, training
        return training

    def value(self, y_true: Any, y_pred: Any, weight: Any) -> float:
        """Weighted mean of the loss; accepts both argument orders of `rows_of`."""
        labels, scores, weight = rows_of(y_true, y_pred, weight)
        scores = by_class(scores)
        return self.training(labels, weight, len(scores)).mean_loss(scores)


class BoosterObjective(BoosterLoss):
    """Derivatives of a loss; `hessian_factor` multiplies the curvatures."""

    def __init__(
        self,
        loss: str | Loss,
        *,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        n_classes: int | None = None,
        hessian_factor: float | None = None,
        **loss_params: object,
    ) -> None:
        if hessian_factor is not None:
            check_number("hessian_factor", hessian_factor, 0.0, np.inf, low_open=True)
        super().__init__(
            loss,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            n_classes=n_classes,
            **loss_params,
        )
        self.hessian_factor = hessian_factor


class CallableObjective(BoosterObjective, ABC):
    """Objective that the booster calls with all rows at once."""

    @staticmethod
    @abstractmethod
    def default_factor(n_scores: int) -> float:
        """Factor of the hessian in the booster's own objectives."""

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Gradients and curvatures in the form that the booster expects.

        Parameters
        ----------
        y_true : ndarray of shape (n,)
            Class numbers 0 to k - 1. The ``train`` functions pass the raw scores here.
        y_pred : ndarray of shape (n,) or (n, k), or data set of the booster
            Raw scores. The ``train`` functions pass their data set here (``lightgbm.Dataset``,
            ``xgboost.DMatrix``), with labels and weights.
        sample_weight : ndarray of shape (n,), default=None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        gradient : ndarray of shape (n,) or (n, k)
            Weighted derivative of the loss in each score, in the layout and dtype of the scores.
        curvature : ndarray of shape (n,) or (n, k)
            Weighted positive curvature, in the same layout and dtype.

        Raises
        ------
        InputError
            If the labels are not class numbers, or the numbers of labels, weights and scores
            differ.
        """
        labels, scores, weight = rows_of(y_true, y_pred, sample_weight)
        n_scores = len(by_class(scores))
        factor = self.hessian_factor or self.default_factor(n_scores)
        return newton_in_layout(self.training(labels, weight, n_scores), scores, factor)


def by_class(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scores ``(n,)`` or ``(n, k)`` as a class-major view ``(1, n)`` or ``(k, n)``."""
    return scores[np.newaxis] if scores.ndim == 1 else scores.T


def newton_in_layout(
    training: TrainingObjective, scores: NDArray[np.floating], factor: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Gradients and curvatures in the layout and dtype of the scores."""
    gradient, curvature = np.empty_like(scores), np.empty_like(scores)
    training.newton_terms(by_class(scores), factor, (by_class(gradient), by_class(curvature)))
    return gradient, curvature


def rows_of(
    y_true: Any, y_pred: Any, weight: Any
) -> tuple[NDArray[Any], NDArray[np.floating], NDArray[Any] | None]:
    """Labels, scores and weights from ``(y_true, y_pred, weight)`` or ``(scores, data set)``."""
    if hasattr(y_pred, "get_label"):
        y_true, y_pred, weight = y_pred.get_label(), y_true, y_pred.get_weight()
    if weight is not None and len(weight) == 0:  # XGBoost passes an empty array for no weights
        weight = None
    return np.asarray(y_true), np.asarray(y_pred), weight
