"""Models of a run fitted on all rows, each once: to be stored, and for a submission."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from xentexp.errors import InputError
from xentexp.experiments._engines.base import Engine, Lost
from xentexp.experiments._engines.by_joblib import JoblibEngine
from xentexp.experiments._fitting import fit, with_threads
from xentexp.experiments._folds import Fold, rows_of_all
from xentexp.experiments._process_settings import recorded_warnings
from xentexp.experiments._results import Candidate
from xentexp.experiments._serving.columns import TrainingColumns
from xentexp.experiments.datasets import Dataset


@dataclass(frozen=True)
class Refit:
    """A model fitted on all rows, or the error of the fit."""

    model: Any = None
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Refits:
    """The candidates of a run on all rows; each is fitted when it is first asked for."""

    candidates: Sequence[Candidate]
    dataset: Dataset
    folds: Sequence[Fold]
    n_jobs: int | None = None
    engine: Engine = field(default_factory=JoblibEngine)
    threads: int = 1
    _done: dict[str, Refit] = field(default_factory=dict, repr=False)

    def of(self, names: Sequence[str]) -> dict[str, Refit]:
        """Candidates and variants of these names; those that are not fitted yet in parallel."""
        needed = [
            candidate
            for candidate in self.candidates
            if not {candidate.name, *candidate.variants}.isdisjoint({*names} - {*self._done})
        ]
        rows, groups = rows_of_all(self.dataset, self.folds)
        if needed:
            calls = {
                number: (candidate, rows, groups, self.threads)
                for number, candidate in enumerate(needed)
            }
            with self.engine as engine:
                for number, refits in engine.run(
                    _fit, calls, self.dataset, n_jobs=self.n_jobs, threads=self.threads
                ):
                    if isinstance(refits, Lost):
                        lost = Refit(error=refits.reason)
                        refits = dict.fromkeys(_names(needed[number]), lost)
                    self._done.update(refits)
        return {name: self._done[name] for name in names}


def _names(candidate: Candidate) -> tuple[str, ...]:
    return (candidate.name, *candidate.variants)


def _fit(
    dataset: Dataset, candidate: Candidate, rows: Any, groups: Any, threads: int
) -> dict[str, Refit]:
    """A candidate and its variants."""
    start = perf_counter()
    with recorded_warnings():  # the folds have logged them
        try:
            model = with_threads(clone(candidate.estimator), threads)
            model = fit(model, dataset, rows, groups)
            model = getattr(model, "best_estimator_", model)
            done = {candidate.name: Refit(model, perf_counter() - start)}
            for name, settings in candidate.variants.items():
                variant = copy.deepcopy(model).set_params(**settings)
                done[name] = Refit(variant, perf_counter() - start)
        except Exception as error:  # a model may fail in any way
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            message = f"{kind}{error}".strip().split("\n")[0]
            return {name: Refit(error=message) for name in _names(candidate)}
    return done


def with_columns(model: Any, dataset: Dataset) -> Pipeline:
    """Pipeline that gives new rows the columns of the training rows, then predicts."""
    columns = TrainingColumns(dates=dataset.dates).fit(dataset.X)
    steps = model.steps if isinstance(model, Pipeline) else [("classifier", model)]
    return Pipeline([("columns", columns), *steps])


def example_rows(model: Pipeline) -> pd.DataFrame:
    """Rows that can be predicted, made of quantiles and frequent categories: no training rows."""
    columns = model[0].columns_
    return pd.DataFrame(
        {
            column["name"]: [_example(column, place) for place in (0.5, 0.25, 0.75)]
            for column in columns
        }
    ).astype(
        {c["name"]: "float64" for c in columns if is_numeric(c)}
        | {c["name"]: object for c in columns if not is_numeric(c)}
    )


def is_numeric(column: dict[str, Any]) -> bool:
    """Whether a request sends numbers for a column of `TrainingColumns`, not text."""
    if column["kind"] == "categories":
        return not any(isinstance(category, str) for category in column["categories"])
    return bool(column["kind"] != "dates")


def _example(column: dict[str, Any], place: float) -> Any:
    """Value of a column near a quantile, or a category by frequency."""
    bins = column["bins"]
    if column["kind"] == "categories":
        order = {0.5: 0, 0.25: 1, 0.75: 2}[place]
        return bins[order % len(bins)] if bins else None
    value = bins[int(place * (len(bins) - 1) + 0.5)] if bins else 0.0
    if column["kind"] == "dates":
        day = np.datetime64("1970-01-01") + np.timedelta64(int(value), "D")
        return str(day)
    return float(value)
