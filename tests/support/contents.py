"""Sentences and numbers of the contents of pages."""

from __future__ import annotations

import math
from collections.abc import Iterator

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


def blocks_of(section: PageSection) -> Iterator[Block]:
    """All blocks, also those inside of others."""

    def inner(block: Block) -> Iterator[Block]:
        yield block
        if isinstance(block, Details | Columns):
            for part in block.blocks:
                yield from inner(part)
        elif isinstance(block, PageFigure):
            yield from (block.finding, block.data)
        elif isinstance(block, Bullets):
            yield from block.sentences

    for block in section.blocks:
        yield from inner(block)


def sentences_of(section: PageSection) -> list[Sentence]:
    return [block for block in blocks_of(section) if isinstance(block, Sentence)]


def cells_of(section: PageSection) -> list[Cell]:
    tables = [block for block in blocks_of(section) if isinstance(block, PageTable)]
    return [cell for table in tables for row in table.rows for cell in row]


def text_of(section: PageSection) -> str:
    """Sentences, one to a line."""
    return "\n".join(map(str, sentences_of(section)))


def check_numbers(section: PageSection) -> None:
    """Each number of a sentence is that of a cell, and no cell is blank where it has a number."""
    cells = cells_of(section)
    values = [cell.value for cell in cells if not math.isnan(cell.value)]
    assert all(cell.text.strip() for cell in cells if not math.isnan(cell.value))
    for text in sentences_of(section):
        assert str(text)
        for name, number in text.numbers().items():
            known = any(math.isclose(number, v, rel_tol=1e-12, abs_tol=1e-12) for v in values)
            assert known or math.isnan(number), f"{name}={number}: {text}"
    for table in (block for block in blocks_of(section) if isinstance(block, PageTable)):
        assert {len(row) for row in table.rows} <= {len(table.headers)}
