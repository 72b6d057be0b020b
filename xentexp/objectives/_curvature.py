"""Curvatures that trees can divide by: positive, near the hessian, and of its scale.

A leaf of a boosted tree moves the scores of its rows by the sum of their gradients over the sum
of their hessians. If a loss is not convex, or has kinks, its hessian may be 0 or negative, and
the step has no meaning; `curvature_rule` decides what replaces it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.losses import Loss
from xentexp.losses._base import Pair

Rule = Literal["exact", "bounded", "unit"]

_NOTHING = 1e-16
"""Negligible ratio of curvature to slope; XGBoost's own floor for the softmax."""


def curvature_rule(loss: Loss) -> Rule:
    """How the curvature of a loss is made positive."""
    if not loss.properties.convex:
        return "bounded"
    return "unit" if loss.properties.gradient == "subgradient" else "exact"


def positive_curvature(rule: Rule, derivatives: Pair) -> FloatArray:
    """Curvatures that are positive wherever the gradient is not 0; maybe the hessian itself."""
    gradient, hessian = derivatives
    if rule == "unit":
        return np.maximum(hessian, np.ones(hessian.shape[1]))
    if rule == "exact" and hessian.min() > 1e-12:  # looking is quicker than choosing
        return hessian
    size = np.abs(gradient)
    if rule == "bounded":
        return np.maximum(hessian, size)
    return np.where(hessian > _NOTHING * size, hessian, size)
