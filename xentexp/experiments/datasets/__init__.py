"""Data sets: bundled, simulated, of a user's own, and from elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from xentexp._digest import content_digest
from xentexp.errors import unknown_name
from xentexp.experiments.datasets._arguments import check_arguments
from xentexp.experiments.datasets._base import Card, Dataset, TestSet
from xentexp.experiments.datasets._dacon import CARD as _DACON
from xentexp.experiments.datasets._dacon import load_dacon
from xentexp.experiments.datasets._empulse import PAKDD2009, VUB, load_pakdd2009, load_vub
from xentexp.experiments.datasets._entities import Entities, entities_by, find_entities
from xentexp.experiments.datasets._openml import CARD as _OPENML
from xentexp.experiments.datasets._openml import load_openml
from xentexp.experiments.datasets._prepare import make_dataset
from xentexp.experiments.datasets._repeats import (
    Duplicates,
    constant_columns,
    find_duplicates,
    id_like_columns,
)
from xentexp.experiments.datasets._simulated import CARD as _SIMULATED
from xentexp.experiments.datasets._simulated import delinquency_proba, simulated_delinquency
from xentexp.experiments.datasets._table import CARD as _TABLE
from xentexp.experiments.datasets._table import load_table
from xentexp.experiments.datasets._uci_default import CARD as _UCI_DEFAULT
from xentexp.experiments.datasets._uci_default import load_uci_default

__all__ = [
    "DATASETS",
    "Card",
    "Dataset",
    "Duplicates",
    "Entities",
    "Entry",
    "TestSet",
    "constant_columns",
    "content_digest",
    "dataset_cards",
    "delinquency_proba",
    "entities_by",
    "find_duplicates",
    "find_entities",
    "id_like_columns",
    "load_dataset",
    "make_dataset",
    "simulated_delinquency",
]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of ``DATASETS``.

    Attributes
    ----------
    load : callable
        Loader; every parameter has a default.
    card : Card
        What is known without loading.
    """

    load: Callable[..., Dataset]
    card: Card


DATASETS: dict[str, Entry] = {
    entry.card.name: entry
    for entry in (
        Entry(load_uci_default, _UCI_DEFAULT),
        Entry(simulated_delinquency, _SIMULATED),
        Entry(load_dacon, _DACON),
        Entry(load_table, _TABLE),
        Entry(load_openml, _OPENML),
        Entry(load_pakdd2009, PAKDD2009),
        Entry(load_vub, VUB),
    )
}


def load_dataset(name: str, **parameters: Any) -> Dataset:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        Key of ``DATASETS``.
    **parameters
        Parameters of that data set's loader.

    Returns
    -------
    Dataset
        Checked and in normal form.

    Raises
    ------
    InputError
        If there is no such data set or parameter, a value is of the wrong type, or the data
        cannot be loaded.

    Examples
    --------
    >>> data = load_dataset("simulated_delinquency", n_samples=1000)
    >>> data.X.shape, data.classes
    ((1000, 17), (0, 1, 2))
    """
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    check_arguments(name, DATASETS[name].load, parameters)
    return DATASETS[name].load(**parameters)


def dataset_cards() -> list[Card]:
    """Cards of all data sets, without loading any.

    Returns
    -------
    list of Card
        In the order of ``DATASETS``.

    Examples
    --------
    >>> dataset_cards()[0].name
    'uci_default'
    """
    return [entry.card for entry in DATASETS.values()]
