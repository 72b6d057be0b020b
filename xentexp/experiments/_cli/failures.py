"""Errors after which the command has no result, or not all of it; the exit code is 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xentexp.errors import InputError, NothingToShowError


class AllModelsFailedError(NothingToShowError):
    """All models of a run failed; the exit code is 1, as if one of several failed."""


class PageError(NothingToShowError):
    """The page or the pictures of a run could not be made from its results."""


@contextmanager
def page_errors(*run_ids: str) -> Iterator[None]:
    """Turn errors of the page into one sentence: the results of the run are whole."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        runs = " ".join(run_id[:8] for run_id in run_ids)
        reason = str(error).strip().partition("\n")[0]
        raise PageError(
            f"the page of {'run' if len(run_ids) == 1 else 'runs'} {runs} could not be made "
            f"({type(error).__name__}: {reason}); the results are in MLflow; please report the "
            f"traceback of `xentexp report {runs} --debug`"
        ) from error


@contextmanager
def picture_errors(run_id: str) -> Iterator[None]:
    """The same for the pictures of a run."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise PageError(
            f"not all pictures of run {run_id[:8]} could be made ({type(error).__name__}: "
            f"{reason}); the results are in MLflow; please report this message; "
            f"report.pictures=false leaves the pictures out"
        ) from error
