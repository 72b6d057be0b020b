"""Data classes as JSON documents and back, also with NaN and infinity."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

T = TypeVar("T")


def encoded(value: Any) -> Any:
    """Value for JSON: NaN is None, infinity is the text "inf" or "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): encoded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [encoded(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def decoded(kind: type[T], record: Mapping[str, Any]) -> T:
    """Object of a data class from its record; fields that are missing get their defaults."""
    hints = get_type_hints(kind)
    known = {name: value for name, value in record.items() if name in hints}
    return kind(**{name: _value(hints[name], value) for name, value in known.items()})


def _value(hint: Any, value: Any) -> Any:
    """Value of a field from its record, by the type of the field."""
    if hint is float:
        return math.nan if value is None else float(value)
    if value is None:
        return None
    arguments = get_args(hint)
    if type(None) in arguments:
        return _value(next(inner for inner in arguments if inner is not type(None)), value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return decoded(hint, value)
    if isinstance(value, list):
        return tuple(_value(arguments[0], inner) for inner in value)
    if isinstance(value, dict) and arguments:
        return {key: _value(arguments[1], inner) for key, inner in value.items()}
    return value
