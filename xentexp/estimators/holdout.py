"""Rows that a model is trained on, and rows that are held out to watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from xentexp.errors import InputError
from xentexp.numerics import FloatArray, IntArray
from xentexp.objectives import TrainingObjective


@dataclass(frozen=True)
class TrainingRows:
    """Some rows, and the loss on them.

    Parameters
    ----------
    X : ndarray, sparse matrix or DataFrame of shape (n, n_features)
        Checked rows.
    training : TrainingObjective
        Classes, weights by row and class, and what is trained on.
    weight : ndarray of shape (n,) or None
        Weight of each row as the user gave it.
    """

    X: Any
    training: TrainingObjective
    weight: FloatArray | None

    def of(self, rows: IntArray) -> TrainingRows:
        """Some of the rows.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        TrainingRows
            A copy.
        """
        X = self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]
        return TrainingRows(
            X, self.training.of(rows), None if self.weight is None else self.weight[rows]
        )


def split_parts(
    whole: TrainingRows, fraction: float | None, random_state: Any
) -> dict[str, TrainingRows]:
    """Rows to train on, and rows held out.

    Parameters
    ----------
    whole : TrainingRows
        All rows.
    fraction : float or None
        Share that is held out, of each class alike; None for nothing. Of each class one row at
        least is trained on.
    random_state : int, RandomState instance or None
        Which rows.

    Returns
    -------
    dict
        ``"train"``, and ``"valid"`` where rows are held out; in the order they had.

    Raises
    ------
    InputError
        For a share that is no row.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import find_loss
    >>> training = TrainingObjective(find_loss("brier_loss"), np.array([0, 1] * 4), 2)
    >>> rows = TrainingRows(np.arange(8)[:, None], training, None)
    >>> parts = split_parts(rows, 0.25, random_state=0)
    >>> {name: part.training.n_rows for name, part in parts.items()}
    {'train': 6, 'valid': 2}
    """
    if fraction is None:
        return {"train": whole}
    rng = check_random_state(random_state)
    index = whole.training.index
    held_out = np.zeros(len(index), dtype=bool)
    for label in np.unique(index):
        own = rng.permutation(np.flatnonzero(index == label))
        held_out[own[: min(round(fraction * len(own)), len(own) - 1)]] = True
    if not held_out.any():
        raise InputError(
            f"validation_fraction={fraction} of {len(index)} rows holds none out; set it higher"
        )
    return {
        "train": whole.of(np.flatnonzero(~held_out)),
        "valid": whole.of(np.flatnonzero(held_out)),
    }
