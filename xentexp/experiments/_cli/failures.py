"""Errors after which the command has no result, or not all of it; the exit code is 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from xentexp.errors import InputError, NothingToShowError


class AllModelsFailedError(NothingToShowError):
    """All models of a run failed; the exit code is 1, as if one of several failed."""


class JobEndedError(NothingToShowError):
    """The process of a job ended before the job."""


class PageError(NothingToShowError):
    """The page or the pictures of a run could not be made from its results."""


def page_errors(*run_ids: str) -> AbstractContextManager[None]:
    """Turn errors of the page into one sentence: the results of the run are whole."""
    runs = " ".join(run_id[:8] for run_id in run_ids)
    return _faults(
        f"the page of {'run' if len(run_ids) == 1 else 'runs'} {runs} could not be made",
        f"please report the traceback of `xentexp report {runs} --debug`",
    )


def picture_errors(run_id: str) -> AbstractContextManager[None]:
    """Turn errors of the pictures into one sentence: the results of the run are whole."""
    return _faults(
        f"not all pictures of run {run_id[:8]} could be made",
        "please report this message; report.pictures=false leaves the pictures out",
    )


@contextmanager
def _faults(what: str, advice: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a fault of ours must not hide the results
        reason = str(error).strip().partition("\n")[0]
        raise PageError(
            f"{what} ({type(error).__name__}: {reason}); the results are in MLflow; {advice}"
        ) from error
