"""Errors of other libraries become one sentence; missing packages name the pip command."""

from __future__ import annotations

import sqlite3
import sys
import tomllib
from pathlib import Path

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from xentexp.errors import EXTRAS, InputError, import_extra, plain_errors


class DerivedError(TerminatedWorkerError):
    pass


def raised(error: BaseException, *foreign: str | type[Exception]) -> BaseException:
    """What leaves `plain_errors` when `error` is raised inside."""
    with pytest.raises(BaseException) as caught, plain_errors("the job failed", *foreign):  # noqa: PT011
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error", [TerminatedWorkerError("lost"), DerivedError("lost"), ValueError("lost")]
)
def test_errors_of_a_named_package_or_class_become_input_errors(error: Exception) -> None:
    found = raised(error, "joblib", ValueError)
    assert isinstance(found, InputError)
    assert str(found) == "the job failed: lost"
    assert found.__cause__ is error


@pytest.mark.parametrize("error", [ZeroDivisionError(), InputError("x"), KeyboardInterrupt()])
def test_other_errors_and_input_errors_pass_unchanged(error: BaseException) -> None:
    assert raised(error, "joblib", ValueError) is error


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (sqlite3.OperationalError("database is locked"), "database is locked"),
        (FileNotFoundError(2, "No such file", "a.db"), "No such file (a.db)"),
        (ModuleNotFoundError("No module named 'psycopg2'"), "No module named 'psycopg2'"),
        (KeyError("inner"), "see the manual"),
    ],
)
def test_the_reason_is_that_of_the_system_or_database_below_a_wrapper(
    cause: Exception, message: str
) -> None:
    error = RuntimeError("see the manual")
    error.__cause__ = cause
    assert str(raised(error, RuntimeError)) == f"the job failed: {message}"


def test_the_reason_is_one_line_without_advice_or_stack_trace() -> None:
    error = RuntimeError("(background: https://x)\n bad depth\nStack trace:\n  [0] main")
    assert str(raised(error, RuntimeError)) == "the job failed: bad depth"


def test_an_error_that_was_handled_before_is_not_the_reason() -> None:
    try:
        raise OSError("of an earlier step")
    except OSError:
        assert str(raised(RuntimeError("own"), RuntimeError)) == "the job failed: own"


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_package_names_what_needs_it_and_the_pip_command(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        import_extra(module, "The model")
    assert str(caught.value).startswith(f"The model needs {module} (import of {module} halted")
    assert str(caught.value).endswith(f"run pip install 'xentexp[{EXTRAS[module]}]'")


def test_every_extra_in_a_message_is_one_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) <= set(project["optional-dependencies"])
