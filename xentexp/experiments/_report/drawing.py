"""Fonts and colours of all figures, and their output as SVG and PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from xentexp._safe_text import printable

INK, SOFT, RULE = "#1a1a1a", "#5a5a5a", "#d5d5d5"
BLUE, VERMILLION = "#0072b2", "#d55e00"
"""Colours of Okabe and Ito, distinguishable with every type of colour vision."""


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Fonts and colours of a figure; `salt` makes its SVG ids unique within a page."""
    settings: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": 8.0,
        "text.color": INK,
        "axes.edgecolor": RULE,
        "axes.labelcolor": SOFT,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,  # a dollar sign in a name is not mathematics
        "svg.fonttype": "none",  # text stays text, for search and screen readers
        "svg.hashsalt": salt,
        "path.simplify": True,
    }
    with mpl.rc_context(settings):
        yield


def to_svg(figure: Figure, title: str) -> str:
    """Figure as an SVG element for a page or a file; identical figures give identical text."""
    out = io.StringIO()
    with style(title):
        omitted = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata={**omitted, "Title": title})
    text = printable(out.getvalue())
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Hundredths of a point are precise enough and halve the size.
    return re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)


def to_png(figure: Figure, *, dpi: int = 200) -> bytes:
    """Figure as a PNG file."""
    out = io.BytesIO()
    with style("png"):
        figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()
