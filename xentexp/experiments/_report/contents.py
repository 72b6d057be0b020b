"""Contents of a page: sentences, tables and figures, before they become HTML or Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from matplotlib.figure import Figure

from xentexp.displays._style import MODELS, OTHER, to_svg
from xentexp.experiments._formatting import MINUS, Sentence, signed
from xentexp.experiments._record import ModelRecord, RunRecord


@dataclass(frozen=True)
class Cell:
    """Cell of a table: text, and the number that it shows."""

    text: str
    value: float = math.nan
    strong: bool = False
    bar: float | None = None  # share of the width that a bar behind the text takes, 0 to 1
    colour: str | None = None  # class of a model: m1, m2, m3 or other
    anchor: str | None = None  # unique on the page


@dataclass(frozen=True)
class PageTable:
    """Table whose first `n_text` columns are text; the first column stays visible."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: Sentence | None = None
    n_text: int = 1


@dataclass(frozen=True)
class PageFigure:
    """Figure with its finding as the title, what it draws, and its data as a table."""

    svg: str
    finding: Sentence
    drawn: str
    data: PageTable


@dataclass(frozen=True)
class Details:
    """Blocks that are closed at first, and open in print."""

    summary: str
    blocks: tuple[Block, ...]
    data: bool = False  # numbers of what is shown elsewhere; not printed


@dataclass(frozen=True)
class Bullets:
    """List of sentences, each with a link to a place of the page if there are `links`."""

    sentences: tuple[Sentence, ...]
    links: tuple[tuple[str, str], ...] = ()  # text and anchor, for each sentence


@dataclass(frozen=True)
class Columns:
    """Figures or tables beside each other where the page is wide enough."""

    blocks: tuple[Block, ...]
    narrow: bool = False  # figures of at most 220 pixels


@dataclass(frozen=True)
class Terms:
    """Terms and their explanations."""

    terms: tuple[tuple[str, str], ...]


Block = Sentence | PageTable | PageFigure | Details | Bullets | Columns | Terms


@dataclass(frozen=True)
class PageSection:
    """Section of a page; left out if it has no blocks."""

    name: str  # anchor, e.g. "reliability"
    heading: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)


def figure_block(
    figure: Figure,
    finding: Sentence,
    drawn: str,
    data: PageTable,
    *,
    name: str,
) -> PageFigure:
    """Figure of a page; `name` is unique on the page."""
    return PageFigure(to_svg(figure, name, themed=True), finding, drawn, data)


def shown_models(models: Sequence[ModelRecord]) -> list[ModelRecord]:
    """At most eight models for a figure: the first, which are the best."""
    return list(models)[:8]


def colours(record: RunRecord) -> dict[str, str]:
    """Colour of each model, the same on the whole page: best, next best and a reference."""
    return record.colours()


def reference_models(record: RunRecord) -> list[str]:
    """Models with a colour of their own: the first three that are not constant."""
    return record.coloured_models()


def colour_class(colour: str) -> str:
    """CSS class of the colour of a model."""
    return "other" if colour == OTHER else f"m{MODELS.index(colour) + 1}"


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]], n_text: int = 1) -> PageTable:
    """Table of texts."""
    return PageTable(tuple(headers), tuple(tuple(map(Cell, row)) for row in rows), n_text=n_text)


def number_cell(value: float, decimals: int) -> Cell:
    """Cell of a number, with a word if it is not finite."""
    if math.isinf(value):
        return Cell("infinite" if value > 0.0 else f"{MINUS}infinite", value)
    return Cell(signed(value, decimals), value)


def percent_cell(value: float) -> Cell:
    """Cell of a share, as a percentage."""
    return Cell("undefined" if math.isnan(value) else f"{signed(100.0 * value, 1)}%", value)


def count_cell(value: float) -> Cell:
    """Cell of a number of rows, or of a sum of weights."""
    return Cell(f"{value:,.0f}", value)


def percent_interval(low: float, high: float) -> str:
    """Interval of a share in brackets; words without one."""
    if math.isnan(low):
        return "no interval"
    return f"[{percent_cell(low).text}, {percent_cell(high).text}]"


def with_best_strong(cells: Sequence[Cell], best: Callable[[Sequence[float]], float]) -> list[Cell]:
    """Cells with the best one strong, unless others show the same text."""
    values = [cell.value for cell in cells if not math.isnan(cell.value)]
    if len(values) < 2:
        return list(cells)
    texts = {cell.text for cell in cells if cell.value == best(values)}
    winners = [cell for cell in cells if cell.text in texts]
    return [replace(cell, strong=len(winners) == 1 and cell is winners[0]) for cell in cells]


def named_cells(record: RunRecord, names: Sequence[str]) -> Mapping[str, Cell]:
    """First cell of the row of each model, in its colour."""
    known = colours(record)
    return {
        name: Cell(name, colour=colour_class(known[name]) if name in known else None)
        for name in names
    }
