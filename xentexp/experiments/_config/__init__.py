"""Build typed objects from a composed configuration; no other module reads the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentexp._lazy_names import on_first_use

if TYPE_CHECKING:
    from xentexp.experiments._config.study import Study as Study
    from xentexp.experiments._config.study import build as build

__all__ = ["Study", "build"]

_MODULE_OF = {"Study": "study", "build": "study"}


if not TYPE_CHECKING:  # so that errors of the schema can be worded without scikit-learn
    __getattr__ = on_first_use(__name__, _MODULE_OF)
