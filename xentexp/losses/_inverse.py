"""From raw scores back to the labels that they suit best.

Where labels follow a distribution ``t``, training makes the expected value of a loss small. These
functions find the ``t`` whose expected value given scores minimize: the inverse of training.
Each sets the derivative of the expectation to 0, which is linear in ``t``.
"""

from __future__ import annotations

import numpy as np

from xentexp._numerics import FloatArray

WIDEST = 690.0
"""Largest gap of raw scores that is told apart: the smallest probability stays a normal number."""


def narrowed(scores: FloatArray) -> FloatArray:
    """Raw scores of which none is further below the largest than `WIDEST`."""
    return np.asarray(np.maximum(scores - scores.max(axis=0), -WIDEST))


def on_simplex(shares: FloatArray) -> FloatArray:
    """The nearest thing to a distribution: no negative shares, and a sum of 1."""
    shares = np.maximum(shares, 0.0)
    largest = shares.max(axis=0)
    endless = np.isinf(shares)
    with np.errstate(invalid="ignore"):
        shares = np.where(np.isinf(largest), endless, shares / largest)
    shares /= shares.sum(axis=0)
    return shares


def smoothed_ends(label_smoothing: float, n_classes: int) -> tuple[float, float]:
    """Smoothed target of the true class and of each other."""
    low = label_smoothing / n_classes
    return 1.0 - label_smoothing + low, low


def unsmoothed(target: FloatArray, label_smoothing: float) -> FloatArray:
    """Distribution of labels whose smoothed targets have a mean."""
    if label_smoothing == 0.0:
        return target
    return on_simplex(target - label_smoothing / len(target))


def balanced(p: FloatArray, own: FloatArray, other: FloatArray) -> FloatArray:
    """Distribution that holds a separable loss of a softmax at rest."""
    gap = other - own
    with np.errstate(divide="ignore", over="ignore"):
        pull = p / gap
    if not other.any():
        return on_simplex(pull)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rest = other / gap
        level = (rest.sum(axis=0) - 1.0) / pull.sum(axis=0)
        shares = rest - level * pull
    # No cost of being the true class is left: it is the true class.
    endless = ~np.isfinite(pull)
    return on_simplex(np.where(endless.any(axis=0), endless, shares))


def stationary(scores: FloatArray, rates: FloatArray) -> FloatArray:
    """Stationary distribution of a Markov chain on the classes."""
    k = len(scores)
    order = np.argsort(-scores, axis=0, kind="stable")
    rows = np.arange(scores.shape[1])
    chain = rates[order[:, np.newaxis], order[np.newaxis], rows]
    for last in range(k - 1, 0, -1):
        chain[:last, last] /= chain[last, :last].sum(axis=0)
        chain[:last, :last] += chain[:last, np.newaxis, last] * chain[np.newaxis, last, :last]
    shares = np.ones(scores.shape)
    for m in range(1, k):
        shares[m] = (shares[:m] * chain[:m, m]).sum(axis=0)
    out = np.empty_like(shares)
    np.put_along_axis(out, order, shares, axis=0)
    return on_simplex(out)
