"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xentexp.benchmark import compare
from xentexp.cli.terminal import print_published
from xentexp.cli.tuning import print_tuning, tuning_records
from xentexp.configuration import Study
from xentexp.experiment import Result
from xentexp.inference import split_ratio
from xentexp.matrix import build_matrices, trained_from
from xentexp.tracking import Item, Table, Tag, Text


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
    records = [
        {"model": matrix.model, **record} for matrix in matrices for record in matrix.to_records()
    ]
    calibration = [
        {"model": matrix.model, **record}
        for matrix in matrices
        for record in matrix.calibration_records()
    ]
    markdown = "\n\n".join(f"## {matrix.model}\n\n{matrix.to_markdown()}" for matrix in matrices)
    items = (
        Table("loss_matrix.json", pd.DataFrame(records)),
        Table("calibration.json", pd.DataFrame(calibration)),
        Text("loss_matrix.md", f"{markdown}\n"),
    )
    document = {"cells": records, "calibration": calibration}
    return Finding("loss_matrix", items, document, lambda: None)


def _tuning(study: Study, result: Result) -> Finding | None:
    if study.tuning is None:
        return None
    records = tuning_records(result)
    flat = [{**record, "settings": json.dumps(record["settings"])} for record in records]
    items = (Table("tuning.json", pd.DataFrame(flat)),)
    return Finding("tuning", items, records, lambda: print_tuning(study, records))


_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = (_tuning, _matrix, _published)
