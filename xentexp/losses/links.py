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
