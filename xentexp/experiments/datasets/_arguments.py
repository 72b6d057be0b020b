"""Check the arguments of a loader against its type annotations."""

from __future__ import annotations

import inspect
import math
import os
import typing
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from xentexp.errors import InputError, unknown_name

Path = str | os.PathLike[str]

_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "an integer",
    float: "a finite number",
    str: "text",
    os.PathLike[str]: "a path",
    Sequence[str]: "a list of text values",
}


def check_arguments(name: str, loader: Callable[..., Any], arguments: Mapping[str, object]) -> None:
    """Raise an InputError if the loader of data set `name` does not accept the arguments."""
    hints = typing.get_type_hints(loader)
    known = list(inspect.signature(loader).parameters)
    for key, value in arguments.items():
        if key not in known:
            raise unknown_name(f"parameter of the data set {name!r}", key, known)
        allowed = typing.get_args(hints[key]) or (hints[key],)
        if hints[key] == Sequence[str]:
            allowed = (hints[key],)
        if not any(_fits(value, hint) for hint in allowed):
            expected = " or ".join(_WORDS[hint] for hint in allowed if hint in _WORDS)
            advice = ""
            if isinstance(value, str) and allowed == (Sequence[str],):
                advice = f"; write [{value!r}] for a single one"
            raise InputError(f"{name}: {key} must be {expected}; got {value!r}{advice}")


def _fits(value: object, hint: Any) -> bool:
    """Whether a value has the annotated type; bool is not int, and floats must be finite."""
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if hint is float:
        number = isinstance(value, Real) and not isinstance(value, bool)
        return number and math.isfinite(typing.cast(float, value))
    if hint == Sequence[str]:
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        return listed and all(isinstance(item, str) for item in typing.cast(list[Any], value))
    return isinstance(value, typing.get_origin(hint) or hint)
