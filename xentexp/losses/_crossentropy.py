"""Cross-entropy of labels or target distributions and class probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray
from xentexp.losses._base import Loss, Pair, Properties, check_number
from xentexp.losses._registry import register_loss

_GOOD = "Good, I. J. (1952). Rational decisions. J. R. Stat. Soc. B 14, 107-114"


@dataclass(frozen=True)
class Crossentropy(Loss):
    """Base of the cross-entropies, which differ in the targets that they accept."""

    def block_values(self, block: Block) -> FloatArray:
        return block.cross_entropy

    def block_gradient_hessian(self, block: Block) -> Pair:
        return block.crossentropy_derivatives()

    def block_loss_gradient(self, block: Block) -> Pair:
        return block.cross_entropy, block.crossentropy_gradient()


@register_loss
@dataclass(frozen=True)
class BinaryCrossentropy(Crossentropy):
    """Cross-entropy for two classes."""

    name: ClassVar[str] = "binary_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Cross-entropy for two classes, also called log loss.",
        formula="-y log p - (1 - y) log(1 - p)",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        binary_only=True,
        smoothing=True,
        clip=True,
        convex=True,
        reference=f"{_GOOD}; torch BCELoss, BCEWithLogitsLoss; keras BinaryCrossentropy",
        peers=(
            "torch.nn.BCELoss",
            "torch.nn.BCEWithLogitsLoss",
            "keras.losses.BinaryCrossentropy",
            "optax.losses.sigmoid_binary_cross_entropy",
            "lightgbm.binary_logloss",
            "xgboost.logloss",
            "catboost.Logloss",
        ),
        example="""\
>>> binary_crossentropy([0, 1, 1], [0.1, 0.8, 0.6])
0.2797...
>>> binary_crossentropy([1], [-200.0], from_logits=True)
200.0""",
    )


@register_loss
@dataclass(frozen=True)
class CategoricalCrossentropy(Crossentropy):
    """Negative log-likelihood of the target under the predicted distribution."""

    name: ClassVar[str] = "categorical_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Cross-entropy for any number of classes, with labels or target distributions.",
        formula="-sum_j t_j log p_j",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        smoothing=True,
        clip=True,
        convex=True,
        reference=f"{_GOOD}; sklearn.metrics.log_loss; keras CategoricalCrossentropy",
        peers=(
            "sklearn.metrics.log_loss",
            "keras.losses.CategoricalCrossentropy",
            "torch.nn.CrossEntropyLoss",
            "optax.losses.softmax_cross_entropy",
            "lightgbm.multi_logloss",
            "xgboost.mlogloss",
            "catboost.MultiClass",
        ),
        example="""\
>>> categorical_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
1.1769...
>>> categorical_crossentropy(["lo", "hi"], [[2.0, 0.5], [0.1, 1.0]],
...                          labels=["hi", "lo"], from_logits=True)
1.4712...""",
    )


@register_loss
@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Crossentropy):
    """Cross-entropy for labels, without one-hot targets."""

    name: ClassVar[str] = "sparse_categorical_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Cross-entropy for any number of classes, with labels of shape (n,).",
        formula="-log p_y",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="labels",
        smoothing=True,
        clip=True,
        convex=True,
        reference=f"{_GOOD}; keras SparseCategoricalCrossentropy; torch CrossEntropyLoss",
        peers=(
            "keras.losses.SparseCategoricalCrossentropy",
            "torch.nn.NLLLoss",
            "optax.losses.softmax_cross_entropy_with_integer_labels",
        ),
        example="""\
>>> sparse_categorical_crossentropy([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], reduction="none")
array([0.0512..., 2.3025...])""",
    )


@register_loss
@dataclass(frozen=True)
class LogarithmicScore(Loss):
    """Cross-entropy with any base of the logarithm.

    Parameters
    ----------
    base : float
        Base of the logarithm, above 1: 2 gives bits, e gives nats. The value is the cross-entropy
        divided by ``log(base)``.
    """

    name: ClassVar[str] = "logarithmic_score"
    properties: ClassVar[Properties] = Properties(
        summary="Logarithmic score: the cross-entropy in bits, with a logarithm of base 2.",
        formula="-log2 p_y",
        range="[0, inf)",
        properness="strictly proper",
        response="predict_proba",
        targets="soft",
        smoothing=True,
        clip=True,
        convex=True,
        reference=f"{_GOOD}; Roulston, M. S., Smith, L. A. (2002). Evaluating probabilistic "
        "forecasts using information theory. Mon. Weather Rev. 130, 1653-1660",
        example="""\
>>> logarithmic_score([0, 1], [[0.5, 0.5], [0.75, 0.25]], reduction="none")
array([1., 2.])
>>> logarithmic_score([1], [[0.9, 0.1]], base=10)
0.99...""",
    )
    base: float = 2.0

    def __post_init__(self) -> None:
        check_number("base", self.base, 1.0, np.inf, low_open=True)

    def block_values(self, block: Block) -> FloatArray:
        return np.asarray(block.cross_entropy / np.log(self.base))

    def block_gradient_hessian(self, block: Block) -> Pair:
        gradient, hessian = block.crossentropy_derivatives()
        scale = 1.0 / np.log(self.base)
        return gradient * scale, hessian * scale

    def block_loss_gradient(self, block: Block) -> Pair:
        return self.block_values(block), block.crossentropy_gradient() * (1.0 / np.log(self.base))
