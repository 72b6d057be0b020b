"""Results as MLflow runs: one for a candidate, one for each trial of a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from xentexp.experiments.results import CandidateResult
from xentexp.experiments.tracking.items import Item, Metric, Param, Tag, searched_for

if TYPE_CHECKING:
    from xentexp.experiments.tracking.store import Store

import contextlib

from xentexp.experiments.tracking.connect import shielded
from xentexp.experiments.tracking.items import (
    DataInput,
    Parquet,
    Text,
    dotted,
    outcome_items,
    search_items,
    text,
)


def log_outcome(
    store: Store,
    outcome: CandidateResult,
    result_of: Mapping[str, object],
    data: DataInput,
    predictions: pd.DataFrame | None,
    config: str,
    tags: Mapping[str, object],
    parent: str,
) -> str:
    """Write one candidate as a child run, FAILED where the candidate failed.

    Parameters
    ----------
    store : Store
        Where to.
    outcome : CandidateResult
        What it found.
    result_of : mapping
        Settings of the whole run.
    data : DataInput
        The data set.
    predictions : DataFrame or None
        Out-of-fold predictions.
    config : str
        The whole configuration, as YAML.
    tags : mapping
        Labels of the whole run.
    parent : str
        Identifier of the parent run.

    Returns
    -------
    str
        Identifier of the run.
    """
    started = min(prediction.started for prediction in outcome.predictions)
    items: list[Item] = [*outcome_items(outcome, result_of), *search_items(outcome), data]
    items.append(Text("config/config.yaml", config))
    if predictions is not None:
        items.append(Parquet("predictions/oof.parquet", predictions))
    with (
        shielded(),  # a candidate that is done is written whole
        contextlib.suppress(_CandidateFailed),
        store.run(outcome.candidate.name, tags, parent=parent, started=started) as run_id,
    ):
        store.log(run_id, items)
        if outcome.error is not None:
            raise _CandidateFailed
    return run_id


class _CandidateFailed(Exception):  # noqa: N818  (ends a run as FAILED; never seen outside)
    pass


_OF_RUN = ("xentexp.sweep", "xentexp.primary", "dataset", "dataset_digest", "seed")
"""Labels of the whole run that each trial has too: those that one filters by."""


def log_trials(
    store: Store, outcome: CandidateResult, tags: Mapping[str, object], parent: str
) -> None:
    """Write each trial of a candidate as a run below the parent, beside the candidates.

    Parameters
    ----------
    store : Store
        Where to.
    outcome : CandidateResult
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
        yield Param(dotted(key), text(value))
    if trial["error"] is not None:
        yield Tag("error", trial["error"])
        return
    yield Metric(f"tune/{loss}", trial["value"])
    for step, value in enumerate(trial["fold_values"]):
        yield Metric(f"tune_fold/{loss}", value, step)
    yield Metric("time/trial_seconds", trial["seconds"])
