"""Intervals of every model, its difference to the best model, and the answer in a sentence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from xentexp.errors import InputError
from xentexp.inference import Difference, Equivalence, Interval

VERSION = 1
"""Version of the record of `Uncertainty`."""

T = TypeVar("T")


@dataclass(frozen=True)
class ModelUncertainty:
    """Intervals of one model; mappings are by name of the loss or metric."""

    model: str
    levels: Mapping[str, Interval]  # of its own value
    differences: Mapping[str, Difference]  # this minus best; the best model has none
    constant: bool = False  # predicts the same probabilities for all rows of a fold


@dataclass(frozen=True)
class Uncertainty:
    """What is known about the order of the models, in numbers and in sentences."""

    primary: str
    models: tuple[ModelUncertainty, ...]  # best first
    best: Mapping[str, str]  # by loss or metric
    tied: Mapping[str, tuple[str, ...]]  # models that cannot be told from the best, without it
    margin: float  # of practical equivalence, in units of the primary loss or metric
    equivalence: Equivalence | None  # best against next best
    answer: str
    rule: str
    warnings: tuple[str, ...] = ()

    def model(self, name: str) -> ModelUncertainty | None:
        """Intervals of a model; None if it has none."""
        return next((model for model in self.models if model.model == name), None)

    def to_record(self) -> dict[str, Any]:
        """JSON document: NaN is None, infinity is the text "inf" or "-inf"."""
        return {"version": VERSION, **_encoded(dataclasses.asdict(self))}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Uncertainty:
        """Read a document that `to_record` made; keys of later versions are ignored."""
        version = record.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise InputError(
                f"the stored intervals must have version {VERSION} or older; got version "
                f"{version!r}; install a newer xentexp"
            )
        return _decoded(cls, record)


def _encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _encoded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _decoded(kind: type[T], record: Mapping[str, Any]) -> T:
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
        return _decoded(hint, value)
    if isinstance(value, list):
        return tuple(_value(arguments[0], inner) for inner in value)
    if isinstance(value, dict):
        return {key: _value(arguments[1], inner) for key, inner in value.items()}
    return value
