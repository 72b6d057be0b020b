"""Errors of other libraries become one sentence; missing packages name the pip command."""

from __future__ import annotations

import sqlite3
import sys
import tomllib
from pathlib import Path

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from xentexp.errors import (
    EXTRAS,
    InputError,
    import_extra,
    missing_extra,
    plain_errors,
    unknown_name,
)


class DerivedError(TerminatedWorkerError):
    pass


def raised(error: BaseException, *foreign: str | type[Exception]) -> BaseException:
    """The exception that `plain_errors` raises for an error in its block."""
    with pytest.raises(BaseException) as caught, plain_errors("the job failed", *foreign):  # noqa: PT011
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error", [TerminatedWorkerError("lost"), DerivedError("lost"), ValueError("lost")]
)
def test_errors_of_a_named_package_or_class_become_input_errors(error: Exception) -> None:
    caught = raised(error, "joblib", ValueError)
    assert isinstance(caught, InputError)
    assert str(caught) == "the job failed: lost"
    assert caught.__cause__ is error


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
def test_the_reason_is_the_error_of_the_system_or_database_that_caused_it(
    cause: Exception, message: str
) -> None:
    error = RuntimeError("see the manual")
    error.__cause__ = cause
    assert str(raised(error, RuntimeError)) == f"the job failed: {message}"


def test_the_reason_is_one_line_without_advice_or_stack_trace() -> None:
    error = RuntimeError("(background: https://x)\n bad depth\nStack trace:\n  [0] main")
    assert str(raised(error, RuntimeError)) == "the job failed: bad depth"


def test_an_error_that_was_handled_before_the_call_is_not_the_reason() -> None:
    try:
        raise OSError("of an earlier step")
    except OSError:
        assert str(raised(RuntimeError("own"), RuntimeError)) == "the job failed: own"


def test_an_error_of_the_system_names_the_file() -> None:
    with pytest.raises(InputError) as caught, plain_errors("settings cannot be read", OSError):
        Path("absent.json").read_text()
    assert str(caught.value) == "settings cannot be read: No such file or directory (absent.json)"


def test_an_unknown_name_comes_with_the_nearest_and_the_known_names() -> None:
    error = unknown_name("loss", "brier", ["brier_loss", "entropy"])
    expected = "unknown loss 'brier'; did you mean 'brier_loss'? Known: brier_loss, entropy"
    assert str(error) == expected
    error = unknown_name("field", "x", ["summary"], where=" in Properties")
    assert str(error) == "unknown field 'x' in Properties. Known: summary"
    error = unknown_name("loss", "brier", ["brier_loss"], hint="use mse")
    assert str(error) == "unknown loss 'brier'; use mse. Known: brier_loss"


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_package_names_what_needs_it_and_the_pip_command(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        import_extra(module, "The model")
    assert str(caught.value).startswith(f"The model needs {module} (import of {module} halted")
    extra = EXTRAS[module]
    command = f"run pip install 'xentexp[{extra}]' (in a clone: pip install '.[{extra}]')"
    assert str(caught.value).endswith(command)


def test_a_missing_package_without_a_reason_is_not_installed() -> None:
    start = "TunedClassifier needs optuna (it is not installed); run pip install 'xentexp[tune]' ("
    assert str(missing_extra("optuna", "TunedClassifier")).startswith(start)


def test_every_extra_in_a_message_exists_in_pyproject() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) <= set(project["optional-dependencies"])


def test_long_messages_are_shortened_in_the_middle() -> None:
    message = f"labels must be a list; got {'a' * 10_000_000}; pass a list"
    shown = str(InputError(message))
    assert len(shown) < 2000
    assert shown.startswith("labels must be a list; got aaa")
    assert shown.endswith("aaa; pass a list")
    assert " [...] " in shown


def test_the_error_of_the_system_is_shown_instead_of_the_package_that_quotes_it() -> None:
    def raise_both() -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise OSError("HTTPConnectionPool(host='a', port=1): Max retries") from error

    with (
        pytest.raises(InputError, match=r"^it failed: Connection refused$"),
        plain_errors("it failed", OSError),
    ):
        raise_both()
    with (
        pytest.raises(InputError, match=r"^it failed: Max retries$"),
        plain_errors("it failed", OSError),
    ):
        raise OSError("Max retries")
