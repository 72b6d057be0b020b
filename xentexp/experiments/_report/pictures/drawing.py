"""Figures as artifacts and images: an SVG with its finding, and pixels."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xentexp._safe_text import printable
from xentexp.displays._style import INK, SOFT, style, to_svg
from xentexp.experiments._formatting import Sentence

SIDE = 320
"""Pixels of a square figure, whose text has 11 and 12 pixels."""

PANEL = 240
"""Pixels of a figure beside another one: two fit into the narrow view of a file in MLflow."""

IMAGE = 600
"""Pixels of an image: its text stays readable in the cards of MLflow, which shrink it."""

_PAD = 14
_SCALE = 1.4  # of a file with one figure, which would be small in the view of MLflow
_TITLE, _TITLE_LINE, _NOTE, _NOTE_LINE = 14, 19, 12, 16  # pixels
_LETTER = 0.54  # mean width of a letter in units of the size
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawing:
    """Figures beside each other, what they show, and what is drawn."""

    name: str
    figures: tuple[Figure, ...]
    finding: Sentence
    drawn: str

    def to_svg(self) -> str:
        """SVG on a white background: the views of MLflow are dark for some readers."""
        drawings = [to_svg(f, f"{self.name} {i}") for i, f in enumerate(self.figures)]
        return framed(drawings, str(self.finding), self.drawn)


def framed(drawings: Sequence[str], finding: str, drawn: str) -> str:
    """One SVG of several, with a title above and a note below them."""
    sizes = [_size(drawing) for drawing in drawings]
    rows = _rows(sizes)
    room = max(sum(sizes[i][0] for i in row) for row in rows)
    width = room + 2 * _PAD
    title = _lines(finding, room, 1.15 * _TITLE)  # bold letters are wider
    note = _lines(drawn, room, _NOTE)
    top = float(_PAD + _TITLE_LINE * len(title) + 8)
    heights = [max(sizes[i][1] for i in row) for row in rows]
    bottom = top + sum(heights) + 6
    total = bottom + _NOTE_LINE * len(note) + _PAD
    scale = _SCALE if len(drawings) == 1 else 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'version="1.1" width="{scale * width:.0f}" height="{scale * total:.0f}" '
        f'viewBox="0 0 {width:.0f} {total:.0f}" role="img" '
        f"aria-label={quoteattr(printable(finding, one_line=True))}>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<g font-family="{_FONT}">',
    ]
    for number, line in enumerate(title, 1):
        parts.append(_text(line, _PAD + _TITLE_LINE * number - 5, _TITLE, INK, "bold"))
    for number, line in enumerate(note, 1):
        parts.append(_text(line, bottom + _NOTE_LINE * number - 4, _NOTE, SOFT, "normal"))
    parts.append("</g>")
    for row, height in zip(rows, heights, strict=True):
        left = float(_PAD)
        for i in row:
            parts.append(_placed(drawings[i], left, top, *sizes[i]))
            left += sizes[i][0]
        top += height
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(sizes: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Positions of the drawings of each row, which is as wide as two panels at most."""
    rows: list[list[int]] = [[]]
    for i, (width, _) in enumerate(sizes):
        if rows[-1] and sum(sizes[j][0] for j in rows[-1]) + width > 2 * PANEL + 1:
            rows.append([])
        rows[-1].append(i)
    return rows


def pixels(figure: Figure) -> Pixels:
    """Square figure as an RGB image of 600 x 600 pixels."""
    figure.set_dpi(IMAGE / figure.get_size_inches()[0])
    canvas: Any = FigureCanvasAgg(figure)
    with style("image"):
        canvas.draw()
    return np.array(canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()


def _size(drawing: str) -> tuple[float, float]:
    """Width and height in pixels of an SVG whose unit is the point."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert box is not None
    return float(box[1]) * 96.0 / 72.0, float(box[2]) * 96.0 / 72.0


def _placed(drawing: str, left: float, top: float, width: float, height: float) -> str:
    head, _, rest = drawing.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    head += f' x="{left:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}"'
    return f"{head}>{rest}"


def _text(line: str, y: float, size: int, colour: str, weight: str) -> str:
    return (
        f'<text x="{_PAD}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}">{escape(line)}</text>'
    )


def _lines(text: str, width: float, size: float) -> list[str]:
    """Lines of a text that fit into a width; letters of East Asian scripts are twice as wide."""
    text = printable(text, one_line=True)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    letters = width / (_LETTER * size) / (1.0 + wide / max(len(text), 1))
    return textwrap.wrap(text, max(int(letters), 8)) or [""]
