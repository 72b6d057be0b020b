"""What the objectives and metrics of all boosters share: a loss, its options and the rows."""

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
    """A loss on the rows that a booster passes, whose labels are class numbers."""

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
                f"{self.loss.name} has one score for any number of classes; pass n_classes="
            )
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.n_classes = n_classes
        self._last: tuple[Any, Any, int, TrainingObjective] | None = None

    @property
    def __name__(self) -> str:
        """Name of the loss: XGBoost asks its metrics for one."""
        return self.loss.name

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the rows of the last call."""
        return {**self.__dict__, "_last": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r})"

    def training(
        self, labels: NDArray[Any], weight: NDArray[Any] | None, n_scores: int
    ) -> TrainingObjective:
        """The loss on these rows; the last one is kept for as long as the rows stay the same."""
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
            raise InputError(f"weights must be one for each of {len(labels)}; got {len(weight)}")
        k = self.n_classes or max(2, n_scores)
        index = np.asarray(labels).astype(np.intp)
        if not np.array_equal(index, labels) or index.min() < 0 or index.max() >= k:
            raise InputError(
                f"labels must be the numbers 0 to {k - 1} of {k} classes; got "
                f"{np.unique(labels)[:5].tolist()}"
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
                f"{self.loss.name} of {k} classes has {training.n_scores} scores in a row; "
                f"got {n_scores}"
            )
        kept_weight = None if weight is None else np.array(weight)
        self._last = np.array(labels), kept_weight, n_scores, training
        return training

    def value(self, y_true: Any, y_pred: Any, weight: Any) -> float:
        """Weighted mean of the loss over rows that come in either order of arguments."""
        labels, scores, weight = rows_of(y_true, y_pred, weight)
        scores = by_class(scores)
        return self.training(labels, weight, len(scores)).mean_loss(scores)


class BoosterObjective(BoosterLoss):
    """Derivatives of a loss, whose curvatures a factor may multiply."""

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
    """An objective that the booster calls with all rows at once."""

    @staticmethod
    @abstractmethod
    def default_factor(n_scores: int) -> float:
        """Factor by which the booster's own objectives multiply the hessian."""

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Gradients and curvatures of the rows."""
        labels, scores, weight = rows_of(y_true, y_pred, sample_weight)
        n_scores = len(by_class(scores))
        factor = self.hessian_factor or self.default_factor(n_scores)
        return newton_like(self.training(labels, weight, n_scores), scores, factor)


def by_class(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scores ``(n,)`` or ``(n, k)`` as a class-major view ``(1, n)`` or ``(k, n)``."""
    return scores[np.newaxis] if scores.ndim == 1 else scores.T


def newton_like(
    training: TrainingObjective, scores: NDArray[np.floating], factor: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Gradients and curvatures in the layout and dtype of the scores."""
    gradient, curvature = np.empty_like(scores), np.empty_like(scores)
    training.newton_terms(by_class(scores), factor, (by_class(gradient), by_class(curvature)))
    return gradient, curvature


def rows_of(
    y_true: Any, y_pred: Any, weight: Any
) -> tuple[NDArray[Any], NDArray[np.floating], NDArray[Any] | None]:
    """Labels, scores and weights from ``(y_true, y_pred, weight)`` or ``(scores, data)``."""
    if hasattr(y_pred, "get_label"):
        y_true, y_pred, weight = y_pred.get_label(), y_true, y_pred.get_weight()
    if weight is not None and len(weight) == 0:  # what XGBoost passes for no weights
        weight = None
    return np.asarray(y_true), np.asarray(y_pred), weight
