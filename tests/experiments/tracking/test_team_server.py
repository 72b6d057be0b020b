"""A team's MLflow server, started by scripts/team-server: PostgreSQL, served artifacts, users."""

from __future__ import annotations

import json
import math
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.support.browser import CARDS, CHROMIUM, opened_dashboard
from tests.support.many_runs import SEEDS
from xentexp.experiments._cli import main

pytestmark = [pytest.mark.debian("postgresql", "pg_ctlcluster"), pytest.mark.slow]

ROOT = Path(__file__).parents[3]
SCRIPT = [sys.executable, str(ROOT / "scripts" / "team_server.py")]
MANY_RUNS = str(ROOT / "tests" / "support" / "many_runs.py")
ADMIN_PASSWORD, MEMBER_PASSWORD = "adm1n-Zq9-secret", "memb3r-Zq9-secret"
PROCESSES, RUNS = 8, 10
MODELS = ("prior", "logistic")
WORDS = ["dataset=table", "dataset.path=made.csv", "dataset.target=y", "models=[prior,logistic]"]
WORDS += ["cv.n_splits=2", "n_jobs=1", "--quiet"]
FEW = ["losses=[categorical_crossentropy,brier_loss]", "metrics=[roc_auc]", "report=none"]
FEW += ["leaderboard=[categorical_crossentropy,brier_loss,roc_auc]", "explain=null"]


def environment(**more: str) -> dict[str, str]:
    """Environment of a process, without the credentials of another server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


@dataclass
class Team:
    """A running server, and the process that will stop it."""

    address: str
    folder: Path
    process: subprocess.Popen[str]

    def credentials(self, password: str = MEMBER_PASSWORD, user: str = "anna") -> dict[str, str]:
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    def log_in(self, patch: pytest.MonkeyPatch, **credentials: str) -> None:
        """Be a member of the team in this process."""
        for name, value in self.credentials(**credentials).items():
            patch.setenv(name, value)

    def add_user(self, name: str) -> str:
        words = [*SCRIPT, "--add-user", name]
        given = self.credentials(ADMIN_PASSWORD, "admin")
        given["XENTEXP_MEMBER_PASSWORD"] = MEMBER_PASSWORD
        return subprocess.run(
            words, env=environment(**given), check=True, capture_output=True, text=True
        ).stdout


@contextmanager
def started(folder: Path, workers: int = 1) -> Iterator[Team]:
    """The script on a folder; it is stopped by SIGTERM."""
    words = [*SCRIPT, "--folder", str(folder), "--workers", str(workers)]
    given = environment(MLFLOW_AUTH_ADMIN_PASSWORD=ADMIN_PASSWORD)
    with subprocess.Popen(
        words, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("MLflow server: http://127.0.0.1:"), process.stderr.read()
            yield Team(line.removeprefix("MLflow server: ").strip(), folder, process)
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the user of PostgreSQL can reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="team-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def team(folder: Path) -> Iterator[Team]:
    with started(folder / "data", workers=2) as running:
        running.add_user("anna")
        yield running


@pytest.fixture
def made_csv(workplace: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    y = (x[:, 0] + rng.normal(size=120) > 0).astype(int)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv("made.csv", index=False)
    return workplace


def runs_of(client: MlflowClient, experiment: str) -> list[Run]:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], max_results=1000))


def scores(run: Run) -> dict[str, str]:
    """Metrics of a run except times, as text, so that NaN is equal to NaN."""
    items = sorted(run.data.metrics.items())
    return {key: f"{value:.12g}" for key, value in items if not key.startswith("time/")}


def document(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """JSON of a command without what differs between two runs: ids, stores and times."""
    assert main([*words, "--json"]) == 0

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            left_out = ("run_id", "parent_run_id", "started", "store")
            return {
                key: plain(item)
                for key, item in value.items()
                if key not in left_out and "seconds" not in key
            }
        if isinstance(value, list):
            return [plain(item) for item in value]
        return f"{value:.12g}" if isinstance(value, float) and math.isfinite(value) else value

    return plain(json.loads(capsys.readouterr().out))


def artifacts(folder: Path, run: Run) -> set[str]:
    """Files of a run below a folder of artifacts, with the same name for all experiments."""
    [home] = folder.glob(f"**/{run.info.run_id}/artifacts")
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def test_nothing_is_lost_if_eight_processes_log_ten_runs_each(
    team: Team,
    made_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    local = f"sqlite:///{made_csv}/mlflow.db"
    words = [local, team.address, str(PROCESSES), str(RUNS), *WORDS, *FEW]
    words += ["models.log=none", "tracking.experiment=many"]
    done = subprocess.run(
        [sys.executable, MANY_RUNS, *words],
        env=environment(**team.credentials()),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert MEMBER_PASSWORD not in done.stdout + done.stderr

    # The local store has one run of each seed, the server forty, with the same values.
    team.log_in(monkeypatch)
    client, reference = MlflowClient(team.address), MlflowClient(local)
    expected, logged = runs_of(reference, "many"), runs_of(client, "many")
    assert len(expected) == len(SEEDS) * 3
    assert len(logged) == PROCESSES * RUNS * 3
    kinds = Counter(run.data.tags["xentexp.kind"] for run in logged)
    assert kinds == {"comparison": PROCESSES * RUNS, "candidate": PROCESSES * RUNS * 2}
    assert {run.info.status for run in logged} == {"FINISHED"}
    parents = Counter(run.data.tags.get("mlflow.parentRunId") for run in logged)
    assert parents.pop(None) == PROCESSES * RUNS
    assert set(parents.values()) == {2}

    def key(run: Run) -> tuple[str, str]:
        return run.info.run_name, run.data.params["seed"]

    local_runs = {key(run): run for run in expected}
    copies = Counter(key(run) for run in logged)
    assert copies == dict.fromkeys(local_runs, PROCESSES * RUNS // len(SEEDS))
    assert sum(len(scores(run)) for run in expected) > 60
    for run in logged:
        same = local_runs[key(run)]
        assert scores(run) == scores(same)
        assert run.data.params == same.data.params
        assert run.data.tags.keys() == same.data.tags.keys()
        assert len(run.inputs.dataset_inputs) == 1
        files = artifacts(team.folder / "artifacts", run)
        assert files == artifacts(made_csv / "mlartifacts", same)
    one = next(run for run in logged if run.info.run_name == "logistic")
    read = pd.read_parquet(
        client.download_artifacts(one.info.run_id, "predictions/oof.parquet", str(made_csv))
    )
    where = made_csv / "mlartifacts" / local_runs[key(one)].info.run_id / "artifacts"
    pd.testing.assert_frame_equal(read, pd.read_parquet(where / "predictions" / "oof.parquet"))

    # The commands show the same figures.
    latest = max(logged, key=lambda run: run.info.start_time)
    parent = latest.data.tags.get("mlflow.parentRunId", latest.info.run_id)
    seed = latest.data.params["seed"]
    [same_parent] = [
        run.info.run_id
        for run in expected
        if run.data.params["seed"] == seed and run.data.tags["xentexp.kind"] == "comparison"
    ]
    for command in (["leaderboard", "--run"], ["compare"]):
        shown = document([*command, parent], capsys)
        assert shown == document([*command, same_parent, "--store", local], capsys)
    everything = document(["leaderboard", "--all", "--experiment", "many"], capsys)
    assert len(everything["leaderboard"]) == PROCESSES * RUNS * 2


def test_a_member_logs_predicts_and_opens_a_run(
    team: Team,
    made_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ["run", *WORDS, *FEW, "tracking.experiment=one"]
    assert main(run) == 0
    predict = ["predict", "latest", "made.csv", "--out"]
    assert main([*predict, "local.csv"]) == 0
    team.log_in(monkeypatch)
    assert main([*run, "tracking.register=credit"]) == 0
    assert main([*predict, "server.csv"]) == 0
    assert main(["predict", "credit@champion", "made.csv", "--out", "registered.csv"]) == 0
    assert Path("server.csv").read_text() == Path("local.csv").read_text()
    assert Path("registered.csv").read_text() == Path("local.csv").read_text()

    # A password in the address is used, and neither shown nor stored.
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name)
    address = team.address.replace("//", f"//anna:{MEMBER_PASSWORD}@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    capsys.readouterr()
    assert main([word for word in run if word != "--quiet"]) == 0
    assert main(["ui", "--no-browser"]) == 0
    out, err = capsys.readouterr()
    assert out.count(f": {team.address}/#/experiments/") == 2  # links, without the user
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace(MEMBER_PASSWORD, "wr0ng-Zq9-secret"))
    assert main([*run, "seed=1"]) == 2
    refused = capsys.readouterr().err
    assert refused.count("\n") == 1
    assert "got user 'anna' with a password that the server does not accept; set MLFLOW" in refused
    shown = out + err + refused
    client = MlflowClient(address)
    for item in runs_of(client, "one"):
        shown += json.dumps(item.to_dictionary())
    files = [path for path in team.folder.rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    for password in (MEMBER_PASSWORD, ADMIN_PASSWORD, "wr0ng-Zq9-secret"):
        assert password not in shown
        assert password.encode() not in stored
    for path in files:
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path


def test_the_dashboard_shows_the_saved_view(
    team: Team,
    made_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing; run apt-get install chromium")
    from playwright.sync_api import sync_playwright

    team.log_in(monkeypatch)
    assert main(["run", *WORDS, *FEW, "models.log=none", "tracking.experiment=seen"]) == 0
    capsys.readouterr()
    assert main(["ui", "--no-browser", "--experiment", "seen"]) == 0
    address = capsys.readouterr().out.removeprefix("MLflow dashboard: ").strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        login = {"username": "anna", "password": MEMBER_PASSWORD}
        with opened_dashboard(browser, address, http_credentials=login) as page:
            page.locator(CARDS).nth(2).wait_for()
            cards = [text.strip() for text in page.locator(CARDS).all_inner_texts()]
            assert cards[0].startswith("cv/categorical_crossentropy")
            assert cards[1].startswith("diff/categorical_crossentropy")
            assert cards[2].startswith("cv/brier_loss")
            assert "2 matching runs" in page.locator("body").inner_text()
        browser.close()


def refused(words: list[str], **more: str) -> str:
    """Message of the script, which must be one line."""
    given = environment(**more)
    done = subprocess.run([*SCRIPT, *words], env=given, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("team-server: error: ")
    return done.stderr


def test_a_stopped_server_starts_again_on_its_data(folder: Path) -> None:
    data = folder / "again"
    with started(data) as first:
        assert first.add_user("anna") == "user anna: added\n"
        assert first.add_user("anna") == "user anna: has a new password\n"
        with pytest.MonkeyPatch.context() as patch:
            first.log_in(patch)
            number = MlflowClient(first.address).create_experiment("kept")
        key = (data / "secret_key").read_text()
        given = {"MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD}
        assert "again is used by one; stop it" in refused(["--folder", str(data)], **given)
    assert not (data / "postgresql" / "postmaster.pid").exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(first.address.rpartition(":")[2])))
    other = {"MLFLOW_AUTH_ADMIN_PASSWORD": f"{ADMIN_PASSWORD}-2"}
    words = ["--folder", str(data), "--workers", "1"]
    assert "must be the password of the first start" in refused(words, **other)
    with started(data) as second, pytest.MonkeyPatch.context() as patch:
        second.log_in(patch)
        found = MlflowClient(second.address).get_experiment_by_name("kept")
        assert found is not None
        assert found.experiment_id == number
        assert (data / "secret_key").read_text() == key
