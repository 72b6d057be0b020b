"""`InputError`, the exception for mistakes that the user can correct, and its helpers."""

from __future__ import annotations

import contextlib
import difflib
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

EXTRAS = {
    "lightgbm": "boosters",
    "xgboost": "boosters",
    "catboost": "boosters",
    "torch": "torch",
    "optuna": "tune",
    "empulse": "empulse",
    "openpyxl": "excel",
    "distributed": "dask",
    "ray": "ray",
}
"""Optional packages and the extra of xentexp that installs each."""

__all__ = ["InputError", "UndefinedError"]


class InputError(ValueError):
    """Invalid input: data, options, configuration or files that the user can correct.

    The message states the rule, the value that breaks it and what to do. `InputError` is a
    ``ValueError``, as users of scikit-learn expect. The command line prints the message as one
    sentence and exits with code 2.

    Examples
    --------
    >>> from xentexp import InputError, evaluate
    >>> try:
    ...     evaluate([0, 1], [0.5, 1.5])
    ... except InputError as error:
    ...     print(error)
    probabilities must lie in [0, 1]; row 1 of y_pred has 1.5; ...
    """

    def __init__(self, message: str) -> None:
        if len(message) > _MAX_LENGTH:  # a value that it quotes may be a whole file
            message = f"{message[: _MAX_LENGTH - 500]} [...] {message[-400:]}"
        super().__init__(message)


_MAX_LENGTH = 2000


class NothingToShowError(InputError):
    """The input is valid, but there is no result; the exit code is 1."""


class StoreError(InputError):
    """The tracking store failed, or does not respond."""


class UndefinedError(InputError):
    """The metric has no value on these data, e.g. because they have a single class.

    The functions of `xentexp.metrics` and `MetricScorer` raise it; `MetricScorers` and experiments
    record NaN for the fold instead. It is an `InputError` and therefore a ``ValueError``.

    Examples
    --------
    >>> from xentexp.errors import UndefinedError
    >>> from xentexp.metrics import roc_auc
    >>> try:
    ...     roc_auc([1, 1], [0.2, 0.9])
    ... except UndefinedError as error:
    ...     print(error)
    roc_auc is undefined: there are no rows of class 0
    """


def printable(text: str, width: int = 200) -> str:
    """Text on one line without control characters, cut off after `width` characters."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= width else f"{text[:width]}..."


def unknown_name(
    kind: str,
    name: object,
    known: Iterable[str],
    *,
    shown: Iterable[str] | None = None,
    where: str = "",
    hint: str | None = None,
) -> InputError:
    """Error for an unknown name; with a hint or the nearest names, and a list of names."""
    # `shown`: names to list instead of `known`. `hint`: what to do, instead of the nearest names.
    names = sorted(set(known))
    text = str(name)
    near = [candidate for candidate in names if candidate.lower() == text.lower()]
    near = near or difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    near = near or [candidate for candidate in names if text and text in candidate][:3]
    advice = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    if hint is not None:
        advice = f"; {hint}."
    listed = names if shown is None else sorted(shown)
    more = f", ... ({len(listed)} in all)" if len(listed) > 20 else ""
    known_names = f"Known: {', '.join(map(printable, listed[:20]))}{more}"
    return InputError(f"unknown {kind} {name!r}{where}{advice} {known_names}")


@contextlib.contextmanager
def plain_errors(
    problem: str, *foreign: str | type[Exception], kind: type[InputError] = InputError
) -> Iterator[None]:
    """Turn errors of other libraries into an `InputError`: "<problem>: <reason>"."""
    # `foreign`: names of packages (every exception class that they define) or exception classes.
    handled = sys.exception()
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        classes = tuple(kind for kind in foreign if isinstance(kind, type))
        packages = {base.__module__.partition(".")[0].lstrip("_") for base in type(error).__mro__}
        if not isinstance(error, classes) and packages.isdisjoint(foreign):
            raise
        raise kind(f"{problem}: {_reason(error, handled)}") from error


def _reason(error: BaseException, handled: BaseException | None) -> str:
    """Message of the OSError, database or import error that caused it, else its first line."""
    cause: BaseException | None = error
    without_number = ""  # an OSError of a package, which quotes the one of the system at length
    while cause is not None and cause is not handled:  # errors before the call do not count
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror} ({cause.filename})" if cause.filename else cause.strerror
        if isinstance(cause, (sqlite3.Error, ImportError)):
            return str(cause)
        if isinstance(cause, OSError):
            without_number = without_number or str(cause)
        cause = cause.__cause__ or cause.__context__
    if without_number:
        return without_number
    # SQLAlchemy adds lines of advice in brackets, XGBoost a stack trace.
    lines = [line for line in str(error).splitlines() if line.strip() and line[0] != "("]
    return (lines or [str(error)])[0].strip()


def import_extra(module: str, needed_by: str) -> Any:
    """Import an optional package; the error names the pip command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise missing_extra(module, needed_by, str(error)) from error


def missing_extra(module: str, needed_by: str, reason: str = "it is not installed") -> InputError:
    """Error for an optional package that cannot be imported."""
    package = module.partition(".")[0]
    extra = EXTRAS[package]
    return InputError(
        f"{needed_by} needs {package} ({reason}); run pip install 'xentexp[{extra}]' (in a clone: "
        f"pip install '.[{extra}]')"
    )
