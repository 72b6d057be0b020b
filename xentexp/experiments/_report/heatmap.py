"""The loss matrix as a heat map: excess over the column's best as colour, values as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xentexp.displays._style import INK, MODELS, SOFT, style
from xentexp.experiments._analysis import Cell, LossMatrix
from xentexp.experiments._analysis.wording import calibration_texts
from xentexp.experiments._formatting import DASH, number, signed_percent, spaced, wrapped

STEPS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Lower edges, in percent, of the classes of excess that share a colour; the last is open."""
_MISSING = "#f1f1f1"
_CELL_WIDTH, _CELL_HEIGHT, _LABELS = 0.78, 0.40, 2.0
_LETTER, _LINE = 0.062, 0.17


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
        return _MISSING
    return colours()[max(i for i, edge in enumerate(STEPS) if cell.percent >= edge)]


def heat_map(matrix: LossMatrix) -> Figure:
    """Heat map of a matrix; percent of the column's best puts all columns on one colour scale."""
    n_rows, n_columns = len(matrix.rows), len(matrix.columns)
    table, beside = n_columns * _CELL_WIDTH, 2 * _CELL_WIDTH
    width = max(_LABELS + table + beside + 0.35, 8.0)
    marks = _marks(matrix, int((width - _LABELS - 0.2) / _LETTER))
    body, above, below = n_rows * _CELL_HEIGHT, 1.05, 0.85 + len(marks) * _LINE
    height = above + body + below
    with style(matrix.model):
        figure = Figure(figsize=(width, height), facecolor="white")
        axes = figure.add_axes(
            (_LABELS / width, below / height, (table + beside + 0.2) / width, body / height)
        )
        axes.set_xlim(0.0, n_columns + 2.0 + 0.2 / _CELL_WIDTH)
        axes.set_ylim(n_rows, 0.0)
        axes.axis("off")
        for i, cells in enumerate(matrix.cells):
            for j, cell in enumerate(cells):
                _draw_cell(axes, cell, i, j)
        _draw_labels(axes, matrix)
        figure.text(
            0.12 / width,
            1.0 - 0.2 / height,
            f"{spaced(matrix.model)}: rows trained on, columns scored on",
            fontsize=11,
            fontweight="bold",
            va="center",
        )
        _draw_scale(figure, marks, width, height)
    return figure


def _draw_cell(axes: Axes, cell: Cell, i: int, j: int) -> None:
    background = colour_of(cell)
    axes.add_patch(Rectangle((j, i), 1, 1, facecolor=background, edgecolor="white", linewidth=1.5))
    if cell.diagonal:
        frame = Rectangle((j + 0.03, i + 0.05), 0.94, 0.90, fill=False, zorder=3)
        frame.set(edgecolor=MODELS[1], linewidth=1.8)
        axes.add_patch(frame)
    middle = j + 0.5
    if math.isnan(cell.mean):
        axes.text(middle, i + 0.5, DASH, ha="center", va="center", color=SOFT, fontsize=9)
        return
    ink = INK if isinstance(background, str) or _is_light(background) else "white"
    axes.text(
        middle,
        i + 0.34,
        number(cell.mean) + ("*" if cell.worse else ""),
        ha="center",
        va="center",
        color=ink,
        fontsize=8.5,
        fontweight="bold" if cell.best else "normal",
    )
    if cell.best:
        below = "best"
    elif math.isfinite(cell.percent):
        below = signed_percent(cell.percent)
    else:
        below = f"+{cell.excess:.2g}" if math.isfinite(cell.excess) else ""
    axes.text(middle, i + 0.74, below, ha="center", va="center", color=ink, fontsize=7.2)


def _is_light(colour: Sequence[float]) -> bool:
    """Whether black text has more contrast than white: WCAG's relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179


def _draw_labels(axes: Axes, matrix: LossMatrix) -> None:
    beside = len(matrix.columns) + 0.2 / _CELL_WIDTH
    of_pair = {after for _, after in matrix.pairs()}
    for i, row in enumerate(matrix.rows):
        text = "corrected" if i in of_pair else wrapped(row.label, 30)
        style = "italic" if i in of_pair else "normal"
        axes.text(-0.12, i + 0.5, text, ha="right", va="center", fontsize=8.2, fontstyle=style)
        for j, value in enumerate(calibration_texts(row)):
            axes.text(beside + j + 0.5, i + 0.5, value, ha="center", va="center", fontsize=8.2)
    for j, name in enumerate(matrix.columns):
        axes.text(j + 0.5, -0.15, wrapped(name, 12), ha="center", va="bottom", fontsize=8.2)
    for j, name in enumerate(("shift of\nmean rate", "calibration\nerror")):
        axes.text(beside + j + 0.5, -0.15, name, ha="center", va="bottom", fontsize=8.2, color=SOFT)


def _draw_scale(figure: Figure, marks: Sequence[str], width: float, height: float) -> None:
    bottom = 0.42 + len(marks) * _LINE
    axes = figure.add_axes((_LABELS / width, bottom / height, 4.4 / width, 0.14 / height))
    axes.set_xlim(0.0, len(STEPS))
    for i, colour in enumerate(colours()):
        axes.add_patch(Rectangle((i, 0), 1, 1, facecolor=colour))
    axes.set_yticks([])
    axes.set_xticks(range(len(STEPS)), [f"{edge:g}" for edge in STEPS], fontsize=7.5)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(
        "excess over the column's best in %, from", loc="left", fontsize=7.8, color=SOFT, pad=3
    )
    for i, line in enumerate(reversed(marks)):
        place = (0.14 + i * _LINE) / height
        figure.text(_LABELS / width, place, line, fontsize=7.8, color=SOFT)


def _marks(matrix: LossMatrix, letters: int) -> list[str]:
    """Meaning of the marks, in lines of at most `letters` characters."""
    marks = ["bold: best of its column", "framed: trained on the column's loss"]
    if matrix.n_tests:
        marks.append("* significantly worse than the best")
        marks.append(f"Holm's adjustment for {matrix.n_tests} tests, alpha {matrix.alpha:g}")
    reasons = [str(c.reason) for cells in matrix.cells for c in cells if math.isnan(c.mean)]
    marks += [f"{DASH} {reason}" for reason in dict.fromkeys(reasons)]
    lines = [marks[0]]
    for mark in marks[1:]:
        longer = f"{lines[-1]}  ·  {mark}"
        if len(longer) <= letters:
            lines[-1] = longer
        else:
            lines.append(mark)
    return lines
