"""Loss matrix: which loss to train each model on, and how sure that is."""

from __future__ import annotations

import math

from xentexp.experiments._analysis import BestRow, LossMatrix, matrices_of
from xentexp.experiments._analysis import Cell as MatrixCell
from xentexp.experiments._analysis.wording import (
    changed,
    diagonal,
    exception,
    exceptions,
    missing,
    tests,
)
from xentexp.experiments._formatting import (
    DASH,
    and_list,
    number,
    p_value,
    percent,
    sentence,
    signed,
)
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Bullets,
    Cell,
    Details,
    PageSection,
    PageTable,
    Terms,
    figure_block,
)
from xentexp.experiments._report.heatmap import heat_map


def matrix_section(record: RunRecord) -> list[PageSection]:
    """Section of each model that is trained on several losses."""
    matrices = matrices_of(record.models, record.about.shown)
    return [
        _section(matrix, f"matrix-{place}", last=place == len(matrices))
        for place, matrix in enumerate(matrices, 1)
    ]


def _section(matrix: LossMatrix, name: str, *, last: bool) -> PageSection:
    # The opening table has all columns; sentences name those where the choice of loss matters.
    lines = [exception(choice) for choice in exceptions(matrix) if choice.diagonal_worse]
    lines += [*tests(matrix), *missing(matrix)]
    finding = next(
        diagonal(matrix),
        sentence("Losses of {model} by the loss that it is trained on", model=matrix.model),
    )
    figure = figure_block(
        heat_map(matrix),
        finding,
        "Rows: the loss that the model is trained on. Columns: the loss that it is scored on, mean "
        "over the folds. Below: excess over the best of the column in %.",
        _means(matrix),
        name=name,
    )
    pairs = [_pairs(matrix)] if matrix.changes else []
    return PageSection(
        name,
        f"Which loss to train {matrix.model} on",
        (
            _choices(matrix),
            figure,
            Bullets(tuple(lines)),
            *pairs,
            Details(f"All values of {matrix.model}, with intervals and tests", (_all(matrix),)),
            *([Details("How the loss matrix is computed", (_terms(matrix),))] if last else []),
        ),
    )


def _choices(matrix: LossMatrix) -> PageTable:
    return PageTable(
        (
            "Scored on",
            "Best trained on",
            "Not significantly worse",
            "Mean",
            "Trained on the scored loss: excess",
            _interval(matrix),
            "Excess in %",
            "Adjusted p",
        ),
        tuple(_choice(choice, tested=matrix.n_tests > 0) for choice in matrix.choices()),
        sentence(
            "The best loss to train {model} on, for each loss that it is scored on, and what "
            "training on the scored loss itself gives",
            model=matrix.model,
        ),
        n_text=3,
    )


def _choice(choice: BestRow, *, tested: bool) -> tuple[Cell, ...]:
    if choice.best is None or choice.cell is None:
        return (Cell(choice.column), *[Cell("no value in every fold")], *[Cell(DASH)] * 6)
    near = and_list([row.label for row in choice.near], most=3) or "none"
    return (
        Cell(choice.column),
        Cell(choice.best.label, strong=choice.best is choice.diagonal),
        Cell(near if tested else "not tested", len(choice.near) if tested else math.nan),
        Cell(number(choice.cell.mean), choice.cell.mean),
        *_diagonal(choice),
    )


def _diagonal(choice: BestRow) -> tuple[Cell, ...]:
    """Excess of the row that is trained on the scored loss, its interval, percent and test."""
    cell = choice.diagonal_cell
    if cell is None:
        return (Cell("no such row"), *[Cell(DASH)] * 3)
    if cell.best:
        return (Cell("best", 0.0), *[Cell(DASH)] * 3)
    return _excess(cell)


def _excess(cell: MatrixCell) -> tuple[Cell, ...]:
    """Excess over the best of the column, its interval, percent of the best, and the test."""
    if not math.isfinite(cell.excess):
        return (Cell(cell.reason or DASH), *[Cell(DASH)] * 3)
    test = cell.comparison
    if test is None or test.reason is not None:
        excess, limits = _alike(cell.excess)[0], "no interval"
    else:
        excess, low, high = _alike(cell.excess, test.low, test.high)
        limits = f"{low} to {high}"
    return (
        Cell(excess, cell.excess),
        Cell(limits),
        Cell(percent(cell.percent), cell.percent),
        Cell(_p(cell.p_adjusted), cell.p_adjusted),
    )


def _alike(*values: float) -> list[str]:
    """Numbers with the same decimals: two digits of the largest one."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    decimals = min(max(1 - math.floor(math.log10(largest)), 0), 8) if largest else 1
    return [signed(value, decimals) for value in values]


def _interval(matrix: LossMatrix) -> str:
    return f"{100 * matrix.confidence:g} % interval"


def _p(value: float) -> str:
    return p_value(value).removeprefix("p ").removeprefix("= ")


def _means(matrix: LossMatrix) -> PageTable:
    return PageTable(
        ("Trained on", *matrix.columns, "Shift of mean rate", "Calibration error"),
        tuple(
            (
                Cell(row.label),
                *(Cell(number(cell.mean), cell.mean, strong=cell.best) for cell in cells),
                *(
                    [Cell(DASH)] * 2
                    if row.calibration is None
                    else _calibration(row.calibration.headline, row.calibration.ece)
                ),
            )
            for row, cells in zip(matrix.rows, matrix.cells, strict=True)
        ),
    )


def _calibration(shift: float, error: float) -> list[Cell]:
    return [Cell(signed(shift, sign="+"), shift), Cell(signed(error), error)]


def _pairs(matrix: LossMatrix) -> PageTable:
    rows = []
    for plain, corrected in matrix.pairs():
        old, new = matrix.rows[plain].calibration, matrix.rows[corrected].calibration
        if old is None or new is None:
            continue
        changes = matrix.changes.get(corrected, ())
        rows.append(
            (
                Cell(matrix.rows[plain].loss),
                *(
                    Cell(
                        and_list([c.column + "*" * c.significant for c in changed(changes, word)])
                        or "none"
                    )
                    for word in ("better", "worse")
                ),
                *_calibration(old.headline, old.ece),
                *_calibration(new.headline, new.ece),
            )
        )
    return PageTable(
        (
            "Trained on",
            "Better if corrected",
            "Worse if corrected",
            "Shift, uncorrected",
            "Calibration error, uncorrected",
            "Shift, corrected",
            "Calibration error, corrected",
        ),
        tuple(rows),
        sentence(
            "Corrected probabilities: the class probabilities for which the scores of the model "
            "minimize its training loss. Shift: mean predicted rate minus base rate, of the second "
            "of two classes or, with more classes, of the class with the largest shift. "
            "* significant"
        ),
        n_text=3,
    )


def _all(matrix: LossMatrix) -> PageTable:
    return PageTable(
        (
            "Scored on",
            "Trained on",
            "Mean",
            "Std",
            "Excess",
            _interval(matrix),
            "Excess in %",
            "Adjusted p",
        ),
        tuple(
            (
                Cell(name),
                Cell(row.label + (" (scored loss)" if cell.diagonal else ""), strong=cell.best),
                Cell(number(cell.mean), cell.mean),
                Cell(number(cell.std), cell.std),
                *((Cell("best", 0.0), *[Cell(DASH)] * 3) if cell.best else _excess(cell)),
            )
            for name in matrix.columns
            for row, cell in zip(matrix.rows, matrix.column(name), strict=True)
        ),
        n_text=2,
    )


def _terms(matrix: LossMatrix) -> Terms:
    return Terms(
        (
            (
                "Excess over the best",
                "Mean over the folds minus the best mean of the column, also in % of that best; "
                "for columns where higher is better, the best mean minus the mean.",
            ),
            (
                "Test",
                "Two-sided paired t-test over the folds of each cell against the best cell of its "
                "column, with the variance of Nadeau and Bengio (2003) for training rows that "
                f"folds share: variance factor 1/J + n_test/n_train, with J = {matrix.n_folds} and "
                f"n_test/n_train = {matrix.test_train_ratio:.4g}; J - 1 degrees of freedom.",
            ),
            (
                "Multiple tests",
                "Holm's adjustment over all cells of the matrix of a model that are not the best "
                "of their column, and over all columns with corrected probabilities. Significant: "
                f"adjusted p below {matrix.alpha:g}.",
            ),
            (
                "Limitations",
                "The best row of a column is chosen on the folds that also test it, so that too "
                "many rows are significantly worse. The test is an approximation. With few folds "
                "it finds only large differences.",
            ),
            (
                "Calibration",
                "Expected calibration error with 15 bins of equal width. It and the shift are "
                "computed in each fold and averaged.",
            ),
        )
    )
