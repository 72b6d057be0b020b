"""Section on the loss matrix: models trained on several losses, scored on several losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.experiments._analysis import Cell, LossMatrix, Trained, matrices_of
from xentexp.experiments._analysis.wording import calibration_texts, findings, legend, markdown
from xentexp.experiments._cli import terminal
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import DASH, number, percent, wrapped
from xentexp.experiments._record import model_record
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments._tracking import items as logged
from xentexp.experiments._tracking.items import Binary, Item, LoggedMetric


def matrix_section(study: Study, result: ExperimentResult) -> Section | None:
    """Matrix of each model and its figures; None with fewer than two training losses."""
    models = [model_record(item, study.dataset) for item in result.candidate_results]
    matrices = matrices_of(models, study.shown)
    if not matrices:
        return None
    cells = [record for matrix in matrices for record in matrix.to_records()]
    calibration = [record for matrix in matrices for record in matrix.calibration_records()]
    tables = "\n\n".join(f"## {matrix.model}\n\n{markdown(matrix)}" for matrix in matrices)
    items: list[Item] = [
        logged.Table("loss_matrix/cells.json", pd.DataFrame(cells)),
        logged.Table("loss_matrix/calibration.json", pd.DataFrame(calibration)),
        logged.Text("loss_matrix/table.md", f"{tables}\n"),
        *_pictures(matrices),
    ]
    names = {(m.family, m.trained_on, m.corrected): m.name for m in models}
    of_candidates: dict[str, tuple[Item, ...]] = {
        names[matrix.model, row.loss, row.corrected]: _row_items(row, matrix.columns, cells_of_row)
        for matrix in matrices
        for row, cells_of_row in zip(matrix.rows, matrix.cells, strict=True)
        if row.error is None
    }
    document = {
        "cells": cells,
        "calibration": calibration,
        "findings": {matrix.model: [*map(str, findings(matrix))] for matrix in matrices},
    }

    def show() -> None:
        for matrix in matrices:
            title = f"{matrix.model}: rows trained on, columns scored on"
            print_matrix(matrix, title=title)
            print_findings(matrix)

    # The matrix replaces a long leaderboard on the terminal; MLflow and --json have both.
    instead = all(
        candidate_result.candidate.trained_on for candidate_result in result.candidate_results
    )
    return Section(
        "loss_matrix",
        tuple(items),
        document,
        show,
        instead=instead,
        of_candidates=of_candidates,
        note=_note(matrices),
    )


def _note(matrices: Sequence[LossMatrix]) -> str:
    sentences = "\n\n".join(
        f"**{matrix.model}**\n\n" + "\n".join(f"- {line}" for line in findings(matrix))
        for matrix in matrices
    )
    artifacts = "Loss matrix: see report.html and the folder loss_matrix among the artifacts."
    return f"{artifacts}\n\n{sentences}"


def _pictures(matrices: Sequence[LossMatrix]) -> list[Item]:
    # Imported here, because matplotlib takes a second and most runs do not draw.
    from xentexp.experiments._report import heat_map, to_png, to_svg

    items: list[Item] = []
    for matrix in matrices:
        figure = heat_map(matrix)
        path = f"loss_matrix/{matrix.model}"
        items.append(logged.Text(f"{path}.svg", to_svg(figure, f"Loss matrix of {matrix.model}")))
        items.append(Binary(f"{path}.png", to_png(figure)))
    return items


def _row_items(row: Trained, columns: Sequence[str], cells: Sequence[Cell]) -> tuple[Item, ...]:
    items = [
        LoggedMetric(f"{section}/{name}", value)
        for name, cell in zip(columns, cells, strict=True)
        for section, value in (("matrix_excess", cell.excess), ("matrix_p", cell.p_adjusted))
        if not math.isnan(value)
    ]
    if row.calibration is not None:
        items.append(LoggedMetric("calibration/rate_shift", row.calibration.headline))
    return tuple(items)


def print_matrix(matrix: LossMatrix, *, title: str) -> None:
    """Print a matrix: rows trained on, columns scored on."""
    out = terminal.console()
    out.print(Text(title, style="bold"))
    n_columns = len(matrix.columns) + 1  # the last one: calibration
    terminal.print_in_parts(lambda start, end: _table(matrix, start, end, out.width), n_columns)
    notes = [
        "mean over the folds; below: excess over the column's best mean in %, or 'best'",
        "[brackets]: trained on the column's loss",
        legend(matrix),
        "shift: mean predicted rate minus base rate; ECE: expected calibration error",
    ]
    for note in notes:
        out.print(Text(note, style="dim"))


def print_findings(matrix: LossMatrix) -> None:
    """Print the main results of a matrix in sentences."""
    out = terminal.console()
    for line in findings(matrix):
        out.print(Text(str(line)), soft_wrap=False)


def _table(matrix: LossMatrix, start: int, end: int, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("trained on", no_wrap=True)
    for name in matrix.columns[start:end]:
        table.add_column(name.replace("_", "\n"), justify="right", vertical="top", no_wrap=True)
    calibrated = end > len(matrix.columns)
    if calibrated:
        for name in ("shift", "ECE"):
            table.add_column(name, justify="right", style="dim", no_wrap=True)
    pairs = {after for _, after in matrix.pairs()}
    for place, (row, cells) in enumerate(zip(matrix.rows, matrix.cells, strict=True)):
        label = Text(
            "  corrected" if place in pairs else wrapped(row.label, 24 if width >= 100 else 14)
        )
        texts: list[Text | str] = [_cell(cell) for cell in cells[start:end]]
        if calibrated:
            texts += [f"{value}\n" for value in calibration_texts(row)]
        table.add_row(label, *texts)
    return table


def _cell(cell: Cell) -> Text:
    if math.isnan(cell.mean):
        return Text(f"{DASH} \n", style="dim")
    value = f"[{number(cell.mean)}]" if cell.diagonal else number(cell.mean)
    mark = "*" if cell.worse else "" if cell.diagonal else " "
    text = Text(value + mark, style="bold green" if cell.best else "")
    below = "best" if cell.best else f"+{percent(cell.percent)}%".replace("+<", "<")
    if not cell.best and math.isnan(cell.percent):
        below = f"+{cell.excess:.2g}" if math.isfinite(cell.excess) else ""
    text.append(f"\n{below} ", style="bold green" if cell.best else "not bold dim default")
    return text
