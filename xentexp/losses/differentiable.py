"""Derivatives in raw scores of losses that are functions of probabilities.

With ``p = softmax(z)`` a sum ``l = sum_i f_i(p_i)`` has the derivatives

    dl/dz_j = u_j - p_j U,                                u_i = p_i   f_i'(p_i),  U = sum u_i
    d2l/dz_j2 = (1 - 2 p_j) (dl/dz_j + v_j) + p_j^2 V,    v_i = p_i^2 f_i''(p_i), V = sum v_i

so a loss states `u` and `v`, which stay finite where ``f'`` does not (a logarithm at 0).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xentexp.inputs.block import Block
from xentexp.losses.base import Loss, Pair
from xentexp.losses.inverse import WIDEST, balanced, narrowed, smoothed_ends
from xentexp.numerics import FloatArray, log_softmax


def through_softmax(p: FloatArray, u: FloatArray, v: FloatArray) -> Pair:
    """Gradient and diagonal hessian in raw scores, from slopes in probabilities.

    Parameters
    ----------
    p : ndarray of shape (k, n)
        Probabilities.
    u, v : ndarray of shape (k, n)
        ``p f'(p)`` and ``p^2 f''(p)`` of the separable sum.

    Returns
    -------
    gradient, hessian : ndarray of shape (k, n)
        See the head of the module.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.75], [0.25]])  # cross-entropy of class 0: f = -log p_0
    >>> gradient, hessian = through_softmax(p, np.array([[-1.0], [0]]), np.array([[1.0], [0]]))
    >>> print(gradient.ravel(), hessian.ravel())
    [-0.25  0.25] [0.1875 0.1875]
    """
    gradient = u - p * u.sum(axis=0)
    hessian = (1.0 - 2.0 * p) * (gradient + v) + p * p * v.sum(axis=0)
    return gradient, hessian


@dataclass(frozen=True)
class SeparableLoss(Loss):
    """A sum over the classes of functions of one probability each."""

    def block_gradient_hessian(self, block: Block) -> Pair:  # noqa: D102
        return through_softmax(block.proba_by_class, *self.slopes(block))

    @abstractmethod
    def slopes(self, block: Block) -> Pair:
        """``p f'(p)`` and ``p^2 f''(p)`` of each class.

        Parameters
        ----------
        block : Block
            Of raw scores.

        Returns
        -------
        u, v : ndarray of shape (k, n)
            Of the functions that are added up.
        """

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:  # noqa: D102
        # Convex in the probabilities: scores at rest are the minimum. Not linear: it is inside,
        # but for a bounded slope, which puts it at a corner before the labels are all of a class.
        grid = np.r_[1e-6, np.linspace(0.01, 0.99, 99), 1.0 - 1e-6]
        proba = np.repeat(grid[:, np.newaxis], n_classes, axis=1)
        (u1, v1), (u0, v0) = self._both_slopes(proba.shape, label_smoothing, proba=proba)
        convex = min(v1.min(), v0.min()) >= -1e-12
        curved = bool(((v1 + v0).max(axis=1) > 1e-12).all())
        falling = bool(((u0 - u1).max(axis=1) > 1e-12).all())
        return convex and curved and falling and self._reaches_corners(n_classes, label_smoothing)

    def _reaches_corners(self, n_classes: int, label_smoothing: float) -> bool:
        """Whether ever larger scores of a class stand for ever larger shares of it, up to 1."""
        scores = np.zeros((n_classes, 2 * n_classes))
        for winner in range(n_classes):
            scores[winner, [2 * winner, 2 * winner + 1]] = WIDEST / 2.0, WIDEST
        logits = scores.T
        (own, _), (other, _) = self._both_slopes(logits.shape, label_smoothing, logits=logits)
        shares = balanced(log_softmax(scores)[1], own, other)
        winners = np.arange(n_classes)
        rest = 1.0 - shares[winners, 2 * winners], 1.0 - shares[winners, 2 * winners + 1]
        return bool(((rest[1] < 1e-6) | (rest[1] < 0.999 * rest[0])).all())

    def true_distribution(  # noqa: D102
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        self._check_invertible(n_classes, label_smoothing)
        logits = narrowed(scores).T
        (own, _), (other, _) = self._both_slopes(logits.shape, label_smoothing, logits=logits)
        return balanced(log_softmax(logits.T)[1], own, other)

    def _both_slopes(
        self,
        shape: tuple[int, ...],
        label_smoothing: float,
        *,
        proba: FloatArray | None = None,
        logits: FloatArray | None = None,
    ) -> tuple[Pair, Pair]:
        """Slopes of each class as the true one and as another: they know their own target alone."""
        k = shape[1]
        own, other = (
            self.slopes(Block(n_classes=k, soft=np.full(shape, end), proba=proba, logits=logits))
            for end in smoothed_ends(label_smoothing, k)
        )
        return own, other


class Chance(NamedTuple):
    """Probabilities ``p`` with ``log p`` and ``1 - p``, each to full accuracy."""

    p: FloatArray
    log_p: FloatArray
    miss: FloatArray


@dataclass(frozen=True)
class TrueClassLoss(SeparableLoss):
    """A function of the probability of the class that came true; its expectation if soft."""

    @abstractmethod
    def value(self, chance: Chance) -> FloatArray:
        """``f(p)``.

        Parameters
        ----------
        chance : Chance
            Probabilities of any shape.

        Returns
        -------
        ndarray
            Of the same shape.
        """

    @abstractmethod
    def slopes_of(self, chance: Chance) -> Pair:
        """``p f'(p)`` and ``p^2 f''(p)``.

        Parameters
        ----------
        chance : Chance
            Probabilities of any shape.

        Returns
        -------
        u, v : ndarray
            Of the same shape.
        """

    def class_factors(self, n_classes: int) -> FloatArray | None:
        """Factor of each class, or None where they are all 1.

        Parameters
        ----------
        n_classes : int
            Number of classes.

        Returns
        -------
        ndarray of shape (k,) or None
            Factors in the order of the classes.
        """
        return None

    def block_values(self, block: Block) -> FloatArray:  # noqa: D102
        factors = self.class_factors(block.n_classes)
        if block.index is not None:
            value = self.value(of_true_class(block))
            return value if factors is None else value * factors[block.index]
        values = self.value(of_each_class(block))
        if factors is not None:
            values = values * factors[:, np.newaxis]
        return block.expected(values)

    def slopes(self, block: Block) -> Pair:  # noqa: D102
        u, v = self.slopes_of(of_each_class(block))
        weight = block.target_by_class
        factors = self.class_factors(block.n_classes)
        if factors is not None:
            weight = weight * factors[:, np.newaxis]
        # A class of target 0 does not count, not even where a slope overflows.
        zero = weight == 0.0
        return np.where(zero, 0.0, weight * u), np.where(zero, 0.0, weight * v)


def of_true_class(block: Block) -> Chance:
    """Probability of the true class.

    Parameters
    ----------
    block : Block
        With an index.

    Returns
    -------
    Chance
        Of shape (n,).
    """
    return Chance(block.true_proba, -block.cross_entropy, block.true_miss)


def of_each_class(block: Block) -> Chance:
    """Probabilities of all classes.

    Parameters
    ----------
    block : Block
        Any.

    Returns
    -------
    Chance
        Of shape (k, n).
    """
    return Chance(block.proba_by_class, block.log_proba_by_class, block.miss_by_class)
