"""A table of the user's own."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets._arguments import Path
from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._files import read_table
from xentexp.experiments.datasets._prepare import make_dataset

CARD = Card(
    name="table",
    title="A CSV or Parquet file of your own",
    source="the file that the parameter path names",
    licence="whatever holds for the file",
    target="the column that the parameter target names",
    traps=(
        "In CSV the texts that pandas takes for missing (empty, NA, NaN, null, None, ...) are "
        "missing values.",
        "Rows of the same person leak between random folds: name the person's column by group.",
        "Columns that are known only after the outcome, and row numbers, belong into drop.",
    ),
    reference=None,
)


def load_table(
    path: Path | None = None,
    target: str | None = None,
    drop: Sequence[str] | None = None,
    group: str | None = None,
    ordered: bool = False,
) -> Dataset:
    """Load a file of the user's own.

    Parameters
    ----------
    path : str or path
        File ending in .csv, .csv.gz, .tsv or .parquet.
    target : str
        Column to predict; its values are the classes.
    drop : sequence of str, optional
        Columns to leave out.
    group : str, optional
        Column that says which rows belong together; it is no feature.
    ordered : bool
        Whether the classes are grades, in the order of their numbers.

    Returns
    -------
    Dataset
        Features, target and, with ``group``, groups.

    Raises
    ------
    InputError
        If path or target are not given, the file cannot be used, or a column is not there.
    """
    if path is None:
        raise InputError("table: no file is named; set path to a CSV or Parquet file.")
    if target is None:
        raise InputError("table: no target is named; set target to the column to predict.")
    file = pathlib.Path(path).expanduser()
    frame = read_table(file, CARD.name)
    frame.columns = frame.columns.map(str)
    dropped = list(drop or [])
    for column in [target, *dropped, *([] if group is None else [group])]:
        if column not in frame.columns:
            raise unknown_name(f"column of {file.name}", column, frame.columns)
    if target in dropped or target == group:
        raise InputError(
            f"table: the target {target!r} is also named by "
            f"{'drop' if target in dropped else 'group'}; name another column."
        )
    card = dataclasses.replace(
        CARD, title=file.name, source=str(file), target=target, ordered=ordered
    )
    return make_dataset(
        frame.drop(columns=[target, *dropped, *([] if group is None else [group])]),
        frame[target],
        card,
        groups=None if group is None else _groups(frame[group]),
    )


def _groups(column: pd.Series[Any]) -> pd.Series[int]:
    """Turn the values of a column into integers."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"table: the group column {column.name!r} misses {missing} values; "
            "fill them in, a row of its own group each."
        )
    return pd.Series(pd.factorize(column)[0], name=column.name)
