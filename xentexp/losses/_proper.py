"""Proper scoring rules of probabilities, and the misclassification rate."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import LOWEST_LOG, FloatArray, positive_part, sums_of_others
from xentexp.errors import InputError
from xentexp.losses._base import HIGHEST_POWER, Loss, Pair, Properties, check_number
from xentexp.losses._differentiable import (
    Probabilities,
    SeparableLoss,
    of_each_class,
    of_true_class,
)
from xentexp.losses._registry import register_loss

_GNEITING = (
    "Gneiting, T., Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and "
    "estimation. JASA 102, 359-378"
)


@register_loss
@dataclass(frozen=True)
class BrierLoss(SeparableLoss):
    """Brier score.

    Parameters
    ----------
    scale_by_half : {"auto"} or bool
        Whether to multiply the sum over the classes by 1/2. ``"auto"`` does so for two classes,
        which gives ``(p - y)^2``, as in scikit-learn.
    """

    name: ClassVar[str] = "brier_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Brier score: squared distance of predicted probabilities and targets.",
        formula="sum_j (p_j - t_j)^2, half if k = 2",
        range="[0, 2]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        reference="Brier, G. W. (1950). Verification of forecasts expressed in terms of "
        "probability. Mon. Weather Rev. 78, 1-3; sklearn.metrics.brier_score_loss",
        peers=("sklearn.metrics.brier_score_loss", "scoringrules.brier_score"),
        example="""\
>>> brier_loss([0, 1, 1], [0.1, 0.8, 0.6])
0.07...
>>> brier_loss(["a", "c"], [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], labels=["a", "b", "c"])
0.34...""",
    )
    scale_by_half: Literal["auto"] | bool = "auto"

    def __post_init__(self) -> None:
        scale: object = self.scale_by_half
        if not (
            isinstance(scale, (bool, np.bool_)) or (isinstance(scale, str) and scale == "auto")
        ):
            raise InputError(
                f"scale_by_half must be 'auto', True or False; got {self.scale_by_half!r}"
            )

    def _scale(self, block: Block) -> float:
        half = block.n_classes == 2 if self.scale_by_half == "auto" else self.scale_by_half
        return 0.5 if half else 1.0

    def block_values(self, block: Block) -> FloatArray:
        scale = self._scale(block)
        return block.squared_distance if scale == 1.0 else block.squared_distance * scale

    def slope(self, block: Block) -> FloatArray:
        u = 2.0 * self._scale(block) * block.proba_by_class
        u *= block.residual_by_class
        return u

    def curvature(self, block: Block) -> FloatArray:
        return 2.0 * self._scale(block) * np.square(block.proba_by_class)


@dataclass(frozen=True)
class _NormedLoss(Loss):
    """Base of spherical scores: 1 minus ``(p_y / norm(p))^(b - 1)``, with the b-norm."""

    @property
    @abstractmethod
    def _power(self) -> float: ...

    def block_values(self, block: Block) -> FloatArray:
        b = self._power
        if b == 2.0:
            cosine = _power_of_true(block, 1.0) / np.sqrt(block.squared_norm)
            return positive_part(1.0 - cosine)  # rounding may leave -1e-16
        if b == 3.0:
            norm = block.power_sum(b) ** ((b - 1.0) / b)
            return positive_part(1.0 - _power_of_true(block, b - 1.0) / norm)
        # Relative to the largest probability, which cancels, because powers of small numbers are 0.
        p = block.proba_by_class / block.proba_by_class.max(axis=0)
        total: FloatArray = (p**b).sum(axis=0)
        value = 1.0 - block.expected(p ** (b - 1.0)) / total ** ((b - 1.0) / b)
        return positive_part(value)  # rounding may leave -1e-16

    def block_loss_gradient(self, block: Block) -> Pair:
        return self.block_values(block), self._both_derivatives(block)[0]

    def block_gradient_hessian(self, block: Block) -> Pair:
        return self._both_derivatives(block)

    def _both_derivatives(self, block: Block) -> Pair:
        # With a = sum t r^(b-1), n = sum r^b and the share s_j = r_j^b / n, the loss is 1 - a n^-c,
        # c = (b-1)/b, for any multiple r of exp(z): d/dz_j = -(b-1) n^-c (t_j r_j^(b-1) - a s_j).
        b = self._power
        hit, power, a, total = self._sums(block)
        share = power / total
        rest = sums_of_others(share)
        gap = hit * rest - share * sums_of_others(hit)
        scale = (b - 1.0) * total ** (-(b - 1.0) / b)
        curve = rest * ((b - 1.0) * hit - b * a * share) - (b - 1.0) * share * gap
        return -scale * gap, -scale * curve

    def _sums(self, block: Block) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """``t_j r_j^(b - 1)`` and ``r_j^b`` with ``r = p / max(p)``, and their sums over j."""
        b, relative = self._power, block.proba_by_class / block.proba_by_class.max(axis=0)
        hit, power = block.target_by_class * relative ** (b - 1.0), relative**b
        return hit, power, hit.sum(axis=0), power.sum(axis=0)


@register_loss
@dataclass(frozen=True)
class SphericalLoss(_NormedLoss):
    """Spherical score as a loss."""

    name: ClassVar[str] = "spherical_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Spherical score as a loss: for labels, 1 - cosine of target and prediction.",
        formula="1 - p_y / sqrt(sum_j p_j^2)",
        range="[0, 1]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        reference=_GNEITING,
        example="""\
>>> spherical_loss([0], [[0.5, 0.3, 0.2]])  # 1 - .5 / sqrt(.38)
0.1888...""",
    )

    @property
    def _power(self) -> float:
        return 2.0


@register_loss
@dataclass(frozen=True)
class PseudosphericalLoss(_NormedLoss):
    """Pseudospherical score as a loss.

    Parameters
    ----------
    beta : float
        Power of the probabilities, from 1.00001 to 1e6; 2 gives the `spherical_loss`.
    """

    name: ClassVar[str] = "pseudospherical_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Pseudospherical score as a loss, proper for every power beta above 1.",
        formula="1 - p_y^(beta - 1) / (sum_j p_j^beta)^((beta - 1) / beta)",
        range="[0, 1]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        reference=_GNEITING,
        example="""\
>>> pseudospherical_loss([1], [[0.5, 0.3, 0.2]])  # beta = 3: 1 - .09 / .16^(2/3)
0.6946...""",
    )
    beta: float = 3.0

    def __post_init__(self) -> None:
        check_number("beta", self.beta, 1.0, HIGHEST_POWER, low_open=True, apart=1e-5)

    @property
    def _power(self) -> float:
        return self.beta


@register_loss
@dataclass(frozen=True)
class PowerLoss(SeparableLoss):
    """Power score as a loss.

    Parameters
    ----------
    beta : float
        Power of the probabilities, from 1.00001 to 1e6. For labels, 2 gives the Brier score with
        ``scale_by_half=False``; near 1, the loss is near ``beta - 1`` times the cross-entropy.
    """

    name: ClassVar[str] = "power_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Power score (Tsallis score) as a loss, proper for every power beta above 1.",
        formula="1 - beta p_y^(beta - 1) + (beta - 1) sum_j p_j^beta",
        range="[0, beta]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        reference=f"{_GNEITING}; Selten, R. (1998). Axiomatic characterization of the quadratic "
        "scoring rule. Exp. Econ. 1, 43-61",
        example="""\
>>> power_loss([0], [[0.5, 0.3, 0.2]], beta=2)  # (1 - .5)^2 + .3^2 + .2^2
0.38
>>> power_loss([0], [[0.5, 0.3, 0.2]], beta=3)  # 1 - 3 .25 + 2 (.125 + .027 + .008)
0.57...""",
    )
    beta: float = 3.0

    def __post_init__(self) -> None:
        check_number("beta", self.beta, 1.0, HIGHEST_POWER, low_open=True, apart=1e-5)

    def block_values(self, block: Block) -> FloatArray:
        hit = _power_of_true(block, self.beta - 1.0)
        value: FloatArray = block.power_sum(self.beta) * (self.beta - 1.0)
        value -= self.beta * hit
        value += 1.0
        return positive_part(value)  # rounding may leave -1e-16

    def slope(self, block: Block) -> FloatArray:
        b, p = self.beta, block.proba_by_class
        return b * (b - 1.0) * block.residual_by_class * p ** (b - 1.0)

    def curvature(self, block: Block) -> FloatArray:
        b, p = self.beta, block.proba_by_class
        linear = (b - 1.0) * p - (b - 2.0) * block.target_by_class
        return b * (b - 1.0) * linear * p ** (b - 1.0)

    # It is proper for every power, so that the solution of `SeparableLoss`, whose powers can
    # overflow, is not needed.
    invertible = Loss.invertible
    true_distribution = Loss.true_distribution


def _power_of_true(block: Block, exponent: float) -> FloatArray:
    """Expectation of ``p_y^exponent`` under the target."""
    if block.index is not None:
        return block.true_proba if exponent == 1.0 else np.asarray(block.true_proba**exponent)
    return block.expected(block.proba_by_class**exponent)


@register_loss
@dataclass(frozen=True)
class BetaLoss(SeparableLoss):
    """Mixture of cost-weighted misclassification losses, weighted by a beta density.

    Parameters
    ----------
    alpha, beta : float
        Exponents, both from -0.999999 to 100: the loss is a mixture of cost-weighted
        misclassification losses with threshold ``c`` and weight
        ``c^(alpha - 1) (1 - c)^(beta - 1)``. (0, 0) gives the log loss, (1, 1) half of
        ``(p - y)^2``, and (-1/2, -1/2) twice ``sqrt((1 - p_y) / p_y)``, the loss of boosting.
        Unequal exponents weight one kind of error more. The loss is bounded if both are positive.
    """

    name: ClassVar[str] = "beta_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Beta family of proper losses for two classes, with log loss and Brier score.",
        formula="y=1: int_p^1 c^(a-1) (1-c)^b dc; y=0: int_0^p c^a (1-c)^(b-1) dc",
        range="[0, pi/2]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        binary_only=True,
        clip=True,
        reference="Buja, A., Stuetzle, W., Shen, Y. (2005). Loss functions for binary class "
        "probability estimation and classification; Merkle, E. C., Steyvers, M. (2013). "
        "Choosing a strictly proper scoring rule. Decis. Anal. 10, 292-304",
        example="""\
>>> beta_loss([1], [0.25], alpha=0, beta=0)  # -log .25
1.3862...
>>> beta_loss([1], [0.25], alpha=1, beta=1)  # .75^2 / 2
0.28125""",
    )
    alpha: float = 0.5
    beta: float = 0.5

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, -1.0, 100.0, low_open=True, apart=1e-6)
        check_number("beta", self.beta, -1.0, 100.0, low_open=True, apart=1e-6)

    def _exponents(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """``a, b`` of ``int_p^1 c^(a - 1) (1 - c)^b dc``, for each true class and its ``p``."""
        return (self.beta, self.alpha), (self.alpha, self.beta)

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            proba = of_true_class(block)
            values = np.empty(block.n_rows)
            for label, (a, b) in enumerate(self._exponents()):
                rows = block.index == label
                values[rows] = _tail(Probabilities(*(part[rows] for part in proba)), a, b)
            return values
        each = of_each_class(block)
        tails = [
            _tail(Probabilities(*(part[label] for part in each)), a, b)
            for label, (a, b) in enumerate(self._exponents())
        ]
        return block.expected(np.stack(tails))

    def slope(self, block: Block) -> FloatArray:
        each = of_each_class(block)
        a, b = np.array(self._exponents()).T[..., np.newaxis]
        miss = np.maximum(each.miss, 1e-100)
        return np.asarray(-self._weight(block, a, each.log_p) * miss**b)

    def curvature(self, block: Block) -> FloatArray:
        each = of_each_class(block)
        a, b = np.array(self._exponents()).T[..., np.newaxis]
        miss = np.maximum(each.miss, 1e-100)
        weight = self._weight(block, a, each.log_p)
        return np.asarray(weight * miss ** (b - 1.0) * ((1.0 - a) * miss + b * each.p))

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        each = of_each_class(block)
        a, b = np.array(self._exponents()).T[..., np.newaxis]
        miss = np.maximum(each.miss, 1e-100)
        weight = self._weight(block, a, each.log_p)
        return np.asarray(weight * miss ** (b - 1.0) * (b * each.p - a * miss))

    @staticmethod
    def _weight(block: Block, a: FloatArray, log_p: FloatArray) -> FloatArray:
        """``t p^a``; 0 for a class of target 0 even if the power overflows."""
        power, target = np.exp(a * np.maximum(log_p, LOWEST_LOG)), block.target_by_class
        return np.multiply(target, power, out=np.zeros_like(target), where=target > 0)

    # As for the power loss: proper for all exponents.
    invertible = Loss.invertible
    true_distribution = Loss.true_distribution


def _tail(proba: Probabilities, a: float, b: float) -> FloatArray:
    """``int_p^1 c^(a - 1) (1 - c)^b dc``, by the fastest special function for a and b."""
    p, log_p, miss = proba
    if a == 0.0 and b == 0.0:
        return 0.0 - log_p
    if a == 0.5 and b == 0.5:
        return np.asarray(np.arcsin(np.sqrt(miss)) - np.sqrt(p * miss))
    from scipy.special import beta, betainc, betaincc, digamma, hyp2f1  # not in NumPy

    if a > 0.0:  # each half by the function that keeps its digits
        near, far = betainc(b + 1.0, a, miss), betaincc(a, b + 1.0, p)
        return np.asarray(beta(b + 1.0, a) * np.where(p < 0.5, far, near))
    # Euler's integral (Abramowitz, Stegun 15.3.1).
    near = np.minimum(miss, 1.0 - 1e-4)
    value = near ** (b + 1.0) / (b + 1.0) * hyp2f1(b + 1.0, 1.0 - a, b + 2.0, near)
    # For small p, 1 - p loses digits: the integral from 0 to 1 minus the integral from 0 to p.
    small = miss > near
    p, log_p = p[small], log_p[small]
    if abs(a) < 1e-9:
        series = b * (b - 1.0) / 4.0 - p * b * (b - 1.0) * (b - 2.0) / 18.0
        value[small] = -(digamma(b + 1.0) + np.euler_gamma) - log_p - p * (p * series - b)
    else:
        value[small] = beta(a, b + 1.0) - np.exp(a * log_p) / a * hyp2f1(a, -b, a + 1.0, p)
    if b > -0.9 and (-1e-2 < a < 0.0 or (a == 0.0 and abs(b) < 1e-3)):
        # There, hyp2f1 of SciPy can be wrong for arguments near 1.
        small = proba.p < 0.05
        value[small] = _tail_of_small(proba.p[small], proba.log_p[small], a, b)
    return np.asarray(value)


def _tail_of_small(p: FloatArray, log_p: FloatArray, a: float, b: float) -> FloatArray:
    """`_tail` for p < 0.05 and a near 0, where the parts of the usual formula cancel."""
    from scipy.special import polygamma

    # int_p^1 c^(a-1) dc - int_0^1 c^(a-1) (1 - (1-c)^b) dc + int_0^p c^(a-1) (1 - (1-c)^b) dc. The
    # second is (1 - exp(a slope)) / a with a Taylor series of log Gamma, the third a power series.
    slope, factor = 0.0, 1.0
    for n in range(9):
        slope += factor * float(polygamma(n, 1.0) - polygamma(n, b + 1.0))
        factor *= a / (n + 2.0)
    rest, power = np.zeros_like(p), np.ones_like(p)
    coefficient = b
    for n in range(1, 61):
        power = power * p
        rest += coefficient / (n + a) * power
        coefficient *= (n - b) / (n + 1.0)
    if a == 0.0:
        return np.asarray(slope - log_p + rest)
    return np.asarray((np.expm1(a * slope) - np.expm1(a * log_p)) / a + np.exp(a * log_p) * rest)


@register_loss
@dataclass(frozen=True)
class ZeroOneLoss(Loss):
    """Proportion of rows whose most probable class is not the true class."""

    name: ClassVar[str] = "zero_one_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Misclassification rate of the most probable class (the first class in a tie).",
        formula="1 - t_m, m = argmax_j p_j",
        range="[0, 1]",
        properness="proper",
        response="either",
        targets="soft",
        gradient="none",
        reference="sklearn.metrics.zero_one_loss",
        peers=("sklearn.metrics.zero_one_loss",),
        example="""\
>>> zero_one_loss([0, 1, 1], [0.1, 0.8, 0.4])
0.3333...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            return block.misclassified.astype(np.float64)
        return 1.0 - block.target_by_class[block.predicted, block.rows]
