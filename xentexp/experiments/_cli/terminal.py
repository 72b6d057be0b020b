"""Functions to print tables and JSON; plain text if the output is a file or a pipe."""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from xentexp._safe_text import printable, without_secrets
from xentexp.experiments._formatting import fixed
from xentexp.experiments._leaderboard import Leaderboard, Row, best_is


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
    """Print a table of text."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(printable(header), no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # escaped before it is measured
    console().print(table)


def print_in_parts(table: Callable[[int, int], Table], n_columns: int) -> None:
    """Print a wide table as several tables that fit; `table(i, j)` builds columns i to j - 1."""
    out = console()
    unbounded = out.options.update_width(10_000)
    start = 0
    while start < n_columns:
        end = start + 1
        widest = table(start, end)
        while end < n_columns:
            wider = table(start, end + 1)
            if Measurement.get(out, unbounded, wider).maximum > out.width:
                break
            widest, end = wider, end + 1
        out.print(widest)
        start = end


def print_leaderboard(board: Leaderboard, *, title: str, store: str = "") -> None:
    """Print a leaderboard; `store` is the --store option for the printed hint."""
    out = console()
    rows = [row for row in board.ranked() if row.reason is None]
    losses = board.shown()
    if rows and losses:
        out.print(Text(title, style="bold"))
        print_in_parts(lambda start, end: _table(board, losses, rows[start:end]), len(rows))
        for note in _notes(board, losses, store):
            out.print(Text(note, style="dim"))
    for row in board.ranked():
        if row.reason is not None:
            out.print(Text(f"failed: {row.model}: {row.reason}", style="red"), soft_wrap=True)


def store_option(uri: str) -> str:
    """Option --store for commands in hints; empty for the default store."""
    from xentexp.experiments._tracking import store_uri

    return "" if uri == store_uri() else f" --store {shlex.quote(without_secrets(uri))}"


def _notes(board: Leaderboard, losses: list[str], store: str) -> list[str]:
    cells = "mean over the folds, standard deviation below; " if _has_std(board) else ""
    notes = [f"{cells}*: best of its row; models ranked by {board.primary}"]
    if any(loss in row.regret for row in board.rows for loss in losses):
        notes.append(
            "regret: expected loss under the true probabilities minus the smallest possible "
            "expected loss"
        )
    notes += board.test_notes()
    hidden = [name for name in board.names() if name not in losses]
    equal: dict[str, list[str]] = {}
    for name, first in board.repeated().items():
        if name in hidden and first in losses and board.chosen is None:
            equal.setdefault(first, []).append(name)
            hidden.remove(name)
    notes += [f"equal to {first} on these data: {', '.join(n)}" for first, n in equal.items()]
    if hidden:
        command = f"xentexp leaderboard --losses all{store}"
        notes.append(f"{len(hidden)} more losses and metrics: {command}")
    return notes


def _table(board: Leaderboard, losses: list[str], rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.add_column("loss or metric", no_wrap=True)
    table.add_column("best", style="dim")
    for row in rows:
        name = Text(
            re.sub("[_ ]", "\n", printable(row.model))
        )  # Text, because brackets in a name are not markup
        table.add_column(name, justify="right", vertical="top")
    for loss in losses:
        name = Text(loss, style="bold" if loss == board.primary else "")
        table.add_row(name, best_is(loss), *(_cell(board, row, loss) for row in rows))
    for loss in losses:
        if any(loss in row.regret for row in rows):
            cells = (_number(row.regret.get(loss, math.nan)) for row in rows)
            table.add_row(f"regret {loss}", "low", *cells)
    for loss in board.tested(losses):
        cells = (_number(row.test.get(loss, math.nan)) + " " for row in rows)
        table.add_row(f"test/{loss}", best_is(loss), *cells)
    table.add_row("fit seconds", "", *(f"{row.seconds:.1f} " for row in rows), style="dim")
    return table


def _cell(board: Leaderboard, row: Row, loss: str) -> Text:
    if math.isnan(row.value(loss)):
        return Text("- ", style="dim")
    best = row.mean[loss] == board.best_value(loss)
    text = Text(_number(row.mean[loss]), style="bold green" if best else "")
    text.append("*" if best else " ")
    if _has_std(board):
        std = row.std.get(loss, math.nan)
        text.append(f"\n{_number(std)} ", style="not bold dim default")
    return text


def _has_std(board: Leaderboard) -> bool:
    return any(not math.isnan(value) for row in board.rows for value in row.std.values())


def _number(value: float) -> str:
    return f"{value:.3g}" if 1e5 <= abs(value) < math.inf else fixed(value)
