"""What a model gives: events among the highest scores, score bands and the swap set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xentexp.experiments._formatting import Sentence, counted, plain, sentence, signed
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageSection,
    PageTable,
    count_cell,
    named_cells,
    percent_cell,
    percent_interval,
    with_best_strong,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import Rows, rows_of, varying_rows
from xentexp.metrics.credit import (
    GainsTable,
    ScoreBands,
    SwapCell,
    gains_table,
    score_bands,
    swap_set,
)

TOP = (0.05, 0.1, 0.2, 0.3, 0.5)
_TENTH = TOP.index(0.1)
_NEARLY = 0.02
"""Largest difference of shares that is called nearly the same."""
_ACCEPTED = 0.8
_WORST = 3
"""Number of classes, and of models with score bands, that the page shows."""


def gains_section(record: RunRecord) -> PageSection | None:
    """Events among the rows with the highest scores, score bands and the swap set."""
    models, n_more = varying_rows(record)
    if not models:
        return None
    classes = [str(label) for label in record.about.classes]
    columns = [1] if len(classes) == 2 else list(range(len(classes)))
    tables = {
        column: [gains_of(record, rows.name, column) for rows in models] for column in columns
    }
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


@once
def gains_of(record: RunRecord, name: str, column: int) -> GainsTable:
    """Gains of a class with the scores of a model."""
    rows = rows_of(record, name)
    event, proba = rows.of_class(column)
    return gains_table(
        event, proba, top=TOP, labels=[0, 1], sample_weight=rows.pooled.sample_weight
    )


def _gains_blocks(
    record: RunRecord, models: Sequence[Rows], tables: Sequence[GainsTable], label: str
) -> list[Block]:
    names = named_cells(record, [rows.name for rows in models])
    first = [names[rows.name] for rows in models]
    tops = [f"top {share:.0%}" for share in TOP]
    caught, rates = (
        [[percent_cell(getattr(row, name)) for row in table.rows] for table in tables]
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
        lines.append((Cell("largest minus smallest"), *map(percent_cell, spread)))
    caption = sentence("Share of all rows of class {label} that are selected ↑", label=label)
    found = PageTable(("model", *tops), tuple(lines), caption)
    base = [percent_cell(table.rate) for table in tables]
    lines = [
        (name, *cells, all_rows) for name, cells, all_rows in zip(first, rates, base, strict=True)
    ]
    caption = sentence("Share of class {label} among the selected rows ↑", label=label)
    rate = PageTable(("model", *tops, "all rows"), tuple(lines), caption)
    return [_finding(models, caught, spread, label), Columns((found, rate))]


def _best_in_columns(cells: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    columns = [with_best_strong(column, max) for column in zip(*cells, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _finding(
    models: Sequence[Rows], caught: Sequence[Sequence[Cell]], spread: Sequence[float], label: str
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
    models: Sequence[Rows],
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
                percent_cell(table.ks),
                percent_cell(table.ks_share),
                Cell(signed(table.ks_threshold, 3), table.ks_threshold),
            )
            for rows, table in zip(models, tables[column], strict=True)
        ]
        best = with_best_strong([line[1] for line in lines], max)
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


def _bands_table(bands: ScoreBands, rows: Rows, label: str) -> PageTable:
    lines = tuple(
        (
            Cell(f"{band.low:.3f} to {band.high:.3f}"),
            count_cell(band.n_rows / rows.n_repeats),
            count_cell(band.events / rows.n_repeats),
            percent_cell(band.rate),
            percent_cell(band.predicted),
            percent_cell(band.caught),
            percent_cell(band.ks),
        )
        for band in bands.bands
    )
    headers = ("scores", "rows", f"class {label}", "rate", "mean score", "caught so far", "KS")
    return PageTable(headers, lines, sentence("Score bands of {model}", model=rows.name))


def _swap_details(first: Rows, second: Rows, label: str) -> Details | None:
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
                count_cell(cell.n_rows),
                count_cell(cell.events),
                percent_cell(cell.rate),
                Cell(percent_interval(cell.low, cell.high)),
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
