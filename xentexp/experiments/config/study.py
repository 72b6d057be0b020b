"""A study: the data set, candidates, folds and judges that one configuration names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.analysis.leakage import Leak
from xentexp.experiments.analysis.replication import Published
from xentexp.experiments.config.checks import known_keys, name_list, section, whole
from xentexp.experiments.config.leaks import read_leakage
from xentexp.experiments.config.published import read_published
from xentexp.experiments.config.training import read_candidates, with_corrections
from xentexp.experiments.config.tuning import Tuning, read_tuning, tuned_candidates
from xentexp.experiments.datasets import Dataset, Entities, load_dataset
from xentexp.experiments.folds import OPTIONS as CV_OPTIONS
from xentexp.experiments.folds import CrossValidation, Fold
from xentexp.experiments.results import Candidate
from xentexp.experiments.scoring import choose_measures
from xentexp.metrics.registry import get_loss, get_metric

_KEYS = {
    "dataset",
    "models",
    "cv",
    "seed",
    "n_jobs",
    "losses",
    "samples",
    "leaderboard",
    "primary",
    "tracking",
    "submission",
    "published",
    "leakage",
    "train_on",
    "curves",
    "tune",
}


@dataclass(frozen=True)
class Study:
    """What one run is about, as objects.

    Attributes
    ----------
    leak : Leak or None
        What random folds share, unless that is not asked for.
    folds_apart : tuple of Fold
        Folds that share nothing, where both numbers are to be shown.
    entities : Entities or None
        What grouped folds keep together.
    key : tuple of str or None
        Columns that identify an entity, where the user names them.
    """

    dataset: Dataset
    candidates: tuple[Candidate, ...]
    folds: tuple[Fold, ...]
    losses: tuple[str, ...] | None
    samples: tuple[str, ...] | None
    shown: tuple[str, ...] | None
    primary: str
    seed: int
    n_jobs: int
    tracking_uri: str | None
    experiment: str
    submission: Path | None
    config: dict[str, Any]
    published: tuple[Published, ...] = ()
    leak: Leak | None = None
    grouped_folds: tuple[Fold, ...] = ()
    entities: Entities | None = None
    key: tuple[str, ...] | None = None
    tuning: Tuning | None = None

    @property
    def config_hash(self) -> str:
        """Hash of what the numbers depend on: not of where they go, nor of the cores."""
        aside = (
            "tracking",
            "n_jobs",
            "submission",
            "primary",
            "leaderboard",
            "published",
            "leakage",
        )
        kept = {key: value for key, value in self.config.items() if key not in aside}
        if self.tuning is None:
            models = kept["models"].items()
            kept["models"] = {name: _without(model, "space") for name, model in models}
        else:
            kept["tune"] = _without(kept["tune"], "storage")
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def build(config: Mapping[str, Any]) -> Study:
    """Objects of a resolved configuration.

    Parameters
    ----------
    config : mapping
        Plain dictionaries, lists and scalars.

    Returns
    -------
    Study
        With the data loaded and the folds drawn.

    Raises
    ------
    InputError
        For any key, name or value that does not fit.
    """
    if "models" not in config:  # Hydra leaves an empty choice out
        raise InputError("models must name one model at least; got none")
    known_keys("configuration key", config, _KEYS)
    seed = whole(config, "seed", low=0, high=2**32 - 1)
    n_jobs = whole(config, "n_jobs", low=-1, high=4096)
    if n_jobs == 0:
        raise InputError("n_jobs must be a number of processes, or -1 for all cores; got 0")
    losses = name_list("losses", config["losses"], lambda name: get_loss(name).name)
    samples = name_list("samples", config["samples"], lambda name: get_metric(name).name)
    shown = name_list("leaderboard", config["leaderboard"], _loss_or_metric)
    if losses is not None and shown is not None:
        shown = tuple(dict.fromkeys([*losses, *shown]))  # who names losses wants to see them
    primary = _loss_or_metric(config["primary"])
    if shown is not None and primary not in shown:
        shown = (primary, *shown)
    tracking = section(config, "tracking")
    known_keys("key of tracking", tracking, {"uri", "experiment"})
    for key, value in tracking.items():
        if value is not None and not isinstance(value, (str, int)):
            raise InputError(f"tracking.{key} must be text; got {value!r}")
    curves = name_list("curves", config["curves"], lambda name: get_loss(name).name)
    candidates = read_candidates(section(config, "models"), config["train_on"], curves)
    cv = _cross_validation(section(config, "cv"), seed)
    parameters = section(config, "dataset")
    if not isinstance(parameters.get("name"), str):
        raise InputError("dataset.name must be the name of a data set; see xentexp datasets")
    dataset = load_dataset(**parameters)
    candidates = with_corrections(candidates, dataset.classes)
    choose_measures(dataset, losses, samples, primary)
    tuning = read_tuning(config["tune"], primary, dataset, _loss_or_metric)
    candidates = tuned_candidates(candidates, tuning, cv_kind=cv.kind, seed=seed)
    names = [candidate.name for candidate in candidates]
    published = read_published(config["published"], names, _loss_or_metric)
    submission = _submission(config["submission"], dataset)
    folds = tuple(cv.folds(dataset))
    leak, grouped_folds, named = read_leakage(section(config, "leakage"), dataset, cv, folds)
    experiment = tracking["experiment"] or _experiment_name(dataset, parameters)
    return Study(
        dataset=dataset,
        candidates=candidates,
        folds=folds,
        losses=losses,
        samples=samples,
        shown=shown,
        primary=primary,
        seed=seed,
        n_jobs=n_jobs,
        tracking_uri=None if tracking["uri"] is None else str(tracking["uri"]),
        experiment=str(experiment),
        submission=submission,
        config=dict(config),
        published=published,
        leak=leak,
        grouped_folds=grouped_folds,
        entities=cv.entities(dataset) if cv.kind == "grouped" else None,
        key=named,
        tuning=tuning,
    )


def _without(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name != key}


def _loss_or_metric(name: str) -> str:
    return get_metric(name).name


def _cross_validation(section: dict[str, Any], seed: int) -> CrossValidation:
    kind = section.get("kind")
    if not isinstance(kind, str) or kind not in CV_OPTIONS:
        raise unknown_name("cv", kind, CV_OPTIONS)
    known_keys(f"key of cv={kind}", section, {"kind", *CV_OPTIONS[kind]})
    return CrossValidation(seed=seed, **section)


def _submission(path: object, dataset: Dataset) -> Path | None:
    if path is None:
        return None
    if dataset.test is None:
        raise InputError(f"submission needs rows to predict, which {dataset.name} has not")
    if len(dataset.test.columns) != len(dataset.classes):
        raise InputError(
            f"submission has the columns {', '.join(dataset.test.columns)}, but the training rows "
            f"have the classes {', '.join(map(str, dataset.classes))} alone"
        )
    file = Path(str(path)).expanduser().absolute()
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
