"""Figures as display classes, as scikit-learn has them."""

from __future__ import annotations

__all__: list[str] = []
