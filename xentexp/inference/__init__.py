"""Uncertainty: paired comparisons of losses and the tests behind them."""

from __future__ import annotations

from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio

__all__ = ["Comparison", "compare_paired", "holm", "split_ratio"]
