"""Paired comparisons of models over folds, with confidence intervals and tests.

- `compare_paired`: difference of two models, with interval and p-value; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests;
- `equivalence`: whether a difference is better, practically equivalent or worse, given a margin;
- `order_stability`: whether other splits of the same rows would keep the order of the models.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._equivalence import Equivalence, equivalence
from xentexp.inference._order import OrderStability, PairOrder, order_stability

__all__ = [
    "Comparison",
    "Equivalence",
    "OrderStability",
    "PairOrder",
    "compare_paired",
    "equivalence",
    "holm",
    "order_stability",
    "split_ratio",
]
