"""Losses on the distance of the predicted from the target distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.losses.base import Facts, Loss
from xentexp.losses.block import Block
from xentexp.losses.links import FloatArray

_SCALES = ("mean", "sum", "half_sum")


def _scale(over_classes: str, n_classes: int) -> float:
    return {"mean": 1.0 / n_classes, "sum": 1.0, "half_sum": 0.5}[over_classes]


@dataclass(frozen=True)
class BrierLoss(Loss):
    """Brier's quadratic score.

    Parameters
    ----------
    scale_by_half : {"auto"} or bool
        Whether the sum over classes is halved; ``"auto"`` does so for two classes, where it
        then is ``(p - y)^2``, as in scikit-learn.
    """

    name: ClassVar[str] = "brier_loss"
    facts: ClassVar[Facts] = Facts(
        summary="Brier's quadratic score.",
        formula="sum_j (p_j - t_j)^2, half if k = 2",
        range="[0, 2]",
        properness="strictly proper",
        needs="probabilities",
        reference="Brier, G. W. (1950). Verification of forecasts expressed in terms of "
        "probability. Mon. Weather Rev. 78, 1-3; sklearn.metrics.brier_score_loss",
        example="""\
>>> brier_loss([0, 1, 1], [0.1, 0.8, 0.6])
0.07...
>>> brier_loss(["a", "c"], [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], labels=["a", "b", "c"])
0.34...""",
    )
    scale_by_half: Literal["auto"] | bool = "auto"

    def __post_init__(self) -> None:
        if self.scale_by_half not in ("auto", True, False):
            raise InputError(
                f"scale_by_half must be 'auto', True or False; got {self.scale_by_half!r}"
            )

    def per_sample(self, block: Block) -> FloatArray:
        half = block.n_classes == 2 if self.scale_by_half == "auto" else self.scale_by_half
        return block.squared_distance * 0.5 if half else block.squared_distance


@dataclass(frozen=True)
class _Distance(Loss):
    over_classes: Literal["mean", "sum", "half_sum"] = "mean"

    def __post_init__(self) -> None:
        if self.over_classes not in _SCALES:
            raise unknown_name("over_classes", self.over_classes, _SCALES)


@dataclass(frozen=True)
class SquaredError(_Distance):
    """Squared error of class probabilities.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the columns of a row become one number. ``"half_sum"`` is the ``1/2 * sum`` that
        textbooks also call mean squared error.
    """

    name: ClassVar[str] = "squared_error"
    facts: ClassVar[Facts] = Facts(
        summary="Squared error of class probabilities: mean, sum or half sum over classes.",
        formula="1/k sum_j (p_j - t_j)^2",
        range="[0, 2/k]",
        properness="strictly proper",
        needs="probabilities",
        reference="keras MeanSquaredError on one-hot targets; torch MSELoss",
        example="""\
>>> t = [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]]
>>> y = [[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]]
>>> squared_error(t, y, over_classes="half_sum")
0.0975...""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return block.squared_distance * _scale(self.over_classes, block.n_classes)


@dataclass(frozen=True)
class AbsoluteError(_Distance):
    """Absolute error of class probabilities.

    Parameters
    ----------
    over_classes : {"mean", "sum", "half_sum"}
        How the columns of a row become one number.
    """

    name: ClassVar[str] = "absolute_error"
    facts: ClassVar[Facts] = Facts(
        summary="Absolute error of class probabilities: mean, sum or half sum over classes.",
        formula="1/k sum_j |p_j - t_j|",
        range="[0, 2/k]",
        properness="improper",
        needs="probabilities",
        reference="keras MeanAbsoluteError on one-hot targets; torch L1Loss; improper: "
        "Buja, A., Stuetzle, W., Shen, Y. (2005). Loss functions for binary class "
        "probability estimation",
        example="""\
>>> absolute_error([0, 1, 1], [0.1, 0.8, 0.6])
0.2333...""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return block.absolute_distance * _scale(self.over_classes, block.n_classes)


@dataclass(frozen=True)
class ZeroOneLoss(Loss):
    """Share of rows whose most probable class is not the true one."""

    name: ClassVar[str] = "zero_one_loss"
    facts: ClassVar[Facts] = Facts(
        summary="Misclassification of the most probable class; the first of those that tie.",
        formula="1 - t_m, m = argmax_j p_j",
        range="[0, 1]",
        properness="proper",
        needs="either",
        reference="sklearn.metrics.zero_one_loss",
        example="""\
>>> zero_one_loss([0, 1, 1], [0.1, 0.8, 0.4])
0.3333...""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        if block.index is not None:
            return block.misclassified.astype(np.float64)
        return 1.0 - block.target_by_class[block.predicted, block.rows]
