"""Duplicate rows, constant columns, and columns that identify the row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.errors import InputError, unknown_name

Hashes = NDArray[np.uint64]

MIN_DISTINCT_NUMBERS = 0.99
MIN_DISTINCT_TEXTS = 0.95
MIN_ROWS = 20


def cell_hashes(columns: Iterable[pd.Series[Any]]) -> Iterator[Hashes]:
    """Hash of every cell, column by column; sums over columns hash partial rows."""
    # Sums wrap around modulo 2 ** 64: two different rows collide with probability 2 ** -64. Missing
    # values of a column have equal hashes.
    for number, column in enumerate(columns):
        codes, _ = pd.factorize(column, use_na_sentinel=False)
        # SplitMix64: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators (2014).
        z = codes.astype(np.uint64) + (np.uint64(number + 1) << np.uint64(40))
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        yield z ^ (z >> np.uint64(31))


def group_sizes(hashes: Hashes) -> NDArray[np.int64]:
    """Number of rows with each distinct hash."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes: NDArray[np.int64] = np.diff(np.r_[starts, len(ordered)])
    return sizes


@dataclass(frozen=True)
class Duplicates:
    """Numbers of rows that occur more than once.

    Attributes
    ----------
    rows : int
        Number of rows with the same features as an earlier row.
    rows_with_label : int
        Number of rows with the same features and label as an earlier row.
    conflicting : int
        Number of rows with the same features as a row with another label.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import find_duplicates
    >>> find_duplicates(pd.DataFrame({"a": [1, 1, 2]}), pd.Series([0, 1, 1])).conflicting
    2
    """

    rows: int
    rows_with_label: int
    conflicting: int


def find_duplicates(X: pd.DataFrame, y: pd.Series[Any]) -> Duplicates:
    """Count rows that have the same features as another row.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features. Missing values of a column are equal to each other.
    y : pandas.Series of shape (n_rows,)
        Label of each row.

    Returns
    -------
    Duplicates
        Numbers of repeated rows, with and without equal labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import find_duplicates
    >>> X = pd.DataFrame({"a": [1, 1, 1, 2], "b": ["x", "x", "x", None]})
    >>> find_duplicates(X, pd.Series([0, 0, 1, 1]))
    Duplicates(rows=2, rows_with_label=1, conflicting=3)
    """
    features = np.zeros(len(X), dtype=np.uint64)
    for hashes in cell_hashes(column for _, column in X.items()):
        features += hashes
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
    """Columns with the same value in every row, or without any value.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features.

    Returns
    -------
    list of str
        Names of the constant columns. A column with one distinct value and missing values is not
        constant.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import constant_columns
    >>> constant_columns(pd.DataFrame({"a": [1, 1], "b": [1, None], "c": [None, None]}))
    ['a', 'c']
    """
    return [str(name) for name in X if X[name].nunique(dropna=False) < 2]


def id_like_columns(X: pd.DataFrame) -> list[str]:
    """Columns that look like row identifiers.

    A column of integers is listed if at least 99 % of its values are distinct and the values
    are sorted (such as a row number or a time of entry), lie in a range of at most twice their
    number (such as shuffled row numbers), or the name of the column says so (such as
    ``customer_id``, ``Unnamed: 0``). A column of text is listed if at least 95 % of its values are
    distinct (such as names). Columns with decimal fractions are listed only if the differences of
    successive rows are equal. Columns with fewer than 20 values are not listed.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features with the dtypes that `make_dataset` produces.

    Returns
    -------
    list of str
        Names of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import id_like_columns
    >>> rng = np.random.default_rng(0)
    >>> n = 50
    >>> id_like_columns(pd.DataFrame({"id": rng.permutation(n), "income": rng.normal(size=n)}))
    ['id']
    """
    return [str(name) for name in X if _is_id_like(str(name), X[name].dropna())]


_ID_WORDS = {"id", "ids", "uid", "uuid", "guid", "idx", "index", "rowid", "rownum", "번호"}
_LAST_WORDS = {"no", "nr", "number", "key"}


def _is_id_like(name: str, values: pd.Series[Any]) -> bool:
    n = len(values)
    if n < MIN_ROWS:
        return False
    distinct = values.nunique() / n
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return distinct >= MIN_DISTINCT_TEXTS
    if distinct < MIN_DISTINCT_NUMBERS:
        return False
    numbers = values.to_numpy(dtype="float64")
    if (numbers % 1 != 0).any():
        steps = np.diff(numbers)
        return bool(np.allclose(steps, steps[0], rtol=1e-3, atol=0.0))
    steps = np.diff(numbers)
    in_order = bool((steps >= 0).all() or (steps <= 0).all())
    return in_order or float(np.ptp(numbers)) < 2 * n or names_identifier(name)


_TIME_WORDS = {
    *("time", "timestamp", "date", "datetime", "epoch", "period", "t", "dt", "ym", "yyyymm"),
    *("year", "years", "yr", "quarter", "qtr", "month", "months", "week", "weeks", "day", "days"),
    *("hour", "hours", "minute", "minutes", "second", "seconds", "jahr", "monat", "woche", "tag"),
}
_TIME_ENDS = (
    "시간",
    "시각",
    "시점",
    "일시",
    "일자",
    "날짜",
    "년도",
    "연도",
    "년월",
    "연월",
    "기간",
)


def names_time(name: str) -> bool:
    """Whether the name of a column says that it is a time, e.g. month or obsDate."""
    return bool(_TIME_WORDS & set(_words(name))) or name.endswith(_TIME_ENDS)


def _words(name: str) -> list[str]:
    separated = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\W_]+", separated) if word]


def names_identifier(name: str) -> bool:
    """Whether the name of a column says that it identifies rows, e.g. SK_ID or customerId."""
    words = _words(name)
    unnamed = re.fullmatch(r"Unnamed: \d+", name)  # pandas names the index of a CSV file so
    return bool(unnamed or _ID_WORDS & set(words) or (words[-1:] and words[-1] in _LAST_WORDS))


def check_key(X: pd.DataFrame, columns: Sequence[str], what: str) -> tuple[str, ...]:
    """Check the names of key columns; return each name once. `what` names the setting in errors."""
    listed = isinstance(columns, Sequence) and not isinstance(columns, str)
    if not listed or not columns or not all(isinstance(column, str) for column in columns):
        raise InputError(
            f"{what} must be a list of column names such as ['age', 'job']; got {columns!r}"
        )
    for column in columns:
        if column not in X:
            raise unknown_name(f"column in {what}", column, map(str, X.columns))
    return tuple(dict.fromkeys(columns))
