"""Log each candidate, and each trial of its search, as an MLflow run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xentexp.experiments._formatting import dotted, setting
from xentexp.experiments._leaderboard import SHOWN
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._results import CandidateResult, searched_for
from xentexp.experiments._tracking.aliases import find_aliases
from xentexp.experiments._tracking.connect import deferred_signals
from xentexp.experiments._tracking.items import (
    DataInput,
    Item,
    LoggedMetric,
    Param,
    PredictionsFile,
    Tag,
    Text,
    candidate_items,
    search_items,
)
from xentexp.experiments._tracking.store import Store


def log_candidate(
    store: Store,
    candidate_result: CandidateResult,
    settings: Mapping[str, object],
    data: DataInput,
    predictions: Predictions | None,
    config: str,
    tags: Mapping[str, object],
    parent: str,
    *,
    test_predictions: Predictions | None = None,
    shown: Sequence[str] | None = None,
) -> str:
    """Log one candidate as a child run (status FAILED if it failed); return the run id."""
    started = min(prediction.started for prediction in candidate_result.predictions)
    primary = str(tags.get("xentexp.primary", ""))
    listed = (primary, *(SHOWN if shown is None else shown))
    aliases = (
        {} if predictions is None else find_aliases(candidate_result.mean(), predictions, listed)
    )
    items: list[Item] = [
        *candidate_items(candidate_result, settings, listed, aliases),
        *search_items(candidate_result),
        data,
    ]
    items.append(Text("config/config.yaml", config))
    for name, predicted in (("oof", predictions), ("test", test_predictions)):
        if predicted is not None:
            items.append(PredictionsFile(f"predictions/{name}.parquet", predicted))
    with (
        deferred_signals(),  # so that a candidate is logged completely or not at all
        contextlib.suppress(_CandidateFailed),
        store.run(candidate_result.candidate.name, tags, parent=parent, started=started) as run_id,
    ):
        store.log(run_id, items)
        if candidate_result.error is not None:
            raise _CandidateFailed
    return run_id


class _CandidateFailed(Exception):  # noqa: N818  (gives the run the status FAILED; caught above)
    pass


_RUN_TAGS = ("xentexp.sweep", "xentexp.primary", "dataset", "dataset_digest", "seed")
"""Tags of the parent run that are repeated for each trial, so that trials can be filtered."""


def log_trials(
    store: Store, candidate_result: CandidateResult, tags: Mapping[str, object], parent: str
) -> None:
    """Log each trial of the searches of a candidate as a child run."""
    run_tags = {key: tags[key] for key in _RUN_TAGS if key in tags}
    name = candidate_result.candidate.name
    loss = (
        ""
        if not any(p.trials for p in candidate_result.predictions)
        else searched_for(candidate_result)
    )
    for prediction in candidate_result.predictions:
        fold = prediction.fold
        for trial in prediction.trials:
            place = f"fold {fold.number}" + (f" repeat {fold.repeat}" if fold.repeat else "")
            labels = {
                **run_tags,
                "xentexp.kind": "trial",
                "model": name,
                "fold": fold.number,
                "repeat": fold.repeat,
                "chosen": trial["number"] == prediction.best_trial,
            }
            store.log_finished_run(
                f"{place} trial {trial['number']} {name}",
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
        yield Param(dotted(key), setting(value))
    if trial["error"] is not None:
        yield Tag("error", trial["error"])
        return
    yield LoggedMetric(f"tune/{loss}", trial["value"])
    for step, value in enumerate(trial["fold_values"]):
        yield LoggedMetric(f"tune_fold/{loss}", value, step)
    yield LoggedMetric("time/trial_seconds", trial["seconds"])
