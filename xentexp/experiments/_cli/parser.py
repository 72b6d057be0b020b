"""Options and help texts of all commands."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from xentexp import __version__
from xentexp.experiments._cli.conf import conf_folder

FLAGS = {"--quiet": "quiet", "-q": "quiet", "--json": "json", "--debug": "debug"}
"""Switches of `xentexp run` that Hydra does not have."""

_RUN_HELP = """\
usage: xentexp run [--quiet] [--json] [--debug] [options] [KEY=VALUE ...]

Train classifiers with cross-validation, compute losses and metrics from the out-of-fold
predictions, log everything to MLflow, and print a leaderboard. By default: seven models on the
bundled data set uci_default, all losses that apply, and metrics of the whole data set such as AUC,
calibration and skill.

examples:
  xentexp run
  xentexp run dataset=dacon dataset.path=FOLDER models=[logistic,hist_gradient_boosting]
  xentexp run dataset=table dataset.path=FILE dataset.target=COLUMN cv.n_splits=10 seed=7
  xentexp run -m seed=0,1,2                      one run for each value
  xentexp run --config-dir FOLDER models=[mine]  model file FOLDER/models/mine.yaml

configuration groups (KEY=NAME; models=[NAME,...]):
{choices}

keys of every data set:
  dataset.cost='{{miss: 5, false_alarm: 1, amount: COLUMN}}' or '{{matrix: [[0,1],[5,0]]}}'
                             costs of errors by true class and decision, for the report

keys of dataset=table (docs/own_data.md describes them):
  dataset.path=FILE          text file such as CSV, or Excel, Parquet or Arrow file
  dataset.target=COLUMN      column of the classes
  dataset.drop=[COLUMN,...]  columns that are not features
  dataset.keep=[COLUMN,...]  row numbers to use as features although they order the target
  dataset.group=COLUMN       column of the person or other entity; used by cv=grouped
  dataset.weight=COLUMN      column of sample weights
  dataset.test=FILE          file of test rows: scored if it has labels, else for submission=
  dataset.rare=drop|join     leave out the rows of rare classes, or make one class of them
  dataset.rare_below=ROWS    number of rows below which a class is rare (default: cv.n_splits)
  dataset.ordered=true       the classes are ordered, e.g. grades
  dataset.categorical=[COLUMN,...], dataset.numeric=[COLUMN,...]
                             columns to read as categories, or as numbers
  dataset.separator=CHARACTER, dataset.encoding=NAME, dataset.decimal=MARK,
  dataset.header=true|false|LINE, dataset.sheet=NAME, dataset.dayfirst=true|false
                             how to read the file; null: found in the file
  dataset.max_megabytes=N    largest size of the table after decompression (default: 500)

other keys (`xentexp run --cfg job` shows all keys and their values):
  seed=INT                   seed of models, folds and simulated data
  n_jobs=INT                 number of fits that run in parallel; -1: all cores, or all workers of
                             a cluster
  threads_per_fit=INT        threads of BLAS, OpenMP and torch within each fit (default: 1); another
                             number may change the last digits
  engine=local|threads|dask|ray
                             where the fits run: processes of this computer, threads, or a cluster;
                             the numbers are the same
  engine.address=ADDRESS     with dask: tcp://HOST:PORT of a scheduler; with ray: auto or HOST:PORT
                             (default: one is started on this computer)
  engine.n_workers=INT       with dask, without an address: worker processes to start (default: 2)
  losses=[NAME,...]          losses to compute; null: all that apply
  metrics=[NAME,...]         metrics of the whole data set to compute; null: the usual ones
  primary=NAME               loss or metric that ranks the models
  leaderboard=[NAME,...]     losses and metrics in the printed table; null: all
  cv.groups=auto|[COLUMN,...]
                             with cv=grouped: search for entities (such as persons), or columns that
                             identify one; null: the groups of the data set
  cv.n_repeats=N             with cv=repeated or cv=grouped: repeats with other shuffles
  cv.n_test=ROWS             with cv=holdout: number of test rows
  cv.time_column=COLUMN      with cv=time_ordered: feature that orders the rows
  leakage.check=compare|warn|ignore
                             if random folds share entities between training and test part:
                             warn and also fit all models on grouped folds; only warn; no check
  leakage.key=[COLUMN,...]   columns that identify an entity
  train_on=[LOSS,...]        train each model on each of these losses (loss matrix; for the models
                             linear, network and *_loss)
  curves=[LOSS,...]          losses to record at each training step
  calibration=sigmoid|isotonic|temperature, or a list
                             also run each model, except prior, with calibrated probabilities, as
                             NAME_sigmoid etc.; linear_svm, which has only decision scores, gets
                             probabilities
  explain.importance=false   do not compute the importance of the features; explain.segments=false:
                             nor the bias in groups of rows; explain=null: neither
  explain.n_rows=ROWS        out-of-fold rows for the importance, all folds together
  tune.n_trials=INT          with experiment=tune: trials for each model in each fold
  tune.loss=NAME             with experiment=tune: loss or metric to optimize
  report=none                no page and no pictures; by default report.html and pictures of the 12
                             best models are among the artifacts
  report.pictures=NUMBER     number of models with pictures; false: none
  report.mute=[CODE,...]     checks that the page does not show; `xentexp checks` lists them
  submission=FILE            write the predictions of the best model for the test rows of the
                             data set (dataset=dacon, or dataset.test=FILE)
  overwrite=true             replace the file of submission= if it exists
  tracking.uri=sqlite:///FILE|http://...
                             MLflow store (default: mlflow.db in this folder)
  tracking.experiment=NAME   name of the MLflow experiment

options:
  --quiet, -q   print only the leaderboard, without progress and hints
  --json        print JSON: leaderboard (list of models), answer, rule, warnings, uncertainty
                (levels and differences of each model by loss or metric, with intervals) and more
  --debug       show the traceback of an error
  --multirun, -m         run once for each combination of the values KEY=A,B; in parallel with
                         the package hydra-joblib-launcher and hydra/launcher=joblib
  --config-dir FOLDER    folder with your own configuration files
  --config-name NAME     file of that folder to use instead of run.yaml
  --trust PACKAGE        allow classifiers of another package in _target_; its code is run
  --cfg job              print the configuration and exit; --resolve inserts the values that other
                         keys refer to, --package KEY prints one section

metrics in MLflow (one child run per model; NAME: loss or metric; scores.parquet has all values):
  cv/NAME                mean over the folds; of losses with equal values only one is logged, the
                         tag xentexp.aliases has the other names
  for losses and metrics of leaderboard=:
  cv_low/NAME, cv_high/NAME
                         limits of the 95% interval of the mean
  diff/NAME              mean minus the mean of the best model
  fold/NAME              value of each fold, as steps
  cv_grouped/NAME        mean over grouped folds (leakage.check=compare)
  test/NAME              value on the labelled rows of dataset.test
  regret/NAME            expected loss minus the smallest possible expected loss, if the true
                         probabilities are known (dataset=simulated_delinquency)
  other metrics:
  matrix_excess/NAME     loss matrix: mean minus the best mean of the column
  matrix_p/NAME          loss matrix: adjusted p-value of the test against the best
  tune/NAME              mean loss of the chosen trials in the inner folds (experiment=tune)
  rows/clipped           rows in which the probability of the true class was 0 or so small that
                         the cross-entropy was computed with a lower bound
  rows/infinite_values   number of infinite losses, summed over rows and losses
  time/fit_seconds, time/predict_seconds, time/explain_seconds
                         sums over the folds

exit code: 0 for success; 1 if a model failed (some or all), a published value was not
reproduced, or not all results could be stored; 2 for invalid input
"""


_SCORE_NOTES = """\
output:
  mean           mean loss over the rows (weighted, with --weight)
  std. error     standard error of the mean over the rows, assumed to be independent
  class LABEL    mean over the rows of one true class
  clipped        rows in which the probability of the true class was 0 or so small that the
                 cross-entropy was computed with a lower bound
  infinite       number of rows with an infinite loss (only if there are any; always in --json)
"""


_COMPARE_NOTES = """\
The models must have predictions of the same rows in the same folds; the command says what differs.
Names of losses may be aliases, or losses that a package registered.

columns:
  difference     value of the model minus value of the first model, with the wider of two intervals:
                 over the rows (clustered by group, where groups are stored) and over the folds
  p              two-sided p-value of the difference, not adjusted; * marks models that cannot be
                 told from the first after the adjustment for several comparisons (Holm)
  better, equal, worse
                 probability that the model is better than the first by more than the margin,
                 differs by at most the margin, or is worse

--require: the claim must hold against each of the other models and for each loss. "better" holds if
the whole interval of the difference is on the side of the first model; "not worse by MARGIN" holds
if the whole interval excludes that it is worse by more than MARGIN, a number or a percentage of the
best value. With --confidence 0.95 this is a one-sided test at 0.025.

keys of --json:
  reference, confidence
  models         model, run_id, parent_run_id, experiment
  comparisons    for each loss: loss, answer, margin, margin_rule, and models: model, value, low,
                 high, standard_error, method, target, reason, and difference: difference, low,
                 high, standard_error, p, p_adjusted, method, target, reason, better, equivalent,
                 worse, p_equivalence; numbers that do not exist are null
  notes          warnings
  require        claim, holds, answer; null without --require

exit code: 0; with --require 0 if the claim holds and 1 if not; 2 for invalid input
"""


_RESCORE_NOTES = """\
Nothing is fitted again. For each model the values are logged to its run (cv/NAME, cv_low/NAME,
cv_high/NAME, diff/NAME, fold/NAME), and the tables of its parent run are updated. Equal values are
left as they are; other values are an error without --overwrite.

keys of --json: run_id, losses, models (model, run_id, values, written, unchanged), notes

exit code: 0; 1 if no model has a value of any of the losses; 2 for invalid input
"""


_REPORT_NOTES = """\
Nothing is fitted again: the page is made from what the run stored, and is one file without scripts
or other files. Runs with report=page, the default, have it as the artifact report.html. To compare
models of several runs on the same rows, use `xentexp compare`.

keys of --json: file, run_ids; with --markdown and without --out: markdown, run_ids

exit code: 0; 1 if a run is incomplete or there is nothing to show; 2 for invalid input
"""


_PREDICT_NOTES = """\
FILE must have the columns of the training rows, in any order; other columns, such as an id or the
target, are not used. The types in the stored model are checked against the list of xentexp before
anything is loaded.

output: one row for each row of FILE, in the same order: the columns of --keep, and for each class
the probability proba_CLASS. Models without probabilities: the decision score decision_CLASS (of two
classes, only that of the second). `xentexp score --proba` reads these names.

A warning names columns whose distribution differs much from that of the training rows: population
stability index above 0.25 (a note: above 0.1), unless so much is likely by chance.

keys of --json:
  file, model, run_id, rows, classes, notes
  columns        names of the columns of the output
  drift          for each column, largest first: column, psi, by_chance (larger values are unlikely
                 by chance), level (large, moderate or none), unseen (share of rows with categories
                 that the training rows do not have; null for numbers), bins (bin, training, new:
                 shares)

exit code: 0; 2 for invalid input
"""


_IN_EXPERIMENT = "name of the MLflow experiment (default: all experiments)"


class _Parser(argparse.ArgumentParser):
    """Parser whose errors have no secrets and no control characters, as all other errors."""

    def error(self, message: str) -> NoReturn:
        from xentexp._safe_text import printable

        super().error(printable(message, one_line=True))


def _header(word: str) -> bool | int:
    """Value of --header."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be true, false or the number of a line; got {word!r}"
        ) from None


def _true_or_false(word: str) -> bool:
    """Value of --dayfirst."""
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"must be true or false; got {word!r}")
    return word.lower() == "true"


def run_help() -> str:
    """Help text of `xentexp run`, with the names of the packaged files."""
    lines = []
    for group in ("experiment", "dataset", "models", "cv", "report", "engine"):
        names = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
        indent = " " * 15
        lines.append(
            textwrap.fill(
                " ".join(names), 98, initial_indent=f"  {group + '=':<13}", subsequent_indent=indent
            )
        )
    return _RUN_HELP.format(choices="\n".join(lines))


def _command(commands: Any, name: str, text: str, **options: Any) -> argparse.ArgumentParser:
    """Add a subcommand whose help starts with the text of the list of commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", **options
    )
    return parser


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Options of a command that is not `run`."""
    return build_parser().parse_args(_joined(words))


def _joined(words: Sequence[str]) -> list[str]:
    """Join options with values such as -1,1, which argparse would take as an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in _TAKES_NAMES and re.match(r"-[^-A-Za-z]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


_TAKES_NAMES = ("--labels", "--proba", "--decision", "--weight", "--target")


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = _Parser(
        prog="xentexp",
        description="Compare classifiers on tables by cross-entropy and other losses and metrics.",
        epilog="xentexp COMMAND --help describes a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"xentexp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--store",
        metavar="URI",
        help="MLflow store: sqlite:///FILE or http://... (default: the environment variable "
        "MLFLOW_TRACKING_URI, or mlflow.db in this folder)",
    )

    commands.add_parser(
        "run", help="compare models by cross-validation and log the results to MLflow"
    )

    losses = _command(
        commands, "losses", "list losses and metrics, or describe one", parents=[common]
    )
    losses.add_argument(
        "name", nargs="?", help="loss or metric to describe; names of other libraries are accepted"
    )

    datasets = _command(commands, "datasets", "list data sets, or describe one", parents=[common])
    datasets.add_argument("name", nargs="?", help="data set to describe")
    datasets.add_argument(
        "parameters",
        nargs="*",
        metavar="PARAMETER=VALUE",
        help="parameters of its loader, e.g. path=FILE target=COLUMN; then the rows are described "
        "too: classes, missing values, duplicates, entities",
    )
    datasets.add_argument(
        "--key",
        metavar="COLUMNS",
        help="columns, comma-separated, that identify a person or another entity",
    )

    checks = _command(
        commands, "checks", "list the checks of a finished run, or describe one", parents=[common]
    )
    checks.add_argument("code", nargs="?", metavar="CODE", help="check to describe, e.g. X205")

    board = _command(
        commands,
        "leaderboard",
        "print the leaderboard of an earlier run",
        parents=[common, store],
        epilog="exit code: 0; 1 if the run is incomplete or there is nothing to show; 2 for "
        "invalid input",
    )
    board.add_argument(
        "--experiment",
        metavar="NAME",
        help="name of the MLflow experiment (default: the one of the latest run)",
    )
    board.add_argument("--sort", metavar="NAME", help="loss or metric that ranks the models")
    board.add_argument(
        "--losses",
        metavar="NAMES",
        help="losses and metrics to show, comma-separated, or 'all' (default: those of the run)",
    )
    board.add_argument(
        "--spread", action="store_true", help="show the standard deviations over the folds"
    )
    board.add_argument(
        "--all", action="store_true", help="show the models of all runs of the experiment"
    )
    board.add_argument(
        "--run",
        metavar="ID",
        help="id of a run, or at least its first 4 characters (default: the latest whole run; a "
        "run that is incomplete is shown only if there is no whole one)",
    )

    _add_report(commands, [common, store])
    _add_compare(commands, [common, store])
    _add_rescore(commands, [common, store])
    _add_predict(commands, [common, store])

    score = _command(
        commands,
        "score",
        "compute losses and metrics of predictions in a file",
        parents=[common],
        epilog=_SCORE_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    score.add_argument(
        "file",
        type=Path,
        help="text, Excel, Parquet or Arrow file, or folder of Parquet files; one row per "
        "prediction",
    )
    score.add_argument("--target", required=True, metavar="COLUMN", help="column of the labels")
    score.add_argument(
        "--proba",
        metavar="COLUMNS",
        help="columns of the predicted probabilities, comma-separated: one per class or, for two "
        "classes, only that of the second class",
    )
    score.add_argument(
        "--decision",
        metavar="COLUMNS",
        help="columns of decision scores (decision_function): one per class or, for two classes, "
        "a single one",
    )
    score.add_argument(
        "--labels",
        metavar="CLASSES",
        help="classes, comma-separated, in the order of the columns (default: the names of the "
        "columns or their ends, or 0, 1, ...)",
    )
    score.add_argument("--weight", metavar="COLUMN", help="column of sample weights")
    _add_file_options(score, _LARGEST)
    score.add_argument(
        "--losses",
        metavar="NAMES",
        help="losses and metrics to compute, comma-separated (default: all that apply)",
    )
    score.add_argument(
        "--ordered",
        action="store_true",
        help="the classes are ordered, e.g. grades; compute losses for ordered classes too",
    )
    score.add_argument(
        "--from-logits",
        action="store_true",
        help="the columns of --proba contain raw scores (logits); softmax or sigmoid is applied",
    )
    score.add_argument(
        "--normalize", action="store_true", help="divide the probabilities of each row by their sum"
    )
    score.add_argument("--drop-missing", action="store_true", help="leave out rows without a label")
    score.add_argument(
        "--engine",
        choices=["dask"],
        help="compute the losses of the files of a folder on Dask workers",
    )
    score.add_argument(
        "--address",
        metavar="tcp://HOST:PORT",
        help="address of a Dask scheduler (default: two worker processes are started here)",
    )

    ui = _command(commands, "ui", "open the MLflow dashboard at the latest run", parents=[store])
    ui.add_argument(
        "--experiment",
        metavar="NAME",
        help="name of the MLflow experiment (default: the one of the latest run)",
    )
    ui.add_argument("--host", default="127.0.0.1", help="address to serve on (%(default)s)")
    ui.add_argument("--port", type=int, default=5000, help="port to serve on (%(default)s)")
    ui.add_argument(
        "--no-browser", action="store_true", help="print the address without opening a browser"
    )
    ui.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


_LARGEST = "largest size in megabytes of an Excel file, or of a row group of a Parquet file"


def _add_file_options(parser: argparse.ArgumentParser, largest: str) -> None:
    """Options that say how to read a file."""
    for option, metavar, convert, text in (
        ("--separator", "CHARACTER", str, "separator of the columns of a text file, or tab"),
        ("--encoding", "NAME", str, "encoding of a text file"),
        ("--decimal", "MARK", str, "decimal mark, '.' or ','"),
        ("--header", "LINE", _header, "true, false, or the line of the column names"),
        ("--sheet", "NAME", str, "sheet of an Excel file"),
    ):
        known = f"{text} (default: found in the file)"
        parser.add_argument(option, metavar=metavar, type=convert, help=known)
    parser.add_argument(
        "--max-megabytes",
        metavar="N",
        type=float,
        default=500.0,
        help=f"{largest} (default: %(default)g)",
    )


def _add_predict(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "predict",
        "predict the rows of a file with a stored model",
        parents=parents,
        epilog=_PREDICT_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="latest (the winner of the latest whole run), name of a model in that run, id of an "
        "MLflow run (its first 4 characters or more; of several models: the winner), registered "
        "model NAME@ALIAS or NAME/VERSION, or models:/m-ID",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="text, Excel, Parquet or Arrow file, or folder of Parquet files",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to write, .csv or .parquet"
    )
    parser.add_argument(
        "--keep",
        metavar="COLUMNS",
        help="columns of FILE to copy to the output, comma-separated, e.g. an id",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file of --out if it exists"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="load a model with types that xentexp does not know, or in another format; its code "
        "is run",
    )
    parser.add_argument(
        "--batch-rows",
        type=int,
        default=50_000,
        metavar="N",
        help="rows in memory at once; the predictions do not depend on it (default: %(default)s)",
    )
    _add_file_options(parser, _LARGEST)
    parser.add_argument(
        "--dayfirst",
        metavar="true|false",
        type=_true_or_false,
        help="whether 1/2/2020 is 1 February (default: found in the file)",
    )
    parser.add_argument("--experiment", metavar="NAME", help=_IN_EXPERIMENT)


def _add_report(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "report",
        "write a page of earlier runs: which model, how sure, why, where it fails, what it costs",
        parents=parents,
        epilog=_REPORT_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="id of a run, or at least its first 4 characters, or latest (the default); several "
        "runs become chapters of one page",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file to write (default: report.html)"
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="at most 60 lines of Markdown for each run, without figures; printed without --out",
    )
    parser.add_argument(
        "--mute",
        metavar="CODES",
        help="checks that are not shown, comma-separated, e.g. X103 (default: those of the run)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file of --out if it exists"
    )
    parser.add_argument("--experiment", metavar="NAME", help=_IN_EXPERIMENT)


def _add_compare(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "compare",
        "compare models of earlier runs on the same rows: differences, intervals, tests",
        parents=parents,
        epilog=_COMPARE_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="name of a model in the latest finished run, id of an MLflow run (its first 4 "
        "characters or more), or latest; the id of a run with several models stands for all of "
        "them. The others are compared with the first (if it stands for several: with the best)",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="FILTER",
        help="all models that meet a filter of MLflow, e.g. \"params.classifier.C = '0.1'\"; may "
        "be repeated",
    )
    parser.add_argument(
        "--losses",
        metavar="NAMES",
        help="losses and metrics, comma-separated (default: the primary one of the run)",
    )
    parser.add_argument(
        "--margin",
        metavar="MARGIN",
        help="largest difference that does not matter in practice: a number in the units of the "
        "loss, or a percentage of the best value (default: 1%%)",
    )
    parser.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        metavar="LEVEL",
        help="confidence of intervals and tests (default: %(default)s)",
    )
    parser.add_argument(
        "--require",
        metavar="CLAIM",
        help="'better' or 'not worse by MARGIN': exit code 1 unless this is shown of the first "
        "model against each of the others",
    )
    parser.add_argument("--experiment", metavar="NAME", help=_IN_EXPERIMENT)


def _add_rescore(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "rescore",
        "compute more losses and metrics of an earlier run from its stored predictions",
        parents=parents,
        epilog=_RESCORE_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        help="latest, id of an MLflow run (its first 4 characters or more) or name of a model in "
        "the latest finished run",
    )
    parser.add_argument(
        "--losses",
        required=True,
        metavar="NAMES",
        help="losses and metrics to compute, comma-separated",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace logged values that differ from the new ones, e.g. after a change of a loss",
    )
    parser.add_argument("--experiment", metavar="NAME", help=_IN_EXPERIMENT)
