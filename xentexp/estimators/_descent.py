"""Descent on the objective of a model: smooth ones by L-BFGS, those with kinks by BFGS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xentexp._numerics import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
Watcher = Callable[[FloatArray], object]

LARGEST_MATRIX = 2000
"""Parameters from which BFGS' matrix costs more than it is worth."""

STALLED = 20
"""Steps in which an objective with kinks must have fallen."""


@dataclass(frozen=True)
class Descent:
    """Where a descent ended; `failure` says why its tolerance was not met."""

    point: FloatArray
    value: float
    n_iter: int
    failure: str | None


def descend(
    objective: Objective,
    start: FloatArray,
    *,
    kinks: bool,
    tol: float,
    max_iter: int,
    watch: Watcher | None = None,
) -> Descent:
    """Walk downhill from a start.

    Parameters
    ----------
    objective : callable
        From parameters to value and gradient (a subgradient at kinks).
    start : ndarray of shape (m,)
        Where to start.
    kinks : bool
        Whether the objective has kinks at its minimum.
    tol : float
        Largest entry of the gradient at the end. With kinks, where it never gets small, 1e-5 of
        it: by what 20 steps still make the objective fall, relative to its value.
    max_iter : int
        Most steps.
    watch : callable, optional
        Called with the parameters after each step.

    Returns
    -------
    Descent
        The end.

    Notes
    -----
    L-BFGS of SciPy for smooth objectives, with the settings of scikit-learn's logistic
    regression. At kinks its line search gives up early; BFGS with a line search for the weak
    Wolfe conditions does not (Lewis, A. S., Overton, M. L. (2013). Nonsmooth optimization via
    quasi-Newton methods. Math. Program. 141, 135-163). Its matrix has m x m entries: with more
    than 2000 parameters L-BFGS is what there is.

    Examples
    --------
    >>> def bowl(x):
    ...     return abs(x[0] - 1.0) + x[1] ** 2, np.array([np.sign(x[0] - 1.0), 2.0 * x[1]])
    >>> end = descend(bowl, np.array([3.0, 2.0]), kinks=True, tol=1e-6, max_iter=100)
    >>> bool(np.abs(end.point - [1.0, 0.0]).max() < 1e-6), end.failure
    (True, None)
    """
    if kinks and len(start) <= LARGEST_MATRIX:
        return _bfgs(objective, start, 1e-5 * tol, max_iter, watch)
    return _lbfgs(objective, start, tol, max_iter, watch)


def _lbfgs(
    objective: Objective, start: FloatArray, tol: float, max_iter: int, watch: Watcher | None
) -> Descent:
    from scipy.optimize import minimize

    def each_step(intermediate_result: Any) -> None:
        if watch is not None:
            watch(intermediate_result.x)

    result = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=each_step,
        options={
            "gtol": tol,
            "ftol": 64.0 * np.finfo(np.float64).eps,
            "maxiter": max_iter,
            "maxfun": max(15000, 50 * max_iter),
            "maxls": 50,
        },
    )
    failure = None if result.status == 0 else str(result.message)
    return Descent(result.x, float(result.fun), int(result.nit), failure)


def _bfgs(
    objective: Objective, start: FloatArray, tol: float, max_iter: int, watch: Watcher | None
) -> Descent:
    point = start
    value, gradient = objective(point)
    inverse = np.eye(len(start))
    values = [value]
    for n_iter in range(max_iter):
        direction = -inverse @ gradient
        slope = float(gradient @ direction)
        if slope >= 0.0 and n_iter:  # rounding has spoilt the matrix: anew
            inverse, direction = np.eye(len(start)), -gradient
            slope = float(gradient @ direction)
        length = 1.0 if n_iter else 1.0 / max(1.0, float(np.abs(gradient).sum()))
        step_found = _weak_wolfe(objective, point, value, direction, slope, length)
        if step_found is None:  # no descent is left above rounding
            stuck = "the start lies on a kink, where the subgradient points nowhere lower"
            return Descent(point, value, n_iter, None if n_iter or slope == 0.0 else stuck)
        length, value, ahead = step_found
        step, change = length * direction, ahead - gradient
        point, gradient = point + step, ahead
        product = float(step @ change)
        if product < 1e-290:  # as flat as numbers tell
            return Descent(point, value, n_iter + 1, None)
        if n_iter == 0:
            inverse *= product / float(change @ change)
        image = inverse @ change / product
        inverse += np.outer(step, (1.0 / product + change @ image / product) * step - image)
        inverse -= np.outer(image, step)
        values.append(value)
        if watch is not None:
            watch(point)
        fall = values[max(n_iter - STALLED + 1, 0)] - value
        if n_iter + 1 >= STALLED and fall <= max(tol * abs(value), 1e-15):
            return Descent(point, value, n_iter + 1, None)
    return Descent(point, value, max_iter, f"{max_iter} iterations were not enough")


def _weak_wolfe(
    objective: Objective,
    point: FloatArray,
    value: float,
    direction: FloatArray,
    slope: float,
    length: float,
) -> tuple[float, float, FloatArray] | None:
    """Length of a step that falls enough and flattens the slope; value and gradient there."""
    low, high = 0.0, np.inf
    for _ in range(50 if slope < 0.0 else 0):
        ahead, gradient = objective(point + length * direction)
        if ahead > value + 1e-4 * length * slope:
            high = length
        elif gradient @ direction < 0.9 * slope:
            low = length
        else:
            return length, ahead, gradient
        length = 2.0 * low if np.isinf(high) else (low + high) / 2.0
    return None
