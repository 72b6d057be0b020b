"""Settings of a classifier, searched by any loss with Optuna; nested in folds it stays honest."""

from __future__ import annotations

from xentexp.tuning.classifier import TunedClassifier
from xentexp.tuning.search import SearchError
from xentexp.tuning.space import Choices, Range, read_space

__all__ = ["Choices", "Range", "SearchError", "TunedClassifier", "read_space"]
