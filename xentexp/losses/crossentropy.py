"""Cross-entropy of labels or distributions, and its parts: entropy, divergence."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np

from xentexp.errors import InputError
from xentexp.losses.base import Facts, Loss
from xentexp.losses.block import Block
from xentexp.losses.links import FloatArray

_GOOD = "Good, I. J. (1952). Rational decisions. J. R. Stat. Soc. B 14, 107-114"
_SHANNON = "Shannon, C. E. (1948). A mathematical theory of communication. Bell Syst. Tech. J. 27"


@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """Negative log-likelihood of the target under the predicted distribution."""

    name: ClassVar[str] = "categorical_crossentropy"
    facts: ClassVar[Facts] = Facts(
        summary="Cross-entropy of labels, one-hot or soft targets and class probabilities.",
        formula="-sum_j t_j log p_j",
        range="[0, inf)",
        properness="strictly proper",
        needs="probabilities",
        smoothing=True,
        reference=f"{_GOOD}; sklearn.metrics.log_loss; keras CategoricalCrossentropy",
        example="""\
>>> categorical_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
1.1769...
>>> categorical_crossentropy(["lo", "hi"], [[2.0, 0.5], [0.1, 1.0]],
...                          labels=["hi", "lo"], from_logits=True)
1.4712...""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return block.cross_entropy


@dataclass(frozen=True)
class BinaryCrossentropy(CategoricalCrossentropy):
    """Cross-entropy of two classes."""

    name: ClassVar[str] = "binary_crossentropy"
    facts: ClassVar[Facts] = Facts(
        summary="Cross-entropy of two classes: log loss.",
        formula="-y log p - (1 - y) log(1 - p)",
        range="[0, inf)",
        properness="strictly proper",
        needs="probabilities",
        binary_only=True,
        smoothing=True,
        reference=f"{_GOOD}; torch BCELoss, BCEWithLogitsLoss; keras BinaryCrossentropy",
        example="""\
>>> binary_crossentropy([0, 1, 1], [0.1, 0.8, 0.6])
0.2797...
>>> binary_crossentropy([1], [-200.0], from_logits=True)
200.0""",
    )


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """Cross-entropy of labels, given as such and not as a column per class."""

    name: ClassVar[str] = "sparse_categorical_crossentropy"
    facts: ClassVar[Facts] = Facts(
        summary="Cross-entropy of labels, given as such, and class probabilities.",
        formula="-log p_y",
        range="[0, inf)",
        properness="strictly proper",
        needs="probabilities",
        targets="labels",
        smoothing=True,
        reference=f"{_GOOD}; keras SparseCategoricalCrossentropy; torch CrossEntropyLoss",
        example="""\
>>> sparse_categorical_crossentropy([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], reduction="none")
array([0.0512..., 2.3025...])""",
    )


@dataclass(frozen=True)
class Entropy(Loss):
    """Entropy of the predicted distribution: how sharp the prediction is."""

    name: ClassVar[str] = "entropy"
    facts: ClassVar[Facts] = Facts(
        summary="Entropy of a distribution; of predictions: the log loss they promise.",
        formula="-sum_j p_j log p_j",
        range="[0, log k]",
        properness="-",
        needs="probabilities",
        direction="none",
        targets="none",
        distributions=True,
        reference=_SHANNON,
        example="""\
>>> entropy([0.5, 0.5])
0.6931...
>>> entropy([[1 / 6] * 6, [1, 0, 0, 0, 0, 0]], reduction="none")
array([1.7917..., 0.        ])""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        return block.entropy


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy of two distributions, with an additive delta inside the logarithm.

    Parameters
    ----------
    delta : float
        Added to ``q`` before the logarithm, as textbooks do to avoid ``log 0``.
    """

    name: ClassVar[str] = "cross_entropy"
    facts: ClassVar[Facts] = Facts(
        summary="Cross-entropy of two distributions.",
        formula="-sum_j p_j log(q_j + delta)",
        range="[0, inf]",
        properness="strictly proper",
        needs="probabilities",
        distributions=True,
        reference=f"{_SHANNON}; {_GOOD}",
        example="""\
>>> cross_entropy([0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], delta=1e-10)
0.6931471803599453""",
    )
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.delta, Real) and 0.0 <= self.delta < np.inf):
            raise InputError(f"delta must be >= 0 and finite; got {self.delta!r}")

    def per_sample(self, block: Block) -> FloatArray:
        if self.delta == 0.0:
            return block.cross_entropy
        if block.index is not None:
            return 0.0 - np.log(block.true_proba + self.delta)
        return 0.0 - block.expected(np.log(block.proba_by_class + self.delta))


@dataclass(frozen=True)
class KLDivergence(Loss):
    """Kullback-Leibler divergence: cross-entropy less the entropy of the target."""

    name: ClassVar[str] = "kl_divergence"
    facts: ClassVar[Facts] = Facts(
        summary="Kullback-Leibler divergence of the second distribution from the first.",
        formula="sum_j p_j log(p_j / q_j)",
        range="[0, inf]",
        properness="strictly proper",
        needs="probabilities",
        distributions=True,
        reference="Kullback, S., Leibler, R. A. (1951). On information and sufficiency. "
        "Ann. Math. Stat. 22, 79-86; scipy.special.rel_entr",
        example="""\
>>> kl_divergence([0.5, 0.5], [0.9, 0.1])
0.5108...
>>> kl_divergence([0.5, 0.5], [1.0, 0.0])
inf""",
    )

    def per_sample(self, block: Block) -> FloatArray:
        if block.index is not None:
            return block.cross_entropy  # the entropy of one label is 0
        target = block.target_by_class
        log_target = np.log(np.where(target > 0, target, 1.0))
        return block.expected(log_target - block.log_proba_by_class)
