"""Bases of losses of probabilities, which derive the derivatives in raw scores.

`SeparableLoss` is a sum ``l = sum_i f_i(p_i)`` over the classes, and `TrueClassLoss` a function of
the probability of the true class. With ``p = softmax(z)`` the derivatives in the raw scores are

    dl/dz_j = u_j - p_j U,                                u_i = p_i   f_i'(p_i),  U = sum u_i
    d2l/dz_j2 = (1 - 2 p_j) (dl/dz_j + v_j) + p_j^2 V,    v_i = p_i^2 f_i''(p_i), V = sum v_i

so that a loss defines `u` (`slope`) and `v` (`curvature`). These are finite even if ``f'`` is not,
e.g. for a logarithm at 0. The computation uses the sum ``w = u + v``, the derivative of `u` in
``log p``; where it cancels, a loss defines it too (`slope_change`). All arrays have shape (k, n),
one row per class.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray, log_softmax, sums_of_others, weigh
from xentexp.losses._base import Loss, Pair
from xentexp.losses._inverse import WIDEST, narrowed, separable_minimum, smoothed_ends


def gradient_through_softmax(p: FloatArray, miss: FloatArray, u: FloatArray) -> FloatArray:
    """Gradient in raw scores from ``u``; `miss` is ``1 - p``."""
    # (1 - p_j) u_j - p_j sum_{i != j} u_i: without cancellation if p_j is near 1.
    with np.errstate(invalid="ignore"):
        gradient = sums_of_others(u)
        gradient *= p
        np.subtract(miss * u, gradient, out=gradient)
    total = u.sum(axis=0)
    if np.isinf(total).any():  # the limit, e.g. for a negative power of a probability 0
        rest = np.where(p > 0.0, np.copysign(np.inf, -total), 0.0)
        gradient = np.where(np.isinf(total), np.where(np.isinf(u), u, rest), gradient)
    return gradient


def through_softmax(p: FloatArray, miss: FloatArray, u: FloatArray, w: FloatArray) -> Pair:
    """Gradient and diagonal of the hessian in raw scores from ``u`` and ``w``."""
    gradient = gradient_through_softmax(p, miss, u)
    # (1 - p_j)^2 w_j + p_j^2 sum_{i != j} w_i - p_j (1 - p_j) U, in place for speed: boosters need
    # it in every round.
    hessian = sums_of_others(w)
    with np.errstate(invalid="ignore"):
        hessian *= p
        hessian -= miss * u.sum(axis=0)
        hessian *= p
        hessian += miss * miss * w
    if np.isnan(hessian).any():  # where the gradient is infinite
        hessian = np.where(np.isnan(hessian), np.abs(gradient), hessian)
    return gradient, hessian


@dataclass(frozen=True)
class SeparableLoss(Loss):
    """Base of losses that are a sum over the classes of functions of one probability each."""

    # A subclass defines `block_values`, `slope` and `curvature`.

    def block_loss_gradient(self, block: Block) -> Pair:
        p, miss = block.proba_by_class, block.miss_by_class
        return self.block_values(block), gradient_through_softmax(p, miss, self.slope(block))

    def block_gradient_hessian(self, block: Block) -> Pair:
        u = self.slope(block)
        w = self.slope_change(block, u)
        return through_softmax(block.proba_by_class, block.miss_by_class, u, w)

    @abstractmethod
    def slope(self, block: Block) -> FloatArray:
        """``u = p f'(p)`` of each class, (k, n): first derivative of its term, times p."""

    @abstractmethod
    def curvature(self, block: Block) -> FloatArray:
        """``v = p^2 f''(p)`` of each class, (k, n): second derivative of its term, times p^2."""

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        """``w = u + v`` of each class, (k, n): derivative of the slope ``u`` in ``log p``."""
        return u + self.curvature(block)

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        # If the loss is convex in the probabilities, scores with gradient 0 are its minimum. If it
        # is not linear, the minimum is inside the simplex, unless a bounded slope moves it to a
        # corner before all labels are of one class (`_reaches_corners`).
        grid = np.r_[1e-6, np.linspace(0.01, 0.99, 99), 1.0 - 1e-6]
        proba = np.repeat(grid[:, np.newaxis], n_classes, axis=1)
        true, other = self._both_blocks(proba.shape, label_smoothing, proba=proba)
        u1, u0 = self.slope(true), self.slope(other)
        v1, v0 = self.curvature(true), self.curvature(other)
        convex = min(v1.min(), v0.min()) >= -1e-12
        curved = bool(((v1 + v0).max(axis=1) > 1e-12).all())
        falling = bool(((u0 - u1).max(axis=1) > 1e-12).all())
        return convex and curved and falling and self._reaches_corners(n_classes, label_smoothing)

    def _reaches_corners(self, n_classes: int, label_smoothing: float) -> bool:
        """Whether the probability of a class tends to 1 as its score grows."""
        scores = np.zeros((n_classes, 2 * n_classes))
        for winner in range(n_classes):
            scores[winner, [2 * winner, 2 * winner + 1]] = WIDEST / 2.0, WIDEST
        logits = scores.T
        true, other = self._both_blocks(logits.shape, label_smoothing, logits=logits)
        target = separable_minimum(log_softmax(scores)[1], self.slope(true), self.slope(other))
        winners = np.arange(n_classes)
        rest = 1.0 - target[winners, 2 * winners], 1.0 - target[winners, 2 * winners + 1]
        return bool(((rest[1] < 1e-6) | (rest[1] < 0.999 * rest[0])).all())

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        logits = narrowed(scores).T
        true, other = self._both_blocks(logits.shape, label_smoothing, logits=logits)
        return separable_minimum(log_softmax(logits.T)[1], self.slope(true), self.slope(other))

    @staticmethod
    def _both_blocks(
        shape: tuple[int, ...],
        label_smoothing: float,
        *,
        proba: FloatArray | None = None,
        logits: FloatArray | None = None,
    ) -> tuple[Block, Block]:
        """Blocks in which every class is the true class, and in which none is."""
        # That is possible because the slope of a class only depends on its own target.
        k = shape[1]
        true, other = (
            Block(n_classes=k, soft=np.full(shape, end), proba=proba, logits=logits)
            for end in smoothed_ends(label_smoothing, k)
        )
        return true, other


class Probabilities(NamedTuple):
    """Probabilities ``p`` with ``log p`` and ``1 - p``, each to full accuracy."""

    p: FloatArray
    log_p: FloatArray
    miss: FloatArray  # 1 - p


@dataclass(frozen=True)
class TrueClassLoss(SeparableLoss):
    """Base of losses ``f(p_y)`` of the probability of the true class (expected if soft)."""

    # A subclass defines `value`, `slope_of` and `curvature_of`, functions of `Probabilities`.

    @abstractmethod
    def value(self, proba: Probabilities) -> FloatArray:
        """``f(p)`` of probabilities of any shape, (n,) or (k, n)."""

    @abstractmethod
    def slope_of(self, proba: Probabilities) -> FloatArray:
        """``u = p f'(p)`` of probabilities of any shape."""

    @abstractmethod
    def curvature_of(self, proba: Probabilities) -> FloatArray:
        """``v = p^2 f''(p)`` of probabilities of any shape."""

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        """``w = u + v`` of probabilities of any shape."""
        return self.slope_of(proba) + self.curvature_of(proba)

    def class_factors(self, n_classes: int) -> FloatArray | None:
        """Factor by which the loss of each true class is multiplied, (k,); None if all are 1."""
        return None

    def block_values(self, block: Block) -> FloatArray:
        if block.index is not None:
            return self._times_factor(block, self.value(of_true_class(block)))
        values, factors = self.value(of_each_class(block)), self.class_factors(block.n_classes)
        if factors is not None:
            values = weigh(values, factors[:, np.newaxis])
        return block.expected(values)

    def slope(self, block: Block) -> FloatArray:
        return self._weighted(block, self.slope_of(of_each_class(block)))

    def curvature(self, block: Block) -> FloatArray:
        return self._weighted(block, self.curvature_of(of_each_class(block)))

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        return self._weighted(block, self.slope_change_of(of_each_class(block)))

    def _weighted(self, block: Block, by_class: FloatArray) -> FloatArray:
        weight = block.target_by_class
        factors = self.class_factors(block.n_classes)
        if factors is not None:
            weight = weight * factors[:, np.newaxis]
        # A class of target 0 adds 0 even if its slope overflows.
        return np.where(weight == 0.0, 0.0, weight * by_class)

    def block_loss_gradient(self, block: Block) -> Pair:
        if block.index is None:
            return super().block_loss_gradient(block)
        return self.block_values(block), self._label_gradient(block, self._label_slope(block))

    def block_gradient_hessian(self, block: Block) -> Pair:
        if block.index is None:
            return super().block_gradient_hessian(block)
        # For labels, u and w are 0 except for the true class: compute only that row.
        proba, u = _true_of_each_class(block), self._label_slope(block)
        w = self._times_factor(block, self.slope_change_of(proba))
        p, miss = block.proba_by_class, block.miss_by_class
        hessian = p * (p * w - miss * u)
        true = proba.miss * (proba.miss * w - proba.p * u)
        return self._label_gradient(block, u), block.put_true(hessian, true)

    def _label_slope(self, block: Block) -> FloatArray:
        return self._times_factor(block, self.slope_of(_true_of_each_class(block)))

    def _times_factor(self, block: Block, of_rows: FloatArray) -> FloatArray:
        factors = self.class_factors(block.n_classes)
        return of_rows if factors is None else weigh(of_rows, factors[block.index])

    @staticmethod
    def _label_gradient(block: Block, u: FloatArray) -> FloatArray:
        miss = block.of_true(block.miss_by_class)
        return block.put_true(block.proba_by_class * -u, miss * u)


def of_true_class(block: Block) -> Probabilities:
    """Probability of the true class of each row, (n,), for a block with labels."""
    return Probabilities(block.true_proba, -block.cross_entropy, block.true_miss)


def _true_of_each_class(block: Block) -> Probabilities:
    """Entries of the true class in `of_each_class`, equal to the last bit."""
    return Probabilities(block.true_proba, -block.cross_entropy, block.of_true(block.miss_by_class))


def of_each_class(block: Block) -> Probabilities:
    """Probability of each class, (k, n)."""
    return Probabilities(block.proba_by_class, block.log_proba_by_class, block.miss_by_class)
