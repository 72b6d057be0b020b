"""Metrics of the ranking of rows by their predictions, e.g. AUC; calibration has no effect."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, check_choice, parameter
from xentexp.metrics._metric_input import MetricInput, roc
from xentexp.metrics._registry import register_metric

_UNDEFINED = "The value is undefined if a class has no rows."


def _check_all_classes(name: str, data: MetricInput) -> None:
    absent = [data.classes[column] for column in np.flatnonzero(data.class_weight_sum == 0.0)]
    if absent:
        raise UndefinedError(f"{name} is undefined: there are no rows of class {absent[0]!r}")


@register_metric
@dataclass(frozen=True)
class RocAuc(DatasetMetric):
    """Area under the ROC curve."""

    function: ClassVar[str] = "roc_auc"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Area under the ROC curve (AUC): probability that a row of the second class ranks "
        "above a row of the first class.",
        formula="P(s+ > s-) + P(s+ = s-) / 2",
        range="[0, 1]",
        direction="higher",
        optimum=1.0,
        response="either",
        reference="Hanley, J. A. & McNeil, B. J. (1982). The meaning and use of the area under a "
        "ROC curve.\nRadiology 143(1). More classes: Hand, D. J. & Till, R. J. (2001). Machine "
        "Learning 45.\nComputed by scikit-learn's `roc_curve` and `auc`.",
        notes="Here s+ is the score of a random row of the second class and s- the score of a "
        "random row of\nthe first class.\n\nA random ranking has 0.5; a value below 0.5 means that "
        "the ranking is reversed.\n" + _UNDEFINED,
        peers=(
            "sklearn.metrics.roc_auc_score",
            "torchmetrics.AUROC",
        ),
        example=">>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.75",
    )

    multiclass: Literal["ovr", "ovo"] = parameter(
        "ovr",
        '{"ovr", "ovo"}',
        'Only for three or more classes. "ovr": mean of the AUC of each class against the rest.\n'
        '"ovo": mean of the AUC over all pairs of classes, where each pair is ranked by the\n'
        "scores of either class in turn (the M of Hand & Till).",
    )
    average: Literal["macro", "weighted"] = parameter(
        "macro",
        '{"macro", "weighted"}',
        'Only for three or more classes. "macro": all classes (or pairs) have the same weight in\n'
        'the mean. "weighted": each is weighted by its proportion of the rows.',
    )

    def __post_init__(self) -> None:
        check_choice("multiclass", self.multiclass, ("ovr", "ovo"))
        check_choice("average", self.average, ("macro", "weighted"))

    def value(self, data: MetricInput) -> float:
        _check_all_classes(self.name, data)
        if data.n_classes == 2:
            return data.roc_area(1)
        class_weight_sum = data.class_weight_sum
        areas, weights = [], []
        if self.multiclass == "ovr":
            areas = [data.roc_area(column) for column in range(data.n_classes)]
            weights = list(class_weight_sum)
        else:
            index, weight = data.index, data.weight
            for pair in combinations(range(data.n_classes), 2):
                rows = np.isin(index, pair)
                row_weight = None if weight is None else weight[rows]
                curves = [roc(index[rows] == c, data.ranking(c)[rows], row_weight) for c in pair]
                areas.append(sum(float(np.trapezoid(t, f)) for f, t in curves) / 2.0)
                weights.append(class_weight_sum[list(pair)].sum())
        return float(np.average(areas, weights=None if self.average == "macro" else weights))


@register_metric
@dataclass(frozen=True)
class Gini(RocAuc):
    """Twice the area under the ROC curve, minus one."""

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
        notes="Here s+ is the score of a random row of the second class and s- the score of a "
        "random row of\nthe first class.\n\nA random ranking has 0. The Gini impurity of decision "
        "trees is a different quantity.\n" + _UNDEFINED,
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
        notes="The sum is over the thresholds t from the highest score to the lowest; recall and "
        "precision\nare of the rows with a score of at least t.\n\nA random ranking has the "
        "proportion of the class among the rows. For two classes the value is\nthat of the second "
        "class; for more, the mean over each class against the rest.\n" + _UNDEFINED,
        peers=("sklearn.metrics.average_precision_score", "torchmetrics.AveragePrecision"),
        example=">>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.833...",
    )

    average: Literal["macro", "weighted"] = parameter(
        "macro",
        '{"macro", "weighted"}',
        'Only for three or more classes. "macro": all classes have the same weight in the mean.\n'
        '"weighted": each is weighted by its proportion of the rows.',
    )

    def __post_init__(self) -> None:
        check_choice("average", self.average, ("macro", "weighted"))

    def value(self, data: MetricInput) -> float:
        _check_all_classes(self.name, data)
        columns = [1] if data.n_classes == 2 else range(data.n_classes)
        areas = [self._area(data, column) for column in columns]
        weighted = self.average == "weighted" and data.n_classes > 2
        return float(np.average(areas, weights=data.class_weight_sum if weighted else None))

    def _area(self, data: MetricInput, column: int) -> float:
        positive = data.class_weight_sum[column] / data.class_weight_sum.sum()
        area = 0.0
        for false_rate, true_rate in data.roc_pieces(column):
            of_class = positive * true_rate[1:]
            predicted = of_class + (1.0 - positive) * false_rate[1:]
            precision = np.divide(of_class, predicted, out=predicted, where=predicted > 0.0)
            area += float(np.diff(true_rate) @ precision)
        return area


@register_metric
@dataclass(frozen=True)
class KsStatistic(DatasetMetric):
    """Largest distance between the score distributions of the classes."""

    function: ClassVar[str] = "ks_statistic"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Kolmogorov-Smirnov statistic: largest distance between the score distributions of "
        "two classes.",
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
        notes="Here F0 and F1 are the cumulative distributions of the scores of the first and the "
        "second\nclass.\n\nThe statistic is two-sided: a reversed ranking has the same value.\n"
        + _UNDEFINED,
        peers=("scipy.stats.ks_2samp",),
        example=">>> ks_statistic([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])\n0.5",
    )

    def value(self, data: MetricInput) -> float:
        _check_all_classes(self.name, data)
        return max(float(np.abs(true - false).max()) for false, true in data.roc_pieces(1))


@register_metric
@dataclass(frozen=True)
class HMeasure(DatasetMetric):
    """Expected cost of misclassification that is avoided, relative to a trivial classifier."""

    function: ClassVar[str] = "h_measure"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="H-measure: proportion of the expected cost of misclassification that the ranking "
        "avoids.",
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
        notes="Here c is the cost of a false positive (a row of the first class that is predicted "
        "as the\nsecond) and 1 - c the cost of a false negative; L(c, t) is the mean cost at "
        "threshold t; u is\nthe density of c; pi0 and pi1 are the proportions of the first and the "
        "second class.\n\nThe value is relative to the cost of predicting the same class for every "
        "row. For each c the\nbest threshold is used, so only the ranking of the scores matters. A "
        "reversed ranking has 0\n(R's `hmeasure` reverses it, with a warning). Unlike for the AUC, "
        "all classifiers have the\nsame distribution of costs.\n" + _UNDEFINED,
        peers=("hmeasure.h_score",),
        example=">>> round(h_measure([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)\n0.5",
    )

    cost: float | Literal["prior", "severity"] = parameter(
        1.0,
        'float or {"prior", "severity"}',
        "Distribution of c. A number r above 0 is the ratio of the cost of a false positive to\n"
        "the cost of a false negative, and c has the distribution Beta(2, 1 + 1 / r); the default\n"
        '1 gives Beta(2, 2), as in Hand (2009). "prior" gives Beta(1 + pi1, 1 + pi0), the default\n'
        'of Hand & Anagnostopoulos (2014). "severity" sets r = pi1 / pi0, the default of R\'s\n'
        "`hmeasure` package.",
    )

    def __post_init__(self) -> None:
        if isinstance(self.cost, str):
            check_choice("cost", self.cost, ("prior", "severity"))
        elif isinstance(self.cost, bool) or not (
            isinstance(self.cost, Real) and 0.0 < self.cost <= sys.float_info.max
        ):
            raise InputError(
                f"cost must be a finite number above 0, 'prior' or 'severity'; got {self.cost!r}"
            )

    def value(self, data: MetricInput) -> float:
        _check_all_classes(self.name, data)
        pi0, pi1 = data.class_weight_sum / data.class_weight_sum.sum()
        if self.cost == "prior":
            shape = 1.0 + pi1, 1.0 + pi0
        else:
            shape = 2.0, 1.0 + 1.0 / (pi1 / pi0 if self.cost == "severity" else float(self.cost))
        rate, mass = _hull(data.roc_pieces(1), pi0, pi1)
        trivial = _expected_cost(np.array([pi1]), np.array([1.0]), *shape)
        return max(0.0, 1.0 - _expected_cost(rate, mass, *shape) / trivial)


def _hull(
    curve: Iterable[tuple[FloatArray, FloatArray]], pi0: float, pi1: float
) -> tuple[FloatArray, FloatArray]:
    """Segments of the convex hull of a ROC curve: rate of the second class and mass of each."""
    # The hull of the curve is the hull of the hulls of its pieces.
    rates, masses = [], []
    for false_rate, true_rate in curve:
        second, mass = pi1 * np.diff(true_rate), pi0 * np.diff(false_rate)
        mass += second
        filled = mass > 0.0
        rate, mass = _isotonic(second[filled] / mass[filled], mass[filled])
        rates.append(rate)
        masses.append(mass)
    if len(rates) == 1:
        return rates[0], masses[0]
    return _isotonic(np.concatenate(rates), np.concatenate(masses))


def _isotonic(rate: FloatArray, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rate and mass of the blocks of the decreasing isotonic regression of the rates."""
    from scipy.optimize import isotonic_regression

    if not len(rate):
        return rate, mass
    fit = isotonic_regression(rate, weights=mass, increasing=False)
    starts = fit.blocks[:-1]
    return np.clip(fit.x[starts], 0.0, 1.0), np.add.reduceat(mass, starts)


def _expected_cost(rate: FloatArray, mass: FloatArray, a: float, b: float) -> float:
    """Expected cost of the best decisions for c ~ Beta(a, b), for groups with these rates."""
    from scipy.special import betainc

    # A group is predicted as the second class if its rate exceeds c. It then costs
    # c (1 - rate); otherwise it costs (1 - c) rate.
    false_positive = (1.0 - rate) * a / (a + b) * betainc(a + 1.0, b, rate)
    false_negative = rate * b / (a + b) * (1.0 - betainc(a, b + 1.0, rate))
    return float(mass @ (false_positive + false_negative))
