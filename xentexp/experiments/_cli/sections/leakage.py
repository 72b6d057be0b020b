"""Section on entities that random folds share, with scores on grouped folds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.text import Text

from xentexp.experiments._analysis.leakage import FoldComparison, compare_folds
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.terminal import console, print_table
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import escaped
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments._tracking.items import LoggedMetric, Table, grouped_items

_OPTIMISM = "Optimism: how much better the score on random folds is than on grouped folds."
SHOWN = 12
"""Number of models that the terminal and the note show."""


def leak_section(study: Study, result: ExperimentResult) -> Section | None:
    """Shared entities and, if available, the comparison with grouped folds; None without a leak."""
    leak = study.leak
    if leak is None:
        return None
    warning = f"Warning: {leak.warning()}"
    document: dict[str, Any] = {
        "share_of_test_rows": leak.share,
        "shared_entities": leak.shared,
        "entities": leak.entities.describe(),
        "comparison": None,
    }
    share = LoggedMetric("leak/share_of_test_rows", leak.share)
    if result.grouped is None:
        return Section("leak", (share,), document, lambda: None, note=escaped(warning))
    comparison = compare_folds(result, result.grouped)
    records = comparison.to_records()
    title = "Scores on random folds (shared entities) and on grouped folds"
    if len(records) > SHOWN:
        title += f"; best {SHOWN} of {len(records)} models, all are in leak.json"
    return Section(
        "leak",
        (share, Table("leak.json", pd.DataFrame(records))),
        {**document, "comparison": records},
        lambda: _show(comparison, title),
        of_candidates={
            item.candidate.name: tuple(grouped_items(item, study.shown))
            for item in result.grouped.candidate_results
        },
        note=f"{escaped(warning)}\n\n{comparison.to_markdown(SHOWN)}\n\n{_OPTIMISM}",
    )


def _show(comparison: FoldComparison, title: str) -> None:
    print_table(comparison.headers(), comparison.rows()[:SHOWN], title=title)
    console().print(Text(_OPTIMISM, style="dim"))
