"""Part of a run's report beyond the leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xentexp.experiments._tracking import Item


@dataclass(frozen=True)
class Section:
    """What to log, to print and to return as JSON; `name` is its key in the JSON document."""

    name: str
    items: tuple[Item, ...]  # for the parent run
    document: Any  # JSON-able
    show: Callable[[], None]  # prints it
    failed: bool = False  # whether the command exits with 1
    instead: bool = False  # whether it replaces the printed leaderboard
    of_candidates: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)  # by name
    note: str = ""  # markdown for the parent run
