"""Part of the report of a run, in addition to the leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xentexp.experiments._tracking.items import Item


@dataclass(frozen=True)
class Section:
    """Items to log, a function that prints, and values for JSON."""

    name: str  # key in the JSON document
    items: tuple[Item, ...]  # logged to the parent run
    document: Any  # value in the JSON document
    show: Callable[[], None]  # prints the section
    failed: bool = False  # whether the command exits with 1
    instead: bool = False  # whether it replaces the printed leaderboard
    of_candidates: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)  # by name
    note: str = ""  # markdown for the parent run
