"""Figures and one self-contained page: the only importer of matplotlib and Jinja."""

from xentexp.displays._style import to_png, to_svg
from xentexp.experiments._report.heatmap import heat_map
from xentexp.experiments._report.page import run_markdown, run_page

__all__ = ["heat_map", "run_markdown", "run_page", "to_png", "to_svg"]
