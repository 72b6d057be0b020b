"""Class probabilities from the raw scores of a model that is trained on any loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number, determines_proba
from xentexp.losses._inverse import on_simplex


class ScoreLink:
    """Map from raw scores to class probabilities, by the link of a loss."""

    # Without correction they are the probabilities that the loss itself computes: softmax, tempered
    # softmax, thresholds of one latent score. Decision scores are read as logits.
    # With correction they are the class distribution for which the scores minimize the expected
    # loss, so that a model at the minimum gives true probabilities although the loss is not proper,
    # labels are smoothed or classes are weighted. For two classes the order of rows is unchanged.
    # Papers: see the References of LinearLossClassifier.

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
                f"correct_probabilities must be False for {loss.name} ({n_classes} "
                f"classes{smoothed}), because its scores do not determine the true probabilities; "
                f"got True; calibrate the scores with CalibratedClassifierCV, or choose another "
                f"loss for training"
            )
        if class_weight is not None and not np.all(class_weight > 0.0):
            raise InputError(
                f"class_weight must be > 0 with correct_probabilities=True, because a class of "
                f"weight 0 is not learned; got {np.asarray(class_weight).tolist()}"
            )

    def corrected(self, correct: bool) -> ScoreLink:
        """The same link with or without correction."""
        if bool(correct) == self.correct:
            return self
        return ScoreLink(
            self.loss, self.n_classes, self.class_weight, self.label_smoothing, correct
        )

    def has_proba(self) -> bool:
        """Whether the scores determine probabilities; scores of a hinge loss do not."""
        return determines_proba(self.loss, self.n_classes)

    def has_correction(self) -> bool:
        """Whether correction is possible with this loss, smoothing and class weights."""
        weight = self.class_weight
        return self.loss.invertible(self.n_classes, self.label_smoothing) and (
            weight is None or bool(np.all(weight > 0.0))
        )

    def proba(self, scores: NDArray[np.floating]) -> FloatArray:
        """Class probabilities (n, k) of scores (k, n), or (1, n) for two classes or latent."""
        if not self.has_proba():
            raise InputError(
                f"loss must determine probabilities; got {self.loss.name}, whose scores do not; "
                f"use decision_function"
            )
        by_class = np.asarray(scores, dtype=np.float64)
        if len(by_class) == 1 and self.loss.properties.response != "latent":
            by_class = np.concatenate([np.zeros_like(by_class), by_class])  # first class: score 0
        if not self.correct:
            proba = self.loss.probabilities(by_class, self.n_classes)
        else:
            proba = self.loss.true_distribution(by_class, self.n_classes, self.label_smoothing)
            if self.class_weight is not None:
                # The class weight of a row is that of its label before smoothing.
                proba = on_simplex(proba / self.class_weight[:, np.newaxis])
        return np.ascontiguousarray(proba.T)
