"""Store finished trials in an SQLite file of Optuna, to resume interrupted searches."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from os.path import expanduser
from pathlib import Path
from typing import Any, Literal

import joblib
import pandas as pd

from xentexp._digest import content_digest
from xentexp._safe_text import without_secrets
from xentexp._sqlite_files import new_file
from xentexp.errors import InputError, import_extra, plain_errors

Direction = Literal["minimize", "maximize"]

NUMBER = "xentexp:trial"
"""User attribute of a stored trial that holds its number in the search."""
PATIENCE = 300.0
"""Seconds that a write waits for a lock of another process."""


def data_digest(X: Any, y: Any, *others: Any) -> str:
    """Digest of rows, labels and further arrays, such as weights; the same in every process."""
    if isinstance(X, pd.DataFrame):
        return content_digest(X, pd.Series(y)) + str(joblib.hash(others))
    return str(joblib.hash((X, y, others)))


def study_name(prefix: str, *parts: Any) -> str:
    """Name of a study: `prefix` and a digest of all inputs that its values depend on."""
    try:
        hashes = [str(joblib.hash(part)) for part in parts]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"estimator must be picklable with storage, because its digest identifies the search; "
            f"got an error: {error}; define its class at module level, or set storage=None"
        ) from error
    return f"{prefix} {hashlib.sha256(' '.join(hashes).encode()).hexdigest()[:16]}"


class TrialStore:
    """Finished trials of one study, from `open_trials`; several processes may share the file."""

    def __init__(self, study: Any, path: Path) -> None:
        self._study = study
        self._path = path

    def trials(self) -> list[Any]:
        """Trials 0, 1, ... up to the first missing number, without duplicates."""
        # Two processes that run the same search may both store a trial.
        with _storage_errors(self._path):
            stored = self._study.get_trials(deepcopy=False)
        first: dict[int, Any] = {}
        for trial in stored:
            first.setdefault(trial.user_attrs.get(NUMBER, -1), trial)
        trials: list[Any] = []
        while len(trials) in first:
            trials.append(first[len(trials)])
        return trials

    def add(self, trial: Any) -> None:
        """Store a finished trial."""
        with _storage_errors(self._path):
            self._study.add_trial(trial)


@contextlib.contextmanager
def open_trials(file: object, name: str, direction: Direction) -> Iterator[TrialStore]:
    """Yield the stored trials of a study; the file and the study are created if missing."""
    optuna = import_extra("optuna", "TunedClassifier")
    path = storage_path(file)
    prepare(path)
    with _storage_errors(path):
        storage = _open(path)
    try:
        with _storage_errors(path), quiet(optuna):
            study = optuna.create_study(
                storage=storage, study_name=name, direction=direction, load_if_exists=True
            )
        yield TrialStore(study, path)
    finally:
        _close(storage)


def storage_path(file: object) -> Path:
    """Absolute path from a file name or an address `sqlite:///FILE`."""
    text = os.fspath(file) if isinstance(file, (str, os.PathLike)) else None
    if not isinstance(text, str) or "://" in text.removeprefix("sqlite:///") or not text:
        shown = without_secrets(repr(file))
        raise InputError(f"storage must be an SQLite file, e.g. 'tuning.db'; got {shown}")
    path = Path(expanduser(text.removeprefix("sqlite:///"))).absolute()
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device"
        raise InputError(f"storage must be an SQLite file; got the {kind} {path}")
    return path


def prepare(path: Path) -> None:
    """Create the tables of Optuna in a new file; check them in an existing one."""
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with new_file(path) as partial:
                _close(_open(partial))
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "studies" not in tables:
        raise InputError(
            f"storage must be a database of Optuna; got {path}, which has other tables; choose "
            f"another file"
        )


def _open(path: Path) -> Any:
    from optuna.storages import RDBStorage

    return RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": PATIENCE}})


def _close(storage: Any) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _storage_errors(path: Path) -> AbstractContextManager[None]:
    return plain_errors(
        f"storage {path} cannot be used", "sqlalchemy", "optuna", sqlite3.Error, OSError
    )


@contextlib.contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """Suppress Optuna's log lines and its ExperimentalWarning for the sampler."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
