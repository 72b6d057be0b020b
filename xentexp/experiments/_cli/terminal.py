"""Functions to print tables and JSON; plain text if the output is a file or a pipe."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from xentexp._safe_text import environment_read_once, printable, without_secrets
from xentexp.experiments._board_tables import (
    MOST_COLUMNS,
    TextTable,
    columns_of,
    displayed,
    has_answer,
    losses_table,
    models_table,
    n_fixed,
    sentences,
)
from xentexp.experiments._leaderboard import Leaderboard


def console(*, stderr: bool = False) -> Console:
    """Rich console of standard output or error, with colours only in terminals."""
    stream = sys.stderr if stderr else sys.stdout
    # A file has no width; most lines fit into 140 characters.
    width = None if stream is not None and stream.isatty() else 140
    return _Console(
        stderr=stderr, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False
    )


class _Console(Console):
    """Console for text of other people: brackets are not markup, control characters are escaped."""

    def print(self, *objects: Any, **options: Any) -> None:
        with environment_read_once():  # a table has thousands of segments
            super().print(*objects, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:  # of Rich's own, e.g. to move the cursor of a progress bar
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def say(text: str, *, stderr: bool = False) -> None:
    """Print text as it is, without secrets and control characters."""
    print(printable(text), file=sys.stderr if stderr else sys.stdout)


def print_json(value: object) -> None:
    """Print one JSON document."""
    print(json.dumps(hide_secrets(value), indent=2, allow_nan=False, default=str))


def hide_secrets(value: object) -> object:
    """The value without secrets in its texts."""
    if isinstance(value, dict):
        return {hide_secrets(key): hide_secrets(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [hide_secrets(inner) for inner in value]
    return without_secrets(value) if isinstance(value, str) else value


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table of text; if it is too wide, names and intervals take several lines."""
    out, lines = console(), [[printable(cell) for cell in row] for row in rows]
    table = _text_table([printable(header) for header in headers], lines, title)
    if Measurement.get(out, out.options.update_width(10_000), table).maximum > out.width:
        heads = [printable(header).replace(" [", "\n[") for header in headers]
        narrow = [
            [_in_lines(first, _NARROW), *(cell.replace(" [", "\n[") for cell in others)]
            for first, *others in lines
        ]
        table = _text_table(heads, narrow, title, dense=True)
    out.print(table)


def _text_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], title: str, *, dense: bool = False
) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        pad_edge=False,
        padding=0 if dense else (0, 1),
    )
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0, overflow="fold", vertical="bottom")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def print_sentence(text: str) -> None:
    """Print a sentence, on a terminal in lines that do not break words."""
    out = console()
    out.print(Text(text), width=min(out.width, LINE), soft_wrap=not out.is_terminal)


def print_in_parts(table: Callable[[int, int], Table], n_columns: int) -> None:
    """Print a wide table as several tables that fit; `table(i, j)` builds columns i to j - 1."""
    out = console()
    unbounded = out.options.update_width(10_000)

    def fits(start: int, end: int) -> bool:
        return Measurement.get(out, unbounded, table(start, end)).maximum <= out.width

    start, number = 0, 1
    while start < n_columns:
        # As many columns as in the table before, which is nearly right: measuring takes long.
        end = min(start + number, n_columns)
        while end > start + 1 and not fits(start, end):
            end -= 1
        while end < n_columns and fits(start, end + 1):
            end += 1
        out.print(table(start, end))
        start, number = end, end - start


_NARROW = 14  # letters of a line of a name in a table that is too wide

LINE = 100
"""Characters of a line of text, so that sentences are easy to read."""


def print_leaderboard(board: Leaderboard, *, title: str, store: str = "") -> None:
    """Print a leaderboard without the answer; `store` is the --store option for hints."""
    out = console()
    columns = columns_of(board)
    if displayed(board) and columns:
        out.print(Text(title, style="bold"))
        shown = _print_models(board, columns, out)
        rest = losses_table(board, shown)
        if rest.rows:
            _print_losses(rest, board.primary)
        _print_sentences(board, out, store)
    for row in board.ranked():
        if row.reason is not None:
            out.print(Text(f"failed: {row.model}: {row.reason}", style="red"), soft_wrap=True)


def print_answer(board: Leaderboard) -> None:
    """Print which model is best and how sure that is, in bold after an empty line."""
    if has_answer(board) and displayed(board) and columns_of(board):
        out = console()
        out.print()
        out.print(Text(sentences(board)[0], style="bold"), width=min(out.width, LINE))


def _print_models(board: Leaderboard, columns: Sequence[str], out: Console) -> Sequence[str]:
    """Print candidates as rows with as many columns as fit; return their losses and metrics."""
    unbounded = out.options.update_width(10_000)
    most = min(MOST_COLUMNS - n_fixed(board), len(columns))
    for number, seconds in [*((n, True) for n in range(most, 0, -1)), (1, False)]:
        table = _models(models_table(board, columns[:number]), out.width, seconds=seconds)
        if Measurement.get(out, unbounded, table).maximum <= out.width:
            break
    out.print(table)
    return columns[:number]


def _models(text: TextTable, width: int, *, seconds: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    names = 30 if width >= 100 else 20 if width >= 80 else 14
    headers = text.headers if seconds else text.headers[:-1]
    for number, header in enumerate(headers):
        justify: Literal["left", "right"] = "left" if number < text.n_text else "right"
        last = number == len(text.headers) - 1
        table.add_column(
            _header(header), justify=justify, vertical="bottom", style="dim" if last else ""
        )
    for place, row in enumerate(text.rows):
        style = "bold green" if place in text.strong else ""
        cells = [Text(_in_lines(printable(row[0]), names), style=style)]
        for number, cell in enumerate(row[1 : len(headers)]):
            narrow = cell.replace(" [", "\n[") if width < 100 else cell
            cells.append(Text(narrow, style=style if number < 2 else ""))
        table.add_row(*cells)
    return table


def _header(text: str) -> str:
    return "\n".join(_in_lines(part, 14) for part in re.split(r" (?=[(\[])", text))


def _in_lines(name: str, width: int) -> str:
    """Name in lines of at most `width` characters where it has spaces or underscores."""
    lines = [""]
    for part in re.findall(r"[^_ ]*(?:[_ ]+|$)", name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _print_losses(text: TextTable, primary: str) -> None:
    """Print losses and metrics as rows, in several tables if they do not fit."""

    def part(start: int, end: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
        table.add_column(text.headers[0], no_wrap=True)
        table.add_column(text.headers[1], style="dim")
        for name in text.headers[2:][start:end]:
            header = Text(re.sub("[_ ]", "\n", printable(name)))  # brackets are not markup
            table.add_column(header, justify="right", vertical="top", no_wrap=True)
        for row in text.rows:
            first = Text(row[0], style="bold" if row[0] == primary else "")
            table.add_row(first, row[1], *map(Text, row[2:][start:end]))
        return table

    print_in_parts(part, len(text.headers) - 2)


def _print_sentences(board: Leaderboard, out: Console, store: str) -> None:
    """Print the rule of intervals and marks, warnings and notes."""
    first, *others = sentences(board)
    for sentence in others if has_answer(board) else [first, *others]:
        style = "yellow" if sentence.startswith("Warning: ") else "dim"
        out.print(Text(sentence, style=style), width=min(out.width, LINE))
    for note in _notes(board, store):
        out.print(Text(note, style="dim"), width=min(out.width, LINE))


def store_option(uri: str) -> str:
    """Option --store for commands in hints; empty for the default store."""
    from xentexp.experiments._tracking.connect import store_uri

    return "" if uri == store_uri() else f" --store {shlex.quote(without_secrets(uri))}"


def _notes(board: Leaderboard, store: str) -> list[str]:
    shown = board.shown()
    hidden = [name for name in board.names() if name not in columns_of(board)]
    notes = []
    equal: dict[str, list[str]] = {}
    for name, first in board.repeated().items():
        if name in hidden and first in shown and board.chosen is None:
            equal.setdefault(first, []).append(name)
            hidden.remove(name)
    notes += [f"equal to {first} on these data: {', '.join(n)}" for first, n in equal.items()]
    if hidden:
        command = f"xentexp leaderboard --losses all{store}"
        notes.append(f"{len(hidden)} more losses and metrics: {command}")
    return notes
