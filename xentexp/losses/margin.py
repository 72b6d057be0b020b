"""Hinge losses: on decision scores, never on probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xentexp.losses.base import Facts, Loss
from xentexp.losses.block import Block
from xentexp.losses.links import FloatArray, positive_part

_CORTES = "Cortes, C., Vapnik, V. (1995). Support-vector networks. Mach. Learn. 20, 273-297"


def _hinge(rival: FloatArray) -> FloatArray:
    """``max(0, 1 + r)`` of the score ``r`` of a wrong class less that of the true one."""
    return positive_part(rival + 1.0)


@dataclass(frozen=True)
class HingeLoss(Loss):
    """Hinge loss of two classes."""

    name: ClassVar[str] = "hinge_loss"
    facts: ClassVar[Facts] = Facts(
        summary="Hinge loss of two classes, on decision scores.",
        formula="max(0, 1 - s d), s = +-1",
        range="[0, inf)",
        properness="improper",
        needs="scores",
        targets="one-hot",
        binary_only=True,
        reference=f"{_CORTES}; sklearn.metrics.hinge_loss",
        example="""\
>>> hinge_loss([1, 0, 1, 0], [0.5, -2.0, 3.0, 0.2])
0.425""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return _hinge(block.best_rival)


@dataclass(frozen=True)
class SquaredHingeLoss(Loss):
    """Squared hinge loss of two classes."""

    name: ClassVar[str] = "squared_hinge_loss"
    facts: ClassVar[Facts] = Facts(
        summary="Squared hinge loss of two classes, on decision scores.",
        formula="max(0, 1 - s d)^2, s = +-1",
        range="[0, inf)",
        properness="improper",
        needs="scores",
        targets="one-hot",
        binary_only=True,
        reference=f"{_CORTES}; keras SquaredHinge; sklearn.svm.LinearSVC(loss='squared_hinge')",
        example="""\
>>> squared_hinge_loss([1, 0, 1, 0], [0.5, -2.0, 3.0, 0.2])
0.4225""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return np.square(_hinge(block.best_rival))


@dataclass(frozen=True)
class CategoricalHinge(Loss):
    """Hinge loss against the largest wrong score."""

    name: ClassVar[str] = "categorical_hinge"
    facts: ClassVar[Facts] = Facts(
        summary="Hinge loss against the largest score of a wrong class (Crammer-Singer).",
        formula="max(0, 1 + max_{j != y} d_j - d_y)",
        range="[0, inf)",
        properness="improper",
        needs="scores",
        targets="one-hot",
        reference="Crammer, K., Singer, Y. (2001). On the algorithmic implementation of "
        "multiclass kernel-based vector machines. JMLR 2, 265-292; sklearn.metrics.hinge_loss",
        example="""\
>>> categorical_hinge([0, 1], [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0]], reduction="none")
array([2.9, 0. ])""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return _hinge(block.best_rival)


@dataclass(frozen=True)
class WestonWatkinsHinge(Loss):
    """Sum of the hinge losses against every wrong class."""

    name: ClassVar[str] = "weston_watkins_hinge"
    facts: ClassVar[Facts] = Facts(
        summary="Sum of the hinge losses against every wrong class (Weston-Watkins).",
        formula="sum_{j != y} max(0, 1 + d_j - d_y)",
        range="[0, inf)",
        properness="improper",
        needs="scores",
        targets="one-hot",
        reference="Weston, J., Watkins, C. (1999). Support vector machines for multi-class "
        "pattern recognition. ESANN",
        example="""\
>>> weston_watkins_hinge([0, 1], [[3.2, 5.1, -1.7], [1.3, 4.9, 4.5]], reduction="none")
array([2.9, 0.6])""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        if block.n_classes == 2:
            return _hinge(block.best_rival)
        value: FloatArray = _hinge(block.rivals_by_class).sum(axis=0)
        return value
