"""Classes of data sets: card, features and labels, test rows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp._inputs.options import check_bool
from xentexp.experiments.datasets._checks import Finding, check_table
from xentexp.experiments.datasets._entities import (
    Entities,
    entities_by,
    search_entities,
)
from xentexp.experiments.datasets._repeats import constant_columns, find_duplicates, id_like_columns

Label = int | float | str


@dataclasses.dataclass(frozen=True)
class Card:
    """Facts about a data set that are known without loading it.

    Attributes
    ----------
    name : str
        Short name, the key in ``DATASETS``. Error messages start with it.
    title : str, default=""
        Full name, which tables and reports show.
    source : str, default=""
        Where the data come from: a URL, DOI or file.
    licence : str, default=""
        Terms under which the data may be used.
    target : str, default=""
        Name and meaning of the predicted column.
    traps : tuple of str, default=()
        Known problems of the data that lead to wrong results if they are overlooked.
    reference : str, default=None
        Publication to cite.
    rows : int, default=None
        Number of rows, if it does not depend on parameters of the loader.
    class_shares : dict of str to float, default=None
        Fraction of the rows in each class, by label as text, if it does not depend on parameters.
    ordered : bool, default=False
        Whether the classes are ordered (numbers such as grades). If True, losses for ordered
        classes are computed by default.
    notes : tuple of str, default=()
        What was assumed or converted when the data were read, such as the separator of a file.

    Examples
    --------
    >>> from xentexp.experiments import Card
    >>> Card("loans").ordered
    False
    """

    name: str
    title: str = ""
    source: str = ""
    licence: str = ""
    target: str = ""
    traps: tuple[str, ...] = ()
    reference: str | None = None
    rows: int | None = None
    class_shares: dict[str, float] | None = None
    ordered: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_bool("ordered", self.ordered)


@dataclasses.dataclass(frozen=True, eq=False)
class TestSet:
    """Rows that are not trained on: with labels, to be scored; without, to be predicted.

    `run_experiment` fits each candidate on all training rows and scores it once on a labelled test
    set, beside the folds. ``xentexp run submission=FILE`` writes predictions of the test rows.

    Attributes
    ----------
    X : pandas.DataFrame
        Features, with the columns of the training rows.
    index : pandas.Series, default=None
        Identifier of each row in the submission file. None: the row number, counted from 0.
    index_name : str, default="index"
        Name of the identifier column in the submission file.
    columns : tuple of str, default=()
        Names of the probability columns in the submission file, in the order of
        ``Dataset.classes``. Empty: the class labels.
    y : pandas.Series or None, default=None
        Label of each row, one of the classes of the training rows; None if they are unknown.
    sample_weight : array-like of shape (n_rows,) or None, default=None
        Weight of each row in the scores; requires `y`.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments import Card, make_dataset
    >>> from xentexp.experiments.datasets import TestSet
    >>> X = pd.DataFrame({"age": [30, 40, 50]})
    >>> test = TestSet(pd.DataFrame({"age": [35]}), pd.Series([7]), "id", ("p_no", "p_yes"))
    >>> data = make_dataset(X, ["no", "yes", "no"], Card("loans"), test=test)
    >>> len(data.test.X)
    1
    """

    __test__ = False  # pytest collects classes whose names start with "Test"

    X: pd.DataFrame
    index: pd.Series[Any] | None = None
    index_name: str = "index"
    columns: tuple[str, ...] = ()
    y: pd.Series[Any] | None = None
    sample_weight: NDArray[np.float64] | pd.Series[Any] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Features and class labels of a classification problem, checked by `make_dataset`.

    Attributes
    ----------
    name : str
        Name of the data set, equal to ``card.name``.
    X : pandas.DataFrame
        Features; the dtype of each column is integer, float or ``category``.
    y : pandas.Series
        Labels: integers or text, without missing values.
    classes : tuple
        Sorted labels as plain Python values.
    card : Card
        Source, licence and known problems of the data.
    digest : str
        Hash of features, labels, weights and labelled test rows, see `content_digest`: equal
        content has an equal digest.
    groups : pandas.Series or None
        Group of each row as an integer. ``CrossValidation("grouped")`` keeps the rows of a group,
        such as a person, in one fold.
    true_proba : ndarray of shape (n_rows, n_classes) or None
        True class probabilities given the features, if they are known (simulated data). Results
        then include the regret.
    test : TestSet or None
        Rows that are not trained on: with labels, to be scored; without, to be predicted for a
        submission.
    sample_weight : ndarray of shape (n_rows,) or None
        Weight of each row, at least 0, in every fit, loss and metric; None if all rows count the
        same.
    cost : tuple of tuple of float or None
        Cost of each true class (rows) and decision (columns), in the order of the classes. Used by
        the report; not part of the digest.
    amount : ndarray of shape (n_rows,) or None
        Amount of each row, at least 0, that multiplies its costs.
    dates : tuple of str, default=()
        Columns of `X` that were dates and are days now. They are not row identifiers, although
        they may have another value in each row.

    Examples
    --------
    >>> from xentexp.experiments import load_dataset
    >>> data = load_dataset("simulated_delinquency", n_samples=1000)
    >>> len(data.y), data.classes
    (1000, (0, 1, 2))
    """

    name: str
    X: pd.DataFrame
    y: pd.Series[Any]
    classes: tuple[Label, ...]
    card: Card
    digest: str
    groups: pd.Series[int] | None = None
    true_proba: NDArray[np.float64] | None = None
    test: TestSet | None = None
    sample_weight: NDArray[np.float64] | None = None
    dates: tuple[str, ...] = ()
    cost: tuple[tuple[float, ...], ...] | None = None
    amount: NDArray[np.float64] | None = None

    def class_shares(self) -> dict[Label, float]:
        """Fraction of the rows in each class, without weights.

        Returns
        -------
        dict of label to float
            Fractions in the order of `classes`; they sum to 1.
        """
        shares = self.y.value_counts(normalize=True)
        return {label: float(shares[label]) for label in self.classes}

    def entities(self, key: Sequence[str] | None = None) -> Entities | None:
        """Entities, such as persons, that the rows belong to.

        Parameters
        ----------
        key : sequence of str, default=None
            Columns that identify an entity: rows with equal values in all of them belong to the
            same entity. By default the groups of the data set or, without groups, the result of
            `find_entities`.

        Returns
        -------
        Entities or None
            Entity of each row; None if no key is passed, there are no groups and no entities are
            found.

        Raises
        ------
        InputError
            If a column of the key does not exist.
        """
        if key is not None:
            return entities_by(self.X, key)
        if self.groups is None:
            return self.found_entities
        return Entities(np.asarray(self.groups, dtype=np.int64), "given")

    @functools.cached_property
    def found_entities(self) -> Entities | None:
        """Result of `find_entities` for the features, regardless of `groups`."""
        return self._entity_search[0]

    @property
    def limited_search(self) -> Finding | None:
        """Finding that says so if the search for entities was limited by the size of the table."""
        if self.groups is not None or self._entity_search[1]:
            return None
        message = (
            f"the search for entities, such as persons with several rows, allowed only one varying "
            f"column because the table has {self.X.shape[1]:,} columns and similar rows; entities "
            f"whose rows differ in two columns are not found"
        )
        remedy = "set leakage.key=[COLUMN,...] to the columns that identify one"
        return Finding("entity_search", (), message, remedy)

    @functools.cached_property
    def _entity_search(self) -> tuple[Entities | None, bool]:
        return search_entities(self.X, {*self._constant, *self._id_like})

    @functools.cached_property
    def _constant(self) -> list[str]:
        return constant_columns(self.X)

    @functools.cached_property
    def _id_like(self) -> list[str]:
        return id_like_columns(self.X)

    def _identifiers(self) -> list[str]:
        """Columns that look like row identifiers and are not dates."""
        return [name for name in self._id_like if name not in self.dates]

    @functools.cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Columns that should not be features, and others that need attention.

        These are row numbers that order the target, columns from which the target is known,
        identifiers and constants. ``xentexp run`` prints them before the fits.
        """
        droppable = self.card.name == "table"
        found = check_table(
            self.X,
            self.y,
            identifiers=self._identifiers(),
            constant=self._constant,
            droppable=droppable,
        )
        return tuple(found)

    def describe(self, key: Sequence[str] | None = None) -> dict[str, Any]:
        """Summary of the data set for JSON.

        Parameters
        ----------
        key : sequence of str, default=None
            Columns that identify an entity, see `entities`.

        Returns
        -------
        dict
            Facts of the card, and ``rows`` and ``columns`` (numbers), ``classes``,
            ``class_shares`` (fraction by label as text), ``missing`` (number of missing values by
            column, if any), ``groups`` (number, or None), ``duplicates`` (see `Duplicates`),
            ``constant`` and ``id_like`` (names of columns), ``findings`` (list, see `Finding`),
            ``entities`` (see ``Entities.describe``; None if there are none), ``weights`` (``sum``,
            ``min``, ``max`` and ``zero``, the number of rows of weight 0; only with weights),
            ``test_rows`` (number, or None), ``test_labels`` (whether the test rows have labels;
            only with test rows) and ``digest``.

        Raises
        ------
        InputError
            If a column of the key does not exist.
        """
        missing = self.X.isna().sum()
        entities = self.entities(key)
        limited = self.limited_search if key is None else None
        findings = [*self.findings, *([] if limited is None else [limited])]
        return {
            **dataclasses.asdict(self.card),
            "traps": list(self.card.traps),
            "notes": list(self.card.notes),
            "rows": len(self.X),
            "columns": self.X.shape[1],
            "classes": list(self.classes),
            "class_shares": {str(k): share for k, share in self.class_shares().items()},
            "missing": {str(name): int(n) for name, n in missing.items() if n},
            "groups": None if self.groups is None else int(self.groups.nunique()),
            "duplicates": dataclasses.asdict(find_duplicates(self.X, self.y)),
            "constant": self._constant,
            "id_like": self._identifiers(),
            "findings": [dataclasses.asdict(finding) for finding in findings],
            "entities": None if entities is None else entities.describe(),
            **self._weights(),
            "test_rows": None if self.test is None else len(self.test.X),
            **({} if self.test is None else {"test_labels": self.test.y is not None}),
            "digest": self.digest,
        }

    def _weights(self) -> dict[str, dict[str, float]]:
        """Entry `weights` of `describe`; empty without weights."""
        weight = self.sample_weight
        if weight is None:
            return {}
        extremes = {"min": float(weight.min()), "max": float(weight.max())}
        zero = int((weight == 0.0).sum())
        return {"weights": {"sum": float(weight.sum()), **extremes, "zero": zero}}
