"""Metrics of the predicted class: precision, recall, F1, balanced accuracy, Matthews correlation.

Computed by scikit-learn from the class that each row is assigned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.checked import InputTraits
from xentexp._numerics import IntArray
from xentexp.errors import InputError
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, one_of, parameter
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import register_metric

_AVERAGES = ("macro", "weighted", "micro")
_ASSIGNED = (
    "Two classes: the second is the positive one, and a row is assigned to it where its\n"
    "probability is above `threshold`. More classes: the most probable one, the first of equals.\n"
    "Decision scores are cut at 0."
)
_ZERO = "0 / 0 counts as 0, as with scikit-learn's ``zero_division=0``."


@dataclass(frozen=True)
class _OfPredictedClass(DatasetMetric):
    """Base of metrics of the class that each row is assigned to."""

    threshold: float = parameter(
        0.5, "float", "Two classes: probability above which a row is assigned to the second."
    )

    def __post_init__(self) -> None:
        threshold: object = self.threshold
        number = isinstance(threshold, Real) and not isinstance(threshold, bool)
        if not (number and 0.0 <= float(self.threshold) <= 1.0):
            raise InputError(f"threshold must be a number in [0, 1]; got {threshold!r}")

    def why_not(self, given: InputTraits) -> str | None:
        if self.threshold != 0.5 and given.n_classes != 2:
            return f"takes a threshold for two classes only; there are {given.n_classes}"
        if self.threshold != 0.5 and not given.has_proba:
            return "needs probabilities to apply a threshold"
        return super().why_not(given)

    def predicted(self, data: MetricInput) -> IntArray:
        """Column of the class that each row is assigned to."""
        if self.threshold == 0.5:
            return data.predicted
        return np.asarray(data.proba_by_class[1] > self.threshold, dtype=np.intp)


@dataclass(frozen=True)
class _Averaged(_OfPredictedClass):
    """Base of metrics of one class against the rest, averaged over three classes or more."""

    average: Literal["macro", "weighted", "micro"] = parameter(
        "macro",
        "{'macro', 'weighted', 'micro'}",
        "Three classes or more: mean over the classes, mean by their share of the rows, or one\n"
        "count over all classes (then precision, recall and F1 are the accuracy).",
    )
    measure: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("average", self.average, _AVERAGES)

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import precision_recall_fscore_support

        binary = data.n_classes == 2
        values = precision_recall_fscore_support(
            data.index,
            self.predicted(data),
            labels=[1] if binary else list(range(data.n_classes)),
            average="macro" if binary else self.average,
            sample_weight=data.weight,
            zero_division=0,
        )
        return float(values[self.measure])


@register_metric
@dataclass(frozen=True)
class PrecisionScore(_Averaged):
    """Share of the rows assigned to a class that belong to it."""

    function: ClassVar[str] = "precision_score"
    measure: ClassVar[int] = 0
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Share of the rows assigned to the positive class that belong to it.",
        formula="true positives / (true positives + false positives)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="sklearn.metrics.precision_score",
        notes=f"{_ASSIGNED} {_ZERO}",
        peers=("sklearn.metrics.precision_score", "torchmetrics.Precision"),
        example=">>> precision_score([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.8])\n0.666...",
    )


@register_metric
@dataclass(frozen=True)
class RecallScore(_Averaged):
    """Share of the rows of a class that are assigned to it."""

    function: ClassVar[str] = "recall_score"
    measure: ClassVar[int] = 1
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Share of the rows of the positive class that are assigned to it: sensitivity.",
        formula="true positives / (true positives + false negatives)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="sklearn.metrics.recall_score",
        notes=f"{_ASSIGNED} {_ZERO}",
        peers=("sklearn.metrics.recall_score", "torchmetrics.Recall"),
        example=">>> recall_score([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])\n0.5",
    )


@register_metric
@dataclass(frozen=True)
class F1Score(_Averaged):
    """Harmonic mean of precision and recall."""

    function: ClassVar[str] = "f1_score"
    measure: ClassVar[int] = 2
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Harmonic mean of precision and recall.",
        formula="2 precision recall / (precision + recall)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="van Rijsbergen, C. J. (1979). Information Retrieval, ch. 7; "
        "sklearn.metrics.f1_score",
        notes=f"{_ASSIGNED} {_ZERO}",
        peers=("sklearn.metrics.f1_score", "torchmetrics.F1Score", "keras.metrics.F1Score"),
        example=">>> f1_score([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])\n0.5",
    )


@register_metric
@dataclass(frozen=True)
class BalancedAccuracy(_OfPredictedClass):
    """Mean over the classes of the share of their rows that is assigned to them."""

    function: ClassVar[str] = "balanced_accuracy"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Mean recall of the classes.",
        formula="mean_j (rows of class j assigned to it / rows of class j)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Brodersen, K. H. et al. (2010). The balanced accuracy and its posterior "
        "distribution. ICPR;\nsklearn.metrics.balanced_accuracy_score",
        notes=f"{_ASSIGNED}\nA class without rows is left out, as in scikit-learn.",
        peers=("sklearn.metrics.balanced_accuracy_score",),
        example=">>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])\n0.833...",
    )

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import recall_score

        return float(
            recall_score(
                data.index,
                self.predicted(data),
                labels=np.flatnonzero(data.class_weight_sum).tolist(),
                average="macro",
                sample_weight=data.weight,
                zero_division=0,
            )
        )


@register_metric
@dataclass(frozen=True)
class MatthewsCorrelation(_OfPredictedClass):
    """Correlation of true and predicted class."""

    function: ClassVar[str] = "matthews_corrcoef"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Matthews correlation coefficient (MCC, phi) of true and predicted class.",
        formula="cov(true, predicted) / sqrt(cov(true, true) cov(predicted, predicted))",
        range="[-1, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Gorodkin, J. (2004). Comparing two K-category assignments by a K-category\n"
        "correlation coefficient. Comput. Biol. Chem. 28; sklearn.metrics.matthews_corrcoef",
        notes=f"{_ASSIGNED}\n0 for a single true or predicted class, as in scikit-learn.",
        peers=("sklearn.metrics.matthews_corrcoef", "torchmetrics.MatthewsCorrCoef"),
        example=">>> matthews_corrcoef([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.8])\n0.577...",
    )

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import matthews_corrcoef

        return float(matthews_corrcoef(data.index, self.predicted(data), sample_weight=data.weight))
