"""Section on who wins: differences to the best model with their intervals, and the folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray
from xentexp.displays import DifferenceDisplay
from xentexp.displays._style import laid_out, style
from xentexp.experiments._formatting import Sentence, and_list, counted, plain, sentence
from xentexp.experiments._ranking import higher_is_better
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    figure_block,
    named_cells,
    number_cell,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._sentences import Standing

_MOST_ROWS = 7  # of the figure; the best model is its zero
_MOST_FOLDS = 10  # columns of the table


@once
def differences_section(record: RunRecord) -> PageSection | None:
    """Differences of the primary loss to the best model; None without a model to compare."""
    known = record.uncertainty
    if known is None:
        return None
    standing = known.standing(known.primary)
    models = standing.rivals() or standing.constant_rivals()
    if standing.best is None or not models:
        return None
    folds = {model: _in_folds(record, standing, model) for model in models}
    blocks: list[Block] = [_figure(record, standing, models, folds)]
    if len(models) > _MOST_ROWS:
        more = counted(len(models) - _MOST_ROWS, "more model")
        blocks.append(plain(f"{more} in the numbers of the figure only."))
    blocks += _remarks(standing, models, folds)
    return PageSection("differences", "Who wins", tuple(blocks))


def _in_folds(record: RunRecord, standing: Standing, model: str) -> FloatArray:
    """Values of a model minus those of the best in the folds; empty if they are not stored."""
    records = [record.model(name) for name in (model, standing.best or "")]
    first, second = (
        np.asarray([] if r is None else r.fold_values.get(standing.name, []), dtype=np.float64)
        for r in records
    )
    if len(first) != len(second):
        return np.array([])
    with np.errstate(invalid="ignore"):
        return np.asarray(first - second)


def _figure(
    record: RunRecord,
    standing: Standing,
    models: Sequence[str],
    folds: Mapping[str, FloatArray],
) -> PageFigure:
    shown = models[:_MOST_ROWS]
    several = {model: values for model, values in folds.items() if len(values) > 1}
    best = standing.best or ""
    figure = _draw(record, standing, shown, several, 340, 66 + 28 * len(shown))
    confidence = standing.differences[models[0]].confidence
    ticks = "; grey ticks: the folds" if several else ""
    worse = "left" if higher_is_better(standing.name) else "right"
    return figure_block(
        figure,
        _finding(standing, models, several),
        f"Dot: difference to {best}; line: {confidence:.0%} interval{ticks}. Worse models are at "
        f"the {worse} of 0.",
        _table(record, standing, models, folds),
        name=f"differences {record.run_id}",
    )


def _draw(
    record: RunRecord,
    standing: Standing,
    shown: Sequence[str],
    folds: Mapping[str, FloatArray],
    width: int,
    height: int,
) -> Figure:
    with style("differences"):
        figure, axes = laid_out(width, height)
        DifferenceDisplay(
            {model: standing.differences[model] for model in shown},
            reference=standing.best or "",
            loss=standing.name,
            fold_differences=folds,
        ).plot(axes, colours=colours(record))
    return figure


def differences_figure(record: RunRecord, side: int) -> Figure | None:
    """The figure of the section as a square; None without models to compare."""
    known = record.uncertainty
    standing = None if known is None else known.standing(known.primary)
    if standing is None or standing.best is None:
        return None
    models = (standing.rivals() or standing.constant_rivals())[:_MOST_ROWS]
    folds = {model: _in_folds(record, standing, model) for model in models}
    several = {model: values for model, values in folds.items() if len(values) > 1}
    return _draw(record, standing, models, several, side, side) if models else None


def _wins(standing: Standing, values: FloatArray) -> int:
    """Number of folds in which the best model is better, not only equal."""
    worse = -values if higher_is_better(standing.name) else values
    return int((worse > 0.0).sum())


def _finding(
    standing: Standing, models: Sequence[str], folds: Mapping[str, FloatArray]
) -> Sentence:
    best = standing.best or ""
    wins = {model: _wins(standing, values) for model, values in folds.items()}
    n_folds = {len(values) for values in folds.values()}
    if set(models) - set(wins) or len(n_folds) != 1:
        return sentence("{loss} of the models minus that of {best}", loss=standing.name, best=best)
    (n,) = n_folds
    closest = min(models, key=lambda model: wins[model])
    if all(not values.any() for values in folds.values()):
        return sentence(
            "{models} have the same {loss} in all {n} folds",
            models=and_list([best, *models], most=4),
            loss=standing.name,
            n=n,
        )
    if standing.tied:
        closest = standing.tied[0]
        template = (
            "{models} cannot be told apart; {best} is better than {closest} in {wins} of {n} folds"
        )
    elif wins[closest] == n:
        template = "{best} is better than {others} in all {n} folds"
    else:
        template = "{best} is better than {closest} in {wins} of {n} folds"
    return sentence(
        template,
        models=and_list([best, *standing.tied], most=4),
        others=and_list(models, most=4),
        best=best,
        closest=closest,
        wins=wins[closest],
        n=n,
    )


def _remarks(
    standing: Standing, models: Sequence[str], folds: Mapping[str, FloatArray]
) -> list[Block]:
    """What is missing: folds to compare, or intervals."""
    remarks: list[Block] = []
    if all(len(values) == 1 for values in folds.values()):
        remarks.append(plain("One split: the differences have no values of other folds."))
    reasons: dict[str, list[str]] = {}
    for model in models:
        if reason := standing.differences[model].reason:
            reasons.setdefault(reason, []).append(model)
    for reason, names in reasons.items():
        remarks.append(plain(f"No interval for {and_list(names, most=4)}: {reason}."))
    return remarks


def _table(
    record: RunRecord,
    standing: Standing,
    models: Sequence[str],
    folds: Mapping[str, FloatArray],
) -> PageTable:
    names = named_cells(record, models)
    n_folds = max(len(values) for values in folds.values())
    each = n_folds if 1 < n_folds <= _MOST_FOLDS else 0
    headers = ["model", f"minus {standing.best}", "low", "high"]
    if n_folds > 1:
        headers += [f"folds won by {standing.best}", "folds"]
    headers += [f"fold {i + 1}" for i in range(each)]
    rows = []
    for model in models:
        difference = standing.differences[model]
        limits = (difference.difference, difference.low, difference.high)
        cells = [names[model], *(number_cell(value, standing.decimals) for value in limits)]
        values = folds[model]
        if n_folds > 1:
            counts = (_wins(standing, values), len(values)) if len(values) else (math.nan,) * 2
            cells += [number_cell(count, 0) for count in counts]
        cells += [
            number_cell(value, standing.decimals)
            for value in (values if len(values) == n_folds else np.full(n_folds, np.nan))[:each]
        ]
        rows.append(tuple(cells))
    return PageTable(tuple(headers), tuple(rows))
