"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._engines.base import Engine
from xentexp.experiments._engines.by_dask import DaskEngine
from xentexp.experiments._engines.by_joblib import (
    JoblibEngine,
    LocalEngine,
    RayEngine,
    ThreadsEngine,
)

ENGINES: dict[str, Callable[[], Engine]] = {
    "local": LocalEngine,
    "threads": ThreadsEngine,
    "dask": DaskEngine,
    "ray": RayEngine,
}


def as_engine(engine: str | Engine | None) -> Engine:
    """Engine by name; None is the active backend of joblib."""
    if engine is None:
        return JoblibEngine()
    if isinstance(engine, Engine):
        return engine
    if not isinstance(engine, str):
        raise InputError(
            f"engine must be one of {', '.join(ENGINES)}, an engine such as DaskEngine(ADDRESS) or "
            f"None; got {engine!r}"
        )
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    return ENGINES[engine]()
