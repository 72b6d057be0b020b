"""Address of the tracking store, checks before a run, and errors in one sentence."""

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
from collections.abc import Iterator
from os.path import expanduser
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp._safe_text import remember_password, without_secrets
from xentexp._sqlite_files import new_file
from xentexp.errors import InputError, StoreError, plain_errors

for _logger in ("mlflow", "alembic", "sqlalchemy"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)  # errors are raised anyway

SQLITE = "sqlite:///"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")


def store_uri(uri: str | None = None) -> str:
    """Absolute address: `uri`, else MLFLOW_TRACKING_URI, else mlflow.db in this folder."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    if re.match(r"(https?|postgresql|mysql|mssql)(\+\w+)?://", uri):
        remember_password(uri)
        return uri
    path = Path(expanduser(uri.removeprefix(SQLITE))).absolute()
    if path.exists() and not path.is_file() and not uri.startswith("file:"):
        kind = "folder" if path.is_dir() else "device"
        raise InputError(f"the tracking store must be a file or an address; got the {kind} {path}")
    other = re.match(r"[\w+.-]*:", uri.removeprefix(SQLITE))
    known = path.suffix.lower() in _SUFFIXES or path.is_file() or uri.startswith(SQLITE)
    if other or not known or "?" in str(path):
        raise InputError(
            f"the tracking store must be sqlite:///FILE (a name that ends in .db), http://..., "
            f"https://... or the address of a database server; got {without_secrets(uri)!r}"
        )
    return f"{SQLITE}{path}"


def store_file(uri: str) -> Path | None:
    """SQLite file of a store; None for a server."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def browser_address(uri: str) -> str:
    """Address of a server without user and password, for which the browser asks."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def open_client(uri: str, *, create: bool) -> MlflowClient:
    """Client of a store that is reachable; `create` makes a missing SQLite file."""
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE))
        if not create and not path.is_file():
            raise InputError(
                f"the tracking store {path} does not exist; run `xentexp run` in that folder "
                f"first, or set another store with --store or MLFLOW_TRACKING_URI"
            )
        with _locked(path):
            if not path.exists() or path.stat().st_size == 0:
                _make_tables(path)
            _check_sqlite(path, write=create)
        with store_errors(uri):
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
        return client
    _check_server(uri)
    with store_errors(uri):
        return MlflowClient(tracking_uri=uri)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock: two processes that create the tables of a file at once would damage it."""
    with plain_errors(f"the tracking store {path} cannot be created", OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    # In the temporary folder, because it must not be removed while others wait for the lock.
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    lock_file = Path(tempfile.gettempdir()) / f"xentexp-{user_name()}-{name}.lock"
    with contextlib.closing(sqlite3.connect(lock_file, timeout=120.0, isolation_level=None)) as db:
        with plain_errors(f"the tracking store {path} is locked", sqlite3.Error):
            db.execute("BEGIN EXCLUSIVE")
        yield


def user_name() -> str:
    """Name of the user, or the user id if there is no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _make_tables(path: Path) -> None:
    with deferred_signals(), store_errors(f"{SQLITE}{path}"), new_file(path) as partial:
        path.unlink(missing_ok=True)  # an empty file
        MlflowClient(tracking_uri=f"{SQLITE}{partial}").search_experiments(max_results=1)


def _check_sqlite(path: Path, *, write: bool) -> None:
    with (
        plain_errors(f"the tracking store {path} cannot be used", sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, timeout=30.0, isolation_level=None)) as connection,
    ):
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if tables and "experiments" not in tables:
            raise InputError(
                f"the tracking store {path} failed: it has tables of another program, not those of "
                f"MLflow; choose another file"
            )
        if write:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE xentexp_write_check (x)")
            connection.execute("ROLLBACK")


def responds(uri: str) -> bool:
    """Whether a tracking server accepts connections; True for other stores."""
    try:
        _check_server(uri)
    except StoreError:
        return False
    return True


def _check_server(uri: str) -> None:
    if not uri.startswith(("http://", "https://")):
        return
    problem = f"the tracking server {without_secrets(uri)} does not respond"
    with plain_errors(problem, OSError, ValueError, kind=StoreError):
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=5.0).close()


@contextlib.contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Convert errors of MLflow and its database to an InputError about the store."""
    with plain_errors(
        f"the tracking store {without_secrets(uri)} failed",
        *("mlflow", "alembic", "sqlalchemy", OSError, ImportError, ValueError),
        kind=StoreError,
    ):
        try:
            yield
        except Exception as error:
            status = refusal(error)
            if status is None or not uri.startswith(("http://", "https://")):
                raise
            raise StoreError(_refused(uri, status)) from error


def refusal(error: Exception) -> int | None:
    """HTTP status 401 or 403 with which a server refused a request; None for other errors."""
    found: Any = error
    if isinstance(error, MlflowException):
        status = found.get_http_status_code()
    else:  # of artifacts, from requests
        status = getattr(getattr(found, "response", None), "status_code", None)
    # A server that does not know its own name says so; this is not about the user.
    return None if status not in (401, 403) or "Host header" in str(error) else status


def _refused(uri: str, status: int) -> str:
    parts = urlsplit(uri)
    name = parts.username or os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = parts.password or os.environ.get("MLFLOW_TRACKING_PASSWORD")
    server = f"the tracking server {without_secrets(uri)}"
    if status == 403:
        return (
            f"{server} does not permit this to {f'user {name!r}' if name else 'you'}; ask its "
            f"administrator for the permission EDIT of the experiment or the registered model"
        )
    got = "none"
    if name and password:
        got = f"user {name!r} with a password that the server does not accept"
    elif name:
        got = f"user {name!r} without a password"
    return (
        f"{server} requires a user and a password; got {got}; set MLFLOW_TRACKING_USERNAME and "
        f"MLFLOW_TRACKING_PASSWORD"
    )


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer Ctrl-C, SIGTERM and SIGHUP to the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda *call: received.append(call))
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for call in received:
            handler = before[signal.Signals(call[0])]
            if callable(handler):
                handler(*call)
