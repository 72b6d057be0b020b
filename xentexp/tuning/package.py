"""Optuna: imported where it is used, and kept from talking."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from xentexp.errors import InputError


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
