"""Losses of the distance between predictions and targets: class probabilities or plain numbers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray, log1p_sum, positive_part
from xentexp.errors import unknown_name
from xentexp.losses._base import LARGEST, Pair, Properties, check_number
from xentexp.losses._differentiable import SeparableLoss
from xentexp.losses._registry import register_loss

_SCALES = ("mean", "sum", "half_sum")


@dataclass(frozen=True)
class DistanceLoss(SeparableLoss):
    """Base of losses that are a sum over the columns of a function of prediction and target."""

    # A subclass defines `terms` and its derivatives in the predictions. The derivatives in raw
    # scores, whose softmax gives the probabilities, follow from them. A block stores plain numbers
    # as `proba`, without `logits`: there, the derivatives are in the numbers.

    over_classes: Literal["mean", "sum", "half_sum"] = "mean"

    def __post_init__(self) -> None:
        if not (isinstance(self.over_classes, str) and self.over_classes in _SCALES):
            raise unknown_name("over_classes", self.over_classes, _SCALES)

    def scale(self, block: Block) -> float:
        """Factor by which the sum over the columns is multiplied."""
        return {"mean": 1.0 / block.n_classes, "sum": 1.0, "half_sum": 0.5}[self.over_classes]

    def block_values(self, block: Block) -> FloatArray:
        total: FloatArray = self.terms(block).sum(axis=0)
        total *= self.scale(block)
        return total

    @abstractmethod
    def terms(self, block: Block) -> FloatArray:
        """Value of each column, (k, n), a new array."""

    @abstractmethod
    def first_derivative(self, block: Block) -> FloatArray:
        """First derivative of `terms` in the predictions, (k, n)."""

    @abstractmethod
    def second_derivative(self, block: Block) -> FloatArray:
        """Second derivative of `terms` in the predictions, (k, n)."""

    def slope(self, block: Block) -> FloatArray:
        return self.scale(block) * block.proba_by_class * self.first_derivative(block)

    def curvature(self, block: Block) -> FloatArray:
        return self.scale(block) * block.proba_by_class**2 * self.second_derivative(block)

    def block_loss_gradient(self, block: Block) -> Pair:
        if block.logits is None:
            return self.block_values(block), self.scale(block) * self.first_derivative(block)
        return super().block_loss_gradient(block)

    def block_gradient_hessian(self, block: Block) -> Pair:
        if block.logits is None:
            scale = self.scale(block)
            return scale * self.first_derivative(block), scale * self.second_derivative(block)
        return super().block_gradient_hessian(block)


@register_loss
@dataclass(frozen=True)
class SquaredError(DistanceLoss):
    """Squared error of class probabilities or numbers.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum, which some textbooks also call mean squared error.
    """

    name: ClassVar[str] = "squared_error"
    properties: ClassVar[Properties] = Properties(
        summary="Squared error of class probabilities or numbers, averaged over the columns.",
        formula="1/k sum_j (p_j - t_j)^2",
        range="[0, 2/k]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        numbers="real",
        reference="keras MeanSquaredError on one-hot targets; torch MSELoss",
        peers=(
            "sklearn.metrics.mean_squared_error",
            "keras.losses.MeanSquaredError",
            "torch.nn.MSELoss",
            "optax.losses.squared_error",
        ),
        example="""\
>>> t = [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]]
>>> y = [[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]]
>>> squared_error(t, y, over_classes="half_sum")
0.0975...
>>> squared_error([3.0, 5.0], [2.5, 7.0], numbers=True)  # (.25 + 4) / 2
2.125""",
    )

    def block_values(self, block: Block) -> FloatArray:
        return block.squared_distance * self.scale(block)

    def terms(self, block: Block) -> FloatArray:
        return np.square(block.residual_by_class)

    def first_derivative(self, block: Block) -> FloatArray:
        return 2.0 * block.residual_by_class

    def second_derivative(self, block: Block) -> FloatArray:
        return np.full_like(block.residual_by_class, 2.0)


@register_loss
@dataclass(frozen=True)
class AbsoluteError(DistanceLoss):
    """Absolute error of class probabilities or numbers.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum.
    """

    name: ClassVar[str] = "absolute_error"
    properties: ClassVar[Properties] = Properties(
        summary="Absolute error of class probabilities or numbers, averaged over the columns.",
        formula="1/k sum_j |p_j - t_j|",
        range="[0, 2/k]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        numbers="real",
        gradient="subgradient",
        reference="keras MeanAbsoluteError on one-hot targets; torch L1Loss; improper: "
        "Buja, A., Stuetzle, W., Shen, Y. (2005). Loss functions for binary class "
        "probability estimation",
        peers=(
            "sklearn.metrics.mean_absolute_error",
            "keras.losses.MeanAbsoluteError",
            "torch.nn.L1Loss",
        ),
        example="""\
>>> absolute_error([0, 1, 1], [0.1, 0.8, 0.6])
0.2333...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        return block.absolute_distance * self.scale(block)

    def terms(self, block: Block) -> FloatArray:
        return np.abs(block.residual_by_class)

    def first_derivative(self, block: Block) -> FloatArray:
        return np.sign(block.residual_by_class)

    def second_derivative(self, block: Block) -> FloatArray:
        return np.zeros_like(block.residual_by_class)


@register_loss
@dataclass(frozen=True)
class HuberLoss(DistanceLoss):
    """Squared error that is linear for large errors.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum.
    delta : float
        Absolute error, above 0, at most 1e100, from which the loss is linear. Errors of
        probabilities are at most 1, so that the default gives half of the squared error.
    """

    name: ClassVar[str] = "huber_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Huber loss of class probabilities or numbers: squared error, linear if large.",
        formula="1/k sum_j (r_j^2 / 2 if |r_j| <= delta else delta (|r_j| - delta / 2))",
        range="[0, 1/k]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        numbers="real",
        reference="Huber, P. J. (1964). Robust estimation of a location parameter. Ann. Math. "
        "Stat. 35, 73-101; torch HuberLoss, keras Huber. Improper for delta < 1",
        peers=(
            "keras.losses.Huber",
            "torch.nn.HuberLoss",
            "torch.nn.SmoothL1Loss",
            "optax.losses.huber_loss",
        ),
        example="""\
>>> huber_loss([3.0, 5.0], [2.5, 7.0], numbers=True)  # (.125 + 1.5) / 2
0.8125""",
    )
    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("delta", self.delta, 0.0, LARGEST, low_open=True)

    def block_values(self, block: Block) -> FloatArray:
        if block.index is None or self.delta < 1.0:
            return super().block_values(block)
        return block.squared_distance * (0.5 * self.scale(block))  # errors are at most 1

    def terms(self, block: Block) -> FloatArray:
        far = np.abs(block.residual_by_class)
        near = np.minimum(far, self.delta)
        return near * (far - 0.5 * near)

    def first_derivative(self, block: Block) -> FloatArray:
        return np.clip(block.residual_by_class, -self.delta, self.delta)

    def second_derivative(self, block: Block) -> FloatArray:
        return (np.abs(block.residual_by_class) <= self.delta).astype(np.float64)


@register_loss
@dataclass(frozen=True)
class LogCoshLoss(DistanceLoss):
    """Logarithm of the hyperbolic cosine of the error.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum.
    """

    name: ClassVar[str] = "log_cosh_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Log-cosh loss of class probabilities or numbers, similar to the Huber loss.",
        formula="1/k sum_j log cosh(p_j - t_j)",
        range="[0, 2/k log cosh 1]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        numbers="real",
        reference="keras LogCosh; torchmetrics LogCoshError",
        peers=("keras.losses.LogCosh", "optax.losses.log_cosh", "torchmetrics.LogCoshError"),
        example="""\
>>> log_cosh_loss([3.0], [5.0], numbers=True)
1.3250...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        residual = block.residual_by_class
        if block.index is None and not np.abs(residual).max() <= 1.0:
            return super().block_values(block)
        excess = 0.5 * residual
        np.sinh(excess, out=excess)
        np.square(excess, out=excess)
        excess *= 2.0  # cosh r - 1, accurate for small errors
        total = log1p_sum(excess)
        total *= self.scale(block)
        return total

    def terms(self, block: Block) -> FloatArray:
        far = np.abs(block.residual_by_class)
        near = np.log1p(2.0 * np.sinh(0.5 * np.minimum(far, 1.0)) ** 2)  # accurate for small errors
        return np.where(far < 1.0, near, far + np.log1p(np.exp(-2.0 * far)) - np.log(2.0))

    def first_derivative(self, block: Block) -> FloatArray:
        return np.tanh(block.residual_by_class)

    def second_derivative(self, block: Block) -> FloatArray:
        return 1.0 - np.square(np.tanh(block.residual_by_class))


@register_loss
@dataclass(frozen=True)
class PoissonDeviance(DistanceLoss):
    """Poisson deviance.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum.
    """

    name: ClassVar[str] = "poisson_deviance"
    properties: ClassVar[Properties] = Properties(
        summary="Poisson deviance of class probabilities or counts.",
        formula="1/k sum_j 2 (t_j log(t_j / p_j) + p_j - t_j)",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        numbers="counts",
        clip=True,
        convex=True,
        reference="McCullagh, P., Nelder, J. A. (1989). Generalized linear models; "
        "sklearn.metrics.mean_poisson_deviance. keras Poisson and torch PoissonNLLLoss compute "
        "p - t log p: half of the deviance minus a term that only depends on the target",
        peers=(
            "sklearn.metrics.mean_poisson_deviance",
            "keras.losses.Poisson",
            "torch.nn.PoissonNLLLoss",
        ),
        example="""\
>>> poisson_deviance([2.0], [1.0], numbers=True)  # 2 (2 log 2 - 1)
0.7725...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is None:
            return super().block_values(block)
        total = positive_part(block.cross_entropy - block.true_miss)  # rounding may leave -1e-16
        total += block.wrong_sum
        total *= 2.0 * self.scale(block)
        return total

    def terms(self, block: Block) -> FloatArray:
        p, t = block.proba_by_class, block.target_by_class
        log_ratio = block.log_target_by_class - block.log_proba_by_class
        np.multiply(t, log_ratio, out=log_ratio, where=t > 0)  # 0 log 0 is 0
        log_ratio[t == 0] = 0.0
        return positive_part(2.0 * (log_ratio + (p - t)))  # rounding may leave -1e-16

    def slope(self, block: Block) -> FloatArray:
        return 2.0 * self.scale(block) * block.residual_by_class

    def curvature(self, block: Block) -> FloatArray:
        return 2.0 * self.scale(block) * block.target_by_class

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        return 2.0 * self.scale(block) * block.proba_by_class

    def first_derivative(self, block: Block) -> FloatArray:
        return 2.0 * (1.0 - block.target_by_class / block.proba_by_class)

    def second_derivative(self, block: Block) -> FloatArray:
        return 2.0 * block.target_by_class / block.proba_by_class / block.proba_by_class


@register_loss
@dataclass(frozen=True)
class SquaredLogError(DistanceLoss):
    """Squared difference of ``log(1 + x)``.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the values of the columns of a row are combined: their mean, their sum, or half of
        their sum.
    """

    name: ClassVar[str] = "squared_log_error"
    properties: ClassVar[Properties] = Properties(
        summary="Squared logarithmic error of class probabilities or numbers.",
        formula="1/k sum_j (log(1 + p_j) - log(1 + t_j))^2",
        range="[0, 2/k log(2)^2]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        numbers="above -1",
        reference="sklearn.metrics.mean_squared_log_error; keras MeanSquaredLogarithmicError",
        peers=(
            "sklearn.metrics.mean_squared_log_error",
            "keras.losses.MeanSquaredLogarithmicError",
        ),
        example="""\
>>> squared_log_error([3.0], [7.0], numbers=True)  # log(2)^2
0.4804...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is None:
            return super().block_values(block)
        gap = np.log1p(block.proba_by_class)
        block.put_true(gap, np.log1p(block.true_proba) - np.log(2.0))
        total: FloatArray = np.einsum("ji,ji->i", gap, gap)
        total *= self.scale(block)
        return total

    def terms(self, block: Block) -> FloatArray:
        return np.asarray(
            np.square(np.log1p(block.proba_by_class) - np.log1p(block.target_by_class))
        )

    def _gap(self, block: Block) -> FloatArray:
        """``log(1 + p) - log(1 + t)``, without cancellation."""
        excess = block.residual_by_class / (1.0 + block.target_by_class)
        far = np.log1p(block.proba_by_class) - np.log1p(block.target_by_class)
        return np.where(np.abs(excess) < 0.5, np.log1p(np.clip(excess, -0.5, 0.5)), far)

    def first_derivative(self, block: Block) -> FloatArray:
        return 2.0 * self._gap(block) / (1.0 + block.proba_by_class)

    def second_derivative(self, block: Block) -> FloatArray:
        return 2.0 * (1.0 - self._gap(block)) / (1.0 + block.proba_by_class) ** 2
