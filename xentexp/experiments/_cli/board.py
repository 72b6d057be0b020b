"""`xentexp leaderboard`: leaderboard of earlier runs in the store."""

from __future__ import annotations

import argparse

from xentexp.experiments._cli.terminal import print_json, print_leaderboard, store_option


def leaderboard(options: argparse.Namespace) -> int:
    """`xentexp leaderboard`."""
    from xentexp.experiments import _tracking as tracking

    uri = tracking.store_uri(options.store)
    client = tracking.open_client(uri, create=False)
    with tracking.store_errors(uri):
        name, board = tracking.read_leaderboard(client, options.experiment, every=options.all)
    if options.sort is not None:
        board = board.sorted_by(options.sort)
    if options.losses is not None:
        names = None if options.losses == "all" else options.losses.split(",")
        board = board.showing(names)
    if options.json:
        records = board.to_records()
        print_json({"experiment": name, "primary": board.primary, "leaderboard": records})
    else:
        which = "all runs (their data and folds may differ)" if options.all else "latest run"
        print_leaderboard(board, title=f"{name}: {which}", store=store_option(uri))
    return 0
