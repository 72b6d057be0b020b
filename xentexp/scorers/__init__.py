"""Scorers for scikit-learn: of one loss or metric, or of many that share the predictions.

Higher is better for a scorer, so the score of a loss is its negative, with the prefix ``neg_``.
"""

from __future__ import annotations

from xentexp.scorers._names import get_scorer, get_scorer_names, loss_scorers
from xentexp.scorers._scorer import MetricScorer, MetricScorers, predict

__all__ = [
    "MetricScorer",
    "MetricScorers",
    "get_scorer",
    "get_scorer_names",
    "loss_scorers",
    "predict",
]
