"""Metrics of the predicted class: precision, recall, F1, balanced accuracy, Matthews correlation.

scikit-learn computes them from the predicted classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.checked import InputTraits
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, check_choice, parameter
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import register_metric

_AVERAGES = ("macro", "weighted", "micro")
_PREDICTED = (
    "For two classes, the second is the positive class; it is predicted if its probability is\n"
    "above `threshold`, or its decision score above 0. For three or more classes, the class with\n"
    "the largest probability or score is predicted (the first one if there are ties)."
)
_AVERAGED = (
    "\nWith three or more classes, each is the positive class in turn; see `average`. A ratio of\n"
    "0 / 0 counts as 0, as with ``zero_division=0`` in scikit-learn."
)


@dataclass(frozen=True)
class _OfPredictedClass(DatasetMetric):
    """Base of metrics of the predicted class."""

    threshold: float = parameter(
        0.5,
        "float",
        "Only for two classes: the second class is predicted if its probability is above this\n"
        "number in [0, 1].",
    )

    def __post_init__(self) -> None:
        threshold: object = self.threshold
        is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
        if not (is_number and 0.0 <= self.threshold <= 1.0):
            raise InputError(f"threshold must be a number in [0, 1]; got {threshold!r}")

    def why_not(self, traits: InputTraits) -> str | None:
        if self.threshold != 0.5 and traits.n_classes != 2:
            return f"accepts a threshold only for two classes; there are {traits.n_classes}"
        if self.threshold != 0.5 and not traits.has_proba:
            return "needs probabilities for a threshold; leave out threshold, or pass probabilities"
        return super().why_not(traits)

    def rows(self, data: MetricInput) -> tuple[IntArray, IntArray, FloatArray | None]:
        """Columns of the true and the predicted class, and weights: of rows, or of equal rows."""
        pieces = iter(data.pieces())
        first = next(pieces)
        if first is data:
            return data.index, self.predicted(data), data.weight
        n_classes = data.n_classes
        total = np.zeros(n_classes * n_classes)
        for piece in chain([first], pieces):
            cell = piece.index * n_classes + self.predicted(piece)
            total += np.bincount(cell, weights=piece.weight, minlength=len(total))
        [cell] = np.nonzero(total)
        return cell // n_classes, cell % n_classes, total[cell]

    def predicted(self, data: MetricInput) -> IntArray:
        """Column of the predicted class of each row."""
        if self.threshold == 0.5:
            return data.predicted
        return np.asarray(data.proba_by_class[1] > self.threshold, dtype=np.intp)


@dataclass(frozen=True)
class _Averaged(_OfPredictedClass):
    """Base of metrics of one class against the rest; a mean over three or more classes."""

    average: Literal["macro", "weighted", "micro"] = parameter(
        "macro",
        '{"macro", "weighted", "micro"}',
        'Only for three or more classes. "macro": all classes have the same weight in the mean.\n'
        '"weighted": each is weighted by its proportion of the rows. "micro": true and false\n'
        "positives and negatives are counted over all classes together, so that precision, recall\n"
        "and F1 are equal to the accuracy.",
    )
    measure: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("average", self.average, _AVERAGES)

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import precision_recall_fscore_support

        binary = data.n_classes == 2
        true, predicted, weight = self.rows(data)
        values = precision_recall_fscore_support(
            true,
            predicted,
            labels=[1] if binary else list(range(data.n_classes)),
            average="macro" if binary else self.average,
            sample_weight=weight,
            zero_division=0,
        )
        return float(values[self.measure])


@register_metric
@dataclass(frozen=True)
class PrecisionScore(_Averaged):
    """Proportion of true positives among the rows predicted as positive."""

    function: ClassVar[str] = "precision_score"
    measure: ClassVar[int] = 0
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Precision: proportion of true positives among the rows predicted as positive.",
        formula="true positives / (true positives + false positives)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="sklearn.metrics.precision_score",
        notes=_PREDICTED + _AVERAGED,
        peers=("sklearn.metrics.precision_score", "torchmetrics.Precision"),
        example=">>> precision_score([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.8])\n0.666...",
    )


@register_metric
@dataclass(frozen=True)
class RecallScore(_Averaged):
    """Proportion of the rows of a class that are predicted as this class."""

    function: ClassVar[str] = "recall_score"
    measure: ClassVar[int] = 1
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Recall (sensitivity): proportion of true positives among the positive rows.",
        formula="true positives / (true positives + false negatives)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="sklearn.metrics.recall_score",
        notes=_PREDICTED + _AVERAGED,
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
        summary="F1 score: harmonic mean of precision and recall.",
        formula="2 precision recall / (precision + recall)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="van Rijsbergen, C. J. (1979). Information Retrieval, ch. 7; "
        "sklearn.metrics.f1_score",
        notes=_PREDICTED + _AVERAGED,
        peers=("sklearn.metrics.f1_score", "torchmetrics.F1Score", "keras.metrics.F1Score"),
        example=">>> f1_score([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])\n0.5",
    )


@register_metric
@dataclass(frozen=True)
class BalancedAccuracy(_OfPredictedClass):
    """Mean over the classes of the proportion of their rows that are predicted correctly."""

    function: ClassVar[str] = "balanced_accuracy"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Balanced accuracy: mean of the recall of each class.",
        formula="mean_j (rows of class j predicted as class j / rows of class j)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Brodersen, K. H. et al. (2010). The balanced accuracy and its posterior "
        "distribution. ICPR;\nsklearn.metrics.balanced_accuracy_score",
        notes=f"{_PREDICTED}\nClasses without rows are left out of the mean, as in scikit-learn.",
        peers=("sklearn.metrics.balanced_accuracy_score",),
        example=">>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])\n0.833...",
    )

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import recall_score

        true, predicted, weight = self.rows(data)
        return float(
            recall_score(
                true,
                predicted,
                labels=np.flatnonzero(data.class_weight_sum).tolist(),
                average="macro",
                sample_weight=weight,
                zero_division=0,
            )
        )


@register_metric
@dataclass(frozen=True)
class MatthewsCorrelation(_OfPredictedClass):
    """Correlation of true and predicted classes."""

    function: ClassVar[str] = "matthews_corrcoef"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Matthews correlation coefficient (MCC, phi) of true and predicted classes.",
        formula="cov(true, predicted) / sqrt(cov(true, true) cov(predicted, predicted))",
        range="[-1, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Gorodkin, J. (2004). Comparing two K-category assignments by a K-category\n"
        "correlation coefficient. Comput. Biol. Chem. 28; sklearn.metrics.matthews_corrcoef",
        notes=_PREDICTED + "\nThe covariances are of one-hot rows. The value is 0 if there is a "
        "single true class or a single\npredicted class, as in scikit-learn.",
        peers=("sklearn.metrics.matthews_corrcoef", "torchmetrics.MatthewsCorrCoef"),
        example=">>> matthews_corrcoef([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.8])\n0.577...",
    )

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import matthews_corrcoef

        true, predicted, weight = self.rows(data)
        return float(matthews_corrcoef(true, predicted, sample_weight=weight))
