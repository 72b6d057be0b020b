"""Find models of earlier runs by name, id or filter, and read their predictions."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._formatting import counted
from xentexp.experiments._predictions import Predictions, read_predictions
from xentexp.experiments._tracking.artifacts import artifact_file, readable
from xentexp.experiments._tracking.read_back import LATEST, PAGE, all_pages
from xentexp.experiments._tracking.run_status import run_status
from xentexp.experiments.datasets import dataset_cards

PREDICTIONS = "predictions/oof.parquet"
SHORTEST_ID = 4
"""Characters of a run id that are enough if no other run has the same beginning."""

_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},32}}")
_MOST_LISTED = 8
_KIND = "tags.`xentexp.kind` = 'candidate'"


@dataclass(frozen=True)
class StoredModel:
    """Child run of a model."""

    run_id: str
    name: str
    parent: str
    experiment: str
    experiment_id: str
    started: int  # milliseconds
    status: str
    error: str | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def primary(self) -> str:
        """Loss or metric that ranks the models of the run."""
        return self.tags.get("xentexp.primary", "categorical_crossentropy")

    def describe(self) -> str:
        """Id, model, data set, folds and time, to choose among several runs."""
        folds = f"{self.params.get('cv.kind', 'unknown')} folds"
        day = datetime.fromtimestamp(self.started / 1000).strftime("%Y-%m-%d %H:%M")
        return f"{self.run_id[:8]} ({self.name}, {self.params.get('dataset')}, {folds}, {day})"


def find_models(
    client: MlflowClient, word: str, experiment: str | None = None
) -> tuple[StoredModel, ...]:
    """Models of a name, an id, the beginning of an id, or the word latest; a run has several."""
    experiments = _experiments(client, experiment)
    latest = latest_models(client, experiments)
    if word == "latest":
        if latest:
            return latest
        raise _nothing(experiment)
    named = tuple(model for model in latest if model.name == word)
    by_id = _by_id(client, experiments, word)
    if named and by_id:
        raise _ambiguous(word, [*named, *by_id])
    if named or by_id:
        return named or by_id
    quoted = word.replace("'", "''")
    others = [
        model
        for model in _models(client, experiments, f"attributes.run_name = '{quoted}'")
        if model.name == word
    ]
    if len(others) > 1:
        raise _ambiguous(word, others)
    if others:
        run = f"the latest whole run {latest[0].parent[:8]}" if latest else "a whole run"
        raise InputError(
            f"{word!r} must be a model of {run}, or an id; a model of this name exists in another "
            f"run: {others[0].describe()}; write the id instead of the name"
        )
    if not latest:
        raise _nothing(experiment)
    raise unknown_name(
        "model or run",
        word,
        [model.name for model in latest],
        where=f" in the latest whole run {latest[0].parent[:8]}",
    )


def filtered_models(
    client: MlflowClient, condition: str, experiment: str | None = None
) -> tuple[StoredModel, ...]:
    """Models that meet an MLflow filter such as ``params.C = '0.1'``, oldest first."""
    if not condition.strip():
        raise InputError(f"filter must not be empty; got {condition!r}")
    try:
        found = list(_models(client, _experiments(client, experiment), condition))
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        raise InputError(
            f"filter must be a filter of MLflow such as \"params.classifier.C = '0.1'\"; got "
            f"{condition!r}: {str(error).splitlines()[0]}"
        ) from error
    if not found:
        raise InputError(
            f"filter must match at least one model; {condition!r} matches none; "
            f"`xentexp leaderboard --all` lists the models"
        )
    return tuple(found)


def stored_predictions(client: MlflowClient, uri: str, model: StoredModel) -> Predictions:
    """Out-of-fold predictions of a model."""
    if model.error is not None:
        raise InputError(
            f"{model.name} ({model.run_id[:8]}) has no predictions, because it failed: "
            f"{model.error}"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(client, uri, model.run_id, PREDICTIONS, Path(folder))
        if file is None:
            raise InputError(
                f"{model.name} ({model.run_id[:8]}, status {model.status}) has no stored "
                f"predictions ({PREDICTIONS}); run it again with `xentexp run`"
            )
        with readable(model.run_id, PREDICTIONS):
            predictions = read_predictions(
                file,
                dataset=model.tags.get("dataset", "unknown"),
                digest=model.tags.get("dataset_digest", "unknown"),
                ordered=_ordered(model),
            )
    return predictions if predictions.version > 1 else _without_guesses(predictions, model)


def latest_models(client: MlflowClient, experiments: Iterable[str]) -> tuple[StoredModel, ...]:
    """Models of the latest whole run; empty if there is none."""
    parents = _search(
        client, experiments, "tags.`xentexp.kind` = 'comparison'", newest=True, first=LATEST
    )
    for parent in parents:
        condition = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' AND {_KIND}"
        runs = list(_search(client, [parent.info.experiment_id], condition))
        if run_status(parent, runs).whole:
            names: dict[str, str] = {}
            return tuple(stored_model(client, run, names) for run in runs)
    return ()


def children(client: MlflowClient, experiment_id: str, parent: str) -> tuple[StoredModel, ...]:
    """Models of a run, in the order in which they were fitted."""
    condition = f"tags.`mlflow.parentRunId` = '{parent}'"
    return tuple(_models(client, [experiment_id], condition))


def _experiments(client: MlflowClient, experiment: str | None) -> list[str]:
    """Ids of all experiments, or of one."""
    known = {e.name: str(e.experiment_id) for e in all_pages(client.search_experiments)}
    if experiment is None:
        return list(known.values())
    if experiment not in known:
        raise unknown_name("MLflow experiment", experiment, known)
    return [known[experiment]]


def _search(
    client: MlflowClient,
    experiments: Iterable[str],
    condition: str,
    *,
    newest: bool = False,
    first: int = PAGE,
) -> Iterator[Any]:
    order = f"attributes.start_time {'DESC' if newest else 'ASC'}"
    return all_pages(
        client.search_runs, list(experiments), condition, order_by=[order], first=first
    )


def _models(
    client: MlflowClient, experiments: Iterable[str], condition: str
) -> Iterator[StoredModel]:
    """Models whose runs meet a condition; trials of a search are no models."""
    names: dict[str, str] = {}
    for run in _search(client, experiments, f"{condition} AND {_KIND}"):
        yield stored_model(client, run, names)


def stored_model(
    client: MlflowClient, run: Any, experiments: dict[str, str] | None = None
) -> StoredModel:
    """Model of a child run; `experiments` keeps the names of experiments that were read."""
    tags, names = dict(run.data.tags), {} if experiments is None else experiments
    experiment_id = str(run.info.experiment_id)
    if experiment_id not in names:
        names[experiment_id] = str(client.get_experiment(experiment_id).name)
    return StoredModel(
        str(run.info.run_id),
        str(run.info.run_name),
        tags.get("mlflow.parentRunId", ""),
        names[experiment_id],
        experiment_id,
        int(run.info.start_time),
        str(run.info.status),
        tags.get("error"),
        tags,
        dict(run.data.params),
        dict(run.data.metrics),
    )


def _by_id(client: MlflowClient, experiments: Iterable[str], word: str) -> tuple[StoredModel, ...]:
    """Models of the run whose id is or starts with a word; a parent run stands for its models."""
    if not _ID.fullmatch(word):
        return ()
    if len(word) == 32:
        try:
            run = client.get_run(word)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return ()
            raise
        if run.info.lifecycle_stage != "active":
            raise InputError(
                f"run {word} is deleted; restore it with `mlflow runs restore --run-id {word}`, "
                f"or choose another run"
            )
        found = [run]
    else:
        found = list(_search(client, experiments, f"attributes.run_id LIKE '{word}%'"))
    models = [_models_of(client, run) for run in found]
    if len(found) > 1:
        raise InputError(
            f"run id must be unique; {word!r} is the beginning of "
            f"{', '.join(run.info.run_id[:12] for run in found[:_MOST_LISTED])}; write more "
            f"characters"
        )
    return models[0] if models else ()


def _models_of(client: MlflowClient, run: Any) -> tuple[StoredModel, ...]:
    kind = run.data.tags.get("xentexp.kind")
    if kind == "candidate":
        return (stored_model(client, run),)
    if kind == "comparison":
        models = children(client, run.info.experiment_id, run.info.run_id)
        if models:
            return models
        raise InputError(
            f"run {run.info.run_id[:8]} must have at least one model; it has none (status "
            f"{run.info.status}); run it again with `xentexp run`"
        )
    what = "a trial of a search" if kind == "trial" else "a run that xentexp did not make"
    raise InputError(
        f"run {run.info.run_id[:8]} must be a model or a run of several models; it is {what}"
    )


def _ambiguous(word: str, models: Iterable[StoredModel]) -> InputError:
    found = list(models)
    listed = ", ".join(model.describe() for model in found[-_MOST_LISTED:][::-1])
    return InputError(
        f"{word!r} must name one model; {counted(len(found), 'run')} fit: {listed}; write the id "
        f"instead of the name"
    )


def _nothing(experiment: str | None) -> InputError:
    where = f"experiment {experiment!r}" if experiment else "the tracking store"
    return InputError(
        f"{where} does not contain a finished run of xentexp with all its models; start one with "
        f"`xentexp run`"
    )


def _ordered(model: StoredModel) -> bool:
    """Whether the classes are ordered, which files of version 1 do not say."""
    if "dataset.ordered" in model.params:
        return model.params["dataset.ordered"] == "True"
    return any(card.ordered for card in dataset_cards() if card.name == model.params.get("dataset"))


def _without_guesses(predictions: Predictions, model: StoredModel) -> Predictions:
    """Predictions of version 1, whose training parts are the other folds only in some designs."""
    kind = model.params.get("cv.kind")
    if kind not in ("holdout", "time_ordered"):
        return predictions
    known = kind == "holdout" and "n_rows" in model.params
    folds = tuple(
        replace(
            fold,
            prior=None,
            n_train=int(model.params["n_rows"]) - len(fold.rows) if known else 0,
        )
        for fold in predictions.folds
    )
    return replace(predictions, folds=folds)
