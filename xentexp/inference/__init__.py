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

from typing import TYPE_CHECKING

from xentexp._lazy_names import on_first_use

if TYPE_CHECKING:
    from xentexp.inference._comparison import Comparison as Comparison
    from xentexp.inference._comparison import compare_paired as compare_paired
    from xentexp.inference._comparison import holm as holm
    from xentexp.inference._comparison import split_ratio as split_ratio
    from xentexp.inference._cost import CostCurve as CostCurve
    from xentexp.inference._cost import CostPoint as CostPoint
    from xentexp.inference._cost import MatrixCosts as MatrixCosts
    from xentexp.inference._cost import cost_curve as cost_curve
    from xentexp.inference._cost import matrix_costs as matrix_costs
    from xentexp.inference._decomposition import Decomposition as Decomposition
    from xentexp.inference._decomposition import decompose as decompose
    from xentexp.inference._equivalence import Equivalence as Equivalence
    from xentexp.inference._equivalence import equivalence as equivalence
    from xentexp.inference._intervals import Difference as Difference
    from xentexp.inference._intervals import Interval as Interval
    from xentexp.inference._intervals import mean_interval as mean_interval
    from xentexp.inference._intervals import paired_difference as paired_difference
    from xentexp.inference._murphy import MurphyCurve as MurphyCurve
    from xentexp.inference._murphy import MurphyDifference as MurphyDifference
    from xentexp.inference._murphy import murphy_curve as murphy_curve
    from xentexp.inference._murphy import murphy_difference as murphy_difference
    from xentexp.inference._nested import nested_cross_validation as nested_cross_validation
    from xentexp.inference._order import OrderStability as OrderStability
    from xentexp.inference._order import PairOrder as PairOrder
    from xentexp.inference._order import order_stability as order_stability
    from xentexp.inference._reliability import ReliabilityBand as ReliabilityBand
    from xentexp.inference._reliability import reliability_band as reliability_band
    from xentexp.inference._resampling import bootstrap_means as bootstrap_means
    from xentexp.inference._segments import Segment as Segment
    from xentexp.inference._segments import segment_bias as segment_bias
    from xentexp.inference._several import BestSet as BestSet
    from xentexp.inference._several import ConfidenceSet as ConfidenceSet
    from xentexp.inference._several import best_set as best_set
    from xentexp.inference._several import max_t as max_t
    from xentexp.inference._several import model_confidence_set as model_confidence_set
    from xentexp.inference._whole_sample import metric_difference as metric_difference
    from xentexp.inference._whole_sample import metric_interval as metric_interval

_NAMES = {
    "_comparison": ("Comparison", "compare_paired", "holm", "split_ratio"),
    "_cost": ("CostCurve", "CostPoint", "MatrixCosts", "cost_curve", "matrix_costs"),
    "_decomposition": ("Decomposition", "decompose"),
    "_equivalence": ("Equivalence", "equivalence"),
    "_intervals": ("Difference", "Interval", "mean_interval", "paired_difference"),
    "_murphy": ("MurphyCurve", "MurphyDifference", "murphy_curve", "murphy_difference"),
    "_nested": ("nested_cross_validation",),
    "_order": ("OrderStability", "PairOrder", "order_stability"),
    "_reliability": ("ReliabilityBand", "reliability_band"),
    "_resampling": ("bootstrap_means",),
    "_segments": ("Segment", "segment_bias"),
    "_several": ("BestSet", "ConfidenceSet", "best_set", "max_t", "model_confidence_set"),
    "_whole_sample": ("metric_difference", "metric_interval"),
}

if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__, __dir__, __all__ = on_first_use(__name__, _NAMES)
