"""Text, Excel and Parquet tables of users."""

from __future__ import annotations

import dataclasses
import decimal as decimals
import pathlib
from collections.abc import Collection, Mapping, Sequence
from os.path import expanduser
from typing import Any

import pandas as pd

from xentexp.errors import InputError, printable, unknown_name
from xentexp.experiments.datasets._arguments import Path, check_arguments
from xentexp.experiments.datasets._base import Card, Dataset, TestSet
from xentexp.experiments.datasets._checks import as_typed, row_numbers_to_leave_out
from xentexp.experiments.datasets._dates import (
    AmbiguousError,
    days_from_integers,
    days_from_native,
    days_from_text,
    days_note,
    native_kind,
    short_year_note,
    stays_note,
    whole_numbers,
)
from xentexp.experiments.datasets._files import FileOptions, read_file, with_rows_of_file
from xentexp.experiments.datasets._numbers import is_blank, is_number, read_numbers
from xentexp.experiments.datasets._prepare import make_dataset
from xentexp.experiments.datasets._rare import find_rare

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
    weight: str | None = None,
    test: Path | None = None,
    categorical: Sequence[str] | None = None,
    numeric: Sequence[str] | None = None,
    dayfirst: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    header: bool | int | None = None,
    sheet: str | int | None = None,
    max_megabytes: float = 500.0,
    amount: str | None = None,
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
    weight : str, default=None
        Column with the weight of each row, at least 0, for every fit, loss and metric. It is not
        used as a feature.
    test : str or path-like, default=None
        File with test rows. It must have the feature columns of `path`. With the target column,
        models that are fitted on all rows of `path` are scored on it, beside the folds; it then
        needs the weight column too, if there is one. Without the target column, or with one that
        is empty, its rows are predicted for a submission. There, the first column of `drop` with
        distinct values identifies the rows; otherwise the row number does, counted from 0.
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
    amount : str, default=None
        Column with the amount of each row, at least 0, that multiplies its costs (see
        ``Dataset.amount``). It is a feature too, unless it is in `drop`.

    Returns
    -------
    Dataset
        Features, labels and, if they are set, groups, weights, amounts and test rows.

    Raises
    ------
    InputError
        If `path` or `target` is missing, a file does not exist, cannot be read or is too large,
        its layout is not certain, a column does not exist or cannot be used, `numeric` names a
        column with other text than numbers, `categorical` or `numeric` names the target, both name
        one column, or the test rows have other columns or labels.

    See Also
    --------
    make_dataset : Make a data set from arrays or a data frame.

    Notes
    -----
    A column of text becomes numbers if all of its values but blanks (such as an empty field, "-"
    or "?") are numbers, which may have a percent sign, a currency sign, separators of thousands,
    a decimal comma, or brackets or a minus behind for negative numbers. 83.70% becomes 83.7.
    Zero-padded codes such as 00123, phone numbers and numbers outside the 64-bit range stay text.

    A column of dates becomes the number of days since 1970-01-01, with the time of day as a
    fraction; times with a zone are converted to UTC. A month such as Dec-2011 is its first day.
    Two-digit years are read only with the name of a month, as 1969 to 2068. Times of day such as
    13:45 become a fraction of a day. ``CrossValidation("time_ordered")`` can
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
        raise InputError(
            "table: path must be a text, Excel or Parquet file; got None; set path=FILE"
        )
    if target is None:
        raise InputError("table: target must be the column to predict; got None; set target=COLUMN")
    file = pathlib.Path(expanduser(path))
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
    _check_kinds(options, target)
    frame, notes = read_file(file, CARD.name, options, target=target)
    frame.columns = frame.columns.map(str)
    tested = None
    if test is not None:
        tested = _read_test(pathlib.Path(expanduser(test)), file, _like(frame, options), target)
    dropped = list(drop or [])
    kept = list(keep or [])
    # A column that only the test rows have may be dropped too.
    known = set(frame.columns) | (set() if tested is None else set(tested.columns))
    roles = {"target": target, "group": group, "weight": weight}
    used = [name for name in roles.values() if name is not None]
    amounts = [] if amount is None else [amount]
    for column in [*used, *amounts, *kept, *options.categorical, *options.numeric]:
        if column not in frame.columns:
            where = next((f"; {note}" for note in notes if "header=true" in note), "")
            if frame.shape[1] == 1:
                where += "; the rows were not split into columns; set separator"
            raise unknown_name(f"column of {file.name}", column, frame.columns, where=where)
    for column in dropped:
        if column not in known:
            raise unknown_name(f"column of {file.name}", column, frame.columns)
    _check_roles(roles, dropped, kept)
    if amount == target:
        raise InputError(f"table: amount must not be the target; got {amount!r} for both")
    for column in options.numeric:
        _check_numeric(frame[column])
    as_they_are = [*used, *amounts, *dropped, *options.categorical, *options.numeric]
    dates, more = _with_days(frame, tested, dayfirst, keep=as_they_are)
    notes += more
    few = find_rare(frame[target], rare, rare_below, ordered=ordered)
    if few is not None:
        notes.append(few.note)
        frame = few.replaced(frame, target)
        if tested is not None and target in tested:
            rows = len(tested)
            tested = few.replaced(tested, target)
            if len(tested) < rows:
                left = rows - len(tested)
                notes.append(f"left out {left:,} of {rows:,} test rows, whose classes are rare")
            if tested.empty:
                raise InputError(
                    f"table (test): rare must leave at least one test row; the classes of all "
                    f"{rows:,} are rare; set rare to join, or leave out test"
                )

    def make(dropped: Sequence[str], tested: pd.DataFrame | None) -> Dataset:
        not_features = [*used, *dropped]
        card = dataclasses.replace(
            CARD,
            title=file.name,
            source=str(file),
            target=target,
            ordered=ordered,
            notes=tuple(notes),
        )
        try:
            made = make_dataset(
                frame.drop(columns=not_features, errors="ignore"),
                frame[target],
                card,
                groups=None if group is None else _groups(frame[group]),
                test=None if tested is None else _test_set(tested, roles, dropped, not_features),
                sample_weight=None if weight is None else frame[weight],
                amount=None if amount is None else frame[amount],
            )
        except InputError as error:
            message = str(error)
            named = frame if tested is None or "(test)" not in message else tested
            raise InputError(with_rows_of_file(message, named.index)) from error
        return dataclasses.replace(made, dates=(*made.dates, *dates))

    dataset = make(dropped, None)  # the test rows may lack a row number that is left out below
    row_numbers = [
        finding
        for finding in row_numbers_to_leave_out(dataset.X, dataset.y, dataset.dates)
        if finding.columns[0] not in kept
    ]
    if not row_numbers or len(row_numbers) == dataset.X.shape[1]:
        return dataset if tested is None else make(dropped, tested)
    notes += [
        f"left out a column: {finding.message}; to use it, set {as_typed(finding.columns, 'keep')}"
        for finding in row_numbers
    ]
    return make([*dropped, *(finding.columns[0] for finding in row_numbers)], tested)


def _check_kinds(options: FileOptions, target: str) -> None:
    """Raise an InputError if `categorical` or `numeric` has the target, or both have a column."""
    for name in ("categorical", "numeric"):
        if target in getattr(options, name):
            raise InputError(
                f"table: {name} must contain features; got {target!r}, which is the target; "
                f"leave it out"
            )
    for column in options.numeric:
        if column in options.categorical:
            raise InputError(
                f"table: numeric must not contain columns of categorical; got {column!r} in both; "
                f"leave it out of one"
            )


def _check_numeric(column: pd.Series[Any]) -> None:
    """Raise an InputError if a column that must be numeric could not be read as numbers."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return
    texts = False
    for row, value in enumerate(column):
        if isinstance(value, (int, float, decimals.Decimal)) or (
            pd.api.types.is_scalar(value) and pd.isna(value)
        ):
            continue
        if not isinstance(value, str) or not (is_blank(value) or is_number(value)):
            raise InputError(
                f"table: numeric must name columns of numbers; got {column.name!r}, which has "
                f"{printable(str(value), 60)!r} in row {row:,} (counted from 0); correct the value "
                f"or leave the column out of numeric"
            )
        texts |= not is_blank(value)
    if texts:
        found = read_numbers(column, codes=True)
        example = "" if found is None else f" ({found.example})"
        raise InputError(
            f"table: numeric must name columns whose numbers are written alike; got "
            f"{column.name!r}{example}; set decimal, correct the values, or leave the column out "
            f"of numeric"
        )


def _check_roles(
    roles: Mapping[str, str | None], dropped: Sequence[str], kept: Sequence[str]
) -> None:
    """Raise an InputError if a column has two roles."""
    seen: dict[str, str] = {}
    for role, column in roles.items():
        if column is None or (role != "target" and column in dropped):
            continue
        other = "drop" if column in dropped else seen.get(column)
        if other is not None:
            first, second = (role, other) if other == "drop" else (other, role)
            raise InputError(f"table: {first} must not be in {second}; got {column!r} in both")
        seen[column] = role
    for column in kept:
        if column in dropped or column in seen:
            raise InputError(
                f"table: keep must contain features; got {column!r}, which is in "
                f"{seen.get(column, 'drop')} too"
            )


def _like(frame: pd.DataFrame, options: FileOptions) -> FileOptions:
    """Options for a file whose columns are text or numbers as those of a table."""
    numeric = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    kinds = {name: pd.api.types.infer_dtype(frame[name], skipna=True) for name in frame}
    texts = [name for name, kind in kinds.items() if kind in ("string", "categorical")]
    return dataclasses.replace(
        options,
        categorical=(*options.categorical, *map(str, texts)),
        numeric=(*options.numeric, *map(str, numeric)),
    )


def _read_test(
    file: pathlib.Path, training: pathlib.Path, options: FileOptions, target: str
) -> pd.DataFrame:
    frame, _ = read_file(file, f"{CARD.name} (test)", options, target=target)
    if file.samefile(training):
        raise InputError(
            f"table: test must be another file than path; got {file.name} for both; leave out test"
        )
    frame.columns = frame.columns.map(str)
    return frame


def _test_set(
    frame: pd.DataFrame,
    roles: Mapping[str, str | None],
    dropped: Sequence[str],
    not_features: Sequence[str],
) -> TestSet:
    """Test rows of a file; without labels if the target column is absent or empty."""
    target, weight = roles["target"], roles["weight"]
    labelled = target in frame and bool(frame[target].notna().any())
    if labelled and weight is not None and weight not in frame:
        raise InputError(
            f"table (test): the file must have the weight column {weight!r}, as the training rows; "
            f"its columns are {', '.join(map(repr, frame.columns[:20]))}"
        )
    identifiers = [
        name for name in dropped if name in frame and name != weight and frame[name].is_unique
    ]
    return TestSet(
        frame.drop(columns=list(not_features), errors="ignore"),
        frame[identifiers[0]] if identifiers else None,
        identifiers[0] if identifiers else "index",
        y=frame[target] if labelled else None,
        sample_weight=frame[weight] if labelled and weight is not None else None,
    )


def _with_days(
    frame: pd.DataFrame, tested: pd.DataFrame | None, dayfirst: bool | None, keep: Collection[str]
) -> tuple[list[str], list[str]]:
    """Convert columns of dates in place, also those of the test rows; their names, and notes."""
    names = [name for name in frame if name not in keep]
    X = frame[names]
    if tested is not None:
        X = pd.concat([X, tested[[name for name in names if name in tested]]], ignore_index=True)
    days, dates, notes = find_dates(X, dayfirst=dayfirst)
    for name, column in days.items():
        frame[name] = whole_numbers(column.to_numpy()[: len(frame)])
        if tested is not None and name in tested:
            tested[name] = whole_numbers(column.to_numpy()[len(frame) :])
    return dates, notes


def find_dates(
    X: pd.DataFrame, *, dayfirst: bool | None
) -> tuple[dict[str, pd.Series[Any]], list[str], list[str]]:
    """Days of the columns of dates and times; names of those with dates, and notes."""
    found: dict[str, pd.Series[Any]] = {}
    kinds: dict[str, list[str]] = {}
    unclear: dict[str, list[str]] = {}
    short_years = []
    for name, dtype in X.dtypes.items():
        kind = native_kind(X[name])
        if kind is not None:
            days = days_from_native(X[name])
        elif pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
            kind, days = "dates", days_from_integers(X[name])
        elif pd.api.types.infer_dtype(X[name], skipna=True) == "string":
            try:
                read = days_from_text(X[name], dayfirst=dayfirst)
            except AmbiguousError as error:
                unclear.setdefault(error.reason, []).append(f"{name} ({error})")
                continue
            if read is None:
                continue
            kind, days = read.kind, read.days
            if read.short_year is not None:
                short_years.append(f"{name} ({read.short_year})")
        else:
            continue
        if days is not None:
            found[str(name)] = days
            kinds.setdefault(kind, []).append(str(name))
    notes = [days_note(kind, names) for kind, names in kinds.items()]
    notes += [short_year_note(short_years)] if short_years else []
    notes += [stays_note(reason, shown) for reason, shown in unclear.items()]
    return found, kinds.get("dates", []), notes


def _groups(column: pd.Series[Any]) -> pd.Series[int]:
    """Number of the group of each row."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"table: the group column must not have missing values; {column.name!r} has "
            f"{missing}; give each of these rows a unique value"
        )
    return pd.Series(pd.factorize(column)[0], name=column.name)
