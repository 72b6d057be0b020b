"""Entropy, and divergences between two distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import (
    LOWEST_LOG,
    FloatArray,
    log_softmax,
    positive_part,
    sums_of_others,
)
from xentexp.errors import InputError
from xentexp.losses._base import (
    HIGHEST_POWER,
    Loss,
    Pair,
    Properties,
    check_number,
)
from xentexp.losses._differentiable import Probabilities, SeparableLoss, TrueClassLoss
from xentexp.losses._inverse import narrowed, on_simplex, smoothed_ends
from xentexp.losses._registry import register_loss

_GOOD = "Good, I. J. (1952). Rational decisions. J. R. Stat. Soc. B 14, 107-114"
_SHANNON = "Shannon, C. E. (1948). A mathematical theory of communication. Bell Syst. Tech. J. 27"


@register_loss
@dataclass(frozen=True)
class Entropy(SeparableLoss):
    """Entropy of the predicted distribution."""

    name: ClassVar[str] = "entropy"
    properties: ClassVar[Properties] = Properties(
        summary="Entropy of a distribution; for calibrated predictions, their expected log loss.",
        formula="-sum_j p_j log p_j",
        range="[0, log k]",
        properness="-",
        response="predict_proba",
        direction="none",
        targets="none",
        distributions=True,
        reference=_SHANNON,
        peers=("scipy.stats.entropy",),
        example="""\
>>> entropy([0.5, 0.5])
0.6931...
>>> entropy([[1 / 6] * 6, [1, 0, 0, 0, 0, 0]], reduction="none")
array([1.7917..., 0.        ])""",
    )

    def block_values(self, block: Block) -> FloatArray:
        return block.entropy

    def slope(self, block: Block) -> FloatArray:
        return -block.proba_by_class * (np.maximum(block.log_proba_by_class, LOWEST_LOG) + 1.0)

    def curvature(self, block: Block) -> FloatArray:
        return -block.proba_by_class


@register_loss
@dataclass(frozen=True)
class CrossEntropy(TrueClassLoss):
    """Cross-entropy of two distributions, with a constant inside the logarithm.

    Parameters
    ----------
    delta : float
        Number, at least 0, that is added to ``q`` inside the logarithm to avoid ``log 0``. With
        the default 0, the value is infinite if ``q`` is 0 where ``p`` is not.
    """

    name: ClassVar[str] = "cross_entropy"
    properties: ClassVar[Properties] = Properties(
        summary="Cross-entropy of the second distribution relative to the first.",
        formula="-sum_j p_j log(q_j + delta)",
        range="[0, inf]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        distributions=True,
        convex=True,
        reference=f"{_SHANNON}; {_GOOD}",
        example="""\
>>> cross_entropy([0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], delta=1e-10)
0.6931471803599453""",
    )
    delta: float = 0.0

    def __post_init__(self) -> None:
        check_number("delta", self.delta, 0.0, np.inf)

    def block_values(self, block: Block) -> FloatArray:
        return block.cross_entropy if self.delta == 0.0 else super().block_values(block)

    def value(self, proba: Probabilities) -> FloatArray:
        return 0.0 - np.log(proba.p + self.delta)

    def slope_of(self, proba: Probabilities) -> FloatArray:
        if self.delta == 0.0:
            return np.full_like(proba.p, -1.0)
        return -proba.p / (proba.p + self.delta)

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        return np.square(self.slope_of(proba))

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        if self.delta == 0.0:
            return np.zeros_like(proba.p)
        return self.delta * self.slope_of(proba) / (proba.p + self.delta)


@register_loss
@dataclass(frozen=True)
class KLDivergence(Loss):
    """Kullback-Leibler divergence: cross-entropy minus the entropy of the target."""

    name: ClassVar[str] = "kl_divergence"
    properties: ClassVar[Properties] = Properties(
        summary="Kullback-Leibler divergence KL(p || q): cross-entropy minus the entropy of p.",
        formula="sum_j p_j log(p_j / q_j)",
        range="[0, inf]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        distributions=True,
        convex=True,
        reference="Kullback, S., Leibler, R. A. (1951). On information and sufficiency. "
        "Ann. Math. Stat. 22, 79-86; scipy.special.rel_entr",
        peers=(
            "keras.losses.KLDivergence",
            "torch.nn.KLDivLoss",
            "scipy.special.rel_entr",
            "optax.losses.kl_divergence",
        ),
        example="""\
>>> kl_divergence([0.5, 0.5], [0.9, 0.1])
0.5108...
>>> kl_divergence([0.5, 0.5], [1.0, 0.0])
inf""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            return block.cross_entropy  # the entropy of a label is 0
        return block.expected(block.log_target_by_class - block.log_proba_by_class)

    def block_loss_gradient(self, block: Block) -> Pair:
        return self.block_values(block), block.residual_by_class

    def block_gradient_hessian(self, block: Block) -> Pair:
        return block.residual_by_class, block.proba_by_class * block.miss_by_class


@register_loss
@dataclass(frozen=True)
class ReverseKLDivergence(SeparableLoss):
    """Kullback-Leibler divergence with prediction and target exchanged."""

    name: ClassVar[str] = "reverse_kl_divergence"
    properties: ClassVar[Properties] = Properties(
        summary="Reverse Kullback-Leibler divergence KL(q || p).",
        formula="sum_j q_j log(q_j / p_j)",
        range="[0, inf]",
        properness="-",
        response="predict_proba",
        targets="positive",
        distributions=True,
        reference="Kullback, S., Leibler, R. A. (1951). On information and sufficiency. "
        "Ann. Math. Stat. 22, 79-86",
        example="""\
>>> reverse_kl_divergence([0.9, 0.1], [0.5, 0.5])
0.5108...
>>> reverse_kl_divergence([1.0, 0.0], [0.5, 0.5])
inf""",
    )

    def block_values(self, block: Block) -> FloatArray:
        p, target = block.proba_by_class, block.target_by_class
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = p * (block.log_proba_by_class - np.log(target))
        value: FloatArray = np.where(p > 0, terms, 0.0).sum(axis=0)
        return np.maximum(value, 0.0)  # rounding may leave -1e-17

    def slope(self, block: Block) -> FloatArray:
        p, log_p = block.proba_by_class, np.maximum(block.log_proba_by_class, LOWEST_LOG)
        with np.errstate(divide="ignore"):
            log_ratio = log_p - np.log(block.target_by_class)
        return np.multiply(p, log_ratio + 1.0, out=np.zeros_like(p), where=p > 0)

    def curvature(self, block: Block) -> FloatArray:
        return block.proba_by_class


@register_loss
@dataclass(frozen=True)
class JensenShannonDivergence(SeparableLoss):
    """Mean of the Kullback-Leibler divergences of both distributions from their mean."""

    name: ClassVar[str] = "jensen_shannon_divergence"
    properties: ClassVar[Properties] = Properties(
        summary="Jensen-Shannon divergence: symmetric, bounded divergence of two distributions.",
        formula="1/2 sum_j p_j log(p_j / m_j) + q_j log(q_j / m_j), m = (p + q) / 2",
        range="[0, log 2]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        distributions=True,
        reference="Lin, J. (1991). Divergence measures based on the Shannon entropy. IEEE "
        "Trans. Inf. Theory 37, 145-151; scipy.spatial.distance.jensenshannon, squared",
        peers=("scipy.spatial.distance.jensenshannon",),
        example="""\
>>> jensen_shannon_divergence([0.5, 0.5], [0.9, 0.1])
0.1017...
>>> jensen_shannon_divergence([1.0, 0.0], [0.0, 1.0])
0.6931...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            # With log m = log((1 + p_y) / 2); m = p / 2 for the wrong classes.
            log_middle = np.log1p(-0.5 * block.true_miss)
            log_p = np.maximum(block.unclipped_true_log, LOWEST_LOG)
            value = np.log(2.0) * block.wrong_sum - log_middle
            value += block.true_proba * (log_p - log_middle)
            return positive_part(0.5 * value)  # rounding may leave -1e-17
        p, t = block.proba_by_class, block.target_by_class
        both = p + t
        terms = _to_middle(p, both) + _to_middle(t, both)
        return np.asarray(np.maximum(0.5 * terms.sum(axis=0), 0.0))  # rounding may leave -1e-17

    def slope(self, block: Block) -> FloatArray:
        p = block.proba_by_class
        both = p + block.target_by_class
        # 2 p / both = 1 + (p - t) / both
        excess = block.residual_by_class / np.where(both > 0, both, 1.0)
        near = np.log1p(np.maximum(excess, -0.5))
        return 0.5 * np.where(excess > -0.5, p * near, _to_middle(p, both))

    def curvature(self, block: Block) -> FloatArray:
        p, t = block.proba_by_class, block.target_by_class
        both = p + t
        return 0.5 * p * t / np.where(both > 0, both, 1.0)


def _to_middle(p: FloatArray, both: FloatArray) -> FloatArray:
    """``p log(2 p / both)``, 0 if ``p`` is 0."""
    # Not p / (both / 2): half of the smallest positive float is 0.
    ratio = np.divide(p, both, out=np.ones_like(p), where=p > 0)
    return p * np.log(2.0 * ratio)


@dataclass(frozen=True)
class _PowerDivergence(Loss):
    """Base of divergences that are a function of ``S = sum_j p_j^alpha q_j^(1 - alpha)``."""

    highest: ClassVar[float] = HIGHEST_POWER  # largest order
    alpha: float = 0.5

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0, self.highest, low_open=True, apart=1e-6)
        if abs(self.alpha - 1.0) < 1e-6:
            raise InputError(f"alpha must not be 1; got {self.alpha!r}; use kl_divergence for 1")

    def _log_terms(self, block: Block) -> FloatArray:
        log_p, target = block.log_proba_by_class, block.target_by_class
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = self.alpha * np.log(target) + (1.0 - self.alpha) * log_p
        # A class of target 0 adds 0 even if its probability is 0, too.
        return np.where(target > 0, terms, -np.inf)

    def _log_sum(self, block: Block) -> tuple[FloatArray, FloatArray]:
        """``log S``, and the proportion of each class in ``S``, (k, n)."""
        terms = self._log_terms(block)
        top = terms.max(axis=0)
        infinite = np.isinf(top)
        if infinite.any():  # classes of probability 0: only their targets are compared
            target = block.target_by_class
            counted = infinite & (terms == top) & (target > 0)
            by_target = self.alpha * np.log(np.where(counted, target, 1.0))
            terms = np.where(infinite, np.where(counted, by_target, -np.inf), terms)
        share = np.exp(terms - terms.max(axis=0))
        total = share.sum(axis=0)
        return top + np.log(total), share / total

    def _gap(self, block: Block, share: FloatArray) -> FloatArray:
        """``p - share``, without cancellation near 1 and for a label, whose share is 1."""
        if block.index is not None:
            return block.residual_by_class
        p = block.proba_by_class
        return np.where(p > 0.5, sums_of_others(share) - block.miss_by_class, p - share)

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        return label_smoothing < 1.0  # both divergences are convex in the prediction

    def _share_per_sum(
        self, scores: FloatArray, label_smoothing: float
    ) -> tuple[FloatArray, FloatArray]:
        """``t_j`` and ``t_j / S_j``, each up to a factor, where ``S_j`` is ``S`` for label j."""
        log_p = log_softmax(narrowed(scores))[0]
        high, low = (end**self.alpha for end in smoothed_ends(label_smoothing, len(scores)))
        # At the minimum sum_i t_i s_ij = p_j, with the share s_ij of class j in S_i. This gives
        # p_j^alpha = low sum_i w_i + (high - low) w_j, w_i = t_i / S_i, up to a factor.
        escort = np.exp(self.alpha * (log_p - log_p.max(axis=0)))
        w = on_simplex(escort - low * escort.sum(axis=0) / (high + (len(scores) - 1) * low))
        terms = (1.0 - self.alpha) * log_p
        terms = np.exp(terms - terms.max(axis=0))
        return w * ((high - low) * terms + low * terms.sum(axis=0)), w


@register_loss
@dataclass(frozen=True)
class RenyiDivergence(_PowerDivergence):
    """Renyi's divergence of order alpha.

    Parameters
    ----------
    alpha : float
        Order, from 1e-6 to 1e6 and not 1; for alpha near 1 it is near the `kl_divergence`.
    """

    name: ClassVar[str] = "renyi_divergence"
    properties: ClassVar[Properties] = Properties(
        summary="Renyi divergence of order alpha between two distributions.",
        formula="log(sum_j p_j^alpha q_j^(1 - alpha)) / (alpha - 1)",
        range="[0, inf]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        distributions=True,
        reference="van Erven, T., Harremoes, P. (2014). Renyi divergence and Kullback-Leibler "
        "divergence. IEEE Trans. Inf. Theory 60, 3797-3820",
        example="""\
>>> renyi_divergence([0.5, 0.5], [0.9, 0.1])  # alpha = 1/2: -2 log(sqrt .45 + sqrt .05)
0.2231...
>>> renyi_divergence([0.5, 0.5], [0.9, 0.1], alpha=2)
1.0216...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            return block.cross_entropy  # for a label, every alpha gives the same
        return self._of_log_sum(self._log_sum(block)[0])

    def _of_log_sum(self, log_sum: FloatArray) -> FloatArray:
        return np.maximum(log_sum / (self.alpha - 1.0), 0.0)  # rounding may leave -1e-17

    def block_loss_gradient(self, block: Block) -> Pair:
        if block.index is not None:
            return block.cross_entropy, block.residual_by_class
        log_sum, share = self._log_sum(block)
        return self._of_log_sum(log_sum), self._gap(block, share)

    def block_gradient_hessian(self, block: Block) -> Pair:
        share = self._log_sum(block)[1]
        curve = block.proba_by_class * block.miss_by_class
        return self._gap(block, share), curve + (self.alpha - 1.0) * share * sums_of_others(share)

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        if label_smoothing == 0.0:
            return self.probabilities(scores, n_classes)  # for labels it is the cross-entropy
        return on_simplex(self._share_per_sum(scores, label_smoothing)[0])


@register_loss
@dataclass(frozen=True)
class AlphaDivergence(_PowerDivergence):
    """Alpha divergence (Cressie-Read power divergence).

    Parameters
    ----------
    alpha : float
        Order, from 1e-6 to 100 and not 1; for alpha near 1 it is near the `kl_divergence`. 1/2
        gives four times the squared Hellinger distance ``1 - sum sqrt(p q)``, 2 half of the
        chi-squared divergence. The maximum is ``1 / (alpha (1 - alpha))`` below 1 and infinite
        above 1.
    """

    highest: ClassVar[float] = 100.0
    name: ClassVar[str] = "alpha_divergence"
    properties: ClassVar[Properties] = Properties(
        summary="Alpha divergence (Cressie-Read power divergence) between two distributions.",
        formula="(sum_j p_j^alpha q_j^(1 - alpha) - 1) / (alpha (alpha - 1))",
        range="[0, 4]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        distributions=True,
        reference="Cressie, N., Read, T. R. C. (1984). Multinomial goodness-of-fit tests. "
        "J. R. Stat. Soc. B 46, 440-464; Cichocki, A., Amari, S. (2010). Families of alpha- "
        "beta- and gamma-divergences. Entropy 12, 1532-1568",
        example="""\
>>> alpha_divergence([0.5, 0.5], [0.9, 0.1])  # 4 (1 - sqrt .45 - sqrt .05)
0.4222...
>>> alpha_divergence([0.5, 0.5], [0.9, 0.1], alpha=2)  # (.25 / .9 + .25 / .1 - 1) / 2
0.8888...""",
    )

    def block_values(self, block: Block) -> FloatArray:
        scale = self.alpha * (self.alpha - 1.0)
        if block.index is not None:
            return np.asarray(np.expm1((self.alpha - 1.0) * block.cross_entropy) / scale)
        with np.errstate(over="ignore"):  # the value is infinite
            total = np.exp(self._log_terms(block)).sum(axis=0)
        return np.asarray(np.maximum((total - 1.0) / scale, 0.0))  # rounding may leave -1e-17

    def block_loss_gradient(self, block: Block) -> Pair:
        log_total, share = self._log_sum(block)
        return self.block_values(block), self._scaled(self._gap(block, share), log_total)

    def block_gradient_hessian(self, block: Block) -> Pair:
        p, miss = block.proba_by_class, block.miss_by_class
        log_total, share = self._log_sum(block)
        others = sums_of_others(share)
        curve = p * miss + (self.alpha - 1.0) * (share * miss**2 + p**2 * others)
        return self._scaled(self._gap(block, share), log_total), self._scaled(curve, log_total)

    def _scaled(self, slope: FloatArray, log_total: FloatArray) -> FloatArray:
        """``S slope / alpha``; 0 if the slope is 0, even if ``S`` is infinite."""
        with np.errstate(over="ignore"):
            scale = np.broadcast_to(np.exp(log_total) / self.alpha, slope.shape)
        return np.multiply(scale, slope, out=np.zeros_like(slope), where=slope != 0.0)

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        return self._share_per_sum(scores, label_smoothing)[1]
