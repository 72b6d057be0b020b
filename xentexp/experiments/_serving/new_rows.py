"""Rows of a file with the columns of a stored model, in batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from xentexp.errors import InputError, printable
from xentexp.experiments._serving.columns import (
    BOOLEANS,
    TrainingColumns,
    may_be_times,
)
from xentexp.experiments.datasets._batches import NA_TEXTS, Batches
from xentexp.experiments.datasets._dates import (
    AmbiguousError,
    days_from_value,
    time_from_text,
)
from xentexp.experiments.datasets._files import with_rows_of_file
from xentexp.experiments.datasets._numbers import is_blank, read_value, written_number


class NewRows:
    """Rows of a file, whose texts are read alike in all batches."""

    # The file is read twice: the first time to find how numbers and dates are written, and to check
    # them, the second time to convert them. `decimal`, `dayfirst`: None if the file decides.

    def __init__(
        self,
        file: Batches,
        columns: TrainingColumns,
        where: str,
        *,
        size: int,
        keep: Sequence[str] = (),
        decimal: str | None = None,
        dayfirst: bool | None = None,
    ) -> None:
        self._file, self._columns, self._where = file, columns, where
        self._size, self._keep = size, list(keep)
        self._names = [str(name) for name in columns.feature_names_in_]
        _check_names(file, self._names, self._keep, where)
        self._readers: dict[str, _Numbers | _Dates] = {}
        for known in columns.columns_:
            if known["kind"] == "dates":
                chosen = columns.dayfirst if dayfirst is None else dayfirst
                self._readers[known["name"]] = _Dates(known["name"], chosen)
            elif known["kind"] != "categories":
                self._readers[known["name"]] = _Numbers(known)
        self.n_rows = 0
        self._scan(decimal)

    def __iter__(self) -> Generator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Batches: rows as the training rows have them, and the columns to keep as in the file."""
        with self._read([*self._names, *self._keep]) as frames:
            yield from self._prepared(frames)

    def _prepared(
        self, frames: Iterable[pd.DataFrame]
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        start = 0
        for frame in frames:
            try:
                X = self._columns.transform(
                    pd.DataFrame({name: self._converted(frame[name]) for name in self._names})
                )
            except InputError as error:
                rows = pd.RangeIndex(start, start + len(frame))
                message = with_rows_of_file(str(error), rows)
                raise InputError(f"{self._where}: {self._file.path.name}: {message}") from error
            start += len(frame)
            yield X, frame[self._keep]

    def _read(self, names: Iterable[str]) -> contextlib.closing[Generator[pd.DataFrame]]:
        """Batches of a file that is closed at the end of a with block."""
        return contextlib.closing(self._file.read(list(dict.fromkeys(names)), self._size))

    def _scan(self, decimal: str | None) -> None:
        with self._read(self._readers or self._names[:1]) as frames:
            for frame in frames:
                for name, reader in self._readers.items():
                    self._add(reader, frame[name])
                self.n_rows += len(frame)
        with self._named():
            numbers = [r for r in self._readers.values() if isinstance(r, _Numbers)]
            _choose_marks(numbers, decimal, commas_are_decimal=self._file.commas_are_decimal)
            for reader in self._readers.values():
                if isinstance(reader, _Dates):
                    reader.choose()

    def _add(self, reader: _Numbers | _Dates, column: pd.Series[Any]) -> None:
        if self._file.typed and types.is_numeric_dtype(column.dtype):
            return
        with self._named():
            invalid = reader.add(_texts(column, typed=self._file.typed))
        if invalid is not None:
            raise self._invalid(column, invalid, reader)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Begin the message of an InputError with the name of the file."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self._where}: {self._file.path.name}: {error}") from error

    def _invalid(self, column: pd.Series[Any], text: str, reader: _Numbers | _Dates) -> InputError:
        row = self.n_rows + int((column.astype(object) == text).to_numpy().argmax())
        return InputError(
            f"{self._where}: {self._file.path.name}: the column {reader.name!r} must contain "
            f"{reader.what}, as in the training rows; got {printable(repr(text), 60)} in row "
            f"{row} (counted from 0); {reader.advice}"
        )

    def _converted(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Column whose texts are numbers or days where the training rows have these."""
        reader = self._readers.get(str(column.name))
        if reader is None:
            if self._file.typed:
                return column
            return column.where(~column.isin(NA_TEXTS), None)
        if self._file.typed and not any(isinstance(v, str) for v in column.astype(object)):
            return column
        if not self._file.typed:
            column = column.where(~column.isin(NA_TEXTS), None)
        try:
            codes, values = pd.factorize(column.astype(object))
        except TypeError:  # e.g. lists, which `TrainingColumns` refuses
            return column
        numbers = np.append(reader.values(np.asarray(values, dtype=object)), np.nan)[codes]
        whole = not np.isnan(numbers).any() and bool((numbers == np.floor(numbers)).all())
        if whole and bool((np.abs(numbers) < 2.0**53).all()):
            numbers = numbers.astype(np.int64)
        return pd.Series(numbers, name=column.name)


class _Numbers:
    """How the numbers of a column are written: found from all of its texts."""

    what = "numbers"
    advice = "correct it, or leave the row out"

    def __init__(self, known: dict[str, Any]) -> None:
        self.name: str = known["name"]
        self._others: list[Callable[[str], float | None]] = []
        if known["kind"] == "booleans":
            self._others.append(lambda text: BOOLEANS.get(text.strip().lower()))
        if may_be_times(known):
            self._others.append(time_from_text)
        self.marks = {".", ","}
        self.plain = True
        """Whether pandas reads all texts as numbers."""
        self.differ = False
        """Whether the decimal mark changes a value."""
        self.example = ""
        self._percent: dict[bool, str] = {}
        self._currencies: dict[str, str] = {}
        self.mark = "."

    def add(self, texts: NDArray[np.object_]) -> str | None:
        """Add distinct texts; the first that is not a number, or None."""
        numbers = _plain_numbers(texts)
        plain = np.isfinite(numbers)
        if plain.any():
            self._percent.setdefault(False, str(texts[plain.argmax()]))
        if "," in self.marks:
            for text in texts[plain]:
                if not text.isdecimal():
                    self._add_marks(text)
                    if self.marks == {"."}:
                        break
        for text in texts[~plain]:
            if is_blank(text):
                continue
            self.plain = False
            if any(read(text) is not None for read in self._others):
                continue
            written = written_number(text)
            if written is None:
                return str(text)
            self._add_marks(text)
            self._percent.setdefault(written.percent, text)
            if written.currency is not None:
                self._currencies.setdefault(written.currency, text)
            for kinds in (self._percent, self._currencies):
                if len(kinds) > 1:
                    raise _not_alike(self.name, *list(kinds.values())[:2])
        return None

    def _add_marks(self, text: str) -> None:
        written = written_number(text)
        if written is None:  # a form that only pandas reads
            self.marks = self.marks & {"."}
            return
        values = written.values
        if not self.marks & set(values):
            raise _not_alike(self.name, self.example, text)
        self.marks = self.marks & set(values)
        if not self.example or (len(values) == 1 and "," in values):
            self.example = text.strip()
        self.differ |= len(set(values.values())) > 1

    def values(self, values: NDArray[np.object_]) -> NDArray[np.float64]:
        """Numbers of distinct values."""
        cells = np.full(len(values), np.nan)
        if self.mark == ".":
            cells = _plain_numbers(values)
        for i in np.flatnonzero(np.isnan(cells)):
            cells[i] = self._value(values[i])
        return cells

    def _value(self, value: Any) -> float:
        if not isinstance(value, str):
            return float(value)
        if is_blank(value):
            return np.nan
        for read in self._others:
            if (other := read(value)) is not None:
                return float(other)
        found = read_value(value, self.mark)
        assert found is not None
        return float(found)


class _Dates:
    """Whether the day or the month comes first in the dates of a column."""

    what = "dates"
    advice = "correct it, or leave the row out"

    def __init__(self, name: str, dayfirst: bool | None) -> None:
        self.name, self.dayfirst = name, dayfirst
        self._fits = {True: True, False: True}
        self._example: str | None = None

    def add(self, texts: NDArray[np.object_]) -> str | None:
        """Add distinct texts; the first that is not a date, or None."""
        for text in texts:
            if is_blank(text):
                continue
            try:
                if days_from_value(text, dayfirst=self.dayfirst) is None:
                    return str(text)
            except AmbiguousError:
                self._example = self._example or text.strip()
                continue
            if self.dayfirst is None:
                for first in (True, False):
                    self._fits[first] &= days_from_value(text, dayfirst=first) is not None
        return None

    def choose(self) -> None:
        """Choose the order that fits all texts."""
        if self.dayfirst is not None:
            return
        if not any(self._fits.values()):
            raise InputError(
                f"dates of the column {self.name!r} must be written alike; in some the day comes "
                f"first, in others the month; correct them, or pass --dayfirst"
            )
        if all(self._fits.values()) and self._example is not None:
            raise InputError(
                f"the day or the month may come first in the column {self.name!r} "
                f"({self._example}); pass --dayfirst true or --dayfirst false"
            )
        self.dayfirst = self._fits[True]

    def values(self, values: NDArray[np.object_]) -> NDArray[np.float64]:
        """Days of distinct values."""
        return np.array([self._value(value) for value in values], dtype=np.float64)

    def _value(self, value: Any) -> float:
        if isinstance(value, str) and is_blank(value):
            return np.nan
        days = days_from_value(value, dayfirst=self.dayfirst)
        assert days is not None
        return days


def _check_names(file: Batches, names: Sequence[str], keep: Sequence[str], where: str) -> None:
    present = set(file.names)
    for what, wanted in (("the columns of the training rows", names), ("those of --keep", keep)):
        missing = [name for name in wanted if name not in present]
        if missing:
            listed = ", ".join(printable(repr(name), 60) for name in missing[:10])
            more = f" and {len(missing) - 10:,} more" if len(missing) > 10 else ""
            shown = ", ".join(printable(repr(name), 60) for name in file.names[:10])
            rest = ", ..." if len(file.names) > 10 else ""
            raise InputError(
                f"{where}: {file.path.name} must have {what}; missing: {listed}{more}; its "
                f"columns are {shown}{rest}"
            )


def _choose_marks(
    columns: Sequence[_Numbers], decimal: str | None, *, commas_are_decimal: bool
) -> None:
    """Choose the decimal mark of each column, as `load_table` does."""
    written = [column for column in columns if not column.plain]
    mark = decimal
    only = {m: any(column.marks == {m} for column in written) for m in ".,"}
    if mark is None and only[","] and (commas_are_decimal or not only["."]):
        mark = ","
    for column in columns:
        ambiguous = column.marks == {".", ","} and column.differ
        if column.plain:  # 1.234, which pandas reads as a fraction
            column.mark = "," if mark == "," and ambiguous else "."
        elif ambiguous and mark is None and commas_are_decimal:
            raise InputError(
                f"a comma may mark decimals or thousands in the column {column.name!r} "
                f"({column.example}); pass --decimal , or --decimal ."
            )
        else:
            fitting = "." if "." in column.marks else ","
            column.mark = mark if mark is not None and mark in column.marks else fitting


def _not_alike(name: str, first: str, second: str) -> InputError:
    return InputError(
        f"numbers of the column {name!r} must be written alike; got "
        f"{printable(repr(first), 60)} and {printable(repr(second), 60)}; correct them"
    )


def _texts(column: pd.Series[Any], *, typed: bool) -> NDArray[np.object_]:
    """Distinct texts of a column, without those that pandas reads as missing."""
    column = column.astype(object)
    try:
        values = column.unique()
    except TypeError:  # e.g. lists among them
        values = column[[isinstance(value, str) for value in column]].unique()
    texts = [v for v in values if isinstance(v, str) and (typed or v not in NA_TEXTS)]
    return np.array(texts, dtype=object)


def _plain_numbers(texts: NDArray[np.object_]) -> NDArray[np.float64]:
    """Numbers as pandas reads them in a text file; NaN for other texts."""
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
    return np.array(numbers, dtype=np.float64)
