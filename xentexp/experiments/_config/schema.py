"""Typed models of the configuration; the first validation error becomes one sentence."""

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
from xentexp.inference._cost import LARGEST_COST
from xentexp.metrics._registry import get_loss, get_metric

MOST = 1_000_000
"""Largest number of trials and of inner folds."""


def _rule(words: str) -> WrapValidator:
    """Validator that words the error of a value, but not the errors of values inside it."""

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
    """Convert a list to a tuple, and a single name to a tuple of one."""
    return (value,) if isinstance(value, str) else tuple(value) if type(value) is list else value


def _as_given(value: Any, handler: Any) -> Any:
    """Check a number but keep it as written (0 or 0.0), because it is logged."""
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
            message = f"{metric} is a metric of the whole data set; add it to metrics= instead"
            raise ValueError(message) from error
        raise


def _groups(value: Any) -> Any:
    columns = isinstance(value, list) and value and all(isinstance(v, str) for v in value)
    if value is None or value == "auto" or columns:
        return value
    words = "null, auto or a list of columns, e.g. [age,job]"
    raise PydanticCustomError("rule", "{words}", {"words": words})


_REGISTERED = (
    "the name of a registered model, without / : @ and not like the id m-... of a logged model"
)
_ALIAS = "an alias of letters, digits, _ and -, not latest or like v1"


def _registered_name(name: str | None) -> str | None:
    # MLflow refuses / and :, and reads models:/NAME@ALIAS and models:/m-ID.
    if name is not None and (
        not name.isprintable()
        or name != name.strip()
        or re.search("[/:@]", name)
        or name.strip(".") == ""
        or name.startswith("m-")
        or len(name) > 250
    ):
        raise ValueError
    return name


def _alias(alias: str) -> str:
    if not re.fullmatch(r"(?!v\d+$|latest$)[\w-]{1,255}", alias, re.IGNORECASE | re.ASCII):
        raise ValueError
    return alias


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError
    return values


_MATRIX = _rule("a list of lists of numbers, e.g. [[0,1],[5,0]]")
_COLUMNS = _rule("a list of columns, e.g. [age,job], or null")
Splits = Annotated[int, Field(ge=2), _rule("an integer >= 2")]
Text = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v), _rule("text")]
Price = Annotated[
    float,
    Field(gt=0, le=LARGEST_COST),
    WrapValidator(_as_given),
    _rule(f"a number > 0 and <= {LARGEST_COST:g}"),
]
LossName = Annotated[str, PlainValidator(_loss_name)]
MetricName = Annotated[str, PlainValidator(lambda name: get_metric(name).name)]
Losses = Annotated[tuple[LossName, ...], BeforeValidator(_listed)]
Metrics = Annotated[tuple[MetricName, ...], BeforeValidator(_listed)]


_RENAMED = {"samples": "metrics"}


def unknown_key(kind: str, key: str, known: Iterable[str], *, where: str = "") -> InputError:
    """Error for a key that does not exist, with its new name or the nearest names."""
    if key in _RENAMED:
        return InputError(f"{key} is now called {_RENAMED[key]}; set {_RENAMED[key]} instead")
    return unknown_name(kind, key, known, where=where)


class ConfigSection(BaseModel):
    """Section with fixed keys; values are not converted to other types."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, section: Any) -> Any:
        # The error of extra="forbid" does not list the known keys.
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in section if isinstance(section, Mapping) else ():
            if key not in known:
                context = {"key": key, "known": known}
                raise PydanticCustomError("unknown_key", "{key}", context)
        return section


class Stratified(ConfigSection):
    """Section of `cv=stratified`; `CrossValidation` documents all kinds."""

    kind: Literal["stratified"]
    n_splits: Splits


class Repeated(ConfigSection):
    """Section of `cv=repeated`."""

    kind: Literal["repeated"]
    n_splits: Splits
    n_repeats: Annotated[int, Field(ge=1), _rule("an integer >= 1")]


class Grouped(ConfigSection):
    """Section of `cv=grouped`."""

    kind: Literal["grouped"]
    n_splits: Splits
    n_repeats: Annotated[int, Field(ge=1), _rule("an integer >= 1")]
    groups: Annotated[Any, PlainValidator(_groups)]


class TimeOrdered(ConfigSection):
    """Section of `cv=time_ordered`."""

    kind: Literal["time_ordered"]
    n_splits: Splits
    time_column: Annotated[str | None, _rule("the name of a column")]


class Holdout(ConfigSection):
    """Section of `cv=holdout`."""

    kind: Literal["holdout"]
    n_test: Annotated[int | None, Field(ge=1), _rule("a number of rows, an integer >= 1")]


class Cost(ConfigSection):
    """Section `dataset.cost`: costs of two classes, or a matrix by true class and decision."""

    miss: Price | None = None
    false_alarm: Price | None = None
    matrix: Annotated[list[Annotated[list[Annotated[float, _MATRIX]], _MATRIX]] | None, _MATRIX] = (
        None
    )
    amount: Annotated[str | None, _rule("the name of a column")] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Cost:
        pair = (self.miss, self.false_alarm)
        if pair.count(None) == (0 if self.matrix is None else 2):
            return self
        words = "either miss and false_alarm or matrix, e.g. {miss: 5, false_alarm: 1}"
        raise PydanticCustomError("rule", "{words}", {"words": words})

    def of_classes(self, n_classes: int) -> list[list[float]]:
        """Matrix by true class and decision."""
        if self.matrix is not None:
            return self.matrix
        if n_classes != 2:
            raise InputError(
                f"dataset.cost must have a matrix for more than two classes; got miss and "
                f"false_alarm for {n_classes} classes; set "
                f"dataset.cost={{matrix: [[0,1,2],...]}} with a row for each true class and a "
                f"column for each decision"
            )
        assert self.miss is not None
        assert self.false_alarm is not None
        return [[0.0, self.false_alarm], [self.miss, 0.0]]


class DatasetSection(BaseModel):
    """Section `dataset`: a name, and parameters that are checked against the loader."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    name: Annotated[str, _rule("the name of a data set (xentexp datasets lists them)")]
    cost: Annotated[
        Cost | None,
        _rule("costs such as {miss: 5, false_alarm: 1} or {matrix: [[0,1],[5,0]]}, or null"),
    ] = None


class ModelFile(ConfigSection):
    """Content of a file of conf/models."""

    preprocessing: Annotated[str, _rule("the name of a preprocessing")]
    classifier: dict[str, Any]
    space: dict[str, Any] | None = None


def _stored_models(value: Any) -> Any:
    if isinstance(value, Mapping):
        words = "best, all or none; a model must not be named log, rename its file and its key"
        raise PydanticCustomError("rule", "{words}", {"words": words})
    return value


class Models(BaseModel):
    """Section `models`: the model files, and which models of a run are stored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    __pydantic_extra__: dict[str, ModelFile]

    log: Annotated[Literal["best", "all", "none"], BeforeValidator(_stored_models)] = "best"

    @model_validator(mode="after")
    def _not_empty(self) -> Models:
        if not self.files:
            raise PydanticCustomError("rule", "{words}", {"words": ""})
        return self

    @property
    def files(self) -> dict[str, ModelFile]:
        """Model files by name."""
        return self.__pydantic_extra__


class TrainOn(ConfigSection):
    """Entry of `train_on`; a string is the name of a loss with default parameters."""

    loss: Annotated[str, _rule("the name of a loss")]
    name: Text | None = None
    loss_params: dict[str, Any] | None = None
    class_weight: Any = None  # checked by `to_class_weight`, which needs the classes
    label_smoothing: Annotated[float, WrapValidator(_as_given), _rule("a finite number")] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, entry: Any) -> Any:
        return {"loss": entry} if isinstance(entry, str) else entry


class Leakage(ConfigSection):
    """Section `leakage`: what to do if random folds share entities."""

    check: Literal["compare", "warn", "ignore"]
    key: Annotated[Annotated[list[Annotated[str, _COLUMNS]], Field(min_length=1)] | None, _COLUMNS]


class Tracking(ConfigSection):
    """Section `tracking`: where a run is logged, and the name of its best model in the registry."""

    uri: Text | None
    experiment: Text | None
    # A field `register` would hide the method that every abstract base class has.
    registered: Annotated[
        Annotated[str | None, AfterValidator(_registered_name)], _rule(_REGISTERED)
    ] = Field(default=None, alias="register")
    alias: Annotated[Annotated[str, AfterValidator(_alias)], _rule(_ALIAS)] = "champion"


def _number_of_pictures(value: Any) -> int:
    """True, False or a number of models."""
    if isinstance(value, int) and (isinstance(value, bool) or value >= 1):
        return value
    raise ValueError(value)


class Report(ConfigSection):
    """Section `report`: the page of a run."""

    page: Annotated[bool, _rule("true or false")]
    pictures: Annotated[
        Annotated[int, PlainValidator(_number_of_pictures)],
        _rule("true, false or the number of models with pictures, at least 1"),
    ] = True
    mute: Annotated[
        Annotated[tuple[Text, ...], BeforeValidator(_listed)],
        _rule("a list of codes of checks, e.g. [X103]"),
    ]


class PublishedNumber(ConfigSection):
    """Published value and the tolerance for reproducing it."""

    value: Annotated[float, _rule("a finite number")]
    within: Annotated[float, Field(ge=0), _rule("a finite number >= 0")]


class Tune(ConfigSection):
    """Section `tune`: how hyperparameters are searched."""

    n_trials: Annotated[int, Field(ge=1, le=MOST), _rule(f"an integer from 1 to {MOST}")]
    timeout: Annotated[float | None, Field(gt=0), _rule("a number of seconds > 0, or null")]
    loss: MetricName | None
    folds: Annotated[int, Field(ge=2, le=MOST), _rule(f"an integer from 2 to {MOST}")]
    storage: Annotated[str | None, _rule("an SQLite file, e.g. tuning.db, or null")]
    untuned: Annotated[bool, _rule("true or false")]


class OnThisComputer(ConfigSection):
    """Section of `engine=local` and `engine=threads`."""

    name: Literal["local", "threads"]


class OnDask(ConfigSection):
    """Section of `engine=dask`."""

    name: Literal["dask"]
    address: Annotated[str | None, _rule("an address such as tcp://HOST:PORT, or null")]
    n_workers: Annotated[int | None, Field(ge=1, le=4096), _rule("an integer >= 1, or null")]


class OnRay(ConfigSection):
    """Section of `engine=ray`."""

    name: Literal["ray"]
    address: Annotated[str | None, _rule("auto, an address such as HOST:PORT, or null")]


class ExplainSection(ConfigSection):
    """Section `explain`: what is computed beside each fit."""

    importance: Annotated[bool, _rule("true or false")]
    segments: Annotated[bool, _rule("true or false")]
    n_rows: Annotated[int, Field(ge=1, le=MOST), _rule(f"an integer from 1 to {MOST}")]


class Configuration(ConfigSection):
    """The whole configuration."""

    dataset: DatasetSection
    models: Annotated[
        Models,
        _rule("a list of at least one model, e.g. models=[logistic]"),
    ] = Field(default={}, validate_default=True)  # Hydra omits the key if no model is chosen
    cv: Annotated[
        Stratified | Repeated | Grouped | TimeOrdered | Holdout, Field(discriminator="kind")
    ]
    seed: Annotated[int, Field(ge=0, lt=2**32), _rule(f"an integer from 0 to {2**32 - 1}")]
    n_jobs: Annotated[
        int,
        Field(ge=-1, le=4096),
        AfterValidator(_not_zero),
        _rule("a number of fits from 1 to 4096, or -1 for all cores"),
    ]
    threads_per_fit: Annotated[int, Field(ge=1, le=4096), _rule("an integer from 1 to 4096")]
    engine: Annotated[OnThisComputer | OnDask | OnRay, Field(discriminator="name")]
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
    overwrite: Annotated[bool, _rule("true or false")] = False
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
    report: Report
    explain: Annotated[
        ExplainSection | None,
        BeforeValidator(lambda v: None if v is False else v),
        _rule("a section with importance, segments and n_rows, or null"),
    ] = None
    calibration: Annotated[
        Annotated[
            tuple[Literal["sigmoid", "isotonic", "temperature"], ...],
            BeforeValidator(_listed),
            Field(min_length=1),
            AfterValidator(_once),
        ]
        | None,
        _rule("sigmoid, isotonic, temperature, a list of different ones, or null"),
    ] = None
    tune: Annotated[Tune | None, _rule("a section such as the one of experiment=tune, or null")]


def read(config: Mapping[str, Any]) -> Configuration:
    """Validate a composed configuration; raise an InputError for the first problem."""
    try:
        return Configuration.model_validate(dict(config))
    except ValidationError as error:
        raise _sentence(error) from error


def _sentence(error: ValidationError) -> InputError:
    """InputError for the first error that pydantic reports."""
    first = error.errors()[0]
    kind, context, value = first["type"], first.get("ctx", {}), first["input"]
    where = _where(first["loc"])
    if kind == "unknown_key":
        what = f"key of {where}" if where else "configuration key"
        unknown = unknown_key(what, context["key"], context["known"])
        if re.fullmatch(r"models\.[^.]+", where) and "classifier" not in value:
            return InputError(f"{unknown}; {where}.classifier._target_ must be set")
        return unknown
    if kind in ("literal_error", "union_tag_invalid"):
        known = re.findall("'([^']+)'", context.get("expected") or context["expected_tags"])
        if where == "cv":
            from xentexp.experiments._folds import unknown_kind  # which imports scikit-learn

            return unknown_kind(where, context.get("tag", value))
        return unknown_name(where, context.get("tag", value), known)
    if kind == "union_tag_not_found":
        return InputError(f"{where} must have a {context['discriminator']}; choose {where}=NAME")
    if kind == "missing":
        return InputError(f"{where} must be set; it has no default")
    if kind == "value_error":  # raised by a validator of this module
        return InputError(f"{where}: {context['error']}")
    if kind in ("dict_type", "model_type", "model_attributes_type", "too_short"):
        words = "a section with keys"
    else:
        words = first["msg"].removeprefix("Input should be ")
    advice = ""
    if isinstance(value, str) and "a list of columns" in words:
        advice = f"; write {where}=[{value}]"
    if where == "models" and isinstance(value, Mapping) and not {*value} - {"log"}:
        value = []  # Hydra omits an empty list
    return InputError(f"{where} must be {words}; got {value!r}{advice}")


def _where(loc: tuple[int | str, ...]) -> str:
    """Key as on the command line: without list indices; ``cv=KIND`` for the section cv."""
    words = [str(word) for word in loc if not isinstance(word, int) and word != "[key]"]
    group = words[0] if words else ""
    if group in ("cv", "engine") and len(words) > 1:
        words[:2] = [group] if len(words) > 2 else [f"{group}={words[1]}"]
    return ".".join(words)
