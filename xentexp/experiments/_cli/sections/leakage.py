"""Entities that random folds share, and scores on folds that keep entities together."""

from __future__ import annotations

from typing import Any

import pandas as pd

from xentexp.experiments._analysis.leakage import compare_folds
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.terminal import print_table
from xentexp.experiments._config import Study
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments._tracking import LoggedMetric, Table, grouped_items

SHOWN = 12
"""Rows of the comparison that the terminal and the note show."""


def leak_section(study: Study, result: ExperimentResult) -> Section | None:
    """Shared entities, and the comparison with grouped folds if it was made; None without."""
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
    share = LoggedMetric("leak/share_of_test_rows", leak.share)
    if result.grouped is None:
        return Section("leak", (share,), document, lambda: None, note=warning)
    both = compare_folds(result, result.grouped)
    records = both.to_records()
    title = "With shared entities, and without"
    if len(records) > SHOWN:
        title += f" (the best {SHOWN} of {len(records)}; all are in leak.json)"
    return Section(
        "leak",
        (share, Table("leak.json", pd.DataFrame(records))),
        {**document, "comparison": records},
        lambda: print_table(both.headers(), both.rows()[:SHOWN], title=title),
        of_candidates={
            item.candidate.name: tuple(grouped_items(item))
            for item in result.grouped.candidate_results
        },
        note=f"{warning}\n\n{both.to_markdown(SHOWN)}",
    )
