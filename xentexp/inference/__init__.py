"""Confidence intervals of losses and of differences of models, with their targets.

- `mean_interval`: the mean of the losses of rows, with an `Interval`;
- `paired_difference`: the difference of two models on the same rows, with a `Difference`;
- `metric_interval`, `metric_difference`: the same for metrics of the whole data set, such as AUC;
- `nested_cross_validation`: the expected loss of an algorithm, with an `Interval`;
- `compare_paired`: difference of two models over folds; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests;
- `equivalence`: whether a difference is better, practically equivalent or worse, given a margin;
- `best_set`: which models cannot be told from the best; `model_confidence_set` and `max_t` give
  other sets, by the bootstrap;
- `order_stability`: whether other splits of the same rows would keep the order of the models;
- `bootstrap_means`: means of many columns in the same resamples of the rows;
- `decompose`: miscalibration, discrimination and uncertainty of a proper loss, with a test of
  calibration; returns a `Decomposition`;
- `reliability_band`: reliability curve of two classes with the band of calibrated predictions;
- `murphy_curve`, `murphy_difference`: the cost of the decisions of two classes at every threshold,
  and its difference between two models with intervals;
- `segment_bias`: mean prediction minus observed rate in segments of the rows, as `Segment`;
- `cost_curve`: cost of decisions over the cutoff, the best cutoff and what it saves;
- `matrix_costs`: cost of the decisions of least expected cost, for any number of classes.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._cost import CostCurve, CostPoint, MatrixCosts, cost_curve, matrix_costs
from xentexp.inference._decomposition import Decomposition, decompose
from xentexp.inference._equivalence import Equivalence, equivalence
from xentexp.inference._intervals import Difference, Interval, mean_interval, paired_difference
from xentexp.inference._murphy import (
    MurphyCurve,
    MurphyDifference,
    murphy_curve,
    murphy_difference,
)
from xentexp.inference._nested import nested_cross_validation
from xentexp.inference._order import OrderStability, PairOrder, order_stability
from xentexp.inference._reliability import ReliabilityBand, reliability_band
from xentexp.inference._resampling import bootstrap_means
from xentexp.inference._segments import Segment, segment_bias
from xentexp.inference._several import (
    BestSet,
    ConfidenceSet,
    best_set,
    max_t,
    model_confidence_set,
)
from xentexp.inference._whole_sample import metric_difference, metric_interval

__all__ = [
    "BestSet",
    "Comparison",
    "ConfidenceSet",
    "CostCurve",
    "CostPoint",
    "Decomposition",
    "Difference",
    "Equivalence",
    "Interval",
    "MatrixCosts",
    "MurphyCurve",
    "MurphyDifference",
    "OrderStability",
    "PairOrder",
    "ReliabilityBand",
    "Segment",
    "best_set",
    "bootstrap_means",
    "compare_paired",
    "cost_curve",
    "decompose",
    "equivalence",
    "holm",
    "matrix_costs",
    "max_t",
    "mean_interval",
    "metric_difference",
    "metric_interval",
    "model_confidence_set",
    "murphy_curve",
    "murphy_difference",
    "nested_cross_validation",
    "order_stability",
    "paired_difference",
    "reliability_band",
    "segment_bias",
    "split_ratio",
]
