"""Class probabilities from the raw scores of a model that was trained on any loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.losses._inverse import on_simplex


class ScoreLink:
    """From raw scores to class probabilities, by the link of a loss."""

    def __init__(
        self,
        loss: Loss,
        n_classes: int,
        class_weight: FloatArray | None = None,
        label_smoothing: float = 0.0,
        correct: bool = False,
    ) -> None:
        check_number("label_smoothing", label_smoothing, 0.0, 1.0)
        self.loss = loss
        self.n_classes = n_classes
        self.class_weight = class_weight
        self.label_smoothing = float(label_smoothing)
        self.correct = bool(correct)
        if not self.correct:
            return
        if not loss.invertible(n_classes, self.label_smoothing):
            smoothed = f", label_smoothing={label_smoothing:g}" if label_smoothing else ""
            raise InputError(
                f"correct_probabilities=True needs a loss whose minimizer tells the true "
                f"probabilities; that of {loss.name} ({n_classes} classes{smoothed}) does "
                f"not: leave it out, calibrate the scores (CalibratedClassifierCV), or train on "
                f"another loss"
            )
        if class_weight is not None and not np.all(class_weight > 0.0):
            raise InputError(
                f"correct_probabilities=True needs positive class weights; got "
                f"{np.asarray(class_weight).tolist()}: a class of weight 0 is not learned"
            )

    def corrected(self, correct: bool) -> ScoreLink:
        """The same link, corrected or not."""
        if bool(correct) == self.correct:
            return self
        return ScoreLink(
            self.loss, self.n_classes, self.class_weight, self.label_smoothing, correct
        )

    def has_proba(self) -> bool:
        """Whether the scores give probabilities; those of a hinge loss do not."""
        return self.loss.properties.response != "decision_function" or self.loss.invertible(
            self.n_classes
        )

    def has_correction(self) -> bool:
        """Whether `correct` may be set, with this smoothing and these class weights."""
        weight = self.class_weight
        return self.loss.invertible(self.n_classes, self.label_smoothing) and (
            weight is None or bool(np.all(weight > 0.0))
        )

    def proba(self, scores: NDArray[np.floating]) -> FloatArray:
        """Class probabilities."""
        if not self.has_proba():
            raise InputError(
                f"scores of {self.loss.name} are no probabilities; use decision_function"
            )
        by_class = np.asarray(scores, dtype=np.float64)
        if len(by_class) == 1 and self.loss.properties.response != "latent":
            by_class = np.concatenate([np.zeros_like(by_class), by_class])
        if not self.correct:
            proba = self.loss.probabilities(by_class, self.n_classes)
        else:
            proba = self.loss.true_distribution(by_class, self.n_classes, self.label_smoothing)
            if self.class_weight is not None:
                # A row counts by the weight of its label, before that was smoothed.
                proba = on_simplex(proba / self.class_weight[:, np.newaxis])
        return np.ascontiguousarray(proba.T)
