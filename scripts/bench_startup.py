"""Processor time of whole commands, against importing MLflow and scikit-learn.

Each command is a process of its own. The processes of a row run in turn, and the smallest time of
each counts: other programs can only make it larger.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from xentexp.experiments import load_dataset, run_experiment, tabular_pipeline
from xentexp.experiments._results import ExperimentResult, out_of_fold
from xentexp.experiments._tracking.items import DataInput, Param, result_items
from xentexp.experiments._tracking.runs import log_candidate
from xentexp.experiments._tracking.store import Store

REPEATS = 7
N_RUNS = 200
MOST, MOST_SECONDS = 1.25, 1.0
BARE = ["-c", "import mlflow, sklearn"]
# A user of scikit-learn imports estimators as well.
WITH_ESTIMATORS = [
    "-c",
    "import mlflow\n"
    "from sklearn.compose import ColumnTransformer\n"
    "from sklearn.ensemble import RandomForestClassifier\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "from sklearn.model_selection import cross_validate\n",
]
LEADERBOARD = ["-m", "xentexp", "leaderboard"]
_STARTED = 42  # exit code of a run that has come to its first fit
UNTIL_THE_FITS = [
    "-c",
    "import os, sys\n"
    "from xentexp.experiments import _cli\n"
    "run = _cli._dispatch\n"
    # In `main`, which collects garbage rarely while packages are imported.
    "def run_until_the_fits(words):\n"
    "    import xentexp.experiments._cli.job\n"
    "    from xentexp.experiments import _compare\n"
    f"    _compare.fit_all = lambda *a, **k: os._exit({_STARTED})\n"
    "    return run(words)\n"
    "_cli._dispatch = run_until_the_fits\n"
    "sys.exit(_cli.main(['run', 'models=[prior]', *sys.argv[1:]]))\n",
    "dataset=simulated_delinquency",
    "dataset.n_samples=600",
]


def leaderboard_of_one_run() -> tuple[str, bool]:
    """`xentexp leaderboard` on a store with one run."""
    with folder_with_runs(1) as folder:
        return _against_bare(LEADERBOARD, folder)


def start_of_a_run() -> tuple[str, bool]:
    """`xentexp run models=[prior]` until its first fit, with the data and the store."""
    with folder_with_runs(1) as folder:
        return _against_bare(UNTIL_THE_FITS, folder, code=_STARTED)


def leaderboard_of_many_runs() -> tuple[str, bool]:
    """`xentexp leaderboard` on a store with many runs, against one with one run."""
    with folder_with_runs(1) as one, folder_with_runs(N_RUNS) as many:
        seconds = _smallest(
            {"one": lambda: cpu(LEADERBOARD, one), "many": lambda: cpu(LEADERBOARD, many)}
        )
    more = seconds["many"] - seconds["one"]
    text = f"{more:+.2f} s ({seconds['many']:.2f} s, one run: {seconds['one']:.2f} s)"
    return text, more <= MOST_SECONDS


def _against_bare(command: list[str], folder: Path, code: int = 0) -> tuple[str, bool]:
    seconds = _smallest(
        {
            "bare": lambda: cpu(BARE, folder),
            "with estimators": lambda: cpu(WITH_ESTIMATORS, folder),
            "ours": lambda: cpu(command, folder, code),
        }
    )
    ratio = seconds["ours"] / seconds["bare"]
    text = (
        f"{ratio:.2f} times ({seconds['ours']:.2f} s, bare {seconds['bare']:.2f} s, with "
        f"estimators of scikit-learn {seconds['with estimators']:.2f} s)"
    )
    return text, ratio <= MOST


def _smallest(works: dict[str, Callable[[], float]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(REPEATS + 1):
        for name, work in works.items():
            value = work()
            if repeat:  # the first one compiles and fills the caches of the disk
                seconds[name].append(value)
    return {name: min(values) for name, values in seconds.items()}


def cpu(arguments: list[str], folder: Path, code: int = 0) -> float:
    """Processor seconds of Python with these arguments in a folder, user and system."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    # Compiled modules are kept, as in every installation.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != code:
            output.seek(0)
            raise SystemExit(output.read().decode())
    return usage.ru_utime + usage.ru_stime


@contextmanager
def folder_with_runs(n_runs: int) -> Iterator[Path]:
    """Folder whose default store has runs of seven models."""
    data = load_dataset("simulated_delinquency", n_samples=300)
    models = {
        f"logistic_{number}": tabular_pipeline(LogisticRegression(C=10.0**-number, max_iter=500))
        for number in range(6)
    }
    result = run_experiment(data, {"prior": DummyClassifier(), **models}, cv=3)
    with tempfile.TemporaryDirectory() as folder:
        log_runs(f"sqlite:///{folder}/mlflow.db", result, n_runs)
        yield Path(folder)


def log_runs(
    uri: str, result: ExperimentResult, n_runs: int, shown: Sequence[str] | None = None
) -> list[str]:
    """Log a result as several runs; return the ids of the parent runs."""
    data = DataInput(result.dataset.name, result.dataset.digest, "{}", "{}")
    tags = {"xentexp.primary": result.primary}
    names = [item.candidate.name for item in result.candidate_results]
    of_parent = [Param("models", ",".join(names)), *result_items(result, shown)]
    store = Store(uri, "bench", primary=result.primary, description="")
    ids = []
    for _ in range(n_runs):
        with store.run("run", {**tags, "xentexp.kind": "comparison"}) as run_id:
            for item in result.candidate_results:
                log_candidate(
                    store,
                    item,
                    {},
                    data,
                    out_of_fold(item, result.dataset),
                    "",
                    {**tags, "xentexp.kind": "candidate"},
                    run_id,
                )
            store.log(run_id, of_parent)
        ids.append(run_id)
    return ids
