"""Losses for ordered classes, such as delinquency grades and ratings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from xentexp._inputs.asarray import to_floats
from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray, running_sums, sigmoid, softplus
from xentexp.errors import InputError
from xentexp.losses._base import LARGEST, Loss, Pair, Properties, check_number
from xentexp.losses._registry import register_loss


@dataclass(frozen=True)
class CumulativeLoss(Loss):
    """Base of losses that are a sum over the thresholds between ordered classes."""

    # Each term is a function of F_m = P(class <= m) of the prediction and of the target. A subclass
    # defines the terms and their derivatives in the predicted F_m, arrays of shape (k - 1, n).

    def block_values(self, block: Block) -> FloatArray:
        total: FloatArray = self.terms(*block.cumulative).sum(axis=0)
        total *= self.scale(block)
        return total

    def scale(self, block: Block) -> float:
        """Factor by which the sum over the thresholds is multiplied."""
        return 1.0

    @abstractmethod
    def terms(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        """Value at each threshold, from the two arrays of F_m."""

    @abstractmethod
    def slope(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        """First derivative of `terms` in the predicted F_m."""

    @abstractmethod
    def curvature(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        """Second derivative of `terms` in the predicted F_m."""

    def block_loss_gradient(self, block: Block) -> Pair:
        return self.block_values(block), self._gradient(block)

    def block_gradient_hessian(self, block: Block) -> Pair:
        # d2F_m/dz_j2 = (1 - 2 p_j) dF_m/dz_j.
        p, gradient = block.proba_by_class, self._gradient(block)
        below, above = block.cumulative[0], above_thresholds(block)
        second = self.scale(block) * self.curvature(*block.cumulative)
        curve = _from(second * above**2) + _until(second * below**2)
        return gradient, p * p * curve + (1.0 - 2.0 * p) * gradient

    def _gradient(self, block: Block) -> FloatArray:
        # dF_m/dz_j = p_j (1[j <= m] - F_m), which is p_j (1 - F_m) or -p_j F_m.
        first = self.scale(block) * self.block_slope(block)
        gradient = _from(first * above_thresholds(block)) - _until(first * block.cumulative[0])
        return gradient * block.proba_by_class

    def block_slope(self, block: Block) -> FloatArray:
        """`slope` of a block."""
        return self.slope(*block.cumulative)


def _from(terms: FloatArray) -> FloatArray:
    """``sum_{m >= j} terms_m`` for each class j, (k - 1, n) -> (k, n)."""
    total = np.zeros((len(terms) + 1, terms.shape[1]))
    np.cumsum(terms[::-1], axis=0, out=total[-2::-1])
    return total


def _until(terms: FloatArray) -> FloatArray:
    """``sum_{m < j} terms_m`` for each class j, (k - 1, n) -> (k, n)."""
    total = np.zeros((len(terms) + 1, terms.shape[1]))
    np.cumsum(terms, axis=0, out=total[1:])
    return total


def above_thresholds(block: Block) -> FloatArray:
    """``1 - F_m`` of the prediction, (k - 1, n), without cancellation."""
    return running_sums(block.proba_by_class[:0:-1])[::-1]


@register_loss
@dataclass(frozen=True)
class RankedProbabilityScore(CumulativeLoss):
    """Sum of the Brier scores of the thresholds."""

    name: ClassVar[str] = "ranked_probability_score"
    properties: ClassVar[Properties] = Properties(
        summary="Ranked probability score: squared distance of cumulative distributions.",
        formula="sum_{m<k} (F_m - T_m)^2, F_m = P(class <= m), T_m of the target",
        range="[0, k - 1]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        ordered=True,
        symmetric=False,
        reference="Epstein, E. S. (1969). A scoring system for probability forecasts of ranked "
        "categories. J. Appl. Meteorol. 8, 985-987; scoringrules rps_score",
        peers=("scoringrules.rps_score",),
        example="""\
>>> ranked_probability_score([0, 0], [[0, 1, 0], [0, 0, 1]], reduction="none")
array([1., 2.])""",
    )

    def block_values(self, block: Block) -> FloatArray:
        return block.ranked_score * self.scale(block)

    def terms(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return np.square(predicted - target)

    def slope(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return 2.0 * (predicted - target)

    def block_slope(self, block: Block) -> FloatArray:
        predicted, target = block.cumulative
        return np.where(
            target == 1.0, -2.0 * above_thresholds(block), self.slope(predicted, target)
        )

    def curvature(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return np.full_like(predicted, 2.0)


@register_loss
@dataclass(frozen=True)
class SquaredEarthMoverDistance(RankedProbabilityScore):
    """Ranked probability score divided by the number of classes."""

    name: ClassVar[str] = "squared_earth_mover_distance"
    properties: ClassVar[Properties] = Properties(
        summary="Squared earth mover's distance: ranked probability score divided by k.",
        formula="1/k sum_{m<k} (F_m - T_m)^2, F_m = P(class <= m), T_m of the target",
        range="[0, (k - 1)/k]",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        ordered=True,
        symmetric=False,
        reference="Hou, L., Yu, C.-P., Samaras, D. (2016). Squared earth mover's distance-based "
        "loss for training deep neural networks. arXiv 1611.05916",
        example="""\
>>> squared_earth_mover_distance([0, 0], [[0, 1, 0, 0], [0, 0, 1, 0]], reduction="none")
array([0.25, 0.5 ])""",
    )

    def scale(self, block: Block) -> float:
        return 1.0 / block.n_classes


_MASKED = -1e9
"""Logarithm of the probability of a masked class, low enough for `exp` to be 0."""


@register_loss
@dataclass(frozen=True)
class CumulativeLogLoss(Loss):
    """Sum of the log losses of the thresholds."""

    name: ClassVar[str] = "cumulative_log_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Cumulative log loss: log losses of the events class <= m (ranked ignorance).",
        formula="-sum_{m<k} T_m log F_m + (1 - T_m) log(1 - F_m), F_m = P(class <= m), "
        "T_m of the target",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        ordered=True,
        symmetric=False,
        smoothing=True,
        clip=True,
        reference="Toedter, J., Ahrens, B. (2012). Generalization of the ignorance score: "
        "continuous ranked version and its decomposition. Mon. Weather Rev. 140, 2005-2017; "
        "Rennie, J. D. M., Srebro, N. (2005). Loss functions for preference levels (all-"
        "threshold)",
        example="""\
>>> cumulative_log_loss([0], [[0.5, 0.3, 0.2]])  # -log .5 - log .8
0.9162...""",
    )

    @staticmethod
    def _accumulated(log_p: FloatArray) -> Pair:
        below = np.logaddexp.accumulate(log_p, axis=0)[:-1]
        above = np.logaddexp.accumulate(log_p[::-1], axis=0)[-2::-1]
        return np.minimum(below, 0.0), np.minimum(above, 0.0)  # rounding may exceed 0

    def _logs(self, block: Block) -> Pair:
        """``log F_m`` and ``log(1 - F_m)``, (k - 1, n)."""
        if block.proba is None:
            return self._accumulated(block.log_proba_by_class)
        p = block.proba_by_class
        below, above = np.cumsum(p, axis=0)[:-1], np.cumsum(p[::-1], axis=0)[-2::-1]
        return block.clipped_log(below), block.clipped_log(above)

    def block_values(self, block: Block) -> FloatArray:
        return self._values(block, *self._logs(block))

    def block_loss_gradient(self, block: Block) -> Pair:
        logs = self._logs(block)  # the expensive part; the hessian costs little
        return self._values(block, *logs), self._gradient_hessian(block, *logs)[0]

    def block_gradient_hessian(self, block: Block) -> Pair:
        return self._gradient_hessian(block, *self._logs(block))

    @staticmethod
    def _values(block: Block, below: FloatArray, above: FloatArray) -> FloatArray:
        target = block.cumulative[1]
        with np.errstate(invalid="ignore"):
            left = np.where(target > 0, target * below, 0.0)
            right = np.where(target < 1, (1.0 - target) * above, 0.0)
        value: FloatArray = 0.0 - (left + right).sum(axis=0)
        return value

    @staticmethod
    def _gradient_hessian(block: Block, below: FloatArray, above: FloatArray) -> Pair:
        log_p, p = block.log_proba_by_class, block.proba_by_class
        target = block.cumulative[1]
        if log_p.min() == -np.inf:  # masked classes get a low finite logarithm
            log_p = np.maximum(log_p, _MASKED)
            below, above = CumulativeLogLoss._accumulated(log_p)
        miss, gradient, hessian = block.miss_by_class, np.zeros_like(p), np.zeros_like(p)
        # The ratio p_j / F_m of a class below the threshold m is at most 1, so it cannot overflow.
        for m in range(len(below)):
            t, lower, upper = target[m], slice(None, m + 1), slice(m + 1, None)
            for side, log_side, log_rest, weight in (
                (lower, below[m], above[m], t),
                (upper, above[m], below[m], 1.0 - t),
            ):
                ratio = np.exp(log_p[side] - log_side)
                share = ratio * np.exp(log_rest)
                gradient[side] += (1.0 - weight) * p[side] - weight * share
                hessian[side] += (1.0 - weight) * p[side] * miss[side]
                hessian[side] += weight * share * (ratio - 1.0 + p[side])
        return gradient, hessian


def default_thresholds(n_classes: int) -> tuple[float, ...]:
    """Default thresholds of `CumulativeLinkLogLoss`: steps of 1, symmetric about 0."""
    return tuple(np.arange(n_classes - 1) - (n_classes - 2) / 2)


@register_loss
@dataclass(frozen=True)
class CumulativeLinkLogLoss(Loss):
    """Negative log-likelihood of the proportional odds model.

    Parameters
    ----------
    thresholds : sequence of float or None
        Increasing numbers from -1e100 to 1e100, one less than there are classes: the boundaries
        between the classes on the scale of the score. None means steps of 1, symmetric about 0.
    """

    name: ClassVar[str] = "cumulative_link_log_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Log loss of the proportional odds model: one score, thresholds between classes.",
        formula="-log(s(theta_y - d) - s(theta_{y-1} - d)), s(x) = 1 / (1 + exp(-x))",
        range="(0, inf)",
        properness="improper",
        response="latent",
        targets="one-hot",
        ordered=True,
        symmetric=False,
        convex=True,
        link="cumulative logit",
        reference="McCullagh, P. (1980). Regression models for ordinal data. J. R. Stat. Soc. "
        "B 42, 109-142; mord LogisticAT, statsmodels OrderedModel. Improper, because one score "
        "cannot represent every distribution of more than two classes",
        peers=("spacecutter.losses.CumulativeLinkLoss",),
        example="""\
>>> cumulative_link_log_loss([0, 1], [0.0, 0.0], labels=[0, 1, 2], reduction="none")
array([0.9740..., 1.4068...])""",
    )
    thresholds: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.thresholds is None:
            return
        try:
            cuts = to_floats(self.thresholds, "thresholds")
        except (TypeError, ValueError):
            raise InputError(
                f"thresholds must be a sequence of numbers; got {self.thresholds!r}"
            ) from None
        for cut in cuts:
            check_number("thresholds", cut, -np.inf, np.inf)
            check_number("thresholds", cut, -LARGEST, LARGEST)
        if not cuts or any(b <= a for a, b in pairwise(cuts)):
            raise InputError(f"thresholds must be increasing; got {list(cuts)}")
        object.__setattr__(self, "thresholds", cuts)  # hashable

    def _edges(self, k: int) -> FloatArray:
        """Thresholds between a very small and a very large number, which stand for infinity."""
        cuts = self.thresholds
        if cuts is None:
            cuts = default_thresholds(k)
        if len(cuts) != k - 1:
            raise InputError(
                f"thresholds must have {k - 1} numbers for {k} classes; got {list(cuts)}"
            )
        return np.array([-1e300, *cuts, 1e300])

    def _gaps(self, block: Block) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``theta_y - d``, ``theta_{y-1} - d`` and ``log(1 - exp(theta_{y-1} - theta_y))``."""
        assert block.decision is not None
        assert block.index is not None
        edges = self._edges(block.n_classes)
        score = block.decision.astype(np.float64, copy=False)
        with np.errstate(over="ignore"):
            widths = np.log(-np.expm1(edges[:-1] - edges[1:]))
        upper, lower = edges[block.index + 1] - score, edges[block.index] - score
        return upper, lower, widths[block.index]

    def block_loss_gradient(self, block: Block) -> Pair:
        upper, lower, _ = self._gaps(block)
        gradient = sigmoid(-upper) - sigmoid(lower)
        return self.block_values(block), gradient[np.newaxis]

    def block_values(self, block: Block) -> FloatArray:
        upper, lower, width = self._gaps(block)
        # s(a) - s(b) = s(a) s(-b) (1 - exp(b - a))
        value: FloatArray = softplus(-upper) + softplus(lower) - width
        return value

    def block_gradient_hessian(self, block: Block) -> Pair:
        upper, lower, _ = self._gaps(block)
        above, below = sigmoid(-upper), sigmoid(lower)
        gradient = above - below
        hessian = above * sigmoid(upper) + below * sigmoid(-lower)
        return gradient[np.newaxis], hessian[np.newaxis]

    def probabilities(self, scores: FloatArray, n_classes: int) -> FloatArray:
        edges = self._edges(n_classes)[:, np.newaxis]
        upper, lower = edges[1:] - scores, edges[:-1] - scores
        proba = sigmoid(upper) * sigmoid(-lower) * -np.expm1(edges[:-1] - edges[1:])
        return np.asarray(proba / proba.sum(axis=0))

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        return n_classes == 2 and not label_smoothing  # one score represents one probability


@register_loss
@dataclass(frozen=True)
class ExpectedAbsoluteGradeError(CumulativeLoss):
    """Expected distance of the true class from a class drawn from the predicted distribution."""

    name: ClassVar[str] = "expected_absolute_grade_error"
    properties: ClassVar[Properties] = Properties(
        summary="Expected distance, in classes, from the true class to the predicted distribution.",
        formula="sum_j p_j |j - y|",
        range="[0, k - 1]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        ordered=True,
        symmetric=False,
        reference="de la Torre, J., Puig, D., Valls, A. (2018). Weighted kappa loss function "
        "for multi-class classification of ordinal data. Pattern Recognit. Lett. 105, 144-154 "
        "(expected cost, linear weights); equals the earth mover's distance for labels",
        example="""\
>>> expected_absolute_grade_error([0], [[0.5, 0.3, 0.2]])  # .3 + 2 (.2)
0.7""",
    )

    def terms(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return predicted * (1.0 - target) + (1.0 - predicted) * target

    def slope(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return 1.0 - 2.0 * target

    def curvature(self, predicted: FloatArray, target: FloatArray) -> FloatArray:
        return np.zeros_like(predicted)
