"""`xentexp rescore`: more losses and metrics of an earlier run, from its stored predictions."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._assess import assess
from xentexp.experiments._cli.compare import (
    check_priors,
    difference_record,
    interval_text,
    level_record,
    old_notes,
)
from xentexp.experiments._cli.terminal import print_json, print_table, say
from xentexp.experiments._formatting import (
    and_list,
    counted,
    decimals_for,
    finite_or_none,
    signed,
)
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._tracking.add_scores import Changes, logged_name
from xentexp.experiments._tracking.find_runs import StoredModel
from xentexp.experiments._tracking.items import LoggedMetric
from xentexp.experiments._uncertainty import ModelUncertainty, Uncertainty
from xentexp.losses import load_plugins
from xentexp.metrics._base import Metric
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._registry import get_metrics

FoldValues = dict[str, list[float]]


def rescore(options: argparse.Namespace) -> int:
    """`xentexp rescore`."""
    load_plugins()
    measures = get_metrics(options.losses.split(","))
    names = [measure.name for measure in measures]

    from xentexp.experiments._tracking import add_scores, find_runs, read_back
    from xentexp.experiments._tracking.artifacts import UNCERTAINTY, stored_uncertainty
    from xentexp.experiments._tracking.connect import open_client, store_errors, store_uri
    from xentexp.experiments._tracking.items import Item, Text
    from xentexp.experiments._tracking.store import Store

    uri = store_uri(options.store)
    client = open_client(uri, create=False)
    with store_errors(uri):
        models = find_runs.find_models(client, options.run, options.experiment)
        # The store comes first: it corrects the place of the artifacts, which MLflow remembers.
        store = Store(uri, models[0].experiment, primary=models[0].primary, description="")
        siblings = find_runs.children(client, models[0].experiment_id, models[0].parent)
        whole = {model.run_id for model in models} == {model.run_id for model in siblings}
        failed = [model.name for model in models if model.error is not None]
        able = [model for model in models if model.error is None] or list(models)
        predictions = {
            model.name: find_runs.stored_predictions(client, uri, model) for model in able
        }
        parent = models[0].parent if whole else None
        old = None if parent is None else stored_uncertainty(client, uri, parent)
        board = None if parent is None else add_scores.stored_board(client, uri, parent)
    check_priors(predictions, measures)
    folds = {model: fold_values(predicted, measures) for model, predicted in predictions.items()}
    found = assess(predictions, measures, models[0].primary, failed=failed)
    if not any(folds.values()):
        if options.json:
            nothing = [add_scores.Changes(model, (), (), ()) for model in able]
            print_json(_document(parent, names, found, able, nothing, folds, []))
        else:
            _print(found, names, list(predictions))
        return 1
    rows = {model.name: _score_rows(predictions[model.name], folds[model.name]) for model in able}
    tables: list[Item] = []
    if parent is not None:
        record = add_scores.with_scores(old, found, names).to_record()
        tables.append(Text(UNCERTAINTY, json.dumps(record, allow_nan=False)))
        if board is not None:
            tables.append(Text(board[0], _with_rows(board[1], folds)))
    with store_errors(uri):
        if parent is not None:
            all_rows = pd.concat(rows, names=["model"]).reset_index("model")
            tables += add_scores.new_scores(client, uri, parent, all_rows)
        changes = [
            add_scores.find_changes(
                client,
                model,
                _items(model, found.model(model.name), folds[model.name], whole=whole),
                add_scores.new_scores(client, uri, model.run_id, rows[model.name]),
            )
            for model in able
        ]
        if not options.overwrite:
            add_scores.refuse_replacement(changes)
        if parent is None:
            add_scores.refuse_parts(changes)
        add_scores.write_scores(store, changes, parent, tables)
        if parent is not None and options.overwrite:
            # Also without changes, so that an interrupted command is completed.
            name = models[0].experiment
            stored = read_back.read_leaderboard(client, name, uri=uri, run_id=parent)
            add_scores.write_note(store, client, parent, stored.board)
    labels = {model.run_id: model.name for model in able}
    notes = [
        *old_notes(able, {m.run_id: predictions[m.name] for m in able}, labels),
        *(f"{name} failed in this run and has no predictions." for name in failed),
    ]
    if parent is None:
        notes.append(
            f"only {and_list([m.name for m in able])} was rescored; the tables of the parent run "
            f"{models[0].parent[:8]} and differences to its best model need "
            f"`xentexp rescore {models[0].parent[:8]}`."
        )
    if options.json:
        print_json(_document(parent, names, found, able, changes, folds, notes))
        return 0
    _print(found, names, list(predictions))
    for note in notes:
        say(f"note: {note}")
    say(_summary(changes))
    return 0


def fold_values(predictions: Predictions, measures: Sequence[Metric]) -> FoldValues:
    """Value of each loss and metric in each fold; those that do not apply are left out."""
    values: FoldValues = {}
    for fold in predictions.folds:
        checked = predictions.checked(fold)
        applying = [measure for measure in measures if measure.why_not(checked) is None]
        if not applying:
            return {}
        result = evaluate_checked(checked, applying, prior=fold.prior, undefined="nan")
        for name, value in result.values.items():
            values.setdefault(name, []).append(value)
    return {name: found for name, found in values.items() if len(found) == len(predictions.folds)}


def _score_rows(predictions: Predictions, folds: FoldValues) -> pd.DataFrame:
    """Rows of the table of all scores."""
    rows: list[tuple[str, str, int | None, int | None, float]] = []
    for name, values in folds.items():
        for fold, value in zip(predictions.folds, values, strict=True):
            rows.append(("fold", name, fold.repeat, fold.number, value))
        rows.append(("cv", name, None, None, float(np.mean(values))))
        std = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        rows.append(("cv_std", name, None, None, std))
    return pd.DataFrame(rows, columns=["section", "name", "repeat", "fold", "value"])


def _items(
    model: StoredModel, found: ModelUncertainty | None, folds: FoldValues, *, whole: bool
) -> Iterator[LoggedMetric]:
    """Metrics of the run of a model; differences only if all models of its run are compared."""
    for computed, values in folds.items():
        mean = float(np.mean(values))
        name = logged_name(model, computed, mean)
        yield LoggedMetric(f"cv/{name}", mean)
        for step, value in enumerate(values):
            yield LoggedMetric(f"fold/{name}", value, step)
        level = None if found is None else found.levels.get(computed)
        if level is not None and level.reason is None:
            yield LoggedMetric(f"cv_low/{name}", level.low)
            yield LoggedMetric(f"cv_high/{name}", level.high)
        difference = None if found is None else found.differences.get(computed)
        if whole and difference is not None:
            yield LoggedMetric(f"diff/{name}", difference.difference)


def _with_rows(board: dict[str, Any], folds: Mapping[str, FoldValues]) -> str:
    """Table of a parent run with the rows of more losses, in MLflow's format."""
    columns = board["columns"]
    means: dict[str, list[float]] = {}
    for of_model in folds.values():
        for name, values in of_model.items():
            means.setdefault(name, []).append(float(np.mean(values)))
    decimals = {name: decimals_for(found) for name, found in means.items()}
    rows = {
        (model, name): {
            "model": model,
            "loss": name,
            "mean": finite_or_none(round(float(np.mean(values)), decimals[name])),
            "std": finite_or_none(round(float(np.std(values, ddof=1)), decimals[name]))
            if len(values) > 1
            else None,
        }
        for model, of_model in folds.items()
        for name, values in of_model.items()
    }
    place = [columns.index(column) for column in ("model", "loss")]
    kept = [row for row in board["data"] if tuple(row[i] for i in place) not in rows]
    added = [[row.get(column) for column in columns] for row in rows.values()]
    return json.dumps({**board, "data": [*kept, *added]}, allow_nan=False)


def _print(found: Uncertainty, names: Sequence[str], models: Sequence[str]) -> None:
    for name in names:
        standing = found.standing(name)
        d = standing.decimals
        shown = [model for model in standing.levels if model in models]
        rows = []
        for model in shown:
            level = standing.levels[model]
            difference = standing.differences.get(model)
            rows.append(
                [
                    model,
                    signed(level.mean, d),
                    interval_text(level.low, level.high, d),
                    *(
                        ["best" if model == standing.best else "", ""]
                        if difference is None
                        else [
                            signed(difference.difference, d, sign="+"),
                            interval_text(difference.low, difference.high, d, sign="+"),
                        ]
                    ),
                ]
            )
        rows += [[model, "undefined", "", "", ""] for model in models if model not in shown]
        percent = "95% interval"
        print_table(["model", name, percent, "to the best", percent], rows)
        for line in _reasons(found, name, models):
            say(line)


def _reasons(found: Uncertainty, name: str, models: Sequence[str]) -> Iterator[str]:
    """Why values and intervals are missing, each reason once."""
    of_reason: dict[str, list[str]] = {}
    for model in models:
        known = found.model(model)
        if known is None:
            continue
        level, difference = known.levels.get(name), known.differences.get(name)
        if level is None:
            reason = f"{name} {known.undefined.get(name, 'is undefined')}"
        elif level.reason is not None:
            reason = f"no interval: {level.reason}"
        elif difference is not None and difference.reason is not None:
            reason = f"no interval of the difference: {difference.reason}"
        else:
            continue
        of_reason.setdefault(reason, []).append(model)
    for reason, having in of_reason.items():
        yield f"{', '.join(having)}: {reason}"


def _summary(changes: Sequence[Changes]) -> str:
    new = sum(len(change.new) for change in changes)
    same = sum(len(change.unchanged) for change in changes)
    text = f"Logged {counted(new, 'value')} to {counted(len(changes), 'run')} in MLflow."
    return f"{text} {counted(same, 'metric')} had equal values already." if same else text


def _document(
    parent: str | None,
    names: Sequence[str],
    found: Uncertainty,
    models: Sequence[StoredModel],
    changes: Sequence[Changes],
    folds: Mapping[str, FoldValues],
    notes: Sequence[str],
) -> dict[str, Any]:
    """JSON document; numbers that do not exist are null."""
    return {
        "run_id": parent,
        "losses": list(names),
        "models": [
            {
                "model": model.name,
                "run_id": model.run_id,
                "values": {
                    name: value_record(found.model(model.name), name, folds[model.name].get(name))
                    for name in names
                },
                "written": sorted({item.key for item in change.new}),
                "unchanged": sorted(change.unchanged),
            }
            for model, change in zip(models, changes, strict=True)
        ],
        "notes": list(notes),
    }


def value_record(
    found: ModelUncertainty | None, name: str, folds: Sequence[float] | None
) -> dict[str, Any]:
    """Value, interval, difference to the best model, and values of the folds."""
    level = None if found is None else found.levels.get(name)
    difference = None if found is None else found.differences.get(name)
    return {
        **level_record(level, None if found is None else found.undefined.get(name)),
        "folds": [finite_or_none(value) for value in folds or ()],
        "difference": None if difference is None else difference_record(difference),
    }
