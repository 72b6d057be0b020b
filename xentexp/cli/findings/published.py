"""Published numbers, and whether the run reproduced them."""

from __future__ import annotations

import pandas as pd

from xentexp.benchmark import compare
from xentexp.cli.findings.finding import Finding
from xentexp.cli.terminal import print_published
from xentexp.configuration import Study
from xentexp.outcome import Result
from xentexp.tracking import Table, Tag


def find_published(study: Study, result: Result) -> Finding | None:
    """Published numbers beside those of the run, where the configuration has any.

    Parameters
    ----------
    study : Study
        The run.
    result : Result
        What its candidates did.

    Returns
    -------
    Finding or None
        Failed where a number is not met.
    """
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
