"""Numerically stable functions and array types for class-major blocks.

A class-major array has one row for each class: ``(k, n)`` for k classes and n samples.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


LOWEST_LOG = -1e300
"""Replaces the logarithm -inf of a probability 0 where the two are multiplied: 0 log 0 is 0."""


def log_softmax(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log-probabilities and probabilities of raw scores, both (k, n)."""
    with np.errstate(over="ignore"):  # a difference above the range counts as infinite
        shifted = scores - scores.max(axis=0)
    proba = np.exp(shifted)
    largest = shifted == 0.0
    # log(sum exp) as log1p(sum - 1): a probability near 1 keeps the digits of its distance to 1.
    rest = (proba * ~largest).sum(axis=0)
    rest += largest.sum(axis=0) - 1.0
    shifted -= np.log1p(rest)
    proba /= 1.0 + rest
    return shifted, proba


def softplus(x: FloatArray) -> FloatArray:
    """``log(1 + exp(x))`` without overflow, accurate for large negative ``x``."""
    out = np.abs(x)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += np.maximum(x, 0.0)
    return out


def tempered_log(log_x: FloatArray, t: float) -> FloatArray:
    """Tempered logarithm ``(x^(1 - t) - 1) / (1 - t)``, computed from ``log x``."""
    if t == 1.0:
        return log_x.copy()
    return np.expm1((1.0 - t) * log_x) / (1.0 - t)


def tempered_log_softmax(scores: FloatArray, t: float) -> FloatArray:
    """Logarithms of the tempered softmax ``exp_t(z - c)``, t >= 1, where ``c`` makes the sum 1."""
    # exp_t(x) = (1 - (t - 1) x)^(-1 / (t - 1)).
    if t == 1.0:
        return log_softmax(scores)[0]
    # With u = 1 + a (c - z), a = t - 1, the sum of p = u^(-1/a) to the power -a is a power mean of
    # u, up to a factor: concave, increasing and nearly linear in c. Newton's method converges in a
    # few steps, from below. The start is the solution for the arithmetic mean of u, which is larger
    # than the power mean, or 0, where the largest p is 1.
    a, k = t - 1.0, len(scores)
    shifted = scores - scores.max(axis=0)
    with np.errstate(over="ignore"):
        c = np.maximum(np.expm1(a * np.log(k)) / a + shifted.sum(axis=0) / k, 0.0)
    for _ in range(100):  # at most ten or so are needed
        u = c - shifted
        u *= a
        p = np.log1p(u)
        p /= -a
        np.exp(p, out=p)
        u += 1.0
        total = p.sum(axis=0)
        p /= u
        step = total * np.expm1(a * np.log(total)) / (a * p.sum(axis=0))
        c += step
        if np.all(np.abs(step) <= 1e-9 * (1.0 + c)):  # the error is about the square of the step
            break
    log_p: FloatArray = c - shifted
    log_p *= a
    np.log1p(log_p, out=log_p)
    log_p /= -a
    return log_p


def sigmoid(x: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))`` without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def positive_part(x: FloatArray) -> FloatArray:
    """``max(x, 0)``, in place."""
    # NumPy is slower with a scalar 0 than with an array of zeros.
    return np.maximum(x, np.zeros(x.shape[-1]), out=x)


def scores_by_class(scores: NDArray[np.floating]) -> FloatArray:
    """Raw scores as a new (k, n) float64 array; ``(n,)`` becomes two classes, the first at 0."""
    if scores.ndim == 2:
        return np.array(scores.T, dtype=np.float64, order="C")
    both = np.zeros((2, len(scores)))
    both[1] = scores
    return both


def sums_of_others(by_class: FloatArray) -> FloatArray:
    """Sum over the other classes, (k, n): ``1 - p`` without cancellation."""
    k = len(by_class)
    out = np.empty_like(by_class)
    before, after = by_class[0].copy(), by_class[-1].copy()
    out[0] = 0.0
    for j in range(1, k):
        out[j] = before
        if j < k - 1:
            before += by_class[j]
    for j in range(k - 2, -1, -1):
        out[j] += after
        if j > 0:
            after += by_class[j]
    return out


def running_sums(by_class: FloatArray) -> FloatArray:
    """Cumulative sum over the classes."""
    # Row by row, this is ten times faster than np.cumsum(axis=0).
    total = np.empty_like(by_class)
    total[:1] = by_class[:1]
    for j in range(1, len(total)):
        np.add(total[j - 1], by_class[j], out=total[j])
    return total


def log1p_sum(by_class: FloatArray) -> FloatArray:
    """Sum of ``log(1 + x)`` over the classes, of x >= 0 whose product of 1 + x is finite."""
    # One logarithm of the product for each row. The product minus 1 has no cancellation:
    # (1 + a)(1 + b) - 1 = ab + a + b. Halving the classes needs fewer calls than one class at a
    # time.
    while (k := len(by_class)) > 1:
        half = k // 2
        rest = np.empty((k - half, by_class.shape[1]))
        first, second, product = by_class[:half], by_class[half : 2 * half], rest[:half]
        np.multiply(first, second, out=product)
        product += first
        product += second
        rest[half:] = by_class[2 * half :]
        by_class = rest
    value: FloatArray = np.log1p(by_class[0])
    return value


@lru_cache(maxsize=4)
def _cached_positions(n: int, step: int) -> IntArray:
    positions = np.arange(0, n * step, step)
    positions.flags.writeable = False
    return positions


def row_positions(n: int, step: int) -> IntArray:
    """``0, step, ..., (n - 1) step``; read-only, because blocks of the same size share it."""
    return _cached_positions(n, step) if n <= 65536 else np.arange(0, n * step, step)


def flat_view(matrix: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """Memory of an (n, k) matrix as a vector, or None if its strides do not allow it."""
    # matrix[i, j] is at i * rows + j * columns of the vector. With contiguous columns (a slice of a
    # Fortran-ordered matrix), take() from the vector is much faster than indexing with two arrays.
    rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
    whole = all(stride % matrix.itemsize == 0 for stride in matrix.strides)
    if not whole or min(rows, columns) <= 0:
        return None
    length = (matrix.shape[0] - 1) * rows + (matrix.shape[1] - 1) * columns + 1
    return np.lib.stride_tricks.as_strided(
        matrix, shape=(length,), strides=(matrix.itemsize,), writeable=False
    )


def weigh(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted values; an infinite value of weight 0 counts as 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = values * weight
    return np.where(weight > 0, product, 0.0) if np.isnan(product).any() else product
