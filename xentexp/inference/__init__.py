"""Paired comparisons of models over folds, with confidence intervals and tests.

- `compare_paired`: difference of two models, with interval and p-value; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests;
- `decompose`: miscalibration, discrimination and uncertainty of a proper loss, with a test of
  calibration; returns a `Decomposition`;
- `reliability_band`: reliability curve of two classes with the band of calibrated predictions.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._decomposition import Decomposition, decompose
from xentexp.inference._reliability import ReliabilityBand, reliability_band

__all__ = [
    "Comparison",
    "Decomposition",
    "ReliabilityBand",
    "compare_paired",
    "decompose",
    "holm",
    "reliability_band",
    "split_ratio",
]
