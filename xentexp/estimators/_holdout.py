"""Split into training rows and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.objectives import TrainingObjective


@dataclass(frozen=True)
class TrainingRows:
    """Checked rows, the objective on them, and their sample weights."""

    X: Any
    training: TrainingObjective
    weight: FloatArray | None  # sample weights without class weights

    def of(self, rows: IntArray) -> TrainingRows:
        """Copy of a subset of the rows."""
        X = self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]
        return TrainingRows(
            X, self.training.of(rows), None if self.weight is None else self.weight[rows]
        )


def split_parts(
    all_rows: TrainingRows, fraction: float | None, random_state: Any
) -> dict[str, TrainingRows]:
    """Parts "train" and "valid", stratified; each class keeps at least one training row."""
    if fraction is None:
        return {"train": all_rows}
    rng = check_random_state(random_state)
    index = all_rows.training.index
    held_out = np.zeros(len(index), dtype=bool)
    for label in np.unique(index):
        of_class = rng.permutation(np.flatnonzero(index == label))
        n_held_out = min(round(fraction * len(of_class)), len(of_class) - 1)
        held_out[of_class[:n_held_out]] = True
    if not held_out.any():
        raise InputError(
            f"validation_fraction must hold out at least one row; got {fraction} of {len(index)} "
            f"rows, which holds none out; set it higher"
        )
    return {
        "train": all_rows.of(np.flatnonzero(~held_out)),
        "valid": all_rows.of(np.flatnonzero(held_out)),
    }
