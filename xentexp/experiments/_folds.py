"""Folds: which rows train and which are predicted, always the same for a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets import Dataset, Entities, entities_by

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """Rows of one fold."""

    repeat: int
    number: int
    train: Rows
    test: Rows
    groups: Rows | None = None


@dataclass(frozen=True)
class CrossValidation:
    """How rows are split.

    Parameters
    ----------
    kind : {"stratified", "repeated", "grouped", "time_ordered", "holdout"}
        Shares of the classes kept; the same, repeated; rows of a group kept together; rows
        predicted from strictly earlier ones; one random part predicted from the others.
    n_splits : int
        Folds, 2 or more; not for "holdout".
    n_repeats : int
        Repeats, for "repeated" alone.
    time_column : str or None
        Feature whose order is that of time, for "time_ordered" alone.
    groups : "auto", sequence of str or None
        For "grouped" alone: None for the groups of the data set, "auto" to find entities
        whatever groups there are (see ``find_entities``), or columns in which the rows of a
        group agree.
    n_test : int or None
        Rows that are predicted, for "holdout" alone: the first of
        ``numpy.random.default_rng(seed).permutation(n)``.
    seed : int
        Of the shuffling.

    Examples
    --------
    >>> from xentexp.experiments import CrossValidation, load_dataset
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> folds = CrossValidation("repeated", n_splits=3, n_repeats=2).folds(data)
    >>> [len(fold.test) for fold in folds]
    [100, 100, 100, 100, 100, 100]
    """

    kind: str = "stratified"
    n_splits: int = 5
    n_repeats: int = 1
    time_column: str | None = None
    groups: str | Sequence[str] | None = None
    n_test: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in _SPLITS:
            raise unknown_name("cv.kind", self.kind, _SPLITS)
        for option in ("n_splits", "n_repeats", "time_column", "groups", "n_test"):
            default = type(self).__dataclass_fields__[option].default
            if getattr(self, option) != default and option not in CV_OPTIONS[self.kind]:
                raise InputError(f"cv.{option} is not for cv={self.kind}; leave it out")
        if self.kind == "holdout" and self.n_test is None:
            raise InputError("cv=holdout needs a number of rows; set cv.n_test=ROWS")
        for name, low in (("n_splits", 2), ("n_repeats", 1), ("n_test", 1)):
            value = getattr(self, name)
            if name not in CV_OPTIONS[self.kind]:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise InputError(f"cv.{name} must be a whole number >= {low}; got {value!r}")
        if isinstance(self.groups, str) and self.groups != "auto":
            raise InputError(
                f"cv.groups must be null, auto or a list of columns, e.g. [{self.groups}]; got "
                f"{self.groups!r}"
            )

    def entities(self, dataset: Dataset) -> Entities:
        """Rows that "grouped" keeps together.

        Parameters
        ----------
        dataset : Dataset
            Whose rows they are.

        Returns
        -------
        Entities
            With how they are known.

        Raises
        ------
        InputError
            Where the data set has no groups, none are found, or a column is missing.
        """
        if self.groups == "auto":
            found = dataset.found_entities
            if found is None:
                raise InputError(
                    f"cv.groups=auto found no entities in data set {dataset.name}; name the "
                    f"columns that identify one (cv.groups=[COLUMN,...]) or choose cv=stratified"
                )
            return found
        if self.groups is not None:
            return entities_by(dataset.X, self.groups, what="cv.groups")
        given = dataset.entities()
        if dataset.groups is None or given is None:
            raise InputError(
                f"cv=grouped needs groups, but data set {dataset.name} has none; let them be "
                f"found (cv.groups=auto), name the columns that identify one "
                f"(cv.groups=[COLUMN,...]) or choose cv=stratified"
            )
        return given

    def folds(self, dataset: Dataset) -> list[Fold]:
        """Folds of a data set.

        Parameters
        ----------
        dataset : Dataset
            Whose rows are split.

        Returns
        -------
        list of Fold
            Each row is predicted once in each repeat ("time_ordered": the first part never;
            "holdout": a part alone).

        Raises
        ------
        InputError
            Where a class, the groups or the rows are too few, or the column is missing.
        """
        n_rows = len(dataset.y)
        if "n_splits" in CV_OPTIONS[self.kind] and self.n_splits > n_rows:
            raise InputError(f"cv.n_splits={self.n_splits} is more than the {n_rows} rows")
        splits = _SPLITS[self.kind](self, dataset)
        groups = None
        if self.kind == "grouped" and dataset.groups is not None:
            groups = pd.factorize(dataset.groups)[0]
        return [
            Fold(
                i // self.n_splits,
                i % self.n_splits,
                train.astype(np.intp),
                test.astype(np.intp),
                None if groups is None else groups[train],
            )
            for i, (train, test) in enumerate(splits)
        ]


def _codes(dataset: Dataset) -> Rows:
    column = {label: i for i, label in enumerate(dataset.classes)}
    return np.array([column[label] for label in dataset.y.tolist()], dtype=np.intp)


def _check_classes(cv: CrossValidation, dataset: Dataset) -> Rows:
    codes = _codes(dataset)
    counts = np.bincount(codes, minlength=len(dataset.classes))
    if counts.min() < cv.n_splits:
        label = dataset.classes[int(counts.argmin())]
        raise InputError(
            f"cv.n_splits={cv.n_splits} needs as many rows of each class; class {label!r} has "
            f"{counts.min()}: lower cv.n_splits"
        )
    return codes


def _stratified(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    codes = _check_classes(cv, dataset)
    splitter = StratifiedKFold(cv.n_splits, shuffle=True, random_state=cv.seed)
    return iter(splitter.split(codes, codes))


def _repeated(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    codes = _check_classes(cv, dataset)
    splitter = RepeatedStratifiedKFold(
        n_splits=cv.n_splits, n_repeats=cv.n_repeats, random_state=cv.seed
    )
    return iter(splitter.split(codes, codes))


def _grouped(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    groups = cv.entities(dataset).groups
    n_groups = len(np.unique(groups))
    if n_groups < cv.n_splits:
        raise InputError(f"cv.n_splits={cv.n_splits} is more than the {n_groups} groups")
    codes = _check_classes(cv, dataset)
    splitter = StratifiedGroupKFold(cv.n_splits, shuffle=True, random_state=cv.seed)
    return iter(splitter.split(codes, codes, groups))


def _time_ordered(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    if cv.time_column is None:
        raise InputError("cv=time_ordered needs cv.time_column, the feature that orders the rows")
    if not isinstance(cv.time_column, str) or cv.time_column not in dataset.X:
        raise unknown_name("cv.time_column", cv.time_column, map(str, dataset.X.columns))
    time = dataset.X[cv.time_column]
    if time.isna().any():
        raise InputError(
            f"cv.time_column {cv.time_column!r} has {time.isna().sum()} missing values"
        )
    times = _in_time_order(time, cv.time_column)
    order = np.argsort(times, kind="stable")
    if cv.n_splits + 1 > len(order):
        raise InputError(f"cv.n_splits={cv.n_splits} needs more than {len(order)} rows")
    for train, test in TimeSeriesSplit(cv.n_splits).split(order):
        # Rows of the same time as the first predicted one are not before it.
        before = train[times[order[train]] < times[order[test[0]]]]
        if len(before) == 0:
            raise InputError(
                f"cv.n_splits={cv.n_splits} leaves no earlier row to train on: {cv.time_column!r} "
                f"has too many rows of one time; lower cv.n_splits"
            )
        yield order[before], order[test]


def _holdout(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    n_rows = len(dataset.y)
    assert cv.n_test is not None
    if cv.n_test >= n_rows:
        raise InputError(f"cv.n_test={cv.n_test} leaves none of the {n_rows} rows to train on")
    order = np.random.default_rng(cv.seed).permutation(n_rows)
    yield order[cv.n_test :], order[: cv.n_test]


def _in_time_order(time: pd.Series[Any], name: str) -> Any:
    """Values whose order is that of time: numbers, ordered categories, or dates as text."""
    if not isinstance(time.dtype, pd.CategoricalDtype):
        return time.to_numpy()
    if time.cat.ordered:
        return time.cat.codes.to_numpy()
    dates = pd.to_datetime(time.astype(str), format="ISO8601", errors="coerce", utc=True)
    if dates.isna().any():
        example = time[dates.isna()].iloc[0]
        raise InputError(
            f"cv.time_column {name!r} must hold numbers or dates as ISO 8601 has them "
            f"(2020-01-31); row {int(dates.isna().argmax())} has {example!r}, whose order in time "
            f"is unknown"
        )
    return dates.to_numpy()


_SPLITS: dict[str, Callable[[CrossValidation, Dataset], Iterator[Any]]] = {
    "stratified": _stratified,
    "repeated": _repeated,
    "grouped": _grouped,
    "time_ordered": _time_ordered,
    "holdout": _holdout,
}

CV_OPTIONS: dict[str, tuple[str, ...]] = {
    "stratified": ("n_splits",),
    "repeated": ("n_splits", "n_repeats"),
    "grouped": ("n_splits", "groups"),
    "time_ordered": ("n_splits", "time_column"),
    "holdout": ("n_test",),
}
"""What may be set for a kind."""
