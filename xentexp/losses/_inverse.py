"""The distribution of the labels under which given raw scores minimize the expected loss.

If the labels have the distribution ``t``, training minimizes the expected loss under ``t``. These
functions find ``t`` from the minimum: they set the derivative of the expected loss, which is linear
in ``t``, to 0. All arrays have shape (k, n), one row per class.
"""

from __future__ import annotations

import numpy as np

from xentexp._numerics import FloatArray

WIDEST = 690.0
"""Largest difference of raw scores: the smallest probability is still a normal float64 number."""


def narrowed(scores: FloatArray) -> FloatArray:
    """Raw scores minus the largest, and at least ``-WIDEST``."""
    return np.asarray(np.maximum(scores - scores.max(axis=0), -WIDEST))


def on_simplex(weights: FloatArray) -> FloatArray:
    """Distribution in proportion to weights: negative ones count as 0, infinite ones take all."""
    # Each column needs a positive weight. Dividing by the largest one prevents an overflow.
    weights = np.maximum(weights, 0.0)
    largest = weights.max(axis=0)
    infinite = np.isinf(weights)
    with np.errstate(invalid="ignore"):
        weights = np.where(np.isinf(largest), infinite, weights / largest)
    weights /= weights.sum(axis=0)
    return weights


def smoothed_ends(label_smoothing: float, n_classes: int) -> tuple[float, float]:
    """Smoothed target of the true class, and of each other class: 1 and 0 without smoothing."""
    low = label_smoothing / n_classes
    return 1.0 - label_smoothing + low, low


def unsmoothed(target: FloatArray, label_smoothing: float) -> FloatArray:
    """Distribution of the labels from the mean of their smoothed targets (smoothing below 1)."""
    if label_smoothing == 0.0:
        return target
    return on_simplex(target - label_smoothing / len(target))


def separable_minimum(p: FloatArray, u_true: FloatArray, u_other: FloatArray) -> FloatArray:
    """Distribution for which softmax probabilities ``p`` minimize an expected `SeparableLoss`."""
    # u = p f'(p) of each class if it is the true class, and if it is not. With the expectation
    # u_j = t_j u_true_j + (1 - t_j) u_other_j, the derivative u_j - p_j U in z_j (see
    # `_differentiable.py`) is 0 where u is proportional to p. If only the true class counts
    # (u_other = 0), t is proportional to p / u_true.
    gap = u_other - u_true
    with np.errstate(divide="ignore", over="ignore"):
        ratio = p / gap
    if not u_other.any():
        return on_simplex(ratio)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rest = u_other / gap
        level = (rest.sum(axis=0) - 1.0) / ratio.sum(axis=0)
        target = rest - level * ratio
    # gap = 0: the loss is not larger if this class is the true one, so it has probability 1.
    infinite = ~np.isfinite(ratio)
    return on_simplex(np.where(infinite.any(axis=0), infinite, target))


def stationary(scores: FloatArray, rates: FloatArray) -> FloatArray:
    """Stationary distribution of a Markov chain with ``rates[i, j]`` from class i to class j."""
    # An expected sum over wrong classes of f(d_j - d_y) is minimal if, for each class, the inflow
    # sum_i t_i f'(d_j - d_i) equals the outflow: the f' are the rates (k, k, n), not negative. The
    # classes are sorted by score, because each must have a rate to the class of largest score. The
    # algorithm of Grassmann, Taksar and Heyman (1985) has no subtractions, so it keeps all digits.
    k = len(scores)
    order = np.argsort(-scores, axis=0, kind="stable")
    rows = np.arange(scores.shape[1])
    chain = rates[order[:, np.newaxis], order[np.newaxis], rows]
    for last in range(k - 1, 0, -1):
        chain[:last, last] /= chain[last, :last].sum(axis=0)
        chain[:last, :last] += chain[:last, np.newaxis, last] * chain[np.newaxis, last, :last]
    weights = np.ones(scores.shape)
    for m in range(1, k):
        weights[m] = (weights[:m] * chain[:m, m]).sum(axis=0)
    out = np.empty_like(weights)
    np.put_along_axis(out, order, weights, axis=0)
    return on_simplex(out)
