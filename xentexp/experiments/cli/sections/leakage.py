"""What random folds share, and each candidate's score on folds that do not."""

from __future__ import annotations

from typing import Any

import pandas as pd

from xentexp.experiments.analysis.leakage import compare_folds
from xentexp.experiments.cli.sections.section import Finding
from xentexp.experiments.cli.terminal import print_table
from xentexp.experiments.config import Study
from xentexp.experiments.results import Result
from xentexp.experiments.tracking import Metric, Table, apart_items

SHOWN = 12
"""Rows of the comparison on the terminal and in the note."""


def tell_leak(study: Study, result: Result) -> Finding | None:
    """The leak of a study, with both numbers where the configuration asks for them.

    Parameters
    ----------
    study : Study
        The run.
    result : Result
        What its candidates did, on folds apart too.

    Returns
    -------
    Finding or None
        None where nothing leaks.
    """
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
    if len(records) > SHOWN:
        title += f" (the best {SHOWN} of {len(records)}; all are in leak.json)"
    return Finding(
        "leak",
        (share, Table("leak.json", pd.DataFrame(records))),
        {**document, "comparison": records},
        lambda: print_table(both.headers(), both.rows()[:SHOWN], title=title),
        of_candidates={o.candidate.name: tuple(apart_items(o)) for o in result.apart.outcomes},
        note=f"{warning}\n\n{both.to_markdown(SHOWN)}",
    )
