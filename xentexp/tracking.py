"""What a run found, as items, and the one place that hands them to MLflow."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import logging
import math
import os
import re
import signal
import socket
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pandas as pd

from xentexp.errors import InputError, unknown_name
from xentexp.experiment import Outcome, Result
from xentexp.leaderboard import Leaderboard, Row
from xentexp.losses import LOSSES

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow.entities as entities
from alembic.util import CommandError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

for _noisy in ("mlflow", "alembic", "sqlalchemy"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # what matters comes as an exception

SQLITE = "sqlite:///"


# -- items: what there is to tell ------------------------------------------------------------


@dataclass(frozen=True)
class Param:
    """A setting."""

    key: str
    value: object


@dataclass(frozen=True)
class Metric:
    """A number, at a step."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Tag:
    """A label of a run."""

    key: str
    value: object


@dataclass(frozen=True)
class Text:
    """A text file among the artifacts."""

    path: str
    content: str


@dataclass(frozen=True)
class Parquet:
    """A table as a Parquet file among the artifacts."""

    path: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class DataInput:
    """The data set that a run used."""

    name: str
    digest: str
    source: str
    profile: str


Item = Param | Metric | Tag | Text | Parquet | DataInput


def outcome_items(outcome: Outcome, result_of: Mapping[str, object]) -> Iterator[Item]:
    """Everything to tell of one candidate, but for its data set and predictions.

    Parameters
    ----------
    outcome : Outcome
        Of a candidate.
    result_of : mapping
        Settings that hold for the whole run: they are repeated on each child, because
        MLflow's filters do not look at parents.

    Yields
    ------
    Item
        Parameters, metrics, tags and texts.
    """
    yield Param("model", outcome.candidate.name)
    yield Tag("model", outcome.candidate.name)
    for key, value in {**result_of, **outcome.candidate.parameters}.items():
        yield Param(key, value)
    for message, count in outcome.warnings.items():
        yield Text("warnings.txt", f"{count} of {len(outcome.predictions)} folds: {message}\n")
    if outcome.error is not None:
        yield Tag("error", outcome.error)
        yield Tag("mlflow.note.content", f"Failed: {outcome.error}")
        yield Text("error.txt", outcome.traceback or outcome.error)
        return
    pooled = outcome.pooled()
    assert pooled is not None
    std = outcome.std()
    for name, value in outcome.mean().items():
        yield Metric(f"cv/{name}", value)
        yield Metric(f"cv_std/{name}", std[name])
    for name, value in outcome.standard_error().items():
        yield Metric(f"cv_se/{name}", value)
    for name, values in outcome.fold_losses().items():
        for step, value in enumerate(values):
            yield Metric(f"fold/{name}", value, step)
    for name, value in outcome.regret().items():
        yield Metric(f"regret/{name}", value)
    yield Metric("rows/clipped", float(pooled.n_clipped))
    yield Metric("rows/infinite_values", float(pooled.n_infinite.sum()))
    yield Metric("time/fit_seconds", outcome.fit_seconds)
    yield Metric("time/predict_seconds", sum(p.predict_seconds for p in outcome.predictions))


def result_items(result: Result) -> Iterator[Item]:
    """What a parent run tells: the leaderboard, as its note and as a table.

    Parameters
    ----------
    result : Result
        Of all candidates.

    Yields
    ------
    Item
        Tags, texts and a table.
    """
    board = result.leaderboard()
    note = f"### {result.dataset.card.title}\n\n{board.to_markdown()}\n"
    yield Tag("mlflow.note.content", note)
    yield Text("leaderboard.md", note)
    rows = [
        {"model": row.model, "loss": loss, "mean": row.mean[loss], "std": row.std[loss]}
        for row in board.ranked()
        for loss in row.mean
    ]
    rows += [{"model": row.model, "loss": row.reason} for row in board.ranked() if row.reason]
    table = pd.DataFrame(rows, columns=["model", "loss", "mean", "std"])
    # As MLflow's log_table has it: the dashboard shows such a file as a table.
    yield Text("leaderboard.json", table.to_json(orient="split", index=False))
    yield Tag("mlflow.loggedArtifacts", json.dumps([{"path": "leaderboard.json", "type": "table"}]))
    best = board.best()
    if best is not None:
        yield Tag("best_model", best.model)


# -- the sink --------------------------------------------------------------------------------


def store_uri(uri: str | None = None) -> str:
    """Address of the store: as given, else MLFLOW_TRACKING_URI, else mlflow.db in this folder.

    Parameters
    ----------
    uri : str, optional
        E.g. ``sqlite:///runs/mlflow.db`` or ``http://host:5000``; a path of a file is taken
        as sqlite.

    Returns
    -------
    str
        With an absolute path, so that it does not depend on the folder of a later command.

    Raises
    ------
    InputError
        For a scheme that is not supported.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    if uri.startswith(SQLITE):
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).expanduser().absolute()}"
    if re.match(r"(https?|postgresql|mysql|mssql)(\+\w+)?://", uri):
        return uri
    if "://" in uri or uri.startswith("file:"):
        raise InputError(
            f"the tracking store must be sqlite:///FILE, http(s):// or a database; got {uri!r}"
        )
    path = Path(uri).expanduser().absolute()
    if path.is_dir():
        raise InputError(f"the tracking store must be a file or an address; {path} is a folder")
    return f"{SQLITE}{path}"


def open_client(uri: str, *, create: bool) -> MlflowClient:
    """Client of a store that was shown to answer.

    Parameters
    ----------
    uri : str
        As `store_uri` gives it.
    create : bool
        Whether a sqlite file is made where there is none, and must be writable.

    Returns
    -------
    MlflowClient
        Bound to the store.

    Raises
    ------
    InputError
        Where the store cannot be reached, read or written.
    """
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE))
        if not create and not path.is_file():
            raise InputError(
                f"there is no tracking store {path}; run `xentexp run` in that folder first, or "
                f"name another with --store or MLFLOW_TRACKING_URI"
            )
        with _alone(path):
            if not path.exists() or path.stat().st_size == 0:
                _make_tables(path)
            _check_sqlite(path, write=create)
        with told_plainly(uri):
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
        return client
    if uri.startswith(("http://", "https://")):
        _check_server(uri)
    with told_plainly(uri):
        return MlflowClient(tracking_uri=uri)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep two processes from making the tables of a new file at once, which destroys it.

    The guard is a file of the system's temporary folder, because whoever removed it after use
    would pull it from under those who wait for it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the tracking store {path} cannot be made: {error.strerror}") from error
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    guard = Path(tempfile.gettempdir()) / f"xentexp-{_user()}-{name}.lock"
    with contextlib.closing(sqlite3.connect(guard, timeout=120.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise InputError(f"the tracking store {path} is not free: {error}") from error
        yield


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in some containers
        return str(os.getuid())


def _make_tables(path: Path) -> None:
    """Make the tables beside `path` and move them there: half of them would be of no use."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with shielded(), told_plainly(f"{SQLITE}{path}"):
            MlflowClient(tracking_uri=f"{SQLITE}{partial}").search_experiments(max_results=1)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_sqlite(path: Path, *, write: bool) -> None:
    try:
        connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
            if write:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("CREATE TABLE xentexp_write_check (x)")
                connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"the tracking store {path} cannot be used: {error}") from error


def _check_server(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=5.0).close()
    except (OSError, ValueError) as error:
        raise InputError(f"the tracking server {uri} does not answer: {error}") from error


@contextlib.contextmanager
def told_plainly(uri: str) -> Iterator[None]:
    """Errors of the store as one sentence.

    Parameters
    ----------
    uri : str
        The store.

    Yields
    ------
    None
        To the code that talks to it.
    """
    try:
        yield
    except InputError:
        raise
    except (
        MlflowException, SQLAlchemyError, CommandError, OSError, ImportError, ValueError
    ) as error:  # fmt: skip
        raise InputError(f"the tracking store {uri} failed: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The first cause that says something: SQLAlchemy and MLflow wrap it in advice."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError):
            where = f" ({found.filename})" if found.filename else ""
            return f"{found.strerror or found}{where}"
        if isinstance(found, (sqlite3.Error, ImportError)):
            return str(found)
        found = found.__cause__ or found.__context__
    lines = [line for line in str(error).splitlines() if line.strip() and line[0] != "("]
    return (lines or [str(error)])[0].strip()


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM to the end of the block, so that it is done whole.

    Yields
    ------
    None
        To the code that must not be cut in two.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda *call: came.append(call))
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for call in came:
            handler = before[signal.Signals(call[0])]
            if callable(handler):
                handler(*call)


class Store:
    """An experiment in a store, and the runs that are written to it.

    Parameters
    ----------
    uri : str or None
        See `store_uri`.
    experiment : str
        Its name; made where there is none.
    primary : str
        Loss that the dashboard charts first.
    description : str
        Note of a new experiment.

    Raises
    ------
    InputError
        Where the store cannot be written to.
    """

    def __init__(self, uri: str | None, experiment: str, *, primary: str, description: str) -> None:
        self.uri = store_uri(uri)
        self.client = open_client(self.uri, create=True)
        with told_plainly(self.uri):
            self.experiment_id = self._experiment(experiment, primary, description)

    def _experiment(self, name: str, primary: str, description: str) -> str:
        location = None  # a server's own choice
        if not self.uri.startswith("http"):
            home = Path(self.uri.removeprefix(SQLITE)).parent
            folder = (home if self.uri.startswith(SQLITE) else Path.cwd()) / "mlartifacts"
            folder.mkdir(exist_ok=True)
            location = folder.as_uri()
        tags = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": f"cv/{primary}",
            "mlflow.experiment.primaryMetric.greaterIsBetter": "False",
            "mlflow.note.content": description,
        }
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name, location, tags))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)  # another process was first
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise InputError(
                f"the MLflow experiment {name!r} was deleted; restore it, or choose another name "
                f"with tracking.experiment=NAME"
            )
        return str(found.experiment_id)

    @contextlib.contextmanager
    def run(
        self,
        name: str,
        tags: Mapping[str, object],
        *,
        parent: str | None = None,
        started: float = 0,
    ) -> Iterator[str]:
        """Run that ends FINISHED, FAILED or KILLED, whatever happens inside.

        Parameters
        ----------
        name : str
            For a person to read.
        tags : mapping
            Labels.
        parent : str, optional
            Identifier of the parent run.
        started : float
            Seconds since 1970; now by default.

        Yields
        ------
        str
            Identifier of the run.
        """
        labels = {key: str(value) for key, value in tags.items()}
        labels["mlflow.user"] = _user()
        labels["mlflow.source.type"] = "LOCAL"
        if parent is not None:
            labels["mlflow.parentRunId"] = parent
        milliseconds = int((started or time.time()) * 1000)
        run_id = None
        status = "FAILED"
        try:
            with shielded(), told_plainly(self.uri):
                run = self.client.create_run(self.experiment_id, milliseconds, labels, name)
                run_id = str(run.info.run_id)
            yield run_id
            status = "FINISHED"
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            if run_id is not None:
                with shielded(), told_plainly(self.uri):
                    self.client.set_terminated(run_id, status)

    def log(self, run_id: str, items: Iterable[Item]) -> None:
        """Write items to a run, in as few calls as MLflow allows.

        Parameters
        ----------
        run_id : str
            Of the run.
        items : iterable of Item
            In any order.

        Raises
        ------
        InputError
            Where the store fails, e.g. because the disk is full.
        """
        given = list(items)
        now = int(time.time() * 1000)
        metrics = [
            # An infinite value is kept as 1.8e308 and would ruin the charts.
            entities.Metric(
                item.key, math.nan if math.isinf(item.value) else item.value, now, item.step
            )
            for item in given
            if isinstance(item, Metric)
        ]
        params = [entities.Param(i.key, _short(i.value)) for i in given if isinstance(i, Param)]
        tags = [entities.RunTag(i.key, str(i.value)) for i in given if isinstance(i, Tag)]
        texts: dict[str, str] = {}
        for item in given:
            if isinstance(item, Text):
                texts[item.path] = texts.get(item.path, "") + item.content
        with told_plainly(self.uri):
            for start in range(0, len(metrics), 1000):
                self.client.log_batch(run_id, metrics=metrics[start : start + 1000])
            for start in range(0, max(len(params), len(tags)), 50):
                end = start + 50
                self.client.log_batch(run_id, params=params[start:end], tags=tags[start:end])
            for path, content in texts.items():
                self.client.log_text(run_id, content, path)
            for item in given:
                if isinstance(item, Parquet):
                    self._log_parquet(run_id, item)
                elif isinstance(item, DataInput):
                    self._log_input(run_id, item)

    def _log_parquet(self, run_id: str, item: Parquet) -> None:
        folder, _, name = item.path.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / name
            item.frame.to_parquet(file, index=False)
            self.client.log_artifact(run_id, str(file), folder or None)

    def _log_input(self, run_id: str, item: DataInput) -> None:
        data = entities.Dataset(
            name=item.name,
            digest=item.digest,
            source_type="xentexp",
            source=item.source,
            profile=item.profile,
        )
        context = [entities.InputTag("mlflow.data.context", "training")]
        self.client.log_inputs(run_id, [entities.DatasetInput(data, context)])


def chart_page(experiment_id: str, run_id: str, primary: str) -> str:
    """Part of the dashboard's address that compares the candidates of a run in charts.

    Parameters
    ----------
    experiment_id, run_id : str
        Of the experiment, and of the parent run: MLflow charts no child of a folded parent,
        so the page is filtered to the children.
    primary : str
        Loss that they are sorted by.

    Returns
    -------
    str
        To be put behind the address of the server.
    """
    options = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'",
        "orderByKey": f"metrics.`cv/{primary}`",
        "orderByAsc": "true",
        "compareRunsMode": "CHART",
        "workflowType": "machine_learning",
    }
    return f"/#/experiments/{experiment_id}/runs?{urlencode(options, quote_via=quote)}"


def log_outcome(
    store: Store,
    outcome: Outcome,
    result_of: Mapping[str, object],
    data: DataInput,
    predictions: pd.DataFrame | None,
    config: str,
    tags: Mapping[str, object],
    parent: str,
) -> None:
    """Write one candidate as a child run, FAILED where the candidate failed.

    Parameters
    ----------
    store : Store
        Where to.
    outcome : Outcome
        What it found.
    result_of : mapping
        Settings of the whole run.
    data : DataInput
        The data set.
    predictions : DataFrame or None
        Out-of-fold predictions.
    config : str
        The whole configuration, as YAML.
    tags : mapping
        Labels of the whole run.
    parent : str
        Identifier of the parent run.
    """
    started = min(prediction.started for prediction in outcome.predictions)
    items: list[Item] = [*outcome_items(outcome, result_of), data]
    items.append(Text("config/config.yaml", config))
    if predictions is not None:
        items.append(Parquet("predictions/oof.parquet", predictions))
    with (
        shielded(),  # a candidate that is done is written whole
        contextlib.suppress(_CandidateFailed),
        store.run(outcome.candidate.name, tags, parent=parent, started=started) as run_id,
    ):
        store.log(run_id, items)
        if outcome.error is not None:
            raise _CandidateFailed


class _CandidateFailed(Exception):  # noqa: N818  (ends a run as FAILED; never seen outside)
    pass


def _short(value: object) -> str:
    """A parameter as text that MLflow keeps whole."""
    text = str(value)
    return text if len(text) <= 6000 else f"{text[:5990]}... (cut)"


# -- reading back ----------------------------------------------------------------------------


def read_leaderboard(
    client: MlflowClient, experiment: str | None, *, every: bool = False
) -> tuple[str, Leaderboard]:
    """Leaderboard of the latest run of an experiment, or of all its runs.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment : str or None
        Its name; the one with the latest run by default.
    every : bool
        Whether the candidates of all runs are listed instead of the latest run's.

    Returns
    -------
    experiment : str
        Its name.
    leaderboard : Leaderboard
        Ranked by the experiment's primary loss.

    Raises
    ------
    InputError
        For an unknown experiment, and for a store without runs of ours.
    """
    latest, children = _latest_run(client, experiment)
    if every:
        children = _search(client, latest.info.experiment_id, "tags.`xentexp.kind` = 'candidate'")
    name = str(client.get_experiment(latest.info.experiment_id).name)
    primary = latest.data.tags["xentexp.primary"]
    rows = tuple(_row(run, every) for run in children)
    return name, Leaderboard(rows, primary)


def latest_page(client: MlflowClient, experiment: str | None) -> str:
    """Part of the dashboard's address that shows the latest run.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment : str or None
        Its name; the one with the latest run by default.

    Returns
    -------
    str
        See `chart_page`.

    Raises
    ------
    InputError
        For an unknown experiment, and for a store without runs of ours.
    """
    run, _ = _latest_run(client, experiment)
    return chart_page(run.info.experiment_id, run.info.run_id, run.data.tags["xentexp.primary"])


def _latest_run(client: MlflowClient, experiment: str | None) -> tuple[Any, list[Any]]:
    """Parent run that was started last among those with a finished candidate; its candidates."""
    known = {e.name: e.experiment_id for e in client.search_experiments()}
    if experiment is not None and experiment not in known:
        raise unknown_name("experiment", experiment, known)
    parents = client.search_runs(
        list(known.values()) if experiment is None else [known[experiment]],
        "tags.`xentexp.kind` = 'comparison'",
        order_by=["attributes.start_time DESC"],
        max_results=100,
    )
    for parent in parents:
        children = _search(
            client,
            parent.info.experiment_id,
            f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
        )
        if children:
            return parent, children
    where = f"experiment {experiment!r}" if experiment else "the tracking store"
    what = f"no finished model, its last run is {parents[0].info.status}" if parents else "no run"
    raise InputError(f"{where} holds {what} of xentexp; make one with `xentexp run`")


def _search(client: MlflowClient, experiment_id: str, condition: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, page_token=token, max_results=1000)
        found += page
        token = page.token
        if not token:
            return found


def _row(run: Any, every: bool) -> Row:
    metrics = run.data.metrics

    def section(name: str) -> dict[str, float]:
        return {loss: metrics[f"{name}/{loss}"] for loss in LOSSES if f"{name}/{loss}" in metrics}

    model = run.info.run_name
    if every:
        params = run.data.params
        folds = f"{params.get('cv.kind')} {params.get('cv.n_splits')}"
        model = f"{model} {folds} seed {params.get('seed')} {run.info.run_id[:4]}"
    return Row(
        model,
        section("cv"),
        section("cv_std"),
        section("cv_se"),
        section("regret"),
        metrics.get("time/fit_seconds", math.nan),
        run.data.tags.get("error"),
    )
