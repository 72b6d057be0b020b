"""Several labels in a row: a loss of two classes for each column."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray
from xentexp.errors import unknown_name
from xentexp.losses._base import Loss, Pair, Properties
from xentexp.losses._crossentropy import BinaryCrossentropy
from xentexp.losses._focal import AsymmetricLoss
from xentexp.losses._registry import register_loss

_SCALES = ("mean", "sum")


@dataclass(frozen=True)
class MultilabelLoss(Loss):
    """A loss of two classes on each column, on the sigmoid of its raw score."""

    over_labels: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if self.over_labels not in _SCALES:
            raise unknown_name("over_labels", self.over_labels, _SCALES)

    @abstractmethod
    def of_one(self) -> Loss:
        """The loss of one column."""

    def _scale(self, block: Block) -> float:
        return 1.0 / block.n_classes if self.over_labels == "mean" else 1.0

    def _columns(self, block: Block) -> Block:
        """All columns below each other, as two classes."""
        target = block.target_by_class.reshape(-1)
        proba = None if block.proba is None else np.ascontiguousarray(block.proba.T).reshape(-1)
        logits = None if block.logits is None else np.ascontiguousarray(block.logits.T).reshape(-1)
        return Block(
            n_classes=2,
            soft=np.stack([1.0 - target, target], axis=1),
            proba=proba,
            logits=logits,
            clip=block.clip,
        )

    def block_values(self, block: Block) -> FloatArray:
        values = self.of_one().block_values(self._columns(block))
        total: FloatArray = values.reshape(block.n_classes, -1).sum(axis=0)
        return total * self._scale(block)

    def block_loss_gradient(self, block: Block) -> Pair:
        values, gradient = self.of_one().block_loss_gradient(self._columns(block))
        shape, scale = (block.n_classes, -1), self._scale(block)
        return values.reshape(shape).sum(axis=0) * scale, scale * gradient[1].reshape(shape)

    def block_gradient_hessian(self, block: Block) -> Pair:
        first, second = self.of_one().block_gradient_hessian(self._columns(block))
        shape, scale = (block.n_classes, -1), self._scale(block)
        return scale * first[1].reshape(shape), scale * second[1].reshape(shape)


@register_loss
@dataclass(frozen=True)
class MultilabelCrossentropy(MultilabelLoss):
    """Binary cross-entropy of each column.

    Parameters
    ----------
    over_labels : {"mean", "sum"}
        How the columns of a row become one number.
    """

    name: ClassVar[str] = "multilabel_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Binary cross-entropy of each of several labels.",
        formula="1/k sum_j -y_j log p_j - (1 - y_j) log(1 - p_j)",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="multilabel",
        smoothing=True,
        clip=True,
        link="sigmoid",
        convex=True,
        reference="torch BCEWithLogitsLoss and keras BinaryCrossentropy on a matrix; optax "
        "sigmoid_binary_cross_entropy",
        peers=("torch.nn.MultiLabelSoftMarginLoss",),
        example="""\
>>> multilabel_crossentropy([[1, 1, 0]], [[0.5, 0.5, 0.5]])
0.6931...""",
    )

    def of_one(self) -> Loss:
        return BinaryCrossentropy()


@register_loss
@dataclass(frozen=True)
class MultilabelAsymmetricLoss(MultilabelLoss):
    """Asymmetric loss of each column.

    Parameters
    ----------
    over_labels : {"mean", "sum"}
        How the columns of a row become one number; the paper's code takes the sum.
    gamma_positive, gamma_negative : float
        Focus of labels that are there, and of those that are not; with 0 for these the loss
        has a kink at the margin.
    margin : float
        Probability that a label that is not there may have at no cost.
    """

    name: ClassVar[str] = "multilabel_asymmetric_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Asymmetric focal loss of each of several labels.",
        formula="1/k sum_j asymmetric_loss(y_j, p_j)",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="multilabel",
        link="sigmoid",
        clip=True,
        reference="Ridnik, T. et al. (2021). Asymmetric loss for multi-label classification. ICCV",
        example="""\
>>> multilabel_asymmetric_loss([[1, 0]], [[0.5, 0.55]], over_labels="sum")
0.3898...""",
    )
    gamma_positive: float = 1.0
    gamma_negative: float = 4.0
    margin: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        self.of_one()  # which checks the parameters

    def of_one(self) -> Loss:
        return AsymmetricLoss(self.gamma_positive, self.gamma_negative, self.margin)
