"""`xentexp leaderboard`: leaderboard of earlier runs in the store."""

from __future__ import annotations

import argparse

from xentexp.errors import InputError
from xentexp.experiments._cli.terminal import print_json, print_leaderboard, store_option

_ALL_LEGEND = (
    "model names: model, kind of folds, number of folds (holdout: number of test rows), seed, "
    "first characters of the run's ID in MLflow"
)

_NO_INTERVALS = (
    "No intervals are stored for this run; `xentexp compare RUN` computes them from its predictions"
)


def leaderboard(options: argparse.Namespace) -> int:
    """`xentexp leaderboard`."""
    from xentexp.experiments import _tracking as tracking

    uri = tracking.store_uri(options.store)
    client = tracking.open_client(uri, create=False)
    with tracking.store_errors(uri):
        name, board = tracking.read_leaderboard(client, options.experiment, every=options.all)
    plain_json = options.json and options.sort is None and options.losses is None
    if not plain_json and all(row.reason is not None for row in board.rows):
        which = "none of the runs has a" if options.all else "the latest run has no"
        first = board.rows[0]
        raise InputError(
            f"{which} successful model; correct the models and run them again with `xentexp run`; "
            f"the first error: {first.model}: {first.reason}"
        )
    if options.sort is not None:
        board = board.sorted_by(options.sort)
    names = board.chosen
    if options.losses is not None:
        names = None if options.losses == "all" else options.losses.split(",")
    if options.losses is not None or options.spread:
        board = board.showing(names, spread=options.spread)
    if options.json:
        print_json({"experiment": name, **board.to_document()})
    else:
        which = "all runs (their data and folds may differ)" if options.all else "latest run"
        print_leaderboard(board, title=f"{name}: {which}", store=store_option(uri))
        if options.all:
            print(_ALL_LEGEND)
        elif board.uncertainty is None:
            print(_NO_INTERVALS)
    return 0
