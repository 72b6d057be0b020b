"""Signals and errors of the store during `xentexp run`: what is kept, and what is said."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

import xentexp.experiments._report.pictures as pictures
from tests.support.stores import RESULTS_ONLY, client, runs
from xentexp.errors import StoreError
from xentexp.experiments._cli import job, main
from xentexp.experiments._cli.progress import Progress
from xentexp.experiments._cli.signals import Interrupted
from xentexp.experiments._tracking import connect, models
from xentexp.experiments._tracking import runs as logged_runs
from xentexp.experiments._tracking import store as stores

RUN = ["run", "-q", "dataset=table", "dataset.path=table.csv", "dataset.target=grade", "n_jobs=1"]
RUN += ["losses=[categorical_crossentropy]", "metrics=[]", "explain=null", "cv.n_splits=2"]
ALL = "stored model, page, pictures, descriptions and view of the dashboard"
Output = pytest.CaptureFixture[str]


def stop(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("the signal was deferred")


def stop_when_finished(self: MlflowClient, run_id: str, status: str, *rest: object) -> None:
    set_terminated(self, run_id, status, *rest)
    if self.get_run(run_id).data.tags["xentexp.kind"] == "comparison":
        os.kill(os.getpid(), signal.SIGTERM)


set_terminated = MlflowClient.set_terminated


@pytest.mark.parametrize(
    ("place", "function", "missing"),
    [
        ((MlflowClient, "set_terminated"), stop_when_finished, ALL),
        ((models, "_save"), stop, ALL),
        ((pictures, "run_artifacts"), stop, ALL.removeprefix("stored model, page, ")),
        ((MlflowClient, "set_experiment_tag"), stop, "descriptions and view of the dashboard"),
    ],
)
def test_a_signal_after_the_fits_says_which_outputs_are_missing(
    place: tuple[Any, str],
    function: Callable[..., None],
    missing: str,
    table_csv: Path,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [] if "stored model" in missing else ["models.log=none"]
    words += [] if "pictures" in missing else ["report=none"]
    with monkeypatch.context() as patch:
        patch.setattr(*place, function)
        with pytest.raises(SystemExit) as ended:
            main([*RUN, "models=[prior]", *words])
    assert ended.value.code == 128 + signal.SIGTERM
    (parent,) = runs("comparison")
    assert parent.info.status == "FINISHED"
    run_id = parent.info.run_id[:8]
    sentence = f"the results of run {run_id} are in MLflow, but these outputs are missing or "
    sentence += f"incomplete: {missing}; "
    err = capsys.readouterr().err
    assert f"xentexp: interrupted; {sentence}" in err
    assert err.count("\n") == 1
    assert parent.data.tags["xentexp.missing"] == missing.replace(" and ", ", ")
    assert sentence[1:] in parent.data.tags["mlflow.note.content"]
    assert ("`xentexp report" in err) == ("page" in missing)
    if "page" in missing:
        assert main(["report", run_id, "--out", "page.html"]) == 0
    assert main(["leaderboard", "--run", run_id]) == 0


def test_a_signal_while_a_model_is_stored_leaves_no_model_that_is_ready(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", stop)
    with pytest.raises(SystemExit):
        main([*RUN, "models=[prior]", "report=none"])
    (parent,) = runs("comparison")
    found = client().search_logged_models([parent.info.experiment_id])
    assert [model.status for model in found] == ["FAILED"]
    assert all("xentexp.model" not in run.data.tags for run in (parent, *runs()))
    assert main(["predict", "latest", "table.csv", "--out", "out.csv"]) == 2
    assert "has no stored model" in capsys.readouterr().err


def test_a_second_signal_does_not_hide_what_is_missing(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def responds(_: str) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    monkeypatch.setattr(models, "_save", stop)
    monkeypatch.setattr(connect, "responds", responds)
    with pytest.raises(SystemExit):
        main([*RUN, "models=[prior]", "report=none"])
    assert "incomplete: stored model, descriptions and view" in capsys.readouterr().err
    (parent,) = runs("comparison")
    assert parent.data.tags["xentexp.missing"].startswith("stored model, descriptions")


def test_a_signal_while_a_model_is_stored_ends_the_run_also_if_the_store_fails(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    always = failing("finalize_logged_model", lambda *_: True)
    monkeypatch.setattr(MlflowClient, "finalize_logged_model", always)
    monkeypatch.setattr(models, "_save", stop)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "models=[prior]", "report=none"])
    assert ended.value.code == 128 + signal.SIGTERM
    assert "incomplete: stored model, descriptions and view" in capsys.readouterr().err


def test_a_run_goes_on_at_a_signal_that_is_ignored_as_by_nohup(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(Progress, "result", hang_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main([*RUN, "models=[prior]", *RESULTS_ONLY]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interruption_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(Interrupted(143, "the page is missing")))
    assert (copy.code, copy.sentence) == (143, "the page is missing")


def test_a_run_that_is_not_interrupted_has_no_missing_outputs(table_csv: Path) -> None:
    assert main([*RUN, "models=[prior]", *RESULTS_ONLY]) == 0
    (parent,) = runs("comparison")
    assert "xentexp.missing" not in parent.data.tags


def failing(name: str, when: Callable[..., bool]) -> Callable[..., Any]:
    """Method of MLflow's client that fails from the first call for which `when` is true."""
    original = getattr(MlflowClient, name)
    broken = []

    def method(self: MlflowClient, *arguments: Any, **options: Any) -> Any:
        if broken or when(self, *arguments, **options):
            broken.append(name)
            raise MlflowException("no more space")
        return original(self, *arguments, **options)

    return method


def test_an_error_of_the_store_during_the_fits_does_not_lose_the_results(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def second(self: MlflowClient, run_id: str, *_: object, **__: object) -> bool:
        return self.get_run(run_id).info.run_name == "logistic"

    monkeypatch.setattr(MlflowClient, "log_batch", failing("log_batch", second))
    assert main([*RUN, "--json", "models=[prior,logistic,linear]", *RESULTS_ONLY]) == 1
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    models = {row["model"] for row in document["leaderboard"]}
    assert models == {"prior", "logistic", "linear"}
    assert document["answer"]
    warning, error = shown.err.splitlines()
    assert warning.startswith("warning: the tracking store sqlite:///")
    assert warning.endswith("failed: no more space; the run goes on to show its results")
    run_id = document["run_id"][:8]
    assert error.endswith(
        f"failed: no more space; run {run_id} is incomplete in MLflow, with the results of 1 of 3 "
        f"models; the results of all are shown; run the command again when the store works"
    )
    assert [run.info.status for run in runs("comparison")] == ["FAILED"]
    assert {run.info.run_name: run.info.status for run in runs()} == {
        "prior": "FINISHED",
        "logistic": "FAILED",
    }
    assert main(["leaderboard", "--run", run_id]) == 1
    assert "1 of 3 models has a result" in capsys.readouterr().out


def test_an_error_of_the_store_at_the_end_of_the_fits_does_not_lose_the_results(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def parent(self: MlflowClient, run_id: str, *_: object) -> bool:
        return self.get_run(run_id).data.tags["xentexp.kind"] == "comparison"

    monkeypatch.setattr(MlflowClient, "set_terminated", failing("set_terminated", parent))
    assert main([*RUN, "models=[prior]"]) == 1
    shown = capsys.readouterr()
    assert "prior" in shown.out
    assert "All results are in MLflow" not in shown.out
    assert "with the results of 1 of 1 model; the results of all are shown" in shown.err
    assert "Traceback" not in shown.err


def test_an_error_of_the_store_before_the_fits_ends_the_run(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    always = failing("log_batch", lambda *_, **__: True)
    monkeypatch.setattr(MlflowClient, "log_batch", always)
    assert main([*RUN, "models=[prior]"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("failed: no more space\n")
    assert [run.info.status for run in runs("comparison")] == ["FAILED"]


def test_outputs_that_the_store_cannot_take_are_named_in_one_sentence(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    always = failing("log_model_artifacts", lambda *_: True)
    page = failing("log_text", lambda *arguments: arguments[-1] == "report.html")
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", always)
    monkeypatch.setattr(MlflowClient, "log_text", page)
    assert main([*RUN, "models=[prior]", "models.log=all", "report.pictures=false"]) == 1
    shown = capsys.readouterr()
    (error,) = [line for line in shown.err.splitlines() if line.startswith("xentexp: error: ")]
    names = "stored model and page"
    assert "failed: no more space; the results of run " in error
    assert f"are in MLflow, but these outputs are missing or incomplete: {names}; " in error
    (parent,) = runs("comparison")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["xentexp.missing"] == names.replace(" and ", ", ")


def test_a_store_that_fails_after_the_outputs_hides_neither_results_nor_errors_of_outputs(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def no_hint(*_: object) -> str:
        raise StoreError("the server failed")

    model = failing("log_model_artifacts", lambda *_: True)
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", model)
    monkeypatch.setattr(job, "_hint", no_hint)
    words = [word for word in RUN if word != "-q"]
    assert main([*words, "models=[prior]", "report=none"]) == 1
    shown = capsys.readouterr()
    assert "prior" in shown.out
    assert "incomplete: stored model; " in shown.err
    assert shown.err.endswith("xentexp: error: the server failed\n")


@contextmanager
def server(folder: Path, store: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Address of a tracking server, and a function that kills it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "server.db").write_bytes(store.read_bytes())
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder}/server.db"),
            *("--artifacts-destination", str(folder / "served")),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its workers are other processes
    )

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", kill
    finally:
        kill()


def stored(folder: Path) -> list[Run]:
    """Runs in the file of a server."""
    found = MlflowClient(tracking_uri=f"sqlite:///{folder}/server.db")
    return list(found.search_runs([e.experiment_id for e in found.search_experiments()]))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "fits", "outputs"])
def test_a_server_that_is_killed_does_not_lose_results(
    moment: str,
    table_csv: Path,
    migrated_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    place: tuple[Any, str] = {
        "before": (MlflowClient, "log_inputs"),
        "fits": (logged_runs, "log_trials"),  # after the first model
        "outputs": (models, "_save"),
    }[moment]
    original = getattr(*place)
    with server(table_csv.parent, migrated_store) as (uri, kill):

        def killed(*arguments: Any, **options: Any) -> Any:
            kill()
            return original(*arguments, **options)

        monkeypatch.setattr(*place, killed)
        code = main([*RUN, f"tracking.uri={uri}", "models=[prior,logistic]", "report.pictures=1"])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert "xentexp: error: the tracking store http://127.0.0.1" in shown.err
    if moment == "before":
        assert (code, shown.out) == (2, "")
        return
    assert code == 1
    assert "logistic" in shown.out
    assert "categorical_" in shown.out
    assert "All results are in MLflow" not in shown.out
    found = {run.info.run_name: run.info.status for run in stored(table_csv.parent)}
    if moment == "fits":
        assert "with the results of 1 of 2 models; the results of all are shown" in shown.err
        assert found["prior"] == "FINISHED"
        assert "logistic" not in found
    else:
        assert f"these outputs are missing or incomplete: {ALL}" in shown.err
        assert set(found.values()) == {"FINISHED"}


def test_a_signal_after_the_store_failed_ends_the_run_and_names_the_failure(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    always = failing("set_terminated", lambda *_: True)

    def fail(*_: object, **__: object) -> None:
        monkeypatch.setattr(MlflowClient, "set_terminated", always)
        raise StoreError("no more space")

    def signal_later(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(logged_runs, "log_candidate", fail)
    monkeypatch.setattr(Progress, "result", signal_later)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "models=[prior]", *RESULTS_ONLY])
    assert ended.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err.splitlines()[-1] == "xentexp: interrupted; no more space"


def test_a_signal_while_a_failed_store_is_left_does_not_say_that_it_has_the_results(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreError("no more space")

    monkeypatch.setattr(logged_runs, "log_candidate", fail)
    monkeypatch.setattr(stores, "responds", stop)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "models=[prior]", *RESULTS_ONLY])
    assert ended.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err.splitlines()[-1] == "xentexp: interrupted; no more space"
    (parent,) = runs("comparison")
    assert parent.info.status == "FAILED"
    assert "xentexp.missing" not in parent.data.tags


def test_the_reason_why_all_models_failed_is_told_if_the_store_fails_too(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def parent(self: MlflowClient, run_id: str, *_: object) -> bool:
        return self.get_run(run_id).data.tags["xentexp.kind"] == "comparison"

    monkeypatch.setattr(MlflowClient, "set_terminated", failing("set_terminated", parent))
    words = ["models=[logistic]", "models.logistic.classifier.C=-1"]
    assert main([*RUN, *words, *RESULTS_ONLY]) == 1
    assert "xentexp: error: all models failed; the first error: " in capsys.readouterr().err
