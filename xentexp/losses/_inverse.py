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
    """Raw scores of which none is further below the largest than `WIDEST`.

    Parameters
    ----------
    scores : ndarray of shape (k, n)
        Raw scores by class.

    Returns
    -------
    ndarray of shape (k, n)
        New; the largest is 0.

    Examples
    --------
    >>> import numpy as np
    >>> print(narrowed(np.array([[800.0], [-800.0], [799.0]])).ravel())
    [   0. -690.   -1.]
    """
    return np.asarray(np.maximum(scores - scores.max(axis=0), -WIDEST))


def on_simplex(shares: FloatArray) -> FloatArray:
    """The nearest thing to a distribution: no negative shares, and a sum of 1.

    Parameters
    ----------
    shares : ndarray of shape (k, n)
        With a positive one in each column; infinite ones take all.

    Returns
    -------
    ndarray of shape (k, n)
        New.

    Examples
    --------
    >>> import numpy as np
    >>> print(on_simplex(np.array([[-0.1, np.inf], [1.5, 1.0], [0.5, 0.0]])).T)
    [[0.   0.75 0.25]
     [1.   0.   0.  ]]
    """
    shares = np.maximum(shares, 0.0)
    largest = shares.max(axis=0)
    endless = np.isinf(shares)
    with np.errstate(invalid="ignore"):
        shares = np.where(np.isinf(largest), endless, shares / largest)
    shares /= shares.sum(axis=0)
    return shares


def smoothed_ends(label_smoothing: float, n_classes: int) -> tuple[float, float]:
    """Smoothed target of the true class and of each other.

    Parameters
    ----------
    label_smoothing : float
        Share that is spread evenly.
    n_classes : int
        Number of classes.

    Returns
    -------
    high, low : float
        1 and 0 without smoothing.

    Examples
    --------
    >>> smoothed_ends(0.5, 2)
    (0.75, 0.25)
    """
    low = label_smoothing / n_classes
    return 1.0 - label_smoothing + low, low


def unsmoothed(target: FloatArray, label_smoothing: float) -> FloatArray:
    """Distribution of labels whose smoothed targets have a mean.

    Parameters
    ----------
    target : ndarray of shape (k, n)
        Mean of the smoothed targets; each column sums to 1.
    label_smoothing : float
        Below 1.

    Returns
    -------
    ndarray of shape (k, n)
        The distribution, or the nearest one where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> print(unsmoothed(np.array([[0.1, 0.01], [0.9, 0.99]]), 0.1).T)
    [[0.05555556 0.94444444]
     [0.         1.        ]]
    """
    if label_smoothing == 0.0:
        return target
    return on_simplex(target - label_smoothing / len(target))


def balanced(p: FloatArray, own: FloatArray, other: FloatArray) -> FloatArray:
    """Distribution that holds a separable loss of a softmax at rest.

    The derivative in ``z_j`` of a sum of functions of one probability each is ``u_j - p_j U``
    (see `xentexp.losses._differentiable`), with ``u_j = t_j own_j + (1 - t_j) other_j`` in
    expectation. It is 0 where ``u_j`` is proportional to ``p_j``.

    Parameters
    ----------
    p : ndarray of shape (k, n)
        Probabilities, all positive.
    own, other : ndarray of shape (k, n)
        ``p f'(p)`` of each class where it is the true one, and where another is.

    Returns
    -------
    ndarray of shape (k, n)
        For losses of the true class's probability alone, ``p / own``, scaled to sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.8], [0.2]])  # generalized cross-entropy with q = 1/2: t ~ p^(1/2)
    >>> print(balanced(p, -np.sqrt(p), np.zeros((2, 1))).ravel())
    [0.66666667 0.33333333]
    """
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
    """Stationary distribution of a Markov chain on the classes.

    A sum over wrong classes of a function ``f`` of ``d_j - d_y`` is at rest where what flows
    into each class, ``sum_i t_i f'(d_j - d_i)``, flows out of it: ``f'`` are rates of jumps.

    Parameters
    ----------
    scores : ndarray of shape (k, n)
        By which the classes are put into an order: from each there must be a rate to the one of
        the largest score.
    rates : ndarray of shape (k, k, n)
        ``rates[i, j]`` from class i to class j, not negative; the diagonal is not looked at.

    Returns
    -------
    ndarray of shape (k, n)
        By the method of Grassmann, Taksar and Heyman (1985), which subtracts nothing and so
        keeps all digits.

    Examples
    --------
    >>> import numpy as np
    >>> rates = np.array([[[0.0], [1.0]], [[3.0], [0.0]]])
    >>> print(stationary(np.array([[1.0], [0.0]]), rates).ravel())
    [0.75 0.25]
    """
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
