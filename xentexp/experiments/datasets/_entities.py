"""Entities: rows of one person, as given, by a key, or found in the table itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
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

LEAST_SHARE = 0.01
"""Share of the rows that must have a partner: fewer are told as duplicates, not as entities."""

MOST_BY_CHANCE = 0.1
"""Share of the agreeing pairs of rows that may agree by chance."""

VARIES = 0.5
"""A column varies within entities if it differs there half as often as between any two rows."""

MOST_WORK = 200_000_000
"""Rows times pairs of columns up to which two columns at once are left out: some ten seconds."""


@dataclass(frozen=True, eq=False)
class Entities:
    """Which rows belong together, and how that is known.

    Attributes
    ----------
    groups : ndarray of shape (n_rows,)
        Number of each row's entity.
    source : {"given", "key", "found"}
        Groups of the data set; columns that a user named; the search of ``find_entities``.
    columns : tuple of str
        Columns in which the rows of an entity agree; empty where the groups are given.
    varying : tuple of str
        The other columns, where they were found.
    by_chance : float
        Estimated share of the agreeing pairs of rows that agree by chance, where found.
    """

    groups: NDArray[np.int64]
    source: str
    columns: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    by_chance: float = 0.0

    @property
    def number(self) -> int:
        """How many entities there are."""
        return int(np.unique(self.groups).size)

    @property
    def repeated_rows(self) -> int:
        """How many rows belong to an entity with another row."""
        _, place, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        return int((sizes[place] > 1).sum())

    @property
    def largest(self) -> int:
        """Rows of the entity that has most."""
        return int(np.unique(self.groups, return_counts=True)[1].max())

    def how(self) -> str:
        """How the entities are known, in some words."""
        if self.source == "given":
            return "groups of the data set"
        named = ", ".join(self.columns)
        if self.source == "key":
            return f"rows that agree in {named}"
        if not self.varying:
            return f"found: rows that agree in all {len(self.columns)} columns"
        return (
            f"found: rows that agree in {len(self.columns)} columns "
            f"(all but {', '.join(self.varying)})"
        )

    def describe(self) -> dict[str, Any]:
        """Summary that ``json.dumps`` accepts."""
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
    """Entities by a key: rows that agree in some columns are one.

    Parameters
    ----------
    X : pandas.DataFrame
        Features.
    columns : sequence of str
        The key. Missing values agree with each other.
    what : str
        The setting that names them, for a complaint.

    Returns
    -------
    Entities
        Numbered as they occur.

    Raises
    ------
    InputError
        Where no column is named, or one does not exist.

    Examples
    --------
    >>> X = pd.DataFrame({"name": ["a", "b", "a"], "month": [1, 1, 2]})
    >>> entities_by(X, ["name"]).groups.tolist()
    [0, 1, 0]
    """
    key = check_key(X, columns, what)
    return Entities(_numbered(X, key), "key", key)


def find_entities(X: pd.DataFrame) -> Entities | None:
    """Find rows that belong to one entity, such as the cards of a person, without being told.

    Rows of an entity agree in all columns but those that vary within it, of which there may be
    two at most (constant columns and running numbers aside). Every such set of columns to leave
    out is tried. It is taken if

    - at least 1 % of the rows agree with another one in all other columns (the key);
    - each column left out does vary among the agreeing pairs of rows: it differs at least half
      as often as between any two rows;
    - at most a tenth of the agreeing pairs agree by chance. Pairs that agree in the whole key
      but for one column c tell: if two rows have the same c with probability p, D of them that
      differ stand for D p / (1 - p) that agree by chance. The column that says most counts.

    Of those that pass, the one with most agreeing pairs is taken.

    Parameters
    ----------
    X : pandas.DataFrame
        Features, of the dtypes that ``make_dataset`` leaves.

    Returns
    -------
    Entities or None
        None where no set of columns passes.

    Notes
    -----
    What it cannot find: entities with three varying columns or more (name the key instead),
    measurements that repeat with noise, and entities of which fewer than 1 % of the rows have a
    second one. What it takes for entities though it should not: tables in which all columns but
    two follow from each other (a city, its region, its country). Above 2e8 rows times pairs of
    columns, one column at most is left out.

    The estimate by chance is that of matching records by columns that agree independently of
    each other between different entities: Fellegi, Sunter, A Theory for Record Linkage, Journal
    of the American Statistical Association 64 (1969), 1183-1210.

    Examples
    --------
    >>> from xentexp.experiments.datasets import simulated_delinquency
    >>> found = find_entities(simulated_delinquency(n_samples=2000, repeats=2.0).X)
    >>> found.varying, found.source
    (('begin_month',), 'found')
    >>> find_entities(simulated_delinquency(n_samples=2000, repeats=1.0).X) is None
    True
    """
    aside = {*constant_columns(X), *id_like_columns(X)}
    columns = [str(name) for name in X if name not in aside]
    if len(columns) < 2 or len(X) < 2:
        return None
    search = _Search(cell_hashes(X[columns]))
    for left_out in search.by_pairs():
        by_chance = search.by_chance(left_out)
        if by_chance <= MOST_BY_CHANCE:
            key = tuple(name for i, name in enumerate(columns) if i not in left_out)
            varying = tuple(columns[i] for i in left_out)
            return Entities(_numbered(X, key), "found", key, varying, by_chance)
    return None


class _Search:
    """Pairs of rows that agree in all columns but some, counted by hashes."""

    def __init__(self, hashes: Hashes) -> None:
        n_columns, self.n_rows = hashes.shape
        self.hashes = hashes
        self.whole = hashes.sum(axis=0, dtype=np.uint64)
        every_pair = self.n_rows * (self.n_rows - 1) / 2
        self.same = np.array([_pairs(group_sizes(column)) for column in hashes]) / every_pair
        pairs_of_columns = n_columns * (n_columns - 1) / 2
        self.most = 2 if self.n_rows * pairs_of_columns <= MOST_WORK else 1
        self.most = min(self.most, n_columns - 1)
        self.counted: dict[frozenset[int], tuple[float, int]] = {}

    def agreeing(self, left_out: Sequence[int]) -> tuple[float, int]:
        """Pairs of rows that agree in the other columns, and rows that are in such a pair."""
        key = frozenset(left_out)
        if key not in self.counted:
            part = self.hashes[sorted(key)].sum(axis=0, dtype=np.uint64)
            sizes = group_sizes(self.whole - part)
            self.counted[key] = _pairs(sizes), int(sizes[sizes > 1].sum())
        return self.counted[key]

    def by_pairs(self) -> list[tuple[int, ...]]:
        """What may be left out, most agreeing pairs first, the smaller set where they tie."""
        columns = range(len(self.hashes))
        sets = [
            left_out
            for size in range(self.most + 1)
            for left_out in itertools.combinations(columns, size)
            if self.agreeing(left_out)[1] >= LEAST_SHARE * self.n_rows
            and all(self._varies(column, left_out) for column in left_out)
        ]
        return sorted(sets, key=lambda left_out: -self.agreeing(left_out)[0])

    def _varies(self, column: int, left_out: tuple[int, ...]) -> bool:
        rest = [other for other in left_out if other != column]
        differs = 1 - self.agreeing(rest)[0] / self.agreeing(left_out)[0]
        return bool(differs >= VARIES * (1 - self.same[column]))

    def by_chance(self, left_out: tuple[int, ...]) -> float:
        """Share of the agreeing pairs that agree by chance, or some share that is too much."""
        pairs, _ = self.agreeing(left_out)
        share = 0.0
        for column in np.argsort(-self.same):  # what agrees often tells most: it ends the loop
            if column not in left_out:
                differing = self.agreeing([*left_out, int(column)])[0] - pairs
                odds = self.same[column] / (1 - self.same[column])
                share = max(share, float(differing * odds / pairs))
            if share > MOST_BY_CHANCE:
                break
        return share


def _pairs(sizes: NDArray[np.int64]) -> float:
    return float((sizes * (sizes - 1.0)).sum() / 2)


def _numbered(X: pd.DataFrame, key: Sequence[str]) -> NDArray[np.int64]:
    groups = X.groupby(list(key), dropna=False, sort=False, observed=True).ngroup()
    return np.asarray(groups, dtype=np.int64)
