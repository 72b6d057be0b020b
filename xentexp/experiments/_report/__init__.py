"""Figures and one self-contained page: the only importer of matplotlib and Jinja."""

from xentexp.displays._style import to_png, to_svg
from xentexp.experiments._report.curves import Curves, curves_by_loss, curves_by_row
from xentexp.experiments._report.heatmap import heat_map
from xentexp.experiments._report.page import page
from xentexp.experiments._report.run_page import run_markdown, run_page

__all__ = [
    "Curves",
    "curves_by_loss",
    "curves_by_row",
    "heat_map",
    "page",
    "run_markdown",
    "run_page",
    "to_png",
    "to_svg",
]
