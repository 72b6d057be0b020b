"""Trials of a search of settings: what a candidate's run tells of them, and a run for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xentexp.fitting import FoldPrediction
from xentexp.losses import Loss
from xentexp.outcome import Outcome
from xentexp.scorers.scorer import to_metric
from xentexp.tracking.items import Item, Metric, Param, Table, Tag

if TYPE_CHECKING:
    from xentexp.tracking.store import Store

_OF_RUN = ("xentexp.sweep", "xentexp.primary", "dataset", "dataset_digest", "seed")
"""Labels of the whole run that each trial has too: those that one filters by."""


def search_items(outcome: Outcome) -> Iterator[Item]:
    """What a candidate tells of its searches: settings and inner loss of each fold.

    Parameters
    ----------
    outcome : Outcome
        Of a candidate.

    Yields
    ------
    Item
        Nothing where it has no searches, or failed.
    """
    best = [_best(prediction) for prediction in outcome.predictions]
    chosen = [trial for trial in best if trial is not None]
    if len(chosen) < len(outcome.predictions) or not chosen:
        return
    loss = searched_for(outcome)
    for name in chosen[0]["params"]:
        values = ", ".join(_text(trial["params"][name]) for trial in chosen)
        yield Param(f"tuned.{_dotted(name)}", values)
    # Beside cv/LOSS: what the search saw of it, which is too good.
    yield Metric(f"tune/{loss}", float(np.mean([trial["value"] for trial in chosen])))
    yield Metric("tune/trials", float(sum(len(p.trials) for p in outcome.predictions)))
    failed = [t for p in outcome.predictions for t in p.trials if t["state"] == "failed"]
    yield Metric("tune/failed_trials", float(len(failed)))
    yield Table("tuning.json", trials_table(outcome))


def searched_for(outcome: Outcome) -> str:
    """Loss that a candidate's settings were searched for.

    Parameters
    ----------
    outcome : Outcome
        Of a candidate that is a `TunedClassifier`.

    Returns
    -------
    str
        Name of a loss, or label of a metric.
    """
    metric = to_metric(outcome.candidate.estimator.loss)
    return metric.name if isinstance(metric, Loss) else metric.label


def trials_table(outcome: Outcome) -> pd.DataFrame:
    """All trials of a candidate.

    Parameters
    ----------
    outcome : Outcome
        Of a candidate.

    Returns
    -------
    DataFrame
        A row for each, with its settings.
    """
    loss = searched_for(outcome)
    return pd.DataFrame(
        [
            {
                "repeat": prediction.fold.repeat,
                "fold": prediction.fold.number,
                "trial": trial["number"],
                "chosen": trial["number"] == prediction.best_trial,
                f"tune/{loss}": trial["value"],
                **{_dotted(name): _text(value) for name, value in trial["params"].items()},
                "seconds": round(trial["seconds"], 3),
                "error": trial["error"],
            }
            for prediction in outcome.predictions
            for trial in prediction.trials
        ]
    )


def log_trials(store: Store, outcome: Outcome, tags: Mapping[str, object], parent: str) -> None:
    """Write each trial of a candidate as a run below the parent, beside the candidates.

    Parameters
    ----------
    store : Store
        Where to.
    outcome : Outcome
        Of the candidate; one without searches has none.
    tags : mapping
        Labels of the whole run.
    parent : str
        Identifier of the parent run.

    Raises
    ------
    InputError
        Where the store fails.
    """
    kept = {key: tags[key] for key in _OF_RUN if key in tags}
    name = outcome.candidate.name
    loss = "" if not any(p.trials for p in outcome.predictions) else searched_for(outcome)
    for prediction in outcome.predictions:
        fold = prediction.fold
        for trial in prediction.trials:
            place = f"fold {fold.number}" + (f" repeat {fold.repeat}" if fold.repeat else "")
            labels = {
                **kept,
                "xentexp.kind": "trial",
                "model": name,
                "fold": fold.number,
                "repeat": fold.repeat,
                "chosen": trial["number"] == prediction.best_trial,
            }
            store.write_run(
                f"{name} {place} trial {trial['number']}",
                labels,
                _trial_items(name, trial, loss),
                parent=parent,
                started=trial["started"],
                seconds=trial["seconds"],
                failed=trial["state"] == "failed",
            )


def _trial_items(name: str, trial: Mapping[str, Any], loss: str) -> Iterator[Item]:
    yield Param("model", name)
    yield Param("trial", trial["number"])
    for key, value in trial["params"].items():
        yield Param(_dotted(key), _text(value))
    if trial["error"] is not None:
        yield Tag("error", trial["error"])
        return
    yield Metric(f"tune/{loss}", trial["value"])
    for step, value in enumerate(trial["fold_values"]):
        yield Metric(f"tune_fold/{loss}", value, step)
    yield Metric("time/trial_seconds", trial["seconds"])


def _best(prediction: FoldPrediction) -> dict[str, Any] | None:
    if prediction.best_trial is None:
        return None
    return prediction.trials[prediction.best_trial]


def _dotted(name: str) -> str:
    return name.replace("__", ".")


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
