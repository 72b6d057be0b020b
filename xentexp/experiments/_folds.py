"""Cross-validation folds: the training and test rows of each, determined by a seed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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

from xentexp._inputs.options import check_integer, refuse_unordered
from xentexp.errors import InputError, unknown_name
from xentexp.experiments._formatting import counted
from xentexp.experiments.datasets import Dataset, Entities, Finding, entities_by

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """Row positions of the training and test part of one fold."""

    repeat: int
    number: int  # within the repeat
    train: Rows
    test: Rows
    groups: Rows | None = None  # entity of each training row, if some entities have several rows
    of_test_set: bool = False  # trained on all rows; `test` are rows of `Dataset.test`
    test_groups: Rows | None = None  # entity of each test row, if some entities have several rows
    test_time: Rows | None = None  # rank of the time of each test row, for kind "time_ordered"


@dataclass(frozen=True)
class CrossValidation:
    """Strategy that splits the rows of a data set into training and test parts.

    Parameters
    ----------
    kind : {"stratified", "repeated", "grouped", "time_ordered", "holdout"}, default="stratified"
        ``"stratified"``: shuffled folds with the class frequencies of the data set.
        ``"repeated"``: the same, `n_repeats` times with different shuffles.
        ``"grouped"``: stratified folds that keep the rows of a group, e.g. of a person, in one
        fold. ``"time_ordered"``: each fold is predicted from strictly earlier rows.
        ``"holdout"``: one random test part of `n_test` rows.
    n_splits : int, default=5
        Number of folds, at least 2. Not used with ``"holdout"``.
    n_repeats : int, default=1
        Number of repeats with other shuffles, at least 1. Only used with ``"repeated"`` and
        ``"grouped"``.
    time_column : str, default=None
        Feature that orders the rows in time: numbers, ordered categories or ISO 8601 dates.
        Required with ``"time_ordered"`` and only used there.
    groups : {"auto"} or sequence of str, default=None
        What makes a group. None (default): the groups of the data set. ``"auto"``: entities that
        `xentexp.experiments.datasets.find_entities` finds in the features. A sequence of column
        names: rows with equal values in all these columns. Only used with ``"grouped"``.
    n_test : int, default=None
        Number of test rows, at least 1: the first rows of
        ``numpy.random.default_rng(seed).permutation(n_rows)``. Required with ``"holdout"`` and
        only used there.
    seed : int, default=0
        Seed of the shuffles. Equal settings and data give equal folds.

    Raises
    ------
    InputError
        If the kind is unknown, a number is out of its range, or an option is set that the kind
        does not use.

    See Also
    --------
    run_experiment : Accepts a `CrossValidation` as `cv`.

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
            raise unknown_kind("kind of cross-validation", self.kind)
        for name, low in (("n_splits", 2), ("n_repeats", 1), ("n_test", 1), ("seed", 0)):
            if (value := getattr(self, name)) is not None or name != "n_test":
                check_integer(name, value, low)
                object.__setattr__(self, name, int(value))
        for option in ("n_splits", "n_repeats", "time_column", "groups", "n_test"):
            default = type(self).__dataclass_fields__[option].default
            if getattr(self, option) != default and option not in CV_OPTIONS[self.kind]:
                raise InputError(f"{option} is not used with kind={self.kind!r}; leave it out")
        if self.kind == "holdout" and self.n_test is None:
            raise InputError(
                "n_test must be the number of test rows for kind='holdout'; got None; pass e.g. "
                "n_test=1000"
            )
        refuse_unordered("groups", self.groups)
        if isinstance(self.groups, str) and self.groups != "auto":
            raise InputError(
                f"groups must be None, 'auto' or a list of columns; got {self.groups!r}; pass "
                f"groups=[{self.groups!r}] for a single column"
            )

    def entities(self, dataset: Dataset) -> Entities:
        """Groups of rows that ``kind="grouped"`` keeps together.

        Parameters
        ----------
        dataset : Dataset
            Data set whose rows are grouped according to `groups`.

        Returns
        -------
        Entities
            Group number of each row, and how the groups were determined.

        Raises
        ------
        InputError
            If the data set does not provide groups, no entities are found, or a column does not
            exist.

        Examples
        --------
        >>> from xentexp.experiments import CrossValidation, load_dataset
        >>> data = load_dataset("simulated_delinquency", n_samples=300)
        >>> CrossValidation("grouped").entities(data).how()
        'groups of the data set'
        """
        alternatives = (
            "pass groups=[COLUMN, ...] with the columns that identify an entity, or use "
            "kind='stratified'"
        )
        if self.groups == "auto":
            entities = dataset.found_entities
            if entities is None:
                raise InputError(
                    f"groups='auto' did not find entities in data set {dataset.name}; "
                    f"{alternatives}"
                )
            return entities
        if self.groups is not None:
            return entities_by(dataset.X, self.groups, what="groups")
        entities = dataset.entities()
        if dataset.groups is None or entities is None:
            raise InputError(
                f"kind='grouped' needs groups, but data set {dataset.name} does not provide them; "
                f"pass groups='auto' to search for entities, {alternatives}"
            )
        return entities

    def folds(self, dataset: Dataset) -> list[Fold]:
        """Split a data set into folds.

        Parameters
        ----------
        dataset : Dataset
            Data set to split; only its labels, groups and `time_column` are used.

        Returns
        -------
        list of Fold
            Training and test rows of each fold (attributes ``train`` and ``test``: positions of
            rows; ``repeat`` and ``number``). Each row is in the test part of one fold of each
            repeat, except that ``"time_ordered"`` never tests the earliest rows and
            ``"holdout"`` tests only `n_test` rows.

        Raises
        ------
        InputError
            If there are too few rows, groups or rows of a class for `n_splits`, or if the time
            column is missing or has values without an order.

        Examples
        --------
        >>> from xentexp.experiments import CrossValidation, load_dataset
        >>> data = load_dataset("simulated_delinquency", n_samples=300)
        >>> [fold] = CrossValidation("holdout", n_test=100).folds(data)
        >>> len(fold.train), len(fold.test)
        (200, 100)
        """
        n_rows = len(dataset.y)
        if "n_splits" in CV_OPTIONS[self.kind] and self.n_splits > n_rows:
            raise InputError(
                f"n_splits must be at most the number of rows, {n_rows}; got {self.n_splits}"
            )
        splits = _SPLITS[self.kind](self, dataset)
        times = None
        if self.kind == "time_ordered":
            times = pd.factorize(self._times(dataset), sort=True)[0]
        folds = [
            Fold(
                i // self.n_splits,
                i % self.n_splits,
                train.astype(np.intp),
                test.astype(np.intp),
                test_time=None if times is None else times[test],
            )
            for i, (train, test) in enumerate(splits)
        ]
        return with_entities(folds, self.entities(dataset)) if self.kind == "grouped" else folds

    def _times(self, dataset: Dataset) -> Any:
        """Sortable time of each row."""
        if self.time_column is None:
            raise InputError(
                "time_column must be the feature that orders the rows for kind='time_ordered'; "
                "got None"
            )
        if not isinstance(self.time_column, str) or self.time_column not in dataset.X:
            raise unknown_name("time_column", self.time_column, map(str, dataset.X.columns))
        time = dataset.X[self.time_column]
        if time.isna().any():
            raise InputError(
                f"time_column must not have missing values; {self.time_column!r} has "
                f"{time.isna().sum()}"
            )
        return _in_time_order(time, self.time_column)


def with_entities(folds: Sequence[Fold], entities: Entities | None) -> list[Fold]:
    """Folds with the entity of each row; unchanged if each entity has a single row."""
    if entities is None or entities.number == len(entities.groups):
        return list(folds)
    groups = entities.groups.astype(np.intp)
    return [
        replace(fold, groups=groups[fold.train], test_groups=groups[fold.test]) for fold in folds
    ]


def prior_of(fold: Fold, dataset: Dataset) -> tuple[float, ...]:
    """Share of each class among the training rows of a fold."""
    train = dataset.y.to_numpy()[fold.train]
    weight = None if dataset.sample_weight is None else dataset.sample_weight[fold.train]
    return tuple(float(np.average(train == label, weights=weight)) for label in dataset.classes)


def rows_of_all(dataset: Dataset, folds: Sequence[Fold]) -> tuple[Rows, Rows | None]:
    """All rows for a fit, in time order if the folds are, and the entity of each."""
    rows = np.arange(len(dataset.y), dtype=np.intp)
    tested = np.concatenate([fold.test for fold in folds])
    first = folds[0]
    if len(folds) > 1 and len(np.unique(tested)) == len(tested) < len(rows):
        # Folds in time order, which never test the earliest rows. Rows that neither part of the
        # first fold has are as late as its first test row.
        between = np.setdiff1d(rows, np.concatenate([first.train, tested]))
        return np.concatenate([first.train, between, tested]), None
    if first.groups is None or first.test_groups is None:
        return rows, None
    groups = np.empty(len(rows), dtype=np.intp)
    groups[first.train], groups[first.test] = first.groups, first.test_groups
    return rows, groups


def fold_of_test_set(dataset: Dataset, folds: Sequence[Fold]) -> Fold:
    """All rows for training, and the rows of the test set for the test."""
    assert dataset.test is not None
    rows, groups = rows_of_all(dataset, folds)
    test = np.arange(len(dataset.test.X), dtype=np.intp)
    return Fold(0, len(folds), rows, test, groups, of_test_set=True)


def check_weights(dataset: Dataset, folds: Sequence[Fold]) -> None:
    """Raise an InputError if all rows of a part have the weight 0."""
    if dataset.sample_weight is None:
        return
    for fold in folds:
        for part, rows in (("training", fold.train), ("test", fold.test)):
            if not np.any(dataset.sample_weight[rows]):
                raise InputError(
                    f"weights must be positive for at least one row of each part of each fold; in "
                    f"the {part} part of fold {fold.number} all are 0; use fewer folds, or drop "
                    f"the rows of weight 0"
                )


def rows_of_test(fold: Fold, dataset: Dataset) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Labels of the test rows of a fold, and their weights if there are weights."""
    y: pd.Series[Any] = dataset.y
    weight: Any = dataset.sample_weight
    if fold.of_test_set:
        assert dataset.test is not None
        assert dataset.test.y is not None
        y, weight = dataset.test.y, dataset.test.sample_weight
    return y.to_numpy()[fold.test], None if weight is None else np.asarray(weight)[fold.test]


def unknown_kind(what: str, kind: object) -> InputError:
    """Error for an unknown kind; it lists the kinds, the default first."""
    near = difflib.get_close_matches(str(kind), _SPLITS, n=1, cutoff=0.7)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return InputError(f"unknown {what} {kind!r}{hint} Known: {', '.join(_SPLITS)}")


def _codes(dataset: Dataset) -> Rows:
    column = {label: i for i, label in enumerate(dataset.classes)}
    return np.array([column[label] for label in dataset.y.tolist()], dtype=np.intp)


def _check_classes(cv: CrossValidation, dataset: Dataset) -> Rows:
    if rare := too_few_rows(cv, dataset):
        advice = "use fewer splits" if rare.rows > 1 else "merge or remove classes with few rows"
        if dataset.name == "table":
            advice += ", e.g. with the parameter rare of load_table"
        raise InputError(f"n_splits must be {rare.rule}; {advice}{rare.amount}")
    return _codes(dataset)


@dataclass(frozen=True)
class TooFewRows:
    """The class with the fewest rows, if it has fewer rows than there are splits."""

    rows: int
    rule: str  # part of an error message: what n_splits must be, and what it is
    amount: str  # question whether the target is an amount, or empty


def too_few_rows(cv: CrossValidation, dataset: Dataset) -> TooFewRows | None:
    """Find a class that has too few rows for stratified folds; None for other folds."""
    counts = np.bincount(_codes(dataset), minlength=len(dataset.classes))
    fewest = int(counts.min())
    if cv.kind not in STRATIFYING or fewest >= cv.n_splits:
        return None
    label = dataset.classes[int(counts.argmin())]
    rule = (
        f"at most the number of rows of each class; got {cv.n_splits}, but class {label!r} has "
        f"{counted(fewest, 'row')}"
    )
    amount = ""
    if len(counts) > _MANY_CLASSES and not isinstance(dataset.classes[0], str):
        amount = (
            f"; or is the target an amount instead of a class? It has {len(counts)} distinct values"
        )
    return TooFewRows(fewest, rule, amount)


def absent_classes(dataset: Dataset, folds: Sequence[Fold]) -> Finding | None:
    """Classes that the training part of a fold does not contain, so that no model predicts them."""
    codes = _codes(dataset)
    absent: dict[int, list[Fold]] = {}
    for fold in folds:
        counts = np.bincount(codes[fold.train], minlength=len(dataset.classes))
        for code in np.flatnonzero(counts == 0):
            absent.setdefault(int(code), []).append(fold)
    if not absent:
        return None
    lacking = [
        f"class {dataset.classes[code]!r} in {len(without)} of {counted(len(folds), 'fold')}"
        for code, without in list(absent.items())[:_SHOWN]
    ]
    more = f", and {len(absent) - _SHOWN:,} more classes" if len(absent) > _SHOWN else ""
    message = (
        f"training parts of folds have no row of {', '.join(lacking)}{more}; models predict "
        f"probability 0 for such a class, which makes the cross-entropy very large"
    )
    return Finding("absent_classes", (), message)


_SHOWN = 5  # classes that a message names
_MANY_CLASSES = 20  # more integer classes than these are probably amounts


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
        raise InputError(
            f"n_splits must be at most the number of groups, {n_groups}; got {cv.n_splits}"
        )
    codes = _check_classes(cv, dataset)
    # The first repeat has the folds of a run without repeats.
    later = np.random.default_rng(cv.seed).integers(2**31, size=cv.n_repeats - 1)
    for seed in (cv.seed, *later.tolist()):
        splitter = StratifiedGroupKFold(cv.n_splits, shuffle=True, random_state=seed)
        yield from splitter.split(codes, codes, groups)


def _time_ordered(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    times = cv._times(dataset)
    order = np.argsort(times, kind="stable")
    if cv.n_splits + 1 > len(order):
        raise InputError(
            f"n_splits must be less than the number of rows, {len(order)}; got {cv.n_splits}"
        )
    for train, test in TimeSeriesSplit(cv.n_splits).split(order):
        # Rows with the same time as the first test row are not earlier.
        before = train[times[order[train]] < times[order[test[0]]]]
        if len(before) == 0:
            raise InputError(
                f"each fold must have earlier rows to train on; with n_splits={cv.n_splits}, too "
                f"many rows have the same value of {cv.time_column!r}; use fewer splits"
            )
        yield order[before], order[test]


def _holdout(cv: CrossValidation, dataset: Dataset) -> Iterator[Any]:
    n_rows = len(dataset.y)
    assert cv.n_test is not None
    if cv.n_test >= n_rows:
        raise InputError(f"n_test must be less than the number of rows, {n_rows}; got {cv.n_test}")
    order = np.random.default_rng(cv.seed).permutation(n_rows)
    yield order[cv.n_test :], order[: cv.n_test]


def _in_time_order(time: pd.Series[Any], name: str) -> Any:
    """Sortable values of a time column: numbers, codes of ordered categories, or dates."""
    if not isinstance(time.dtype, pd.CategoricalDtype):
        return time.to_numpy()
    if time.cat.ordered:
        return time.cat.codes.to_numpy()
    dates = pd.to_datetime(time.astype(str), format="ISO8601", errors="coerce", utc=True)
    if dates.isna().any():
        example = time[dates.isna()].iloc[0]
        raise InputError(
            f"time_column {name!r} must contain numbers or ISO 8601 dates such as 2020-01-31; row "
            f"{int(dates.isna().argmax())} has {example!r}; if 1/2/2020 is a date of a file, set "
            f"dayfirst of the data set table"
        )
    return dates.to_numpy()


_SPLITS: dict[str, Callable[[CrossValidation, Dataset], Iterator[Any]]] = {
    "stratified": _stratified,
    "repeated": _repeated,
    "grouped": _grouped,
    "time_ordered": _time_ordered,
    "holdout": _holdout,
}

STRATIFYING = ("stratified", "repeated", "grouped")
"""Kinds that need as many rows of each class as there are splits."""

CV_OPTIONS: dict[str, tuple[str, ...]] = {
    "stratified": ("n_splits",),
    "repeated": ("n_splits", "n_repeats"),
    "grouped": ("n_splits", "n_repeats", "groups"),
    "time_ordered": ("n_splits", "time_column"),
    "holdout": ("n_test",),
}
"""Options of `CrossValidation` that each kind uses."""
