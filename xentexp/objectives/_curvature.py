"""Positive curvatures for boosted trees, close to the hessian and of the same scale.

A leaf of a boosted tree moves the scores of its rows by the sum of their gradients divided by the
sum of their hessians. If a loss is not convex or has kinks, its hessian may be 0 or negative, and
this step is undefined or points the wrong way. `curvature_rule` selects the replacement.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.losses import Loss
from xentexp.losses._base import Pair

# exact: the hessian, and the absolute gradient in rows where the hessian is 0, as on the straight
#     part of the modified Huber loss. For smooth convex losses.
# bounded: the larger of the hessian and the absolute gradient, so that no single row moves its raw
#     score by more than 1. For losses that are not convex.
# unit: the larger of the hessian and 1, as LightGBM does for its L1 objective. For convex losses
#     with kinks.
Rule = Literal["exact", "bounded", "unit"]

_NOTHING = 1e-16
"""Ratio of curvature to gradient that counts as 0; XGBoost's own minimum for the softmax."""


def curvature_rule(loss: Loss) -> Rule:
    """Rule that makes the curvatures of a loss positive."""
    if not loss.properties.convex:
        return "bounded"
    return "unit" if loss.properties.gradient == "subgradient" else "exact"


def positive_curvature(rule: Rule, derivatives: Pair) -> FloatArray:
    """Curvatures, positive where the gradient is not 0; may return the hessian without a copy."""
    gradient, hessian = derivatives
    if rule == "unit":
        return np.maximum(hessian, np.ones(hessian.shape[1]))
    if rule == "exact" and hessian.min() > 1e-12:  # a check is faster than np.where
        return hessian
    size = np.abs(gradient)
    if rule == "bounded":
        return np.maximum(hessian, size)
    return np.where(hessian > _NOTHING * size, hessian, size)
