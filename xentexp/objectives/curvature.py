"""Curvatures that trees can divide by: positive, near the hessian, and of its scale.

A leaf of a boosted tree moves the scores of its rows by the sum of their gradients over the sum
of their hessians. Where a loss is not convex, or has kinks, its own hessian may be 0 or
negative, and the step has no meaning; what stands in for it there is said by `curvature_rule`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from xentexp.losses import Loss
from xentexp.losses.base import Pair
from xentexp.numerics import FloatArray

Rule = Literal["exact", "bounded", "unit"]

_NOTHING = 1e-16
"""Curvature of a row that is none beside its slope; XGBoost's own floor for the softmax."""


def curvature_rule(definition: Loss) -> Rule:
    """How the curvature of a loss is made positive.

    Parameters
    ----------
    definition : Loss
        With a gradient.

    Returns
    -------
    {"exact", "bounded", "unit"}
        ``"exact"``, for smooth convex losses: the hessian, and the size of the gradient in
        rows where it is 0 (as on the straight part of the modified Huber loss).
        ``"bounded"``, for losses that are not convex: the larger of the hessian and the size of
        the gradient, so that no row asks for a step of more than 1 in its raw score.
        ``"unit"``, for convex losses with kinks: the larger of the hessian and 1, as LightGBM
        does for its L1 objective.

    Examples
    --------
    >>> from xentexp.metrics.registry import get_loss
    >>> names = "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"
    >>> [curvature_rule(get_loss(name)) for name in names]
    ['exact', 'bounded', 'unit']
    """
    if not definition.properties.convex:
        return "bounded"
    return "unit" if definition.properties.gradient == "subgradient" else "exact"


def positive_curvature(rule: Rule, derivatives: Pair) -> FloatArray:
    """Curvature of each row and score, before weights and factors.

    Parameters
    ----------
    rule : {"exact", "bounded", "unit"}
        See `curvature_rule`.
    derivatives : pair of ndarray of shape (k, n)
        Gradient and hessian.

    Returns
    -------
    ndarray of shape (k, n)
        Positive wherever the gradient is not 0; maybe the hessian itself.

    Examples
    --------
    >>> import numpy as np
    >>> derivatives = np.array([[-0.5, 0.25]]), np.array([[-0.1, 0.75]])
    >>> positive_curvature("bounded", derivatives)
    array([[0.5 , 0.75]])
    """
    gradient, hessian = derivatives
    if rule == "unit":
        return np.maximum(hessian, np.ones(hessian.shape[1]))
    if rule == "exact" and hessian.min() > 1e-12:  # looking is quicker than choosing
        return hessian
    size = np.abs(gradient)
    if rule == "bounded":
        return np.maximum(hessian, size)
    return np.where(hessian > _NOTHING * size, hessian, size)
