"""A loss matrix as sentences and as a markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from xentexp.experiments._analysis.cells import BestRow, Cell, LossMatrix, Trained
from xentexp.experiments._formatting import (
    DASH,
    fixed,
    markdown_table,
    number,
    p_value,
    percent,
    spaced,
)


def findings(matrix: LossMatrix) -> list[str]:
    """Main results of a matrix in sentences, the most important first."""
    return [
        *_diagonal(matrix),
        *_elsewhere(matrix),
        *_tests(matrix),
        *_correction(matrix),
        *_missing(matrix),
    ]


def _diagonal(matrix: LossMatrix) -> Iterator[str]:
    with_row = [
        choice
        for choice in matrix.choices()
        if choice.diagonal_cell is not None and math.isfinite(choice.diagonal_cell.mean)
    ]
    if not with_row:
        return
    won = [choice for choice in with_row if choice.best is choice.diagonal]
    yield (
        f"{matrix.model}: training on the loss that judges gives the best mean for {len(won)} of "
        f"the {len(with_row)} losses that it was both trained and scored on."
    )
    for choice in with_row:
        if choice.best is not choice.diagonal:
            yield _exception(choice)


def _exception(choice: BestRow) -> str:
    best, cell, own = choice.best, choice.cell, choice.diagonal_cell
    assert best is not None
    assert cell is not None
    assert own is not None
    if math.isnan(own.p_adjusted):
        verdict = own.reason or "no test"
    elif own.worse:
        verdict = f"beyond chance, adjusted {p_value(own.p_adjusted)}"
    else:
        verdict = f"not told apart, adjusted {p_value(own.p_adjusted)}"
    return (
        f"Judged by {choice.column}, training on {best.label} is best ({number(cell.mean)}); "
        f"training on {choice.column} itself costs {own.regret:.2g} more "
        f"({percent(own.percent)} %; {verdict})."
    )


def _elsewhere(matrix: LossMatrix) -> Iterator[str]:
    for choice in matrix.choices():
        if choice.best is None or choice.cell is None:
            yield f"No row has a value of {choice.column} in every fold."
        elif choice.diagonal is None:
            near = len(choice.near)
            rest = f"; {near} other row{'s' * (near != 1)} not told apart" if near else ""
            yield (
                f"Judged by {choice.column}, on which nothing was trained, training on "
                f"{choice.best.label} is best ({number(choice.cell.mean)}{rest})."
            )


def _tests(matrix: LossMatrix) -> Iterator[str]:
    if matrix.n_tests:
        worse = sum(cell.worse for cells in matrix.cells for cell in cells)
        yield (
            f"{worse} of the {matrix.n_tests} cells that are not the best of their column are "
            f"worse than it beyond chance (Holm over these {matrix.n_tests}, "
            f"alpha = {matrix.alpha:g})."
        )
    elif matrix.n_folds == 1:
        yield "One fold: nothing can be tested. Differences may be chance."


def _correction(matrix: LossMatrix) -> Iterator[str]:
    for before, after in matrix.pairs():
        row = matrix.rows[after]
        old, new = matrix.rows[before].calibration, row.calibration
        if old is None or new is None:
            continue
        lower = higher = 0
        for a, b in zip(matrix.cells[before], matrix.cells[after], strict=True):
            if math.isfinite(a.regret) and math.isfinite(b.regret):
                lower += b.regret < a.regret
                higher += b.regret > a.regret
        what = "mean predicted rate" if len(new.shift) == 2 else "largest shift of a class's rate"
        yield (
            f"The inverse link takes the {what} of {row.loss} from {fixed(old.headline, sign='+')} "
            f"to {fixed(new.headline, sign='+')} off the base rate and its calibration error from "
            f"{fixed(old.ece)} to {fixed(new.ece)}; {lower} "
            f"{'column gets' if lower == 1 else 'columns get'} better, {higher} worse."
        )


def _missing(matrix: LossMatrix) -> Iterator[str]:
    for row, cells in zip(matrix.rows, matrix.cells, strict=True):
        if row.error is not None:
            yield f"{row.label} failed: {row.error}."
            continue
        reasons: dict[str, list[str]] = {}
        for name, cell in zip(matrix.columns, cells, strict=True):
            if cell.reason is not None and not math.isfinite(cell.mean):
                reasons.setdefault(cell.reason, []).append(name)
        for reason, names in reasons.items():
            columns = "column" if len(names) == 1 else "columns"
            yield f"{row.label} has no value in {len(names)} {columns}: {reason}."
    for name, kept in matrix.repeated.items():
        yield f"{name} has the same values as {kept} here, and no column of its own."


def legend(matrix: LossMatrix) -> str:
    """Meaning of the marks of a table, in one sentence."""
    tested = (
        f"* worse than the column's best beyond chance: paired over {matrix.n_folds} folds, "
        f"Nadeau-Bengio correction, Holm over {matrix.n_tests} tests, alpha {matrix.alpha:g}"
    )
    dash = f"; {DASH} no value" if has_dash(matrix) else ""
    return (tested if matrix.n_tests else "No tests: one fold, or nothing to compare") + dash + "."


def has_dash(matrix: LossMatrix) -> bool:
    """Whether some cell has no value."""
    return any(math.isnan(cell.mean) for cells in matrix.cells for cell in cells)


def markdown(matrix: LossMatrix) -> str:
    """Markdown table: best of a column in bold, trained on the column's loss in brackets."""
    columns = map(spaced, matrix.columns)
    headers = [f"{matrix.model}, trained on", *columns, "shift of rate", "ECE"]
    rows = [
        [spaced(row.label), *map(_cell, cells), *calibration_texts(row)]
        for row, cells in zip(matrix.rows, matrix.cells, strict=True)
    ]
    note = "Mean over the folds; **best** of its column; [trained on the column's loss]; "
    note += legend(matrix).replace("*", "\\*", 1)
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _cell(cell: Cell) -> str:
    text = number(cell.mean)
    text = f"[{text}]" if cell.diagonal else text
    return f"**{text}**" if cell.best else f"{text}\\*" if cell.worse else text


def calibration_texts(row: Trained) -> tuple[str, str]:
    """Shift of the mean rate and calibration error; dashes for a model without probabilities."""
    if row.calibration is None:
        return DASH, DASH
    return fixed(row.calibration.headline, sign="+"), fixed(row.calibration.ece)
