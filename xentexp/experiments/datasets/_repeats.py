"""Rows that occur twice, and columns that tell nothing or name the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.errors import InputError, unknown_name

Hashes = NDArray[np.uint64]

DISTINCT_NUMBERS = 0.99
DISTINCT_TEXTS = 0.95
FEWEST_ROWS = 20


def cell_hashes(X: pd.DataFrame) -> Hashes:
    """Hash of every cell; the sum over some columns is the hash of a row's part."""
    hashes = np.empty((X.shape[1], len(X)), dtype=np.uint64)
    for number, (_, column) in enumerate(X.items()):
        codes, _ = pd.factorize(column, use_na_sentinel=False)
        # SplitMix64: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators (2014).
        z = codes.astype(np.uint64) + (np.uint64(number + 1) << np.uint64(40))
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes[number] = z ^ (z >> np.uint64(31))
    return hashes


def group_sizes(hashes: Hashes) -> NDArray[np.int64]:
    """How many rows have each of the hashes that occur."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes: NDArray[np.int64] = np.diff(np.r_[starts, len(ordered)])
    return sizes


@dataclass(frozen=True)
class Duplicates:
    """Rows that occur more than once.

    Attributes
    ----------
    rows : int
        Rows whose features are those of an earlier row.
    rows_with_label : int
        Rows whose features and label are those of an earlier row.
    conflicting : int
        Rows whose features are those of a row with another label.
    """

    rows: int
    rows_with_label: int
    conflicting: int


def find_duplicates(X: pd.DataFrame, y: pd.Series[Any]) -> Duplicates:
    """Count the rows that agree with another one in every feature.

    Parameters
    ----------
    X : pandas.DataFrame
        Features.
    y : pandas.Series
        Labels, one per row.

    Returns
    -------
    Duplicates
        The counts.

    Examples
    --------
    >>> X = pd.DataFrame({"a": [1, 1, 1, 2], "b": ["x", "x", "x", None]})
    >>> find_duplicates(X, pd.Series([0, 0, 1, 1]))
    Duplicates(rows=2, rows_with_label=1, conflicting=3)
    """
    features = cell_hashes(X).sum(axis=0, dtype=np.uint64)
    rows, _ = pd.factorize(features)
    labels, names = pd.factorize(y)
    both = rows.astype(np.int64) * len(names) + labels
    different = np.unique(both)
    labels_of_row = np.bincount(different // len(names))
    return Duplicates(
        rows=len(rows) - len(labels_of_row),
        rows_with_label=len(rows) - len(different),
        conflicting=int((labels_of_row[rows] > 1).sum()),
    )


def constant_columns(X: pd.DataFrame) -> list[str]:
    """Columns with one value in every row, or with none.

    Parameters
    ----------
    X : pandas.DataFrame
        Features.

    Returns
    -------
    list of str
        Their names. A column with one value and gaps is not constant: the gaps tell.

    Examples
    --------
    >>> constant_columns(pd.DataFrame({"a": [1, 1], "b": [1, None], "c": [None, None]}))
    ['a', 'c']
    """
    return [str(name) for name in X if X[name].nunique(dropna=False) < 2]


def id_like_columns(X: pd.DataFrame) -> list[str]:
    """Columns that seem to number or to name the rows.

    Whole numbers that nearly all differ (99 %) and either rise or fall from row to row, as a
    running number or a time of entry does, or fill a range of at most twice their number, as
    shuffled running numbers do; texts that nearly all differ (95 %), as names do. Other numbers
    differ by being measured: they are not meant, nor are columns with fewer than 20 values.

    Parameters
    ----------
    X : pandas.DataFrame
        Features, of the dtypes that ``make_dataset`` leaves.

    Returns
    -------
    list of str
        Their names.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> n = 50
    >>> id_like_columns(pd.DataFrame({"id": rng.permutation(n), "income": rng.normal(size=n)}))
    ['id']
    """
    return [str(name) for name in X if _is_id_like(X[name].dropna())]


def _is_id_like(values: pd.Series[Any]) -> bool:
    n = len(values)
    if n < FEWEST_ROWS:
        return False
    distinct = values.nunique() / n
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return distinct >= DISTINCT_TEXTS
    if distinct < DISTINCT_NUMBERS or (values % 1 != 0).any():
        return False
    in_order = values.is_monotonic_increasing or values.is_monotonic_decreasing
    return bool(in_order or float(values.max()) - float(values.min()) < 2 * n)


def check_key(X: pd.DataFrame, columns: Sequence[str], what: str) -> tuple[str, ...]:
    """Columns that a user names as the key of an entity, checked."""
    listed = isinstance(columns, Sequence) and not isinstance(columns, str)
    if not listed or not columns or not all(isinstance(column, str) for column in columns):
        raise InputError(f"{what} must be a list of columns, e.g. [age,job]; got {columns!r}")
    for column in columns:
        if column not in X:
            raise unknown_name(f"column in {what}", column, map(str, X.columns))
    return tuple(dict.fromkeys(columns))
