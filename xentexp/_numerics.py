"""Stable softmax, softplus and sums, and the array types, for class-major blocks."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def log_softmax(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the class probabilities, and the probabilities."""
    shifted = scores - scores.max(axis=0)
    proba = np.exp(shifted)
    largest = shifted == 0.0
    # The total less 1, without the 1 that would swallow it.
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
    """Tempered logarithm ``(x^(1 - t) - 1) / (1 - t)`` of ``x``, from ``log x``."""
    if t == 1.0:
        return log_x.copy()
    return np.expm1((1.0 - t) * log_x) / (1.0 - t)


def tempered_log_softmax(scores: FloatArray, t: float) -> FloatArray:
    """Logarithms of the tempered softmax ``exp_t(z - c)``, with ``c`` so that they sum to 1."""
    if t == 1.0:
        return log_softmax(scores)[0]
    shifted = scores - scores.max(axis=0)
    c = np.zeros(scores.shape[1])
    for _ in range(100):
        log_p = -np.log1p((t - 1.0) * (c - shifted)) / (t - 1.0)
        step = (np.exp(log_p).sum(axis=0) - 1.0) / np.exp(t * log_p).sum(axis=0)
        c += step
        if np.all(np.abs(step) <= 1e-15 * (1.0 + c)):
            break
    return np.asarray(-np.log1p((t - 1.0) * (c - shifted)) / (t - 1.0))


def sigmoid(x: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))`` without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def positive_part(x: FloatArray) -> FloatArray:
    """``max(x, 0)``, in place; the zeros are a vector, as NumPy is slow where they are a number."""
    return np.maximum(x, np.zeros(x.shape[-1]), out=x)


def scores_by_class(scores: NDArray[np.floating]) -> FloatArray:
    """Raw scores as a new class-major float64 matrix; ``(n,)`` puts the first class at 0."""
    if scores.ndim == 2:
        return np.array(scores.T, dtype=np.float64, order="C")
    both = np.zeros((2, len(scores)))
    both[1] = scores
    return both


def sums_of_others(by_class: FloatArray) -> FloatArray:
    """Sum over the other rows: ``1 - p`` of probabilities, to the last digit however near 1."""
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
    """Sums of the first rows, row by row: ten times faster than ``cumsum`` along the first axis."""
    total = by_class.copy()
    for before, row in pairwise(total):
        row += before
    return total


@lru_cache(maxsize=4)
def _kept_entries(n: int, step: int) -> IntArray:
    entries = np.arange(0, n * step, step)
    entries.flags.writeable = False
    return entries


def first_entries(n: int, step: int) -> IntArray:
    """``0, step, ..., (n - 1) step``: blocks of one size share it; not to be written to."""
    return _kept_entries(n, step) if n <= 65536 else np.arange(0, n * step, step)


def one_line(matrix: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """Memory of a matrix as a vector, or None where it has gaps."""
    rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
    whole = all(stride % matrix.itemsize == 0 for stride in matrix.strides)
    if not whole or min(rows, columns) <= 0:
        return None
    length = (matrix.shape[0] - 1) * rows + (matrix.shape[1] - 1) * columns + 1
    return np.lib.stride_tricks.as_strided(
        matrix, shape=(length,), strides=(matrix.itemsize,), writeable=False
    )


def weigh(values: FloatArray, weight: FloatArray) -> FloatArray:
    """``w * l``, where an infinite value of weight zero counts nothing."""
    with np.errstate(invalid="ignore"):
        product = values * weight
    return np.where(weight > 0, product, 0.0) if np.isnan(product).any() else product
