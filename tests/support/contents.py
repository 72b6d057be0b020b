"""Sentences, tables and figures of the contents of pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from xentexp.experiments._formatting import Sentence
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Columns,
    Details,
    PageFigure,
    PageSection,
    PageTable,
)


def sentences(blocks: Iterable[Block]) -> Iterator[Sentence]:
    """Sentences, findings of figures and captions of tables."""
    for block in blocks:
        if isinstance(block, Sentence):
            yield block
        elif isinstance(block, Bullets):
            yield from block.sentences
        elif isinstance(block, (Columns, Details)):
            yield from sentences(block.blocks)
        elif isinstance(block, PageFigure):
            yield block.finding
        elif isinstance(block, PageTable) and block.caption is not None:
            yield block.caption


def tables(blocks: Iterable[Block]) -> Iterator[PageTable]:
    """Tables, those of figures among them."""
    for block in blocks:
        if isinstance(block, PageTable):
            yield block
        elif isinstance(block, PageFigure):
            yield block.data
        elif isinstance(block, (Columns, Details)):
            yield from tables(block.blocks)


def figures_of(blocks: Iterable[Block]) -> Iterator[PageFigure]:
    for block in blocks:
        if isinstance(block, PageFigure):
            yield block
        elif isinstance(block, (Columns, Details)):
            yield from figures_of(block.blocks)


def numbers_without_a_cell(blocks: Iterable[Block]) -> list[str]:
    """Numbers of sentences that no table shows; levels of tests and bands are settings."""
    known = list(blocks)
    cells = {cell.value for table in tables(known) for row in table.rows for cell in row}
    return [
        f"{name}={value} in: {text}"
        for text in sentences(known)
        for name, value in text.numbers().items()
        if name != "level"
        and not math.isnan(value)
        and not any(math.isclose(value, cell, rel_tol=1e-9, abs_tol=1e-12) for cell in cells)
    ]


def sentences_of(section: PageSection | None) -> list[Sentence]:
    assert section is not None
    return list(sentences(section.blocks))


def tables_of(section: PageSection | None) -> list[PageTable]:
    assert section is not None
    return list(tables(section.blocks))


def column(table: PageTable, header: str) -> list[Cell]:
    place = table.headers.index(header)
    return [row[place] for row in table.rows]


def cells_of(section: PageSection) -> list[Cell]:
    return [cell for table in tables(section.blocks) for row in table.rows for cell in row]


def text_of(section: PageSection | None) -> str:
    """Sentences, one to a line."""
    return "\n".join(map(str, sentences_of(section)))


def check_numbers(section: PageSection) -> None:
    """Each number of a sentence is that of a cell, and no cell is blank where it has a number."""
    assert numbers_without_a_cell(section.blocks) == []
    assert all(cell.text.strip() for cell in cells_of(section) if not math.isnan(cell.value))
    assert all(str(text) for text in sentences_of(section))
    for table in tables(section.blocks):
        assert {len(row) for row in table.rows} <= {len(table.headers)}
