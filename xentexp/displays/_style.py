"""Fonts, colours and labels of all figures, and their output as SVG and PNG."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xentexp._palette import MODELS as MODELS
from xentexp._palette import OTHER as OTHER
from xentexp._palette import colours_of as colours_of
from xentexp._safe_text import printable
from xentexp.errors import InputError

INK, SOFT, AXIS, RULE = "#1b1f24", "#59616a", "#8a9099", "#dfe3e8"
VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    AXIS: "--axis",
    RULE: "--rule",
    MODELS[0]: "--m1",
    MODELS[1]: "--m2",
    MODELS[2]: "--m3",
    OTHER: "--other",
    "#ffffff": "--page",
}
"""CSS variable of each colour on a page, which has a light and a dark theme."""

_UNUSED = [
    re.compile(r"<!--.*?-->\s*", re.DOTALL),
    re.compile(r' id="[A-Za-z0-9.]+_\d+"'),  # of groups, which nothing refers to
    re.compile(r' transform="rotate\(-0 [^"]*"'),
    re.compile(r"font-family: [^;\"]*; "),  # the page sets the font
    re.compile(r"^ +| *\n(?=[\"zL])", re.MULTILINE),
]
"""Parts of an SVG that a page does not need: more than half of it."""

_PX = 1.0 / 96.0  # inches
TEXT, SMALL = 9.0, 8.25
"""Sizes of text in points: 12 and 11 pixels."""


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Fonts and colours of a figure; `salt` makes its SVG ids unique within a page."""
    settings: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": TEXT,
        "axes.titlesize": TEXT,
        "axes.labelsize": TEXT,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "text.color": INK,
        "axes.edgecolor": AXIS,
        "axes.labelcolor": SOFT,
        "axes.linewidth": 0.8,
        "xtick.color": AXIS,
        "ytick.color": AXIS,
        "xtick.labelcolor": SOFT,
        "ytick.labelcolor": SOFT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,  # a dollar sign in a name is not mathematics
        "svg.fonttype": "none",  # text stays text, for search and screen readers
        "svg.hashsalt": salt,
        "path.simplify": True,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text stays text, so that the font of the reader is used, e.g. for Korean names.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        yield


def new_figure(width: float, height: float) -> Figure:
    """Figure of a size in pixels that is not registered with pyplot."""
    return Figure(figsize=(width * _PX, height * _PX), facecolor="white")


def laid_out(width: float, height: float) -> tuple[Figure, Axes]:
    """Figure of a size in pixels without pyplot, and its axes, with space for labels."""
    figure = new_figure(width, height)
    figure.set_layout_engine("constrained")
    return figure, figure.add_subplot()


def placed(
    width: float, height: float, *, left: float, right: float, top: float, bottom: float
) -> tuple[Figure, Axes]:
    """Figure without pyplot and its axes; sizes and margins in pixels. Faster than `laid_out`."""
    figure = new_figure(width, height)
    size = (width - left - right) / width, (height - top - bottom) / height
    return figure, figure.add_axes((left / width, bottom / height, *size))


def axes_or_own(ax: Axes | None, width: float, height: float) -> Axes:
    """Axes to draw into; without any, those of a new pyplot figure of a size in pixels."""
    return own_grid(1, 1, width, height)[0] if ax is None else check_axes(ax)


def check_axes(ax: object) -> Axes:
    """Axes of matplotlib; an InputError for anything else."""
    if not isinstance(ax, Axes):
        raise InputError(
            f"ax must be Axes of matplotlib or None; got {type(ax).__name__}; pass one of the axes "
            f"of plt.subplots()"
        )
    return ax


def own_grid(rows: int, columns: int, width: float, height: float) -> list[Axes]:
    """Axes of a new pyplot figure, row by row; each has a size in pixels."""
    import matplotlib.pyplot as plt

    with style("figure"):
        _, axes = plt.subplots(
            rows,
            columns,
            figsize=(columns * width * _PX, rows * height * _PX),
            facecolor="white",
            layout="constrained",
            squeeze=False,
        )
    return list(axes.ravel())


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places of labels, moved so that neighbours are at least `gap` apart within limits."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [min(max(places[i], low), high) for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    if moved and moved[-1] > high:
        moved[-1] = high
        for i in range(len(moved) - 2, -1, -1):
            moved[i] = min(moved[i], moved[i + 1] - gap)
    result = [0.0] * len(places)
    for i, place in zip(order, moved, strict=True):
        result[i] = place
    return result


def shortened(name: str, most: int = 24) -> str:
    """Name of at most `most` characters, without its middle if it is longer."""
    start = most // 2
    return name if len(name) <= most else f"{name[:start]}…{name[start + 1 - most :]}"


def in_words(value: float, decimals: int) -> str:
    """Number with a true minus sign; a word if it is not finite."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite"
    return f"{value:z.{decimals}f}".replace("-", "−")  # noqa: RUF001


def label_ends(
    axes: Axes, ends: Mapping[str, float], colours: Mapping[str, str], *, pixels: float = 14.0
) -> None:
    """Name lines at the right edge of the axes, at the values where they end."""
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / axes.figure.dpi * 96.0
    gap = (high - low) * pixels / height
    places = apart(list(ends.values()), gap, low, high)
    for (name, _), place in zip(ends.items(), places, strict=True):
        axes.annotate(
            name,
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colours[name],
            fontsize=SMALL,
            annotation_clip=False,
        )


def to_svg(figure: Figure, title: str, *, themed: bool = False) -> str:
    """Figure as an SVG element; identical figures give identical text."""
    # `themed` replaces colours by the CSS variables of a page. Hidden from screen readers there:
    # the page describes the figure.
    out = io.StringIO()
    with style(title):
        omitted = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata={**omitted, "Title": title})
    text = printable(out.getvalue())
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Hundredths of a point are precise enough and halve the size.
    text = re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)
    if themed:
        text = re.sub(r"<title>.*?</title>\s*", "", text, count=1, flags=re.DOTALL)
        for colour, variable in VARIABLES.items():
            text = text.replace(colour, f"var({variable})")
        for unused in _UNUSED:
            text = unused.sub("", text)
    return text


def to_png(figure: Figure, *, dpi: int = 200) -> bytes:
    """Figure as a PNG file."""
    out = io.BytesIO()
    with style("png"):
        figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()
