"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from xentexp.benchmark import compare
from xentexp.cli.terminal import print_published, print_table
from xentexp.configuration import Study
from xentexp.experiment import Result
from xentexp.inference import split_ratio
from xentexp.leakage import compare_folds
from xentexp.matrix import Cell, Trained, build_matrices, trained_from
from xentexp.tracking import Item, Metric, Table, Tag, Text, apart_items


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
    of_candidates: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    note: str = ""


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
        of_candidates={o.candidate.name: tuple(apart_items(o)) for o in result.apart.outcomes},
    )


def _matrix(study: Study, result: Result) -> Finding | None:
    rows = [
        trained_from(
            outcome,
            study.dataset,
            model=str(candidate.family),
            loss=trained.label,
            column=trained.definition.name if trained.plain else None,
            corrected=candidate.variant_of is not None,
        )
        for outcome in result.outcomes
        if (trained := (candidate := outcome.candidate).trained_on) is not None
    ]
    if len({row.loss for row in rows}) < 2:
        return None
    sizes = [(len(fold.train), len(fold.test)) for fold in study.folds]
    matrices = build_matrices(rows, test_train_ratio=split_ratio(sizes), columns=study.losses)
    records = [record for matrix in matrices for record in matrix.to_records()]
    calibration = [record for matrix in matrices for record in matrix.calibration_records()]
    markdown = "\n\n".join(f"## {matrix.model}\n\n{matrix.to_markdown()}" for matrix in matrices)
    items = (
        Table("loss_matrix.json", pd.DataFrame(records)),
        Table("calibration.json", pd.DataFrame(calibration)),
        Text("loss_matrix.md", f"{markdown}\n"),
    )
    document = {"cells": records, "calibration": calibration}
    names = {
        (candidate.family, candidate.trained_on.label, candidate.variant_of is not None): name
        for outcome in result.outcomes
        if (candidate := outcome.candidate).trained_on is not None
        for name in [candidate.name]
    }
    of_candidates: dict[str, tuple[Item, ...]] = {
        names[matrix.model, row.loss, row.corrected]: _of_row(row, matrix.columns, cells)
        for matrix in matrices
        for row, cells in zip(matrix.rows, matrix.cells, strict=True)
        if row.error is None
    }
    return Finding("loss_matrix", items, document, lambda: None, of_candidates=of_candidates)


def _of_row(row: Trained, columns: Sequence[str], cells: Sequence[Cell]) -> tuple[Item, ...]:
    found = [
        Metric(f"{section}/{name}", value)
        for name, cell in zip(columns, cells, strict=True)
        for section, value in (("matrix_regret", cell.regret), ("matrix_p", cell.p_adjusted))
        if not math.isnan(value)
    ]
    if row.calibration is not None:
        found.append(Metric("calibration/rate_shift", row.calibration.headline))
    return tuple(found)


_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = (_leak, _matrix, _published)
