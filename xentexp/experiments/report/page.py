"""One self-contained page: findings in words, heat maps, tables, curves, how it was done."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence

from xentexp.experiments.analysis import BestRow, Cell, LossMatrix
from xentexp.experiments.analysis.wording import findings
from xentexp.experiments.formatting import DASH, number, p_value, percent
from xentexp.experiments.report.curves import Curves, curves_by_loss, curves_by_row, recorded
from xentexp.experiments.report.drawing import to_svg
from xentexp.experiments.report.heatmap import heat_map
from xentexp.inference.comparison import Comparison

_READABLE = 1080.0
"""Pixels below which a wide figure is scrolled, not shrunk."""

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 24px 28px 64px; max-width: 1320px; background: #fff;
  color: #1a1a1a; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Arial, sans-serif; }
h1 { font-size: 25px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 10px; padding-top: 14px; border-top: 1px solid #d5d5d5; }
h3 { font-size: 16px; margin: 26px 0 6px; }
p, ul { max-width: 88ch; margin: 6px 0 12px; }
ul { padding-left: 20px; } li { margin: 3px 0; }
.soft, caption { color: #5a5a5a; }
table { border-collapse: collapse; font-size: 14px; margin: 8px 0 18px; }
caption { text-align: left; padding-bottom: 4px; }
th, td { padding: 4px 16px 4px 0; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid #8a8a8a; font-weight: 600; }
tbody tr + tr th, tbody tr + tr td { border-top: 1px solid #ececec; }
tbody th { font-weight: 400; }
tr.win th { font-weight: 600; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.of th { font-weight: 600; padding-top: 14px; }
.win { font-weight: 600; } .other { color: #b34700; }
.wide { overflow-x: auto; } svg { display: block; max-width: 100%; height: auto; }
details { margin: 10px 0; } summary { cursor: pointer; color: #005a8f; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; max-width: 110ch; }
dt { color: #5a5a5a; } dd { margin: 0; }
"""


def page(
    matrices: Sequence[LossMatrix],
    *,
    title: str,
    properties: Mapping[str, str] | None = None,
    curves: Mapping[str, Mapping[str, Sequence[Curves]]] | None = None,
) -> str:
    """Report of loss matrices, to be read in a browser or in MLflow's artifact view.

    Parameters
    ----------
    matrices : sequence of LossMatrix
        One for each model, on the same folds.
    title : str
        What the data are.
    facts : mapping, optional
        How it was done, by heading: data set, folds, seed, versions.
    curves : mapping, optional
        By model, then by label of the row: ``learning_curve_`` of each fold's fit.

    Returns
    -------
    str
        HTML that loads nothing from elsewhere.
    """
    curves = curves or {}
    heading = f"Which loss to train on: {title}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(heading)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{_text(heading)}</h1>",
        f'<p class="soft">{_text(_subtitle(matrices))}</p>',
        *map(_choices, matrices),
    ]
    for matrix in matrices:
        parts += _section(matrix, curves.get(matrix.model, {}))
    parts += [_protocol(matrices, properties or {}), "</body></html>"]
    return "\n".join(parts) + "\n"


def _subtitle(matrices: Sequence[LossMatrix]) -> str:
    models = ", ".join(matrix.model for matrix in matrices)
    folds = matrices[0].n_folds
    return (
        f"{models}: trained on each of several losses, judged by each of several losses, on the "
        f"same {folds} test part{'s' * (folds != 1)}, none of whose rows was trained on."
    )


def _choices(matrix: LossMatrix) -> str:
    """What to train one model on: a line for each loss to be judged by."""
    lines = [
        f"<tr><th>{_name(choice.column)}</th>{_choice(choice)}</tr>" for choice in matrix.choices()
    ]
    return (
        f'<div class="wide"><table><caption>The answer in short: what to train '
        f"{_text(matrix.model)} on, if this is the loss you are judged by</caption>"
        "<thead><tr><th>judged by</th>"
        '<th>best trained on</th><th class="n">mean</th><th>trained on the loss itself</th></tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _choice(choice: BestRow) -> str:
    if choice.best is None or choice.cell is None:
        return f'<td>{DASH}</td><td class="n">{DASH}</td><td>{DASH}</td>'
    mean = f'<td class="n">{number(choice.cell.mean)}</td>'
    if choice.best is choice.diagonal:
        return f'<td class="win">{_name(choice.best.label)}</td>{mean}<td class="win">is best</td>'
    own = choice.diagonal_cell
    if own is None:
        verdict = "not trained on"
    elif own.comparison is None:
        verdict = own.reason or DASH
    else:
        verdict = f"+{percent(own.percent)}\u00a0%, {p_value(own.p_adjusted)}".replace("+<", "< +")
        verdict += ": worse" if own.worse else ": not told apart" if own.p_adjusted >= 0 else ""
    mark = ' class="other"' if own is not None and own.worse else ""
    return f"<td>{_name(choice.best.label)}</td>{mean}<td{mark}>{_text(verdict)}</td>"


def _section(matrix: LossMatrix, curves: Mapping[str, Sequence[Curves]]) -> Iterator[str]:
    name = matrix.model
    yield f"<h2>{_text(name)}</h2>"
    first, *others = findings(matrix)
    yield f"<p>{_text(first)}</p>"
    yield _svg(to_svg(heat_map(matrix), f"Loss matrix of {name}"))
    yield "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in others) + "</ul>"
    if matrix.pairs():
        yield _before_after(matrix)
    yield f"<details><summary>All numbers of {_text(name)}, with intervals and tests</summary>"
    yield f"{_numbers(matrix)}</details>"
    if curves:
        yield f"<h3>Learning curves of {_text(name)}</h3>"
        title = f"{name}: the loss that each row was trained on"
        yield _svg(to_svg(curves_by_row(curves, title), title))
        for label, folds in curves.items():
            if len(recorded(folds[0])) > 1:
                title = f"{name} trained on {label}"
                yield f"<details><summary>{_text(title)}: every loss recorded</summary>"
                yield f"{_svg(to_svg(curves_by_loss(folds, title), title))}</details>"


def _before_after(matrix: LossMatrix) -> str:
    lines = []
    for before, after in matrix.pairs():
        rows = matrix.rows[before], matrix.rows[after]
        if rows[0].calibration is None or rows[1].calibration is None:
            continue
        old, new = rows[0].calibration, rows[1].calibration
        cells = [f"{old.headline:+z.4f}", f"{new.headline:+z.4f}"]
        cells += [f"{old.ece:.4f}", f"{new.ece:.4f}"]
        for column in _judges(matrix):
            cells += [number(row.mean(column)) for row in rows]
        numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        lines.append(f"<tr><th>{_name(rows[0].label)}</th>{numbers}</tr>")
    heads = ["shift of mean rate", "calibration error", *map(_plain, _judges(matrix))]
    top = "".join(f'<th class="n" colspan="2">{_text(head)}</th>' for head in heads)
    low = '<th class="n">before</th><th class="n">after</th>' * len(heads)
    return (
        "<h3>Before and after the inverse link</h3>"
        '<div class="wide"><table><caption>Shift: mean predicted rate less base rate, of the '
        "second of two classes, or of the class that is furthest off</caption>"
        f"<thead><tr><th>trained on</th>{top}</tr><tr><th></th>{low}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _judges(matrix: LossMatrix) -> list[str]:
    """Two losses by which a reader will judge the correction, where they are columns."""
    wanted = ("binary_crossentropy", "categorical_crossentropy", "brier_loss")
    return [name for name in wanted if name in matrix.columns]


def _numbers(matrix: LossMatrix) -> str:
    heads = ["mean", "sd", "regret", "%", f"{100 * matrix.confidence:g} % interval", "p", "Holm"]
    top = "".join(f'<th class="n">{_text(head)}</th>' for head in heads)
    lines = []
    for name in matrix.columns:
        lines.append(f'<tr class="of"><th colspan="8">scored on {_name(name)}</th></tr>')
        for row, cell in zip(matrix.rows, matrix.column(name), strict=True):
            own = " (own loss)" if cell.diagonal else ""
            lines.append(
                f"<tr{' class=win' * cell.best}><th>{_name(row.label)}{own}</th>"
                f'<td class="n">{number(cell.mean)}</td>{_cells(cell)}</tr>'
            )
    return (
        f'<div class="wide"><table><thead><tr><th>trained on</th>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cells(cell: Cell) -> str:
    """All but the mean."""
    if cell.reason is not None:
        return f'<td colspan="6">{_text(cell.reason)}</td>'
    texts = [number(cell.std), f"{cell.regret:.2g}", percent(cell.percent)]
    texts += _test(cell.comparison, cell.p_adjusted)
    return "".join(f'<td class="n">{_text(text)}</td>' for text in texts)


def _test(found: Comparison | None, adjusted: float) -> tuple[str, str, str]:
    if found is None:
        return "", "", "best"
    return (
        f"{found.low:.2g} to {found.high:.2g}",
        p_value(found.p).removeprefix("p ").removeprefix("= "),
        p_value(adjusted).removeprefix("p ").removeprefix("= "),
    )


def _protocol(matrices: Sequence[LossMatrix], properties: Mapping[str, str]) -> str:
    first = matrices[0]
    tests = ", ".join(f"{m.model} {m.n_tests}" for m in matrices)
    own = {
        "Regret": "Mean over the folds less the best mean of the column; % of that best.",
        "Test": (
            "Each cell against the best of its column, paired over the folds: corrected "
            "resampled t-test (Nadeau and Bengio, 2003), variance factor 1/J + n_test/n_train "
            f"with J = {first.n_folds} and n_test/n_train = {first.test_train_ratio:.4g}, "
            "t with J - 1 degrees of freedom, two-sided."
        ),
        "Family": (
            "Holm's adjustment over the cells of one model's table that are not the best of "
            f"their column: {tests} tests. Beyond chance: adjusted p below {first.alpha:g}."
        ),
        "Caveats": (
            "The best of a column is chosen on the same folds, which favours finding others "
            "worse. The correction is an approximation; few folds find little."
        ),
        "Calibration": (
            "Mean predicted rate less base rate, and expected calibration error (15 bins of "
            "equal width): both by fold, then the mean."
        ),
    }
    lines = "".join(
        f"<dt>{_text(key)}</dt><dd>{_text(value)}</dd>"
        for key, value in {**properties, **own}.items()
    )
    return f"<h2>How it was done</h2><dl>{lines}</dl>"


def _svg(element: str) -> str:
    """SVG as wide as it is drawn, or as the page; a narrow page scrolls it."""

    def sized(found: re.Match[str]) -> str:
        least = min(float(found[2]) * 96.0 / 72.0, _READABLE)
        return f'{found[1]} style="min-width: {least:.0f}px" width="{found[2]}pt"'

    size = re.compile(r'(<svg[^>]*?) width="([0-9.]+)pt" height="[^"]*"')
    return f'<div class="wide">{size.sub(sized, element, count=1)}</div>'


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _name(name: str) -> str:
    """Name of a loss, which may break at underscores."""
    return _text(name).replace("_", "_<wbr>")


def _text(text: str) -> str:
    return html.escape(text)
