"""Paired comparisons of models over folds, with confidence intervals and tests.

- `bootstrap_means`: means of many columns in the same resamples of the rows;
- `compare_paired`: difference of two models, with interval and p-value; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.inference._resampling import bootstrap_means

__all__ = ["Comparison", "bootstrap_means", "compare_paired", "holm", "split_ratio"]
