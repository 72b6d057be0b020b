"""How things look in a terminal; plain where the output is a file or a pipe."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from xentexp.experiments.formatting import fixed
from xentexp.experiments.leaderboard import Leaderboard, Row, best_is


def console(*, stderr: bool = False) -> Console:
    """Console that is coloured on a terminal alone, and wide enough elsewhere.

    Parameters
    ----------
    stderr : bool
        Whether it writes to standard error.

    Returns
    -------
    Console
        Of rich.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = (
        None if stream is not None and stream.isatty() else 140
    )  # a file has no width: wide enough for one line each
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """One JSON document on standard output.

    Parameters
    ----------
    value : object
        JSON-able, without NaN.
    """
    print(json.dumps(value, indent=2, allow_nan=False, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A plain table of text.

    Parameters
    ----------
    headers : sequence of str
        One for each column.
    rows : iterable of sequence of str
        The cells.
    title : str
        Above it.
    """
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def print_leaderboard(board: Leaderboard, *, title: str) -> None:
    """Losses in rows, candidates in columns, best first; in several tables where it is narrow.

    Parameters
    ----------
    board : Leaderboard
        What to show.
    title : str
        Above it.
    """
    out = console()
    rows = [row for row in board.ranked() if row.reason is None]
    losses = board.shown()
    if rows and losses:
        out.print(Text(title, style="bold"))
        unbounded = out.options.update_width(10_000)
        while rows:
            table = _table(board, losses, rows[:1])
            fit = 1
            while fit < len(rows):
                wider = _table(board, losses, rows[: fit + 1])
                if Measurement.get(out, unbounded, wider).maximum > out.width:
                    break
                table, fit = wider, fit + 1
            out.print(table)
            rows = rows[fit:]
        for note in _notes(board, losses):
            out.print(Text(note, style="dim"))
    for row in board.ranked():
        if row.reason is not None:
            out.print(Text(f"failed: {row.model}: {row.reason}", style="red"), soft_wrap=True)


def _notes(board: Leaderboard, losses: list[str]) -> list[str]:
    what = "mean over the folds, standard deviation below; " if _has_spread(board) else ""
    notes = [f"{what}* best of its row; ranked by {board.primary}"]
    if any(loss in row.regret for row in board.rows for loss in losses):
        notes.append("regret: expected loss above the best possible, under the true probabilities")
    left = [name for name in board.names() if name not in losses]
    same: dict[str, list[str]] = {}
    for name, first in board.repeated().items():
        if name in left and first in losses and board.chosen is None:
            same.setdefault(first, []).append(name)
            left.remove(name)
    notes += [f"the same as {first} here: {', '.join(names)}" for first, names in same.items()]
    if left:
        notes.append(f"{len(left)} more losses and metrics: xentexp leaderboard --losses all")
    return notes


def _table(board: Leaderboard, losses: list[str], rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.add_column("loss", no_wrap=True)
    table.add_column("best", style="dim")
    for row in rows:
        name = Text(re.sub("[_ ]", "\n", row.model))  # no markup: names may have brackets
        table.add_column(name, justify="right", vertical="top")
    for loss in losses:
        name = Text(loss, style="bold" if loss == board.primary else "")
        table.add_row(name, best_is(loss), *(_cell(board, row, loss) for row in rows))
    for loss in losses:
        if any(loss in row.regret for row in rows):
            cells = (_number(row.regret.get(loss, math.nan)) for row in rows)
            table.add_row(f"regret {loss}", "low", *cells)
    table.add_row("fit seconds", "", *(f"{row.seconds:.1f} " for row in rows), style="dim")
    return table


def _cell(board: Leaderboard, row: Row, loss: str) -> Text:
    if math.isnan(row.value(loss)):
        return Text("- ", style="dim")
    best = row.mean[loss] == board.best_value(loss)
    text = Text(_number(row.mean[loss]), style="bold green" if best else "")
    text.append("*" if best else " ")
    if _has_spread(board):
        spread = row.std.get(loss, math.nan)
        text.append(f"\n{_number(spread)} ", style="not bold dim default")
    return text


def _has_spread(board: Leaderboard) -> bool:
    return any(not math.isnan(value) for row in board.rows for value in row.std.values())


def _number(value: float) -> str:
    return f"{value:.3g}" if 1e5 <= abs(value) < math.inf else fixed(value)
