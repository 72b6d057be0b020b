"""Confidence intervals of losses and of differences of models, with their targets.

- `mean_interval`: the mean of the losses of rows, with an `Interval`;
- `paired_difference`: the difference of two models on the same rows, with a `Difference`;
- `compare_paired`: difference of two models over folds; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests;
- `decompose`: miscalibration, discrimination and uncertainty of a proper loss, with a test of
  calibration; returns a `Decomposition`;
- `reliability_band`: reliability curve of two classes with the band of calibrated predictions.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._decomposition import Decomposition, decompose
from xentexp.inference._intervals import Difference, Interval, mean_interval, paired_difference
from xentexp.inference._reliability import ReliabilityBand, reliability_band

__all__ = [
    "Comparison",
    "Decomposition",
    "Difference",
    "Interval",
    "ReliabilityBand",
    "compare_paired",
    "decompose",
    "holm",
    "mean_interval",
    "paired_difference",
    "reliability_band",
    "split_ratio",
]
