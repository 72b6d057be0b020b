"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from xentexp.benchmark import compare
from xentexp.cli.terminal import print_published, print_table
from xentexp.configuration import Study
from xentexp.experiment import Result
from xentexp.leakage import compare_folds
from xentexp.tracking import Item, Metric, Table, Tag, apart_items


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
    note : str
        For the note of the parent run, in markdown.
    children : mapping
        Items for the runs of candidates, by their names.
    """

    name: str
    items: tuple[Item, ...]
    document: Any
    show: Callable[[], None]
    failed: bool = False
    note: str = ""
    children: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)


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


def _leak(study: Study, result: Result) -> Finding | None:
    """What random folds share, and each candidate's score on folds that do not."""
    leak = study.leak
    if leak is None:
        return None
    warning = f"Warning: {leak.says()}"
    document: dict[str, Any] = {
        "share_of_test_rows": leak.share,
        "shared_entities": leak.shared,
        "entities": leak.entities.describe(),
        "comparison": None,
    }
    share = Metric("leak/share_of_test_rows", leak.share)
    if result.apart is None:
        return Finding("leak", (share,), document, lambda: None, note=warning)
    both = compare_folds(result, result.apart)
    records = both.to_records()
    title = "With shared entities, and without"
    return Finding(
        "leak",
        (share, Table("leak.json", pd.DataFrame(records))),
        {**document, "comparison": records},
        lambda: print_table(both.headers(), both.rows(), title=title),
        note=f"{warning}\n\n{both.to_markdown()}",
        children={o.candidate.name: tuple(apart_items(o)) for o in result.apart.outcomes},
    )


_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = (_leak, _published)
