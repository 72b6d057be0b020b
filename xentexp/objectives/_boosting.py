"""Common base of the objectives and metrics for LightGBM, XGBoost and CatBoost."""

from __future__ import annotations

import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.labels import to_class_weight
from xentexp._inputs.options import check_integer, refuse_unordered
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.objectives._objective import (
    TrainingObjective,
    check_smoothing,
    get_training_loss,
    score_kind,
)

Response = Literal["raw", "probabilities"]


def calling_frame(matches: Callable[[FrameType], bool]) -> FrameType | None:
    """Nearest frame on the stack that matches, or None."""
    # Boosters pass neither themselves nor their parameters to a custom objective or metric, but
    # what they pass means something else under another objective.
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not matches(frame):
        frame = frame.f_back
    return frame


def booster_frame(module: str) -> FrameType | None:
    """Nearest frame on the stack that is a method of ``Booster`` of this package, or None."""

    def is_booster(frame: FrameType) -> bool:
        return any(
            kind.__name__ == "Booster" and kind.__module__.partition(".")[0] == module
            for kind in type(frame.f_locals.get("self")).__mro__
        )

    return calling_frame(is_booster)


class BoosterLoss:
    """Loss on the rows that a booster passes; labels are class numbers 0 to k - 1."""

    _checked: Any = None  # weak reference to the booster whose settings were checked last

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
        check_smoothing(self.loss, label_smoothing)
        if n_classes is not None:
            check_integer("n_classes", n_classes, 2)
        refuse_unordered("class_weight", class_weight)
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
        """State without what is cached from the last call."""
        return {**self.__dict__, "_last": None, "_checked": None}

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
                f"{np.unique(labels)[:5].tolist()}; encode the labels, e.g. with LabelEncoder, or "
                f"set the booster's number of classes (num_class, classes_count)"
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

    def value(self, y_true: Any, y_pred: Any, weight: Any, response: Response) -> float:
        """Weighted mean of the loss; accepts both argument orders of `rows_of`."""
        labels, predicted, weight = rows_of(y_true, y_pred, weight)
        scores = by_class(predicted)
        if response == "probabilities":
            return self._value_of_probabilities(labels, scores, weight)
        scores = self.one_score(scores)
        return self.training(labels, weight, len(scores)).mean_loss(scores)

    def one_score(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """One logit for two classes if the booster has one for each."""
        return scores[1:] - scores[:1] if len(scores) == 2 and self._reads_logits else scores

    @property
    def _reads_logits(self) -> bool:
        return score_kind(self.loss) == "logits"

    def _value_of_probabilities(
        self, labels: NDArray[Any], proba: NDArray[np.floating], weight: Any
    ) -> float:
        if not self._reads_logits:
            raise InputError(
                f"loss must be a loss of probabilities beside a built-in objective, because the "
                f"booster then passes probabilities to the metric; got {self.loss.name}; choose "
                f"another loss, or train on a custom objective"
            )
        k = max(2, len(proba))
        training = self.training(labels, weight, 1 if k == 2 else k)
        return self.loss(
            training.index,
            proba[-1] if k == 2 else proba.T,
            labels=list(range(k)),
            sample_weight=training.weight,
            label_smoothing=self.label_smoothing,
        )


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

    @staticmethod
    @abstractmethod
    def _check_settings(booster: Any) -> None:
        """Raise an error for settings that have no effect, or a wrong one, on this objective."""

    module: ClassVar[str]  # package of the booster

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Gradients and curvatures in the form that the booster expects."""
        self._check_booster()
        labels, scores, weight = rows_of(y_true, y_pred, sample_weight)
        n_scores = len(by_class(scores))
        factor = self.hessian_factor or self.default_factor(n_scores)
        return newton_in_layout(self.training(labels, weight, n_scores), scores, factor)

    def _check_booster(self) -> None:
        """Check the settings of the booster that calls the objective, once for each booster."""
        frame = booster_frame(self.module)
        booster = None if frame is None else frame.f_locals["self"]
        if booster is not None and (self._checked is None or self._checked() is not booster):
            self._check_settings(booster)
            self._checked = weakref.ref(booster)


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
