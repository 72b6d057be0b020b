"""Write items to the runs of an MLflow experiment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow.entities as entities
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp._safe_text import printable, without_secrets
from xentexp.errors import InputError, StoreError, plain_errors
from xentexp.experiments._leaderboard import higher_is_better
from xentexp.experiments._tracking.connect import (
    SQLITE,
    deferred_signals,
    open_client,
    responds,
    store_errors,
    store_file,
    store_uri,
    user_name,
)
from xentexp.experiments._tracking.items import (
    Binary,
    DataInput,
    Image,
    Item,
    LoggedMetric,
    Param,
    Parquet,
    PredictionsFile,
    Table,
    Tag,
    Text,
)
from xentexp.experiments._tracking.names import NOTE

_DIGEST = "xentexp.note"
"""Tag of an experiment with the digest of its note as xentexp wrote it."""


class Store:
    """MLflow experiment, created if it does not exist; the dashboard charts `primary` first."""

    # With `from_environment`, MLflow's environment variables replace the name of the experiment.

    def __init__(
        self,
        uri: str | None,
        experiment: str,
        *,
        primary: str,
        description: str,
        from_environment: bool = False,
    ) -> None:
        self.uri = store_uri(uri)
        self._tables: dict[str, list[str]] = {}
        self.client = open_client(self.uri, create=True)
        with store_errors(self.uri):
            chosen = environment_experiment(self.client) if from_environment else None
            self.experiment = printable(chosen or experiment, one_line=True)
            self._description = printable(description)
            self.experiment_id = self._experiment(self.experiment, primary)

    @property
    def file(self) -> Path | None:
        """SQLite file of the store; None for a server."""
        return store_file(self.uri)

    def _experiment(self, name: str, primary: str) -> str:
        location = None  # chosen by the server
        if not self.uri.startswith("http"):
            home = Path(self.uri.removeprefix(SQLITE)).parent
            folder = (home if self.uri.startswith(SQLITE) else Path.cwd()) / "mlartifacts"
            folder.mkdir(exist_ok=True)
            location = folder.as_uri()
            if self.file is not None:
                move_artifacts(self.file, location)
        tags = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": f"cv/{primary}",
            "mlflow.experiment.primaryMetric.greaterIsBetter": str(higher_is_better(primary)),
            NOTE: self._description,
            _DIGEST: _digest(self._description),
        }
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self.client.create_experiment(name, location, tags))
            except MlflowException:
                experiment = self.client.get_experiment_by_name(name)  # made by another process
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != "active":
            raise InputError(
                f"the MLflow experiment {name!r} is deleted; restore it, or choose another name "
                f"with tracking.experiment=NAME"
            )
        return str(experiment.experiment_id)

    def describe(self, answer: str) -> None:
        """Put the answer of a run before the note of the experiment, unless a user edited it."""
        note = f"{printable(answer)}\n\n{self._description}"
        with deferred_signals(), store_errors(self.uri):
            tags = self.client.get_experiment(self.experiment_id).tags
            old = tags.get(NOTE, "")
            # Experiments of older versions have no digest, and the description as their note.
            if old == self._description or tags.get(_DIGEST) == _digest(old):
                self.client.set_experiment_tag(self.experiment_id, NOTE, note)
                self.client.set_experiment_tag(self.experiment_id, _DIGEST, _digest(note))

    @contextlib.contextmanager
    def run(
        self,
        name: str,
        tags: Mapping[str, object],
        *,
        parent: str | None = None,
        started: float = 0,
    ) -> Iterator[str]:
        """Start a run and yield its id; set its status to FINISHED, FAILED or KILLED at the end."""
        labels = {key: _text(value) for key, value in tags.items()}
        labels["mlflow.user"] = user_name()
        labels["mlflow.source.type"] = "LOCAL"
        if parent is not None:
            labels["mlflow.parentRunId"] = parent
        milliseconds = int((started or time.time()) * 1000)
        run_id = None
        status, reachable = "FINISHED", True
        hidden: list[type[StoreError]] = []
        try:
            with deferred_signals(), store_errors(self.uri):
                run = self.client.create_run(self.experiment_id, milliseconds, labels, _text(name))
                run_id = str(run.info.run_id)
            yield run_id
        except BaseException as error:
            killed = isinstance(error, (KeyboardInterrupt, SystemExit))
            status = "KILLED" if killed else "FAILED"
            if killed or isinstance(error, InputError):
                hidden = [StoreError]  # what ended the run is shown instead
            reachable = responds(self.uri)
            raise
        finally:
            if run_id is not None and reachable:
                with (
                    contextlib.suppress(*hidden),
                    deferred_signals(),
                    store_errors(self.uri),
                ):
                    self.client.set_terminated(run_id, status)

    def log_finished_run(
        self,
        name: str,
        tags: Mapping[str, object],
        items: Iterable[Item],
        *,
        parent: str,
        started: float,
        seconds: float,
        failed: bool = False,
    ) -> None:
        """Log a finished run in one go."""
        labels = {key: _text(value) for key, value in tags.items()}
        labels |= {"mlflow.parentRunId": parent, "mlflow.user": user_name()}
        begin, end = (int(moment * 1000) for moment in (started, started + seconds))
        with deferred_signals(), store_errors(self.uri):
            run = self.client.create_run(self.experiment_id, begin, labels, _text(name))
            self.log(run.info.run_id, items)
            status = "FAILED" if failed else "FINISHED"
            self.client.set_terminated(run.info.run_id, status, end)

    def log(self, run_id: str, items: Iterable[Item]) -> None:
        """Write items to a run, in as few calls as MLflow allows."""
        items = list(items)
        now = int(time.time() * 1000)
        metrics = [
            # MLflow stores infinity as 1.8e308, which would make charts unreadable.
            entities.Metric(
                item.key, math.nan if math.isinf(item.value) else item.value, now, item.step
            )
            for item in items
            if isinstance(item, LoggedMetric)
        ]
        params = [entities.Param(i.key, _short(i.value)) for i in items if isinstance(i, Param)]
        tags = [entities.RunTag(i.key, _text(i.value)) for i in items if isinstance(i, Tag)]
        texts: dict[str, str] = {}
        tables = [item for item in items if isinstance(item, Table)]
        if tables:
            # The format of MLflow's log_table, which the dashboard shows as a table.
            texts = {t.path: _json(t.frame) for t in tables}
            paths = self._tables.setdefault(run_id, [])
            paths += [table.path for table in tables]
            logged = json.dumps([{"path": path, "type": "table"} for path in paths])
            tags.append(entities.RunTag("mlflow.loggedArtifacts", logged))
        for item in items:
            if isinstance(item, Text):
                texts[item.path] = texts.get(item.path, "") + item.content
        with store_errors(self.uri):
            for start in range(0, len(metrics), 1000):
                self.client.log_batch(run_id, metrics=metrics[start : start + 1000])
            for start in range(0, max(len(params), len(tags)), 50):
                end = start + 50
                self.client.log_batch(run_id, params=params[start:end], tags=tags[start:end])
            for path, content in texts.items():
                self.client.log_text(run_id, printable(content), path)
            for item in items:
                if isinstance(item, (Binary, Parquet, PredictionsFile)):
                    self._log_file(run_id, item)
                elif isinstance(item, Image):
                    # Without `synchronous` MLflow writes in a thread that may not finish.
                    self.client.log_image(run_id, item.pixels, key=item.key, synchronous=True)
                elif isinstance(item, DataInput):
                    self._log_input(run_id, item)

    def _log_file(self, run_id: str, item: Binary | Parquet | PredictionsFile) -> None:
        folder, _, name = item.path.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / name
            if isinstance(item, Parquet):
                item.frame.to_parquet(file, index=False)
            elif isinstance(item, PredictionsFile):
                item.predictions.write(file)
            else:
                file.write_bytes(item.content)
            self.client.log_artifact(run_id, str(file), folder or None)

    def _log_input(self, run_id: str, item: DataInput) -> None:
        data = entities.Dataset(
            name=_text(item.name),
            digest=item.digest,
            source_type="xentexp",
            source=without_secrets(item.source),
            profile=without_secrets(item.profile),
        )
        context = [entities.InputTag("mlflow.data.context", "training")]
        try:
            self.client.log_inputs(run_id, [entities.DatasetInput(data, context)])
        except MlflowException as error:
            if not _written_by_another(error):
                raise
            # MLflow looks for the row of this data set before it writes one; now it finds it.
            self.client.log_inputs(run_id, [entities.DatasetInput(data, context)])


def _written_by_another(error: MlflowException) -> bool:
    """Whether another process wrote the same row of a table at the same time."""
    # A server only sends the text. It ends in a link with SQLAlchemy's code of an IntegrityError;
    # the classes of the databases have different names.
    return str(error).endswith("/gkpj)")


def environment_experiment(client: MlflowClient) -> str | None:
    """Name of the experiment in MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or None
    number = os.environ.get("MLFLOW_EXPERIMENT_ID") or None
    if number is None:
        return name
    try:
        of_number = str(client.get_experiment(number).name)
    except MlflowException as error:
        raise InputError(
            f"MLFLOW_EXPERIMENT_ID must be the ID of an experiment in the tracking store; got "
            f"{number!r}; correct or unset it, or set tracking.experiment=NAME"
        ) from error
    if name not in (None, of_number):
        raise InputError(
            f"MLFLOW_EXPERIMENT_NAME and MLFLOW_EXPERIMENT_ID must name the same experiment; got "
            f"{name!r}, and {number} is {of_number!r}; unset one of them"
        )
    return of_number


def move_artifacts(file: Path, location: str) -> None:
    """Point a store that was moved or copied with its folder mlartifacts to the new place."""
    # MLflow stores absolute paths and cannot change them.
    with (
        plain_errors(f"the tracking store {file} cannot be used", sqlite3.Error),
        contextlib.closing(sqlite3.connect(file, timeout=30.0)) as connection,
        connection,
    ):
        rows = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (old,) in rows:
            elsewhere = str(old).startswith("file:") and str(old).endswith("/mlartifacts")
            if not elsewhere or old == location or _same_folder(old, location):
                continue
            values = (location, old)
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", values
            )
            for table, column in _PLACES:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE substr({column}, 1, ?) = ?",
                    (location, len(old) + 1, len(old) + 1, f"{old}/"),
                )


_PLACES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's tables with addresses below the artifact location of an experiment."""


def _same_folder(first: str, second: str) -> bool:
    """Whether two addresses file://... lead to one folder, e.g. through a link."""
    paths = [Path(unquote(urlsplit(address).path)) for address in (first, second)]
    return all(path.is_dir() for path in paths) and paths[0].samefile(paths[1])


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()[:16]


def _text(value: object) -> str:
    return printable(str(value))


def _json(frame: pd.DataFrame) -> str:
    """JSON of a table, without secrets in its texts."""
    shown = frame.map(lambda value: _text(value) if isinstance(value, str) else value)
    return str(shown.to_json(orient="split", index=False))


def _short(value: object) -> str:
    """Text of a parameter, truncated to the length that MLflow accepts."""
    text = _text(value)
    return text if len(text) <= 6000 else f"{text[:5990]}... (cut)"
