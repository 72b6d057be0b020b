"""Permutation importance: the increase of the loss when features are permuted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from xentexp._numerics import FloatArray
from xentexp.experiments._folds import Rows

REPEATS = 3
"""Permutations of each group of features, whose losses are averaged row by row."""

_CELLS = 4_000_000  # of a table that is predicted in one call
_MOST_COPIES = 500_000  # rows that are predicted for all folds of a model


def n_chosen(n_rows: int, n_folds: int, n_features: int) -> int:
    """Number of rows of a fold; fewer if many features would need too many predictions."""
    affordable = _MOST_COPIES // (n_folds * REPEATS * max(n_features, 1))
    return max(1, min(n_rows // n_folds, affordable))


def increases(
    losses_of: Callable[[pd.DataFrame, Rows], FloatArray],
    X: pd.DataFrame,
    losses: FloatArray,
    features: Sequence[Sequence[int]],
    rng: np.random.Generator,
) -> FloatArray:
    """Mean increase of the loss of each row for each group of features, shape (n, m)."""
    # `losses_of` gets rows with permuted values and their positions in X; `losses` are those of X.
    n = len(X)
    out = np.empty((n, len(features)))
    for start, stop in _parts(len(features), n * REPEATS * X.shape[1]):
        groups = features[start:stop]
        shuffled = np.stack([rng.permutation(n) for _ in range(len(groups) * REPEATS)])
        shuffled = shuffled.reshape(len(groups), REPEATS, n)
        unchanged = np.tile(np.arange(n), len(groups) * REPEATS)
        order = np.tile(unchanged, (X.shape[1], 1)).reshape(X.shape[1], len(groups), REPEATS, n)
        for g, columns in enumerate(groups):
            order[list(columns), g] = shuffled[g]
        copies = pd.DataFrame(
            {
                name: X[name].array.take(order[column].ravel())
                for column, name in enumerate(X.columns)
            }
        )
        permuted = losses_of(copies, unchanged).reshape(len(groups), REPEATS, n)
        with np.errstate(invalid="ignore"):  # infinite before and after
            out[:, start:stop] = (permuted - losses).mean(axis=1).T
    return out


def _parts(n_features: int, cells: int) -> Iterator[tuple[int, int]]:
    """Numbers of groups of features whose copies are predicted in one call."""
    step = max(1, _CELLS // max(cells, 1))
    for start in range(0, n_features, step):
        yield start, min(start + step, n_features)


def column_name(names: Sequence[str]) -> str:
    """Name of the column of a group of features."""
    return json.dumps(list(names), ensure_ascii=False)


def feature_groups(importance: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Features of each column of increases in a stored table, by name of the column."""
    return {name: tuple(json.loads(name)) for name in map(str, importance) if name.startswith("[")}
