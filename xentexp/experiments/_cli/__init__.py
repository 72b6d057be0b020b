"""The command line; each subcommand imports the heavy packages that it needs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from xentexp import __version__
from xentexp.experiments._cli.conf import conf_folder

_FLAGS = {"--quiet": "quiet", "-q": "quiet", "--json": "json", "--debug": "debug"}

_RUN_HELP = """\
usage: xentexp run [--quiet] [--json] [--debug] [KEY=VALUE ...] [Hydra options]

Train classifiers with cross-validation, score each out-of-fold prediction with every loss that
applies and with metrics of the whole data set (AUC, calibration, skill), log everything to MLflow,
and print a leaderboard. Without arguments: seven models on the bundled data set uci_default.

examples:
  xentexp run
  xentexp run dataset=dacon dataset.path=FOLDER models=[logistic,hist_gradient_boosting]
  xentexp run dataset=table dataset.path=FILE dataset.target=COLUMN cv.n_splits=10 seed=7
  xentexp run -m seed=0,1,2                      one run for each value
  xentexp run --config-dir FOLDER models=[mine]  with files of your own in FOLDER/models

choices (NAME of a file in the folder of the same name):
{choices}

other keys:
  seed=INT  n_jobs=INT (-1: all cores)  losses=[NAME,...]  metrics=[NAME,...]  primary=NAME
  leaderboard=[NAME,...]  what the table shows (null: all); MLflow and --json have everything
  tracking.uri=sqlite:///FILE|http://...  tracking.experiment=NAME
  submission=FILE    write predictions for the data set's test rows (dacon)
  train_on=[LOSS,...]  each model that takes a loss, trained on each: the loss matrix
  curves=[LOSS,...]    losses to record at each step of training
  leakage.check=compare|warn|ignore  leakage.key=[COLUMN,...]  entities that random folds share;
                       compare fits every model on grouped folds too
  cv.groups=auto|[COLUMN,...] (cv=grouped)  cv.n_test=ROWS (cv=holdout)
  tune.n_trials=INT  tune.loss=NAME (experiment=tune)

options:
  --quiet, -q   no progress and no hints, the leaderboard alone
  --json        the leaderboard as JSON on standard output
  --debug       show the traceback of an error
  --cfg job     show the configuration and stop; --hydra-help lists the rest of Hydra's options

Exit code: 0, 1 where a model failed or a published number is not met, 2 for bad input.
"""


def _run_help() -> str:
    lines = []
    for group in ("experiment", "dataset", "models", "cv"):
        names = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
        lines.append(f"  {group + '=':<12} {' '.join(names)}")
    return _RUN_HELP.format(choices="\n".join(lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xentexp",
        description="Cross-entropy and the losses one compares it with, on tables.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"xentexp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="JSON on standard output")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--store",
        metavar="URI",
        help="MLflow store: sqlite:///FILE or http://... (default: MLFLOW_TRACKING_URI, else "
        "mlflow.db in this folder)",
    )

    commands.add_parser("run", help="train, score, log, and print a leaderboard")

    losses = commands.add_parser("losses", parents=[common], help="the table of losses")
    losses.add_argument("name", nargs="?", help="one loss, in full")

    datasets = commands.add_parser("datasets", parents=[common], help="the data sets")
    datasets.add_argument("name", nargs="?", help="the card of one")
    datasets.add_argument(
        "parameters",
        nargs="*",
        metavar="PARAMETER=VALUE",
        help="of its loader, e.g. path=FILE target=COLUMN: the card then tells of the rows",
    )
    datasets.add_argument(
        "--key", metavar="COLUMNS", help="columns that identify a person, or another entity"
    )

    board = commands.add_parser(
        "leaderboard", parents=[common, store], help="the leaderboard of a run in the store"
    )
    board.add_argument("--experiment", metavar="NAME", help="default: that of the latest run")
    board.add_argument("--sort", metavar="LOSS", help="loss or metric that ranks the models")
    board.add_argument(
        "--losses", metavar="NAMES", help="rows of the table: names, or 'all' (default: a few)"
    )
    board.add_argument("--all", action="store_true", help="the models of all runs")

    score = commands.add_parser(
        "score", parents=[common], help="score predictions that exist (CSV or Parquet)"
    )
    score.add_argument("file", type=Path, help="CSV or Parquet file")
    score.add_argument("--target", required=True, metavar="COLUMN", help="column of the labels")
    score.add_argument(
        "--proba",
        metavar="COLUMNS",
        help="probabilities: one column for each class, comma-separated, or the second of two",
    )
    score.add_argument("--decision", metavar="COLUMNS", help="decision scores, likewise")
    score.add_argument("--labels", metavar="CLASSES", help="classes in the order of the columns")
    score.add_argument("--weight", metavar="COLUMN", help="column of sample weights")
    score.add_argument("--losses", metavar="NAMES", help="which losses (default: all that apply)")
    score.add_argument("--ordered", action="store_true", help="the classes are grades, in order")
    score.add_argument("--from-logits", action="store_true", help="--proba holds raw scores")
    score.add_argument("--normalize", action="store_true", help="divide rows by their sums")

    ui = commands.add_parser(
        "ui", parents=[store], help="open MLflow's dashboard on the right store"
    )
    ui.add_argument("--experiment", metavar="NAME", help="default: that of the latest run")
    ui.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    ui.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    ui.add_argument("--no-browser", action="store_true", help="print the address only")
    ui.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    from xentexp.errors import InputError

    try:
        code = _dispatch(given)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except InputError as error:
        if debug:
            raise
        print(f"xentexp: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("xentexp: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, a file that cannot be read: nothing of ours to trace
        if debug:
            raise
        where = f" ({error.filename})" if error.filename else ""
        with contextlib.suppress(OSError):
            print(f"xentexp: error: {error.strerror or error}{where}", file=sys.stderr)
            if sys.stdout is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def _dispatch(given: list[str]) -> int:
    if given[:1] == ["run"]:
        rest = given[1:]
        if "-h" in rest or "--help" in rest:
            print(_run_help(), end="")
            return 0
        if "--version" in rest:
            print(f"xentexp {__version__}")
            return 0
        from xentexp.experiments._cli.run import run

        flags = {_FLAGS[word] for word in rest if word in _FLAGS}
        overrides = [word for word in rest if word not in _FLAGS]
        return run(overrides, quiet="quiet" in flags, as_json="json" in flags)
    options = _parser().parse_args(given)
    if options.command == "ui":
        from xentexp.experiments._cli.ui import ui

        return ui(options)
    if options.command == "score":
        from xentexp.experiments._cli.score import score

        return score(options)
    if options.command == "leaderboard":
        from xentexp.experiments._cli.board import leaderboard

        return leaderboard(options)
    from xentexp.experiments._cli import catalog

    return catalog.losses(options) if options.command == "losses" else catalog.datasets(options)
