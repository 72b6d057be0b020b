"""Files among the artifacts of a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp.errors import InputError
from xentexp.experiments._tracking.connect import SQLITE
from xentexp.experiments._tracking.names import CURVES, IMPORTANCE, SCORES, SEGMENTS
from xentexp.experiments._uncertainty import Uncertainty

UNCERTAINTY = "uncertainty.json"

_PLACE = ("repeat", "fold")
_COLUMNS = {  # of text and of numbers, which each table has
    SCORES: (("section", "name"), (*_PLACE, "value")),
    IMPORTANCE: (("loss_name",), (*_PLACE, "row", "loss")),
    SEGMENTS: (
        ("column", "label", "kind"),
        (*_PLACE, "segment", "class", "n_rows", "events", "weight", "predicted", "observed"),
    ),
    CURVES: (("part", "loss"), ("fold", "step", "value")),
}


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
        with readable(run_id, path):
            return json.loads(file.read_text(encoding="utf-8"))


def table_artifact(client: MlflowClient, uri: str, run_id: str, path: str) -> pd.DataFrame | None:
    """Table of a Parquet artifact with its columns; None if there is no such file, or no row."""
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(client, uri, run_id, path, Path(folder))
        if file is None:
            return None
        with readable(run_id, path):
            table = pd.read_parquet(file)
    texts, numbers = _COLUMNS.get(path, ((), ()))
    absent = [name for name in (*texts, *numbers) if name not in table]
    if absent:
        raise _damaged(run_id, path, f"it has no column {absent[0]!r}")
    for name in table:
        is_number = pd.api.types.is_numeric_dtype(table[name])
        if (name in numbers and not is_number) or (name in texts and is_number):
            kind = "numbers" if name in numbers else "text"
            raise _damaged(run_id, path, f"column {name!r} does not have {kind}")
    return table if len(table) else None


def stored_uncertainty(client: MlflowClient, uri: str, parent: str) -> Uncertainty | None:
    """Intervals of a run; None if it has none, as runs of older versions."""
    record = json_artifact(client, uri, parent, UNCERTAINTY)
    if record is None:
        return None
    with readable(parent, UNCERTAINTY):
        return Uncertainty.from_record(record)


@contextmanager
def readable(run_id: str, path: str) -> Iterator[None]:
    """Turn errors that damaged content causes into an InputError that names the artifact."""
    try:
        yield
    except InputError:  # of a newer version
        raise
    except (
        pyarrow.ArrowException,
        AssertionError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise _damaged(run_id, path, error) from error


def _damaged(run_id: str, path: str, reason: object) -> InputError:
    return InputError(
        f"{path} of run {run_id[:8]} cannot be read, it is damaged: {reason}; restore the file "
        f"from a backup, or run the models again with `xentexp run`"
    )
