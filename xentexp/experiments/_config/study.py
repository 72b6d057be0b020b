"""A study: the data set, candidates, folds and metrics that one configuration names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xentexp.errors import InputError
from xentexp.experiments._analysis.leakage import Leak, find_leak, folds_without
from xentexp.experiments._analysis.replication import Published
from xentexp.experiments._config.schema import Leakage, PublishedNumber, read
from xentexp.experiments._config.training import read_candidates, with_corrections
from xentexp.experiments._config.tuning import Tuning, read_tuning, tuned_candidates
from xentexp.experiments._folds import CrossValidation, Fold
from xentexp.experiments._results import Candidate
from xentexp.experiments._scoring import choose_measures
from xentexp.experiments.datasets import Dataset, Entities, load_dataset
from xentexp.experiments.datasets._repeats import check_key

_NOT_HASHED = {
    "tracking",
    "n_jobs",
    "submission",
    "primary",
    "leaderboard",
    "published",
    "leakage",
}


@dataclass(frozen=True)
class Study:
    """What one run is about, as objects."""

    dataset: Dataset
    dataset_parameters: Mapping[str, Any]
    candidates: tuple[Candidate, ...]
    cv: CrossValidation
    folds: tuple[Fold, ...]
    losses: tuple[str, ...] | None
    metrics: tuple[str, ...] | None
    shown: tuple[str, ...] | None
    primary: str
    seed: int
    n_jobs: int
    tracking_uri: str | None
    experiment: str
    submission: Path | None
    config_hash: str
    published: tuple[Published, ...] = ()
    leak: Leak | None = None
    grouped_folds: tuple[Fold, ...] = ()
    entities: Entities | None = None
    key: tuple[str, ...] | None = None
    tuning: Tuning | None = None


def build(config: Mapping[str, Any]) -> Study:
    """Objects of a resolved configuration."""
    given = read(config)
    shown = given.leaderboard
    if given.losses is not None and shown is not None:
        shown = tuple(dict.fromkeys([*given.losses, *shown]))  # who names losses wants to see them
    if shown is not None and given.primary not in shown:
        shown = (given.primary, *shown)
    candidates = read_candidates(given.models, given.train_on, given.curves)
    cv = CrossValidation(seed=given.seed, **given.cv.model_dump())
    parameters = given.dataset.model_extra or {}
    dataset = load_dataset(given.dataset.name, **parameters)
    candidates = with_corrections(candidates, dataset.classes)
    choose_measures(dataset, given.losses, given.metrics, given.primary)
    tuning = read_tuning(given.tune, given.primary, dataset)
    candidates = tuned_candidates(candidates, tuning, cv_kind=cv.kind, seed=given.seed)
    published = _published(given.published or {}, [candidate.name for candidate in candidates])
    submission = _submission(given.submission, dataset)
    folds = tuple(cv.folds(dataset))
    leak, grouped_folds, key = _leakage(given.leakage, dataset, cv, folds)
    return Study(
        dataset=dataset,
        dataset_parameters=parameters,
        candidates=candidates,
        cv=cv,
        folds=folds,
        losses=given.losses,
        metrics=given.metrics,
        shown=shown,
        primary=given.primary,
        seed=given.seed,
        n_jobs=given.n_jobs,
        tracking_uri=given.tracking.uri,
        experiment=given.tracking.experiment or _experiment_name(dataset, parameters),
        submission=submission,
        config_hash=_config_hash(config),
        published=published,
        leak=leak,
        grouped_folds=grouped_folds,
        entities=cv.entities(dataset) if cv.kind == "grouped" else None,
        key=key,
        tuning=tuning,
    )


def _config_hash(config: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in config.items() if key not in _NOT_HASHED}
    if kept["tune"] is None:  # then the spaces count for nothing
        kept["models"] = {name: _without(model, "space") for name, model in kept["models"].items()}
    else:
        kept["tune"] = _without(kept["tune"], "storage")
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def _without(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name != key}


def _leakage(
    section: Leakage, dataset: Dataset, cv: CrossValidation, folds: Sequence[Fold]
) -> tuple[Leak | None, tuple[Fold, ...], tuple[str, ...] | None]:
    """What the folds share, folds that share nothing, and the columns that identify an entity."""
    if section.key is None:
        key = None
    elif section.check == "ignore":
        raise InputError("leakage.key is not for leakage.check=ignore; leave one of them out")
    else:
        key = check_key(dataset.X, section.key, "leakage.key")
    leak = None if section.check == "ignore" else find_leak(dataset, cv, folds, key)
    grouped: Sequence[Fold] = ()
    if leak is not None and section.check == "compare":
        grouped = folds_without(leak, dataset, cv)
    return leak, tuple(grouped), key


def _published(
    section: Mapping[str, Mapping[str, PublishedNumber]], models: Collection[str]
) -> tuple[Published, ...]:
    """Numbers of the models that are run: `models=[...]` chooses among the published ones."""
    chosen = tuple(
        Published(model, measure, number.value, number.within)
        for model, numbers in section.items()
        for measure, number in numbers.items()
        if model in models
    )
    if section and not chosen:
        raise InputError(
            f"published must have numbers of a model that is run ({', '.join(models)}); got those "
            f"of {', '.join(section)}"
        )
    return chosen


def _submission(path: str | None, dataset: Dataset) -> Path | None:
    if path is None:
        return None
    if dataset.test is None:
        raise InputError(
            f"submission needs rows to predict, but data set {dataset.name} does not provide them"
        )
    if len(dataset.test.columns) != len(dataset.classes):
        raise InputError(
            f"submission has the columns {', '.join(dataset.test.columns)}, but the training rows "
            f"have the classes {', '.join(map(str, dataset.classes))} alone"
        )
    file = Path(path).expanduser().absolute()
    if not file.parent.is_dir():
        raise InputError(f"submission: there is no folder {file.parent}")
    if file.is_dir():
        raise InputError(f"submission must be a file; {file} is a folder")
    return file


def _experiment_name(dataset: Dataset, parameters: Mapping[str, Any]) -> str:
    """One experiment for each table: its file belongs to the name of a user's own."""
    if dataset.name == "table":
        return f"table {Path(str(parameters['path'])).stem} {parameters['target']}"
    if dataset.name == "openml":
        return f"openml {parameters.get('id') or parameters.get('data_name')}"
    return dataset.name
