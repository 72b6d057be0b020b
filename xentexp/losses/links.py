"""From raw scores to probabilities, stable both ways; class-major: one row per class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


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
        however improbable the class.

    Examples
    --------
    >>> import numpy as np
    >>> log_proba, proba = log_softmax(np.array([[0.0], [-800.0]]))
    >>> print(log_proba.ravel(), proba.ravel())
    [   0. -800.] [1. 0.]
    """
    shifted = scores - scores.max(axis=0)
    proba = np.exp(shifted)
    total = proba.sum(axis=0)
    shifted -= np.log(total)
    proba /= total
    return shifted, proba


def softplus(x: FloatArray) -> FloatArray:
    """``log(1 + exp(x))`` without overflow, accurate for large negative ``x``.

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
    >>> print(softplus(np.array([-40.0, 0.0, 800.0])))
    [4.24835426e-18 6.93147181e-01 8.00000000e+02]
    """
    size = np.abs(x)
    out = np.negative(size)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    size *= 0.5  # max(x, 0) as |x| / 2 + x / 2: a maximum with a number is slow
    size += 0.5 * x
    out += size
    return out


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
