"""What a data set is: its static facts, its columns and its identity."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.experiments.datasets._entities import Entities, entities_by, find_entities
from xentexp.experiments.datasets._repeats import constant_columns, find_duplicates, id_like_columns

Label = int | float | str


@dataclasses.dataclass(frozen=True)
class Card:
    """Facts about a data set that are known without loading it.

    Attributes
    ----------
    name : str
        Key in ``DATASETS``.
    title : str
        Name that people use for it.
    source : str
        Where it comes from.
    licence : str
        Terms under which it may be used.
    target : str
        Name and meaning of what is predicted.
    traps : tuple of str
        What goes wrong when one does not know the data.
    reference : str or None
        Publication to cite.
    rows : int or None
        Number of rows, where it is always the same.
    class_shares : dict or None
        Share of each class by the label as text, likewise.
    ordered : bool
        Whether the classes are grades, in the order of their numbers: then the losses of
        ordered classes apply by default.

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


@dataclasses.dataclass(frozen=True, eq=False)
class TestSet:
    """Rows without a known target, for which a submission file is to be written.

    Attributes
    ----------
    X : pandas.DataFrame
        The columns of the training data, in the same order and of the same dtypes.
    index : pandas.Series
        What identifies each row in the submission file.
    index_name : str
        Name of the identifying column in the submission file.
    columns : tuple of str
        Names of the probability columns, in the order of ``Dataset.classes``.
    """

    __test__ = False  # pytest collects classes whose names start with "Test"

    X: pd.DataFrame
    index: pd.Series[Any]
    index_name: str
    columns: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Features and a categorical target, checked; made by ``make_dataset``.

    Attributes
    ----------
    name : str
        Key in ``DATASETS``.
    X : pandas.DataFrame
        Features; every column is an integer, a float or a ``category``.
    y : pandas.Series
        Target: integers, floats or text, none missing.
    classes : tuple
        The labels, sorted, as plain Python values.
    card : Card
        Where the data come from and what to watch for.
    digest : str
        Identity of the content, see ``content_digest``.
    groups : pandas.Series or None
        Integer per row; rows of one group belong to one person and to one fold.
    true_proba : ndarray of shape (n_rows, n_classes) or None
        True conditional probabilities given ``X``, where the data are simulated.
    test : TestSet or None
        Rows to make a submission for.

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

    def class_shares(self) -> dict[Label, float]:
        """Share of the rows that each class has.

        Returns
        -------
        dict
            Label to share, in the order of ``classes``.
        """
        shares = self.y.value_counts(normalize=True)
        return {label: float(shares[label]) for label in self.classes}

    def entities(self, key: Sequence[str] | None = None) -> Entities | None:
        """Which rows belong to one person or other entity.

        Parameters
        ----------
        key : sequence of str, optional
            Columns; rows that agree in them are one entity.

        Returns
        -------
        Entities or None
            By the key; without one those of ``groups``; without groups those that
            ``find_entities`` finds, None for none.

        Raises
        ------
        InputError
            Where the key names no column of ``X``.
        """
        if key is not None:
            return entities_by(self.X, key)
        if self.groups is None:
            return self.found_entities
        return Entities(np.asarray(self.groups, dtype=np.int64), "given")

    @functools.cached_property
    def found_entities(self) -> Entities | None:
        """What ``find_entities`` finds in the features, whatever the groups are."""
        return find_entities(self.X)

    def describe(self, key: Sequence[str] | None = None) -> dict[str, Any]:
        """Summary that ``json.dumps`` accepts.

        Parameters
        ----------
        key : sequence of str, optional
            Columns of an entity, see ``entities``.

        Returns
        -------
        dict
            The card's facts; ``rows``, ``columns``, ``classes``, ``class_shares`` (keyed by
            the label as text), ``missing`` (count per column that misses any), ``groups``
            (number of groups or None), ``duplicates`` (see ``Duplicates``), ``constant`` and
            ``id_like`` (columns), ``entities`` (see ``Entities.describe``; None for none),
            ``test_rows`` (number or None) and ``digest``.
        """
        missing = self.X.isna().sum()
        entities = self.entities(key)
        return {
            **dataclasses.asdict(self.card),
            "traps": list(self.card.traps),
            "rows": len(self.X),
            "columns": self.X.shape[1],
            "classes": list(self.classes),
            "class_shares": {str(k): share for k, share in self.class_shares().items()},
            "missing": {str(name): int(n) for name, n in missing.items() if n},
            "groups": None if self.groups is None else int(self.groups.nunique()),
            "duplicates": dataclasses.asdict(find_duplicates(self.X, self.y)),
            "constant": constant_columns(self.X),
            "id_like": id_like_columns(self.X),
            "entities": None if entities is None else entities.describe(),
            "test_rows": None if self.test is None else len(self.test.X),
            "digest": self.digest,
        }
