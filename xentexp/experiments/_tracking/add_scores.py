"""Add losses and metrics to runs that are finished, without replacing other values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from mlflow import MlflowClient

from xentexp.errors import InputError
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._tracking.artifacts import json_artifact, table_artifact
from xentexp.experiments._tracking.connect import deferred_signals
from xentexp.experiments._tracking.find_runs import StoredModel
from xentexp.experiments._tracking.items import Item, LoggedMetric, Parquet, Tag, Text, winner_items
from xentexp.experiments._tracking.names import ALIASES, BOARD, NOTE, OLD_BOARD, SCORES
from xentexp.experiments._tracking.notes import cut
from xentexp.experiments._tracking.store import Store
from xentexp.experiments._uncertainty import ModelUncertainty, Uncertainty

_BEFORE = "Note before `xentexp rescore --overwrite` replaced values:\n\n"
_SAME = 1e-9  # relative difference of values that rounding of another machine can cause


@dataclass(frozen=True)
class Changes:
    """What is to be logged to the run of a model, and what is there already."""

    model: StoredModel
    new: tuple[LoggedMetric, ...]
    unchanged: tuple[str, ...]
    replaced: tuple[str, ...]  # keys whose logged value differs
    tables: tuple[Parquet, ...] = ()


def logged_name(model: StoredModel, name: str, value: float) -> str:
    """Name under which a run has the values of a loss: another one if it has equal values."""
    other = str(json.loads(model.tags.get(ALIASES, "{}")).get(name, name))
    equal = _same(model.metrics.get(f"cv/{other}", math.nan), value)
    return other if equal else name


def find_changes(
    client: MlflowClient,
    model: StoredModel,
    items: Iterable[LoggedMetric],
    tables: tuple[Parquet, ...] = (),
) -> Changes:
    """Compare values with those that the run of a model has."""
    by_key: dict[str, list[LoggedMetric]] = {}
    for item in items:
        value = math.nan if math.isinf(item.value) else item.value  # as the store logs it
        by_key.setdefault(item.key, []).append(LoggedMetric(item.key, value, item.step))
    new: list[LoggedMetric] = []
    unchanged, replaced = [], []
    for key, values in by_key.items():
        stored = _stored_values(client, model, key, len(values))
        missing = [item for item in values if item.step not in stored]
        other = [
            item
            for item in values
            if item.step in stored and not _same(stored[item.step], item.value)
        ]
        new += [*missing, *other]
        if other:
            replaced.append(key)
        elif not missing:
            unchanged.append(key)
    return Changes(model, tuple(new), tuple(unchanged), tuple(replaced), tables)


def refuse_replacement(changes: Sequence[Changes]) -> None:
    """Raise an InputError that names a logged value that would change."""
    for change in changes:
        for key in change.replaced:
            item = next(item for item in change.new if item.key == key)
            raise InputError(
                f"{key} of {change.model.name} ({change.model.run_id[:8]}) must stay as it is "
                f"without --overwrite; the new value is {item.value:g} (step {item.step}) and the "
                f"run has {change.model.metrics[key]:g}; pass --overwrite if the loss has changed"
            )


def refuse_parts(changes: Sequence[Changes]) -> None:
    """Raise an InputError if one model would get values other than those of its parent run."""
    for change in changes:
        if change.replaced:
            raise InputError(
                f"--overwrite must be used for all models of a run, because the answer and the "
                f"tables of the parent run have {change.replaced[0]} of {change.model.name} as "
                f"well; write its id, {change.model.parent[:8]}, instead of the model"
            )


def new_scores(
    client: MlflowClient, uri: str, run_id: str, rows: pd.DataFrame
) -> tuple[Parquet, ...]:
    """Table of all scores of a run with new rows; nothing if the run has no such table."""
    stored = table_artifact(client, uri, run_id, SCORES)
    if stored is None:  # a run of an older version, whose leaderboard is read from the metrics
        return ()
    keys = [key for key in ("model", "section", "name") if key in stored]
    replaced = pd.MultiIndex.from_frame(rows[keys])
    kept = stored[~pd.MultiIndex.from_frame(stored[keys]).isin(replaced)]
    added = rows[list(stored.columns)].astype(stored.dtypes.to_dict())
    return (Parquet(SCORES, pd.concat([kept, added], ignore_index=True)),)


def write_scores(
    store: Store,
    changes: Sequence[Changes],
    parent: str | None,
    tables: Sequence[Item] = (),
) -> None:
    """Log the changes of each model in one batch, then the tables of the parent run."""
    # A run that is killed in between is completed by the same command: it adds what is missing.
    with deferred_signals():
        for change in changes:
            store.log(change.model.run_id, [*change.new, *change.tables])
        if parent is not None:
            store.log(parent, tables)


def write_note(store: Store, client: MlflowClient, parent: str, board: Leaderboard) -> None:
    """Replace the answer and the leaderboard in the note of a parent run; keep the older note."""
    text = board.to_markdown()
    before = str(client.get_run(parent).data.tags.get(NOTE, ""))
    before = before.partition(_BEFORE)[2] or before
    note = f"{text}\n\n{_BEFORE}{before}"
    items: list[Item] = [Tag(NOTE, cut(note)), Text("leaderboard.md", note)]
    best = board.best()
    if best is not None:
        items += [Tag("best_model", best.model), *winner_items(board)]
    if board.uncertainty is not None:
        items.append(Tag("xentexp.answer", board.uncertainty.answer))
    store.log(parent, items)


def stored_board(client: MlflowClient, uri: str, parent: str) -> tuple[str, dict[str, Any]] | None:
    """Path and content of the table of losses and models of a run, as MLflow stores it."""
    for path in (BOARD, OLD_BOARD):
        board: dict[str, Any] | None = json_artifact(client, uri, parent, path)
        if board is not None:
            return path, board
    return None


def with_scores(old: Uncertainty | None, new: Uncertainty, names: Sequence[str]) -> Uncertainty:
    """Intervals of a run with those of more losses and metrics."""
    if old is None:
        return new
    added = {model.model: model for model in new.models}
    models = [_with_scores(model, added.pop(model.model, None), names) for model in old.models]
    empty = [ModelUncertainty(m.model, {}, {}, m.constant) for m in added.values()]
    models += [_with_scores(model, added[model.model], names) for model in empty]
    # The answer is about the primary loss: it is new if that loss is.
    return replace(
        new if old.primary in names else old,
        models=tuple(models),
        best={**old.best, **_only(new.best, names)},
        tied={**old.tied, **_only(new.tied, names)},
    )


def _with_scores(
    old: ModelUncertainty, new: ModelUncertainty | None, names: Sequence[str]
) -> ModelUncertainty:
    if new is None:
        return old
    kept = {name: reason for name, reason in old.undefined.items() if name not in names}
    return ModelUncertainty(
        old.model,
        {**old.levels, **_only(new.levels, names)},
        {**old.differences, **_only(new.differences, names)},
        old.constant,
        {**kept, **_only(new.undefined, names)},
    )


def _only(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _stored_values(
    client: MlflowClient, model: StoredModel, key: str, n_steps: int
) -> dict[int, float]:
    """Logged value of each step; the latest, if there are several."""
    if key not in model.metrics:
        return {}
    if n_steps == 1:
        return {0: model.metrics[key]}
    history = client.get_metric_history(model.run_id, key)
    return {item.step: item.value for item in sorted(history, key=lambda item: item.timestamp)}


def _same(first: float, second: float) -> bool:
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=_SAME, abs_tol=1e-12)
