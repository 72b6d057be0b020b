"""Tune the parameters of a classifier by any loss with Optuna.

`TunedClassifier` is a scikit-learn classifier, so `cross_validate` runs a separate search in each
fold, and its test scores are not biased by the search.
"""

from __future__ import annotations

from xentexp.tuning._classifier import TunedClassifier
from xentexp.tuning._search import SearchError
from xentexp.tuning._space import Choices, Range, read_space

__all__ = ["Choices", "Range", "SearchError", "TunedClassifier", "read_space"]
