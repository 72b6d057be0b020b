"""Losses that are robust to wrong labels."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.block import Block
from xentexp._numerics import (
    LOWEST_LOG,
    FloatArray,
    positive_part,
    scores_by_class,
    sums_of_others,
    tempered_log,
    tempered_log_softmax,
)
from xentexp.errors import InputError
from xentexp.losses._base import LARGEST, SMALLEST, Loss, Pair, Properties, check_number
from xentexp.losses._differentiable import Probabilities, SeparableLoss, TrueClassLoss
from xentexp.losses._registry import register_loss


@register_loss
@dataclass(frozen=True)
class GeneralizedCrossentropy(TrueClassLoss):
    """Generalized cross-entropy: a Box-Cox transform of the probability of the true class.

    Parameters
    ----------
    q : float
        Exponent in (0, 1]: near 0 the loss is near the cross-entropy; 1 gives ``1 - p_y``, which
        is half of the absolute error and more robust to wrong labels.
    """

    name: ClassVar[str] = "generalized_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Generalized cross-entropy, between cross-entropy and absolute error.",
        formula="(1 - p_y^q) / q",
        range="[0, 1/q]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        reference="Zhang, Z., Sabuncu, M. (2018). Generalized cross entropy loss for training "
        "deep neural networks with noisy labels. NeurIPS",
        peers=("keras.losses.CategoricalGeneralizedCrossEntropy",),
        example="""\
>>> generalized_crossentropy([0], [[0.25, 0.75]], q=0.5)
1.0
>>> generalized_crossentropy([0], [[0.25, 0.75]], q=1)
0.75""",
    )
    q: float = 0.7

    def __post_init__(self) -> None:
        check_number("q", self.q, 0.0, 1.0, low_open=True)

    def block_values(self, block: Block) -> FloatArray:
        if block.index is None:
            return block.expected(self._of_log(block.unclipped_log_by_class))
        return self._of_log(block.unclipped_true_log)

    def value(self, proba: Probabilities) -> FloatArray:
        return self._of_log(_log(proba))

    def _of_log(self, log_p: FloatArray) -> FloatArray:
        q = max(self.q, SMALLEST)
        value = np.expm1(q * log_p)
        value /= -q
        return np.add(value, 0.0, out=value)  # no -0.0

    def slope_of(self, proba: Probabilities) -> FloatArray:
        return -np.exp(self.q * _log(proba))

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        return (self.q - 1.0) * self.slope_of(proba)

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        return self.q * self.slope_of(proba)


def _log(proba: Probabilities) -> FloatArray:
    """Logarithm without clipping, because powers of 0 are finite."""
    with np.errstate(divide="ignore"):
        log_p = np.log(proba.p)
    # A probability from raw scores can be 0 by underflow, but its logarithm is known.
    return np.where((proba.p == 0.0) & (proba.log_p < -700.0), proba.log_p, log_p)


@register_loss
@dataclass(frozen=True)
class SymmetricCrossentropy(SeparableLoss):
    """Weighted sum of the cross-entropy and the reverse cross-entropy.

    Parameters
    ----------
    alpha, beta : float
        Weights, from 0 to 1e100, of the cross-entropy (alpha) and of the reverse cross-entropy
        (beta).
    log_zero : float
        Lower limit of the logarithm of a target, at most 0; it replaces ``log 0``. Lower values
        give more weight to the reverse cross-entropy.
    """

    name: ClassVar[str] = "symmetric_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Symmetric cross-entropy: cross-entropy plus reverse cross-entropy.",
        formula="-alpha sum_j t_j log p_j - beta sum_j p_j max(log t_j, log_zero)",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="soft",
        smoothing=True,
        clip=True,
        reference="Wang, Y. et al. (2019). Symmetric cross entropy for robust learning with "
        "noisy labels. ICCV (alpha .1, beta 1, A = -4 for CIFAR-10)",
        example="""\
>>> symmetric_crossentropy([0], [[0.5, 0.3, 0.2]])  # .1 log 2 + 4 (.5)
2.0693...""",
    )
    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0, LARGEST)
        check_number("beta", self.beta, 0.0, LARGEST)
        check_number("log_zero", self.log_zero, -np.inf, 0.0)

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            reverse = -self.log_zero * block.true_miss
        else:
            reverse = -(block.proba_by_class * self._log_target(block)).sum(axis=0)
        if self.alpha == 0.0:
            return np.asarray(self.beta * reverse)  # the cross-entropy may be infinite
        return self.alpha * block.cross_entropy + self.beta * reverse

    def slope(self, block: Block) -> FloatArray:
        linear = block.proba_by_class * self._log_target(block)
        return -self.alpha * block.target_by_class - self.beta * linear

    def curvature(self, block: Block) -> FloatArray:
        return self.alpha * block.target_by_class

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        return -self.beta * block.proba_by_class * self._log_target(block)

    def _log_target(self, block: Block) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(block.target_by_class), self.log_zero)


@register_loss
@dataclass(frozen=True)
class TaylorCrossentropy(TrueClassLoss):
    """First terms of the Taylor series of the cross-entropy in ``1 - p``.

    Parameters
    ----------
    order : int
        Number of terms, from 1 to 1000: 1 gives ``1 - p_y``, half of the absolute error; with more
        terms the loss approaches the cross-entropy.
    """

    name: ClassVar[str] = "taylor_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Taylor cross-entropy: first terms of the Taylor series of the cross-entropy.",
        formula="sum_{m=1}^{order} (1 - p_y)^m / m",
        range="[0, sum_m 1/m]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        reference="Feng, L. et al. (2020). Can cross entropy loss be robust to label noise? IJCAI",
        example="""\
>>> taylor_crossentropy([0], [[0.5, 0.3, 0.2]])  # .5 + .5^2 / 2
0.625""",
    )
    order: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.order, Integral) or isinstance(self.order, bool):
            raise InputError(f"order must be an integer; got {self.order!r}")
        check_number("order", self.order, 1, 1000)

    def value(self, proba: Probabilities) -> FloatArray:
        total = proba.miss / self.order
        for m in range(self.order - 1, 0, -1):  # Horner
            total = (total + 1.0 / m) * proba.miss
        return total

    def slope_of(self, proba: Probabilities) -> FloatArray:
        first = np.zeros_like(proba.miss)
        for _ in range(self.order):
            first = first * proba.miss + 1.0
        return -proba.p * first

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        first, second = np.zeros_like(proba.miss), np.zeros_like(proba.miss)
        for _ in range(self.order):
            second = second * proba.miss + first
            first = first * proba.miss + 1.0
        return np.square(proba.p) * second


@register_loss
@dataclass(frozen=True)
class LabelRelaxation(TrueClassLoss):
    """Divergence from the nearest distribution with at least ``1 - alpha`` for the true class.

    Parameters
    ----------
    alpha : float
        The loss is 0 if the other classes have a total probability of at most `alpha`, in
        (0, 0.5]. Larger values tolerate more wrong labels.
    """

    name: ClassVar[str] = "label_relaxation"
    properties: ClassVar[Properties] = Properties(
        summary="Label relaxation: 0 if the true class has a probability of at least 1 - alpha.",
        formula="(1 - alpha) log((1 - alpha) / p_y) + alpha log(alpha / (1 - p_y)), "
        "0 if p_y >= 1 - alpha",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="one-hot",
        clip=True,
        convex=True,
        reference="Lienen, J., Huellermeier, E. (2021). From label smoothing to label "
        "relaxation. AAAI",
        example="""\
>>> label_relaxation([0, 0], [[0.5, 0.5], [0.95, 0.05]], reduction="none")
array([0.3680..., 0.        ])""",
    )
    alpha: float = 0.1

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0, 0.5, low_open=True)

    def value(self, proba: Probabilities) -> FloatArray:
        a = max(self.alpha, SMALLEST)
        # Both terms are 0 if the other classes have at most the probability a.
        log_p, miss = np.minimum(proba.log_p, np.log1p(-a)), np.maximum(proba.miss, a)
        value: FloatArray = (1.0 - a) * (np.log1p(-a) - log_p) + a * np.log(a / miss)
        return value

    def slope_of(self, proba: Probabilities) -> FloatArray:
        a, (short, odds) = max(self.alpha, SMALLEST), self._odds(proba)
        return np.where(short, a * odds - (1.0 - a), 0.0)

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        a, (short, odds) = max(self.alpha, SMALLEST), self._odds(proba)
        return np.where(short, a * odds * odds + (1.0 - a), 0.0)

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        a, (short, odds) = max(self.alpha, SMALLEST), self._odds(proba)
        return np.where(short, a * odds * (odds + 1.0), 0.0)

    def _odds(self, proba: Probabilities) -> tuple[NDArray[np.bool_], FloatArray]:
        """Whether the loss is above 0, and ``p / (1 - p)`` if it is."""
        short = proba.miss > max(self.alpha, SMALLEST)
        return short, proba.p / np.where(short, proba.miss, 1.0)


@register_loss
@dataclass(frozen=True)
class BiTemperedLogisticLoss(Loss):
    """Bregman divergence with a tempered logarithm and a tempered softmax.

    Parameters
    ----------
    t1 : float
        Temperature of the logarithm, in [0, 1]. Below 1 the loss is bounded by ``1 / (1 - t1)``
        and probabilities are not clipped.
    t2 : float
        Temperature of the softmax, in [1, 10], for raw scores. Above 1 the softmax has a heavy
        tail. ``t1 = t2 = 1`` gives the cross-entropy.
    """

    name: ClassVar[str] = "bi_tempered_logistic_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Bi-tempered logistic loss: bounded, with a heavy-tailed softmax of raw scores.",
        formula="sum_j t_j (log_t1 t_j - log_t1 p_j) - (t_j^(2-t1) - p_j^(2-t1)) / (2 - t1)",
        range="[0, 1/(1 - t1)]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        clip=True,
        link="tempered softmax",
        reference="Amid, E. et al. (2019). Robust bi-tempered logistic loss based on Bregman "
        "divergences. NeurIPS",
        example="""\
>>> bi_tempered_logistic_loss([0], [[0.5, 0.3, 0.2]])  # 5 (1 - .5^.2) - (1 - .816) / 1.2
0.4939...""",
    )
    t1: float = 0.8
    t2: float = 1.2

    def __post_init__(self) -> None:
        check_number("t1", self.t1, 0.0, 1.0)
        check_number("t2", self.t2, 1.0, 10.0)

    def _log_proba(self, block: Block) -> FloatArray:
        if block.logits is None:
            if self.t1 == 1.0:
                return block.log_proba_by_class
            return block.unclipped_log_by_class  # the tempered logarithm of 0 is finite
        return tempered_log_softmax(scores_by_class(block.logits), self.t2)

    def block_values(self, block: Block) -> FloatArray:
        return self._values(block, self._log_proba(block))

    def _values(self, block: Block, log_p: FloatArray) -> FloatArray:
        power = 2.0 - self.t1
        if block.logits is None:
            power_sum = block.power_sum(power)
        else:
            power_sum = np.exp(power * log_p).sum(axis=0)
        if block.index is not None:
            value = (power_sum - 1.0) / power
            value -= tempered_log(block.of_true(log_p), self.t1)
        else:
            gap = tempered_log(block.log_target_by_class, self.t1)
            # t^(1 - t1) is 1 + (1 - t1) log_t1 t.
            target_sum = block.target_by_class.sum(axis=0) + (1.0 - self.t1) * block.expected(gap)
            gap -= tempered_log(log_p, self.t1)
            value = block.expected(gap)
            value -= (target_sum - power_sum) / power
        return positive_part(value)  # rounding may leave -1e-17

    def probabilities(self, scores: FloatArray, n_classes: int) -> FloatArray:
        return np.exp(tempered_log_softmax(scores, self.t2))

    def block_loss_gradient(self, block: Block) -> Pair:
        log_p = self._log_proba(block)
        _, escort, slope = self._slope(log_p, block.target_by_class)
        share = escort / escort.sum(axis=0)
        gradient = slope * sums_of_others(share) - share * sums_of_others(slope)
        return self._values(block, log_p), gradient

    def _slope(self, log_p: FloatArray, target: FloatArray) -> tuple[FloatArray, ...]:
        """``p - t``, ``p^t2``, and ``dl/dp p^t2`` with ``dl/dp = (p - t) p^-t1``."""
        p = np.exp(log_p)
        gap = np.where(target == 1.0, -sums_of_others(p), p - target)
        log_p = np.maximum(log_p, LOWEST_LOG)
        return gap, np.exp(self.t2 * log_p), gap * np.exp((self.t2 - self.t1) * log_p)

    def block_gradient_hessian(self, block: Block) -> Pair:
        t1, t2 = self.t1, self.t2
        log_p, target = self._log_proba(block), block.target_by_class

        def power(exponent: float) -> FloatArray:
            return np.exp(exponent * np.maximum(log_p, LOWEST_LOG))

        # With p_i = exp_t2(z_i - c): dp_i/dz_j = p_i^t2 (1[i=j] - e_j), e = p^t2 / sum p^t2.
        gap, escort, slope = self._slope(log_p, target)
        total = escort.sum(axis=0)
        share = escort / total
        others = sums_of_others(share)
        bend = t2 * power(2.0 * t2 - 1.0)
        drift = (bend * others**2 + share**2 * sums_of_others(bend)) / total  # d2c/dz_j2
        # curve = p^t2 d/dp (dl/dp p^t2), where d2l/dp2 = (p + t1 (t - p)) p^(-t1 - 1).
        curve = (target + (1.0 + t2 - t1) * gap) * power(2.0 * t2 - t1 - 1.0)
        gradient = slope * others - share * sums_of_others(slope)
        hessian = curve * others**2 + share**2 * sums_of_others(curve) - drift * slope.sum(axis=0)
        return gradient, hessian
