"""The section `tune`: candidates whose hyperparameters are searched inside each fold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.model_selection import TimeSeriesSplit

from xentexp.errors import InputError, import_extra
from xentexp.experiments._config.schema import Tune
from xentexp.experiments._formatting import dotted
from xentexp.experiments._results import Candidate
from xentexp.experiments._scoring import choose_measures
from xentexp.experiments.datasets import Dataset
from xentexp.losses import Loss
from xentexp.metrics._registry import get_metric
from xentexp.scorers._scorer import lacking, score_name
from xentexp.tuning import TunedClassifier
from xentexp.tuning._storage import storage_path


@dataclass(frozen=True)
class Tuning:
    """How hyperparameters are searched."""

    n_trials: int  # for each model in each fold
    timeout: float | None  # seconds for the trials of one model in one fold
    loss: str  # loss or metric that the search optimizes
    folds: int  # inner folds
    storage: Path  # SQLite file of the trials
    untuned: bool  # whether the models with their file's settings are candidates too


def read_tuning(section: Tune | None, primary: str, dataset: Dataset) -> Tuning | None:
    """Check the section `tune` against the data set; the default loss is the primary."""
    if section is None:
        return None
    import_extra("optuna", "tune")
    loss = section.loss or primary
    try:
        metric = get_metric(loss)
        score_name(metric)
        if isinstance(metric, Loss):
            choose_measures(dataset, [metric], None, loss)
        else:
            choose_measures(dataset, None, [loss], loss)
    except InputError as error:
        raise InputError(f"tune.loss: {error}") from None
    storage = storage_path("tuning.db" if section.storage is None else section.storage)
    return Tuning(**{**section.model_dump(), "loss": loss, "storage": storage})


def tuned_candidates(
    candidates: Sequence[Candidate],
    tuning: Tuning | None,
    *,
    cv_kind: str,
    seed: int,
) -> tuple[Candidate, ...]:
    """Candidates, with ``NAME_tuned`` after ``NAME`` if the model's file has a space."""
    if tuning is None:
        return tuple(candidates)
    if not any(candidate.space for candidate in candidates):
        names = ", ".join(candidate.name for candidate in candidates)
        raise InputError(
            f"tune needs at least one model whose file has the key space; got {names}; use other "
            f"models, or add a space to a model file"
        )
    cv = TimeSeriesSplit(tuning.folds) if cv_kind == "time_ordered" else tuning.folds
    result: list[Candidate] = []
    for candidate in candidates:
        if tuning.untuned or not candidate.space:
            result.append(candidate)
        if candidate.space:
            result.append(_tuned(candidate, candidate.space, tuning, cv, seed))
    return tuple(result)


def _tuned(
    candidate: Candidate, space: dict[str, Any], tuning: Tuning, cv: Any, seed: int
) -> Candidate:
    missing = lacking(
        get_metric(tuning.loss).response,
        has_proba=hasattr(candidate.estimator, "predict_proba"),
        has_decision=hasattr(candidate.estimator, "decision_function"),
    )
    if missing:
        raise InputError(
            f"tune.loss={tuning.loss} needs {missing}, but model {candidate.name} does not provide "
            f"it; choose another tune.loss, or leave the model out"
        )
    estimator = TunedClassifier(
        candidate.estimator,
        space,
        loss=tuning.loss,
        n_trials=tuning.n_trials,
        timeout=tuning.timeout,
        cv=cv,
        random_state=seed,
        storage=str(tuning.storage),
        study_name=candidate.name,
    )
    parameters = {
        "tune.loss": tuning.loss,
        "tune.n_trials": tuning.n_trials,
        "tune.timeout": tuning.timeout,
        "tune.folds": tuning.folds,
        **{f"space.{dotted(name)}": json.dumps(dimension) for name, dimension in space.items()},
    }
    # The chosen values differ between folds: they are logged as the parameters tuned.*.
    searched = set(map(dotted, space))
    fixed = {key: value for key, value in candidate.parameters.items() if key not in searched}
    family = None if candidate.family is None else f"{candidate.family}_tuned"
    if family is not None:
        fixed["family"] = family
    return replace(
        candidate,
        name=f"{candidate.name}_tuned",
        estimator=estimator,
        parameters={**fixed, **parameters},
        variants={},  # set_params would not reach the fitted best_estimator_
        family=family,
    )
