"""`xentexp leaderboard`: leaderboard of earlier runs in the store."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from xentexp.errors import NothingToShowError
from xentexp.experiments._cli.terminal import (
    print_answer,
    print_json,
    print_leaderboard,
    say,
    store_option,
)

if TYPE_CHECKING:
    from xentexp.experiments._tracking.read_back import StoredBoard
    from xentexp.experiments._tracking.run_status import RunStatus

_ALL_LEGEND = (
    "model names: model, kind of folds, number of folds (holdout: number of test rows), seed, "
    "first characters of the run's ID in MLflow"
)
_LISTED = 3  # incomplete runs that the output names


def leaderboard(options: argparse.Namespace) -> int:
    """Print a leaderboard; return 0, or 1 if the run is incomplete."""
    from xentexp.experiments._tracking.connect import open_client, store_errors, store_uri
    from xentexp.experiments._tracking.read_back import read_leaderboard

    uri = store_uri(options.store)
    client = open_client(uri, create=False)
    with store_errors(uri):
        stored = read_leaderboard(
            client, options.experiment, uri=uri, run_id=options.run, every=options.all
        )
    board = stored.board
    if all(row.reason is not None for row in board.rows):
        _no_result(stored, every=options.all)
    if options.sort is not None:
        board = board.sorted_by(options.sort)
    if options.losses is not None:
        board = board.showing(None if options.losses == "all" else options.losses.split(","))
    board = replace(board, spread=options.spread)
    if options.json:
        print_json(
            {
                "experiment": stored.experiment,
                "run": None if options.all else stored.shown.to_record(),
                "incomplete_runs": [status.to_record() for status in stored.incomplete],
                **board.to_document(),
            }
        )
    else:
        title = f"{stored.experiment}: {_which(options, stored)}"
        print_leaderboard(board, title=title, store=store_option(uri))
        print_answer(board)
        if options.all:
            print(_ALL_LEGEND)
        elif board.uncertainty is None:
            reason = "an older version of xentexp made" if stored.shown.whole else "is incomplete"
            say(
                f"No intervals are stored for this run, which {reason}; to compute them: xentexp "
                f"compare {stored.shown.run_id[:8]}{store_option(uri)}"
            )
        for line in incomplete_lines(
            stored.shown if not options.all else None, stored.incomplete, store_option(uri)
        ):
            say(line)
    return int(not options.all and not stored.shown.whole)


def _which(options: argparse.Namespace, stored: StoredBoard) -> str:
    if options.all:
        return "all runs (their data and folds may differ)"
    if not stored.shown.whole:
        return f"INCOMPLETE run {stored.shown.run_id[:8]}"
    return f"run {stored.shown.run_id[:8]}" if options.run or stored.incomplete else "latest run"


def incomplete_lines(
    shown: RunStatus | None, incomplete: Iterable[RunStatus], store: str
) -> list[str]:
    """Sentences on the shown run, if it is incomplete, and on incomplete runs not shown."""
    lines = [] if shown is None or shown.whole else [f"incomplete: {shown.sentence()}"]
    others = list(incomplete)
    word = "incomplete" if shown is None else "incomplete, not shown"
    for status in others[:_LISTED]:
        line = f"{word}: {status.sentence()}"
        if status.results:
            line += f"; to see it: xentexp leaderboard --run {status.run_id[:8]}{store}"
        lines.append(line)
    if len(others) > _LISTED:
        lines.append(f"{len(others) - _LISTED} more incomplete runs: xentexp leaderboard --all")
    return lines


def _no_result(stored: StoredBoard, *, every: bool) -> None:
    first = stored.board.rows[0]
    which = "none of the runs has a" if every else f"run {stored.shown.run_id[:8]} has no"
    raise NothingToShowError(
        f"{which} successful model; correct the models and run them again with `xentexp run`; "
        f"the first error: {first.model}: {first.reason}"
    )
