"""Build typed objects from a composed configuration; no other module reads the configuration."""

from __future__ import annotations

from xentexp.experiments._config.study import Study, build

__all__ = ["Study", "build"]
