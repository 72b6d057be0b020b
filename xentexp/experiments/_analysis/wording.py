"""A loss matrix as sentences and as a markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from xentexp.experiments._analysis.cells import BestRow, Cell, LossMatrix, Trained
from xentexp.experiments._formatting import (
    DASH,
    escaped,
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
    trained_and_scored = [
        choice
        for choice in matrix.choices()
        if choice.diagonal_cell is not None and math.isfinite(choice.diagonal_cell.mean)
    ]
    if not trained_and_scored:
        return
    diagonal_best = [choice for choice in trained_and_scored if choice.best is choice.diagonal]
    yield (
        f"{matrix.model} was both trained and scored on {len(trained_and_scored)} "
        f"{'loss' if len(trained_and_scored) == 1 else 'losses'}; training on the scoring loss "
        f"itself gives the best mean for {len(diagonal_best)} of them."
    )
    for choice in trained_and_scored:
        if choice.best is not choice.diagonal:
            yield _exception(choice)


def _exception(choice: BestRow) -> str:
    best, cell, diagonal = choice.best, choice.cell, choice.diagonal_cell
    assert best is not None
    assert cell is not None
    assert diagonal is not None
    if math.isnan(diagonal.p_adjusted):
        test = diagonal.reason or "no test"
    elif diagonal.worse:
        test = f"significant, adjusted {p_value(diagonal.p_adjusted)}"
    else:
        test = f"not significant, adjusted {p_value(diagonal.p_adjusted)}"
    return (
        f"Scored on {choice.column}, training on {best.label} is best ({number(cell.mean)}); "
        f"training on {choice.column} itself is worse by {diagonal.excess:.2g} "
        f"({percent(diagonal.percent)} %; {test})."
    )


def _elsewhere(matrix: LossMatrix) -> Iterator[str]:
    for choice in matrix.choices():
        if choice.best is None or choice.cell is None:
            yield f"{choice.column}: no row has a value in every fold."
        elif choice.diagonal is None:
            near = len(choice.near)
            rows = "row is" if near == 1 else "rows are"
            others = f"; {near} other {rows} not significantly worse" if near else ""
            yield (
                f"Scored on {choice.column} (no row was trained on it), training on "
                f"{choice.best.label} is best ({number(choice.cell.mean)}{others})."
            )


def _tests(matrix: LossMatrix) -> Iterator[str]:
    if matrix.n_tests:
        worse = sum(cell.worse for cells in matrix.cells for cell in cells)
        yield (
            f"{worse} of the {matrix.n_tests} tested cells are significantly worse than the best "
            f"cell of their column (Holm's adjustment for {matrix.n_tests} tests, "
            f"alpha = {matrix.alpha:g})."
        )
    elif matrix.n_folds == 1:
        yield "With one fold, differences cannot be tested; they may be due to chance."


def _correction(matrix: LossMatrix) -> Iterator[str]:
    for before, after in matrix.pairs():
        row = matrix.rows[after]
        old, new = matrix.rows[before].calibration, row.calibration
        if old is None or new is None:
            continue
        lower = higher = 0
        for a, b in zip(matrix.cells[before], matrix.cells[after], strict=True):
            if math.isfinite(a.excess) and math.isfinite(b.excess):
                lower += b.excess < a.excess
                higher += b.excess > a.excess
        largest = "" if len(new.shift) == 2 else "largest "
        yield (
            f"Correcting the probabilities of {row.loss} by the inverse link changes the {largest}"
            f"shift (mean predicted rate minus base rate) from {fixed(old.headline, sign='+')} to "
            f"{fixed(new.headline, sign='+')} and the expected calibration error from "
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
    for name, original in matrix.repeated.items():
        yield f"{name} is not shown: it has the same values as {original} on these data."


def legend(matrix: LossMatrix) -> str:
    """Meaning of the marks in a table of the matrix."""
    tested = (
        f"* significantly worse than the column's best: t-test paired over {matrix.n_folds} "
        f"folds with the Nadeau-Bengio correction, Holm's adjustment for {matrix.n_tests} tests, "
        f"alpha {matrix.alpha:g}"
    )
    dash = f"; {DASH} no value" if has_dash(matrix) else ""
    return (tested if matrix.n_tests else "No tests: one fold, or nothing to compare") + dash + "."


def has_dash(matrix: LossMatrix) -> bool:
    """Whether some cell has no value, which tables show as a dash."""
    return any(math.isnan(cell.mean) for cells in matrix.cells for cell in cells)


def markdown(matrix: LossMatrix) -> str:
    """Markdown table and its legend."""
    columns = map(spaced, matrix.columns)
    headers = [f"{escaped(matrix.model)}, trained on", *columns, "shift", "ECE"]
    rows = [
        [escaped(spaced(row.label)), *map(_cell, cells), *calibration_texts(row)]
        for row, cells in zip(matrix.rows, matrix.cells, strict=True)
    ]
    note = "Mean over the folds. **Bold**: best of its column. [Brackets]: trained on the column's "
    note += "loss. Shift: mean predicted rate minus base rate. ECE: expected calibration error. "
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
