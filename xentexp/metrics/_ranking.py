"""Discrimination: how well the predictions order the rows, whatever their calibration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, one_of, parameter
from xentexp.metrics._metric_input import MetricInput, roc
from xentexp.metrics._registry import register_metric

_UNDEFINED = "Undefined where a class has no rows. Decision scores will do for probabilities."


def _need_all_classes(label: str, data: MetricInput) -> None:
    absent = [data.classes[column] for column in np.flatnonzero(data.class_weight_sum == 0.0)]
    if absent:
        raise UndefinedError(f"{label} is undefined: there are no rows of class {absent[0]!r}")


def _area(curve: tuple[FloatArray, FloatArray]) -> float:
    from sklearn.metrics import auc

    return float(auc(*curve))


@register_metric
@dataclass(frozen=True)
class RocAuc(DatasetMetric):
    """Area under the ROC curve."""

    function: ClassVar[str] = "roc_auc"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Area under the ROC curve: how often a row of the second class ranks above one "
        "of the first.",
        formula="P(s+ > s-) + P(s+ = s-) / 2",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Hanley, J. A. & McNeil, B. J. (1982). The meaning and use of the area under a "
        "ROC curve.\nRadiology 143(1). More classes: Hand, D. J. & Till, R. J. (2001). Machine "
        "Learning 45.\nComputed by scikit-learn's `roc_curve` and `auc`.",
        notes="0.5 is a random order; less is one turned round.\n" + _UNDEFINED,
        peers=(
            "sklearn.metrics.roc_auc_score",
            "torchmetrics.AUROC",
        ),
        example=">>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.75",
    )

    multiclass: Literal["ovr", "ovo"] = parameter(
        "ovr",
        "{'ovr', 'ovo'}",
        "Three classes or more: each against the rest, or every pair, both ways round (Hand &\n"
        "Till's M).",
    )
    average: Literal["macro", "weighted"] = parameter(
        "macro",
        "{'macro', 'weighted'}",
        "Three classes or more: whether classes (pairs) count the same, or by their share.",
    )

    def __post_init__(self) -> None:
        one_of("multiclass", self.multiclass, ("ovr", "ovo"))
        one_of("average", self.average, ("macro", "weighted"))

    def value(self, data: MetricInput) -> float:
        _need_all_classes(self.name, data)
        if data.n_classes == 2:
            return _area(data.roc(1))
        index, weight, share = data.index, data.weight, data.class_weight_sum
        areas, weights = [], []
        if self.multiclass == "ovr":
            areas = [_area(data.roc(column)) for column in range(data.n_classes)]
            weights = list(share)
        else:
            for pair in combinations(range(data.n_classes), 2):
                rows = np.isin(index, pair)
                kept = None if weight is None else weight[rows]
                both = [roc(index[rows] == c, data.ranking(c)[rows], kept) for c in pair]
                areas.append(sum(map(_area, both)) / 2.0)
                weights.append(share[list(pair)].sum())
        return float(np.average(areas, weights=None if self.average == "macro" else weights))


@register_metric
@dataclass(frozen=True)
class Gini(RocAuc):
    """Twice the area under the ROC curve, less one."""

    function: ClassVar[str] = "gini"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Gini coefficient, the accuracy ratio of credit scoring: 2 AUC - 1.",
        formula="2 AUC - 1 = P(s+ > s-) - P(s+ < s-)",
        range="[-1, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Engelmann, B., Hayden, E. & Tasche, D. (2003). Testing rating accuracy. Risk "
        "16. Equal to\nSomers' D of the scores given the classes.",
        notes="0 is a random order. Not the impurity of decision trees.\n" + _UNDEFINED,
        example=">>> gini([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.5",
    )

    def value(self, data: MetricInput) -> float:
        return 2.0 * super().value(data) - 1.0


@register_metric
@dataclass(frozen=True)
class AveragePrecision(DatasetMetric):
    """Mean precision over the recalls, at every threshold."""

    function: ClassVar[str] = "average_precision"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Average precision: area under the precision-recall curve, as a step function.",
        formula="sum_t (recall_t - recall_{t-1}) precision_t",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Zhu, M. (2004). Recall, precision and average precision. University of "
        "Waterloo;\nsklearn.metrics.average_precision_score, which computes it",
        notes="A random order has the share of the class. Two classes: that of the second. More:\n"
        "each class against the rest, averaged.\n" + _UNDEFINED,
        peers=("sklearn.metrics.average_precision_score", "torchmetrics.AveragePrecision"),
        example=">>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.833...",
    )

    average: Literal["macro", "weighted"] = parameter(
        "macro",
        "{'macro', 'weighted'}",
        "Three classes or more: whether classes count the same, or by their share.",
    )

    def __post_init__(self) -> None:
        one_of("average", self.average, ("macro", "weighted"))

    def value(self, data: MetricInput) -> float:
        from sklearn.metrics import average_precision_score

        _need_all_classes(self.name, data)
        columns = [1] if data.n_classes == 2 else range(data.n_classes)
        areas = [
            average_precision_score(
                data.index == column, data.ranking(column), sample_weight=data.weight
            )
            for column in columns
        ]
        weighted = self.average == "weighted" and data.n_classes > 2
        return float(np.average(areas, weights=data.class_weight_sum if weighted else None))


@register_metric
@dataclass(frozen=True)
class KsStatistic(DatasetMetric):
    """Largest distance between the score distributions of the classes."""

    function: ClassVar[str] = "ks_statistic"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Kolmogorov-Smirnov statistic: the largest distance between the classes' score "
        "distributions.",
        formula="max_s |F0(s) - F1(s)|",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        binary_only=True,
        reference="Hodges, J. L. (1958). The significance probability of the Smirnov two-sample "
        "test. Ark. Mat. 3;\nThomas, L. C., Edelman, D. B. & Crook, J. N. (2002). Credit Scoring "
        "and its Applications, 7.4.\nThe two-sided statistic of SciPy's `ks_2samp`; computed "
        "from scikit-learn's `roc_curve`.",
        notes="Two-sided: scores that are turned round have the same value.\n" + _UNDEFINED,
        peers=("scipy.stats.ks_2samp",),
        example=">>> ks_statistic([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.5",
    )

    def value(self, data: MetricInput) -> float:
        _need_all_classes(self.name, data)
        false_rate, true_rate = data.roc(1)
        return float(np.abs(true_rate - false_rate).max())


@register_metric
@dataclass(frozen=True)
class HMeasure(DatasetMetric):
    """Share of the trivial classifier's expected cost that the scores take away."""

    function: ClassVar[str] = "h_measure"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="H-measure: share of the expected cost of misclassification that the order "
        "takes away.",
        formula="1 - int min_t L(c, t) u(c) dc / int min(pi0 c, pi1 (1 - c)) u(c) dc, "
        "u = Beta(a, b)",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        binary_only=True,
        reference="Hand, D. J. (2009). Measuring classifier performance: a coherent alternative "
        "to the area\nunder the ROC curve. Machine Learning 77; Hand, D. J. & Anagnostopoulos, C. "
        "(2014). A better\nBeta for the H measure of classification performance. Pattern "
        "Recognition Letters 40.",
        notes="c is the cost of a false alarm (first class taken for the second), 1 - c that of "
        "a miss.\nThe AUC lets the classifier choose the distribution of c; here it is one for "
        "all.\nThe threshold is the best for each c, so the scores matter by their order alone; "
        "scores\nthat are turned round have 0 (R's `hmeasure` turns them back, with a warning).\n"
        + _UNDEFINED,
        peers=("hmeasure.h_score",),
        example=">>> round(h_measure([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)\n0.5",
    )

    cost: float | Literal["prior", "severity"] = parameter(
        1.0,
        "float or {'prior', 'severity'}",
        "Distribution of c. A number r, how many times as bad a false alarm is as a miss:\n"
        "Beta(2, 1 + 1 / r), so that 1 is Hand's Beta(2, 2) of 2009. 'prior': Beta(1 + pi1,\n"
        "1 + pi0), the default of Hand & Anagnostopoulos (2014). 'severity': r = pi1 / pi0, the\n"
        "default of R's `hmeasure` package.",
    )

    def __post_init__(self) -> None:
        if isinstance(self.cost, str):
            one_of("cost", self.cost, ("prior", "severity"))
        elif not (isinstance(self.cost, Real) and 0.0 < self.cost < np.inf):
            raise InputError(
                f"cost must be a number above 0, 'prior' or 'severity'; got {self.cost}"
            )

    def value(self, data: MetricInput) -> float:
        _need_all_classes(self.name, data)
        pi0, pi1 = data.class_weight_sum / data.class_weight_sum.sum()
        if self.cost == "prior":
            shape = 1.0 + pi1, 1.0 + pi0
        else:
            shape = 2.0, 1.0 + 1.0 / (pi1 / pi0 if self.cost == "severity" else float(self.cost))
        rate, mass = _hull(*data.roc(1), pi0, pi1)
        trivial = _expected_cost(np.array([pi1]), np.array([1.0]), *shape)
        return max(0.0, 1.0 - _expected_cost(rate, mass, *shape) / trivial)


def _hull(
    false_rate: FloatArray, true_rate: FloatArray, pi0: float, pi1: float
) -> tuple[FloatArray, FloatArray]:
    """Edges of the convex hull of a ROC curve: share of the second class, and mass, of each."""
    from scipy.optimize import isotonic_regression

    second, mass = pi1 * np.diff(true_rate), pi0 * np.diff(false_rate)
    mass += second
    some = mass > 0.0
    second, mass = second[some], mass[some]
    fit = isotonic_regression(second / mass, weights=mass, increasing=False)
    starts = fit.blocks[:-1]
    return np.clip(fit.x[starts], 0.0, 1.0), np.add.reduceat(mass, starts)


def _expected_cost(rate: FloatArray, mass: FloatArray, a: float, b: float) -> float:
    """Cost of the best decisions, over c ~ Beta(a, b), for groups of which `rate` is positive."""
    from scipy.special import betainc

    alarm = (1.0 - rate) * a / (a + b) * betainc(a + 1.0, b, rate)
    miss = rate * b / (a + b) * (1.0 - betainc(a, b + 1.0, rate))
    return float(mass @ (alarm + miss))
