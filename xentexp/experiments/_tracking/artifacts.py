"""Files among the artifacts of a run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp.errors import InputError
from xentexp.experiments._tracking.connect import SQLITE
from xentexp.experiments._uncertainty import Uncertainty

UNCERTAINTY = "uncertainty.json"


def artifact_file(
    client: MlflowClient, uri: str, run_id: str, path: str, folder: Path
) -> Path | None:
    """File of an artifact, downloaded to `folder` if necessary; None if there is no such file."""
    if uri.startswith(SQLITE):
        # The store may have been moved with its folder; MLflow stores the old place.
        home = Path(uri.removeprefix(SQLITE)).parent
        local = home / "mlartifacts" / run_id / "artifacts" / path
        if local.is_file():
            return local
    parent = path.rpartition("/")[0]
    try:
        if path not in {item.path for item in client.list_artifacts(run_id, parent or None)}:
            return None
    except (MlflowException, OSError) as error:
        raise InputError(f"the artifacts of run {run_id} cannot be read: {error}") from error
    return Path(client.download_artifacts(run_id, path, str(folder)))


def json_artifact(client: MlflowClient, uri: str, run_id: str, path: str) -> Any:
    """Content of a JSON artifact; None if there is no such file."""
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(client, uri, run_id, path, Path(folder))
        if file is None:
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(run_id, path, error) from error


def table_artifact(client: MlflowClient, uri: str, run_id: str, path: str) -> pd.DataFrame | None:
    """Table of a Parquet artifact; None if there is no such file."""
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(client, uri, run_id, path, Path(folder))
        if file is None:
            return None
        try:
            return pd.read_parquet(file)
        except (pyarrow.ArrowException, OSError) as error:
            raise _damaged(run_id, path, error) from error


def stored_uncertainty(client: MlflowClient, uri: str, parent: str) -> Uncertainty | None:
    """Intervals of a run; None if it has none, as runs of older versions."""
    record = json_artifact(client, uri, parent, UNCERTAINTY)
    if record is None:
        return None
    try:
        return Uncertainty.from_record(record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):  # of a newer version
            raise
        raise _damaged(parent, UNCERTAINTY, error) from error


def _damaged(run_id: str, path: str, error: Exception) -> InputError:
    return InputError(
        f"{path} of run {run_id[:8]} cannot be read, it is damaged: {error}; restore the file from "
        f"a backup, or run the models again with `xentexp run`"
    )
