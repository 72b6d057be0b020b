"""Headline, context and table of the models of a run."""

from __future__ import annotations

import math

import numpy as np

from xentexp.experiments._board_tables import difference_text, displayed, label
from xentexp.experiments._formatting import (
    DASH,
    Sentence,
    counted,
    decimals_for,
    plain,
    signed,
)
from xentexp.experiments._leaderboard import Row, best_is
from xentexp.experiments._ranking import better
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Details,
    PageSection,
    PageTable,
    Terms,
    named_cells,
)
from xentexp.experiments._sentences import Standing, short_answer
from xentexp.metrics.credit import gains_table

TOP = 0.1
"""Share of rows with the highest scores whose events a column counts."""

_MORE = ("brier_loss", "roc_auc")
_MOST_ROWS = 20
_MOST_COLUMNS = 8


def headline(record: RunRecord) -> tuple[Sentence, tuple[Sentence, ...]]:
    """The answer: its first sentence, and the others."""
    known = record.uncertainty
    if known is None or not known.models:
        reasons = [f"{model.name}: {model.error}" for model in record.models if model.error]
        if reasons and len(reasons) == len(record.models):
            return plain("All models failed."), (plain(f"The first error: {reasons[0]}"),)
        return plain(f"{record.about.title}: no intervals are stored for this run."), ()
    first, *others = short_answer(known.standing(known.primary), known.equivalence)
    return plain(first), (plain(" ".join(others)),) if others else ()


def context(record: RunRecord) -> tuple[Sentence, ...]:
    """Data, folds and base rate in one line."""
    about = record.about
    shares = _class_shares(record)
    rates = ""
    if shares and len(shares) == 2:
        rates = f", {shares[1]:.1%} of class {about.classes[1]}"
    elif shares:
        rates = ", " + ", ".join(
            f"{label}: {share:.1%}"
            for label, share in list(zip(about.classes, shares, strict=True))[:6]
        )
    line = (
        f"{about.title}: {counted(about.n_rows, 'row')}, {counted(about.n_features, 'feature')}, "
        f"{len(about.classes)} classes{rates}. {about.folds}; every value is of rows that the "
        f"model was not trained on."
    )
    return (plain(line),)


def _class_shares(record: RunRecord) -> list[float] | None:
    for model in record.models:
        if model.predictions is not None:
            folds = [fold for fold in model.predictions.folds if not fold.repeat]
            y = np.concatenate([fold.y for fold in folds])
            weight = np.concatenate([fold.weights() for fold in folds])
            return [float(np.average(y == label, weights=weight)) for label in record.about.classes]
    return None


def models_section(record: RunRecord) -> PageSection | None:
    """Table of the models, best first, with the constant model as a row."""
    rows = displayed(record.board)
    if not rows:
        return None
    known = record.uncertainty
    standing = record.board.standing(record.board.primary)
    primary = record.board.primary
    names = named_cells(record, [row.model for row in rows])
    headers = ["model", f"{primary} {_arrow(primary)}"]
    columns: list[list[Cell]] = [
        [
            Cell(
                label(standing, row.model),
                strong=row.model == standing.best,
                colour=names[row.model].colour,
            )
            for row in rows
        ],
        values_column(record, rows, primary),
    ]
    if standing.differences:
        level = next(iter(standing.levels.values())).confidence
        headers.append(f"minus the best [{level:.0%} interval]")
        columns.append([_difference_cell(standing, row.model) for row in rows])
    if (skills := _skills(standing, rows)) is not None:
        headers.append("skill ↑")
        columns.append(skills)
    for name in _MORE:
        if name != primary and name in record.board.names():
            headers.append(f"{name} {_arrow(name)}")
            columns.append(values_column(record, rows, name))
    if len(record.about.classes) == 2:
        headers.append(f"top {TOP:.0%} catches ↑")
        columns.append(_caught_column(record, rows))
    headers.append("fit s")
    columns.append([_cell(row.seconds, 1) for row in rows])
    blocks: list[Block] = [
        PageTable(tuple(headers), tuple(zip(*columns, strict=True))[:_MOST_ROWS]),
    ]
    if len(rows) > _MOST_ROWS:
        more = counted(len(rows) - _MOST_ROWS, "more model")
        blocks.append(plain(f"The run has {more}; `xentexp leaderboard` prints all."))
    if known is not None and known.rule:
        blocks.append(plain(known.rule))
    blocks.append(_explanations(record, skills is not None))
    blocks += _failures(record)
    blocks.append(_all_values(record, rows))
    return PageSection("models", "The models", tuple(blocks))


def values_column(record: RunRecord, rows: list[Row], name: str) -> list[Cell]:
    """Values of one loss or metric, with equal decimals."""
    standing = record.board.standing(name)
    means = [row.value(name) for row in rows]
    decimals = standing.decimals if standing.levels else decimals_for(means)
    return [
        _cell(mean, decimals, strong=row.model == standing.best)
        for row, mean in zip(rows, means, strict=True)
    ]


def _cell(value: float, decimals: int, *, strong: bool = False) -> Cell:
    return Cell(DASH if math.isnan(value) else signed(value, decimals), value, strong=strong)


def _difference_cell(standing: Standing, model: str) -> Cell:
    difference = standing.differences.get(model)
    if difference is None:
        return Cell("best" if model == standing.best else DASH)
    return Cell(difference_text(standing, model), difference.difference)


def _skills(standing: Standing, rows: list[Row]) -> list[Cell] | None:
    """1 minus loss over loss of the constant model, in per cent; None if it is not defined."""
    constant = next((model for model in standing.levels if model in standing.constant), None)
    if constant is None or (better(standing.name) or ("",))[0] != "lower":
        return None
    base = standing.levels[constant].mean
    if not base > 0.0:
        return None
    cells = []
    for row in rows:
        skill = 1.0 - row.value(standing.name) / base
        text = DASH if math.isnan(skill) else f"{signed(100.0 * skill, 1)}%"
        cells.append(Cell(text, skill))
    return cells


def _caught_column(record: RunRecord, rows: list[Row]) -> list[Cell]:
    """Share of the events among the rows with the highest scores."""
    cells = []
    for row in rows:
        value = caught(record, row.model)
        cells.append(Cell(DASH if math.isnan(value) else f"{value:.1%}", value))
    return cells


def caught(record: RunRecord, model: str) -> float:
    """Share of the events in the tenth of the rows with the highest scores."""
    known = record.model(model)
    if known is None:
        return TOP
    if known not in record.with_probabilities() or known.predictions is None:
        return math.nan
    rows = pooled(known.predictions)
    if len(set(rows.codes.tolist())) < 2:
        return math.nan
    table = gains_table(rows.codes, rows.proba[:, 1], top=(TOP,), sample_weight=rows.sample_weight)
    return table.rows[0].caught


def _arrow(name: str) -> str:
    return {"low": "↓", "high": "↑", "-": ""}.get(best_is(name), best_is(name))


def _explanations(record: RunRecord, skill: bool) -> Block:
    terms = [("↓ ↑", "lower or higher is better; values are means over the folds")]
    if skill:
        terms.append(("skill", f"1 minus {record.board.primary} over that of the constant model"))
    if len(record.about.classes) == 2:
        terms.append(
            (
                f"top {TOP:.0%} catches",
                f"share of the rows of class {record.about.classes[1]} that are among the "
                f"{TOP:.0%} of all rows with the highest scores, folds together",
            )
        )
    return Details("What the columns mean", (Terms(tuple(terms)),))


def _failures(record: RunRecord) -> list[Block]:
    return [
        plain(f"{model.name} failed: {model.error}")
        for model in record.models
        if model.error is not None
    ]


def _all_values(record: RunRecord, rows: list[Row]) -> Block:
    """All losses and metrics of the leaderboard, models as columns."""
    names = record.board.shown()
    shown = rows[:_MOST_COLUMNS]
    columns = {name: values_column(record, shown, name) for name in names}
    lines = tuple((Cell(name), Cell(best_is(name)), *columns[name]) for name in names)
    headers = ("loss or metric", "best", *(row.model for row in shown))
    of_best = f" for the best {len(shown)} models" if len(shown) < len(rows) else ""
    return Details(
        f"All losses and metrics of the leaderboard{of_best}",
        (PageTable(headers, lines, n_text=2),),
    )
