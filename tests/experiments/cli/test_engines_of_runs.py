"""`xentexp run` on engines, and jobs of Hydra's launchers whose process ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import psutil
import pytest

from tests.support.stores import RESULTS_ONLY, runs
from xentexp.experiments._cli import main
from xentexp.experiments._cli.run import _own_cores

RUN = ["run", "-q", *RESULTS_ONLY, "cv.n_splits=2", "dataset=table", "dataset.path=table.csv"]
RUN += ["dataset.target=grade", "leakage.check=ignore"]


def test_the_engine_and_the_threads_are_logged(table_csv: Path) -> None:
    assert main([*RUN, "models=[prior]", "engine=threads", "n_jobs=2"]) == 0
    (parent,) = runs("comparison")
    params = parent.data.params
    assert (params["engine"], params["threads_per_fit"], params["n_jobs"]) == ("threads", "1", "2")


def test_a_scheduler_that_does_not_answer_is_an_error(
    table_csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xentexp.experiments._engines.by_dask._SECONDS", 1)
    words = ["models=[prior]", "engine=dask", "engine.address=tcp://127.0.0.1:9"]
    assert main([*RUN, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "must be that of a Dask scheduler that answers" in line
    assert not runs("comparison")


def left_of(group: int) -> list[str]:
    """Names of the processes of a group that run."""
    running = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process.name())
    return running


@pytest.mark.slow
def test_an_interrupted_run_on_dask_keeps_its_results_and_ends_its_workers(
    table_csv: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = [*RUN, "models=[prior,hist_gradient_boosting]"]
    words += ["models.hist_gradient_boosting.classifier.max_iter=1000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "xentexp", *words, "engine=dask"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until and not runs():
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C, to the workers too
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted; results of completed models are in MLflow" in err
        assert [run.data.tags["mlflow.runName"] for run in runs()] == ["prior"]
        assert not left_of(process.pid)
        assert not list(temporary.rglob("*dask*"))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_jobs_of_the_joblib_launcher_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)

    def cores(launcher: str, n_jobs: int | None) -> str | None:
        hydra = SimpleNamespace(
            runtime=SimpleNamespace(choices={"hydra/launcher": launcher}),
            launcher=SimpleNamespace(n_jobs=n_jobs),
        )
        monkeypatch.setattr("xentexp.experiments._cli.run.HydraConfig.get", lambda: hydra)
        with _own_cores():
            return os.environ.get("LOKY_MAX_CPU_COUNT")

    assert [cores("joblib", n) for n in (2, -1, -5, 100, None)] == ["4", "1", "2", "1", "8"]
    assert cores("submitit_local", 2) is None
    assert "LOKY_MAX_CPU_COUNT" not in os.environ


KILLER = """
import os
from sklearn.dummy import DummyClassifier

class Killer(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        if self.random_state == 1:
            os.kill(os.getpid(), 9)
        return super().fit(X, y)
"""


@pytest.mark.slow
def test_a_killed_job_of_submitit_does_not_hide_the_others(
    table_csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    Path("killer.py").write_text(KILLER)
    Path("mine/models").mkdir(parents=True)
    model = "killer:\n  preprocessing: none\n  classifier:\n    _target_: killer.Killer\n"
    Path("mine/models/killer.yaml").write_text(model)
    monkeypatch.syspath_prepend(str(table_csv.parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    words = ["models=[killer]", "--config-dir", "mine", "--trust", "killer", "n_jobs=1"]
    assert main([*RUN, *words, "-m", "seed=1,2", "hydra/launcher=submitit_local"]) == 1
    out, err = capsys.readouterr()
    assert "seed 2" in out
    assert "error: [" in err
    assert "seed=1] the process of the job ended" in err
