"""Text, Excel and Parquet tables of users."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets._arguments import Path, check_arguments
from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._dates import (
    AmbiguousError,
    days_from_integers,
    days_from_text,
    days_note,
    listed,
)
from xentexp.experiments.datasets._files import FileOptions, read_file
from xentexp.experiments.datasets._prepare import make_dataset

CARD = Card(
    name="table",
    title="A text, Excel or Parquet file of your own",
    source="the file of the parameter path",
    licence="the licence of the file",
    target="the column of the parameter target",
    traps=(
        "In text files, empty fields and the texts NA, NaN, null, None and others are missing "
        "values, as in pandas.read_csv; in columns of numbers or dates also -, ? and others.",
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
    categorical: Sequence[str] | None = None,
    numeric: Sequence[str] | None = None,
    dayfirst: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    header: bool | int | None = None,
    sheet: str | int | None = None,
    max_megabytes: float = 500.0,
) -> Dataset:
    """Load a text, Excel or Parquet file.

    What was assumed or converted is in ``card.notes`` of the data set.

    Parameters
    ----------
    path : str or path-like
        Text with a name that ends with .csv, .tsv, .tab, .txt, .data or .dat, which may be
        compressed (.gz, .bz2, .xz, or .zip with one file); .xlsx or .xlsm, which need the extra
        ``excel``; or .parquet.
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
    categorical : sequence of str, default=None
        Columns that are categories whatever they contain, such as numbers that are codes.
    numeric : sequence of str, default=None
        Columns that are numbers although their values look like codes, such as 007.
    dayfirst : bool, default=None
        Whether 1/2/2020 is 1 February (True) or January 2 (False). By default a column of such
        dates stays text unless a number above 12 tells the day.
    separator : str, default=None
        Character between the columns of a text file, ``"tab"`` or ``"whitespace"``. By default
        the one of comma, semicolon, tab and ``|`` that splits all rows alike.
    encoding : str, default=None
        Encoding of a text file. By default that of its byte order mark, else UTF-8, else CP949 if
        the text is then Korean.
    decimal : {".", ","}, default=None
        Decimal mark of numbers that are written as text. By default the one that fits.
    header : bool or int, default=None
        Whether the first row has the names of the columns, or the number of the line that has
        them, counted from 1. By default decided by the content of the rows. Without names, the
        columns are x0, x1, ...
    sheet : str or int, default=None
        Sheet of an Excel file. By default the only one with data.
    max_megabytes : float, default=500.0
        Largest size of the table, after decompression, in millions of bytes.

    Returns
    -------
    Dataset
        Features, labels and, if `group` is set, groups.

    Raises
    ------
    InputError
        If `path` or `target` is missing, the file does not exist, cannot be read or is too large,
        its layout is not certain, or a column does not exist or cannot be used.

    See Also
    --------
    make_dataset : Make a data set from arrays or a data frame.

    Notes
    -----
    A column of text becomes numbers if all of its values but blanks (such as an empty field, "-"
    or "?") are numbers, which may have a percent sign, a currency sign, separators of thousands,
    a decimal comma, or brackets or a minus behind for negative numbers. 83.70% becomes 83.7.
    Zero-padded codes such as 00123 and phone numbers stay text.

    A column of dates becomes the number of days since 1970-01-01, with the time of day as a
    fraction; times with a zone are converted to UTC. ``CrossValidation("time_ordered")`` can
    order the rows by it.

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
    check_arguments(CARD.name, load_table, locals())
    if path is None:
        raise InputError("table: path must be a CSV or Parquet file; got None; set path=FILE")
    if target is None:
        raise InputError("table: target must be the column to predict; got None; set target=COLUMN")
    file = pathlib.Path(path).expanduser()
    options = FileOptions(
        separator,
        encoding,
        decimal,
        header,
        sheet,
        max_megabytes,
        tuple(categorical or ()),
        tuple(numeric or ()),
    )
    frame, notes = read_file(file, CARD.name, options, target=target)
    frame.columns = frame.columns.map(str)
    dropped = list(drop or [])
    named = [target, *dropped, *options.categorical, *options.numeric]
    for column in [*named, *([] if group is None else [group])]:
        if column not in frame.columns:
            where = next((f"; {note}" for note in notes if "header=true" in note), "")
            raise unknown_name(f"column of {file.name}", column, frame.columns, where=where)
    if target in dropped or target == group:
        raise InputError(
            f"table: target must not be in {'drop' if target in dropped else 'group'}; got "
            f"{target!r} in both"
        )
    X = frame.drop(columns=[target, *dropped, *([] if group is None else [group])])
    notes += convert_dates(X, dayfirst=dayfirst, keep=options.categorical)
    card = dataclasses.replace(
        CARD,
        title=file.name,
        source=str(file),
        target=target,
        ordered=ordered,
        notes=tuple(notes),
    )
    return make_dataset(
        X,
        frame[target],
        card,
        groups=None if group is None else _groups(frame[group]),
    )


def convert_dates(
    X: pd.DataFrame, *, dayfirst: bool | None, keep: Collection[str] = ()
) -> list[str]:
    """Convert columns of dates that are text or numbers such as 20200131, in place; notes."""
    dates, unclear = [], []
    for name, dtype in X.dtypes.items():
        if name in keep:
            continue
        try:
            if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
                days = days_from_integers(X[name])
            elif pd.api.types.infer_dtype(X[name], skipna=True) == "string":
                days = days_from_text(X[name], dayfirst=dayfirst)
            else:
                continue
        except AmbiguousError as error:
            unclear.append(f"{name} ({error})")
            continue
        if days is not None:
            X[name] = days
            dates.append(str(name))
    notes = [days_note("dates", dates)] if dates else []
    if unclear:
        notes.append(
            f"columns of dates stay text because the day or the month may come first: "
            f"{listed(unclear)}; set dayfirst=true or dayfirst=false"
        )
    return notes


def _groups(column: pd.Series[Any]) -> pd.Series[int]:
    """Number of the group of each row."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"table: the group column must not have missing values; {column.name!r} has "
            f"{missing}; give each of these rows a unique value"
        )
    return pd.Series(pd.factorize(column)[0], name=column.name)
