"""Results of a run as items that `Store` writes to MLflow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._board_tables import columns_of
from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._formatting import decimals_for, dotted, escaped, setting
from xentexp.experiments._leaderboard import SHOWN, Leaderboard
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._results import (
    CandidateResult,
    ExperimentResult,
    all_curves,
    all_trials,
    importance_table,
    searched_for,
    segments_table,
    train_values,
)
from xentexp.experiments._tracking.names import (
    ALIASES,
    BOARD,
    CURVES,
    GROUPED,
    IMPORTANCE,
    NOTE,
    SCORES,
    SEGMENTS,
    TRAIN,
    TRAINED,
)
from xentexp.experiments._tracking.notes import board_note, cut


@dataclass(frozen=True)
class Param:
    """Parameter of a run."""

    key: str
    value: object


@dataclass(frozen=True)
class LoggedMetric:
    """Value of a metric at a step."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Tag:
    """Tag of a run."""

    key: str
    value: object


@dataclass(frozen=True)
class Text:
    """Text file among the artifacts."""

    path: str
    content: str


@dataclass(frozen=True)
class Binary:
    """Binary file among the artifacts, such as a PNG image."""

    path: str
    content: bytes


@dataclass(frozen=True, eq=False)
class Image:
    """Picture of a run, which the dashboard shows beside its metrics; one for each key."""

    key: str
    pixels: np.ndarray[Any, np.dtype[np.uint8]]  # (height, width, 3)


@dataclass(frozen=True)
class Table:
    """JSON file among the artifacts, which the dashboard shows as a table."""

    path: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Parquet:
    """Parquet file among the artifacts."""

    path: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class PredictionsFile:
    """Parquet file of predictions among the artifacts."""

    path: str
    predictions: Predictions


@dataclass(frozen=True)
class DataInput:
    """Data set of a run."""

    name: str
    digest: str
    source: str
    profile: str


Item = (
    Param
    | LoggedMetric
    | Tag
    | Text
    | Binary
    | Image
    | Table
    | Parquet
    | PredictionsFile
    | DataInput
)


def candidate_items(
    candidate_result: CandidateResult,
    settings: Mapping[str, object],
    shown: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Iterator[Item]:
    """Parameters, metrics and files of a candidate; `settings` are those of the parent run."""
    # MLflow gets the mean of each loss that has no other name in `aliases`, and folds, regret and
    # test scores of those `shown`. A table has all.
    yield Param("model", candidate_result.candidate.name)
    yield Tag("model", candidate_result.candidate.family or candidate_result.candidate.name)
    trained = candidate_result.candidate.trained_on
    if trained is not None:
        yield Tag("loss", trained.label)
        about = {
            "family": candidate_result.candidate.family,
            "trained_on": trained.label,
            "trained_column": trained.loss.name if trained.plain else None,
            "corrected": candidate_result.candidate.variant_of is not None,
        }
        yield Tag(TRAINED, json.dumps(about))
    # Settings of the parent run are repeated, because MLflow filters child runs by their own.
    for key, value in {**settings, **candidate_result.candidate.parameters}.items():
        yield Param(key, value)
    for message, count in candidate_result.warnings.items():
        yield Text(
            "warnings.txt", f"{count} of {len(candidate_result.predictions)} folds: {message}\n"
        )
    if candidate_result.error is not None:
        yield Tag("error", candidate_result.error)
        yield Tag(NOTE, f"Failed: {escaped(candidate_result.error)}")
        yield Text("error.txt", candidate_result.traceback or candidate_result.error)
        return
    pooled = candidate_result.pooled()
    assert pooled is not None
    aliases = aliases or {}
    listed = set(SHOWN if shown is None else shown)
    listed |= {aliases[name] for name in listed if name in aliases}
    for name, value in candidate_result.mean().items():
        if name not in aliases:
            yield LoggedMetric(f"cv/{name}", value)
    if aliases:
        yield Tag(ALIASES, json.dumps(aliases))
    for name, values in candidate_result.fold_values().items():
        if name in listed and name not in aliases:
            for step, value in enumerate(values):
                yield LoggedMetric(f"fold/{name}", value, step)
    yield Parquet(SCORES, scores_table(candidate_result))
    for name, values in candidate_result.curves().items():
        for step, value in enumerate(values):
            yield LoggedMetric(name, value, step)
    steps = all_curves(candidate_result)
    if len(steps):
        yield Parquet(CURVES, steps)
    yield from _explanation_items(candidate_result)
    tested = {} if candidate_result.test is None else candidate_result.test.values
    for section, scores in (("regret", candidate_result.regret()), ("test", tested)):
        for name, value in scores.items():
            if name in listed and name not in aliases:
                yield LoggedMetric(f"{section}/{name}", value)
    if candidate_result.test_error is not None:
        yield Tag("test_error", candidate_result.test_error)
    yield LoggedMetric("rows/clipped", float(pooled.n_clipped))
    yield LoggedMetric("rows/infinite_values", float(pooled.n_infinite.sum()))
    yield LoggedMetric("time/fit_seconds", candidate_result.fit_seconds)
    yield LoggedMetric(
        "time/predict_seconds", sum(p.predict_seconds for p in candidate_result.predictions)
    )


def _explanation_items(candidate_result: CandidateResult) -> Iterator[Item]:
    importance, segments = importance_table(candidate_result), segments_table(candidate_result)
    if importance is not None:
        yield Parquet(IMPORTANCE, importance)
    if segments is not None:
        yield Parquet(SEGMENTS, segments)
    if seconds := sum(p.explain_seconds for p in candidate_result.predictions):
        yield LoggedMetric("time/explain_seconds", seconds)


def scores_table(candidate_result: CandidateResult) -> pd.DataFrame:
    """Value by section, loss or metric and, in fold and train, by repeat and fold."""
    by_fold = {
        "fold": candidate_result.fold_values(),
        TRAIN: train_values(candidate_result),
    }
    rows: list[tuple[str, str, int | None, int | None, float]] = [
        (section, name, prediction.fold.repeat, prediction.fold.number, value)
        for section, by_name in by_fold.items()
        for name, values in by_name.items()
        for prediction, value in zip(candidate_result.predictions, values, strict=True)
    ]
    test = candidate_result.test
    sections = {
        "cv": candidate_result.mean(),
        "cv_std": candidate_result.std(),
        "cv_se": candidate_result.standard_error(),
        "regret": candidate_result.regret(),
        "test": {} if test is None else test.values,
        "test_se": {} if test is None else test.standard_error,
    }
    rows += [
        (section, name, None, None, value)
        for section, values in sections.items()
        for name, value in values.items()
    ]
    frame = pd.DataFrame(rows, columns=["section", "name", "repeat", "fold", "value"])
    return frame.astype({"repeat": "Int64", "fold": "Int64", "value": "float64"})


def interval_items(
    result: ExperimentResult, shown: Sequence[str] | None = None
) -> dict[str, tuple[Item, ...]]:
    """Limits of each model's own value, and its difference to the best model, by model."""
    listed = {result.primary, *(SHOWN if shown is None else shown)}
    return {
        model.model: (
            *(
                LoggedMetric(f"{section}/{name}", value)
                for name, level in model.levels.items()
                if name in listed and level.reason is None
                for section, value in (("cv_low", level.low), ("cv_high", level.high))
            ),
            *(
                LoggedMetric(f"diff/{name}", difference.difference)
                for name, difference in model.differences.items()
                if name in listed and not math.isnan(difference.difference)
            ),
        )
        for model in result.uncertainty.models
    }


def result_items(result: ExperimentResult, shown: Sequence[str] | None = None) -> Iterator[Item]:
    """Leaderboard of a parent run: a note with the losses `shown`, and a table of all."""
    board = result.leaderboard(shown)
    note = board_note(board, result.dataset.card.title)
    yield Tag(NOTE, cut(note))
    yield Text("leaderboard.md", note)
    rows: list[dict[str, object]] = []
    ranked = [row for row in board.ranked() if row.reason is None]
    names = dict.fromkeys([*columns_of(board), *(name for row in ranked for name in row.mean)])
    for loss in names:
        decimals = decimals_for(row.value(loss) for row in ranked)
        rows += [
            {
                "model": row.model,
                "loss": loss,
                "mean": round(row.mean[loss], decimals),
                "std": round(row.std.get(loss, math.nan), decimals),
                "test": round(row.test.get(loss, math.nan), decimals),
            }
            for row in ranked
            if loss in row.mean
        ]
    rows += [{"model": row.model, "loss": row.reason} for row in board.ranked() if row.reason]
    columns = ["model", "loss", "mean", "std"]
    columns += ["test"] if any(row.test for row in board.rows) else []
    yield Table(BOARD, pd.DataFrame(rows, columns=columns))
    best = board.best()
    if best is None:
        return
    yield Tag("best_model", best.model)
    yield Tag("xentexp.answer", result.uncertainty.answer)
    yield Text("uncertainty.json", json.dumps(result.uncertainty.to_record(), allow_nan=False))
    tables = {
        item.candidate.name: scores_table(item)
        for item in result.candidate_results
        if item.error is None
    }
    yield Parquet(SCORES, pd.concat(tables, names=["model"]).reset_index("model"))


def winner_items(board: Leaderboard) -> Iterator[LoggedMetric]:
    """Values of the best model for its parent run, whose row hides those of its models."""
    best = board.best()
    if best is None:
        return
    for name in columns_of(board):
        if name in best.mean:
            yield LoggedMetric(f"cv/{name}", best.mean[name])
    level = board.standing(board.primary).levels.get(best.model)
    if level is not None and level.reason is None:
        yield LoggedMetric(f"cv_low/{board.primary}", level.low)
        yield LoggedMetric(f"cv_high/{board.primary}", level.high)


def grouped_items(
    candidate_result: CandidateResult, shown: Sequence[str] | None = None
) -> Iterator[Item]:
    """Means of a candidate on grouped folds: metrics of those `shown`, and a table of all."""
    listed = SHOWN if shown is None else shown
    for name, value in candidate_result.mean().items():
        if name in listed:
            yield LoggedMetric(f"cv_grouped/{name}", value)
    if candidate_result.error is None:
        yield Parquet(GROUPED, scores_table(candidate_result))


def search_items(candidate_result: CandidateResult) -> Iterator[Item]:
    """Chosen settings and inner losses of the searches of a candidate, if there are any."""
    best = [_best(prediction) for prediction in candidate_result.predictions]
    chosen = [trial for trial in best if trial is not None]
    if len(chosen) < len(candidate_result.predictions) or not chosen:
        return
    loss = searched_for(candidate_result)
    for name in chosen[0]["params"]:
        values = ", ".join(setting(trial["params"][name]) for trial in chosen)
        yield Param(f"tuned.{dotted(name)}", values)
    # The search minimized this value, so it is too optimistic; cv/LOSS is not.
    yield LoggedMetric(f"tune/{loss}", float(np.mean([trial["value"] for trial in chosen])))
    yield LoggedMetric(
        "tune/trials", float(sum(len(p.trials) for p in candidate_result.predictions))
    )
    failed = [t for p in candidate_result.predictions for t in p.trials if t["state"] == "failed"]
    yield LoggedMetric("tune/failed_trials", float(len(failed)))
    yield Table("tuning.json", all_trials(candidate_result))


def _best(prediction: FoldPrediction) -> dict[str, Any] | None:
    if prediction.best_trial is None:
        return None
    return prediction.trials[prediction.best_trial]
