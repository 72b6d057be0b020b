"""Entities in both the training and the test part of a fold, and their effect on scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._folds import CrossValidation, Fold
from xentexp.experiments._formatting import escaped, finite_or_none, fixed, markdown_table
from xentexp.experiments._leaderboard import better
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments.datasets import Dataset, Entities

RANDOM = ("stratified", "repeated", "holdout")
"""Kinds of cross-validation that assign rows to folds independently of entities."""

MIN_LEAK = 0.01
"""Smallest fraction of test rows with an entity in training that is reported as a leak."""


@dataclass(frozen=True)
class Leak:
    """Entities that are in both the training and the test part of random folds."""

    entities: Entities
    share: float  # fraction of the test rows of all folds whose entity is also in training
    shared: int  # number of entities that are in both parts of some fold

    def warning(self) -> str:
        """Warning for the terminal and MLflow."""
        return (
            f"random folds share entities: {self.share:.1%} of the test rows belong to one of "
            f"{self.shared:,} entities that are also in the training part "
            f"({self.entities.number:,} entities in {len(self.entities.groups):,} rows; "
            f"{self.entities.how()}). The scores hold for entities seen in training; for new "
            f"entities, use cv=grouped."
        )


def find_leak(
    dataset: Dataset,
    cv: CrossValidation,
    folds: Sequence[Fold],
    key: Sequence[str] | None = None,
) -> Leak | None:
    """Find entities that are in both parts of a fold; None for folds that are not random."""
    if cv.kind not in RANDOM:
        return None
    entities = dataset.entities(key)
    if entities is None:
        return None
    _, number = np.unique(entities.groups, return_inverse=True)
    shared = np.zeros(number.max() + 1, dtype=bool)
    n_test = n_leaked = 0
    for fold in folds:
        in_training = np.zeros(len(shared), dtype=bool)
        in_training[number[fold.train]] = True
        leaked = in_training[number[fold.test]]
        shared[number[fold.test][leaked]] = True
        n_leaked += int(leaked.sum())
        n_test += len(leaked)
    share = n_leaked / n_test
    return Leak(entities, share, int(shared.sum())) if share >= MIN_LEAK else None


def grouped_folds(leak: Leak, dataset: Dataset, cv: CrossValidation) -> list[Fold]:
    """Folds of about the same size that keep entities together, without repeats."""
    n_splits = cv.n_splits
    if cv.n_test is not None:  # a holdout split: one fold with about as many test rows
        n_splits = max(2, round(len(dataset.y) / cv.n_test))
    grouped = CrossValidation("grouped", n_splits=n_splits, seed=cv.seed)
    groups = pd.Series(leak.entities.groups)
    folds = grouped.folds(dataclasses.replace(dataset, groups=groups))
    return folds if cv.n_test is None else folds[:1]


@dataclass(frozen=True)
class FoldComparison:
    """Score of each candidate on random folds and on folds that keep entities together."""

    primary: str  # loss or metric
    random: Mapping[str, float]  # mean over the folds by candidate; NaN or absent if undefined
    grouped: Mapping[str, float]

    def optimism(self, model: str) -> float:
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
            worse = FoldComparison(self.primary, {model: 0.0}, self.grouped).optimism(model)
            return math.inf if math.isnan(worse) else worse

        return [
            [
                model,
                *(fixed(side.get(model, math.nan)) for side in (self.random, self.grouped)),
                fixed(self.optimism(model), sign="+"),
            ]
            for model in sorted(self.random, key=distance)
        ]

    def headers(self) -> list[str]:
        """Headers of the columns of `rows`."""
        return [self.primary, "random folds", "grouped folds", "optimism"]

    def to_markdown(self, n_rows: int | None = None) -> str:
        """Markdown table of the first `n_rows` rows."""
        return markdown_table(
            self.headers(), [list(map(escaped, row)) for row in self.rows()[:n_rows]]
        )

    def to_records(self) -> list[dict[str, Any]]:
        """Rows for JSON; NaN and infinite values become None."""
        return [
            {
                "model": model,
                "random": finite_or_none(self.random[model]),
                "grouped": finite_or_none(self.grouped.get(model, math.nan)),
                "optimism": finite_or_none(self.optimism(model)),
            }
            for model in self.random
        ]


def compare_folds(result: ExperimentResult, grouped: ExperimentResult) -> FoldComparison:
    """Compare the primary loss or metric of the same candidates on two kinds of folds."""
    on_random, on_grouped = (
        {o.candidate.name: o.mean().get(result.primary, math.nan) for o in side.candidate_results}
        for side in (result, grouped)
    )
    return FoldComparison(result.primary, on_random, on_grouped)
