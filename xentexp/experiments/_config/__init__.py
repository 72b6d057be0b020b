"""The composed configuration becomes objects, once; nothing further in sees a config."""

from __future__ import annotations

from xentexp.experiments._config.study import Study, build

__all__ = ["Study", "build"]
