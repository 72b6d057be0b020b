"""A loss on the rows that a model is trained on: targets and weights stay, scores change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from xentexp._inputs.block import Block
from xentexp._inputs.checked import CheckedInput, PlannedInput, ScoreKind
from xentexp._inputs.labels import KnownTargets
from xentexp._numerics import FloatArray, IntArray, tempered_log
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number, row_gradient_hessian, row_loss_gradient, row_values
from xentexp.metrics._registry import get_loss
from xentexp.objectives._curvature import Rule, curvature_rule, positive_curvature

Out = tuple[NDArray[Any], NDArray[Any]]


def get_training_loss(loss: str | Loss, parameters: Mapping[str, object] | None = None) -> Loss:
    """Loss by name or as an object, if classifiers can be trained on it.

    Parameters
    ----------
    loss : str or Loss
        As `xentexp.get_loss` takes it.
    parameters : mapping, optional
        Parameters of the loss, where it is a name.

    Returns
    -------
    Loss
        A loss of classes that has a gradient.

    Raises
    ------
    InputError
        For unknown names and parameters, and for losses without a gradient or of other targets
        than classes.

    Examples
    --------
    >>> get_training_loss("categorical_focal_crossentropy", {"gamma": 1.0}).gamma
    1.0
    """
    if not isinstance(parameters, Mapping | None):
        raise InputError(f"parameters of a loss must be a dict or None; got {parameters!r}")
    loss = get_differentiable_loss(loss, parameters or {})
    if loss.properties.targets not in ("labels", "one-hot", "soft"):
        raise InputError(f"{loss.name} is not a loss of classes; train on another loss")
    return loss


def get_differentiable_loss(loss: str | Loss, parameters: Mapping[str, object]) -> Loss:
    """Loss by name or as an object, if it has a gradient."""
    loss = get_loss(loss, **parameters)
    if loss.properties.gradient == "none":
        raise InputError(f"{loss.name} has no gradient; train on another loss")
    return loss


def check_smoothing(loss: Loss, label_smoothing: float) -> None:
    """Raise an InputError for label smoothing that is no share, or that the loss cannot take."""
    check_number("label_smoothing", label_smoothing, 0.0, 1.0)
    if label_smoothing and loss.properties.targets in ("one-hot", "labels"):
        raise InputError(
            f"{loss.name} needs one true class in each row, and takes no label_smoothing"
        )


def score_kind(loss: Loss) -> ScoreKind:
    """What the loss takes raw scores for."""
    return "decision" if loss.properties.response in ("decision_function", "latent") else "logits"


class TrainingObjective:
    """A loss on the training rows, as a function of their raw scores.

    Scores are class-major: ``(k, n)``, or ``(1, n)`` for two classes (the scores of the second
    class, with those of the first at 0) and for losses of one latent score. The weight of a row
    is the product of its sample weight and the weight of its class.

    Parameters
    ----------
    loss : Loss
        See `get_training_loss`.
    index : ndarray of shape (n,)
        Class of each row.
    n_classes : int
        Number of classes, 2 or more.
    sample_weight : ndarray of shape (n,), optional
        Weight of each row, checked.
    class_weight : ndarray of shape (k,), optional
        Weight of each class, checked.
    label_smoothing : float
        Share of the target that is spread evenly over the classes.

    Attributes
    ----------
    n_rows, n_scores : int
        Number of rows, and of scores for each row.
    weight : ndarray of shape (n,) or None
        Weight of each row; None where all are 1.
    total_weight : float
        Sum of the weights.

    Raises
    ------
    InputError
        For a loss that is not defined for that number of classes, for label smoothing that the
        loss does not take, and for weights whose sum is 0.

    Examples
    --------
    >>> import numpy as np
    >>> loss = get_training_loss("categorical_crossentropy")
    >>> training = TrainingObjective(loss, np.array([0, 1]), 2)
    >>> training.mean_loss(np.zeros((1, 2)))
    0.6931...
    >>> training.gradient_hessian(np.zeros((1, 2)))
    (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
    """

    def __init__(
        self,
        loss: Loss,
        index: IntArray,
        n_classes: int,
        *,
        sample_weight: FloatArray | None = None,
        class_weight: FloatArray | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        check_smoothing(loss, label_smoothing)
        response = loss.properties.response
        reason = loss.why_not(
            PlannedInput(
                n_classes,
                soft=label_smoothing > 0.0,
                has_proba=score_kind(loss) == "logits",
                latent=response == "latent" or n_classes == 2,
            )
        )
        if reason is not None:
            raise InputError(f"{loss.name} {reason}")
        self.loss = loss
        self.index = index
        self.n_classes = n_classes
        self.n_rows = len(index)
        self.n_scores = 1 if n_classes == 2 or response == "latent" else n_classes
        self.label_smoothing = float(label_smoothing)
        self._input = CheckedInput(
            classes=tuple(range(n_classes)),
            targets=KnownTargets(index),
            weight=sample_weight,
            class_weight=class_weight,
            smoothing=self.label_smoothing,
        )
        self.weight = self._input.row_weight
        self.total_weight = float(self.n_rows if self.weight is None else self.weight.sum())
        if not self.total_weight < np.inf:
            raise InputError(
                f"the weights of the training rows must have a finite sum; it is "
                f"{self.total_weight}: scale them down"
            )
        if not self.total_weight > 0.0:
            raise InputError("the weights of the training rows sum to 0; one must be positive")

    def of(self, rows: IntArray) -> TrainingObjective:
        """The same loss on some of the rows.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the rows.

        Returns
        -------
        TrainingObjective
            New, with copies of the targets and weights.

        Raises
        ------
        InputError
            For rows whose weights sum to 0.
        """
        return TrainingObjective(
            self.loss,
            self.index[rows],
            self.n_classes,
            sample_weight=None if self.weight is None else self.weight[rows],
            label_smoothing=self.label_smoothing,
        )

    def class_shares(self) -> FloatArray:
        """Weighted share of each class in the (smoothed) targets, ``(k,)``."""
        totals = np.bincount(self.index, self.weight, minlength=self.n_classes)
        return self._input.smoothed(None, totals / self.total_weight)

    def values(self, scores: NDArray[np.floating]) -> FloatArray:
        """Value of each row, not weighted.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        ndarray of shape (n,)
            Values in a new array.
        """
        values = np.empty(self.n_rows)
        for rows, block in self.blocks(scores):
            values[rows] = row_values(self.loss, block)
        return values

    def mean_loss(self, scores: NDArray[np.floating]) -> float:
        """Weighted mean of the values.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        float
            The quantity that training minimizes.
        """
        return self._mean(self.values(scores))

    def loss_gradient(
        self, scores: NDArray[np.floating], out: NDArray[Any] | None = None
    ) -> tuple[float, FloatArray]:
        """Weighted mean of the values, and the gradient of each row's weighted value.

        Cheaper than `loss` and `gradient_hessian` one after the other: what both need is computed
        once, and no hessian.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        out : ndarray of shape (n_scores, n), optional
            Array to write the gradient to; any floating dtype.

        Returns
        -------
        loss : float
            As `loss` returns it.
        gradient : ndarray of shape (n_scores, n)
            As `gradient_hessian` returns it: not divided by the sum of the weights.

        Examples
        --------
        >>> import numpy as np
        >>> training = TrainingObjective(get_training_loss("brier_loss"), np.array([0, 1]), 2)
        >>> training.loss_gradient(np.zeros((1, 2)))
        (0.25, array([[ 0.25, -0.25]]))
        """
        gradient = np.empty((self.n_scores, self.n_rows)) if out is None else out
        values = np.empty(self.n_rows)
        for rows, block in self.blocks(scores):
            values[rows], by_class = row_loss_gradient(self.loss, block)
            self._write(gradient, rows, by_class[-self.n_scores :], 1.0)
        return self._mean(values), gradient

    def _mean(self, values: FloatArray) -> float:
        total = values.sum() if self.weight is None else values @ self.weight
        return float(total) / self.total_weight

    def gradient_hessian(
        self, scores: NDArray[np.floating], out: Out | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of each row's weighted value, without any factor.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        out : pair of ndarray of shape (n_scores, n), optional
            Arrays to write them to; any floating dtype.

        Returns
        -------
        gradient, hessian : ndarray of shape (n_scores, n)
            Derivatives of the loss itself: the hessian may be 0 or negative.
        """
        return self._derivatives(scores, out, None, 1.0)

    def newton_terms(
        self, scores: NDArray[np.floating], factor: float = 1.0, out: Out | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Gradients, and curvatures that a step can be divided by.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        factor : float
            Factor of the curvatures.
        out : pair of ndarray of shape (n_scores, n), optional
            Arrays to write them to; any floating dtype.

        Returns
        -------
        gradient, curvature : ndarray of shape (n_scores, n)
            Weighted derivatives. A hessian that is not positive is replaced as described in
            `xentexp.objectives._curvature`.
        """
        return self._derivatives(scores, out, curvature_rule(self.loss), factor)

    def _derivatives(
        self, scores: NDArray[np.floating], out: Out | None, rule: Rule | None, factor: float
    ) -> tuple[FloatArray, FloatArray]:
        shape = (self.n_scores, self.n_rows)
        gradient, hessian = (np.empty(shape), np.empty(shape)) if out is None else out
        for rows, block in self.blocks(scores):
            derivatives = row_gradient_hessian(self.loss, block)
            # Of two classes the second has the score; the first is held at 0.
            first, second = (by_class[-self.n_scores :] for by_class in derivatives)
            if rule is not None:
                second = positive_curvature(rule, (first, second))
            self._write(gradient, rows, first, 1.0)
            self._write(hessian, rows, second, factor)
        return gradient, hessian

    def _write(self, whole: NDArray[Any], rows: slice, part: FloatArray, factor: float) -> None:
        scale: FloatArray | float = factor
        if self.weight is not None:
            scale = self.weight[rows] if factor == 1.0 else self.weight[rows] * factor
        elif factor == 1.0:
            for row_of_whole, row in zip(whole, part, strict=True):  # NumPy is slow at both at once
                row_of_whole[rows] = row
            return
        np.multiply(part, scale, out=whole[:, rows], casting="same_kind")

    def blocks(self, scores: NDArray[np.floating]) -> Iterator[tuple[slice, Block]]:
        """Rows, and their targets and scores as a block that stays in cache.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Yields
        ------
        rows : slice
            Consecutive rows.
        block : Block
            Their targets, smoothed if asked for, and scores.

        Raises
        ------
        InputError
            For another number of rows than that of the targets.
        """
        if scores.shape[1] != self.n_rows:
            raise InputError(f"scores must have {self.n_rows} rows; got {scores.shape[1]}")
        return self._input.blocks(self._by_row(scores), score_kind(self.loss))

    def block(self, rows: slice, scores: NDArray[np.floating]) -> Block:
        """Targets of some rows with their scores, (n_scores, m), as one block."""
        return self._input.block(rows, self._by_row(scores), score_kind(self.loss))

    def _by_row(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        return scores[0] if self.n_scores == 1 else scores.T


SMALLEST_SHARE = 1e-15
"""Share of a class without weight, as LightGBM has it."""


def initial_scores(training: TrainingObjective) -> FloatArray:
    """Raw scores (n_scores,) whose probabilities are the (smoothed, weighted) class shares."""
    # The best constant of a saturating loss (generalized, symmetric cross-entropy) gives the larger
    # class a probability near 1, where the gradient is so flat that boosting ends higher.
    loss = training.loss
    shares = np.clip(training.class_shares(), SMALLEST_SHARE, 1.0)
    scores = np.log(shares)
    if loss.properties.link == "tempered softmax":
        scores = tempered_log(scores, loss.t2)  # type: ignore[attr-defined]
    elif score_kind(loss) == "decision":
        scores = np.zeros(len(shares))
    if training.n_scores == 1:
        scores = scores[1:2] - scores[0]
    if score_kind(loss) == "logits":
        return scores
    determined = loss.properties.response == "latent" or loss.invertible(training.n_classes)
    return _best_constant(training, scores) if determined else scores


def _best_constant(training: TrainingObjective, start: FloatArray) -> FloatArray:
    """Minimum of the loss over scores that all rows share; never above the start."""
    totals = np.bincount(training.index, training.weight, minlength=training.n_classes)
    k = training.n_classes
    of_classes = TrainingObjective(
        training.loss,
        np.arange(k),
        k,
        sample_weight=np.maximum(totals / totals.sum(), SMALLEST_SHARE),
        label_smoothing=training.label_smoothing,
    )

    def value(scores: FloatArray) -> tuple[float, FloatArray]:
        rows = np.repeat(scores[:, np.newaxis], k, axis=1)
        loss, gradient = of_classes.loss_gradient(rows)
        return loss, gradient.sum(axis=1)

    result = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    better = np.all(np.isfinite(result.x)) and result.fun <= value(start)[0]
    return np.asarray(result.x) if better else start
