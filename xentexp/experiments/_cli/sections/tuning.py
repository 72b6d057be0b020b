"""Section on the hyperparameters that a search chose in each fold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.terminal import console
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import dotted, fixed, setting
from xentexp.experiments._results import CandidateResult, ExperimentResult
from xentexp.experiments._tracking import items as logged


def tuning_section(study: Study, result: ExperimentResult) -> Section | None:
    """Chosen settings and inner losses of each fold; None without a search."""
    if study.tuning is None:
        return None
    records = tuning_records(result)
    flat = [{**record, "settings": json.dumps(record["settings"])} for record in records]
    items = (logged.Table("tuning.json", pd.DataFrame(flat)),)
    return Section("tuning", items, records, lambda: print_tuning(study, records))


def tuning_records(result: ExperimentResult) -> list[dict[str, Any]]:
    """Record for JSON of each tuned model and fold."""
    return [
        record
        for candidate_result in result.candidate_results
        if candidate_result.error is None
        for record in _fold_records(candidate_result)
    ]


def _fold_records(candidate_result: CandidateResult) -> list[dict[str, Any]]:
    return [
        {
            "model": candidate_result.candidate.name,
            "repeat": prediction.fold.repeat,
            "fold": prediction.fold.number,
            "trials": len(prediction.trials),
            "resumed": sum(trial["resumed"] for trial in prediction.trials),
            "failed": sum(trial["state"] == "failed" for trial in prediction.trials),
            "first": prediction.trials[0]["value"],
            "best": prediction.trials[prediction.best_trial]["value"],
            "settings": {
                dotted(name.removeprefix("classifier__")): _plain(value)
                for name, value in prediction.trials[prediction.best_trial]["params"].items()
            },
        }
        for prediction in candidate_result.predictions
        if prediction.best_trial is not None
    ]


def _plain(value: Any) -> Any:
    jsonable = isinstance(value, (str, int, float, bool, list, dict)) or value is None
    return value if jsonable else repr(value)


def print_tuning(study: Study, records: list[dict[str, Any]]) -> None:
    """Print the chosen values of each setting, one value per fold."""
    assert study.tuning is not None
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"Hyperparameters chosen in each fold by {study.tuning.loss}",
        title_justify="left",
        title_style="bold",
    )
    for header in ("model", "setting", "value in each fold"):
        table.add_column(header, overflow="fold")
    for model in dict.fromkeys(record["model"] for record in records):
        folds = [record for record in records if record["model"] == model]
        label = model
        for name in folds[0]["settings"]:
            table.add_row(label, name, "  ".join(setting(r["settings"][name], 3) for r in folds))
            label = ""
        means = [_mean(folds, key) for key in ("first", "best")]
        table.add_row(
            label, "inner loss", f"mean of first trials {means[0]}, of best trials {means[1]}"
        )
    screen = console()
    screen.print(table)
    n_trials, n_resumed, n_failed = (
        sum(record[key] for record in records) for key in ("trials", "resumed", "failed")
    )
    counts = f"{n_trials} trials ({n_resumed} from earlier runs, {n_failed} failed), stored in "
    screen.print(f"{counts}{study.tuning.storage}", markup=False, soft_wrap=True)
    note = (
        "The first ten trials are the same in every fold (one seed), so equal settings in all "
        "folds are not a sign of stability."
    )
    screen.print(Text(note, style="dim"))


def _mean(records: list[dict[str, Any]], key: str) -> str:
    values = [record[key] for record in records]
    return "-" if None in values else fixed(float(np.mean(values)))
