"""Shared fixtures; doctests use ellipses for the digits that do not matter."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from threadpoolctl import threadpool_limits

from xentexp.losses import LOSSES, Loss

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported

try:
    from absl import logging
except ImportError:
    pass  # installed only with some peers
else:
    # absl keeps the stderr of its import, here the capture of pytest, and closes it when MLflow
    # configures logging again; all later tests of the process would fail.
    logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("debian"):
        package, program = mark.args
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing; run apt-get install {package}")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread for each test worker: the data are small, and more would wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def loss(request: pytest.FixtureRequest) -> Loss:
    """Each loss of the table, with its default parameters."""
    return request.param


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow file whose tables exist: making them takes seconds, copying it does not."""
    from xentexp.experiments._tracking.connect import open_client

    path = tmp_path_factory.mktemp("store") / "template.db"
    open_client(f"sqlite:///{path}", create=True)
    return path


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Handlers of a command in a terminal: jobs in the background may ignore signals."""
    defaults = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def new_workers() -> None:
    """End the worker processes of earlier tests, whose folder and environment are others."""
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture
def workplace(tmp_path: Path, migrated_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with an empty MLflow store, the default one there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(migrated_store, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def table_csv(workplace: Path) -> Path:
    """A small table with numbers, categories and missing values, and three classes."""
    rng = np.random.default_rng(0)
    n = 240
    y = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(size=n) + y,
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(18, 80, n)),
            "job": rng.choice(["cook", "clerk", "pilot"], n),
            "person": np.arange(n) // 2,
            "grade": y,
        }
    )
    path = workplace / "table.csv"
    frame.to_csv(path, index=False)
    return path
