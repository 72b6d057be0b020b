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
from xentexp.experiments.datasets._checks import as_typed, row_numbers_to_leave_out
from xentexp.experiments.datasets._files import read_table
from xentexp.experiments.datasets._prepare import make_dataset
from xentexp.experiments.datasets._rare import without_rare

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
        "Add columns that are known only after the outcome, and row numbers, to drop. A row number "
        "that orders the target is left out unless keep names it.",
    ),
    reference=None,
)


def load_table(
    path: Path | None = None,
    target: str | None = None,
    drop: Sequence[str] | None = None,
    group: str | None = None,
    ordered: bool = False,
    keep: Sequence[str] | None = None,
    rare: str | None = None,
    rare_below: int | None = None,
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
    keep : sequence of str, default=None
        Columns that stay features although they are row numbers. A row number that orders
        the target, as in a file sorted by class, is left out unless it is named here.
    rare : {"drop", "join"}, default=None
        What to do with classes that have fewer than `rare_below` rows: leave out their rows, or
        join them into one class with the label ``"other"`` (all labels become text then). None:
        nothing.
    rare_below : int, default=None
        Number of rows below which a class is rare; None for 5. ``xentexp run`` uses `n_splits`
        instead.

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
    kept = list(keep or [])
    for column in [target, *dropped, *kept, *([] if group is None else [group])]:
        if column not in frame.columns:
            raise unknown_name(f"column of {file.name}", column, frame.columns)
    if target in dropped or target == group:
        raise InputError(
            f"table: target must not be in {'drop' if target in dropped else 'group'}; got "
            f"{target!r} in both"
        )
    for column in kept:
        if column in (target, group, *dropped):
            raise InputError(
                f"table: keep must contain features; got {column!r}, which is in target, group or "
                f"drop too"
            )
    labels, stay, rare_note = without_rare(frame[target], rare, rare_below, ordered=ordered)
    frame = frame[stay]
    notes = [] if rare_note is None else [rare_note]

    def make(not_features: Sequence[str]) -> Dataset:
        return make_dataset(
            frame.drop(columns=[target, *not_features, *([] if group is None else [group])]),
            labels,
            dataclasses.replace(
                CARD,
                title=file.name,
                source=str(file),
                target=target,
                ordered=ordered,
                notes=tuple(notes),
            ),
            groups=None if group is None else _groups(frame[group]),
        )

    dataset = make(dropped)
    row_numbers = [
        finding
        for finding in row_numbers_to_leave_out(dataset.X, dataset.y)
        if finding.columns[0] not in kept
    ]
    if not row_numbers or len(row_numbers) == dataset.X.shape[1]:
        return dataset
    notes += [
        f"left out a column: {finding.message}; to use it, set {as_typed(finding.columns, 'keep')}"
        for finding in row_numbers
    ]
    return make([*dropped, *(finding.columns[0] for finding in row_numbers)])


def _groups(column: pd.Series[Any]) -> pd.Series[int]:
    """Number of the group of each row."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"table: the group column must not have missing values; {column.name!r} has "
            f"{missing}; give each of these rows a unique value"
        )
    return pd.Series(pd.factorize(column)[0], name=column.name)
