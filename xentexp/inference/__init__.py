"""Confidence intervals of losses and of differences of models, with their targets.

- `mean_interval`: the mean of the losses of rows, with an `Interval`;
- `paired_difference`: the difference of two models on the same rows, with a `Difference`;
- `compare_paired`: difference of two models over folds; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._intervals import Difference, Interval, mean_interval, paired_difference

__all__ = [
    "Comparison",
    "Difference",
    "Interval",
    "compare_paired",
    "holm",
    "mean_interval",
    "paired_difference",
    "split_ratio",
]
