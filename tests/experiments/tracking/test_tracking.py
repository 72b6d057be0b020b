"""MLflow: what a run writes, how runs end, and stores that cannot be used."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, UNAUTHENTICATED
from requests import HTTPError, Response
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sqlalchemy.exc import IntegrityError

from tests.support.stores import view
from xentexp._safe_text import without_secrets
from xentexp.errors import InputError
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._folds import CrossValidation
from xentexp.experiments._leaderboard import SHOWN
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate, ExperimentResult, out_of_fold
from xentexp.experiments._tracking.connect import (
    browser_address,
    open_client,
    store_errors,
    store_uri,
)
from xentexp.experiments._tracking.items import (
    DataInput,
    LoggedMetric,
    Param,
    Tag,
    Text,
    result_items,
)
from xentexp.experiments._tracking.read_back import latest_page, read_leaderboard
from xentexp.experiments._tracking.runs import log_candidate
from xentexp.experiments._tracking.store import Store
from xentexp.experiments.datasets import load_dataset
from xentexp.tuning._storage import storage_path


@pytest.fixture
def store(workplace: Path) -> Store:
    return Store(None, "trial", primary="brier_loss", description="A trial.")


@pytest.fixture(scope="module")
def result() -> ExperimentResult:
    data = load_dataset("simulated_delinquency", n_samples=300)
    candidates = [
        Candidate("prior", tabular_pipeline(DummyClassifier(), "none"), {"classifier": "Dummy"}),
        Candidate("broken", tabular_pipeline(LogisticRegression(C=-1.0))),
    ]
    return run_experiment(data, candidates, CrossValidation(n_splits=3).folds(data))


DATA = DataInput("simulated", "0123456789abcdef", "{}", "{}")
TAGS = {
    "xentexp.kind": "candidate",
    "xentexp.primary": "categorical_crossentropy",
    "xentexp.leaderboard": "categorical_crossentropy,gini,hinge_loss",
}


@pytest.fixture
def logged(store: Store, result: ExperimentResult) -> Store:
    parent_tags = {**TAGS, "xentexp.kind": "comparison"}
    with store.run("comparison", parent_tags) as run_id:
        for candidate_result in result.candidate_results:
            predicted = out_of_fold(candidate_result, result.dataset)
            log_candidate(
                store, candidate_result, {"seed": 0}, DATA, predicted, "seed: 0", TAGS, run_id
            )
        store.log(run_id, result_items(result, ["categorical_crossentropy", "gini"]))
    return store


def runs(store: Store) -> dict[str, object]:
    found = store.client.search_runs([store.experiment_id])
    return {run.info.run_name: run for run in found}


def test_tags_of_a_new_experiment(store: Store) -> None:
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.name == "trial"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.experiment.primaryMetric.name"] == "cv/brier_loss"
    assert experiment.tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "False"
    assert experiment.artifact_location == (Path.cwd() / "mlartifacts").as_uri()


def test_a_second_store_finds_the_experiment(store: Store) -> None:
    again = Store(None, "trial", primary="entropy", description="")
    assert again.experiment_id == store.experiment_id


def test_a_child_run_has_all_metrics(logged: Store, result: ExperimentResult) -> None:
    run = runs(logged)["prior"]
    candidate_result = result.candidate_results[0]
    assert run.info.status == "FINISHED"
    same = {"rel": 1e-15, "nan_ok": True}
    assert {"brier_loss", "roc_auc", "d2_brier_loss"} < set(candidate_result.mean())
    aliases = json.loads(run.data.tags["xentexp.aliases"])
    assert aliases["sparse_categorical_crossentropy"] == "categorical_crossentropy"
    for name, value in candidate_result.mean().items():
        if name in aliases:
            assert f"cv/{name}" not in run.data.metrics
            assert candidate_result.mean()[aliases[name]] == pytest.approx(value, rel=1e-9)
            continue
        assert run.data.metrics[f"cv/{name}"] == pytest.approx(value, **same)
        if name not in SHOWN:
            assert f"fold/{name}" not in run.data.metrics
            continue
        history = logged.client.get_metric_history(run.info.run_id, f"fold/{name}")
        assert [point.step for point in history] == [0, 1, 2]
        folds = [point.value for point in history]
        assert folds == pytest.approx(candidate_result.fold_values()[name], **same)
    path = logged.client.download_artifacts(run.info.run_id, "scores.parquet")
    scores = pd.read_parquet(path).set_index(["section", "name"])["value"]
    for section, expected in (
        ("cv", candidate_result.mean()),
        ("cv_std", candidate_result.std()),
        ("cv_se", candidate_result.standard_error()),
        ("regret", candidate_result.regret()),
    ):
        assert scores.loc[section].to_dict() == pytest.approx(expected, **same)
    for name, values in candidate_result.fold_values().items():
        assert scores.loc[("fold", name)].tolist() == pytest.approx(values, **same)
    assert len(run.data.metrics) <= 110
    regret = candidate_result.regret()["categorical_crossentropy"]
    assert run.data.metrics["regret/categorical_crossentropy"] == pytest.approx(regret)
    assert run.data.params == {"model": "prior", "seed": "0", "classifier": "Dummy"}
    assert run.data.tags["model"] == "prior"
    assert run.data.metrics["rows/clipped"] == 0
    assert run.data.metrics["time/fit_seconds"] > 0
    config = logged.client.download_artifacts(run.info.run_id, "config/config.yaml")
    assert Path(config).read_text() == "seed: 0"
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.digest == "0123456789abcdef"
    assert used.tags[0].value == "training"


def test_out_of_fold_predictions_are_logged(logged: Store, result: ExperimentResult) -> None:
    run = runs(logged)["prior"]
    path = logged.client.download_artifacts(run.info.run_id, "predictions/oof.parquet")
    expected = out_of_fold(result.candidate_results[0], result.dataset)
    assert expected is not None
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected.to_frame())


def test_a_failed_candidate_is_a_failed_run_with_its_reason(logged: Store) -> None:
    run = runs(logged)["broken"]
    assert run.info.status == "FAILED"
    assert "InvalidParameterError" in run.data.tags["error"]
    path = logged.client.download_artifacts(run.info.run_id, "error.txt")
    assert "Traceback" in Path(path).read_text()
    assert runs(logged)["comparison"].info.status == "FINISHED"


def test_the_parent_run_has_the_leaderboard(logged: Store) -> None:
    parent = runs(logged)["comparison"]
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("prior has categorical_crossentropy 0.8337 (95% interval ")
    assert "| model | categorical crossentropy (low) | gini (high) |" in note
    assert "brier_loss" not in note  # the table of all metrics is an artifact
    assert "metrics cv/NAME of each child run" in note
    assert "Failed: **broken**" in note
    assert parent.data.tags["best_model"] == "prior"
    path = logged.client.download_artifacts(parent.info.run_id, "1_leaderboard.json")
    table = json.loads(Path(path).read_text())
    assert set(table["columns"]) == {"model", "loss", "mean", "std"}
    assert {"brier_loss", "gini", "calibration_slope"} < {row[1] for row in table["data"]}


def test_a_logged_leaderboard_is_read_unchanged(logged: Store, result: ExperimentResult) -> None:
    stored = read_leaderboard(logged.client, None, uri=logged.uri)
    name, board = stored.experiment, stored.board
    assert name == "trial"
    assert board.primary == "categorical_crossentropy"
    here, there = result.leaderboard().ranked(), board.ranked()
    assert [row.model for row in there] == [row.model for row in here] == ["prior", "broken"]
    assert there[0].mean == pytest.approx(here[0].mean, rel=1e-15, nan_ok=True)
    assert there[0].std == pytest.approx(here[0].std, rel=1e-15, nan_ok=True)
    assert there[1].reason == here[1].reason
    assert board.chosen == ("categorical_crossentropy", "gini", "hinge_loss")
    assert board.shown() == ["categorical_crossentropy", "gini"]  # hinge_loss is for two classes


def test_a_run_without_a_leaderboard_tag_shows_all(store: Store, result: ExperimentResult) -> None:
    tags = {"xentexp.primary": "brier_loss"}
    with store.run("comparison", {**tags, "xentexp.kind": "comparison"}) as run_id:
        tags["xentexp.kind"] = "candidate"
        log_candidate(store, result.candidate_results[0], {}, DATA, None, "", tags, run_id)
    board = read_leaderboard(store.client, None, uri=store.uri).board
    assert board.chosen is None
    assert {"brier_loss", "entropy", "gini"} < set(board.shown())


def test_charts_are_sorted_by_the_direction_of_the_metric(workplace: Path) -> None:
    store = Store(None, "trial", primary="gini", description="")
    tags = store.client.get_experiment(store.experiment_id).tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "cv/gini"
    assert tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "True"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
        (RuntimeError("x"), "FAILED"),
        (InputError("x"), "FAILED"),
    ],
)
def test_no_run_is_left_running(error: BaseException, status: str, store: Store) -> None:
    with pytest.raises(type(error)), store.run("interrupted", {}):
        raise error
    assert runs(store)["interrupted"].info.status == status


def test_infinite_values_do_not_reach_the_charts(store: Store) -> None:
    with store.run("inf", {}) as run_id:
        store.log(run_id, [LoggedMetric("cv/a", math.inf), LoggedMetric("cv/b", 1.0)])
    metrics = runs(store)["inf"].data.metrics
    assert math.isnan(metrics["cv/a"])
    assert metrics["cv/b"] == 1.0


def test_more_items_than_a_batch_takes(store: Store) -> None:
    items = [
        *(LoggedMetric("fold/a", float(step), step) for step in range(2500)),
        *(Param(f"p{i}", i) for i in range(230)),
        *(Tag(f"t{i}", i) for i in range(120)),
        Param("long", "x" * 7000),
        Text("a.txt", "one\n"),
        Text("a.txt", "two\n"),
    ]
    with store.run("many", {}) as run_id:
        store.log(run_id, items)
    run = runs(store)["many"]
    assert len(run.data.params) == 231
    assert run.data.params["long"].endswith("... (cut)")
    assert len(store.client.get_metric_history(run_id, "fold/a")) == 2500
    path = store.client.download_artifacts(run_id, "a.txt")
    assert Path(path).read_text() == "one\ntwo\n"


# -- which store ------------------------------------------------------------------------------


def test_the_store_is_the_argument_or_the_environment_or_this_folder(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_uri() == f"sqlite:///{workplace}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/other.db")
    assert store_uri() == f"sqlite:///{workplace}/other.db"
    assert store_uri("third.db") == f"sqlite:///{workplace}/third.db"
    assert store_uri("http://localhost:5000") == "http://localhost:5000"


def test_a_moved_store_keeps_its_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_store: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    shutil.copy(migrated_store, old / "mlflow.db")
    store = Store(f"{old}/mlflow.db", "trial", primary="entropy", description="")
    with store.run("before", {}) as first:
        store.log(first, [Text("a.txt", "before")])
    elsewhere = store.client.create_experiment("elsewhere", (tmp_path / "other").as_uri())
    old.rename(new)
    store = Store(f"{new}/mlflow.db", "trial", primary="entropy", description="")
    with store.run("after", {}) as second:
        store.log(second, [Text("a.txt", "after")])
    assert not old.exists()
    for run_id, content in ((first, "before"), (second, "after")):
        assert Path(store.client.download_artifacts(run_id, "a.txt")).read_text() == content
        assert (new / "mlartifacts" / run_id / "artifacts" / "a.txt").read_text() == content
    location = store.client.get_experiment(elsewhere).artifact_location
    assert location == (tmp_path / "other").as_uri()  # chosen by the user


def test_a_link_to_the_folder_of_a_store_changes_nothing(
    tmp_path: Path, migrated_store: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    shutil.copy(migrated_store, tmp_path / "real" / "mlflow.db")
    for folder in ("real", "link"):
        path = tmp_path / folder / "mlflow.db"
        store = Store(str(path), "trial", primary="entropy", description="")
    location = store.client.get_experiment(store.experiment_id).artifact_location
    assert location == (tmp_path / "real" / "mlartifacts").as_uri()


def test_mlflow_variables_name_the_experiment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(**options: bool) -> str:
        made = Store(None, "default", primary="entropy", description="", **options)
        return str(store.client.get_experiment(made.experiment_id).name)

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    assert opened(from_environment=True) == "named"
    assert opened() == "default"  # set with tracking.experiment
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", store.experiment_id)
    with pytest.raises(InputError, match="must name the same experiment; got 'named'"):
        opened(from_environment=True)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    assert opened(from_environment=True) == "trial"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "999")
    with pytest.raises(InputError, match=r"MLFLOW_EXPERIMENT_ID must be the ID .* got '999'"):
        opened(from_environment=True)


def test_experiments_and_runs_of_all_pages_are_found(logged: Store) -> None:
    """The store has more than a page of experiments, and of runs without a finished model."""
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection, connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('experiments')")
        copied = ", ".join(c for (c,) in columns if c not in ("experiment_id", "name"))
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) "
            f"INSERT INTO experiments (name, {copied}) "
            f"SELECT 'other ' || i, {copied} FROM n, experiments WHERE name = 'trial'"
        )
    stored = read_leaderboard(logged.client, "trial", uri=logged.uri)
    name, board = stored.experiment, stored.board
    assert name == "trial"
    assert len(board.rows) == 2
    assert read_leaderboard(logged.client, None).experiment == "trial"


def test_autologging_of_the_caller_starts_no_runs(store: Store, result: ExperimentResult) -> None:
    import mlflow

    data = load_dataset("simulated_delinquency", n_samples=300)
    mlflow.set_tracking_uri(store.uri)
    try:
        mlflow.sklearn.autolog(silent=True)
        run_experiment(
            data, {"logistic": LogisticRegression()}, 2, losses=["brier_loss"], primary="brier_loss"
        )
    finally:
        mlflow.sklearn.autolog(disable=True, silent=True)
        mlflow.set_tracking_uri(None)
    everywhere = [e.experiment_id for e in store.client.search_experiments()]
    assert list(store.client.search_runs(everywhere)) == []


def test_an_interrupted_creation_leaves_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "search_experiments", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_client(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    assert list(tmp_path.iterdir()) == []
    open_client(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_the_page_shows_the_candidates_best_first(logged: Store) -> None:
    page = latest_page(logged.client, "trial").page
    parent = runs(logged)["comparison"]
    assert page.startswith(f"/#/experiments/{logged.experiment_id}/runs?")
    state = view(page)
    assert f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'" in state["searchFilter"]
    assert state["orderByKey"] == "metrics.`cv/categorical_crossentropy`"
    assert state["orderByAsc"] is True


def test_a_run_without_a_finished_model_does_not_hide_the_one_before(
    logged: Store, result: ExperimentResult
) -> None:
    with pytest.raises(KeyboardInterrupt), logged.run("late", {"xentexp.kind": "comparison"}):
        raise KeyboardInterrupt
    board = read_leaderboard(logged.client, None, uri=logged.uri).board
    assert len(board.rows) == 2


@pytest.mark.parametrize(
    "uri",
    [
        *("file:///tmp/mlruns", "ftp://host/x", "file:mlruns", "file:.", "./mlruns", "mlruns"),
        *("databricks", "databricks://profile", "databricks-uc", "uc:x.db"),
        *("C:\\data\\mlflow.db", "c:/data/mlflow.db", "sqlite://mlflow.db", "sqlite:mlflow.db"),
        *("sqlite:///:memory:", "sqlite:///a.db?mode=ro", "s3://bucket/x.db", "mlflow.txt"),
    ],
)
def test_schemes_that_are_not_supported(uri: str) -> None:
    with pytest.raises(InputError, match="the tracking store must be"):
        store_uri(uri)


def test_a_folder_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a file or an address; got the folder"):
        store_uri(str(tmp_path))


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs devices")
def test_a_device_is_not_replaced_by_a_store() -> None:
    for uri in ("sqlite:////dev/null", "/dev/null"):
        with pytest.raises(InputError, match="got the device /dev/null"):
            store_uri(uri)
    with pytest.raises(InputError, match="storage must be an SQLite file; got the device"):
        storage_path("/dev/null")


def test_a_store_is_made_with_its_folder(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new/folder/mlflow.db"
    store = Store(uri, "trial", primary="entropy", description="")
    with store.run("one", {}) as run_id:
        store.log(run_id, [Text("a.txt", "x")])
    assert (tmp_path / "new" / "folder" / "mlartifacts").is_dir()


def unusable(tmp_path: Path) -> Iterator[tuple[str, str]]:
    text = tmp_path / "text.db"
    text.write_text("this is no database, " * 100)
    yield f"sqlite:///{text}", "file is not a database"
    yield f"sqlite:///{text}/below.db", "cannot be created: (Not a directory|File exists)"
    yield "sqlite:////proc/nowhere/mlflow.db", "cannot be created"
    foreign = tmp_path / "foreign.db"
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE runs (mine)")
        connection.commit()
    yield f"sqlite:///{foreign}", "failed: "
    yield "http://127.0.0.1:99999", "does not respond"
    yield "postgresql://host/db", "failed: No module named"
    yield "http://127.0.0.1:9", "does not respond"
    yield "http://no.such.host.invalid:80", "does not respond"


@pytest.mark.parametrize("case", range(8))
def test_stores_that_cannot_be_used(case: int, tmp_path: Path) -> None:
    uri, message = list(unusable(tmp_path))[case]
    with pytest.raises(InputError, match=message):
        Store(uri, "trial", primary="entropy", description="")


def test_a_store_that_is_locked_for_good(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.1}))
    holder = connect("mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="cannot be used: database is locked"):
        open_client(store_uri(), create=True)
    holder.close()


def test_reading_does_not_create_a_store(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    with pytest.raises(InputError, match=r"absent\.db does not exist"):
        open_client(f"sqlite:///{path}", create=False)
    assert not path.exists()


def test_a_deleted_experiment_is_named(store: Store) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(InputError, match="'trial' is deleted; restore it"):
        Store(None, "trial", primary="entropy", description="")


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), MlflowException("database or disk is full")],
)
def test_a_full_disk_ends_the_run_as_failed(
    error: Exception, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MlflowClient, "log_batch", full)
    with (
        pytest.raises(InputError, match=r"failed: .*(No space left|disk is full)"),
        store.run("full", {}) as run_id,
    ):
        store.log(run_id, [LoggedMetric("a", 1.0)])
    assert runs(store)["full"].info.status == "FAILED"


def test_unknown_experiments_name_the_nearest(logged: Store) -> None:
    with pytest.raises(InputError, match="unknown MLflow experiment 'trail'; did you mean 'trial'"):
        read_leaderboard(logged.client, "trail")


def test_a_store_without_runs_is_an_input_error(store: Store) -> None:
    with pytest.raises(InputError, match="start one with `xentexp run`"):
        read_leaderboard(store.client, None)


def _open(uri: str) -> str:
    return Store(uri, "race", primary="entropy", description="").experiment_id


@pytest.mark.long
def test_runs_that_log_the_same_data_set_at_once_all_have_it(store: Store) -> None:
    n_runs = 4
    barrier = threading.Barrier(n_runs)

    def log_one(item: DataInput) -> str:
        own = Store(store.uri, "trial", primary="brier_loss", description="A trial.")
        with own.run("run", {}) as run_id:
            barrier.wait()
            own.log(run_id, [item])
        return run_id

    with ThreadPoolExecutor(n_runs) as pool:
        for number in range(5):
            item = replace(DATA, digest=f"digest {number}")
            for run_id in pool.map(log_one, [item] * n_runs):
                (logged,) = store.client.get_run(run_id).inputs.dataset_inputs
                assert logged.dataset.digest == item.digest


def test_a_data_set_that_another_run_logs_to_a_server_at_once_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = MlflowClient.log_inputs, []

    def log_inputs(self: MlflowClient, run_id: str, *rest: object) -> None:
        calls.append(run_id)
        if len(calls) == 1:
            error = IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE"))
            raise RestException({"error_code": "BAD_REQUEST", "message": str(error)})
        original(self, run_id, *rest)

    monkeypatch.setattr(MlflowClient, "log_inputs", log_inputs)
    with store.run("run", {}) as run_id:
        store.log(run_id, [DATA])
    assert len(calls) == 2
    assert len(store.client.get_run(run_id).inputs.dataset_inputs) == 1


@pytest.mark.slow
def test_processes_that_make_a_store_at_once_get_one_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/race.db"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(_open, [uri] * 3))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"race.db", "mlartifacts"}


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://ann:s3cret@db:5432/runs", "postgresql://ann:***@db:5432/runs"),
        ("https://ann:s3cret@mlflow.example", "https://ann:***@mlflow.example"),
        ("https://mlflow.example:5000/a@b", "https://mlflow.example:5000/a@b"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
        ("the file /work/http:/ann:s3cret@h/x.csv", "the file /work/http:/ann:***@h/x.csv"),
        ("sqlite:///x.db?key=s3cret&a=1", "sqlite:///x.db?key=***&a=1"),
        ("mssql:///?odbc_connect=UID=a;PWD=s3cret", "mssql:///?odbc_connect=UID=a;PWD=***"),
        ("mssql:///?odbc_connect=PWD%3Ds3cret%3BUID%3Da", "mssql:///?odbc_connect=PWD%3D***"),
        ("xentexp run leakage.key=[ID] C:/a:b@c", "xentexp run leakage.key=[ID] C:/a:b@c"),
    ],
)
def test_an_address_is_shown_without_its_password(uri, shown):
    assert without_secrets(uri) == shown


@pytest.mark.parametrize("part", ["a", "?token", "a://b:", "https://", "?token=x "])
def test_secrets_are_searched_in_linear_time(part: str) -> None:
    # With quadratic time these take minutes, and the test reaches the limit of the suite.
    shown = without_secrets(part * (400_000 // len(part) // (5 if ":" in part else 1)))
    assert shown.startswith(part[:4])


def test_a_store_that_fails_is_named_without_its_password():
    uri = "postgresql://ann:s3cret@localhost:1/runs"
    with pytest.raises(InputError) as error, store_errors(uri):
        raise OSError(f"no answer from {uri}")
    assert "ann:***@localhost" in str(error.value)


def _http_error(status: int) -> HTTPError:
    """Error of requests, which MLflow raises for artifacts."""
    response = Response()
    response.status_code = status
    return HTTPError(f"{status} Client Error", response=response)


SERVER, WITH_USER = "http://127.0.0.1:5", "http://ann:s3cret@127.0.0.1:5"


@pytest.mark.parametrize(
    ("error", "uri", "given", "message"),
    [
        (
            MlflowException("You are not authenticated", UNAUTHENTICATED),
            SERVER,
            {},
            f"the tracking server {SERVER} requires a user and a password; got none; set "
            f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        (
            _http_error(401),
            SERVER,
            {"USERNAME": "ann", "PASSWORD": "s3cret-2"},
            "got user 'ann' with a password that the server does not accept; set MLFLOW_TRACKING_",
        ),
        (_http_error(401), SERVER, {"USERNAME": "ann"}, "got user 'ann' without a password; set"),
        (
            _http_error(401),
            WITH_USER,
            {"USERNAME": "bob", "PASSWORD": "s3cret-2"},  # the address is used
            "http://ann:***@127.0.0.1:5 requires a user and a password; got user 'ann' with a pass",
        ),
        (
            MlflowException("Permission denied", PERMISSION_DENIED),
            WITH_USER,
            {},
            "http://ann:***@127.0.0.1:5 does not permit this to user 'ann'; ask its administrator",
        ),
        (_http_error(403), SERVER, {}, f"{SERVER} does not permit this to you; ask its admin"),
        (
            MlflowException("Invalid Host header - possible attack", PERMISSION_DENIED),
            SERVER,
            {},
            f"the tracking store {SERVER} failed: Invalid Host header",
        ),
        (_http_error(500), SERVER, {}, f"the tracking store {SERVER} failed: 500 Client Error"),
        (
            MlflowException("Permission denied", PERMISSION_DENIED),
            "sqlite:////x.db",
            {},
            "the tracking store sqlite:////x.db failed: Permission denied",
        ),
    ],
)
def test_the_error_of_a_refused_user_names_what_to_set(
    error: Exception,
    uri: str,
    given: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with pytest.raises(InputError) as raised, store_errors(uri):
        raise error
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://ann:p%40ss@h.org:8443/mlflow/", "https://h.org:8443/mlflow"),
        ("http://token@[::1]:5000", "http://[::1]:5000"),
        ("http://127.0.0.1:5", "http://127.0.0.1:5"),
    ],
)
def test_an_address_for_the_browser_has_no_user(uri: str, address: str) -> None:
    assert browser_address(uri) == address
