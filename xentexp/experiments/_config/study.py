"""Study: the data set, candidates, folds and metrics of one configuration."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import expanduser
from pathlib import Path
from typing import Any

from pandas import CategoricalDtype

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._analysis.leakage import RANDOM, Leak, find_leak, grouped_folds
from xentexp.experiments._analysis.replication import Published
from xentexp.experiments._config.calibration import calibrated_candidates, check_rows_of_classes
from xentexp.experiments._config.schema import (
    Cost,
    ExplainSection,
    Leakage,
    OnDask,
    OnRay,
    OnThisComputer,
    PublishedNumber,
    read,
)
from xentexp.experiments._config.training import read_candidates, with_corrections
from xentexp.experiments._config.tuning import Tuning, read_tuning, tuned_candidates
from xentexp.experiments._engines.base import Engine
from xentexp.experiments._engines.by_dask import DaskEngine
from xentexp.experiments._engines.by_joblib import RayEngine
from xentexp.experiments._engines.choose import as_engine
from xentexp.experiments._explain import Explain
from xentexp.experiments._folds import (
    STRATIFYING,
    CrossValidation,
    Fold,
    absent_classes,
    check_weights,
    too_few_rows,
    with_entities,
)
from xentexp.experiments._formatting import dotted
from xentexp.experiments._models import seeded
from xentexp.experiments._new_files import check_new, check_not_read, check_place
from xentexp.experiments._results import Candidate
from xentexp.experiments._run_checks import check_of
from xentexp.experiments._scoring import choose_measures
from xentexp.experiments._submission import SUBMISSION
from xentexp.experiments.datasets import DATASETS, Dataset, Entities, Finding, load_dataset
from xentexp.experiments.datasets._checks import as_typed
from xentexp.experiments.datasets._dacon import FILES, FOLDER_VARIABLE
from xentexp.experiments.datasets._prepare import cost_matrix, row_weights
from xentexp.experiments.datasets._repeats import check_key
from xentexp.inference._cost import LARGEST_COST

_NOT_HASHED = {  # keys that do not change the values of the run
    "tracking",
    "n_jobs",
    "engine",
    "submission",
    "overwrite",
    "primary",
    "leaderboard",
    "published",
    "leakage",
    "report",
    "explain",
}


@dataclass(frozen=True)
class Study:
    """Objects of one run."""

    dataset: Dataset
    dataset_parameters: Mapping[str, Any]  # arguments of its loader, and cost if it is set
    candidates: tuple[Candidate, ...]
    cv: CrossValidation
    folds: tuple[Fold, ...]
    losses: tuple[str, ...] | None  # None for all that apply
    metrics: tuple[str, ...] | None
    shown: tuple[str, ...] | None  # losses and metrics of the leaderboard; None for all
    primary: str
    seed: int
    n_jobs: int
    threads_per_fit: int
    engine: Engine
    tracking_uri: str | None
    experiment: str
    experiment_is_default: bool  # not set by tracking.experiment
    submission: Path | None
    overwrite: bool  # whether the submission may replace a file
    config_hash: str  # identical for runs that must give identical values
    published: tuple[Published, ...] = ()
    leak: Leak | None = None  # None without a leak, and for leakage.check=ignore
    grouped_folds: tuple[Fold, ...] = ()  # for leakage.check=compare
    entities: Entities | None = None  # entities that cv=grouped keeps together
    key: tuple[str, ...] | None = None  # columns that identify an entity, if set by the user
    tuning: Tuning | None = None
    report: bool = True  # whether to make a page
    pictures: int = 12  # number of models with pictures; 0: none, of the run neither
    muted: tuple[str, ...] = ()  # codes of checks that the page does not show
    explain: Explain | None = None
    findings: tuple[Finding, ...] = ()  # what to read before the fits, leaks between folds aside
    stored: str = "best"  # which models are stored: best, all or none
    register: str | None = None  # name in the registry for the best model
    alias: str = "champion"  # alias of the registered version


def build(config: Mapping[str, Any], trusted: Collection[str] = ()) -> Study:
    """Build a study from a resolved configuration of plain values; load data and make folds."""
    settings = read(config)
    shown = settings.leaderboard
    if settings.losses is not None and shown is not None:
        shown = tuple(dict.fromkeys([*settings.losses, *shown]))  # losses named by the user first
    if shown is not None and settings.primary not in shown:
        shown = (settings.primary, *shown)
    if settings.tracking.registered is not None and settings.models.log == "none":
        raise InputError(
            f"tracking.register={settings.tracking.registered} needs a stored model; got "
            f"models.log=none; set models.log=best, or leave tracking.register out"
        )
    for code in settings.report.mute:
        check_of(code)
    engine = _engine(settings.engine)
    candidates = read_candidates(settings.models.files, settings.train_on, settings.curves, trusted)
    candidates = tuple(_seeded(candidate, settings.seed) for candidate in candidates)
    cv_options = settings.cv.model_dump()
    _check_cv_options(cv_options)
    cv = CrossValidation(seed=settings.seed, **cv_options)
    parameters = settings.dataset.model_extra or {}
    cost = settings.dataset.cost
    _check_dataset_parameters(settings.dataset.name, parameters)
    if settings.dataset.name == "table":
        parameters = _table_parameters(parameters, cv, settings.leakage)
    dataset = _load(settings.dataset.name, parameters, cost)
    candidates = with_corrections(candidates, dataset.classes)
    choose_measures(dataset, settings.losses, settings.metrics, settings.primary)
    tuning = read_tuning(settings.tune, settings.primary, dataset)
    candidates = tuned_candidates(candidates, tuning, cv_kind=cv.kind, seed=settings.seed)
    methods = settings.calibration or ()
    candidates = calibrated_candidates(candidates, methods, cv_kind=cv.kind, seed=settings.seed)
    published = _published(settings.published or {}, [candidate.name for candidate in candidates])
    submission = _submission(settings.submission, dataset)
    if submission is not None:
        stores = [] if tuning is None else [tuning.storage]
        check_not_read(submission, [*_paths(parameters), *stores], SUBMISSION)
        check_new(submission, SUBMISSION, overwrite=settings.overwrite)
    folds = _folds(cv, dataset)
    check_weights(dataset, folds)
    check_rows_of_classes(methods, dataset, folds)
    leak, without_leak, key = _leakage(settings.leakage, dataset, cv, folds)
    if cv.kind in RANDOM and (settings.leakage.check != "ignore" or dataset.groups is not None):
        folds = tuple(with_entities(folds, dataset.entities(key)))
    return Study(
        dataset=dataset,
        dataset_parameters={
            **parameters,
            **({} if cost is None else {"cost": cost.model_dump(exclude_none=True)}),
        },
        candidates=candidates,
        cv=cv,
        folds=folds,
        losses=settings.losses,
        metrics=settings.metrics,
        shown=shown,
        primary=settings.primary,
        seed=settings.seed,
        n_jobs=settings.n_jobs,
        threads_per_fit=settings.threads_per_fit,
        engine=engine,
        tracking_uri=settings.tracking.uri,
        experiment=settings.tracking.experiment or _experiment_name(dataset, parameters),
        experiment_is_default=not settings.tracking.experiment,
        submission=submission,
        overwrite=settings.overwrite,
        config_hash=_config_hash(config),
        published=published,
        leak=leak,
        grouped_folds=without_leak,
        entities=cv.entities(dataset) if cv.kind == "grouped" else None,
        key=key,
        tuning=tuning,
        report=settings.report.page,
        pictures=Study.pictures if settings.report.pictures is True else settings.report.pictures,
        muted=settings.report.mute,
        explain=_explain(settings.explain, settings.seed),
        findings=_findings(dataset, cv, folds, settings.leakage),
        stored=settings.models.log,
        register=settings.tracking.registered,
        alias=settings.tracking.alias,
    )


def _engine(section: OnThisComputer | OnDask | OnRay) -> Engine:
    """Engine, which is not started yet."""
    if isinstance(section, OnDask):
        return DaskEngine(section.address, section.n_workers)
    if isinstance(section, OnRay):
        return RayEngine(section.address)
    return as_engine(section.name)


def _explain(section: ExplainSection | None, seed: int) -> Explain | None:
    if section is None or not (section.importance or section.segments):
        return None
    return Explain(**section.model_dump(), seed=seed)


def _seeded(candidate: Candidate, seed: int) -> Candidate:
    """Candidate whose parameters `random_state` are the seed where its model file has none."""
    estimator, added = seeded(candidate.estimator, seed)
    parameters = {**candidate.parameters, **{dotted(name): seed for name in added}}
    return replace(candidate, estimator=estimator, parameters=parameters)


def _load(name: str, parameters: Mapping[str, Any], cost: Cost | None) -> Dataset:
    """Data set whose notes and errors name keys of the configuration, not Python's parameters."""
    column = None if cost is None else cost.amount
    if column is not None and name == "table":  # which may be a column that is not a feature
        parameters = {**parameters, "amount": column}
    keys = "|".join(inspect.signature(DATASETS[name].load).parameters) if name in DATASETS else "-"

    def with_keys(text: str) -> str:
        text = re.sub(rf"^{re.escape(name)}: (?=({keys})\b)", "dataset.", text)
        text = re.sub(rf"\b(set |or (?=\w+=))({keys})\b", r"\1dataset.\2", text)
        return re.sub(r"\bin (drop|group|keep|categorical|numeric)\b", r"in dataset.\1", text)

    try:
        dataset = load_dataset(name, **parameters)
    except InputError as error:
        message = with_keys(str(error)).replace("dataset.amount", "dataset.cost.amount")
        message = message.replace(f"{name}: amounts", "dataset.cost.amount")
        raise InputError(message) from error
    notes = tuple(with_keys(note) for note in dataset.card.notes)
    dataset = replace(dataset, card=replace(dataset.card, notes=notes))
    return dataset if cost is None else _with_cost(dataset, cost)


def _with_cost(dataset: Dataset, cost: Cost) -> Dataset:
    """Data set with the costs of decisions, and the amounts of a feature."""
    amount = dataset.amount
    if cost.amount is not None and amount is None:
        if cost.amount not in dataset.X:
            raise unknown_name("column of dataset.cost.amount", cost.amount, dataset.X.columns)
        column = dataset.X[cost.amount]
        if isinstance(column.dtype, CategoricalDtype):
            raise InputError(
                f"dataset.cost.amount must be a column of numbers; got {cost.amount!r}, which has "
                f"categories"
            )
        amount = row_weights(column, "dataset.cost.amount", "amount")
    if amount is not None and amount.max() > LARGEST_COST:
        raise InputError(
            f"dataset.cost.amount must have numbers <= {LARGEST_COST:g}; got {amount.max():g}; "
            f"choose a larger unit"
        )
    n_classes = len(dataset.classes)
    matrix = cost_matrix(cost.of_classes(n_classes), n_classes, "dataset.cost.matrix")
    return replace(dataset, cost=matrix, amount=amount)


def _table_parameters(
    parameters: Mapping[str, Any], cv: CrossValidation, leakage: Leakage
) -> dict[str, Any]:
    """Parameters of `load_table` with what other sections say about columns and rare classes."""
    changed = dict(parameters)
    if parameters.get("rare") is not None and parameters.get("rare_below") is None:
        changed["rare_below"] = cv.n_splits if cv.kind in STRATIFYING else None
    groups = cv.groups if isinstance(cv.groups, list) else []
    named = [*([] if cv.time_column is None else [cv.time_column]), *groups, *(leakage.key or ())]
    for name in named:
        if name in (parameters.get("drop") or ()):
            raise InputError(
                f"cv.time_column, cv.groups and leakage.key must be features; got {name!r}, which "
                f"is in dataset.drop; remove it there"
            )
    keep = parameters.get("keep")
    if named and (keep is None or isinstance(keep, list)):
        roles = [parameters.get(role) for role in ("target", "group", "weight")]
        others = [*roles, *(parameters.get("drop") or ())]
        more = [name for name in named if name not in others]
        changed["keep"] = list(dict.fromkeys([*(keep or ()), *more])) or None
    return changed


def _findings(
    dataset: Dataset, cv: CrossValidation, folds: Sequence[Fold], leakage: Leakage
) -> tuple[Finding, ...]:
    searched = cv.groups == "auto" or (leakage.check != "ignore" and leakage.key is None)
    if cv.time_column is not None:  # not a row identifier, also if it is not a date
        dataset = replace(dataset, dates=(*dataset.dates, cv.time_column))
    found = list(dataset.findings)
    if searched and dataset.limited_search is not None:
        found.append(dataset.limited_search)
    absent = absent_classes(dataset, folds)
    if absent is not None:
        advice = "leave such classes out"
        if cv.kind in ("grouped", "time_ordered"):
            advice += ", or choose other folds, e.g. cv=stratified"
        found.append(replace(absent, remedy=advice))
    return tuple(found)


# The loaders word their errors for Python too.
def _check_dataset_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    if name == "table" and parameters.get("path", "") is None:
        raise InputError(
            "dataset.path must be a text, Excel or Parquet file; got None; set dataset.path=FILE"
        )
    if name == "table" and parameters.get("target", "") is None:
        raise InputError(
            "dataset.target must be the column to predict; got None; set dataset.target=COLUMN"
        )
    for key in ("drop", "keep"):
        if isinstance(columns := parameters.get(key), str):
            raise InputError(
                f"dataset.{key} must be a list of columns; got {columns!r}; write "
                f"{as_typed([columns], key)}"
            )
    if name == "table" and parameters.get("rare") not in (None, "drop", "join"):
        raise InputError(
            f"dataset.rare must be drop, join or null; got {parameters['rare']!r}; drop leaves out "
            f"rows of classes with fewer rows than cv.n_splits, join makes one class of them"
        )


# `CrossValidation` words its errors for Python. Here the most common ones name configuration keys,
# and the others get the name of the section.
def _check_cv_options(options: Mapping[str, Any]) -> None:
    if options["kind"] == "holdout" and options["n_test"] is None:
        raise InputError("cv=holdout needs the number of test rows; set cv.n_test=ROWS")
    if options["kind"] == "time_ordered" and options["time_column"] is None:
        raise InputError(
            "cv=time_ordered needs the column that orders the rows; set cv.time_column=COLUMN"
        )


def _folds(cv: CrossValidation, dataset: Dataset) -> tuple[Fold, ...]:
    alternatives = (
        "set cv.groups=[COLUMN,...] to the columns that identify an entity, or choose cv=stratified"
    )
    if cv.kind == "grouped" and cv.groups is None and dataset.groups is None:
        raise InputError(
            f"cv=grouped needs groups, but data set {dataset.name} does not provide them; set "
            f"cv.groups=auto to search for entities, {alternatives}"
        )
    if cv.kind == "grouped" and cv.groups == "auto" and dataset.found_entities is None:
        raise InputError(
            f"cv.groups=auto did not find entities in data set {dataset.name}; {alternatives}"
        )
    if cv.groups not in (None, "auto"):
        check_key(dataset.X, cv.groups, "cv.groups")
    if rare := too_few_rows(cv, dataset):
        fewer = f"set cv.n_splits={rare.rows}, or " if rare.rows > 1 else ""
        advice = "choose cv=holdout cv.n_test=ROWS"
        if dataset.name == "table":
            advice = (
                "set dataset.rare=drop to leave out such classes or dataset.rare=join to make one "
                "class of them"
            )
        raise InputError(f"cv.n_splits must be {rare.rule}; {fewer}{advice}{rare.amount}")
    try:
        return tuple(cv.folds(dataset))
    except InputError as error:
        raise InputError(f"cv: {error}") from error


def _config_hash(config: Mapping[str, Any]) -> str:
    hashed = {key: value for key, value in config.items() if key not in _NOT_HASHED}
    hashed["dataset"] = _without(hashed["dataset"], "cost")
    hashed["models"] = _without(hashed["models"], "log")
    if hashed["threads_per_fit"] == 1:  # so that older runs keep their hash
        del hashed["threads_per_fit"]
    if hashed.get("calibration") is None:  # so that runs without it keep their hash
        hashed.pop("calibration", None)
    elif isinstance(hashed["calibration"], str):
        hashed["calibration"] = [hashed["calibration"]]
    if hashed["tune"] is None:  # without a search, the search spaces have no effect
        models = hashed["models"].items()
        hashed["models"] = {name: _without(model, "space") for name, model in models}
    else:
        hashed["tune"] = _without(hashed["tune"], "storage")
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:16]


def _without(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name != key}


def _leakage(
    section: Leakage, dataset: Dataset, cv: CrossValidation, folds: Sequence[Fold]
) -> tuple[Leak | None, tuple[Fold, ...], tuple[str, ...] | None]:
    """Leak of the folds, grouped folds to compare with, and the key of the entities."""
    if section.key is None:
        key = None
    elif section.check == "ignore":
        raise InputError(
            "leakage.key is not used with leakage.check=ignore; leave out one of the two keys"
        )
    else:
        key = check_key(dataset.X, section.key, "leakage.key")
    leak = None if section.check == "ignore" else find_leak(dataset, cv, folds, key)
    without_leak: Sequence[Fold] = ()
    if leak is not None and section.check == "compare":
        try:
            without_leak = grouped_folds(leak, dataset, cv)
            check_weights(dataset, without_leak)
        except InputError as error:
            raise InputError(
                f"leakage.check=compare cannot make grouped folds: {error}; set leakage.check=warn"
            ) from error
    return leak, tuple(without_leak), key


def _published(
    section: Mapping[str, Mapping[str, PublishedNumber]], models: Collection[str]
) -> tuple[Published, ...]:
    """Published values of the models that are run; `models=[...]` may leave out others."""
    chosen = tuple(
        Published(model, measure, number.value, number.within)
        for model, numbers in section.items()
        for measure, number in numbers.items()
        if model in models
    )
    if section and not chosen:
        raise InputError(
            f"published must have values for at least one model of this run "
            f"({', '.join(models)}); got values for {', '.join(section)}"
        )
    return chosen


def _paths(parameters: Mapping[str, Any]) -> list[Path]:
    """Files that a loader reads: those its parameters name, and those of the folder of dacon."""
    names = [value for value in parameters.values() if isinstance(value, str) and value]
    names += [os.environ[name] for name in (FOLDER_VARIABLE,) if os.environ.get(name)]
    paths = [Path(expanduser(name)) for name in names]
    return [*paths, *(path / name for path in paths if path.is_dir() for name in FILES)]


def _submission(path: str | None, dataset: Dataset) -> Path | None:
    if path is None:
        return None
    if dataset.test is None:
        raise InputError(
            f"submission needs test rows, but data set {dataset.name} does not provide them; leave "
            f"submission out, or set dataset.test=FILE with dataset=table"
        )
    if len(dataset.test.columns) != len(dataset.classes):
        raise InputError(
            f"submission needs one column per class; the sample submission has the columns "
            f"{', '.join(dataset.test.columns)}, but the training rows have only the classes "
            f"{', '.join(map(str, dataset.classes))}"
        )
    file = Path(expanduser(path)).absolute()
    check_place(file, SUBMISSION)
    return file


def _experiment_name(dataset: Dataset, parameters: Mapping[str, Any]) -> str:
    """Name of the MLflow experiment; different files and OpenML data sets get different names."""
    if dataset.name == "table":
        return f"table {Path(str(parameters['path'])).stem} {parameters['target']}"
    if dataset.name == "openml":
        return f"openml {parameters.get('id') or parameters.get('data_name')}"
    return dataset.name
