"""What models are trained on: a loss, the rows it is trained on, and each library's own calls."""

from __future__ import annotations

from xentexp.objectives.training import Training, find_class_weight, find_loss

__all__ = ["Training", "find_class_weight", "find_loss"]
