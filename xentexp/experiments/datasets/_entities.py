"""Entities, such as persons with several rows: from groups, from a key, or found in the data."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.experiments.datasets._repeats import (
    Hashes,
    cell_hashes,
    check_key,
    constant_columns,
    group_sizes,
    id_like_columns,
)

MIN_REPEATED = 0.01
"""Smallest fraction of rows with a partner; fewer are reported as duplicates, not as entities."""

MAX_BY_CHANCE = 0.1
"""Largest fraction of the agreeing pairs of rows that may agree by chance."""

MIN_VARIATION = 0.5
"""Smallest ratio of how often a varying column differs within entities to between all rows."""

MAX_WORK = 200_000_000
"""Cells that may be hashed or compared to try two varying columns: about ten seconds."""

FEW_COLUMNS = 25
"""Number of columns up to which all pairs of columns are tried first."""

MAX_PARTNERS = 100
"""Number of columns that are tried with each other although no two rows differ in both."""


@dataclass(frozen=True, eq=False)
class Entities:
    """Entity of each row, and how the entities were determined.

    Attributes
    ----------
    groups : ndarray of shape (n_rows,)
        Number of the entity of each row.
    source : {"given", "key", "found"}
        ``"given"``: groups of the data set. ``"key"``: columns that the user named.
        ``"found"``: result of `find_entities`.
    columns : tuple of str, default=()
        Key: columns in which the rows of an entity have equal values. Empty for ``"given"``.
    varying : tuple of str, default=()
        Other columns, which vary within an entity; only for ``"found"``.
    by_chance : float, default=0.0
        Estimated fraction of the agreeing pairs of rows that agree by chance; only for
        ``"found"``.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import entities_by
    >>> entities = entities_by(pd.DataFrame({"name": ["a", "b", "a"]}), ["name"])
    >>> entities.number, entities.repeated_rows, entities.how()
    (2, 2, 'rows with equal values of name')
    """

    groups: NDArray[np.int64]
    source: str
    columns: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    by_chance: float = 0.0

    @property
    def number(self) -> int:
        """Number of entities."""
        return int(np.unique(self.groups).size)

    @property
    def repeated_rows(self) -> int:
        """Number of rows that share their entity with another row."""
        _, place, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        return int((sizes[place] > 1).sum())

    @property
    def largest(self) -> int:
        """Number of rows of the largest entity."""
        return int(np.unique(self.groups, return_counts=True)[1].max())

    def how(self) -> str:
        """Short text on how the entities were determined.

        Returns
        -------
        str
            Text for messages and tables, such as ``"groups of the data set"``.
        """
        if self.source == "given":
            return "groups of the data set"
        if self.source == "key":
            return f"rows with equal values of {', '.join(self.columns)}"
        if not self.varying:
            return f"found: rows with equal values in all {len(self.columns)} columns"
        return (
            f"found: rows with equal values in {len(self.columns)} columns "
            f"(all but {', '.join(self.varying)})"
        )

    def describe(self) -> dict[str, Any]:
        """Summary of the entities for JSON.

        Returns
        -------
        dict
            ``source``, ``number``, ``repeated_rows``, ``largest``, ``columns``, ``varying``,
            ``by_chance`` and ``how`` (text of `how`).
        """
        return {
            "source": self.source,
            "number": self.number,
            "repeated_rows": self.repeated_rows,
            "largest": self.largest,
            "columns": list(self.columns),
            "varying": list(self.varying),
            "by_chance": self.by_chance,
            "how": self.how(),
        }


def entities_by(X: pd.DataFrame, columns: Sequence[str], *, what: str = "key") -> Entities:
    """Entities by a key: rows with equal values in all key columns belong to one entity.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features that contain the key columns.
    columns : sequence of str
        Names of the key columns. Missing values are equal to each other.
    what : str, default="key"
        Name of the setting that contains the columns, for error messages.

    Returns
    -------
    Entities
        Entities, numbered in the order in which they occur.

    Raises
    ------
    InputError
        If `columns` is empty or not a list of text, or a column does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import entities_by
    >>> X = pd.DataFrame({"name": ["a", "b", "a"], "month": [1, 1, 2]})
    >>> entities_by(X, ["name"]).groups.tolist()
    [0, 1, 0]
    """
    key = check_key(X, columns, what)
    return Entities(_numbered(X, key), "key", key)


def find_entities(X: pd.DataFrame) -> Entities | None:
    """Search the features for rows that belong to the same entity, such as a person.

    The rows of an entity must have equal values in all columns except at most two varying ones.
    Constant columns and row identifiers are ignored. All sets of zero, one or two varying columns
    are tried; the remaining columns are the key. A set is accepted if

    - at least 1 % of the rows agree with another row in the whole key;
    - each varying column differs among the agreeing pairs of rows at least half as often as
      among all pairs of rows;
    - at most 10 % of the agreeing pairs are estimated to agree by chance. For each key column,
      let p be the probability that two rows have the same value, and D the number of pairs that
      agree in the whole key except this column: then D p / (1 - p) pairs agree by chance. The
      largest estimate over the key columns is used.

    Among the accepted sets, the one with most agreeing pairs is returned.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features with the dtypes that `make_dataset` produces.

    Returns
    -------
    Entities or None
        Entity of each row; None if no set of columns is accepted.

    Notes
    -----
    The search does not find entities with three or more varying columns (pass a key to
    `entities_by` instead), repeated measurements with noise, and entities if fewer than 1 % of the
    rows are repeated. It finds false entities in tables in which all columns but two are functions
    of each other, such as a city, its region and its country. In tables of many
    columns, pairs of varying columns are taken from the rows that agree in a third of the columns,
    so that the time is linear in the number of columns. If these rows and the columns are too
    many, only one varying column is tried; `Dataset.limited_search` says so.

    The estimate of agreement by chance assumes that columns agree independently of each other
    between different entities, as in Fellegi and Sunter, A Theory for Record Linkage, Journal of
    the American Statistical Association 64 (1969), 1183-1210.

    Examples
    --------
    >>> from xentexp.experiments.datasets import find_entities, simulated_delinquency
    >>> found = find_entities(simulated_delinquency(n_samples=2000, repeats=2.0).X)
    >>> found.varying, found.source
    (('begin_month',), 'found')
    >>> find_entities(simulated_delinquency(n_samples=2000, repeats=1.0).X) is None
    True
    """
    return search_entities(X, {*constant_columns(X), *id_like_columns(X)})[0]


def search_entities(X: pd.DataFrame, ignored: Collection[str]) -> tuple[Entities | None, bool]:
    """Entities, see `find_entities`, and whether two varying columns could be tried."""
    columns = [str(name) for name in X if name not in ignored]
    if len(columns) < 2 or len(X) < 2:
        return None, True
    hashes = np.empty((len(columns), len(X)), dtype=np.uint64)
    for i, values in enumerate(cell_hashes(X[name] for name in columns)):
        hashes[i] = values
    search = _Search(hashes)
    for left_out in search.by_pairs():
        by_chance = search.by_chance(left_out)
        if by_chance <= MAX_BY_CHANCE:
            key = tuple(name for i, name in enumerate(columns) if i not in left_out)
            varying = tuple(columns[i] for i in left_out)
            found = Entities(_numbered(X, key), "found", key, varying, by_chance)
            return found, not search.limited
    return None, not search.limited


class _Search:
    """Counts of pairs of rows that agree in all columns except some, by sums of hashes."""

    def __init__(self, hashes: Hashes) -> None:
        self.n_rows = hashes.shape[1]
        self.hashes = hashes
        self.whole = hashes.sum(axis=0, dtype=np.uint64)
        every_pair = self.n_rows * (self.n_rows - 1) / 2
        self.same = np.array([_pairs(group_sizes(column)) for column in hashes]) / every_pair
        self.limited = False  # whether two varying columns are too many to try
        self.counted: dict[frozenset[int], tuple[float, int]] = {}

    def agreeing(self, left_out: Sequence[int]) -> tuple[float, int]:
        """Number of pairs of rows that agree in the other columns, and of rows in such pairs."""
        key = frozenset(left_out)
        if key not in self.counted:
            omitted = self.hashes[sorted(key)].sum(axis=0, dtype=np.uint64)
            sizes = group_sizes(self.whole - omitted)  # the sums wrap around modulo 2 ** 64
            self.counted[key] = _pairs(sizes), int(sizes[sizes > 1].sum())
        return self.counted[key]

    def by_pairs(self) -> list[tuple[int, ...]]:
        """Sets of varying columns, most agreeing pairs first, smaller sets first if tied."""
        columns = range(len(self.hashes))
        singles = [(column,) for column in columns] if len(columns) > 1 else []
        sets = [
            left_out
            for left_out in itertools.chain([()], singles, self._two_columns())
            if self.agreeing(left_out)[1] >= MIN_REPEATED * self.n_rows
            and all(self._varies(column, left_out) for column in left_out)
        ]
        return sorted(sets, key=lambda left_out: -self.agreeing(left_out)[0])

    def _two_columns(self) -> Iterable[tuple[int, int]]:
        """Pairs of columns that may be a set of varying columns."""
        n_columns = len(self.hashes)
        if n_columns < 3:
            return []
        every_pair = itertools.combinations(range(n_columns), 2)
        work = self.n_rows * n_columns * (n_columns - 1) / 2
        if n_columns <= FEW_COLUMNS and work <= MAX_WORK:
            return every_pair
        close = _close_rows(self.hashes)
        if close is not None:
            return self._differing(close)
        # The overhead for each pair of columns corresponds to 1000 rows.
        self.limited = work / self.n_rows * (self.n_rows + 1000) > MAX_WORK
        return [] if self.limited else every_pair

    def _differing(self, close: NDArray[np.intp]) -> list[tuple[int, int]]:
        """Pairs of columns in which close rows differ, with counts that allow acceptance."""
        n_columns = len(self.hashes)
        none = 0
        single = np.zeros(n_columns)
        double: Counter[tuple[int, int]] = Counter()
        chunk = max(1, 5_000_000 // n_columns)
        for start in range(0, close.shape[1], chunk):
            i, j = close[:, start : start + chunk]
            differs = self.hashes[:, i] != self.hashes[:, j]
            number = differs.sum(axis=0)
            none += int((number == 0).sum())
            single += np.bincount(differs[:, number == 1].argmax(axis=0), minlength=n_columns)
            two = differs[:, number == 2]
            first, last = two.argmax(axis=0), n_columns - 1 - two[::-1].argmax(axis=0)
            codes, counts = np.unique(first * n_columns + last, return_counts=True)
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
                double[divmod(code, n_columns)] += count
        fewest = (
            MIN_REPEATED * self.n_rows / 2
        )  # rows that agree are in at least half as many pairs
        varied = MIN_VARIATION * (1 - self.same)

        def acceptable(a: int, b: int) -> bool:
            both = double[a, b]
            total = none + single[a] + single[b] + both
            return bool(
                total >= fewest
                and single[a] + both >= varied[a] * total
                and single[b] + both >= varied[b] * total
            )

        often = np.argsort(-single, kind="stable")[:MAX_PARTNERS]
        partners = sorted(int(column) for column in often if single[column])
        pairs = {*double, *itertools.combinations(partners, 2)}
        return sorted(pair for pair in pairs if acceptable(*pair))

    def _varies(self, column: int, left_out: tuple[int, ...]) -> bool:
        rest = [other for other in left_out if other != column]
        differs = 1 - self.agreeing(rest)[0] / self.agreeing(left_out)[0]
        return bool(differs >= MIN_VARIATION * (1 - self.same[column]))

    def by_chance(self, left_out: tuple[int, ...]) -> float:
        """Fraction of the agreeing pairs that agree by chance; stops early above the limit."""
        pairs, _ = self.agreeing(left_out)
        share = 0.0
        for column in np.argsort(-self.same):  # columns that often agree end the loop early
            if column not in left_out:
                differing = self.agreeing([*left_out, int(column)])[0] - pairs
                odds = self.same[column] / (1 - self.same[column])
                share = max(share, float(differing * odds / pairs))
            if share > MAX_BY_CHANCE:
                break
        return share


def _close_rows(hashes: Hashes) -> NDArray[np.intp] | None:
    """Pairs of rows that agree in one of three parts of the columns; None if too many."""
    # Rows that differ in at most two columns are among them.
    n_columns, n_rows = hashes.shape
    found = [np.empty(0, dtype=np.int64)]
    number = 0.0
    for third in np.array_split(np.arange(n_columns), 3):
        part = hashes[third].sum(axis=0, dtype=np.uint64)
        number += _pairs(group_sizes(part))
        if number * n_columns > MAX_WORK:
            return None
        order = np.argsort(part, kind="stable")
        ordered = part[order]
        for lag in range(1, n_rows):
            equal = np.flatnonzero(ordered[lag:] == ordered[:-lag])
            if not len(equal):
                break
            found.append(order[equal].astype(np.int64) * n_rows + order[equal + lag])
    pairs = np.unique(np.concatenate(found))  # in stable order, the first row has the lower number
    return np.stack(np.divmod(pairs, n_rows)).astype(np.intp)


def _pairs(sizes: NDArray[np.int64]) -> float:
    return float((sizes * (sizes - 1.0)).sum() / 2)


def _numbered(X: pd.DataFrame, key: Sequence[str]) -> NDArray[np.int64]:
    groups = X.groupby(list(key), dropna=False, sort=False, observed=True).ngroup()
    return np.asarray(groups, dtype=np.int64)
