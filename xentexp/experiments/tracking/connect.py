"""Stores: which one, whether it can be used, and its failures as one sentence."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import logging
import os
import re
import signal
import socket
import sqlite3
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from xentexp.errors import InputError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from alembic.util import CommandError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

for _noisy in ("mlflow", "alembic", "sqlalchemy"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # what matters comes as an exception

SQLITE = "sqlite:///"


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
    guard = Path(tempfile.gettempdir()) / f"xentexp-{user_name()}-{name}.lock"
    with contextlib.closing(sqlite3.connect(guard, timeout=120.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise InputError(f"the tracking store {path} is not free: {error}") from error
        yield


def user_name() -> str:
    """Who runs this.

    Returns
    -------
    str
        A name, or a number without one.
    """
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
