"""Confidence intervals of losses and of differences of models, with their targets.

- `mean_interval`: the mean of the losses of rows, with an `Interval`;
- `paired_difference`: the difference of two models on the same rows, with a `Difference`;
- `compare_paired`: difference of two models over folds; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests;
- `equivalence`: whether a difference is better, practically equivalent or worse, given a margin;
- `order_stability`: whether other splits of the same rows would keep the order of the models.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._equivalence import Equivalence, equivalence
from xentexp.inference._intervals import Difference, Interval, mean_interval, paired_difference
from xentexp.inference._order import OrderStability, PairOrder, order_stability

__all__ = [
    "Comparison",
    "Difference",
    "Equivalence",
    "Interval",
    "OrderStability",
    "PairOrder",
    "compare_paired",
    "equivalence",
    "holm",
    "mean_interval",
    "order_stability",
    "paired_difference",
    "split_ratio",
]
