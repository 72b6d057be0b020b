"""A loss on the rows that a model is trained on: targets and weights stay, scores change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from xentexp.errors import InputError
from xentexp.inputs.block import Block
from xentexp.inputs.checked import PlannedInput
from xentexp.inputs.labels import to_class_weight
from xentexp.losses import Loss
from xentexp.losses.base import check_number, row_values
from xentexp.metrics.registry import get_loss
from xentexp.numerics import FloatArray, IntArray, tempered_log
from xentexp.objectives.curvature import Rule, curvature_rule, positive_curvature

Out = tuple[NDArray[Any], NDArray[Any]]

BLOCK_SCORES = 34816
"""Scores in a block: it and what is made of it stay in the L2 cache."""


def find_loss(loss: str | Loss, parameters: Mapping[str, object] | None = None) -> Loss:
    """Loss by name or as an object, shown to be one that models of classes are trained on.

    Parameters
    ----------
    loss : str or Loss
        As `xentexp.get_loss` takes it.
    parameters : mapping, optional
        Parameters of the loss, where it is a name.

    Returns
    -------
    Loss
        With a gradient.

    Raises
    ------
    InputError
        For unknown names and parameters, and for losses without a gradient or of other things
        than labels.

    Examples
    --------
    >>> find_loss("categorical_focal_crossentropy", {"gamma": 1.0}).gamma
    1.0
    """
    if not isinstance(parameters, Mapping | None):
        raise InputError(f"parameters of a loss must be a dict or None; got {parameters!r}")
    definition = get_loss(loss, **(parameters or {}))
    properties = definition.properties
    if properties.gradient == "none":
        raise InputError(f"{definition.name} has no gradient; train on another loss")
    if properties.targets not in ("labels", "one-hot", "soft"):
        raise InputError(
            f"{definition.name} is no loss of labels and scores of classes; train on another"
        )
    return definition


def find_class_weight(
    class_weight: Mapping[Any, float] | ArrayLike | str | None,
    classes: Sequence[Any],
    index: IntArray,
    sample_weight: FloatArray | None = None,
) -> FloatArray | None:
    """Weight of each class, in the order of the classes.

    Parameters
    ----------
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        As scikit-learn has it; classes that a mapping does not name have 1.
    classes : sequence
        Labels.
    index : ndarray of shape (n,)
        Class of each training row.
    sample_weight : ndarray of shape (n,), optional
        By which "balanced" counts the rows.

    Returns
    -------
    ndarray of shape (k,) or None
        None where all are 1.

    Raises
    ------
    InputError
        For weights that are none.

    Examples
    --------
    >>> import numpy as np
    >>> find_class_weight("balanced", ["good", "bad"], np.array([0, 0, 0, 1]))
    array([0.6666..., 2.        ])
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, str):
        return to_class_weight(class_weight, tuple(classes))
    if class_weight != "balanced":
        raise InputError(
            f"class_weight must be 'balanced', a mapping from labels, an array or None; got "
            f"{class_weight!r}"
        )
    totals = np.bincount(index, sample_weight, minlength=len(classes)).astype(np.float64)
    present = totals > 0
    weights = np.zeros(len(classes))
    weights[present] = totals.sum() / (np.count_nonzero(present) * totals[present])
    return weights


class TrainingObjective:
    """A loss on training rows, as a function of their raw scores.

    Scores are class-major: ``(k, n)``, or ``(1, n)`` for two classes, where they are those of
    the second class with the first at 0, and for losses of one latent score. Row weights are
    products of sample and class weights.

    Parameters
    ----------
    definition : Loss
        See `find_loss`.
    index : ndarray of shape (n,)
        Class of each row.
    n_classes : int
        Number of classes, 2 or more.
    sample_weight : ndarray of shape (n,), optional
        Checked weights.
    class_weight : ndarray of shape (k,), optional
        See `find_class_weight`.
    label_smoothing : float
        Share of the target that is spread evenly over the classes.

    Attributes
    ----------
    n_rows, n_scores : int
        Shape of the scores, turned around.
    weight : ndarray of shape (n,) or None
        Weight of each row.
    total_weight : float
        Their sum.

    Raises
    ------
    InputError
        For a loss that is not for so many classes, for smoothing that it cannot have, and for
        weights whose sum is 0.

    Examples
    --------
    >>> import numpy as np
    >>> training = TrainingObjective(find_loss("categorical_crossentropy"), np.array([0, 1]), 2)
    >>> training.loss(np.zeros((1, 2)))
    0.6931...
    >>> training.gradient_hessian(np.zeros((1, 2)))
    (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
    """

    def __init__(
        self,
        definition: Loss,
        index: IntArray,
        n_classes: int,
        *,
        sample_weight: FloatArray | None = None,
        class_weight: FloatArray | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        check_number("label_smoothing", label_smoothing, 0.0, 1.0)
        needs = definition.properties.needs
        reason = definition.why_not(
            PlannedInput(
                n_classes,
                soft=label_smoothing > 0.0,
                has_proba=needs != "scores",
                latent=needs == "latent" or n_classes == 2,
            )
        )
        if label_smoothing and definition.properties.targets != "soft":
            reason = "needs one true class in each row, and takes no label_smoothing"
        if reason is not None:
            raise InputError(f"{definition.name} {reason}")
        self.definition = definition
        self.index = index
        self.n_classes = n_classes
        self.n_rows = len(index)
        self.n_scores = 1 if n_classes == 2 or needs == "latent" else n_classes
        self.label_smoothing = float(label_smoothing)
        self.weight = sample_weight
        if class_weight is not None:
            of_class = class_weight[index]
            self.weight = of_class if sample_weight is None else of_class * sample_weight
        self.total_weight = float(self.n_rows if self.weight is None else self.weight.sum())
        if not self.total_weight < np.inf:
            raise InputError(
                f"the weights of the training rows must have a finite sum; it is "
                f"{self.total_weight}: scale them down"
            )
        if not self.total_weight > 0.0:
            raise InputError("the weights of the training rows sum to 0; one must be positive")
        self._of_margins = needs in ("scores", "latent")

    def of(self, rows: IntArray) -> TrainingObjective:
        """The same loss on some of the rows.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        TrainingObjective
            A copy.

        Raises
        ------
        InputError
            For rows whose weights sum to 0.
        """
        return TrainingObjective(
            self.definition,
            self.index[rows],
            self.n_classes,
            sample_weight=None if self.weight is None else self.weight[rows],
            label_smoothing=self.label_smoothing,
        )

    def class_shares(self) -> FloatArray:
        """Weighted share of each class in the (smoothed) targets, ``(k,)``."""
        totals = np.bincount(self.index, self.weight, minlength=self.n_classes)
        shares = totals / self.total_weight
        e = self.label_smoothing
        return np.asarray((1.0 - e) * shares + e / self.n_classes)

    def values(self, scores: NDArray[np.floating]) -> FloatArray:
        """Value of each row, not weighted.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        ndarray of shape (n,)
            New.
        """
        out = np.empty(self.n_rows)
        for rows, block in self._blocks(scores):
            out[rows] = row_values(self.definition, block)
        return out

    def loss(self, scores: NDArray[np.floating]) -> float:
        """Weighted mean of the values.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Finite raw scores.

        Returns
        -------
        float
            What training makes small.
        """
        values = self.values(scores)
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
            Where to write them; any floating dtype.

        Returns
        -------
        gradient, hessian : ndarray of shape (n_scores, n)
            As the loss has them: the hessian may be 0 or negative.
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
            What the curvatures are multiplied by.
        out : pair of ndarray of shape (n_scores, n), optional
            Where to write them; any floating dtype.

        Returns
        -------
        gradient, curvature : ndarray of shape (n_scores, n)
            Weighted; what stands in for a hessian that is not positive, says
            `xentexp.objectives.curvature`.
        """
        return self._derivatives(scores, out, curvature_rule(self.definition), factor)

    def _derivatives(
        self, scores: NDArray[np.floating], out: Out | None, rule: Rule | None, factor: float
    ) -> tuple[FloatArray, FloatArray]:
        shape = (self.n_scores, self.n_rows)
        gradient, hessian = (np.empty(shape), np.empty(shape)) if out is None else out
        for rows, block in self._blocks(scores):
            own = self.definition.block_gradient_hessian(block)
            # Of two classes the second has the score; the first is held at 0.
            first, second = (part[-self.n_scores :] for part in own)
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
            for line, its_part in zip(whole, part, strict=True):  # NumPy is slow at both at once
                line[rows] = its_part
            return
        np.multiply(part, scale, out=whole[:, rows], casting="same_kind")

    def _blocks(self, scores: NDArray[np.floating]) -> Iterator[tuple[slice, Block]]:
        if scores.shape[1] != self.n_rows:
            raise InputError(f"scores must have {self.n_rows} rows; got {scores.shape[1]}")
        step = max(128, BLOCK_SCORES // self.n_classes)
        for start in range(0, self.n_rows, step):
            rows = slice(start, min(start + step, self.n_rows))
            yield rows, self._block(scores[:, rows], self.index[rows])

    def _block(self, scores: NDArray[np.floating], index: IntArray) -> Block:
        by_row = scores[0] if self.n_scores == 1 else scores.T
        soft = self._smoothed(index) if self.label_smoothing else None
        hard = index if soft is None else None
        if self._of_margins:
            return Block(n_classes=self.n_classes, index=hard, soft=soft, decision=by_row)
        return Block(n_classes=self.n_classes, index=hard, soft=soft, logits=by_row)

    def _smoothed(self, index: IntArray) -> FloatArray:
        e = self.label_smoothing
        soft = np.full((len(index), self.n_classes), e / self.n_classes)
        soft[np.arange(len(index)), index] += 1.0 - e
        return soft


SMALLEST_SHARE = 1e-15
"""Share of a class without weight, as LightGBM has it."""


def initial_scores(training: TrainingObjective) -> FloatArray:
    """Raw scores whose probabilities are the shares of the classes in the training part.

    They are what the boosters' own objectives start from (``boost_from_average`` of LightGBM,
    the estimated ``base_score`` of XGBoost): logarithms of the weighted shares, smoothed and
    weighted by class as the targets are; the logit of the second of two classes. Margins and a
    latent score start at the best constant of their loss.

    Parameters
    ----------
    training : TrainingObjective
        Targets and weights.

    Returns
    -------
    ndarray of shape (n_scores,)
        0 for margins whose best constant tells no shares, as that of a hinge.

    Notes
    -----
    The best constant of a loss that is not proper is another one. That of a saturating loss
    (generalized, symmetric cross-entropy) is nearly sure of the larger class, where its gradient
    is so flat that boosting from there ends higher.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import find_loss
    >>> y = np.array([0, 0, 0, 1])
    >>> initial_scores(TrainingObjective(find_loss("categorical_crossentropy"), y, 2))  # log(1 / 3)
    array([-1.0986...])
    >>> initial_scores(TrainingObjective(find_loss("exponential_loss"), y, 2))  # half of that
    array([-0.5493...])
    """
    loss = training.definition
    shares = np.clip(training.class_shares(), SMALLEST_SHARE, 1.0)
    scores = np.log(shares)
    if loss.properties.link == "tempered softmax":
        scores = tempered_log(scores, loss.t2)  # type: ignore[attr-defined]
    elif loss.properties.needs in ("scores", "latent"):
        scores = np.zeros(len(shares))
    if training.n_scores == 1:
        scores = scores[1:2] - scores[0]
    of_link = loss.properties.needs not in ("scores", "latent")
    told = loss.properties.needs == "latent" or loss.invertible(training.n_classes)
    return scores if of_link or not told else _best_constant(training, scores)


def _best_constant(training: TrainingObjective, start: FloatArray) -> FloatArray:
    """Minimum of the loss over scores that are those of every row; never above the start."""
    totals = np.bincount(training.index, training.weight, minlength=training.n_classes)
    k = training.n_classes
    of_classes = TrainingObjective(
        training.definition,
        np.arange(k),
        k,
        sample_weight=np.maximum(totals / totals.sum(), SMALLEST_SHARE),
        label_smoothing=training.label_smoothing,
    )

    def value(scores: FloatArray) -> tuple[float, FloatArray]:
        rows = np.repeat(scores[:, np.newaxis], k, axis=1)
        gradient, _ = of_classes.gradient_hessian(rows)
        return of_classes.loss(rows), gradient.sum(axis=1)

    found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    better = np.all(np.isfinite(found.x)) and found.fun <= value(start)[0]
    return np.asarray(found.x) if better else start
