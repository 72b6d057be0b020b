"""The composed configuration becomes objects, once; nothing further in sees a config."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from sklearn.base import is_classifier

from xentexp.datasets import Dataset, load_dataset
from xentexp.errors import InputError, unknown_name
from xentexp.experiment import Candidate
from xentexp.folds import OPTIONS as CV_OPTIONS
from xentexp.folds import CrossValidation, Fold
from xentexp.losses import get_loss
from xentexp.models import tabular_pipeline
from xentexp.samples import get_sample_metric, is_sample_metric
from xentexp.scoring import choose_losses

TRUSTED = ("sklearn", "xentexp", "lightgbm", "xgboost", "catboost")
"""Packages whose classifiers a model file may name."""

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
}


@dataclass(frozen=True)
class Study:
    """What one run is about, as objects."""

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

    @property
    def config_hash(self) -> str:
        """Hash of what the numbers depend on: not of where they go, nor of the cores."""
        aside = ("tracking", "n_jobs", "submission", "primary", "leaderboard")
        kept = {key: value for key, value in self.config.items() if key not in aside}
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
    _known_keys("configuration key", config, _KEYS)
    seed = _whole(config, "seed", low=0, high=2**32 - 1)
    n_jobs = _whole(config, "n_jobs", low=-1, high=4096)
    if n_jobs == 0:
        raise InputError("n_jobs must be a number of processes, or -1 for all cores; got 0")
    losses = _names("losses", config["losses"], lambda name: get_loss(name).name)
    samples = _names("samples", config["samples"], lambda name: get_sample_metric(name).label)
    shown = _names("leaderboard", config["leaderboard"], _loss_or_metric)
    if losses is not None and shown is not None:
        shown = tuple(dict.fromkeys([*losses, *shown]))  # who names losses wants to see them
    primary = _loss_or_metric(config["primary"])
    if shown is not None and primary not in shown:
        shown = (primary, *shown)
    tracking = _section(config, "tracking")
    _known_keys("key of tracking", tracking, {"uri", "experiment"})
    for key, value in tracking.items():
        if value is not None and not isinstance(value, (str, int)):
            raise InputError(f"tracking.{key} must be text; got {value!r}")
    candidates = tuple(
        _candidate(name, model) for name, model in _section(config, "models").items()
    )
    cv = _cross_validation(_section(config, "cv"), seed)
    parameters = _section(config, "dataset")
    if not isinstance(parameters.get("name"), str):
        raise InputError("dataset.name must be the name of a data set; see xentexp datasets")
    dataset = load_dataset(**parameters)
    choose_losses(dataset, losses, samples, primary)
    submission = _submission(config["submission"], dataset)
    experiment = tracking["experiment"] or _experiment_name(dataset, parameters)
    return Study(
        dataset=dataset,
        candidates=candidates,
        folds=tuple(cv.folds(dataset)),
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
    )


def _known_keys(kind: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise unknown_name(kind, key, known)
    missing = sorted(known.difference(given))
    if missing:
        raise InputError(f"{kind} {', '.join(missing)} is missing")


def _section(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = config[key]
    if not isinstance(value, Mapping):
        raise InputError(f"{key} must be a section of its own; got {value!r}")
    return dict(value)


def _whole(config: Mapping[str, Any], key: str, *, low: int, high: int) -> int:
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{key} must be a whole number from {low} to {high}; got {value!r}")
    return value


def _names(key: str, names: object, name_of: Callable[[str], str]) -> tuple[str, ...] | None:
    """A list of names, each one checked; null is None, for all."""
    if names is None:
        return None
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not (listed or key == "samples"):
        raise InputError(f"{key} must be a list of names, or null for all; got {names!r}")
    return tuple(name_of(name) for name in listed)


def _loss_or_metric(name: str) -> str:
    if is_sample_metric(name):
        return get_sample_metric(name).label
    return get_loss(name).name


def _cross_validation(section: dict[str, Any], seed: int) -> CrossValidation:
    kind = section.get("kind")
    if not isinstance(kind, str) or kind not in CV_OPTIONS:
        raise unknown_name("cv", kind, CV_OPTIONS)
    _known_keys(f"key of cv={kind}", section, {"kind", "n_splits", *CV_OPTIONS[kind]})
    return CrossValidation(seed=seed, **section)


def _candidate(name: str, model: object) -> Candidate:
    if not isinstance(model, Mapping):
        raise InputError(f"model {name} must have a preprocessing and a classifier; got {model!r}")
    _known_keys(f"key of model {name}", model, {"preprocessing", "classifier"})
    _check_targets(name, model["classifier"])
    try:
        classifier = instantiate(model["classifier"], _convert_="all")
    except Exception as error:  # whatever a constructor raises
        cause = error.__cause__ or error
        raise InputError(f"model {name}: {cause}") from error
    if not is_classifier(classifier):
        target = model["classifier"]["_target_"]
        raise InputError(f"model {name}: {target} is not a classifier")
    if not isinstance(model["preprocessing"], str):
        raise InputError(
            f"model {name}: preprocessing must be a name; got {model['preprocessing']}"
        )
    pipeline = tabular_pipeline(classifier, model["preprocessing"])
    return Candidate(name, pipeline, {"preprocessing": model["preprocessing"], **_flat(model)})


def _flat(model: Mapping[str, Any]) -> dict[str, object]:
    """Settings of a classifier, dotted."""
    flat: dict[str, object] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, Mapping) and "_target_" in value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}", inner)
        else:
            flat[prefix.replace("._target_", "")] = value

    walk("classifier", model["classifier"])
    return flat


def _check_targets(name: str, node: object, at: str = "classifier") -> None:
    """Refuse anything but estimators of trusted packages: `_target_` could call any function.

    This is for accidents and for values from elsewhere; a whole folder given as --config-dir can
    set Hydra's own callbacks, and is to be trusted like code.
    """
    if isinstance(node, list):
        for item in node:
            _check_targets(name, item, at)
    if not isinstance(node, Mapping):
        if at == "classifier":
            raise InputError(f"model {name}: classifier must have a _target_; got {node!r}")
        return
    target = node.get("_target_")
    if target is None and at == "classifier":
        raise InputError(f"model {name}: classifier must have a _target_, the path of its class")
    for key, value in node.items():
        if str(key).startswith("_") and key != "_target_":
            raise InputError(f"model {name}: {key} is not allowed in a model file")
        _check_targets(name, value, f"{at}.{key}")
    if target is not None:
        cls = _estimator_class(name, target)
        known = inspect.signature(cls).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
            for key in node:
                if key != "_target_" and key not in known:
                    raise unknown_name(f"parameter of {target}", key, known)


def _estimator_class(name: str, target: object) -> Any:
    module_name, _, class_name = str(target).rpartition(".")
    package = module_name.partition(".")[0]
    if package not in TRUSTED:
        raise InputError(
            f"model {name}: _target_ {target!r} is not in a trusted package "
            f"({', '.join(TRUSTED)}); other classifiers go through xentexp.experiment in Python"
        )
    try:
        cls = getattr(importlib.import_module(module_name), class_name, None)
    except OSError as error:  # a booster whose shared library does not load
        raise InputError(f"model {name}: {module_name} cannot be loaded: {error}") from error
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        extra = missing in ("lightgbm", "xgboost", "catboost")
        hint = "; pip install 'xentexp[boosters]'" if extra else ""
        raise InputError(f"model {name}: there is no module {missing}{hint}") from None
    if not (inspect.isclass(cls) and hasattr(cls, "fit") and hasattr(cls, "get_params")):
        raise InputError(f"model {name}: _target_ {target!r} is not the class of an estimator")
    return cls


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
