"""How long the fuzz tests run, and what they accept: a value, or one of our errors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from xentexp.errors import InputError

# XENTEXP_FUZZ=N: N times as many examples, different ones each time.
_FACTOR = float(os.environ.get("XENTEXP_FUZZ", "0"))


def fuzzed(examples: int) -> settings:
    """Settings of a fuzz test; the same examples each time, so that CI is reproducible."""
    return settings(
        max_examples=int(examples * (_FACTOR or 1)),
        derandomize=not _FACTOR,
        deadline=timedelta(seconds=20),  # an example that takes longer hangs
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def value_or_error(function: Callable[[], Any]) -> Any:
    """Result of a call; None if it raises an InputError with a message of one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return function()
        except InputError as error:
            message = str(error)
            assert message, "the message is empty"
            assert "\n" not in message, message
            assert len(message) <= 2000
            return None


def is_number(value: Any) -> bool:
    """Whether a value consists of numbers without NaN; infinite ones are allowed."""
    array = np.asarray(value)
    return array.dtype.kind in "fiu" and not np.isnan(array).any()
