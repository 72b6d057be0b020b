"""How much the columns of new rows differ from those of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.experiments._serving.columns import UNSEEN, TrainingColumns, bin_labels
from xentexp.metrics._stability_bins import stability_terms

SOME, MUCH = 0.1, 0.25
"""Marks of the population stability index."""

_LEVEL = 0.01
"""Probability that a column of rows without drift is reported, all columns together."""


@dataclass(frozen=True)
class ColumnDrift:
    """Population stability index (PSI) of a column, and the shares that it is computed from."""

    column: str
    psi: float
    by_chance: float
    """Size that the index exceeds by chance with a small probability."""
    unseen: float | None
    """Share of the rows whose category the training rows do not have; None for numbers."""
    bins: tuple[tuple[str, float, float], ...]
    """Label, share of the training rows, share of the new rows."""

    @property
    def level(self) -> str:
        """``"large"``, ``"moderate"`` or ``"none"``."""
        if self.psi <= self.by_chance:
            return "none"
        return "large" if self.psi > MUCH else "moderate" if self.psi > SOME else "none"


class DriftCounter:
    """Counts of the new rows in the bins of the training rows."""

    def __init__(self, columns: TrainingColumns) -> None:
        self._columns = columns
        self._counts: dict[str, NDArray[np.int64]] = {}

    def add(self, X: pd.DataFrame) -> None:
        """Add rows that have the columns of the training rows."""
        for name, counts in self._columns.counts(X).items():
            self._counts[name] = self._counts.get(name, 0) + counts

    def result(self) -> list[ColumnDrift]:
        """Drift of each column, largest first."""
        n_columns = len(self._columns.columns_)
        found = [
            _drift(known, self._counts[known["name"]], self._columns.n_rows_, n_columns)
            for known in self._columns.columns_
        ]
        return sorted(found, key=lambda drift: -drift.psi)


def _drift(
    known: dict[str, Any], counts: NDArray[np.int64], n_training: int, n_columns: int
) -> ColumnDrift:
    from scipy.stats import chi2

    n_new = int(counts.sum())
    expected, actual = np.array(known["shares"]), counts / n_new
    kept = np.flatnonzero((expected > 0.0) | (counts > 0))
    psi = stability_terms(expected[kept], actual[kept], n_training, n_new).sum()
    # Without drift, the index divided by 1/n + 1/m has this distribution (Yurdakul & Naranjo 2020).
    quantile = chi2.ppf(1.0 - _LEVEL / n_columns, max(1, len(kept) - 1))
    labels = bin_labels(known)
    is_text = known["kind"] == "categories"
    return ColumnDrift(
        known["name"],
        float(psi),
        float(quantile * (1.0 / n_training + 1.0 / n_new)),
        float(actual[labels.index(UNSEEN, len(known["bins"]))]) if is_text else None,
        tuple((labels[i], float(expected[i]), float(actual[i])) for i in kept),
    )
