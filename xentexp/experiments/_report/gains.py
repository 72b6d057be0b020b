"""What a model gives: gains, score bands, swap set, cutoffs for costs, and stability of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import EngFormatter

from xentexp._numerics import FloatArray
from xentexp.displays import ThresholdDisplay
from xentexp.displays._style import new_figure, style
from xentexp.experiments._formatting import MINUS, Sentence, counted, plain, sentence, signed
from xentexp.experiments._record import ModelRecord, Pooled, RunRecord, pooled
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageSection,
    PageTable,
    colours,
    figure_block,
    named_cells,
    shown_models,
)
from xentexp.inference import CostCurve, CostPoint, MatrixCosts, cost_curve, matrix_costs
from xentexp.metrics.credit import (
    GainsTable,
    ScoreBands,
    SwapCell,
    gains_table,
    population_stability_index,
    score_bands,
    swap_set,
)

TOP = (0.05, 0.1, 0.2, 0.3, 0.5)
_TENTH = TOP.index(0.1)
_NEARLY = 0.02
"""Largest difference of shares that is called nearly the same."""
_ACCEPTED = 0.8
_RATIOS = (1, 5, 20)
_MIDDLE = 5
_WORST = 3
"""Number of classes, and of models with score bands, that the page shows."""


class _Rows:
    """Out-of-fold rows of a model, and how often each occurs."""

    def __init__(self, model: ModelRecord) -> None:
        assert model.predictions is not None
        folds = model.predictions.folds
        self.name = model.name
        self.pooled: Pooled = pooled(model.predictions)
        self.cost = model.predictions.cost
        repeats = [fold.repeat for fold in folds]
        self.n_repeats = len(set(repeats))
        self.first = np.concatenate([np.full(len(f.rows), f.repeat == repeats[0]) for f in folds])

    @property
    def groups(self) -> Any:
        """Rows that depend on each other: those of a group, and a row in several repeats."""
        known = self.pooled.groups
        return self.pooled.rows if known is None and self.n_repeats > 1 else known

    def of_class(self, column: int) -> tuple[Any, FloatArray]:
        """Whether a row has a class, and its probability."""
        return (self.pooled.codes == column).astype(int), self.pooled.proba[:, column]


def _models(record: RunRecord) -> tuple[list[_Rows], int]:
    """At most eight models with probabilities that are not constant, and how many more."""
    known = record.uncertainty
    constant = set() if known is None else {m.model for m in known.models if m.constant}
    models = [model for model in record.with_probabilities() if model.name not in constant]
    shown = shown_models(record, models)
    return [_Rows(model) for model in shown], len(models) - len(shown)


def _percent(value: float, *, strong: bool = False) -> Cell:
    text = "undefined" if math.isnan(value) else f"{100.0 * value:z.1f}%".replace("-", MINUS)
    return Cell(text, value, strong=strong)


def _count(value: float, n_repeats: int = 1) -> Cell:
    """Number of rows, or sum of weights, of one repeat."""
    value = value / n_repeats
    return Cell(f"{value:,.0f}", value)


def _strong(cells: Sequence[Cell], best: Callable[[Sequence[float]], float]) -> list[Cell]:
    """Cells with the best one strong, unless others show the same text."""
    values = [cell.value for cell in cells if not math.isnan(cell.value)]
    if len(values) < 2:
        return list(cells)
    texts = {cell.text for cell in cells if cell.value == best(values)}
    winners = [cell for cell in cells if cell.text in texts]
    return [replace(cell, strong=len(winners) == 1 and cell is winners[0]) for cell in cells]


# -- gains -------------------------------------------------------------------------------------


def gains_section(record: RunRecord) -> PageSection | None:
    """Events among the rows with the highest scores, score bands and the swap set."""
    models, n_more = _models(record)
    if not models:
        return None
    classes = [str(label) for label in record.about.classes]
    columns = [1] if len(classes) == 2 else list(range(len(classes)))
    tables = {column: [_gains(rows, column) for rows in models] for column in columns}
    known = [column for column in columns if tables[column][0].events > 0.0]
    # The classes whose events are hardest to find come first.
    known.sort(key=lambda column: tables[column][0].rows[_TENTH].lift)
    blocks: list[Block] = [
        sentence("Gains of class {label} are undefined: it has no rows.", label=classes[column])
        for column in columns
        if column not in known
    ]
    for column in known[:_WORST]:
        blocks += _gains_blocks(record, models, tables[column], classes[column])
    if n_more:
        blocks.append(plain(f"{counted(n_more, 'more model')} not shown."))
    more = [
        block
        for column in known[_WORST:]
        for block in _gains_blocks(record, models, tables[column], classes[column])
    ]
    if more:
        blocks.append(Details("Gains of the other classes", tuple(more)))
    if known:
        blocks.append(_bands_details(record, models, tables, known[:_WORST]))
    if len(models) > 1 and len(classes) == 2 and known:
        swap = _swap_details(models[0], models[1], classes[1])
        blocks += [] if swap is None else [swap]
    if models[0].n_repeats > 1:
        blocks.append(plain("Numbers of rows are means over the repeats."))
    return PageSection("gains", "What it gives: the highest scores", tuple(blocks))


def _gains(rows: _Rows, column: int) -> GainsTable:
    event, proba = rows.of_class(column)
    return gains_table(
        event, proba, top=TOP, labels=[0, 1], sample_weight=rows.pooled.sample_weight
    )


def _gains_blocks(
    record: RunRecord, models: Sequence[_Rows], tables: Sequence[GainsTable], label: str
) -> list[Block]:
    names = named_cells(record, [rows.name for rows in models])
    first = [names[rows.name] for rows in models]
    tops = [f"top {share:.0%}" for share in TOP]
    caught, rates = (
        [[_percent(getattr(row, name)) for row in table.rows] for table in tables]
        for name in ("caught", "rate")
    )
    caught, rates = (_best_in_columns(cells) for cells in (caught, rates))
    spread = [
        max(cells, key=lambda cell: cell.value).value
        - min(cells, key=lambda cell: cell.value).value
        for cells in zip(*caught, strict=True)
    ]
    lines = [(name, *cells) for name, cells in zip(first, caught, strict=True)]
    if len(models) > 1:
        lines.append((Cell("largest minus smallest"), *map(_percent, spread)))
    caption = sentence("Share of all rows of class {label} that are selected ↑", label=label)
    found = PageTable(("model", *tops), tuple(lines), caption)
    base = [_percent(table.rate) for table in tables]
    lines = [
        (name, *cells, all_rows) for name, cells, all_rows in zip(first, rates, base, strict=True)
    ]
    caption = sentence("Share of class {label} among the selected rows ↑", label=label)
    rate = PageTable(("model", *tops, "all rows"), tuple(lines), caption)
    return [_finding(models, caught, spread, label), Columns((found, rate))]


def _best_in_columns(cells: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    columns = [_strong(column, max) for column in zip(*cells, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _finding(
    models: Sequence[_Rows], caught: Sequence[Sequence[Cell]], spread: Sequence[float], label: str
) -> Sentence:
    """Whether the highest scores differ between the models, and where they differ most."""
    tenth = [cells[_TENTH].value for cells in caught]
    if len(models) == 1:
        return sentence(
            "The {top} of the rows with the highest scores of {model} have {caught:.1%} of all "
            "rows of class {label}.",
            top="10%",
            model=models[0].name,
            caught=tenth[0],
            label=label,
        )
    low, high = min(tenth), max(tenth)
    widest = int(np.argmax(spread))
    values: dict[str, Any] = {
        "top": "10%",
        "label": label,
        "low": low,
        "high": high,
        "where": f"{TOP[widest]:.0%}",
        "spread": spread[widest],
    }
    if spread[_TENTH] > _NEARLY:
        return sentence(
            "The {top} of the rows with the highest scores have {low:.1%} ({worst}) to {high:.1%} "
            "({best}) of all rows of class {label}.",
            best=models[tenth.index(high)].name,
            worst=models[tenth.index(low)].name,
            **values,
        )
    start = "The {top} of the rows with the highest scores are nearly as good with all models: "
    if f"{low:.1%}" == f"{high:.1%}":
        start += "they have {high:.1%} of all rows of class {label}. "
    else:
        start += "they have {low:.1%} to {high:.1%} of all rows of class {label}. "
    if spread[widest] > 2.0 * spread[_TENTH]:
        return sentence(
            start + "The models differ most in the top {where}: by {spread:.1%} of all "
            "rows of class {label}.",
            **values,
        )
    return sentence(
        start + "No other selection differs by more than {spread:.1%} (top {where}).", **values
    )


def _bands_details(
    record: RunRecord,
    models: Sequence[_Rows],
    tables: Mapping[int, Sequence[GainsTable]],
    columns: Sequence[int],
) -> Details:
    names = named_cells(record, [rows.name for rows in models])
    blocks: list[Block] = []
    for column in columns:
        label = str(record.about.classes[column])
        lines = [
            (
                names[rows.name],
                _percent(table.ks),
                _percent(table.ks_share),
                Cell(signed(table.ks_threshold, 3), table.ks_threshold),
            )
            for rows, table in zip(models, tables[column], strict=True)
        ]
        best = _strong([line[1] for line in lines], max)
        lines = [(line[0], cell, *line[2:]) for line, cell in zip(lines, best, strict=True)]
        caption = sentence(
            "KS statistic: largest distance between the score distributions of class {label} and "
            "of the other rows ↑, and the cutoff where it is",
            label=label,
        )
        headers = ("model", "KS", "rows from the cutoff up", "cutoff")
        blocks.append(PageTable(headers, tuple(lines), caption))
        for rows in models[:_WORST]:
            event, proba = rows.of_class(column)
            bands = score_bands(
                event, proba, labels=[0, 1], sample_weight=rows.pooled.sample_weight
            )
            blocks.append(_bands_table(bands, rows, label))
    return Details("Score bands and KS", tuple(blocks))


def _bands_table(bands: ScoreBands, rows: _Rows, label: str) -> PageTable:
    lines = tuple(
        (
            Cell(f"{band.low:.3f} to {band.high:.3f}"),
            _count(band.n_rows, rows.n_repeats),
            _count(band.events, rows.n_repeats),
            _percent(band.rate),
            _percent(band.predicted),
            _percent(band.caught),
            _percent(band.ks),
        )
        for band in bands.bands
    )
    headers = ("scores", "rows", f"class {label}", "rate", "mean score", "caught so far", "KS")
    return PageTable(headers, lines, sentence("Score bands of {model}", model=rows.name))


def _swap_details(first: _Rows, second: _Rows, label: str) -> Details | None:
    """Rows that only one of two models accepts."""
    a, b = first.pooled, second.pooled
    if not np.array_equal(a.rows, b.rows):
        return None
    kept = first.first
    swap = swap_set(
        a.codes[kept],
        a.proba[kept],
        b.proba[kept],
        accepted=_ACCEPTED,
        labels=[0, 1],
        sample_weight=None if a.sample_weight is None else a.sample_weight[kept],
    )
    cells = {
        "both": swap.both,
        f"only {first.name}": swap.first_only,
        f"only {second.name}": swap.second_only,
        "none of them": swap.neither,
    }
    level = f"{swap.confidence:.0%} interval"
    table = PageTable(
        ("accepted by", "rows", f"class {label}", "rate", level),
        tuple(
            (
                Cell(name),
                _count(cell.n_rows),
                _count(cell.events),
                _percent(cell.rate),
                Cell(_interval(cell.low, cell.high)),
            )
            for name, cell in cells.items()
        ),
    )
    text = _swap_sentence(swap.first_only, swap.second_only, first.name, second.name, label)
    summary = f"Swap set: whom only {first.name} or only {second.name} accepts"
    return Details(summary, (text, table))


def _swap_sentence(first: SwapCell, second: SwapCell, a: str, b: str, label: str) -> Sentence:
    values: dict[str, Any] = {"share": f"{_ACCEPTED:.0%}", "a": a, "b": b, "label": label}
    start = "If each model accepts the {share} of the rows with its lowest scores, "
    if not first.n_rows or not second.n_rows:
        return sentence(start + "both accept the same rows.", **values)
    values |= {"n_a": first.n_rows, "n_b": second.n_rows, "rate_a": first.rate}
    values |= {"rate_b": second.rate}
    start += (
        "only {a} accepts {n_a:,.0f} rows, of which {rate_a:.1%} are of class {label}; only {b} "
        "accepts {n_b:,.0f}, of which {rate_b:.1%} are. "
    )
    if first.high < second.low or second.high < first.low:
        values["better"] = a if first.high < second.low else b
        return sentence(
            start + "The intervals do not overlap: {better} accepts the better rows.", **values
        )
    return sentence(start + "The intervals overlap.", **values)


def _interval(low: float, high: float) -> str:
    if math.isnan(low):
        return "no interval"
    return f"[{_percent(low).text}, {_percent(high).text}]"


# -- costs -------------------------------------------------------------------------------------


def threshold_section(record: RunRecord) -> PageSection | None:
    """Cutoffs and what they save, for the costs of the run or for usual ratios."""
    models, n_more = _models(record)
    if not models:
        return None
    cost = models[0].cost
    if cost is None:
        blocks = _ratio_blocks(record, models[0]) if len(record.about.classes) == 2 else []
    elif len(cost) == 2 and not cost[0][0] and not cost[1][1] and cost[0][1] and cost[1][0]:
        blocks = _curve_blocks(record, models, miss=cost[1][0], false_alarm=cost[0][1])
    else:
        blocks = _matrix_blocks(record, models, cost)
    if n_more and cost is not None:
        blocks.append(plain(f"{counted(n_more, 'more model')} not shown."))
    return PageSection("threshold", "What decisions cost", tuple(blocks)) if blocks else None


def _curve(rows: _Rows, miss: float, false_alarm: float) -> CostCurve:
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
    record: RunRecord, models: Sequence[_Rows], *, miss: float, false_alarm: float
) -> list[Block]:
    curves = {rows.name: _curve(rows, miss, false_alarm) for rows in models}
    names = named_cells(record, list(curves))
    constant = next(iter(curves.values()))
    theoretical = constant.theoretical_threshold
    saved = _strong([_percent(curve.saved) for curve in curves.values()], max)
    lines: list[tuple[Cell, ...]] = [
        (
            names[name],
            cell,
            *_cutoff_cells(curve)[1:],
            _percent(_saved_at(curve, theoretical)),
            _cost_cell(curve.best_cost),
        )
        for cell, (name, curve) in zip(saved, curves.items(), strict=True)
    ]
    none = [Cell("none")] * 3
    nothing = (_percent(0.0), *none, _percent(0.0), _cost_cell(constant.constant_cost))
    lines.append((Cell(_constant_name(constant)), *nothing))
    headers = (*_HEADERS, f"saved at {theoretical:.3f} ↑", "cost per 1,000 rows ↓")
    best = next((i for i, cell in enumerate(saved) if cell.strong), 0)
    rows = models[best]
    given = f"A miss costs {miss:g}, a false alarm {false_alarm:g}"
    given += "." if rows.pooled.amount is None else ", both times the amount of the row."
    finding, more = _cutoff_sentences(rows.name, curves[rows.name])
    with style("threshold"):
        figure = new_figure(340, 190)
        axes = figure.add_axes((0.19, 0.21, 0.78, 0.68))
        if 1000.0 * constant.constant_cost >= 10_000.0:  # amounts of money
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        ThresholdDisplay(curves).plot(axes, colours=colours(record))
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


_HEADERS = ("saved ↑", "on new rows [95% interval]", "best cutoff", "within 1% of its cost")
_HOW = (
    "Rows whose prediction is at least the cutoff are flagged. The best cutoff has the lowest cost "
    "on these rows; what it saves is compared with flagging all rows or none, whichever costs "
    "less. The interval for new rows allows for the choice of the cutoff on the same rows."
)


def _cutoff_cells(curve: CostCurve) -> tuple[Cell, Cell, Cell, Cell]:
    return (
        _percent(curve.saved),
        Cell(_interval(curve.saved_low, curve.saved_high)),
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


def _cutoff_sentences(model: str, curve: CostCurve) -> tuple[Sentence, list[Sentence]]:
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
    low, high = (_percent(limit).text for limit in (curve.saved_low, curve.saved_high))
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


def _decisions(record: RunRecord, rows: _Rows, curve: CostCurve) -> PageTable:
    """Numbers and shares of right and wrong decisions at the best cutoff."""
    point: CostPoint = curve.at(curve.best_threshold)
    tp, fp, fn, tn = (
        _share_of_rows(count, share, rows.n_repeats)
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


def _share_of_rows(count: float, share: float, n_repeats: int) -> Cell:
    cell = _count(count, n_repeats)
    return replace(cell, text=f"{cell.text} ({share:.1%})")


def _ratio_blocks(record: RunRecord, rows: _Rows) -> list[Block]:
    """Cutoffs for usual ratios of the costs, if no costs are set."""
    curves = {ratio: _curve(rows, float(ratio), 1.0) for ratio in _RATIOS}
    lines = tuple((Cell(f"{ratio} : 1"), *_cutoff_cells(curves[ratio])) for ratio in _RATIOS)
    finding, more = _cutoff_sentences(rows.name, curves[_MIDDLE])
    return [
        plain(
            f"No costs are set (dataset.cost=); as an example, a miss costs {_MIDDLE} times as "
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
            f"Decisions at {_MIDDLE} : 1", (_decisions(record, rows, curves[_MIDDLE]), plain(_HOW))
        ),
    ]


def _matrix_blocks(
    record: RunRecord, models: Sequence[_Rows], cost: tuple[tuple[float, ...], ...]
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
    costs = _strong([_cost_cell(result.cost) for result in results.values()], min)
    lines = [
        (
            names[name],
            cell,
            _percent(result.saved),
            Cell(_interval(result.saved_low, result.saved_high)),
        )
        for cell, (name, result) in zip(costs, results.items(), strict=True)
    ]
    first = results[models[0].name]
    constant = str(record.about.classes[first.constant_decision])
    lines.append(
        (
            Cell(f"always {constant}"),
            _cost_cell(first.constant_cost),
            _percent(0.0),
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
        "interval": _interval(result.saved_low, result.saved_high),
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


def _decisions_of_matrix(record: RunRecord, rows: _Rows, result: MatrixCosts) -> PageTable:
    total = float(result.decisions.sum())
    lines = tuple(
        (
            Cell(f"class {label}"),
            *(
                _share_of_rows(float(count), float(count) / total, rows.n_repeats)
                for count in counts
            ),
        )
        for label, counts in zip(record.about.classes, result.decisions, strict=True)
    )
    headers = ("true class", *(f"decide {label}" for label in record.about.classes))
    caption = sentence("Decisions of {model}, and shares of all rows", model=rows.name)
    return PageTable(headers, lines, caption)


# -- stability ---------------------------------------------------------------------------------


def stability_table(record: RunRecord) -> PageTable | None:
    """PSI of the scores of each model between folds, or of later folds against the first."""
    models, _ = _models(record)
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


def _shift(rows: _Rows, part: Any, others: Any) -> Any:
    """PSI of the scores of some rows against those of others."""
    others = others & ~part
    score, weight = rows.pooled.proba[:, -1], rows.pooled.sample_weight
    return population_stability_index(
        score[others],
        score[part],
        expected_weight=None if weight is None else weight[others],
        actual_weight=None if weight is None else weight[part],
    )
