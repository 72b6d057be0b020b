"""The section `tune`: candidates whose settings are searched inside each fold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.model_selection import TimeSeriesSplit

from xentexp.errors import InputError, import_extra
from xentexp.experiments.config.checks import known_keys, whole
from xentexp.experiments.datasets import Dataset
from xentexp.experiments.formatting import dotted
from xentexp.experiments.results import Candidate
from xentexp.experiments.scoring import choose_measures
from xentexp.losses import Loss
from xentexp.metrics.registry import get_metric
from xentexp.scorers.scorer import lacking, score_name
from xentexp.tuning import TunedClassifier
from xentexp.tuning.storage import storage_path

_KEYS = ("n_trials", "timeout", "loss", "folds", "storage", "untuned")


@dataclass(frozen=True)
class Tuning:
    """How settings are searched.

    Parameters
    ----------
    n_trials : int
        For each model, in each fold.
    timeout : float or None
        Seconds of the trials of one model in one fold.
    loss : str
        Loss, or metric, that is searched for.
    folds : int
        Inner folds.
    storage : Path
        File of the trials.
    untuned : bool
        Whether the models are candidates with their own settings too.
    """

    n_trials: int
    timeout: float | None
    loss: str
    folds: int
    storage: Path
    untuned: bool


def read_tuning(
    section: object, primary: str, dataset: Dataset, name_of: Callable[[str], str]
) -> Tuning | None:
    """Section of a configuration, shown to suit the data set.

    Parameters
    ----------
    section : object
        As configured; None for no search.
    primary : str
        Loss that is searched for where the section names none.
    dataset : Dataset
        Whose number of classes decides.
    name_of : callable
        Proper name of a loss or metric; raises for unknown ones.

    Returns
    -------
    Tuning or None
        What is wanted.

    Raises
    ------
    InputError
        For anything that does not fit, and where Optuna is not installed.
    """
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise InputError(f"tune must be a section of its own, or null; got {section!r}")
    known_keys("key of tune", section, _KEYS)
    import_extra("optuna", "tune")
    timeout = section["timeout"]
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout > 0):
        raise InputError(f"tune.timeout must be seconds > 0, or null; got {timeout!r}")
    if not isinstance(section["untuned"], bool):
        raise InputError(f"tune.untuned must be true or false; got {section['untuned']!r}")
    loss = primary if section["loss"] is None else name_of(section["loss"])
    try:
        metric = get_metric(loss)
        score_name(metric)
        if isinstance(metric, Loss):
            choose_measures(dataset, [metric], None, loss)
        else:
            choose_measures(dataset, None, [loss], loss)
    except InputError as error:
        raise InputError(f"tune.loss: {error}") from None
    return Tuning(
        n_trials=_whole(section, "n_trials", low=1),
        timeout=None if timeout is None else float(timeout),
        loss=loss,
        folds=_whole(section, "folds", low=2),
        storage=storage_path("tuning.db" if section["storage"] is None else section["storage"]),
        untuned=section["untuned"],
    )


def _whole(section: Mapping[str, Any], key: str, *, low: int) -> int:
    try:
        return whole(section, key, low=low, high=1_000_000)
    except InputError as error:
        raise InputError(f"tune.{error}") from None


def tuned_candidates(
    candidates: Sequence[Candidate],
    tuning: Tuning | None,
    *,
    cv_kind: str,
    seed: int,
) -> tuple[Candidate, ...]:
    """Candidates, each with a search of its settings where its model file has a space.

    Parameters
    ----------
    candidates : sequence of Candidate
        As their files have them.
    tuning : Tuning or None
        See `read_tuning`; None leaves the candidates as they are.
    cv_kind : str
        Kind of the outer folds: the inner ones are of the same.
    seed : int
        Of inner folds and draws.

    Returns
    -------
    tuple of Candidate
        ``NAME_tuned`` after ``NAME``.

    Raises
    ------
    InputError
        Where no model has a space, or one lacks the predictions that the loss needs.
    """
    if tuning is None:
        return tuple(candidates)
    if not any(candidate.space for candidate in candidates):
        names = ", ".join(candidate.name for candidate in candidates)
        raise InputError(f"tune needs a model whose file has a space; none of {names} has")
    cv = TimeSeriesSplit(tuning.folds) if cv_kind == "time_ordered" else tuning.folds
    found: list[Candidate] = []
    for candidate in candidates:
        if tuning.untuned or not candidate.space:
            found.append(candidate)
        if candidate.space:
            found.append(_tuned(candidate, candidate.space, tuning, cv, seed))
    return tuple(found)


def _tuned(
    candidate: Candidate, space: dict[str, Any], tuning: Tuning, cv: Any, seed: int
) -> Candidate:
    missing = lacking(
        get_metric(tuning.loss).needs,
        has_proba=hasattr(candidate.estimator, "predict_proba"),
        has_decision=hasattr(candidate.estimator, "decision_function"),
    )
    if missing:
        raise InputError(
            f"model {candidate.name} has no {missing}, which tune.loss {tuning.loss} needs; name "
            f"another tune.loss, or leave the model out"
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
    searched = {
        "tune.loss": tuning.loss,
        "tune.n_trials": tuning.n_trials,
        "tune.timeout": tuning.timeout,
        "tune.folds": tuning.folds,
        **{f"space.{dotted(name)}": json.dumps(dimension) for name, dimension in space.items()},
    }
    # What is searched has no value of its own: the folds' are among the parameters tuned.*.
    own = set(map(dotted, space))
    kept = {key: value for key, value in candidate.parameters.items() if key not in own}
    family = None if candidate.family is None else f"{candidate.family}_tuned"
    if family is not None:
        kept["family"] = family
    return replace(
        candidate,
        name=f"{candidate.name}_tuned",
        estimator=estimator,
        parameters={**kept, **searched},
        variants={},  # they would be set on a model that is not the fitted one
        family=family,
    )
