"""Section that compares published values with those of the run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.experiments._analysis.replication import Reproduced, compare
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.terminal import console
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import fixed
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments._tracking import items as logged


def published_section(study: Study, result: ExperimentResult) -> Section | None:
    """Published values and those of the run; failed if one is not reproduced; None without any."""
    if not study.published:
        return None
    rows = compare(study.published, result)
    missed = sum(not row.met for row in rows)
    title = f"Published values: {len(rows) - missed} of {len(rows)} reproduced"
    records = [row.to_record() for row in rows]
    items = (
        logged.Tag("xentexp.published", title),
        logged.Table("published.json", pd.DataFrame(records)),
    )
    return Section(
        "published", items, records, lambda: print_published(rows, title), failed=missed > 0
    )


def print_published(rows: Sequence[Reproduced], title: str) -> None:
    """Print published values and those of the run."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for header in ("model", "metric", "published", "this run", "difference", "tolerance", ""):
        table.add_column(header, justify="left" if header in ("model", "metric", "") else "right")
    previous = None
    for row in rows:
        published = row.published
        table.add_row(
            "" if published.model == previous else published.model,
            published.measure,
            fixed(published.value, 6),
            fixed(row.ours, 6),
            fixed(row.difference, 6, sign="+"),
            f"{published.within:g}",
            Text("reproduced", style="green")
            if row.met
            else Text("NOT REPRODUCED", style="bold red"),
        )
        previous = published.model
    console().print(table)
