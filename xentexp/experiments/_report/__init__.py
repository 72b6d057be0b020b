"""Figures and one self-contained page: the only importer of matplotlib and Jinja."""

from xentexp.displays._style import to_png, to_svg
from xentexp.experiments._report.heatmap import heat_map

__all__ = ["heat_map", "to_png", "to_svg"]
