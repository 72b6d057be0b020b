"""Access to the MLflow store in the working directory of a test."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run


def client() -> MlflowClient:
    """Client of the default store of the command line."""
    return MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")


def runs(kind: str = "candidate") -> list[Run]:
    """All runs of a kind in the default store, latest first."""
    experiments = [experiment.experiment_id for experiment in client().search_experiments()]
    return list(client().search_runs(experiments, f"tags.`xentexp.kind` = '{kind}'"))
