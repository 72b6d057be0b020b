"""Margin losses of decision scores.

Each is a function of the negative margins ``d_j - d_y``: the score of a wrong class minus the score
of the true class (``-s d`` with ``s = +-1`` for two classes). The function is summed over the wrong
classes, or applied to the largest negative margin.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import (
    FloatArray,
    log1p_sum,
    log_softmax,
    positive_part,
    sigmoid,
    softplus,
)
from xentexp.errors import InputError
from xentexp.losses._base import LARGEST, SMALLEST, Loss, Pair, Properties, check_number
from xentexp.losses._inverse import WIDEST, stationary
from xentexp.losses._registry import register_loss

_CORTES = "Cortes, C., Vapnik, V. (1995). Support-vector networks. Mach. Learn. 20, 273-297"


@dataclass(frozen=True)
class MarginLoss(Loss):
    """Base of losses that are a function of the negative margins."""

    # A subclass defines the function and its derivatives, of arrays of any shape. `over` says
    # whether it is summed over the wrong classes or applied to the largest negative margin.
    over: ClassVar[Literal["largest", "sum"]] = "largest"

    @abstractmethod
    def value(self, negative_margin: FloatArray) -> FloatArray:
        """Value at a negative margin; 0 at minus infinity, which stands for the true class."""

    @abstractmethod
    def slope(self, negative_margin: FloatArray) -> FloatArray:
        """First derivative of `value`, 0 at minus infinity."""

    @abstractmethod
    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        """Second derivative of `value`, 0 at minus infinity."""

    def scale(self, block: Block) -> float:
        """Factor by which the value of a row is multiplied."""
        return 1.0

    def _one_margin(self, block: Block) -> bool:
        return self.over == "largest" or block.n_classes == 2

    def block_values(self, block: Block) -> FloatArray:
        if self._one_margin(block):
            value = self.value(block.largest_negative_margin)
        else:
            value = self.value(block.negative_margins).sum(axis=0)
        scale = self.scale(block)
        return value if scale == 1.0 else value * scale

    def block_loss_gradient(self, block: Block) -> Pair:
        return self.block_values(block), self._by_class(block, self.slope, -1.0)

    def block_gradient_hessian(self, block: Block) -> Pair:
        return self._by_class(block, self.slope, -1.0), self._by_class(block, self.curvature, 1.0)

    def _by_class(
        self, block: Block, function: Callable[[FloatArray], FloatArray], sign: float
    ) -> FloatArray:
        """Derivative of each wrong class, (k, n); their sum times the sign for the true class."""
        if self._one_margin(block):
            derivative = self.scale(block) * function(block.largest_negative_margin)
            by_class = np.zeros((block.n_classes, block.n_rows))
            by_class[block.top_wrong_class, block.rows] = derivative
            return block.put_true(by_class, sign * derivative)
        by_class = self.scale(block) * function(block.negative_margins)
        return block.put_true(by_class, sign * by_class.sum(axis=0))

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        if label_smoothing or (self.over == "largest" and n_classes > 2):
            return False
        # A positive slope at 0: the minimum ranks the classes correctly (Bartlett et al. 2006). A
        # curvature: it also determines their probabilities.
        grid = np.linspace(-8.0, 8.0, 1601)
        return bool(self.slope(grid)[800] > 0.0 and self.curvature(grid).max() > 0.0)

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        leads = np.clip(scores - scores[:, np.newaxis], -WIDEST, WIDEST)
        return stationary(scores, self.slope(leads))


@register_loss
@dataclass(frozen=True)
class HingeLoss(MarginLoss):
    """Hinge loss for two classes."""

    name: ClassVar[str] = "hinge_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Hinge loss of decision scores for two classes, as in support vector machines.",
        formula="max(0, 1 - s d), s = +-1",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        binary_only=True,
        link="identity",
        gradient="subgradient",
        convex=True,
        reference=f"{_CORTES}; sklearn.metrics.hinge_loss",
        peers=(
            "sklearn.metrics.hinge_loss",
            "keras.losses.Hinge",
            "optax.losses.hinge_loss",
            "torchmetrics.HingeLoss",
        ),
        example="""\
>>> hinge_loss([1, 0, 1, 0], [0.5, -2.0, 3.0, 0.2])
0.425""",
    )

    def value(self, negative_margin: FloatArray) -> FloatArray:
        return positive_part(negative_margin + 1.0)

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        return (negative_margin > -1.0).astype(np.float64)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        return np.zeros_like(negative_margin)


@register_loss
@dataclass(frozen=True)
class SquaredHingeLoss(HingeLoss):
    """Squared hinge loss for two classes."""

    name: ClassVar[str] = "squared_hinge_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Squared hinge loss of decision scores for two classes.",
        formula="max(0, 1 - s d)^2, s = +-1",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        binary_only=True,
        link="identity",
        convex=True,
        reference=f"{_CORTES}; keras SquaredHinge; sklearn.svm.LinearSVC(loss='squared_hinge')",
        peers=("keras.losses.SquaredHinge",),
        example="""\
>>> squared_hinge_loss([1, 0, 1, 0], [0.5, -2.0, 3.0, 0.2])
0.4225""",
    )

    def value(self, negative_margin: FloatArray) -> FloatArray:
        return np.square(super().value(negative_margin))

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        return 2.0 * super().value(negative_margin)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        return 2.0 * (negative_margin > -1.0).astype(np.float64)


@register_loss
@dataclass(frozen=True)
class SmoothedHingeLoss(MarginLoss):
    """Hinge loss with a parabola instead of the kink.

    Parameters
    ----------
    gamma : float
        Width of the interval below margin 1 in which the loss is a parabola, above 0, at most
        1e100; near 0 the loss is near the hinge loss.
    """

    name: ClassVar[str] = "smoothed_hinge_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Smoothed (Huberized) hinge loss for two classes: a parabola replaces the kink.",
        formula="0 if m >= 1, (1 - m)^2 / (2 gamma) if m >= 1 - gamma, else 1 - m - gamma / 2; "
        "m = s d",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        binary_only=True,
        link="identity",
        convex=True,
        reference="Shalev-Shwartz, S., Zhang, T. (2013). Stochastic dual coordinate ascent "
        "methods for regularized loss minimization. JMLR 14, 567-599; gamma = 1: Rennie, J. D. "
        "M. (2005). Smooth hinge classification; gamma = 2: LIBLINEAR-style Huber hinge",
        example="""\
>>> smoothed_hinge_loss([1, 1, 1], [2.0, 0.5, -1.0], reduction="none")
array([0.   , 0.125, 1.5  ])""",
    )
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, 0.0, LARGEST, low_open=True)

    def value(self, negative_margin: FloatArray) -> FloatArray:
        lead = positive_part(negative_margin + 1.0)
        near = np.minimum(lead, self._width)
        return near * (lead - 0.5 * near) / self._width

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        return np.clip((negative_margin + 1.0) / self._width, 0.0, 1.0)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        lead = negative_margin + 1.0
        return ((lead > 0.0) & (lead < self._width)) / self._width

    @property
    def _width(self) -> float:
        return max(self.gamma, SMALLEST)


@register_loss
@dataclass(frozen=True)
class ModifiedHuberLoss(MarginLoss):
    """Squared hinge loss that is linear below margin -1."""

    name: ClassVar[str] = "modified_huber_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Modified Huber loss for two classes: squared hinge loss, linear below margin -1.",
        formula="max(0, 1 - m)^2 if m >= -1 else -4 m; m = s d",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        binary_only=True,
        link="identity",
        convex=True,
        reference="Zhang, T. (2004). Solving large scale linear prediction problems using "
        "stochastic gradient descent algorithms. ICML; sklearn SGDClassifier",
        peers=("sklearn.linear_model.SGDClassifier(loss='modified_huber')",),
        example="""\
>>> modified_huber_loss([1, 1, 1], [2.0, 0.5, -2.0], reduction="none")
array([0.  , 0.25, 8.  ])""",
    )

    def value(self, negative_margin: FloatArray) -> FloatArray:
        return np.where(
            negative_margin <= 1.0,
            np.square(positive_part(negative_margin + 1.0)),
            4.0 * negative_margin,
        )

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        return np.clip(2.0 * (negative_margin + 1.0), 0.0, 4.0)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        return 2.0 * ((negative_margin > -1.0) & (negative_margin < 1.0)).astype(np.float64)


@register_loss
@dataclass(frozen=True)
class CategoricalHinge(HingeLoss):
    """Hinge loss of the largest score of a wrong class."""

    name: ClassVar[str] = "categorical_hinge"
    properties: ClassVar[Properties] = Properties(
        summary="Multiclass hinge loss of the largest score of a wrong class (Crammer-Singer).",
        formula="max(0, 1 + max_{j != y} d_j - d_y)",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        link="identity",
        gradient="subgradient",
        convex=True,
        reference="Crammer, K., Singer, Y. (2001). On the algorithmic implementation of "
        "multiclass kernel-based vector machines. JMLR 2, 265-292; sklearn.metrics.hinge_loss",
        peers=("keras.losses.CategoricalHinge", "optax.losses.multiclass_hinge_loss"),
        example="""\
>>> categorical_hinge([0, 1], [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0]], reduction="none")
array([2.9, 0. ])""",
    )


@register_loss
@dataclass(frozen=True)
class WestonWatkinsHinge(HingeLoss):
    """Sum of the hinge losses of all wrong classes."""

    over: ClassVar[Literal["largest", "sum"]] = "sum"
    name: ClassVar[str] = "weston_watkins_hinge"
    properties: ClassVar[Properties] = Properties(
        summary="Multiclass hinge loss, summed over all wrong classes (Weston-Watkins).",
        formula="sum_{j != y} max(0, 1 + d_j - d_y)",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        link="identity",
        gradient="subgradient",
        convex=True,
        reference="Weston, J., Watkins, C. (1999). Support vector machines for multi-class "
        "pattern recognition. ESANN",
        example="""\
>>> weston_watkins_hinge([0, 1], [[3.2, 5.1, -1.7], [1.3, 4.9, 4.5]], reduction="none")
array([2.9, 0.6])""",
    )

    def block_values(self, block: Block) -> FloatArray:
        return super().block_values(block) if block.n_classes == 2 else block.hinge_sum(1.0)


@register_loss
@dataclass(frozen=True)
class MultiMarginLoss(MarginLoss):
    """Sum of powers of the hinge losses of all wrong classes, over the number of classes.

    Parameters
    ----------
    p : {1, 2}
        Power of each hinge: 1 gives hinge losses, 2 squared hinge losses.
    margin : float
        Margin by which the score of the true class must exceed another score for a value of 0;
        from 0 to 1e100.
    """

    over: ClassVar[Literal["largest", "sum"]] = "sum"
    name: ClassVar[str] = "multi_margin_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Multiclass margin loss: powers of the hinge losses of all wrong classes.",
        formula="1/k sum_{j != y} max(0, margin + d_j - d_y)^p",
        range="[0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        link="identity",
        gradient="subgradient",
        convex=True,
        reference="torch MultiMarginLoss; Weston, J., Watkins, C. (1999). ESANN",
        peers=("torch.nn.MultiMarginLoss",),
        example="""\
>>> multi_margin_loss([0], [[3.2, 5.1, -1.7]])  # 2.9 / 3
0.9666...
>>> multi_margin_loss([0], [[3.2, 5.1, -1.7]], p=2, margin=2)  # 3.9^2 / 3
5.069...""",
    )
    p: int = 1
    margin: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.p, bool) or not (isinstance(self.p, Real) and self.p in (1, 2)):
            raise InputError(f"p must be 1 or 2; got {self.p!r}")
        check_number("margin", self.margin, 0.0, LARGEST)

    def scale(self, block: Block) -> float:
        return 1.0 / block.n_classes

    def block_values(self, block: Block) -> FloatArray:
        if self.p == 1 and block.n_classes > 2:
            return block.hinge_sum(self.margin) * self.scale(block)
        return super().block_values(block)

    def value(self, negative_margin: FloatArray) -> FloatArray:
        lead = positive_part(negative_margin + self.margin)
        return lead if self.p == 1 else np.square(lead)

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        if self.p == 1:
            return (negative_margin > -self.margin).astype(np.float64)
        return 2.0 * positive_part(negative_margin + self.margin)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        if self.p == 1:
            return np.zeros_like(negative_margin)
        return 2.0 * (negative_margin > -self.margin).astype(np.float64)


@register_loss
@dataclass(frozen=True)
class ExponentialLoss(MarginLoss):
    """Exponential loss, which AdaBoost minimizes."""

    over: ClassVar[Literal["largest", "sum"]] = "sum"
    name: ClassVar[str] = "exponential_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Exponential loss of decision scores (AdaBoost), summed over all wrong classes.",
        formula="sum_{j != y} exp(d_j - d_y); exp(-s d) for two classes",
        range="(0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        link="identity",
        convex=True,
        reference="Freund, Y., Schapire, R. E. (1997). A decision-theoretic generalization of "
        "on-line learning. JCSS 55, 119-139; several classes: Mukherjee, I., Schapire, R. E. "
        "(2013). A theory of multiclass boosting. JMLR 14, 437-497; sklearn's ExponentialLoss",
        example="""\
>>> exponential_loss([1], [1.0])
0.3678...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if self._one_margin(block):
            return super().block_values(block)
        value: FloatArray = block.margin_odds.sum(axis=0)
        return value

    def value(self, negative_margin: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # the value is infinite
            return np.exp(negative_margin)

    # exp is its own derivative.
    slope = value
    curvature = value

    def block_gradient_hessian(self, block: Block) -> Pair:
        gradient = self._by_class(block, self.slope, -1.0)
        return gradient, np.abs(gradient)

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        return log_softmax(2.0 * scores)[1]  # t_i exp(d_j - d_i) = t_j exp(d_i - d_j)


@register_loss
@dataclass(frozen=True)
class LogisticMarginLoss(MarginLoss):
    """Logistic loss of the margin."""

    over: ClassVar[Literal["largest", "sum"]] = "sum"
    name: ClassVar[str] = "logistic_margin_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Logistic loss of decision scores, summed over all wrong classes.",
        formula="sum_{j != y} log(1 + exp(d_j - d_y)); log(1 + exp(-s d)) for two classes",
        range="(0, inf)",
        properness="improper",
        response="decision_function",
        targets="one-hot",
        link="identity",
        convex=True,
        reference="torch SoftMarginLoss; equals the cross-entropy of a sigmoid for two classes",
        peers=("torch.nn.SoftMarginLoss", "sklearn.linear_model.SGDClassifier(loss='log_loss')"),
        example="""\
>>> logistic_margin_loss([1, 0], [1.0, 1.0], reduction="none")
array([0.3132..., 1.3132...])""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if self._one_margin(block):
            return super().block_values(block)
        # One logarithm for so many classes that the product of 1 + exp(d_j - d_y) is finite.
        largest = max(0.0, float(block.largest_negative_margin.max()))
        step = int(700.0 / (1.0 + largest))
        if step == 0:
            return super().block_values(block)
        odds = block.margin_odds
        value = log1p_sum(odds[:step])
        for start in range(step, block.n_classes, step):
            value += log1p_sum(odds[start : start + step])
        return value

    def value(self, negative_margin: FloatArray) -> FloatArray:
        return softplus(np.maximum(negative_margin, -1000.0))  # softplus needs finite values

    def slope(self, negative_margin: FloatArray) -> FloatArray:
        return sigmoid(negative_margin)

    def curvature(self, negative_margin: FloatArray) -> FloatArray:
        small = np.exp(-np.abs(negative_margin))
        return np.asarray(small / np.square(1.0 + small))

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        return log_softmax(scores)[1]  # t_i s(d_j - d_i) = t_j s(d_i - d_j)
