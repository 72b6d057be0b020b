"""Multilabel losses: each row has several labels, and each label is a column with its own loss."""

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
    """Base of multilabel losses: a loss for two classes of each column and its sigmoid."""

    over_labels: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if not (isinstance(self.over_labels, str) and self.over_labels in _SCALES):
            raise unknown_name("over_labels", self.over_labels, _SCALES)

    @abstractmethod
    def of_one(self) -> Loss:
        """Loss of a single column."""

    def _scale(self, block: Block) -> float:
        return 1.0 / block.n_classes if self.over_labels == "mean" else 1.0

    def _columns(self, block: Block) -> Block:
        """Block with all columns stacked into one, as two classes: label absent and present."""
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
        How the values of the labels of a row are combined: their mean or their sum.
    """

    name: ClassVar[str] = "multilabel_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Multilabel cross-entropy: mean binary cross-entropy over the labels of a row.",
        formula="1/k sum_j -y_j log p_j - (1 - y_j) log(1 - p_j)",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="multilabel",
        smoothing=True,
        clip=True,
        link="sigmoid",
        convex=True,
        reference="torch BCEWithLogitsLoss and keras BinaryCrossentropy of a matrix; optax "
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
    """Asymmetric focal loss of each column.

    Parameters
    ----------
    over_labels : {"mean", "sum"}
        How the values of the labels of a row are combined: their mean or, as in the code of the
        paper, their sum.
    gamma_positive, gamma_negative : float
        Focusing exponents, from 0 to 1e6, of labels that are present (positive) and absent
        (negative): larger values give less weight to well-predicted labels. With
        ``gamma_negative=0`` the loss has a kink at the margin.
    margin : float
        Probability in [0, 1]: an absent label has loss 0 if its predicted probability is at most
        `margin`.
    """

    name: ClassVar[str] = "multilabel_asymmetric_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Multilabel asymmetric focal loss, averaged over the labels of a row.",
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
        self.of_one()  # checks the parameters

    def of_one(self) -> Loss:
        return AsymmetricLoss(self.gamma_positive, self.gamma_negative, self.margin)
