"""What decisions cost: cutoffs and what they save, for costs of errors or a cost matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from xentexp.displays import ThresholdDisplay
from xentexp.displays._style import placed, style
from xentexp.experiments._formatting import Sentence, counted, plain, sentence, signed
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageSection,
    PageTable,
    colours,
    count_cell,
    figure_block,
    named_cells,
    percent_cell,
    percent_interval,
    with_best_strong,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import Rows, rows_of, varying_rows
from xentexp.inference import CostCurve, CostPoint, MatrixCosts, cost_curve, matrix_costs

_RATIOS = (1, 5, 20)
EXAMPLE = 5
"""Cost of a miss in false alarms where no costs are set."""


def threshold_section(record: RunRecord) -> PageSection | None:
    """Cutoffs and what they save, for the costs of the run or for usual ratios."""
    models, n_more = varying_rows(record)
    if not models:
        return None
    cost = models[0].cost
    if cost is None:
        blocks = _ratio_blocks(record, models[0]) if len(record.about.classes) == 2 else []
    elif (errors := costs_of_errors(cost)) is not None:
        blocks = _curve_blocks(record, models, miss=errors[0], false_alarm=errors[1])
    else:
        blocks = _matrix_blocks(record, models, cost)
    if n_more and cost is not None:
        blocks.append(plain(f"{counted(n_more, 'more model')} not shown."))
    return PageSection("threshold", "What decisions cost", tuple(blocks)) if blocks else None


def costs_of_errors(cost: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Costs of a miss and of a false alarm, if a matrix has just these two."""
    if len(cost) == 2 and not cost[0][0] and not cost[1][1] and cost[0][1] and cost[1][0]:
        return cost[1][0], cost[0][1]
    return None


@once
def cost_curve_of(record: RunRecord, name: str, miss: float, false_alarm: float) -> CostCurve:
    """Costs of the decisions of a model at all cutoffs."""
    rows = rows_of(record, name)
    p = rows.pooled
    return cost_curve(
        p.codes,
        p.proba,
        miss=miss,
        false_alarm=false_alarm,
        amount=p.amount,
        labels=[0, 1],
        sample_weight=p.sample_weight,
        groups=rows.groups,
    )


def _curve_blocks(
    record: RunRecord, models: Sequence[Rows], *, miss: float, false_alarm: float
) -> list[Block]:
    curves = {rows.name: cost_curve_of(record, rows.name, miss, false_alarm) for rows in models}
    names = named_cells(record, list(curves))
    constant = next(iter(curves.values()))
    theoretical = constant.theoretical_threshold
    saved = with_best_strong([percent_cell(curve.saved) for curve in curves.values()], max)
    lines: list[tuple[Cell, ...]] = [
        (
            names[name],
            cell,
            *_cutoff_cells(curve)[1:],
            percent_cell(_saved_at(curve, theoretical)),
            _cost_cell(curve.best_cost),
        )
        for cell, (name, curve) in zip(saved, curves.items(), strict=True)
    ]
    none = [Cell("none")] * 3
    nothing = (percent_cell(0.0), *none, percent_cell(0.0), _cost_cell(constant.constant_cost))
    lines.append((Cell(_constant_name(constant)), *nothing))
    headers = (*_HEADERS, f"saved at {theoretical:.3f} ↑", "cost per 1,000 rows ↓")
    best = next((i for i, cell in enumerate(saved) if cell.strong), 0)
    rows = models[best]
    given = f"A miss costs {miss:g}, a false alarm {false_alarm:g}"
    given += "." if rows.pooled.amount is None else ", both times the amount of the row."
    finding, more = cutoff_sentences(rows.name, curves[rows.name])
    figure = costs_figure(curves, colours(record), 340, 190)
    drawn = (
        "Cost of the decisions over the cutoff, lower is better; dots: lowest cost; thick: within "
        f"1% of it; vertical line: best cutoff of calibrated probabilities, {theoretical:.3f}"
    )
    title = sentence(finding.template.rstrip("."), **finding.values)
    figure_part = figure_block(figure, title, drawn, _curve_table(curves), name="threshold")
    return [
        plain(given),
        Columns((figure_part, _decisions(record, rows, curves[rows.name]))),
        *more,
        PageTable(("model", *headers), tuple(lines)),
        plain(
            f"{_HOW} {theoretical:.3f} is the best cutoff of calibrated probabilities: a model "
            f"that saves much less there is not calibrated."
        ),
    ]


def costs_figure(
    curves: Mapping[str, CostCurve], known: Mapping[str, str], width: int, height: int
) -> Figure:
    """Costs over the cutoff, in pixels."""
    with style("threshold"):
        figure, axes = placed(width, height, left=64, right=10, top=21, bottom=40)
        if 1000.0 * next(iter(curves.values())).constant_cost >= 10_000.0:  # amounts of money
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        ThresholdDisplay(curves).plot(axes, colours=known)
    return figure


_HEADERS = ("saved ↑", "on new rows [95% interval]", "best cutoff", "within 1% of its cost")
_HOW = (
    "Rows whose prediction is at least the cutoff are flagged. The best cutoff has the lowest cost "
    "on these rows; what it saves is compared with flagging all rows or none, whichever costs "
    "less. The interval for new rows allows for the choice of the cutoff on the same rows."
)


def _cutoff_cells(curve: CostCurve) -> tuple[Cell, Cell, Cell, Cell]:
    return (
        percent_cell(curve.saved),
        Cell(percent_interval(curve.saved_low, curve.saved_high)),
        Cell(signed(curve.best_threshold, 3), curve.best_threshold),
        Cell(_range(curve)),
    )


def _saved_at(curve: CostCurve, threshold: float) -> float:
    cost = curve.constant_cost
    return 1.0 - curve.at(threshold).cost / cost if cost else math.nan


def _range(curve: CostCurve) -> str:
    return f"{curve.tolerance_low:.3f} to {curve.tolerance_high:.3f}"


def _cost_cell(cost: float) -> Cell:
    value = 1000.0 * cost
    return Cell(f"{value:,.0f}" if value >= 10_000.0 else f"{value:,.1f}", value)


def _constant_name(curve: CostCurve) -> str:
    return "flag all rows" if curve.constant_flags else "flag no row"


def cutoff_sentences(model: str, curve: CostCurve) -> tuple[Sentence, list[Sentence]]:
    """What the best cutoff saves, and how sure that is."""
    values: dict[str, Any] = {
        "model": model,
        "cutoff": curve.best_threshold,
        "saved": curve.saved,
        "constant": "flagging all rows" if curve.constant_flags else "flagging no row",
    }
    if math.isnan(curve.saved):
        values["reason"] = curve.reason
        return sentence("What {model} saves is undefined: {reason}.", **values), []
    if not curve.saved > 0.0:
        return sentence("No cutoff of {model} costs less than {constant}.", **values), []
    finding = sentence(
        "At its best cutoff, {cutoff:.3f}, {model} saves {saved:.1%} of the cost of {constant}.",
        **values,
    )
    low, high = (percent_cell(limit).text for limit in (curve.saved_low, curve.saved_high))
    if math.isnan(curve.saved_low):
        text = f"No interval: {curve.reason}. " if curve.reason else ""
    elif curve.saved_low <= 0.0:
        text = (
            "The 95% interval for new rows, {low} to {high}, contains 0: the cutoff is not "
            "shown to save anything. "
        )
    else:
        text = "On new rows the cutoff saves {low} to {high} (95% interval). "
    if f"{curve.tolerance_low:.3f}" == f"{curve.tolerance_high:.3f}":
        text += "With all other cutoffs the cost is more than 1% higher."
    else:
        text += "With cutoffs from {range} the cost is at most 1% higher."
    return finding, [sentence(text, range=_range(curve), low=low, high=high)]


def _curve_table(curves: Mapping[str, CostCurve]) -> PageTable:
    """Costs at some cutoffs: the data of the figure."""
    cutoffs = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    lines = tuple(
        (Cell(f"{t:g}", t), *(_cost_cell(curve.at(t).cost) for curve in curves.values()))
        for t in cutoffs
    )
    return PageTable(("cutoff", *curves), lines, plain("Cost per 1,000 rows"))


def _decisions(record: RunRecord, rows: Rows, curve: CostCurve) -> PageTable:
    """Numbers and shares of right and wrong decisions at the best cutoff."""
    point: CostPoint = curve.at(curve.best_threshold)
    tp, fp, fn, tn = (
        _share_of_rows(count / rows.n_repeats, share)
        for count, share in zip((point.tp, point.fp, point.fn, point.tn), point.shares, strict=True)
    )
    other, event = record.about.classes
    caption = sentence(
        "Decisions of {model} at the cutoff {cutoff:.3f}, and shares of all rows",
        model=rows.name,
        cutoff=curve.best_threshold,
    )
    return PageTable(
        ("", "flagged", "not flagged"),
        ((Cell(f"class {event}"), tp, fn), (Cell(f"class {other}"), fp, tn)),
        caption,
    )


def _share_of_rows(count: float, share: float) -> Cell:
    cell = count_cell(count)
    return replace(cell, text=f"{cell.text} ({share:.1%})")


def _ratio_blocks(record: RunRecord, rows: Rows) -> list[Block]:
    """Cutoffs for usual ratios of the costs, if no costs are set."""
    curves = {ratio: cost_curve_of(record, rows.name, float(ratio), 1.0) for ratio in _RATIOS}
    lines = tuple((Cell(f"{ratio} : 1"), *_cutoff_cells(curves[ratio])) for ratio in _RATIOS)
    finding, more = cutoff_sentences(rows.name, curves[EXAMPLE])
    return [
        plain(
            f"No costs are set (dataset.cost=); as an example, a miss costs {EXAMPLE} times as "
            f"much as a false alarm."
        ),
        finding,
        *more,
        PageTable(
            ("miss : false alarm", *_HEADERS),
            lines,
            sentence("Cutoffs of {model}", model=rows.name),
        ),
        Details(
            f"Decisions at {EXAMPLE} : 1", (_decisions(record, rows, curves[EXAMPLE]), plain(_HOW))
        ),
    ]


def _matrix_blocks(
    record: RunRecord, models: Sequence[Rows], cost: tuple[tuple[float, ...], ...]
) -> list[Block]:
    """Decisions of least expected cost under a cost matrix."""
    results = {
        rows.name: matrix_costs(
            rows.pooled.codes,
            rows.pooled.proba,
            cost,
            amount=rows.pooled.amount,
            labels=list(range(len(cost))),
            sample_weight=rows.pooled.sample_weight,
            groups=rows.groups,
        )
        for rows in models
    }
    names = named_cells(record, list(results))
    costs = with_best_strong([_cost_cell(result.cost) for result in results.values()], min)
    lines = [
        (
            names[name],
            cell,
            percent_cell(result.saved),
            Cell(percent_interval(result.saved_low, result.saved_high)),
        )
        for cell, (name, result) in zip(costs, results.items(), strict=True)
    ]
    first = results[models[0].name]
    constant = str(record.about.classes[first.constant_decision])
    lines.append(
        (
            Cell(f"always {constant}"),
            _cost_cell(first.constant_cost),
            percent_cell(0.0),
            Cell("none"),
        )
    )
    table = PageTable(("model", "cost per 1,000 rows ↓", "saved ↑", "95% interval"), tuple(lines))
    best = next((i for i, cell in enumerate(costs) if cell.strong), 0)
    rows = models[best]
    return [
        _matrix_sentence(rows.name, results[rows.name], constant),
        table,
        _decisions_of_matrix(record, rows, results[rows.name]),
    ]


def _matrix_sentence(model: str, result: MatrixCosts, constant: str) -> Sentence:
    values: dict[str, Any] = {
        "model": model,
        "constant": constant,
        "saved": result.saved,
        "interval": percent_interval(result.saved_low, result.saved_high),
    }
    if math.isnan(result.saved):
        return sentence(
            "What {model} saves is undefined: {reason}.", reason=result.reason, **values
        )
    if not result.saved > 0.0:
        return sentence(
            "The decisions of {model} of least expected cost do not cost less than always deciding "
            "{constant}.",
            **values,
        )
    text = (
        "With the decisions of least expected cost, {model} saves {saved:.1%} {interval} of the "
        "cost of always deciding {constant}."
    )
    if result.saved_low <= 0.0:
        text += " The interval contains 0: the decisions are not shown to save anything."
    return sentence(text, **values)


def _decisions_of_matrix(record: RunRecord, rows: Rows, result: MatrixCosts) -> PageTable:
    total = float(result.decisions.sum())
    lines = tuple(
        (
            Cell(f"class {label}"),
            *(
                _share_of_rows(float(count) / rows.n_repeats, float(count) / total)
                for count in counts
            ),
        )
        for label, counts in zip(record.about.classes, result.decisions, strict=True)
    )
    headers = ("true class", *(f"decide {label}" for label in record.about.classes))
    caption = sentence("Decisions of {model}, and shares of all rows", model=rows.name)
    return PageTable(headers, lines, caption)
