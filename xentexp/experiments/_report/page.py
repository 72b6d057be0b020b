"""Self-contained HTML page: findings, heat maps, tables, learning curves and methods."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xentexp._safe_text import printable
from xentexp.displays._style import to_svg
from xentexp.experiments._analysis import Cell, LossMatrix, Trained
from xentexp.experiments._analysis.wording import calibration_texts, findings
from xentexp.experiments._formatting import DASH, number, p_value, percent, signed_percent, spaced
from xentexp.experiments._report.curves import Curves, curves_by_loss, curves_by_row, recorded
from xentexp.experiments._report.heatmap import heat_map

_READABLE = 1080.0
"""Smallest width in pixels of a wide figure; narrower windows scroll it."""


def page(
    matrices: Sequence[LossMatrix],
    *,
    title: str,
    details: Mapping[str, str] | None = None,
    curves: Mapping[str, Mapping[str, Sequence[Curves]]] | None = None,
) -> str:
    """HTML report of loss matrices, without external files, for a browser or MLflow."""
    template = _environment().get_template("loss_matrix.html.j2")
    return template.render(
        matrices=matrices, title=title, details=details or {}, curves=curves or {}
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("xentexp.experiments._report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["zip"] = zip
    environment.filters |= {
        "breakable": _breakable,
        "calibration": calibration_texts,
        "corrected_rows": _corrected_rows,
        "correction_losses": _correction_losses,
        "curves_by_loss": _curves_by_loss,
        "curves_by_row": _curves_by_row,
        "findings": findings,
        "heat_map": _heat_map,
        "number": number,
        "diagonal_result": _diagonal_result,
        "p": lambda value: p_value(value).removeprefix("p ").removeprefix("= "),
        "percent": percent,
        "recorded": recorded,
        "spaced": spaced,
    }
    return environment


def _printable(value: object) -> object:
    """Text without secrets and control characters; markup of this module is unchanged."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return printable(str(value)) if plain else value


def _diagonal_result(cell: Cell | None) -> str:
    """Comparison of the row trained on a column's loss with the column's best row."""
    if cell is None:
        return "no such row"
    if cell.comparison is None:
        return cell.reason or DASH
    test = ": worse" if cell.worse else ": not significant" if cell.p_adjusted >= 0 else ""
    text = f"{signed_percent(cell.percent)}, {p_value(cell.p_adjusted)}{test}"
    return text.replace(" %", "\u00a0%")


def _corrected_rows(matrix: LossMatrix) -> list[tuple[Trained, Trained]]:
    """Rows before and after the correction by the inverse link, if both have probabilities."""
    pairs = [(matrix.rows[before], matrix.rows[after]) for before, after in matrix.pairs()]
    return [pair for pair in pairs if all(row.calibration is not None for row in pair)]


def _correction_losses(matrix: LossMatrix) -> list[str]:
    """Columns that are shown before and after the correction of probabilities."""
    proper = ("binary_crossentropy", "categorical_crossentropy", "brier_loss")
    return [name for name in proper if name in matrix.columns]


def _heat_map(matrix: LossMatrix) -> Markup:
    return _scrollable(to_svg(heat_map(matrix), f"Loss matrix of {matrix.model}"))


def _curves_by_row(curves: Mapping[str, Sequence[Curves]], model: str) -> Markup:
    title = f"{model}: learning curves of the training loss of each row"
    return _scrollable(to_svg(curves_by_row(curves, title), title))


def _curves_by_loss(folds: Sequence[Curves], title: str) -> Markup:
    return _scrollable(to_svg(curves_by_loss(folds, title), title))


def _scrollable(svg: str) -> Markup:
    """SVG at its natural width, at most the width of the page; a narrow page scrolls it."""

    def sized(tag: re.Match[str]) -> str:
        least = min(float(tag[2]) * 96.0 / 72.0, _READABLE)
        return f'{tag[1]} style="min-width: {least:.0f}px" width="{tag[2]}pt"'

    size = re.compile(r'(<svg[^>]*?) width="([0-9.]+)pt" height="[^"]*"')
    return Markup(f'<div class="wide">{size.sub(sized, svg, count=1)}</div>')


def _breakable(name: str) -> Markup:
    """Name with optional line breaks after underscores."""
    return Markup("_<wbr>").join(name.split("_"))
