"""The loss matrix as a heat map: excess over the column's best as colour, values as text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xentexp.displays._style import INK, RULE, SMALL, SOFT, TEXT, new_figure, style
from xentexp.experiments._analysis import Cell, LossMatrix
from xentexp.experiments._analysis.wording import calibration_texts
from xentexp.experiments._formatting import DASH, number, signed_percent, spaced, wrapped

STEPS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Lower edges, in percent, of the classes of excess that share a colour; the last is open."""

DARK, LIGHT = "#101418", "#fdfdfd"
"""Text on coloured cells: the same in both themes of a page, as are the colours of the cells."""

_CELL, _ROW, _LINE, _LETTER, _EDGE = 80.0, 42.0, 16.0, 7.0, 8.0  # pixels


def colours() -> list[tuple[float, float, float]]:
    """Colour of each class of `STEPS`, light to dark, distinct in greyscale."""
    # The middle tones are left out: neither black nor white text is easy to read on them.
    places = [0.0, 0.12, 0.23, 0.34, 0.45, 0.55, 0.78, 0.95]
    return [tuple(colour[:3]) for colour in mpl.colormaps["YlGnBu"](places).tolist()]


def colour_of(cell: Cell) -> tuple[float, float, float] | str:
    """Background of a cell; grey if its excess in percent is undefined."""
    if cell.best:
        return colours()[0]
    if not math.isfinite(cell.percent):
        return RULE
    return colours()[max(i for i, edge in enumerate(STEPS) if cell.percent >= edge)]


def heat_map(matrix: LossMatrix) -> Figure:
    """Heat map of a matrix; percent of the column's best puts all columns on one colour scale."""
    corrected = {place for _, place in matrix.pairs()}
    labels = [
        "corrected" if i in corrected else _in_two_lines(row.label)
        for i, row in enumerate(matrix.rows)
    ]
    heads = [wrapped(name, 12) for name in matrix.columns]
    beside = ["shift of\nmean rate", "calibration\nerror"]
    model = _in_two_lines(f"{spaced(matrix.model)}, trained on")
    left = 2 * _EDGE + _LETTER * max(
        len(line) for text in [*labels, model] for line in text.split("\n")
    )
    table = left + len(heads) * _CELL
    width = max(table + 2 * _CELL + 2 * _EDGE, 480.0)
    top = _EDGE + _LINE * max(text.count("\n") + 1 for text in [*heads, *beside, model])
    marks = _marks(matrix, int((width - 2 * _EDGE) / (0.9 * _LETTER)))
    bottom = top + len(labels) * _ROW
    height = bottom + 4.5 * _LINE + _LINE * len(marks)
    with style(matrix.model):
        figure = new_figure(width, height)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))  # in pixels from the upper left corner
        axes.set(xlim=(0.0, width), ylim=(height, 0.0))
        axes.axis("off")
        axes.text(left - _EDGE, top - 4, model, ha="right", va="bottom", color=SOFT, fontsize=SMALL)
        for j, text in enumerate([*heads, *beside]):
            x = left + (j + 0.5) * _CELL + (_EDGE if j >= len(heads) else 0.0)
            colour = INK if j < len(heads) else SOFT
            axes.text(x, top - 4, text, ha="center", va="bottom", color=colour, fontsize=SMALL)
        for i, (row, cells) in enumerate(zip(matrix.rows, matrix.cells, strict=True)):
            middle = top + (i + 0.5) * _ROW
            axes.text(
                left - _EDGE,
                middle,
                labels[i],
                ha="right",
                va="center",
                fontsize=SMALL if "\n" in labels[i] else TEXT,
                fontstyle="italic" if i in corrected else "normal",
            )
            for j, cell in enumerate(cells):
                _draw_cell(axes, cell, left + j * _CELL, top + i * _ROW)
            for j, value in enumerate(calibration_texts(row)):
                x = table + _EDGE + (j + 0.5) * _CELL
                axes.text(x, middle, value, ha="center", va="center")
        _draw_scale(axes, marks, bottom + _LINE)
    return figure


def _in_two_lines(label: str) -> str:
    """Label in at most two lines, also if it has a long word."""
    words = spaced(label)
    for width in range(max(24, len(words) // 2), len(words) + 1):
        lines = textwrap.wrap(words, width, break_on_hyphens=False)
        if len(lines) <= 2:
            return "\n".join(lines)
    return words


def _draw_cell(axes: Axes, cell: Cell, x: float, y: float) -> None:
    background = colour_of(cell)
    axes.add_patch(
        Rectangle((x, y), _CELL, _ROW, facecolor=background, edgecolor="white", linewidth=1.5)
    )
    ink = INK if isinstance(background, str) else DARK if _is_light(background) else LIGHT
    if cell.diagonal:
        frame = Rectangle((x + 3, y + 3), _CELL - 6, _ROW - 6, fill=False, zorder=3)
        frame.set(edgecolor=ink, linewidth=1.5)
        axes.add_patch(frame)
    middle = x + 0.5 * _CELL
    if math.isnan(cell.mean):
        axes.text(middle, y + 0.5 * _ROW, DASH, ha="center", va="center", color=SOFT)
        return
    axes.text(
        middle,
        y + 0.33 * _ROW,
        number(cell.mean) + ("*" if cell.worse else ""),
        ha="center",
        va="center",
        color=ink,
        fontweight="bold" if cell.best else "normal",
    )
    if cell.best:
        below = "best"
    elif math.isfinite(cell.percent):
        below = signed_percent(cell.percent)
    else:
        below = f"+{cell.excess:.2g}" if math.isfinite(cell.excess) else ""
    if below:
        place = y + 0.71 * _ROW
        axes.text(middle, place, below, ha="center", va="center", color=ink, fontsize=SMALL)


def _is_light(colour: Sequence[float]) -> bool:
    """Whether black text has more contrast than white: WCAG's relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179


def _draw_scale(axes: Axes, marks: Sequence[str], y: float) -> None:
    def write(x: float, place: float, text: str) -> None:
        axes.text(x, place, text, va="center", color=SOFT, fontsize=SMALL)

    write(_EDGE, y, "excess over the column's best in %, from")
    for i, (edge, colour) in enumerate(zip(STEPS, colours(), strict=True)):
        x = _EDGE + 44.0 * i
        axes.add_patch(Rectangle((x, y + 0.6 * _LINE), 44.0, 12.0, facecolor=colour))
        write(x, y + 2.0 * _LINE, f"{edge:g}")
    for i, line in enumerate(marks):
        write(_EDGE, y + (3.2 + i) * _LINE, line)


def _marks(matrix: LossMatrix, letters: int) -> list[str]:
    """Meaning of the marks, in lines of at most `letters` characters."""
    marks = ["bold: best of its column", "framed: trained on the column's loss"]
    if matrix.n_tests:
        marks.append("* significantly worse than the best")
        marks.append(f"Holm's adjustment for {matrix.n_tests} tests, alpha {matrix.alpha:g}")
    reasons = [str(c.reason) for cells in matrix.cells for c in cells if math.isnan(c.mean)]
    marks += [
        line
        for reason in dict.fromkeys(reasons)
        for line in textwrap.wrap(f"{DASH} {reason}", letters)
    ]
    lines = [marks[0]]
    for mark in marks[1:]:
        longer = f"{lines[-1]}  ·  {mark}"
        if len(longer) <= letters:
            lines[-1] = longer
        else:
            lines.append(mark)
    return lines
