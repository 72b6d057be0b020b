"""Files among the artifacts of a run."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp.errors import InputError
from xentexp.experiments._tracking.connect import SQLITE


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
