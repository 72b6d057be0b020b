"""The loss matrix of a run whose models were trained on several losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from xentexp.cli.findings.finding import Finding
from xentexp.cli.matrix import print_findings, print_matrix
from xentexp.configuration import Study
from xentexp.inference import split_ratio
from xentexp.losses import LOSSES
from xentexp.matrix import Cell, LossMatrix, Trained, build_matrices, trained_from
from xentexp.outcome import Outcome, Result
from xentexp.tracking import Binary, Item, Metric, Table, Text


def find_matrix(study: Study, result: Result) -> Finding | None:
    """Matrix of each model, with its pictures and its page.

    Parameters
    ----------
    study : Study
        The run.
    result : Result
        What its candidates did.

    Returns
    -------
    Finding or None
        None where the models were not trained on two losses at least.
    """
    rows = {
        outcome.candidate.name: row
        for outcome in result.outcomes
        if (row := _row(outcome, study)) is not None
    }
    if len({row.loss for row in rows.values()}) < 2:
        return None
    sizes = [(len(fold.train), len(fold.test)) for fold in study.folds]
    matrices = build_matrices(
        list(rows.values()), test_train_ratio=split_ratio(sizes), columns=_columns(study, rows)
    )
    cells = [record for matrix in matrices for record in matrix.to_records()]
    calibration = [record for matrix in matrices for record in matrix.calibration_records()]
    markdown = "\n\n".join(f"## {matrix.model}\n\n{matrix.to_markdown()}" for matrix in matrices)
    items: list[Item] = [
        Table("loss_matrix/cells.json", pd.DataFrame(cells)),
        Table("loss_matrix/calibration.json", pd.DataFrame(calibration)),
        Text("loss_matrix/table.md", f"{markdown}\n"),
        *_pictures(matrices),
        Text("report.html", _page(matrices, study, result)),
    ]
    names = {id(row): name for name, row in rows.items()}
    of_candidates: dict[str, tuple[Item, ...]] = {
        names[id(row)]: _of_row(row, matrix.columns, of_row)
        for matrix in matrices
        for row, of_row in zip(matrix.rows, matrix.cells, strict=True)
        if row.error is None
    }
    document = {
        "cells": cells,
        "calibration": calibration,
        "findings": {matrix.model: matrix.findings() for matrix in matrices},
    }

    def show() -> None:
        for matrix in matrices:
            title = f"{matrix.model}: trained on (rows), scored on (columns)"
            print_matrix(matrix, title=title)
            print_findings(matrix)

    # A leaderboard of so many rows says less than the matrix; MLflow and --json have both.
    instead = all(outcome.candidate.trained_on for outcome in result.outcomes)
    return Finding(
        "loss_matrix",
        tuple(items),
        document,
        show,
        instead=instead,
        of_candidates=of_candidates,
        note=_note(matrices),
    )


def _row(outcome: Outcome, study: Study) -> Trained | None:
    candidate = outcome.candidate
    trained = candidate.trained_on
    if trained is None:
        return None
    return trained_from(
        outcome,
        study.dataset,
        model=str(candidate.family),
        loss=trained.label,
        column=trained.definition.name if trained.plain else None,
        corrected=candidate.variant_of is not None,
    )


def _columns(study: Study, rows: Mapping[str, Trained]) -> list[str] | None:
    """Losses to score on: those that were named, else those trained on and those shown."""
    if study.losses is not None or study.shown is None:
        return None if study.losses is None else list(study.losses)
    known = {name for row in rows.values() for name in row.fold_values}
    wanted = dict.fromkeys([*(row.column for row in rows.values() if row.column), *study.shown])
    return [name for name in wanted if name in known and name in LOSSES]


def _note(matrices: Sequence[LossMatrix]) -> str:
    told = "\n\n".join(
        f"**{matrix.model}**\n\n" + "\n".join(f"- {line}" for line in matrix.findings())
        for matrix in matrices
    )
    return (
        f"Trained on x scored on: see report.html and loss_matrix/ among the artifacts.\n\n{told}"
    )


def _pictures(matrices: Sequence[LossMatrix]) -> list[Item]:
    # Imported here: matplotlib takes a second, and most runs draw nothing.
    from xentexp.report import heat_map, to_png, to_svg

    items: list[Item] = []
    for matrix in matrices:
        figure = heat_map(matrix)
        path = f"loss_matrix/{matrix.model}"
        items.append(Text(f"{path}.svg", to_svg(figure, f"Loss matrix of {matrix.model}")))
        items.append(Binary(f"{path}.png", to_png(figure)))
    return items


def _page(matrices: Sequence[LossMatrix], study: Study, result: Result) -> str:
    from xentexp.report import page

    curves: dict[str, dict[str, list[Mapping[str, Mapping[str, Sequence[float]]]]]] = {}
    for outcome in result.outcomes:
        candidate, trained = outcome.candidate, outcome.candidate.trained_on
        of_folds = [p.curve for p in outcome.predictions if p.curve]
        if trained is not None and candidate.variant_of is None and of_folds:
            curves.setdefault(str(candidate.family), {})[trained.label] = of_folds
    dataset = study.dataset
    facts = {
        "Data": f"{dataset.card.title}: {len(dataset.y):,} rows, {dataset.X.shape[1]} features, "
        f"digest {dataset.digest}",
        "Folds": f"{len(study.folds)}, {study.config['cv']['kind']}",
        "Seed": str(study.seed),
    }
    return page(matrices, title=dataset.card.title, facts=facts, curves=curves)


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
