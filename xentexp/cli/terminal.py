"""How things look in a terminal; plain where the output is a file or a pipe."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from xentexp.benchmark import Comparison
from xentexp.leaderboard import Leaderboard, Row, best_is
from xentexp.losses import LOSSES, Loss
from xentexp.samples import SAMPLE_METRICS, SampleMetric


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
    if math.isnan(value):
        return "-"
    return f"{value:.3g}" if 1e5 <= abs(value) < math.inf else f"{value:z.4f}"


def print_published(rows: Sequence[Comparison], title: str) -> None:
    """Published numbers beside ours.

    Parameters
    ----------
    rows : sequence of Comparison
        In the order of the table.
    title : str
        Above it.
    """
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for header in ("model", "measure", "published", "ours", "difference", "within", ""):
        table.add_column(header, justify="left" if header in ("model", "measure", "") else "right")
    before = None
    for row in rows:
        told = row.published
        there = not math.isnan(row.ours)
        table.add_row(
            "" if told.model == before else told.model,
            told.measure,
            f"{told.value:.6f}",
            f"{row.ours:.6f}" if there else "-",
            f"{row.difference:+z.6f}" if there else "-",
            f"{told.within:g}",
            Text("met", style="green") if row.met else Text("NOT MET", style="bold red"),
        )
        before = told.model
    console().print(table)


_FAMILIES = {
    "crossentropy": "Cross-entropy",
    "proper": "Proper scores and zero-one",
    "focal": "Cross-entropy, refocused",
    "robust": "Forgiving of wrong labels",
    "ordinal": "Ordered classes",
    "margin": "Margins of decision scores",
    "regression": "Distances, also of numbers",
    "divergence": "Distributions",
    "multilabel": "Several labels in a row",
}


def print_losses(names: Iterable[str]) -> None:
    """The table of losses by family, in words short enough for one line each.

    Parameters
    ----------
    names : iterable of str
        Which losses.
    """
    families: dict[str, list[str]] = {}
    for name in names:
        module = type(LOSSES[name]).__module__
        own = module.startswith("xentexp.losses.")
        family = _FAMILIES[module.rpartition(".")[2]] if own else f"Registered by {module}"
        families.setdefault(family, []).append(name)
    width = console().width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    headers = ["name", "proper", "needs", "classes", "convex"]
    if width >= 100:
        headers.append("formula")
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number < 5, overflow="fold")
    for family, members in families.items():
        table.add_row(Text(family, style="bold"))
        for name in members:
            facts = LOSSES[name].facts
            proper = _SHORT.get(facts.properness, facts.properness)
            needs = _SHORT.get(facts.needs, facts.needs)
            classes = "2" if facts.binary_only else "ordered" if facts.ordered else "any"
            classes = "labels" if facts.targets == "multilabel" else classes
            cells = [f"  {name}", proper, needs, classes, "yes" if facts.convex else "no"]
            table.add_row(*map(Text, [*cells, facts.formula][: len(headers)]))
        table.add_row()
    out = console()
    out.print(table)
    for note in (
        "needs: predict_proba, decision_function, either, or one latent score a row; convex: in "
        "the raw scores.",
        "y, t: label, target distribution; p, d: predictions; k classes. Lower is better; only "
        "entropy ranks nothing.",
        *([] if width >= 100 else ["Formulas: in a wider terminal, or one in full (below)."]),
    ):
        out.print(Text(note, style="dim"))


def print_sample_metrics() -> None:
    """The metrics of a whole sample, one line each."""
    formula = console().width >= 100
    headers = ["name", "best", "needs", "classes", *(["formula"] if formula else [])]
    rows = []
    for name, metric in SAMPLE_METRICS.items():
        facts = metric.facts
        best = {"lower": "low", "higher": "high", "nearest": f"near {facts.optimum:g}"}
        classes = "2" if facts.binary_only else "any"
        row = [f"  {name}", best[facts.direction], _SHORT.get(facts.needs, facts.needs), classes]
        rows.append([*row, *([facts.formula] if formula else [])])
    print_table(headers, rows, title="Of a whole sample, no mean over its rows")
    console().print(
        Text(
            "One in full, by its name or a peer's (torch.nn.CrossEntropyLoss): xentexp losses NAME",
            style="dim",
        )
    )


_SHORT = {
    "strictly proper": "strictly",
    "proper": "yes",
    "improper": "no",
    "probabilities": "proba",
    "scores": "decision",
}


def facts_row(judge: Loss | SampleMetric) -> dict[str, Any]:
    """What `xentexp losses --json` says of a loss, or of a metric of a sample.

    Parameters
    ----------
    judge : Loss or SampleMetric
        Of a table, or with other parameters.

    Returns
    -------
    dict
        JSON-able.
    """
    row = {"name": judge.name, "parameters": asdict(judge), **asdict(judge.facts)}
    if isinstance(judge, Loss):
        trained = judge.facts.gradient != "none" and judge.facts.targets in _OF_CLASSES
        row["invertible"] = judge.invertible(2) if trained else None
    return row


_OF_CLASSES = ("labels", "one-hot", "soft")
