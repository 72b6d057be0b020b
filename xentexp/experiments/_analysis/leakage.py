"""Entities in both the training and the test part of a fold, and their effect on scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments._folds import CrossValidation, Fold
from xentexp.experiments._formatting import finite_or_none, fixed, markdown_table
from xentexp.experiments._leaderboard import better
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments.datasets import Dataset, Entities

RANDOM = ("stratified", "repeated", "holdout")
"""Kinds of folds that are drawn row by row."""

LEAST_SHARE = 0.01
"""Smallest share of test rows with an entity in training that counts as a leak."""


@dataclass(frozen=True)
class Leak:
    """Entities that the training and test parts of random folds share."""

    entities: Entities
    share: float
    shared: int

    def says(self) -> str:
        """The warning, in two sentences."""
        return (
            f"random folds share entities: {self.share:.1%} of the test rows belong to one of "
            f"{self.shared:,} entities that also stand in training "
            f"({self.entities.number:,} in {len(self.entities.groups):,} rows; "
            f"{self.entities.how()}). Their scores hold for entities that are known already; "
            f"cv=grouped tells those of new ones."
        )


def find_leak(
    dataset: Dataset,
    cv: CrossValidation,
    folds: Sequence[Fold],
    key: Sequence[str] | None = None,
) -> Leak | None:
    """Find entities that are in both parts of a fold."""
    if cv.kind not in RANDOM:
        return None
    entities = dataset.entities(key)
    if entities is None:
        return None
    _, number = np.unique(entities.groups, return_inverse=True)
    shared = np.zeros(number.max() + 1, dtype=bool)
    rows = concerned = 0
    for fold in folds:
        trained = np.zeros(len(shared), dtype=bool)
        trained[number[fold.train]] = True
        known = trained[number[fold.test]]
        shared[number[fold.test][known]] = True
        concerned += int(known.sum())
        rows += len(known)
    share = concerned / rows
    return Leak(entities, share, int(shared.sum())) if share >= LEAST_SHARE else None


def folds_without(leak: Leak, dataset: Dataset, cv: CrossValidation) -> list[Fold]:
    """Folds of the same size that keep entities together, without repeats."""
    n_splits = cv.n_splits
    if cv.n_test is not None:
        n_splits = max(2, round(len(dataset.y) / cv.n_test))
    grouped = CrossValidation("grouped", n_splits=n_splits, seed=cv.seed)
    try:
        groups = pd.Series(leak.entities.groups)
        folds = grouped.folds(dataclasses.replace(dataset, groups=groups))
        return folds if cv.n_test is None else folds[:1]
    except InputError as error:
        raise InputError(
            f"the comparison with grouped folds cannot be made: {error}; set leakage.check=warn"
        ) from error


@dataclass(frozen=True)
class FoldComparison:
    """Each candidate's score on random folds, and on folds that keep entities together."""

    primary: str
    random: Mapping[str, float]
    grouped: Mapping[str, float]

    def flatter(self, model: str) -> float:
        """How much better a candidate scores on random folds; negative if it scores worse."""
        random, grouped = (side.get(model, math.nan) for side in (self.random, self.grouped))
        direction, optimum = better(self.primary) or ("lower", math.nan)
        if direction == "higher":
            return random - grouped
        if direction == "nearest":
            return abs(grouped - optimum) - abs(random - optimum)
        return grouped - random

    def rows(self) -> list[list[str]]:
        """Rows of a table, best on grouped folds first: candidate, both scores, difference."""

        def distance(model: str) -> float:
            worse = FoldComparison(self.primary, {model: 0.0}, self.grouped).flatter(model)
            return math.inf if math.isnan(worse) else worse

        return [
            [
                model,
                *(fixed(side.get(model, math.nan)) for side in (self.random, self.grouped)),
                fixed(self.flatter(model), sign="+"),
            ]
            for model in sorted(self.random, key=distance)
        ]

    def headers(self) -> list[str]:
        """Headers of the columns of `rows`."""
        return [self.primary, "random folds", "grouped folds", "random flatter by"]

    def to_markdown(self, n_rows: int | None = None) -> str:
        """Markdown table of the first `n_rows` rows."""
        return markdown_table(self.headers(), self.rows()[:n_rows])

    def to_records(self) -> list[dict[str, Any]]:
        """JSON-able rows; NaN and infinite values are None."""
        return [
            {
                "model": model,
                "random": finite_or_none(self.random[model]),
                "grouped": finite_or_none(self.grouped.get(model, math.nan)),
                "flatter_by": finite_or_none(self.flatter(model)),
            }
            for model in self.random
        ]


def compare_folds(result: ExperimentResult, grouped: ExperimentResult) -> FoldComparison:
    """Primary loss or metric of the candidates of two runs."""
    on_random, on_grouped = (
        {o.candidate.name: o.mean().get(result.primary, math.nan) for o in side.candidate_results}
        for side in (result, grouped)
    )
    return FoldComparison(result.primary, on_random, on_grouped)
