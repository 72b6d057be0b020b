"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xentexp.benchmark import compare
from xentexp.cli.terminal import print_published
from xentexp.configuration import Study
from xentexp.experiment import Result
from xentexp.tracking import Item, Table, Tag


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


def _published(study: Study, result: Result) -> Finding | None:
    if not study.published:
        return None
    rows = compare(study.published, result)
    missed = sum(not row.met for row in rows)
    title = f"Published numbers: {len(rows) - missed} of {len(rows)} met"
    records = [row.to_record() for row in rows]
    items = (
        Tag("xentexp.published", title),
        Table("published.json", pd.DataFrame(records)),
    )
    return Finding(
        "published", items, records, lambda: print_published(rows, title), failed=missed > 0
    )


_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = (_published,)
