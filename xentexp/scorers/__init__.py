"""scikit-learn scorers: one loss or metric by name, or many from one prediction per fold."""

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
