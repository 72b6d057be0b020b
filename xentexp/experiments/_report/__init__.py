"""Figures and the page of a run: the only importer of Jinja and, with displays, of matplotlib."""

from xentexp.displays._style import to_png, to_svg
from xentexp.experiments._report.heatmap import heat_map
from xentexp.experiments._report.page import report_page, run_markdown, run_page

__all__ = ["heat_map", "report_page", "run_markdown", "run_page", "to_png", "to_svg"]
