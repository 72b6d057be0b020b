"""The loss matrix in a terminal; plain where the output is a file or a pipe."""

from __future__ import annotations

import math

from rich import box
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from xentexp.cli import terminal
from xentexp.matrix import Cell, LossMatrix
from xentexp.matrix.words import DASH, calibration_texts, legend, number, percent, wrapped


def print_matrix(matrix: LossMatrix, *, title: str) -> None:
    """Rows trained on, columns scored on; in several tables where it is narrow.

    Parameters
    ----------
    matrix : LossMatrix
        Of one model.
    title : str
        Above it.
    """
    out = terminal.console()
    out.print(Text(title, style="bold"))
    unbounded = out.options.update_width(10_000)
    start, end = 0, len(matrix.columns) + 1  # the last one: calibration
    while start < end:
        fit = start + 1
        table = _table(matrix, start, fit, out.width)
        while fit < end:
            wider = _table(matrix, start, fit + 1, out.width)
            if Measurement.get(out, unbounded, wider).maximum > out.width:
                break
            table, fit = wider, fit + 1
        out.print(table)
        start = fit
    notes = [
        "mean over the folds, below it the regret in % of the column's best",
        "best of its column in bold with 'best'; [trained on the column's loss]",
        legend(matrix),
        "shift: mean predicted rate less base rate; ECE: expected calibration error",
    ]
    for note in notes:
        out.print(Text(note, style="dim"))


def print_findings(matrix: LossMatrix) -> None:
    """What the matrix says, in sentences.

    Parameters
    ----------
    matrix : LossMatrix
        Of one model.
    """
    out = terminal.console()
    for line in matrix.findings():
        out.print(Text(line), soft_wrap=False)


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
        below = f"+{cell.regret:.2g}" if math.isfinite(cell.regret) else ""
    text.append(f"\n{below} ", style="bold green" if cell.best else "not bold dim default")
    return text
