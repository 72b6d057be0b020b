"""A loss on the training rows as a function of their raw scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from xentexp._inputs.asarray import refuse_collection
from xentexp._inputs.block import Block
from xentexp._inputs.checked import CheckedInput, PlannedInput, ScoreKind
from xentexp._inputs.labels import KnownTargets
from xentexp._inputs.options import check_integer
from xentexp._numerics import FloatArray, IntArray, tempered_log
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number, row_gradient_hessian, row_loss_gradient, row_values
from xentexp.metrics._registry import get_loss
from xentexp.objectives._curvature import Rule, curvature_rule, positive_curvature

Out = tuple[NDArray[Any], NDArray[Any]]


def get_training_loss(loss: str | Loss, parameters: Mapping[str, object] | None = None) -> Loss:
    """Return a loss that classifiers can be trained on, or raise an error.

    Parameters
    ----------
    loss : str or Loss
        Name of the loss, the name that another library uses for it, or an object from
        `xentexp.get_loss`, which is returned unchanged.
    parameters : mapping, default=None
        Parameters of the loss if `loss` is a name, for example ``{"gamma": 2.0}``. None uses the
        defaults of the loss.

    Returns
    -------
    Loss
        Loss of class labels that has a gradient.

    Raises
    ------
    InputError
        If the name or a parameter is unknown, if the loss has no gradient (as the zero-one loss),
        or if its targets are not class labels (as for multilabel losses and losses of numbers).

    See Also
    --------
    xentexp.get_loss : Return any loss, also those that cannot be trained on.
    TrainingObjective : The loss on training rows.

    Examples
    --------
    >>> from xentexp.objectives import get_training_loss
    >>> get_training_loss("categorical_focal_crossentropy", {"gamma": 1.0}).gamma
    1.0
    """
    if not isinstance(parameters, Mapping | None):
        raise InputError(
            f"parameters of the loss (loss_params) must be a dict or None; got {parameters!r}"
        )
    loss = get_differentiable_loss(loss, parameters or {})
    if loss.properties.targets not in ("labels", "one-hot", "soft"):
        raise InputError(
            f"loss must be a loss of class labels; got {loss.name}; choose another loss for "
            f"training"
        )
    return loss


def get_differentiable_loss(loss: str | Loss, parameters: Mapping[str, object]) -> Loss:
    """Return a loss that has a gradient, or raise an error."""
    loss = get_loss(loss, **parameters)
    if loss.properties.gradient == "none":
        raise InputError(
            f"loss must have a gradient; got {loss.name}, which has none; choose another loss for "
            f"training"
        )
    return loss


def check_smoothing(loss: Loss, label_smoothing: float) -> None:
    """Raise an InputError if `label_smoothing` is not in [0, 1] or the loss does not allow it."""
    check_number("label_smoothing", label_smoothing, 0.0, 1.0)
    if label_smoothing and loss.properties.targets in ("one-hot", "labels"):
        raise InputError(
            f"label_smoothing must be 0 for {loss.name}, because it needs one true class in each "
            f"row; got {label_smoothing!r}"
        )


def score_kind(loss: Loss) -> ScoreKind:
    """Whether the loss reads raw scores as logits or as decision scores."""
    return "decision" if loss.properties.response in ("decision_function", "latent") else "logits"


class NoWeightError(InputError):
    """All rows have the weight 0."""


class TrainingObjective:
    """A loss on the training rows, as a function of their raw scores.

    Labels and weights are fixed and are checked once; the methods compute values, gradients and
    curvatures at given raw scores. Use it to write a training algorithm of your own.

    Scores have one row per class: shape ``(k, n)``. For two classes they have shape ``(1, n)`` and
    hold the scores of the second class; the scores of the first class are 0. Losses of one latent
    score also use ``(1, n)``.

    Parameters
    ----------
    loss : Loss
        Loss with a gradient, as returned by `get_training_loss`.
    index : ndarray of int of shape (n,)
        Class number of each row, 0 to ``n_classes - 1``. It is not checked.
    n_classes : int
        Number of classes, at least 2.
    sample_weight : ndarray of shape (n,), default=None
        Weight of each row, finite and not negative. None gives every row the weight 1.
    class_weight : ndarray of shape (k,), default=None
        Weight of each class, finite and not negative. It multiplies the sample weights of the rows
        of the class. None gives every class the weight 1.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the classes.

    Attributes
    ----------
    n_rows : int
        Number of rows, n.
    n_scores : int
        Number of scores per row: 1 for two classes and for losses of one latent score, else k.
    weight : ndarray of shape (n,) or None
        Weight of each row: its sample weight times the weight of its class. None if all are 1.
    total_weight : float
        Sum of the weights.

    Raises
    ------
    InputError
        If the loss is not defined for this number of classes, if it does not allow label
        smoothing, or if the sum of the weights is 0 or infinite.

    See Also
    --------
    get_training_loss : Look a loss up by name.
    LightGBMObjective, XGBoostObjective, CatBoostObjective, TorchLoss : The loss in the form that
        each library expects.

    Notes
    -----
    With weights ``w_i``, targets ``t_i`` and scores ``s_i`` of row i, the mean loss is
    ``sum_i w_i l(t_i, s_i) / sum_i w_i``. Gradients and hessians are those of ``w_i l(t_i, s_i)``:
    they are not divided by the sum of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import TrainingObjective, get_training_loss
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
        check_integer("n_classes", n_classes, 2)
        refuse_collection(sample_weight, "sample_weight")
        refuse_collection(class_weight, "class_weight")
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
                f"sample_weight must have a finite sum over the training rows; got "
                f"{self.total_weight}; divide the weights by their maximum"
            )
        if not self.total_weight > 0.0:
            raise NoWeightError(
                "sample_weight must have a sum > 0 over the training rows, after multiplication by "
                "class_weight; got 0; give at least one row a positive weight"
            )

    def of(self, rows: IntArray) -> TrainingObjective:
        """Return the same loss on a subset of the rows.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Numbers of the rows, in the order that the scores of the new objective have.

        Returns
        -------
        TrainingObjective
            New object with copies of the targets and weights of these rows.

        Raises
        ------
        InputError
            If the weights of these rows sum to 0.
        """
        return TrainingObjective(
            self.loss,
            self.index[rows],
            self.n_classes,
            sample_weight=None if self.weight is None else self.weight[rows],
            label_smoothing=self.label_smoothing,
        )

    def class_shares(self) -> FloatArray:
        """Weighted proportion of each class in the targets, after label smoothing.

        Returns
        -------
        ndarray of shape (k,)
            Proportions; they sum to 1.
        """
        totals = np.bincount(self.index, self.weight, minlength=self.n_classes)
        return self._input.smoothed(None, totals / self.total_weight)

    def values(self, scores: NDArray[np.floating]) -> FloatArray:
        """Loss of each row, without weights.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        ndarray of shape (n,)
            Losses, in a new array.

        Raises
        ------
        InputError
            If `scores` does not have n columns.
        """
        values = np.empty(self.n_rows)
        for rows, block in self.blocks(scores):
            values[rows] = row_values(self.loss, block)
        return values

    def mean_loss(self, scores: NDArray[np.floating]) -> float:
        """Weighted mean of the loss, the quantity that training minimizes.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        float
            Sum of weight times loss, divided by `total_weight`.

        Raises
        ------
        InputError
            If `scores` does not have n columns.
        """
        return self._mean(self.values(scores))

    def loss_gradient(
        self, scores: NDArray[np.floating], out: NDArray[Any] | None = None
    ) -> tuple[float, FloatArray]:
        """Weighted mean of the loss, and the gradient of the weighted loss of each row.

        It is faster than `mean_loss` followed by `gradient_hessian`, because it shares the
        intermediate results and does not compute the hessian.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        out : ndarray of shape (n_scores, n), default=None
            Array of any floating dtype to write the gradient to. None allocates a new array.

        Returns
        -------
        loss : float
            Weighted mean, as `mean_loss` returns it.
        gradient : ndarray of shape (n_scores, n)
            Weighted gradient, as `gradient_hessian` returns it: not divided by the sum of the
            weights.

        Raises
        ------
        InputError
            If `scores` does not have n columns.

        Examples
        --------
        >>> import numpy as np
        >>> from xentexp.objectives import TrainingObjective, get_training_loss
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
        """First and second derivatives of the weighted loss of each row.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        out : pair of ndarray of shape (n_scores, n), default=None
            Arrays of any floating dtype to write the gradient and the hessian to. None allocates
            new arrays.

        Returns
        -------
        gradient : ndarray of shape (n_scores, n)
            Derivative of the weighted loss of a row in each of its scores.
        hessian : ndarray of shape (n_scores, n)
            Diagonal of the second derivatives, unchanged: it may be 0 or negative. Use
            `newton_terms` for values that a step can be divided by.

        Raises
        ------
        InputError
            If `scores` does not have n columns.
        """
        return self._derivatives(scores, out, None, 1.0)

    def newton_terms(
        self, scores: NDArray[np.floating], factor: float = 1.0, out: Out | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Gradients, and positive curvatures that a step can be divided by.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.
        factor : float, default=1.0
            Positive factor that multiplies the curvatures.
        out : pair of ndarray of shape (n_scores, n), default=None
            Arrays of any floating dtype to write the gradient and the curvature to. None allocates
            new arrays.

        Returns
        -------
        gradient : ndarray of shape (n_scores, n)
            Derivative of the weighted loss of a row in each of its scores.
        curvature : ndarray of shape (n_scores, n)
            For smooth convex losses the hessian, or the absolute gradient if the hessian is 0. For
            losses that are not convex the larger of the hessian and the absolute gradient, so that
            no single row asks for a step larger than 1. For convex losses with kinks, such as
            hinge losses, the larger of the hessian and 1. Multiplied by the weight and `factor`.

        Raises
        ------
        InputError
            If `scores` does not have n columns.
        """
        return self._derivatives(scores, out, curvature_rule(self.loss), factor)

    def _derivatives(
        self, scores: NDArray[np.floating], out: Out | None, rule: Rule | None, factor: float
    ) -> tuple[FloatArray, FloatArray]:
        shape = (self.n_scores, self.n_rows)
        gradient, hessian = (np.empty(shape), np.empty(shape)) if out is None else out
        for rows, block in self.blocks(scores):
            derivatives = row_gradient_hessian(self.loss, block)
            # For two classes keep the derivatives of the second class; the first has the score 0.
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
            for row_of_whole, row in zip(whole, part, strict=True):  # one 2-D assignment is slower
                row_of_whole[rows] = row
            return
        np.multiply(part, scale, out=whole[:, rows], casting="same_kind")

    def blocks(self, scores: NDArray[np.floating]) -> Iterator[tuple[slice, Block]]:
        """Split the rows into blocks that fit into the processor cache.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Yields
        ------
        rows : slice
            Consecutive rows of this block.
        block : Block
            Targets (smoothed if `label_smoothing` is set) and scores of these rows.

        Raises
        ------
        InputError
            If `scores` does not have n columns.
        """
        if scores.shape[1] != self.n_rows:
            raise InputError(
                f"scores must have one entry for each of {self.n_rows} labels; got "
                f"{scores.shape[1]} rows"
            )
        return self._input.blocks(self._by_row(scores), score_kind(self.loss))

    def block(self, rows: slice, scores: NDArray[np.floating]) -> Block:
        """Targets and scores of consecutive rows as one block.

        Parameters
        ----------
        rows : slice
            Rows whose targets are used.
        scores : ndarray of shape (n_scores, m)
            Finite raw scores of these m rows.

        Returns
        -------
        Block
            Targets (smoothed if `label_smoothing` is set) and scores of these rows.
        """
        return self._input.block(rows, self._by_row(scores), score_kind(self.loss))

    def _by_row(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        return scores[0] if self.n_scores == 1 else scores.T


SMALLEST_SHARE = 1e-15
"""Proportion that stands for a class without weight; the same as in LightGBM."""


def initial_scores(training: TrainingObjective) -> FloatArray:
    """Raw scores (n_scores,) whose probabilities are the weighted, smoothed class proportions."""
    # The boosters' own objectives start from them too: boost_from_average of LightGBM, the
    # estimated base_score of XGBoost. Decision scores and latent scores start at the best constant
    # of their loss, or at 0 if it does not determine the class proportions (as for a hinge loss).
    # Losses of probabilities do not use their best constant: for a loss that saturates (generalized
    # or symmetric cross-entropy) it gives the larger class a probability near 1, where the gradient
    # is so small that boosting ends with a higher loss.
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
    """Scores that minimize the loss if all rows share them; never worse than `start`."""
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
