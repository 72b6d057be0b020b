"""Paired comparisons of models over folds, with confidence intervals and tests.

- `compare_paired`: difference of two models, with interval and p-value; returns a `Comparison`;
- `split_ratio`: the ratio of test to training rows that `compare_paired` needs;
- `holm`: p-values adjusted for the number of tests.
"""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio

__all__ = ["Comparison", "compare_paired", "holm", "split_ratio"]
