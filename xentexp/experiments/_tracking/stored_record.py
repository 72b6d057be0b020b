"""Read everything that a page shows of a run from the store."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient

from xentexp._safe_text import without_secrets
from xentexp.experiments._formatting import counted
from xentexp.experiments._record import About, ModelRecord, RunRecord
from xentexp.experiments._tracking.artifacts import (
    artifact_file,
    json_artifact,
    readable,
    table_artifact,
)
from xentexp.experiments._tracking.find_runs import stored_model, stored_predictions
from xentexp.experiments._tracking.names import (
    CURVES,
    IMPORTANCE,
    SCORES,
    SEGMENTS,
    TRAIN,
    TRAINED,
)
from xentexp.experiments._tracking.read_back import StoredRun, stored_run
from xentexp.experiments._tracking.run_status import why_no_result

ABOUT = "record.json"
"""Artifact of a parent run: the data, folds and settings, see About."""

_OWN = ("model", "models")
"""Parameters of a model's run that are not settings of the model."""


def read_record(
    client: MlflowClient, uri: str, experiment: str | None, run_id: str | None
) -> RunRecord:
    """Record of a run, by its id or the beginning of it, or of the latest whole run."""
    run = stored_run(client, experiment, uri=uri, run_id=run_id)
    parent = run.parent
    by_name = {str(child.info.run_name): child for child in run.children}
    ranked = [row.model for row in run.board.ranked()]
    models = tuple(_model(client, uri, parent, by_name[name]) for name in ranked)
    return RunRecord(
        _about(client, uri, run, models),
        models,
        run.board,
        str(parent.info.run_id),
        without_secrets(uri),
        parent.info.start_time / 1000,
        "" if run.status.whole else run.status.sentence(),
    )


def _about(
    client: MlflowClient, uri: str, run: StoredRun, models: tuple[ModelRecord, ...]
) -> About:
    parent = run.parent
    stored = json_artifact(client, uri, parent.info.run_id, ABOUT)
    if stored is not None:
        with readable(str(parent.info.run_id), ABOUT):
            return About.from_record(stored)
    # A run of an older version.
    params, tags = parent.data.params, parent.data.tags
    classes = next((m.predictions.classes for m in models if m.predictions is not None), ())
    kind = params.get("cv.kind", "unknown")
    n_folds = max((len(m.predictions.folds) for m in models if m.predictions), default=0)
    return About(
        title=params.get("dataset", ""),
        source="",
        dataset=params.get("dataset", ""),
        digest=tags.get("dataset_digest", ""),
        n_rows=int(params.get("n_rows", 0)),
        n_features=0,
        classes=classes,
        folds=f"{counted(n_folds, 'fold')} ({kind})",
        kind=kind,
        seed=int(params.get("seed", 0)),
        primary=run.board.primary,
        shown=run.board.chosen,
        leak=tags.get("xentexp.leak"),
    )


def _model(client: MlflowClient, uri: str, parent: Any, run: Any) -> ModelRecord:
    tags, metrics, run_id = run.data.tags, run.data.metrics, str(run.info.run_id)
    error = why_no_result(run)
    scores = None if error else table_artifact(client, uri, run_id, SCORES)
    shared = {*parent.data.params, *_OWN}
    return ModelRecord(
        name=str(run.info.run_name),
        predictions=None if error else stored_predictions(client, uri, stored_model(client, run)),
        fold_values=_fold_values(scores, "fold"),
        fit_seconds=metrics.get("time/fit_seconds", 0.0),
        predict_seconds=metrics.get("time/predict_seconds", 0.0),
        error=error,
        parameters={
            key: value
            for key, value in run.data.params.items()
            if key not in shared and not key.startswith("tuned.")
        },
        train_values=_fold_values(scores, TRAIN),
        importance=table_artifact(client, uri, run_id, IMPORTANCE),
        segments=table_artifact(client, uri, run_id, SEGMENTS),
        warnings=_lines(client, uri, run_id, "warnings.txt"),
        curves=table_artifact(client, uri, run_id, CURVES),
        trials=_frame(client, uri, run_id, "tuning.json"),
        space=_space(run.data.params),
        **json.loads(tags.get(TRAINED, "{}")),
    )


def _fold_values(scores: pd.DataFrame | None, section: str) -> dict[str, list[float]]:
    """Values by loss or metric, in the order of the folds."""
    if scores is None:
        return {}
    rows = scores[scores["section"] == section].sort_values(["repeat", "fold"], kind="stable")
    return {str(name): part["value"].tolist() for name, part in rows.groupby("name", sort=False)}


def _space(params: Mapping[str, str]) -> dict[str, Any] | None:
    """Searched range or choices of each setting, from the parameters space.NAME."""
    dimensions = {
        name.removeprefix("space."): json.loads(value)
        for name, value in params.items()
        if name.startswith("space.")
    }
    return dimensions or None


def _frame(client: MlflowClient, uri: str, run_id: str, path: str) -> pd.DataFrame | None:
    """Table of an artifact in MLflow's format; None if there is no such file."""
    table = json_artifact(client, uri, run_id, path)
    if table is None:
        return None
    with readable(run_id, path):
        return pd.DataFrame(table["data"], columns=table["columns"])


def _lines(client: MlflowClient, uri: str, run_id: str, path: str) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(client, uri, run_id, path, Path(folder))
        if file is None:
            return ()
        with readable(run_id, path):
            return tuple(file.read_text(encoding="utf-8").splitlines())
