"""Tables of a leaderboard as text: candidates as rows, or losses and metrics as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from xentexp.experiments._formatting import (
    and_list,
    decimals_for,
    escaped,
    markdown_table,
    signed,
    spaced,
)
from xentexp.experiments._leaderboard import Leaderboard, Row, best_is
from xentexp.experiments._ranking import distance
from xentexp.experiments._sentences import Standing
from xentexp.experiments._uncertainty import CONSTANT

MOST_COLUMNS = 8
"""Columns of a table with candidates as rows."""


@dataclass(frozen=True)
class TextTable:
    """Table of text; its first `n_text` columns are aligned to the left."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    strong: frozenset[int] = frozenset()  # rows to emphasize

    def to_text(self) -> str:
        """Plain text with aligned columns."""
        parts = [_header_lines(header) for header in self.headers]
        height = max(map(len, parts))
        heads = zip(*([""] * (height - len(part)) + part for part in parts), strict=True)
        lines = [*heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = (
            (
                cell.ljust(width) if number < self.n_text else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )
        return "\n".join("  ".join(line).rstrip() for line in aligned)

    def to_html(self) -> str:
        """HTML table."""
        head = "".join(f"<th scope='col'>{escape(text)}</th>" for text in self.headers)
        body = "".join(
            f"<tr><th scope='row'>{escape(row[0])}</th>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_markdown(self) -> str:
        """Markdown table; emphasized rows have a bold name."""
        rows = [
            [
                _markdown_cell(cell, strong=n == 0 and number in self.strong)
                for n, cell in enumerate(row)
            ]
            for number, row in enumerate(self.rows)
        ]
        headers = [escaped(spaced(header)) for header in self.headers]
        return markdown_table(headers, rows, n_text_columns=self.n_text)


def tables(board: Leaderboard) -> list[TextTable]:
    """Candidates as rows with at most eight columns, then what does not fit; none if all failed."""
    if not displayed(board):
        return []
    columns = columns_of(board)[: MOST_COLUMNS - n_fixed(board)]
    rest = losses_table(board, columns)
    return [models_table(board, columns), *([rest] if rest.rows else [])]


def displayed(board: Leaderboard) -> list[Row]:
    """Candidates that did not fail, best first, and a constant model if none of them is one."""
    rows = [row for row in board.ranked() if row.reason is None]
    known = {row.model for row in board.rows}
    models = () if board.uncertainty is None or not rows else board.uncertainty.models
    extra = [
        Row(model.model, {name: level.mean for name, level in model.levels.items()})
        for model in models
        if model.constant and model.model not in known
    ]
    best = board.standing(board.primary).best

    def place(row: Row) -> tuple[bool, float]:
        return row.model != best, distance(board.primary, row.value(board.primary))

    return sorted([*rows, *extra], key=place)


def columns_of(board: Leaderboard) -> list[str]:
    """Losses and metrics that tables show, the primary one first."""
    first = [board.primary] if board.primary in board.names() else []
    return [*first, *(name for name in board.shown() if name != board.primary)]


def n_fixed(board: Leaderboard) -> int:
    """Number of columns besides losses and metrics."""
    return 3 if board.standing(board.primary).differences else 2


def models_table(board: Leaderboard, names: Sequence[str]) -> TextTable:
    """Candidates as rows; columns: the losses and metrics `names`, the primary one first."""
    rows = displayed(board)
    standing = board.standing(board.primary)
    headers, columns = ["model"], [[label(standing, row.model) for row in rows]]
    for number, name in enumerate(names):
        headers.append(f"{name} ({best_is(name)})")
        columns.append(_values(board, rows, name))
        if number == 0 and standing.differences:
            level = next(iter(standing.levels.values())).confidence
            headers.append(f"minus the best [{level:.0%} interval]")
            columns.append([difference_text(standing, row.model) for row in rows])
    headers.append("fit seconds")
    columns.append([_text(row.seconds, 1) for row in rows])
    strong = frozenset(n for n, row in enumerate(rows) if row.model == standing.best)
    return TextTable(tuple(headers), tuple(zip(*columns, strict=True)), 1, strong)


def losses_table(board: Leaderboard, without: Sequence[str] = ()) -> TextTable:
    """Shown losses and metrics as rows, except those of `without`; regret and test rows of all."""
    rows, shown = displayed(board), board.shown()
    lines = [
        (name, best_is(name), *_values(board, rows, name, marks=True))
        for name in columns_of(board)
        if name not in without
    ]
    for name in shown:
        if any(name in row.regret for row in rows):
            values = _texts(row.regret.get(name, math.nan) for row in rows)
            lines.append((f"regret {name}", "low", *values))
    for name in board.tested(shown):
        values = _texts(row.test.get(name, math.nan) for row in rows)
        lines.append((f"test/{name}", best_is(name), *values))
    headers = ("loss or metric", "best", *(row.model for row in rows))
    return TextTable(headers, tuple(lines), 2)


def has_answer(board: Leaderboard) -> bool:
    """Whether the first sentence of a leaderboard is the answer, with intervals."""
    return board.uncertainty is not None and board.uncertainty.primary == board.primary


def sentences(board: Leaderboard) -> list[str]:
    """The answer, the rule of intervals and marks, warnings, and what the tables show."""
    known = board.uncertainty
    notes = [f"Means over the folds, ranked by {board.primary}."]
    if known is not None and has_answer(board):
        notes = [known.answer, known.rule, *(f"Warning: {line}" for line in known.warnings)]
    if board.spread:
        notes.append("In brackets: standard deviation over the folds.")
    missing: dict[tuple[str, str], list[str]] = {}
    for model in () if known is None else known.models:
        for name in columns_of(board):
            if reason := model.undefined.get(name):
                missing.setdefault((model.model, reason), []).append(name)
    notes += [f"{m} has no {and_list(names)}: {why}." for (m, why), names in missing.items()]
    shown = board.shown()
    if any(name in row.regret for row in board.rows for name in shown):
        notes.append(
            "regret: expected loss under the true probabilities minus the smallest possible "
            "expected loss"
        )
    return [note for note in [*notes, *board.test_notes()] if note]


def label(standing: Standing, model: str) -> str:
    """Name of a model, with a mark if it is constant or cannot be told from the best."""
    if model in standing.constant and not model.startswith(CONSTANT):
        return f"{model} (constant)"
    return f"{model} *" if model in standing.tied else model


def difference_text(standing: Standing, model: str) -> str:
    """Difference of a model to the best, with its interval."""
    if model == standing.best:
        return "best"
    difference = standing.differences.get(model)
    if difference is None:
        return "-"
    decimals = standing.decimals
    text = signed(difference.difference, decimals, sign="+")
    if difference.reason is not None:
        return text
    low, high = (signed(x, decimals, sign="+") for x in (difference.low, difference.high))
    return f"{text} [{low}, {high}]"


def _values(
    board: Leaderboard, rows: Sequence[Row], name: str, *, marks: bool = False
) -> list[str]:
    """Text of the values of a loss or metric, with equal decimals."""
    standing = board.standing(name)
    means = [row.value(name) for row in rows]
    decimals = standing.decimals if standing.levels else decimals_for(means)
    told = {standing.best, *standing.tied} - standing.constant if standing.n_tests else set()
    texts = []
    for row, mean in zip(rows, means, strict=True):
        text = _text(mean, decimals)
        std = row.std.get(name, math.nan)
        if board.spread and not math.isnan(std):
            text += f" ({signed(std, decimals)})"
        texts.append(f"{text}{'*' if row.model in told else ' '}" if marks else text)
    return texts


def _texts(values: Iterable[float]) -> list[str]:
    values = list(values)
    return [f"{_text(value, decimals_for(values))} " for value in values]


def _text(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else signed(value, decimals)


def _header_lines(header: str) -> list[str]:
    """Header in narrow lines: a loss or metric in its parts, with underscores."""
    return header.replace("_", "_\n").replace(" (", "\n(").replace(" [", "\n[").split("\n")


def _markdown_cell(text: str, *, strong: bool) -> str:
    # MLflow sets no space between columns, and would break an interval at its comma. Between the
    # asterisks and the text, a space would leave them as they are.
    cell = escaped(text.strip()).replace(", ", ",\N{NO-BREAK SPACE}")
    mark = "**" if strong else ""
    return f"\N{NO-BREAK SPACE}{mark}{cell}{mark}\N{NO-BREAK SPACE}"
