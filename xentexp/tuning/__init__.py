"""Settings of a classifier, searched by any loss with Optuna; nested in folds it stays honest."""

from __future__ import annotations

from xentexp.tuning._classifier import TunedClassifier
from xentexp.tuning._search import SearchError
from xentexp.tuning._space import Choices, Range, read_space

__all__ = ["Choices", "Range", "SearchError", "TunedClassifier", "read_space"]
