"""Data sets: bundled, simulated, your own tables, and from other sources.

Examples
--------
>>> from xentexp.experiments.datasets import load_dataset
>>> load_dataset("uci_default").X.shape
(30000, 23)
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from typing import Any

from xentexp._digest import content_digest
from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets._arguments import check_arguments
from xentexp.experiments.datasets._base import Card, Dataset, TestSet
from xentexp.experiments.datasets._checks import Finding, find_known_target, find_row_order
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
    "Finding",
    "TestSet",
    "constant_columns",
    "content_digest",
    "dataset_cards",
    "delinquency_proba",
    "entities_by",
    "find_duplicates",
    "find_entities",
    "find_known_target",
    "find_row_order",
    "id_like_columns",
    "load_dacon",
    "load_dataset",
    "load_openml",
    "load_pakdd2009",
    "load_table",
    "load_uci_default",
    "load_vub",
    "make_dataset",
    "simulated_delinquency",
]


@dataclasses.dataclass(frozen=True)
class Entry:
    """Entry of ``DATASETS``: the loader of a data set and its card.

    Attributes
    ----------
    load : callable
        Function that returns the `Dataset`; all of its parameters have defaults.
    card : Card
        Facts that are known without loading the data.

    Examples
    --------
    >>> from xentexp.experiments.datasets import DATASETS
    >>> DATASETS["uci_default"].card.licence
    'CC BY 4.0'
    """

    load: Callable[..., Dataset]
    card: Card

    def __post_init__(self) -> None:
        stated = ("title", "source", "licence", "target", "traps")
        missing = [name for name in stated if not getattr(self.card, name)]
        if missing:
            raise InputError(
                f"the card of data set {self.card.name!r} must state {', '.join(stated)}; "
                f"missing: {', '.join(missing)}"
            )
        for parameter in inspect.signature(self.load).parameters.values():
            if parameter.default is parameter.empty:
                raise InputError(
                    f"every parameter of the loader of data set {self.card.name!r} must have a "
                    f"default; {parameter.name!r} has none"
                )


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
        Name of the data set, a key of ``DATASETS``; ``xentexp datasets`` lists them.
    **parameters
        Arguments of the loader of that data set, e.g. ``path`` and ``target`` of `load_table`.

    Returns
    -------
    Dataset
        Checked features and labels, and the card of the data set.

    Raises
    ------
    InputError
        If the data set or a parameter does not exist, a value has the wrong type, or the data
        cannot be loaded.

    See Also
    --------
    make_dataset : Make a data set from arrays or a data frame.

    Examples
    --------
    >>> data = load_dataset("simulated_delinquency", n_samples=1000)
    >>> data.X.shape, data.classes
    ((1000, 17), (0, 1, 2))
    """
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    check_arguments(name, DATASETS[name].load, parameters)
    dataset = DATASETS[name].load(**parameters)
    if (arrow := sys.modules.get("pyarrow")) is not None:  # it would keep the memory of the file
        arrow.default_memory_pool().release_unused()
    return dataset


def dataset_cards() -> list[Card]:
    """Cards of all data sets, without loading the data.

    Returns
    -------
    list of Card
        Cards in the order of ``DATASETS``.

    Examples
    --------
    >>> dataset_cards()[0].name
    'uci_default'
    """
    return [entry.card for entry in DATASETS.values()]
