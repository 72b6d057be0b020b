"""What tests of sections read: their sentences, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from xentexp.experiments._formatting import Sentence
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Columns,
    Details,
    PageFigure,
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


def figures(blocks: Iterable[Block]) -> Iterator[PageFigure]:
    for block in blocks:
        if isinstance(block, PageFigure):
            yield block
        elif isinstance(block, (Columns, Details)):
            yield from figures(block.blocks)


def numbers_without_a_cell(blocks: Iterable[Block]) -> list[str]:
    """Numbers of sentences that no table shows; levels of tests and bands are settings."""
    known = list(blocks)
    cells = {cell.value for table in tables(known) for row in table.rows for cell in row}
    return [
        f"{name}={value} in: {text}"
        for text in sentences(known)
        for name, value in text.numbers().items()
        if name != "level" and not any(math.isclose(value, cell, rel_tol=1e-9) for cell in cells)
    ]
