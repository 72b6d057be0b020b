"""Something that a run found beyond its leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xentexp.experiments.tracking import Item


@dataclass(frozen=True)
class Section:
    """Something to record, to print and to hand over as JSON.

    Parameters
    ----------
    name : str
        Its key in the JSON document.
    items : tuple of Item
        For the parent run.
    document : object
        JSON-able.
    show : callable
        Prints it.
    failed : bool
        Whether the run ends with exit code 1 for it.
    instead : bool
        Whether it stands in the place of the leaderboard, on the terminal and in the note.
    of_candidates : mapping
        Further items for the runs of candidates, by name.
    note : str
        For the note of the parent run, in markdown.
    """

    name: str
    items: tuple[Item, ...]
    document: Any
    show: Callable[[], None]
    failed: bool = False
    instead: bool = False
    of_candidates: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    note: str = ""
