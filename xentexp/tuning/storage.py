"""Trials that are done, kept in a sqlite file of Optuna's: a search that was cut short goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sqlite3
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import joblib
import pandas as pd

from xentexp.digest import content_digest
from xentexp.errors import InputError

Direction = Literal["minimize", "maximize"]

NUMBER = "xentexp:trial"
"""Attribute of a stored trial: its place in the search."""
PATIENCE = 300.0
"""Seconds that a write waits for those of other processes."""


def data_digest(X: Any, y: Any, *others: Any) -> str:
    """Digest of training rows, the same in every process.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame
        Features.
    y : ndarray
        Labels.
    *others : object
        What else belongs to the rows, e.g. weights.

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> data_digest(np.eye(2), np.array([0, 1])) == data_digest(np.eye(2), np.array([1, 0]))
    False
    """
    if isinstance(X, pd.DataFrame):
        return content_digest(X, pd.Series(y)) + str(joblib.hash(others))
    return str(joblib.hash((X, y, others)))


def study_name(prefix: str, *parts: Any) -> str:
    """Name of the study of one search: another one for whatever its values depend on.

    Parameters
    ----------
    prefix : str
        For a person to read.
    *parts : object
        Data, estimator, space, loss, seed: anything that pickles.

    Returns
    -------
    str
        The prefix and a digest.

    Raises
    ------
    InputError
        For an estimator that does not pickle.
    """
    try:
        hashes = [str(joblib.hash(part)) for part in parts]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"storage needs an estimator that can be pickled, to know the search again: {error}"
        ) from error
    return f"{prefix} {hashlib.sha256(' '.join(hashes).encode()).hexdigest()[:16]}"


class TrialStore:
    """Finished trials of one study, in a file that searches of several processes share.

    Only what is finished is written, each trial in one go: a search that is killed leaves
    nothing half done. Use `open_trials`.
    """

    def __init__(self, study: Any, path: Path) -> None:
        self._study = study
        self._path = path

    def trials(self) -> list[Any]:
        """Trials from the first on without a gap, each once, whoever else wrote it too."""
        with _told_plainly(self._path):
            stored = self._study.get_trials(deepcopy=False)
        first: dict[int, Any] = {}
        for trial in stored:
            first.setdefault(trial.user_attrs.get(NUMBER, -1), trial)
        found: list[Any] = []
        while len(found) in first:
            found.append(first[len(found)])
        return found

    def add(self, trial: Any) -> None:
        """Write a finished trial."""
        with _told_plainly(self._path):
            self._study.add_trial(trial)


@contextlib.contextmanager
def open_trials(file: object, name: str, direction: Direction) -> Iterator[TrialStore]:
    """Trials of a study in a file; both are made where they do not exist.

    Parameters
    ----------
    file : str or Path
        A sqlite file, or its address ``sqlite:///FILE``.
    name : str
        Of the study.
    direction : {"minimize", "maximize"}
        Of its values.

    Yields
    ------
    TrialStore
        To the search.

    Raises
    ------
    InputError
        Where the file cannot be used, or is a database of something else.
    """
    optuna = import_optuna()
    path = storage_path(file)
    prepare(path)
    with _told_plainly(path):
        storage = _open(path)
    try:
        with _told_plainly(path), quiet(optuna):
            study = optuna.create_study(
                storage=storage, study_name=name, direction=direction, load_if_exists=True
            )
        yield TrialStore(study, path)
    finally:
        _close(storage)


def storage_path(file: object) -> Path:
    """Path of a storage.

    Parameters
    ----------
    file : str or Path
        A sqlite file, or its address ``sqlite:///FILE``.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    InputError
        For other addresses, and for a folder.

    Examples
    --------
    >>> storage_path("sqlite:///tuning.db").name
    'tuning.db'
    """
    text = os.fspath(file) if isinstance(file, (str, os.PathLike)) else None
    if not isinstance(text, str) or "://" in text.removeprefix("sqlite:///") or not text:
        raise InputError(f"storage must be a sqlite file, e.g. 'tuning.db'; got {file!r}")
    path = Path(text.removeprefix("sqlite:///")).expanduser().absolute()
    if path.is_dir():
        raise InputError(f"storage must be a file; {path} is a folder")
    return path


def prepare(path: Path) -> None:
    """Make the tables of a storage, or see that they are Optuna's.

    They are made in a file beside it, which then gets the name: whoever comes second finds
    either no file or a whole one.

    Parameters
    ----------
    path : Path
        Of the file.

    Raises
    ------
    InputError
        Where the file cannot be used, or is a database of something else.
    """
    with _told_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
            try:
                _close(_open(partial))
                with contextlib.suppress(FileExistsError):  # another process was first
                    os.link(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "studies" not in tables:
        raise InputError(f"storage {path} is a database of something else; name a file of its own")


def _open(path: Path) -> Any:
    from optuna.storages import RDBStorage

    return RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": PATIENCE}})


def _close(storage: Any) -> None:
    storage.remove_session()
    storage.engine.dispose()


@contextlib.contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OptunaError, sqlite3.Error, OSError) as error:
        cause = error.__cause__ or error
        reason = getattr(cause, "strerror", None) or getattr(cause, "orig", None) or cause
        raise InputError(f"storage {path} cannot be used: {reason}") from error


def import_optuna() -> Any:
    """The package, or what to install.

    Returns
    -------
    module
        optuna.

    Raises
    ------
    InputError
        Where it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        if error.name not in (None, "optuna"):
            raise
        raise InputError("tuning needs Optuna: pip install 'xentexp[tune]'") from None
    return optuna


@contextlib.contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """No line for each study, and no warning that the multivariate sampler is experimental.

    Parameters
    ----------
    optuna : module
        The package.

    Yields
    ------
    None
        To the code that uses it.
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
