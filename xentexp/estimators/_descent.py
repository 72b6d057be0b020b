"""Minimization of an objective: L-BFGS and Newton steps if it is smooth, BFGS if it has kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xentexp._numerics import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]  # value, gradient or subgradient
Watcher = Callable[[FloatArray], object]

LARGEST_MATRIX = 2000
"""Largest number of parameters for BFGS, whose matrix has one row and column for each."""

STALLED = 20
"""Number of steps in which an objective with kinks must fall by `tol`."""


_NEWTON_STEPS = 10
"""Largest number of Newton steps, of at most 100 iterations each."""


@dataclass(frozen=True)
class Descent:
    """Result of a minimization."""

    point: FloatArray
    value: float
    n_iter: int
    failure: str | None  # reason if the tolerance was not reached


def descend(
    objective: Objective,
    start: FloatArray,
    *,
    kinks: bool,
    tol: float,
    max_iter: int,
    watch: Watcher | None = None,
) -> Descent:
    """Minimize an objective from a start; `watch` is called with the parameters of each step."""
    if max_iter == 0:
        return Descent(start, objective(start)[0], 0, "the maximum number of steps is 0")
    # At kinks the line search of SciPy's L-BFGS gives up early; BFGS with a line search for the
    # weak Wolfe conditions does not: Lewis, A. S., Overton, M. L. (2013). Nonsmooth optimization
    # via quasi-Newton methods. Math. Program. 141, 135-163. There the gradient does not become
    # small, so the tolerance is 1e-5 of `tol` on the relative decrease of the value in STALLED
    # steps.
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

    result = minimize(  # with the settings of scikit-learn's logistic regression
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
    found = Descent(result.x, float(result.fun), int(result.nit), failure)
    if failure is None and np.abs(result.jac).max() > tol:  # the value no longer decreases
        return _newton(objective, found, tol, max_iter, watch)
    return found


def _newton(
    objective: Objective, found: Descent, tol: float, max_iter: int, watch: Watcher | None
) -> Descent:
    """Newton steps by conjugate gradients, as long as they halve the largest gradient entry."""
    # Near a minimum, the value is constant up to rounding in a region whose radius is the square
    # root of the rounding error; only the gradient leads to its center.
    from scipy.sparse.linalg import LinearOperator, cg

    point, value, n_iter = found.point, found.value, found.n_iter
    gradient = objective(point)[1].copy()
    last = min(max_iter, n_iter + _NEWTON_STEPS)
    while n_iter < last and (size := np.abs(gradient).max()) > tol:

        def curvature(vector: FloatArray, point: FloatArray = point) -> FloatArray:
            length = np.linalg.norm(vector)
            if length == 0.0:
                return np.zeros_like(vector)
            change = 1e-5 * max(1.0, float(np.linalg.norm(point))) / length * vector
            rise = objective(point + change)[1] - objective(point - change)[1]
            return np.asarray(rise * (length / (2.0 * np.linalg.norm(change))))

        hessian = LinearOperator((len(point),) * 2, matvec=curvature, dtype=np.float64)
        step, _ = cg(hessian, -gradient, rtol=1e-3, maxiter=100)
        new_point = point + step
        new_value, new_gradient = objective(new_point)
        if not (np.abs(new_gradient).max() <= 0.5 * size and new_value <= value + 1e-12):
            break
        point, value, gradient, n_iter = new_point, new_value, new_gradient.copy(), n_iter + 1
        if watch is not None:
            watch(point)
    return Descent(point, value, n_iter, None)


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
        if slope >= 0.0 and n_iter:  # not a descent direction, due to rounding: reset the matrix
            inverse, direction = np.eye(len(start)), -gradient
            slope = float(gradient @ direction)
        length = 1.0 if n_iter else 1.0 / max(1.0, float(np.abs(gradient).sum()))
        accepted = _weak_wolfe(objective, point, value, direction, slope, length)
        if accepted is None:  # no decrease that exceeds rounding
            failure = "the start lies on a kink, where the subgradient is not a descent direction"
            return Descent(point, value, n_iter, None if n_iter or slope == 0.0 else failure)
        length, value, new_gradient = accepted
        step, change = length * direction, new_gradient - gradient
        point, gradient = point + step, new_gradient
        product = float(step @ change)
        if product < 1e-290:  # flat up to rounding
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
    return Descent(point, value, max_iter, "the maximum number of steps was reached")


def _weak_wolfe(
    objective: Objective,
    point: FloatArray,
    value: float,
    direction: FloatArray,
    slope: float,
    length: float,
) -> tuple[float, float, FloatArray] | None:
    """Step length that satisfies the weak Wolfe conditions; value and gradient there, or None."""
    low, high = 0.0, np.inf
    for _ in range(50 if slope < 0.0 else 0):
        new_value, gradient = objective(point + length * direction)
        if new_value > value + 1e-4 * length * slope:
            high = length
        elif gradient @ direction < 0.9 * slope:
            low = length
        else:
            return length, new_value, gradient
        length = 2.0 * low if np.isinf(high) else (low + high) / 2.0
    return None
