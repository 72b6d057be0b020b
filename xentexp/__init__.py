"""Cross-entropy and the losses one compares it with, for classifiers on tables.

Start with :mod:`xentexp.metrics` (functions), :mod:`xentexp.scorers` (``scoring=``),
:mod:`xentexp.evaluation` (many losses in one pass), or the command ``xentexp run``.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
