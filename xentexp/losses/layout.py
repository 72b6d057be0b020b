"""Ways to lay out and to walk through the arrays of a block: NumPy has fast ones and slow ones."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xentexp.losses.links import FloatArray

IntArray = NDArray[np.intp]


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
