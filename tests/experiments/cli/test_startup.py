"""What commands import, and how much of a large store they read."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from xentexp.experiments._cli.collection import IMPORTS, RARE, collection, end_of_imports
from xentexp.experiments._tracking.connect import open_client, store_uri
from xentexp.experiments._tracking.find_runs import filtered_models, find_models
from xentexp.experiments._tracking.read_back import LATEST, latest_page, read_leaderboard

HEAVY = {
    "numpy", "scipy", "pandas", "pyarrow", "sklearn", "joblib", "mlflow", "sqlalchemy", "hydra",
    "omegaconf", "pydantic", "matplotlib", "jinja2", "rich", "skops",
}  # fmt: skip
COMPUTE = {
    "sklearn", "joblib", "scipy.stats", "scipy.optimize", "scipy.special", "matplotlib", "hydra",
    "omegaconf", "skops", "xentexp.inference._whole_sample", "xentexp.experiments._fitting",
}  # fmt: skip

ESTIMATORS = {
    "calibration", "compose", "decomposition", "ensemble", "feature_selection", "impute",
    "linear_model", "neighbors", "svm", "tree",
}  # fmt: skip


def run_command(*words: str) -> tuple[int, set[str], str]:
    """Exit code, imported modules and output of a command in a process of its own."""
    code = (
        "import sys\n"
        "from xentexp.experiments._cli import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as stopped:\n"
        "    code = stopped.code\n"
        "print('MODULES', code or 0, *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    output, _, modules = done.stdout.rpartition("MODULES ")
    return int(modules.split()[0]), set(modules.split()[1:]), output + done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["leaderboard", "--help"]]
)
def test_help_imports_no_heavy_package(words: list[str]) -> None:
    code, modules, output = run_command(*words)
    assert code == 0
    assert "xentexp" in output
    assert modules & HEAVY == set()


@pytest.mark.long
def test_the_list_of_losses_imports_neither_mlflow_nor_scikit_learn() -> None:
    code, modules, output = run_command("losses")
    assert code == 0
    assert "categorical_crossentropy" in output
    assert modules & {"mlflow", "sklearn", "pydantic", "hydra", "matplotlib"} == set()


@pytest.mark.long
def test_the_score_of_losses_imports_neither_mlflow_nor_scikit_learn(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": [0, 1, 1], "p": [0.2, 0.7, 0.6]})
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    words = ["--target", "y", "--proba", "p", "--losses", "log_loss,brier_loss"]
    for file in (tmp_path / "a.parquet", tmp_path):
        code, modules, output = run_command("score", str(file), *words)
        assert code == 0, output
        assert "0.096667" in output  # (0.2^2 + 0.3^2 + 0.4^2) / 3
        assert modules & {"mlflow", "sklearn", "distributed", "matplotlib", "hydra"} == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("word", "message"),
    [("models=[nope]", "nope"), ("cv=5", "cv.n_splits=5"), ("n_jobs=none", "n_jobs")],
)
def test_a_wrong_argument_is_refused_before_mlflow_is_imported(
    workplace: Path, word: str, message: str
) -> None:
    code, modules, output = run_command("run", word)
    assert code == 2
    assert message in output
    assert "mlflow" not in modules


@pytest.mark.long
def test_a_misspelled_key_is_refused_before_scikit_learn_is_imported(workplace: Path) -> None:
    code, modules, _ = run_command("run", "n_jbs=3")
    assert code == 2
    assert modules & {"sklearn", "pandas", "scipy", "matplotlib"} == set()


@pytest.mark.long
def test_a_run_imports_only_the_estimators_of_its_models_before_the_first_fit(
    workplace: Path,
) -> None:
    code = (
        "import gc, sys\n"
        "from xentexp.experiments import _cli, _compare\n"
        "def first_fit(*arguments, **options):\n"
        "    print('FIRST', gc.get_threshold()[0], gc.get_freeze_count(), *sys.modules)\n"
        "    sys.exit()\n"
        "_compare.fit_all = first_fit\n"
        "_cli.main(sys.argv[1:])\n"
    )
    words = ["dataset=simulated_delinquency", "dataset.n_samples=200", "cv.n_splits=2"]
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "models=[prior]", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    threshold, frozen, *modules = done.stdout.partition("FIRST ")[2].split()
    assert {"sklearn.dummy", "mlflow.store.tracking.sqlalchemy_store"} <= set(modules)
    assert {f"sklearn.{name}" for name in ESTIMATORS} & set(modules) == set()
    assert {"matplotlib", "optuna", "skops"} & set(modules) == set()
    assert int(threshold) == RARE
    assert int(frozen) > 100_000


def test_only_the_objects_before_the_first_fit_are_left_out_of_collections() -> None:
    before = gc.get_threshold()
    with collection(IMPORTS):
        assert gc.get_threshold()[0] == IMPORTS
        assert gc.get_freeze_count() == 0
        end_of_imports()
        frozen = gc.get_freeze_count()
        assert frozen > 0
        of_fits = [[number] for number in range(1000)]
        end_of_imports()  # of the next job
        assert gc.get_freeze_count() <= frozen
        assert any(item is of_fits for item in gc.get_objects())
        assert gc.get_threshold()[0] == RARE
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_objects_that_the_caller_left_out_of_collections_stay_so() -> None:
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with collection(IMPORTS):
            made = [[number] for number in range(1000)]
            end_of_imports()
            assert any(item is made for item in gc.get_objects())
        with collection(RARE):
            pass
        assert gc.get_freeze_count() > before - 1000
    finally:
        gc.unfreeze()


def test_commands_without_fits_never_leave_objects_out_of_collections() -> None:
    with collection(RARE):
        end_of_imports()
        assert gc.get_freeze_count() == 0


@pytest.mark.slow
def test_the_leaderboard_imports_nothing_that_computes(workplace: Path) -> None:
    assert store_uri() == f"sqlite:///{workplace}/mlflow.db"
    made = run_command(
        "run", "dataset=simulated_delinquency", "dataset.n_samples=200", "cv.n_splits=2",
        "models=[prior,logistic]", "report=none", "--quiet",
    )  # fmt: skip
    assert made[0] == 0, made[2]
    code, modules, output = run_command("leaderboard")
    assert code == 0
    assert "minus the best" in output  # with the intervals of the run
    assert "Downloading" not in output  # progress bars of MLflow
    assert {"mlflow", "rich"} <= modules
    assert modules & COMPUTE == set()


def test_mlflow_is_silent_whichever_module_imports_it_first() -> None:
    code = (
        "import os, sys\n"
        "import xentexp.experiments._tracking\n"
        "assert 'mlflow' not in sys.modules\n"
        "print(os.environ['MLFLOW_DISABLE_TELEMETRY'])\n"
        "print(os.environ['MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR'])\n"
    )
    environment = {key: text for key, text in os.environ.items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["true", "false"]


# -- stores with many runs ---------------------------------------------------------------------

MODELS = ("prior", "logistic")


class Counted:
    """Client that counts its calls and the runs that it reads."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.calls: list[str] = []
        self.n_runs = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.calls.append(name)
            result = method(*arguments, **options)
            if name == "search_runs":
                self.n_runs += len(result)
            return result

        return counted


@pytest.fixture
def store(workplace: Path) -> Counted:
    return Counted(open_client(store_uri(), create=True))


def add_runs(store: Counted, number: int, *, whole: bool = True) -> list[str]:
    """Log runs of two models, the last one latest; return their ids."""
    client = store.client
    found = client.get_experiment_by_name("many")
    experiment = found.experiment_id if found else client.create_experiment("many")
    before = len(client.search_runs([experiment], max_results=1000))
    ids = []
    for place in range(number):
        start = 1_700_000_000_000 + 1000 * (before + place)
        tags = {"xentexp.kind": "comparison", "xentexp.primary": "brier_loss"}
        parent = client.create_run(experiment, start_time=start, tags=tags, run_name="run")
        run_id = parent.info.run_id
        client.log_param(run_id, "models", ",".join(MODELS))
        for value, model in zip((0.25, 0.2), MODELS[: None if whole else 1], strict=False):
            child = client.create_run(
                experiment,
                start_time=start,
                run_name=model,
                tags={**tags, "xentexp.kind": "candidate", "mlflow.parentRunId": run_id},
            )
            client.log_batch(
                child.info.run_id,
                metrics=[Metric("cv/brier_loss", value, start, 0)],
                params=[Param("seed", str(before + place))],
                tags=[RunTag("dataset", "simulated")],
            )
            client.set_terminated(child.info.run_id)
        client.set_terminated(run_id)
        ids.append(run_id)
    return ids


def test_the_latest_whole_run_is_found_among_few_runs(store: Counted) -> None:
    ids = add_runs(store, 3 * LATEST)
    stored = read_leaderboard(store, None)
    assert stored.shown.run_id == ids[-1]
    assert [row.model for row in stored.board.ranked()] == ["logistic", "prior"]
    assert store.n_runs == LATEST + len(MODELS)
    assert store.calls.count("search_runs") == 2


def test_incomplete_runs_are_read_until_a_whole_one_comes(store: Counted) -> None:
    add_runs(store, LATEST)
    whole = add_runs(store, 1)
    incomplete = add_runs(store, 2 * LATEST, whole=False)
    stored = read_leaderboard(store, None)
    assert stored.shown.run_id == whole[-1]
    assert [status.run_id for status in stored.incomplete] == incomplete[::-1]


def test_the_page_and_the_models_of_the_latest_run_need_few_runs(store: Counted) -> None:
    ids = add_runs(store, 2 * LATEST)
    assert latest_page(store, None).shown.run_id == ids[-1]
    models = find_models(store, "latest")
    assert {model.parent for model in models} == {ids[-1]}
    assert {model.experiment for model in models} == {"many"}
    assert store.n_runs == 2 * (LATEST + len(MODELS))


def test_the_number_of_queries_for_all_runs_does_not_depend_on_their_number(
    store: Counted,
) -> None:
    calls = []
    for number in (LATEST + 1, LATEST):
        add_runs(store, number)
        store.calls.clear()
        board = read_leaderboard(store, None, every=True).board
        models = filtered_models(store, "params.seed != 'none'")
        calls.append(list(store.calls))
    assert calls[0] == calls[1]
    assert len(board.rows) == len(models) == len(MODELS) * (2 * LATEST + 1)
    ends = {(row.model.split()[0], row.model.split()[-1]) for row in board.rows}
    assert ends == {(model.name, model.run_id[:4]) for model in models}
