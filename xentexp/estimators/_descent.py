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
    """Walk downhill from a start."""
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
