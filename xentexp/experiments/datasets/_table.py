"""CSV and Parquet files of users."""

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
    source="the file of the parameter path",
    licence="the licence of the file",
    target="the column of the parameter target",
    traps=(
        "In CSV files, empty fields and the texts NA, NaN, null, None and others are missing "
        "values, as in pandas.read_csv.",
        "If a person has several rows, random folds give scores that are too good for new persons: "
        "set group to the column that identifies the person.",
        "Add columns that are known only after the outcome, and row numbers, to drop.",
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
    """Load a CSV or Parquet file.

    Parameters
    ----------
    path : str or path-like
        File with a name that ends with .csv, .csv.gz, .tsv or .parquet. CSV files are
        comma-separated UTF-8 text with a header.
    target : str
        Column to predict; its distinct values are the classes.
    drop : sequence of str, default=None
        Columns that are not used as features.
    group : str, default=None
        Column that identifies the group of each row, such as a person. It is not used as a
        feature; ``CrossValidation("grouped")`` keeps the rows of a group in one fold.
    ordered : bool, default=False
        Whether the classes are ordered numbers such as grades; then losses for ordered classes
        are computed by default.

    Returns
    -------
    Dataset
        Features, labels and, if `group` is set, groups.

    Raises
    ------
    InputError
        If `path` or `target` is missing, the file does not exist or cannot be read, or a column
        does not exist or cannot be used.

    See Also
    --------
    make_dataset : Make a data set from arrays or a data frame.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import load_table
    >>> loans = pd.DataFrame({"income": [10, 20, 15], "default": ["no", "yes", "no"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "loans.csv"
    ...     loans.to_csv(file, index=False)
    ...     data = load_table(file, target="default")
    >>> list(data.X), data.classes
    (['income'], ('no', 'yes'))
    """
    if path is None:
        raise InputError("table: path must be a CSV or Parquet file; got None; set path=FILE")
    if target is None:
        raise InputError("table: target must be the column to predict; got None; set target=COLUMN")
    file = pathlib.Path(path).expanduser()
    frame = read_table(file, CARD.name)
    frame.columns = frame.columns.map(str)
    dropped = list(drop or [])
    for column in [target, *dropped, *([] if group is None else [group])]:
        if column not in frame.columns:
            raise unknown_name(f"column of {file.name}", column, frame.columns)
    if target in dropped or target == group:
        raise InputError(
            f"table: target must not be in {'drop' if target in dropped else 'group'}; got "
            f"{target!r} in both"
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
    """Number of the group of each row."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"table: the group column must not have missing values; {column.name!r} has "
            f"{missing}; give each of these rows a unique value"
        )
    return pd.Series(pd.factorize(column)[0], name=column.name)
