"""Access to the MLflow store in the working directory of a test."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

RESULTS_ONLY = ["report=none", "models.log=none", "explain=null"]
"""For runs of which a test needs the scores: pages, importances and stored models take seconds."""


@contextmanager
def new_workplace(folder: Path, empty_store: Path) -> Iterator[None]:
    """Work in a folder whose default store is a copy of an empty one, as the fixture workplace."""
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


def client() -> MlflowClient:
    """Client of the default store of the command line."""
    return MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")


def runs(kind: str = "candidate") -> list[Run]:
    """All runs of a kind in the default store, latest first."""
    experiments = [experiment.experiment_id for experiment in client().search_experiments()]
    return list(client().search_runs(experiments, f"tags.`xentexp.kind` = '{kind}'"))


def view(page: str) -> dict[str, Any]:
    """State of the view that an address of the dashboard opens, as MLflow's page reads it."""
    address = urlsplit(page.partition("#")[2])
    query = parse_qs(address.query)
    # MLflow's page ignores a view if the query has a filter or an order of its own.
    assert set(query) == {"viewStateShareKey", "compareRunsMode", "workflowType"}
    experiment = client().get_experiment(address.path.split("/")[2])
    tag = experiment.tags[f"mlflow.sharedViewState.{query['viewStateShareKey'][0]}"]
    word, _, text = tag.partition(";")
    assert word == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return state
