"""One self-contained page: findings in words, heat maps, tables, curves, how it was done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xentexp.experiments._analysis import Cell, LossMatrix, Trained
from xentexp.experiments._analysis.wording import calibration_texts, findings
from xentexp.experiments._formatting import DASH, excess, number, p_value, percent, spaced
from xentexp.experiments._report.curves import Curves, curves_by_loss, curves_by_row, recorded
from xentexp.experiments._report.drawing import to_svg
from xentexp.experiments._report.heatmap import heat_map

_READABLE = 1080.0
"""Pixels below which a wide figure is scrolled, not shrunk."""


def page(
    matrices: Sequence[LossMatrix],
    *,
    title: str,
    details: Mapping[str, str] | None = None,
    curves: Mapping[str, Mapping[str, Sequence[Curves]]] | None = None,
) -> str:
    """Report of loss matrices, to be read in a browser or in MLflow's artifact view."""
    template = _environment().get_template("loss_matrix.html.j2")
    return template.render(
        matrices=matrices, title=title, details=details or {}, curves=curves or {}
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("xentexp.experiments._report"),
        autoescape=True,
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
        "own_loss": _own_loss,
        "p": lambda value: p_value(value).removeprefix("p ").removeprefix("= "),
        "percent": percent,
        "recorded": recorded,
        "spaced": spaced,
    }
    return environment


def _own_loss(cell: Cell | None) -> str:
    """How the row trained on a column's own loss compares with the column's best."""
    if cell is None:
        return "not trained on"
    if cell.comparison is None:
        return cell.reason or DASH
    test = ": worse" if cell.worse else ": not told apart" if cell.p_adjusted >= 0 else ""
    return f"{excess(cell.percent)}, {p_value(cell.p_adjusted)}{test}".replace(" %", "\u00a0%")


def _corrected_rows(matrix: LossMatrix) -> list[tuple[Trained, Trained]]:
    """Rows before and after the inverse link, if both have probabilities."""
    pairs = [(matrix.rows[before], matrix.rows[after]) for before, after in matrix.pairs()]
    return [pair for pair in pairs if all(row.calibration is not None for row in pair)]


def _correction_losses(matrix: LossMatrix) -> list[str]:
    """Columns that show what the correction of probabilities gains."""
    wanted = ("binary_crossentropy", "categorical_crossentropy", "brier_loss")
    return [name for name in wanted if name in matrix.columns]


def _heat_map(matrix: LossMatrix) -> Markup:
    return _scrollable(to_svg(heat_map(matrix), f"Loss matrix of {matrix.model}"))


def _curves_by_row(curves: Mapping[str, Sequence[Curves]], model: str) -> Markup:
    title = f"{model}: the loss that each row was trained on"
    return _scrollable(to_svg(curves_by_row(curves, title), title))


def _curves_by_loss(folds: Sequence[Curves], title: str) -> Markup:
    return _scrollable(to_svg(curves_by_loss(folds, title), title))


def _scrollable(svg: str) -> Markup:
    """SVG at the width it was drawn for or the page's; a narrow page scrolls it."""

    def sized(found: re.Match[str]) -> str:
        least = min(float(found[2]) * 96.0 / 72.0, _READABLE)
        return f'{found[1]} style="min-width: {least:.0f}px" width="{found[2]}pt"'

    size = re.compile(r'(<svg[^>]*?) width="([0-9.]+)pt" height="[^"]*"')
    return Markup(f'<div class="wide">{size.sub(sized, svg, count=1)}</div>')


def _breakable(name: str) -> Markup:
    """Name that may break after underscores."""
    return Markup("_<wbr>").join(name.split("_"))
