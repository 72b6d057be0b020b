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
    """Logarithms of the class probabilities, and the probabilities.

    Parameters
    ----------
    scores : ndarray of shape (k, n)
        Raw scores, one row per class.

    Returns
    -------
    log_proba, proba : ndarray of shape (k, n)
        ``log_proba`` is never a logarithm of a rounded probability: it is exact to rounding
        however improbable the class, and however certain.

    Examples
    --------
    >>> import numpy as np
    >>> log_proba, proba = log_softmax(np.array([[0.0], [-800.0]]))
    >>> print(log_proba.ravel(), proba.ravel())
    [   0. -800.] [1. 0.]
    >>> log_softmax(np.array([[0.0], [-50.0]]))[0][0]
    array([-1.92874985e-22])
    """
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
    """``log(1 + exp(x))`` without overflow, accurate for large negative ``x``.

    Parameters
    ----------
    x : ndarray
        Any shape; finite.

    Returns
    -------
    ndarray
        The same shape.

    Examples
    --------
    >>> import numpy as np
    >>> print(softplus(np.array([-np.inf, -40.0, 0.0, 800.0])))
    [0.00000000e+00 4.24835426e-18 6.93147181e-01 8.00000000e+02]
    """
    out = np.abs(x)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += np.maximum(x, 0.0)
    return out


def tempered_log(log_x: FloatArray, t: float) -> FloatArray:
    """Tempered logarithm ``(x^(1 - t) - 1) / (1 - t)`` of ``x``, from ``log x``.

    Parameters
    ----------
    log_x : ndarray
        Logarithms of the arguments.
    t : float
        Temperature; at 1 it is the logarithm.

    Returns
    -------
    ndarray
        The same shape.

    Examples
    --------
    >>> import numpy as np
    >>> print(tempered_log(np.log(np.array([0.25, 1.0])), 0.5))
    [-1.  0.]
    """
    if t == 1.0:
        return log_x.copy()
    return np.expm1((1.0 - t) * log_x) / (1.0 - t)


def tempered_log_softmax(scores: FloatArray, t: float) -> FloatArray:
    """Logarithms of the tempered softmax ``exp_t(z - c)``, with ``c`` so that they sum to 1.

    Parameters
    ----------
    scores : ndarray of shape (k, n)
        Raw scores, one row per class.
    t : float
        Temperature, at least 1; at 1 it is the softmax, above its tail is heavy.

    Returns
    -------
    ndarray of shape (k, n)
        ``log p``.

    Notes
    -----
    ``exp_t(x) = (1 - (t - 1) x)^(-1 / (t - 1))``. The sum is convex and falls in ``c``, and it
    is at least 1 at the largest score: Newton's steps from there never pass the solution.

    Examples
    --------
    >>> import numpy as np
    >>> log_p = tempered_log_softmax(np.array([[0.0], [0.0]]), 1.2)
    >>> print(np.exp(log_p).ravel())
    [0.5 0.5]
    """
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
    """``1 / (1 + exp(-x))`` without overflow.

    Parameters
    ----------
    x : ndarray
        Any shape.

    Returns
    -------
    ndarray
        The same shape.

    Examples
    --------
    >>> import numpy as np
    >>> print(sigmoid(np.array([-800.0, 0.0, 800.0])))
    [0.  0.5 1. ]
    """
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def positive_part(x: FloatArray) -> FloatArray:
    """``max(x, 0)``, in place; the zeros are a vector, as NumPy is slow where they are a number.

    Parameters
    ----------
    x : ndarray of shape (n,) or (k, n)
        Is overwritten.

    Returns
    -------
    ndarray
        `x`.

    Examples
    --------
    >>> import numpy as np
    >>> positive_part(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return np.maximum(x, np.zeros(x.shape[-1]), out=x)


def scores_by_class(scores: NDArray[np.floating]) -> FloatArray:
    """Raw scores as a new class-major float64 matrix; ``(n,)`` puts the first class at 0.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, k)
        Raw scores.

    Returns
    -------
    ndarray of shape (k, n)
        A copy.

    Examples
    --------
    >>> import numpy as np
    >>> scores_by_class(np.array([0.5, -2.0]))
    array([[ 0. ,  0. ],
           [ 0.5, -2. ]])
    """
    if scores.ndim == 2:
        return np.array(scores.T, dtype=np.float64, order="C")
    both = np.zeros((2, len(scores)))
    both[1] = scores
    return both


def sums_of_others(by_class: FloatArray) -> FloatArray:
    """Sum over the other rows: ``1 - p`` of probabilities, to the last digit however near 1.

    Parameters
    ----------
    by_class : ndarray of shape (k, n)
        Numbers that are not negative.

    Returns
    -------
    ndarray of shape (k, n)
        New.

    Examples
    --------
    >>> import numpy as np
    >>> sums_of_others(np.array([[1.0], [1e-20], [2e-20]])).ravel()
    array([3.e-20, 1.e+00, 1.e+00])
    """
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
    """Sums of the first rows, row by row: ten times faster than ``cumsum`` along the first axis.

    Parameters
    ----------
    by_class : ndarray of shape (k, n)
        What is added up.

    Returns
    -------
    ndarray of shape (k, n)
        Another array.

    Examples
    --------
    >>> import numpy as np
    >>> print(running_sums(np.array([[1.0, 2.0], [3.0, 4.0]])))
    [[1. 2.]
     [4. 6.]]
    """
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
    """``0, step, ..., (n - 1) step``: blocks of one size share it; not to be written to.

    Parameters
    ----------
    n : int
        How many.
    step : int
        From one to the next.

    Returns
    -------
    ndarray of shape (n,)
        Kept from one call to the next unless it is large.

    Examples
    --------
    >>> first_entries(3, 4)
    array([0, 4, 8])
    """
    return _kept_entries(n, step) if n <= 65536 else np.arange(0, n * step, step)


def one_line(matrix: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """Memory between the first and the last entry of a matrix, as a vector; None where it has gaps.

    Columns that are contiguous, as in a slice of a Fortran-ordered matrix, are taken from much
    faster so than by two indices.

    Parameters
    ----------
    matrix : ndarray of shape (n, k)
        Of any layout.

    Returns
    -------
    ndarray of shape (m,) or None
        ``matrix[i, j]`` stands at ``i * strides[0] + j * strides[1]``, in entries.

    Examples
    --------
    >>> import numpy as np
    >>> one_line(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 3., 2., 4.])
    """
    rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
    whole = all(stride % matrix.itemsize == 0 for stride in matrix.strides)
    if not whole or min(rows, columns) <= 0:
        return None
    length = (matrix.shape[0] - 1) * rows + (matrix.shape[1] - 1) * columns + 1
    return np.lib.stride_tricks.as_strided(
        matrix, shape=(length,), strides=(matrix.itemsize,), writeable=False
    )


def weigh(values: FloatArray, weight: FloatArray) -> FloatArray:
    """``w * l``, where an infinite value of weight zero counts nothing.

    Parameters
    ----------
    values : ndarray of shape (..., n)
        Values of the rows.
    weight : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    ndarray of shape (..., n)
        The products.
    """
    with np.errstate(invalid="ignore"):
        product = values * weight
    return np.where(weight > 0, product, 0.0) if np.isnan(product).any() else product
