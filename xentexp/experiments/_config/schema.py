"""The configuration as typed models, and its first error as one sentence."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.functional_validators import (
    AfterValidator,
    BeforeValidator,
    PlainValidator,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from xentexp.errors import InputError, unknown_name
from xentexp.metrics._registry import get_loss, get_metric

MOST = 1_000_000
"""The largest number of trials and of inner folds."""


def _rule(words: str) -> WrapValidator:
    """Say what a value must be in the error of the value itself, but not of what is inside it."""

    def check(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            first = error.errors()[0]
            if first["loc"] or first["type"] == "unknown_key":
                raise
            raise PydanticCustomError("rule", "{words}", {"words": words}) from None

    return WrapValidator(check)


def _listed(value: object) -> object:
    """A list, as a tuple; a single name is a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if type(value) is list else value


def _as_given(value: Any, handler: Any) -> Any:
    """A number that is checked but stays 0 or 0.0, because it is logged."""
    handler(value)
    return value


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError
    return value


def _loss_name(name: Any) -> str:
    try:
        return get_loss(name).name
    except InputError as error:
        with contextlib.suppress(InputError):
            metric = get_metric(name).name
            message = f"{metric} is a metric of the whole data set; name it among metrics"
            raise ValueError(message) from error
        raise


_COLUMNS = _rule("a list of columns, e.g. [age,job], or null")
Splits = Annotated[int, Field(ge=2), _rule("a whole number >= 2")]
Text = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v), _rule("text")]
LossName = Annotated[str, PlainValidator(_loss_name)]
MetricName = Annotated[str, PlainValidator(lambda name: get_metric(name).name)]
Losses = Annotated[tuple[LossName, ...], BeforeValidator(_listed)]
Metrics = Annotated[tuple[MetricName, ...], BeforeValidator(_listed)]


_RENAMED = {"samples": "metrics"}


def unknown_key(kind: str, key: str, known: Iterable[str]) -> InputError:
    """Error for a key that does not exist: its new name, or the nearest ones."""
    if key in _RENAMED:
        return InputError(f"{key} is now called {_RENAMED[key]}; set {_RENAMED[key]} instead")
    return unknown_name(kind, key, known)


class ConfigSection(BaseModel):
    """A section with fixed keys; values are not converted."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        # Not extra="forbid", whose error does not carry the known keys.
        for key in given if isinstance(given, Mapping) else ():
            if key not in cls.model_fields:
                context = {"key": key, "known": list(cls.model_fields)}
                raise PydanticCustomError("unknown_key", "{key}", context)
        return given


class Stratified(ConfigSection):
    """Folds of `cv=stratified`; of this and the other kinds, see `CrossValidation`."""

    kind: Literal["stratified"]
    n_splits: Splits


class Repeated(ConfigSection):
    """Folds of `cv=repeated`."""

    kind: Literal["repeated"]
    n_splits: Splits
    n_repeats: Annotated[int, Field(ge=1), _rule("a whole number >= 1")]


class Grouped(ConfigSection):
    """Folds of `cv=grouped`."""

    kind: Literal["grouped"]
    n_splits: Splits
    groups: Any  # "auto" or columns, which `CrossValidation` compares with those of the data set


class TimeOrdered(ConfigSection):
    """Folds of `cv=time_ordered`."""

    kind: Literal["time_ordered"]
    n_splits: Splits
    time_column: Annotated[str | None, _rule("the name of a column")]


class Holdout(ConfigSection):
    """The one part of `cv=holdout`."""

    kind: Literal["holdout"]
    n_test: Annotated[int | None, Field(ge=1), _rule("a whole number >= 1")]


class DatasetSection(BaseModel):
    """The name of a data set; the signature of its loader says what else there may be."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    name: Annotated[str, _rule("the name of a data set (xentexp datasets lists them)")]


class ModelFile(ConfigSection):
    """One file of conf/models."""

    preprocessing: Annotated[str, _rule("the name of a preprocessing")]
    classifier: dict[str, Any]
    space: dict[str, Any] | None = None


class TrainOn(ConfigSection):
    """A loss that models are trained on; a name stands for a loss with default parameters."""

    loss: Annotated[str, _rule("the name of a loss")]
    name: Text | None = None
    loss_params: dict[str, Any] | None = None
    class_weight: Any = None  # checked by `to_class_weight`, which needs the classes
    label_smoothing: Annotated[float, WrapValidator(_as_given), _rule("a finite number")] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, given: Any) -> Any:
        return {"loss": given} if isinstance(given, str) else given


class Leakage(ConfigSection):
    """What is done where random folds share entities."""

    check: Literal["compare", "warn", "ignore"]
    key: Annotated[Annotated[list[Annotated[str, _COLUMNS]], Field(min_length=1)] | None, _COLUMNS]


class Tracking(ConfigSection):
    """Where a run is logged."""

    uri: Text | None
    experiment: Text | None


class PublishedNumber(ConfigSection):
    """A number to reproduce."""

    value: Annotated[float, _rule("a finite number")]
    within: Annotated[float, Field(ge=0), _rule("a finite number >= 0")]


class Tune(ConfigSection):
    """How settings are searched."""

    n_trials: Annotated[int, Field(ge=1, le=MOST), _rule(f"a whole number from 1 to {MOST}")]
    timeout: Annotated[float | None, Field(gt=0), _rule("a number of seconds > 0, or null")]
    loss: MetricName | None
    folds: Annotated[int, Field(ge=2, le=MOST), _rule(f"a whole number from 2 to {MOST}")]
    storage: Annotated[str | None, _rule("a sqlite file, e.g. tuning.db, or null")]
    untuned: Annotated[bool, _rule("true or false")]


class Configuration(ConfigSection):
    """All that Hydra composes."""

    dataset: DatasetSection
    models: Annotated[
        dict[str, ModelFile],
        Field(min_length=1),
        _rule("a list of one model at least, e.g. models=[logistic]"),
    ] = Field(default={}, validate_default=True)  # Hydra leaves an empty choice out
    cv: Annotated[
        Stratified | Repeated | Grouped | TimeOrdered | Holdout, Field(discriminator="kind")
    ]
    seed: Annotated[int, Field(ge=0, lt=2**32), _rule(f"a whole number from 0 to {2**32 - 1}")]
    n_jobs: Annotated[
        int,
        Field(ge=-1, le=4096),
        AfterValidator(_not_zero),
        _rule("a number of processes from 1 to 4096, or -1 for all cores"),
    ]
    losses: Annotated[
        Annotated[Losses, Field(min_length=1)] | None, _rule("a list of names, or null for all")
    ]
    metrics: Annotated[Metrics | None, _rule("a list of names, or null for all")]
    leaderboard: Annotated[
        Annotated[Metrics, Field(min_length=1)] | None, _rule("a list of names, or null for all")
    ]
    primary: MetricName
    tracking: Tracking
    submission: Text | None
    published: (
        Annotated[
            dict[str, Annotated[dict[MetricName, PublishedNumber], Field(min_length=1)]],
            Field(min_length=1),
        ]
        | None
    )
    leakage: Leakage
    train_on: Annotated[
        Annotated[
            tuple[
                Annotated[TrainOn, _rule("a list of losses: names, or sections with a loss")], ...
            ],
            BeforeValidator(lambda v: _listed([v] if isinstance(v, Mapping) else v)),
            Field(min_length=1),
        ]
        | None,
        _rule("a list of losses, or null"),
    ]
    curves: Annotated[Losses | None, _rule("a list of names, or null")]
    tune: Annotated[Tune | None, _rule("a section of its own, or null")]


def read(config: Mapping[str, Any]) -> Configuration:
    """Check a composed configuration; an InputError tells the first thing that is wrong."""
    try:
        return Configuration.model_validate(dict(config))
    except ValidationError as error:
        raise _sentence(error) from error


def _sentence(error: ValidationError) -> InputError:
    """The first error of a configuration as our own."""
    first = error.errors()[0]
    kind, context, given = first["type"], first.get("ctx", {}), first["input"]
    where = _where(first["loc"])
    if kind == "unknown_key":
        what = f"key of {where}" if where else "configuration key"
        return unknown_key(what, context["key"], context["known"])
    if kind in ("literal_error", "union_tag_invalid"):
        known = re.findall("'([^']+)'", context.get("expected") or context["expected_tags"])
        return unknown_name(where, context.get("tag", given), known)
    if kind == "union_tag_not_found":
        return InputError(f"{where} has no {context['discriminator']}; choose a {where}=NAME")
    if kind == "missing":
        return InputError(f"{where} is missing; set it")
    if kind == "value_error":  # of a function of ours
        return InputError(f"{where}: {context['error']}")
    if kind in ("dict_type", "model_type", "model_attributes_type", "too_short"):
        words = "a section of its own"
    else:
        words = first["msg"].removeprefix("Input should be ")
    return InputError(f"{where} must be {words}; got {given!r}")


def _where(loc: tuple[int | str, ...]) -> str:
    """Key as on the command line: without places in lists, and `cv=KIND` for the section of it."""
    words = [str(word) for word in loc if not isinstance(word, int) and word != "[key]"]
    if words[:1] == ["cv"] and len(words) > 1:
        words[:2] = ["cv"] if len(words) > 2 else [f"cv={words[1]}"]
    return ".".join(words)
