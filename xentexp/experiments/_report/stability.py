"""Section on stability: values by fold, the order of the models, and shifts of the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.displays import StabilityDisplay
from xentexp.displays._style import laid_out, style
from xentexp.experiments._formatting import (
    Sentence,
    and_list,
    counted,
    decimals_for,
    plain,
    sentence,
    signed,
)
from xentexp.experiments._ranking import higher_is_better
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Details,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    figure_block,
    named_cells,
    number_cell,
    shown_models,
)
from xentexp.experiments._report.rows import Rows, varying_rows
from xentexp.inference import OrderStability, order_stability
from xentexp.metrics.credit import StabilityIndex, population_stability_index

_MOST_FOLDS = 10  # columns of the tables


def stability_section(record: RunRecord) -> PageSection | None:
    """Values by fold and shifts of the scores; None without models."""
    name = record.about.primary
    models = [m for m in record.models if m.error is None and len(m.fold_values.get(name, ()))]
    if not models:
        return None
    n_folds = len(models[0].fold_values[name])
    if n_folds == 1:
        text = "One split: there are no other folds to compare with."
        return PageSection("stability", "Stability", (plain(text),))
    constant = record.constant_models()
    compared = [m for m in models if m.name not in constant] or models
    values = {m.name: np.asarray(m.fold_values[name], dtype=np.float64) for m in compared}
    finite = {name: v for name, v in values.items() if np.isfinite(v).all()}
    order = _order(finite, higher=higher_is_better(name))
    shown = shown_models(compared)
    blocks: list[Block] = [_figure(record, shown, values, order)]
    if len(compared) > len(shown):
        more = counted(len(compared) - len(shown), "more model")
        blocks.append(plain(f"{more} in the numbers of the figure only."))
    if absent := [name for name in values if name not in finite]:
        blocks.append(
            plain(
                f"{and_list(absent, most=4)}: not all folds have a finite value, so that the order "
                f"leaves out {'it' if len(absent) == 1 else 'them'}."
            )
        )
    if order is not None:
        blocks.append(_order_details(order))
    blocks += _shifts(record)
    return PageSection("stability", "Stability", tuple(blocks))


def _kind(record: RunRecord) -> str:
    """What a fold is called."""
    return "period" if record.about.kind == "time_ordered" else "fold"


# -- folds -------------------------------------------------------------------------------------


def _order(values: Mapping[str, FloatArray], *, higher: bool) -> OrderStability | None:
    if len(values) < 2:
        return None
    return order_stability(list(values.values()), names=list(values), higher_is_better=higher)


def _figure(
    record: RunRecord,
    shown: Sequence[ModelRecord],
    values: Mapping[str, FloatArray],
    order: OrderStability | None,
) -> PageFigure:
    name = record.about.primary
    with style("stability"):
        figure, axes = laid_out(340, 70 + 28 * len(shown))
        display = StabilityDisplay({m.name: values[m.name] for m in shown}, metric=name)
        display.plot(axes, colours=colours(record))
    kind = _kind(record)
    joined = f"; lines join the same {kind}" if len(shown) > 1 else ""
    return figure_block(
        figure,
        _finding(name, values, order),
        f"Dot: {name} of a {kind}{joined}.",
        _table(record, values, kind),
        name=f"stability {record.run_id}",
    )


def _finding(name: str, values: Mapping[str, FloatArray], order: OrderStability | None) -> Sentence:
    if order is None:
        model, found = next(iter(values.items()))
        if not np.isfinite(found).all():
            return sentence("{name} of {model} in each fold", name=name, model=model)
        return sentence(
            "{name} of {model} is {low:.4f} to {high:.4f} in the folds",
            name=name,
            model=model,
            low=float(found.min()),
            high=float(found.max()),
        )
    weakest = min(order.pairs, key=lambda pair: pair.agreement)
    if weakest.wins == order.n_folds:
        return sentence("All {n} folds order the models in the same way", n=order.n_folds)
    if not any(pair.wins or pair.losses for pair in order.pairs):
        return sentence(
            "The models have the same {name} in all {n} folds", name=name, n=order.n_folds
        )
    return sentence(
        "{better} is better than {worse} in {wins} of {n} folds",
        better=weakest.better,
        worse=weakest.worse,
        wins=weakest.wins,
        n=order.n_folds,
    )


def _table(record: RunRecord, values: Mapping[str, FloatArray], kind: str) -> PageTable:
    names = named_cells(record, list(values))
    n_folds = len(next(iter(values.values())))
    decimals = decimals_for([float(x) for v in values.values() for x in v])
    each = n_folds if n_folds <= _MOST_FOLDS else 0
    headers = ("model", "lowest", "highest", *(f"{kind} {i + 1}" for i in range(each)))
    rows = []
    for name, found in values.items():
        limits = (float(found.min()), float(found.max()))
        cells = [number_cell(x, decimals) for x in (*limits, *found.tolist()[:each])]
        rows.append((names[name], *cells))
    return PageTable(headers, tuple(rows))


def _order_details(order: OrderStability) -> Details:
    """Each model with the next one in the order."""
    decimals = decimals_for([pair.difference for pair in order.pairs])
    rows = tuple(
        (
            Cell(pair.better),
            Cell(pair.worse),
            number_cell(pair.difference, decimals),
            Cell(f"{pair.wins}", pair.wins),
            Cell(f"{pair.losses}", pair.losses),
            Cell(f"{pair.ties}", pair.ties),
            Cell(f"{order.n_folds}", order.n_folds),
            number_cell(pair.reliability, 2),
        )
        for pair in order.pairs
    )
    headers = ("better", "worse", "difference", "won", "lost", "equal", "folds", "reliability")
    whole = number_cell(order.reliability, 2)
    total = (Cell("all models"), *(Cell("") for _ in range(6)), whole)
    text = sentence(
        "The reliability of the whole order is {reliability:.2f}: the part of the variance between "
        "the means of the models that is not due to the split (1 is a stable order). It is about "
        "{target}.",
        reliability=order.reliability,
        target=order.target,
    )
    table = PageTable(headers, (*rows, total), n_text=2)
    return Details("Order of the models in the folds", (text, table))


# -- scores ------------------------------------------------------------------------------------


def _shifts(record: RunRecord) -> list[Block]:
    """Population stability index of the scores of each fold or period."""
    table = stability_table(record)
    if table is None:
        return []
    name, value, where, reading, chance = max(table.rows, key=lambda row: row[1].value)
    text = sentence(
        "The scores are compared between the {kind}s: the largest population stability index is "
        "{value:.3f} ({name}, {where}: {reading}). Without any shift it is about {chance:.3f}.",
        kind=_kind(record),
        value=value.value,
        name=name.text,
        where=where.text,
        reading=reading.text,
        chance=chance.value,
    )
    return [text, Details("Shifts of the scores", (table,))]


def stability_table(record: RunRecord) -> PageTable | None:
    """PSI of the scores of each model between folds, or of later folds against the first."""
    models, _ = varying_rows(record)
    in_time = record.about.kind == "time_ordered"
    lines = []
    for rows in models:
        folds = rows.pooled.folds
        numbers = [int(number) for number in np.unique(folds[rows.first])]
        if len(numbers) < 2:
            return None
        found = {
            number: _shift(rows, folds == number, folds == numbers[0] if in_time else rows.first)
            for number in numbers[1 if in_time else 0 :]
        }
        worst = max(found, key=lambda number: found[number].value)
        result = found[worst]
        lines.append(
            (
                named_cells(record, [rows.name])[rows.name],
                Cell(signed(result.value, 3), result.value),
                Cell(f"fold {numbers.index(worst) + 1}"),
                Cell(result.verdict),
                Cell(signed(result.by_chance, 3), result.by_chance),
            )
        )
    if not lines:
        return None
    other = "the first fold" if in_time else "the other folds"
    label = str(record.about.classes[-1])
    caption = sentence(
        "Population stability index of the predicted probability of class {label}, each fold "
        "against {other} (below 0.1 stable, above 0.25 shift)",
        label=label,
        other=other,
    )
    headers = ("model", "largest PSI ↓", "where", "reading", "without any shift about")
    return PageTable(headers, tuple(lines), caption)


def _shift(rows: Rows, part: NDArray[np.bool_], others: NDArray[np.bool_]) -> StabilityIndex:
    """PSI of the scores of some rows against those of others."""
    others = others & ~part
    score, weight = rows.pooled.proba[:, -1], rows.pooled.sample_weight
    return population_stability_index(
        score[others],
        score[part],
        expected_weight=None if weight is None else weight[others],
        actual_weight=None if weight is None else weight[part],
    )
