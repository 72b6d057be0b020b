"""Results of a run as plain items, which `Store` writes to MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._formatting import dotted, setting
from xentexp.experiments._results import CandidateResult, ExperimentResult, all_curves
from xentexp.metrics._registry import get_metric


@dataclass(frozen=True)
class Param:
    """A setting."""

    key: str
    value: object


@dataclass(frozen=True)
class LoggedMetric:
    """A number, at a step."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Tag:
    """A tag of a run."""

    key: str
    value: object


@dataclass(frozen=True)
class Text:
    """A text file among the artifacts."""

    path: str
    content: str


@dataclass(frozen=True)
class Binary:
    """A binary file among the artifacts, such as a PNG image."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Table:
    """A JSON file among the artifacts that the dashboard shows as a table."""

    path: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Parquet:
    """A table as a Parquet file among the artifacts."""

    path: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class DataInput:
    """The data set that a run used."""

    name: str
    digest: str
    source: str
    profile: str


Item = Param | LoggedMetric | Tag | Text | Binary | Table | Parquet | DataInput


def candidate_items(
    candidate_result: CandidateResult, settings: Mapping[str, object]
) -> Iterator[Item]:
    """Parameters, metrics and files of a candidate; `settings` are those of the whole run."""
    yield Param("model", candidate_result.candidate.name)
    yield Tag("model", candidate_result.candidate.family or candidate_result.candidate.name)
    if candidate_result.candidate.trained_on is not None:
        yield Tag("loss", candidate_result.candidate.trained_on.label)
    # Settings of the run are repeated here: MLflow's filters do not look at parents.
    for key, value in {**settings, **candidate_result.candidate.parameters}.items():
        yield Param(key, value)
    for message, count in candidate_result.warnings.items():
        yield Text(
            "warnings.txt", f"{count} of {len(candidate_result.predictions)} folds: {message}\n"
        )
    if candidate_result.error is not None:
        yield Tag("error", candidate_result.error)
        yield Tag("mlflow.note.content", f"Failed: {candidate_result.error}")
        yield Text("error.txt", candidate_result.traceback or candidate_result.error)
        return
    pooled = candidate_result.pooled()
    assert pooled is not None
    std = candidate_result.std()
    for name, value in candidate_result.mean().items():
        yield LoggedMetric(f"cv/{name}", value)
        yield LoggedMetric(f"cv_std/{name}", std[name])
    for name, value in candidate_result.standard_error().items():
        yield LoggedMetric(f"cv_se/{name}", value)
    for name, values in candidate_result.fold_values().items():
        for step, value in enumerate(values):
            yield LoggedMetric(f"fold/{name}", value, step)
    for name, values in candidate_result.curves().items():
        for step, value in enumerate(values):
            yield LoggedMetric(name, value, step)
    steps = all_curves(candidate_result)
    if len(steps):
        yield Parquet("curves/curves.parquet", steps)
    for name, value in candidate_result.regret().items():
        yield LoggedMetric(f"regret/{name}", value)
    yield LoggedMetric("rows/clipped", float(pooled.n_clipped))
    yield LoggedMetric("rows/infinite_values", float(pooled.n_infinite.sum()))
    yield LoggedMetric("time/fit_seconds", candidate_result.fit_seconds)
    yield LoggedMetric(
        "time/predict_seconds", sum(p.predict_seconds for p in candidate_result.predictions)
    )


def result_items(result: ExperimentResult, shown: Sequence[str] | None = None) -> Iterator[Item]:
    """Leaderboard of a parent run: a note of the losses `shown`, a table of all."""
    board = result.leaderboard(shown)
    note = board_note(result, shown)
    yield Tag("mlflow.note.content", note)
    yield Text("leaderboard.md", note)
    rows = [
        {"model": row.model, "loss": loss, "mean": row.mean[loss], "std": row.std[loss]}
        for row in board.ranked()
        for loss in row.mean
    ]
    rows += [{"model": row.model, "loss": row.reason} for row in board.ranked() if row.reason]
    yield Table("leaderboard.json", pd.DataFrame(rows, columns=["model", "loss", "mean", "std"]))
    best = board.best()
    if best is not None:
        yield Tag("best_model", best.model)


def board_note(
    result: ExperimentResult,
    shown: Sequence[str] | None = None,
    more: Sequence[str] = (),
    *,
    whole: bool = True,
) -> str:
    """Markdown note of a parent run: paragraphs `more`, then the leaderboard if `whole`."""
    board = [result.leaderboard(shown).to_markdown()] if whole else []
    return "\n\n".join([f"### {result.dataset.card.title}", *more, *board]) + "\n"


def grouped_items(candidate_result: CandidateResult) -> Iterator[Item]:
    """Metrics of a candidate on folds that keep entities together."""
    for name, value in candidate_result.mean().items():
        yield LoggedMetric(f"cv_grouped/{name}", value)


def search_items(candidate_result: CandidateResult) -> Iterator[Item]:
    """Chosen settings and inner losses of a candidate's searches; none without a search."""
    best = [_best(prediction) for prediction in candidate_result.predictions]
    chosen = [trial for trial in best if trial is not None]
    if len(chosen) < len(candidate_result.predictions) or not chosen:
        return
    loss = searched_for(candidate_result)
    for name in chosen[0]["params"]:
        values = ", ".join(setting(trial["params"][name]) for trial in chosen)
        yield Param(f"tuned.{dotted(name)}", values)
    # Of the loss that was minimized, so it is better than cv/LOSS on new rows.
    yield LoggedMetric(f"tune/{loss}", float(np.mean([trial["value"] for trial in chosen])))
    yield LoggedMetric(
        "tune/trials", float(sum(len(p.trials) for p in candidate_result.predictions))
    )
    failed = [t for p in candidate_result.predictions for t in p.trials if t["state"] == "failed"]
    yield LoggedMetric("tune/failed_trials", float(len(failed)))
    yield Table("tuning.json", trials_table(candidate_result))


def searched_for(candidate_result: CandidateResult) -> str:
    """Name of the loss or metric that a candidate's settings were searched for."""
    return get_metric(candidate_result.candidate.estimator.loss).name


def trials_table(candidate_result: CandidateResult) -> pd.DataFrame:
    """All trials of a candidate's searches, one per row."""
    loss = searched_for(candidate_result)
    return pd.DataFrame(
        [
            {
                "repeat": prediction.fold.repeat,
                "fold": prediction.fold.number,
                "trial": trial["number"],
                "chosen": trial["number"] == prediction.best_trial,
                f"tune/{loss}": trial["value"],
                **{dotted(name): setting(value) for name, value in trial["params"].items()},
                "seconds": round(trial["seconds"], 3),
                "error": trial["error"],
            }
            for prediction in candidate_result.predictions
            for trial in prediction.trials
        ]
    )


def _best(prediction: FoldPrediction) -> dict[str, Any] | None:
    if prediction.best_trial is None:
        return None
    return prediction.trials[prediction.best_trial]
