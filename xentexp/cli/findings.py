"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xentexp.configuration import Study
from xentexp.experiment import Result
from xentexp.tracking import Item


@dataclass(frozen=True)
class Finding:
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
    """

    name: str
    items: tuple[Item, ...]
    document: Any
    show: Callable[[], None]
    failed: bool = False


def findings(study: Study, result: Result) -> list[Finding]:
    """All that a study asks for.

    Parameters
    ----------
    study : Study
        The run.
    result : Result
        What its candidates did.

    Returns
    -------
    list of Finding
        In the order in which they are told.
    """
    found = [find(study, result) for find in _FINDERS]
    return [finding for finding in found if finding is not None]


_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = ()
