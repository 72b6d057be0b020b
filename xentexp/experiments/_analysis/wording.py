"""A loss matrix as sentences and as a markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from xentexp.experiments._analysis.cells import BestRow, Cell, Change, LossMatrix, Trained
from xentexp.experiments._formatting import (
    DASH,
    Sentence,
    and_list,
    counted,
    escaped,
    fixed,
    markdown_table,
    number,
    p_value,
    percent,
    sentence,
    spaced,
)


def findings(matrix: LossMatrix) -> list[Sentence]:
    """Main results of a matrix in sentences, the most important first."""
    return [*results(matrix), *_corrected(matrix), *missing(matrix)]


def results(matrix: LossMatrix) -> list[Sentence]:
    """Best rows of the columns, and how many cells are significantly worse."""
    return [
        *diagonal(matrix),
        *map(exception, exceptions(matrix)),
        *_elsewhere(matrix),
        *tests(matrix),
    ]


def _on_diagonal(matrix: LossMatrix) -> list[BestRow]:
    """Columns with a row that is trained on them and has a value."""
    return [
        choice
        for choice in matrix.choices()
        if choice.diagonal_cell is not None and math.isfinite(choice.diagonal_cell.mean)
    ]


def exceptions(matrix: LossMatrix) -> list[BestRow]:
    """Columns whose best row is trained on another loss than the one that is trained on them."""
    return [choice for choice in _on_diagonal(matrix) if choice.best is not choice.diagonal]


def diagonal(matrix: LossMatrix) -> Iterator[Sentence]:
    """For how many losses training on the loss itself is best, if any was trained and scored on."""
    both, others = _on_diagonal(matrix), exceptions(matrix)
    if not both:
        return
    text = (
        "{model} was both trained and scored on {n_both} {losses}; training on the scoring loss "
        "itself gives the best mean for {n_best} of them"
    )
    if others and matrix.n_tests:
        text += ", and is not significantly worse for {n_near} of the other {n_others}"
    yield sentence(
        f"{text}.",
        model=matrix.model,
        n_both=len(both),
        losses="loss" if len(both) == 1 else "losses",
        n_best=len(both) - len(others),
        n_near=sum(choice.diagonal in choice.near for choice in others),
        n_others=len(others),
    )


def exception(choice: BestRow) -> Sentence:
    """Which row is best for a column, and how much worse the one trained on it is."""
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
    return sentence(
        "Scored on {column}, training on {best} is best ({mean_text}); training on {column} itself "
        "is worse by {excess:.2g} ({percent_text} %; {test}).",
        column=choice.column,
        best=best.label,
        mean=cell.mean,
        mean_text=number(cell.mean),
        excess=diagonal.excess,
        percent=diagonal.percent,
        percent_text=percent(diagonal.percent),
        test=test,
    )


def _elsewhere(matrix: LossMatrix) -> Iterator[Sentence]:
    for choice in matrix.choices():
        if choice.best is None or choice.cell is None:
            yield sentence("{column}: no row has a value in every fold.", column=choice.column)
        elif choice.diagonal is None:
            near = choice.near
            text = (
                "Scored on {column} (no row was trained on it), training on {best} is best "
                "({mean_text}"
            )
            if near:
                text += "; {n_near} other {rows} not significantly worse"
            yield sentence(
                f"{text}).",
                column=choice.column,
                best=choice.best.label,
                mean=choice.cell.mean,
                mean_text=number(choice.cell.mean),
                n_near=len(near),
                rows="row is" if len(near) == 1 else "rows are",
            )


def tests(matrix: LossMatrix) -> Iterator[Sentence]:
    """How many cells are significantly worse than the best of their column."""
    if matrix.n_tests:
        yield sentence(
            "{n_worse} of the {n_tests} tested cells are significantly worse than the best cell of "
            "their column (Holm's adjustment for {n_tests} tests, alpha = {alpha:g}).",
            n_worse=sum(cell.worse for cells in matrix.cells for cell in cells),
            n_tests=matrix.n_tests,
            alpha=matrix.alpha,
        )
    elif matrix.n_folds == 1:
        yield sentence("With one fold, differences cannot be tested; they may be due to chance.")


def _corrected(matrix: LossMatrix) -> Iterator[Sentence]:
    for plain, corrected in matrix.pairs():
        row = matrix.rows[corrected]
        old, new = matrix.rows[plain].calibration, row.calibration
        if old is None or new is None:
            continue
        yield sentence(
            "Corrected probabilities of {loss}: the {largest}shift (mean predicted rate minus base "
            "rate) is {new_shift:+z.4f} (uncorrected {old_shift:+z.4f}) and the expected "
            "calibration error {new_ece:.4f} (uncorrected {old_ece:.4f}); {changes}.",
            loss=row.loss,
            largest="" if len(new.shift) == 2 else "largest ",
            new_shift=new.headline,
            old_shift=old.headline,
            new_ece=new.ece,
            old_ece=old.ece,
            changes="; ".join(
                text
                for word in ("better", "worse")
                if (text := _changed(matrix.changes.get(corrected, ()), word))
            )
            or "no column gets better or worse",
        )


def _changed(changes: Sequence[Change], word: str) -> str:
    """Columns that get better or worse with corrected probabilities, and which of them surely."""
    found = changed(changes, word)
    if not found:
        return f"{word} on no column"
    sure = [change.column for change in found if change.significant]
    text = f"{word} on {and_list([change.column for change in found])}"
    if any(math.isnan(change.p_adjusted) for change in found):
        return text
    if len(sure) == len(found):
        return f"{text} ({'significant' if len(sure) == 1 else 'all significant'})"
    return f"{text} ({'significant on ' + and_list(sure) if sure else 'not significant'})"


def changed(changes: Sequence[Change], word: str) -> list[Change]:
    """Changes for the better or for the worse."""
    sign = -1.0 if word == "better" else 1.0
    return [change for change in changes if sign * change.difference > 0.0]


def missing(matrix: LossMatrix) -> Iterator[Sentence]:
    """Rows without a value, and columns that are not shown."""
    for row, cells in zip(matrix.rows, matrix.cells, strict=True):
        if row.error is not None:
            yield sentence("{row} failed: {error}.", row=row.label, error=row.error)
            continue
        reasons: dict[str, list[str]] = {}
        for name, cell in zip(matrix.columns, cells, strict=True):
            if cell.reason is not None and not math.isfinite(cell.mean):
                reasons.setdefault(cell.reason, []).append(name)
        for reason, names in reasons.items():
            yield sentence(
                "{row} has no value in {columns}: {reason}.",
                row=row.label,
                columns=counted(len(names), "column"),
                reason=reason,
            )
    for name, original in matrix.repeated.items():
        yield sentence(
            "{name} is not shown: it has the same values as {original} on these data.",
            name=name,
            original=original,
        )


def legend(matrix: LossMatrix) -> str:
    """Meaning of the marks in a table of the matrix."""
    tested = (
        f"* significantly worse than the column's best: t-test paired over {matrix.n_folds} "
        f"folds with the Nadeau-Bengio variance, Holm's adjustment for {matrix.n_tests} tests, "
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
