"""Columns of a file as arrays: all rows of a small file, batches of a large one."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import re
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp._inputs.labels import distinct
from xentexp._inputs.temporary import TemporaryArray
from xentexp._numerics import Array
from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets._arrow_files import ArrowTable
from xentexp.experiments.datasets._batches import TextFile, open_batches
from xentexp.experiments.datasets._files import (
    TEXT,
    TYPED,
    FileOptions,
    check_suffix,
    convert_texts,
    file_errors,
    read_file,
)
from xentexp.experiments.datasets._unpack import PACKED, check_file, open_bytes

if TYPE_CHECKING:
    import pyarrow as pa

SMALL = 64_000_000
"""Bytes of a file, after decompression, up to which all its rows are read at once."""
BATCH_NUMBERS = 1 << 20
"""Numbers in a batch of a larger file."""
_MOST_LABELS = 100_000
_PIECE = 1 << 20

Arrays = dict[str, Array]  # by name of the column


@dataclass
class LabelColumn:
    """Labels that occur in a column, and the rows without one."""

    labels: set[Any] = field(default_factory=set)
    missing: list[Array] = field(default_factory=list)  # numbers of the rows without a label
    rows_of_parts: list[int] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Number of rows, with and without a label."""
        return sum(self.rows_of_parts)

    @property
    def n_missing(self) -> int:
        """Number of rows without a label."""
        return sum(map(len, self.missing))

    def add(self, values: Array) -> None:
        """Add the next rows of the last part."""
        n_rows, missing = len(values), missing_rows(values)
        if missing is not None:
            self.missing.append(self.n_rows + np.flatnonzero(missing))
            values = values[~missing]
        self.rows_of_parts[-1] += n_rows
        if len(values) and not self._knows_all(values):
            self.labels |= distinct(values)

    def _knows_all(self, values: Array) -> bool:
        """Whether no label is new; found fast for integers, else False."""
        if values.dtype.kind not in "iu" or not self.labels:
            return False
        low, high = min(self.labels), max(self.labels)
        complete = high - low + 1 == len(self.labels)
        return complete and bool(low <= values.min() and values.max() <= high)


def missing_rows(values: Array) -> NDArray[np.bool_] | None:
    """Which labels are missing values; None if no label is."""
    if values.dtype.kind in "biu":
        return None
    missing = np.asarray(pd.isna(values))
    return missing if missing.any() else None


class RowNames(Sequence[str]):
    """Numbers of the rows with a label in the file, for messages; with the name of the part."""

    def __init__(self, found: LabelColumn, names: Sequence[str]) -> None:
        self._missing = np.concatenate([np.empty(0, dtype=np.intp), *found.missing])
        # Number of rows with a label before each row without one.
        self._before = self._missing - np.arange(len(self._missing))
        self._n_rows = found.n_rows - len(self._missing)
        self._starts = [0, *accumulate(found.rows_of_parts)]
        self._names = names

    def __len__(self) -> int:
        return self._n_rows

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        return self.in_file(place + int(np.searchsorted(self._before, place, side="right")))

    def in_file(self, row: int) -> str:
        """Number of a row among all rows, with or without a label; with the name of the part."""
        if len(self._names) == 1:
            return str(row)
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        return f"{row - self._starts[part]} of {self._names[part]}"


def label_type(labels: set[Any]) -> str:
    """NumPy type of labels of one kind, for arrays in files."""
    [kind] = {type(label) for label in labels}
    return np.array(list(labels)).dtype.str if kind in (bool, int, float, str) else "O"


class FileColumns(Protocol):
    """Columns of a file in one or several parts, whose rows follow one another."""

    names: list[str]
    notes: list[str]
    large: bool
    parts: list[str]

    def prepare(self, numbers: Mapping[str, str], target: str) -> LabelColumn:
        """Check columns of numbers, by name with the option for messages; find the labels."""
        ...

    def batches(self, names: Sequence[str], part: int | None = None) -> Generator[Arrays]:
        """Some columns of one part, or of all of them."""
        ...


def open_columns(
    path: Path, where: str, options: FileOptions, target: str, *, typed: bool = False
) -> FileColumns:
    """Columns of a file or a folder of Parquet files; with `typed`, only if they have types."""
    if path.is_dir():
        return ArrowColumns(path, where, options)
    if typed and not path.name.lower().endswith(TYPED):
        raise InputError(
            f"{where}: --engine dask reads a folder of Parquet files, or a Parquet or Arrow file; "
            f"got {path.name}; leave out --engine"
        )
    options.check(where)
    check_file(path, where)
    check_suffix(path, where)
    name = path.name.lower()
    with file_errors(path, where):
        if name.endswith(TYPED) and (typed or _table_bytes(path) > SMALL):
            return ArrowColumns(path, where, options)
        if name.endswith(TEXT) and _is_long(path, where):
            file = open_batches(path, where, options)
            assert isinstance(file, TextFile)
            return _TextColumns(file, options)
    if name.endswith((*TEXT, *TYPED)):  # as for a larger file, the limit is not on the whole table
        options = replace(options, max_megabytes=max(options.max_megabytes, SMALL / 1e6))
    return _FrameColumns(*read_file(path, where, options, target=target), path.name)


def _table_bytes(path: Path) -> int:
    """Bytes of a Parquet or Arrow file in memory, as far as the file states it."""
    import pyarrow.parquet as pq

    if path.suffix.lower() != ".parquet":
        return path.stat().st_size
    try:
        facts = pq.read_metadata(path)
    except (ValueError, OSError):  # damaged, which `read_file` says
        return 0
    stated = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
    return int(max(stated, 8 * facts.num_rows * facts.num_columns))


def _is_long(path: Path, where: str) -> bool:
    """Whether a text is longer than `SMALL` after decompression."""
    if path.suffix.lower() not in PACKED:
        return path.stat().st_size > SMALL
    n_bytes = 0
    with open_bytes(path, where) as stream:
        while n_bytes <= SMALL and (piece := stream.read(_PIECE)):
            n_bytes += len(piece)
    return n_bytes > SMALL


def _batch_rows(names: Collection[str]) -> int:
    """Rows of a batch of some columns."""
    return max(64, BATCH_NUMBERS // len(names))


def not_a_number(name: str, option: str, value: object, row: int) -> InputError:
    """Error for a text in a column of numbers."""
    comma = isinstance(value, str) and re.fullmatch(r"-?\d*,\d+", value.strip())
    advice = "; write decimals with a point, or pass --decimal ," if comma else ""
    return InputError(
        f"column {name} of {option} must contain numbers; got {value!r} in row {row} (counted "
        f"from 0){advice}"
    )


def _check_names(names: Sequence[str], numbers: Mapping[str, str]) -> None:
    for name, option in numbers.items():
        if name not in names:
            raise unknown_name(f"column for {option}", name, names)


class _FrameColumns:
    """All rows of a table in memory."""

    large = False

    def __init__(self, table: pd.DataFrame, notes: list[str], name: str) -> None:
        table.columns = table.columns.map(str)
        self._table, self.notes = table, notes
        self.names, self.parts = list(table.columns), [name]

    def prepare(self, numbers: Mapping[str, str], target: str) -> LabelColumn:
        for name, option in numbers.items():
            _check_names(self.names, {name: option})
            if self._table[name].dtype.kind in "biuf":
                continue
            if any(isinstance(value, str) for value in self._table[name].tolist()):
                row, text = _first_text(self._table[name])
                raise not_a_number(name, option, text, row)
        _check_names(self.names, {target: "--target"})
        found = LabelColumn(rows_of_parts=[0])
        labels = self._table[target].to_numpy()
        if labels.dtype == object and any(isinstance(label, Decimal) for label in labels):
            self._table[target] = labels = _plain_numbers(labels.tolist())
        try:
            found.add(labels)
        except TypeError as error:  # e.g. lists, which cannot be elements of a set
            raise InputError(
                f"column {target} must have labels that are numbers or text; got e.g. "
                f"{self._table[target].iloc[0]!r} in row 0; write the column as text"
            ) from error
        return found

    def batches(self, names: Sequence[str], part: int | None = None) -> Generator[Arrays]:
        yield {name: self._table[name].to_numpy() for name in names}


class ArrowColumns:
    """Columns of Parquet or Arrow files, whose types are known."""

    large = True

    def __init__(self, path: Path, where: str, options: FileOptions) -> None:
        table = open_batches(path, where, options)
        assert isinstance(table, ArrowTable)
        self._table = table
        self.names, self.notes = table.names, table.notes
        self.parts = [
            str(part.path.relative_to(path)) if path.is_dir() else path.name for part in table.parts
        ]
        self._floats: set[str] = set()  # columns that are converted, whatever a batch contains

    def prepare(self, numbers: Mapping[str, str], target: str) -> LabelColumn:
        _check_names(self.names, numbers)
        for name, option in numbers.items():
            if not (_is_number(self._table.kinds[name]) or _is_decimal(self._table.kinds[name])):
                with contextlib.closing(self._table.batches([name], 1)) as batches:
                    first = next(batches).column(0).to_pylist()[0]
                raise not_a_number(name, option, first, 0)
        self._floats = {name for name in numbers if not _is_float(self._table.kinds[name])}
        _check_names(self.names, {target: "--target"})
        found = LabelColumn()
        for part in range(len(self.parts)):
            found.rows_of_parts.append(0)
            for arrays in self.batches([target], part):
                found.add(arrays[target])
                _check_number_of(found.labels, target)
        if found.n_missing and _is_whole(self._table.kinds[target]):
            found.labels = {float(label) for label in found.labels}  # as pandas reads them
        if found.n_rows == 0:
            raise InputError(f"score: {self._table.path.name} must have at least one row; got none")
        return found

    def batches(self, names: Sequence[str], part: int | None = None) -> Generator[Arrays]:
        chosen = self._table.parts if part is None else [self._table.parts[part]]
        for file in chosen:
            with contextlib.closing(
                self._table.batches_of(file, names, _batch_rows(names))
            ) as batches:
                for batch in batches:
                    yield {
                        name: batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
                        if name in self._floats
                        else _values(batch.column(name), name)
                        for name in names
                    }

    def only(self, part: int) -> ArrowColumns:
        """Columns of one part, to send to another process."""
        alone = copy.copy(self)
        alone._table = copy.copy(self._table)
        alone._table.parts, alone.parts = [self._table.parts[part]], [self.parts[part]]
        return alone

    def missing_file(self) -> Path | None:
        """First file that this process cannot see."""
        return next((part.path for part in self._table.parts if not part.path.exists()), None)


def _check_number_of(labels: Collection[Any], target: str) -> None:
    if len(labels) > _MOST_LABELS:
        raise InputError(
            f"column {target} must have at most {_MOST_LABELS:,} different labels; it has more, "
            f"e.g. {next(iter(labels))!r}; name the column of the labels"
        )


def _is_whole(kind: pa.DataType) -> bool:
    import pyarrow.types as arrow_types

    return bool(arrow_types.is_integer(kind))


def _is_float(kind: pa.DataType) -> bool:
    import pyarrow.types as arrow_types

    return bool(arrow_types.is_floating(kind))


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as arrow_types

    return bool(arrow_types.is_boolean(kind)) or _is_float(kind) or _is_whole(kind)


def _is_decimal(kind: pa.DataType) -> bool:
    import pyarrow.types as arrow_types

    return bool(arrow_types.is_decimal(kind))


def _values(column: pa.Array, name: str) -> Array:
    """Values of a column of a batch; labels that are texts are objects."""
    import pyarrow.types as arrow_types

    if _is_number(column.type):
        values: Array = column.to_numpy(zero_copy_only=False)
        return values
    if arrow_types.is_null(column.type):  # no row has a label
        return np.full(len(column), None, dtype=object)
    if not (arrow_types.is_dictionary(column.type) or _is_decimal(column.type)):
        kinds = (arrow_types.is_string, arrow_types.is_large_string, arrow_types.is_string_view)
        if not any(is_kind(column.type) for is_kind in kinds):
            raise InputError(
                f"column {name} must have labels that are numbers or text; got the type "
                f"{column.type}; write the column as text"
            )
    if not arrow_types.is_dictionary(column.type):
        column = column.dictionary_encode()
    # A label is made once for each batch, not once for each row.
    labels = _plain_numbers([*column.dictionary.to_pylist(), None])
    codes = column.indices.fill_null(len(labels) - 1).to_numpy()
    return np.asarray(labels[codes])


def _plain_numbers(labels: Sequence[Any]) -> Array:
    """Labels, with integers and floats for decimal numbers."""
    plain = [
        (int(label) if label == int(label) else float(label))
        if isinstance(label, Decimal)
        else label
        for label in labels
    ]
    return np.array(plain, dtype=object)


class _TextColumns:
    """Columns of a large text, which is read once: numbers and labels are kept on disk."""

    large = True

    def __init__(self, file: TextFile, options: FileOptions) -> None:
        self._file, self._options = file, options
        self.names, self.parts = file.names, [file.path.name]
        self.notes = list(file.notes)
        self._numbers: dict[str, TemporaryArray] = {}
        self._codes = TemporaryArray(np.int32)
        self._labels: Array = np.empty(0)

    def prepare(self, numbers: Mapping[str, str], target: str) -> LabelColumn:
        _check_names(self.names, numbers)
        _check_names(self.names, {target: "--target"})
        self._numbers = {name: TemporaryArray(np.float64) for name in numbers}
        missing = False
        read = _NumbersOfText(self._file, self._options, numbers)
        texts: dict[str, int] = {}
        types = {target: str}
        size = _batch_rows(self.names)  # all columns are parsed
        with contextlib.closing(self._file.parsed(size, dtype=types, low_memory=False)) as frames:
            for frame in frames:
                for name, values in read.next(frame).items():
                    self._numbers[name].append(values)
                labels = frame[target]
                if self._file.layout.spaces_follow:
                    labels = labels.str.strip()
                codes, found = pd.factorize(labels.astype(object))
                places = [texts.setdefault(text, len(texts)) for text in found.tolist()]
                _check_number_of(texts, target)
                self._codes.append(np.array([*places, -1], dtype=np.int32)[codes])
                missing = missing or bool((codes < 0).any())
        self.notes += read.notes
        column = LabelColumn(rows_of_parts=[0])
        self._labels = _typed_labels(list(texts), missing=missing)
        for arrays in self.batches([target]):
            column.add(arrays[target])
        return column

    def batches(self, names: Sequence[str], part: int | None = None) -> Generator[Arrays]:
        n_rows, size = len(self._codes), _batch_rows(names)
        for start in range(0, n_rows, size):
            rows = start, min(start + size, n_rows)
            yield {
                name: self._numbers[name].read(*rows)
                if name in self._numbers
                else self._labels[self._codes.read(*rows)]
                for name in names
            }


def _typed_labels(texts: Sequence[str], *, missing: bool) -> Array:
    """Labels of the type that pandas reads in a column of these texts; the last is missing."""
    column = io.StringIO()
    csv.writer(column, quoting=csv.QUOTE_ALL).writerows([["label"], *([text] for text in texts)])
    if missing:
        column.write('""\n')
    column.seek(0)
    labels = pd.read_csv(column, low_memory=False)["label"].to_numpy()
    return labels if missing else np.append(labels, labels[:1])


class _NumbersOfText:
    """Converts columns of numbers of a text, batch by batch, as `read_file` converts all rows."""

    def __init__(self, file: TextFile, options: FileOptions, numbers: Mapping[str, str]) -> None:
        self._file, self._options, self._names = file, options, numbers
        self._n_rows = 0
        self._marks: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """What was converted, by the first batch in which it was."""
        return list(self._notes.values())

    def next(self, frame: pd.DataFrame) -> Arrays:
        """Numbers of the next batch."""
        part = frame[list(self._names)].copy()
        texts = {name for name in part if part[name].dtype.kind not in "biuf"}
        if texts:
            before = part[list(texts)]
            for note in convert_texts(
                part,
                None,
                self._options,
                keep=(),
                commas_are_decimal=self._file.commas_are_decimal,
            ):
                self._notes.setdefault(note.partition(":")[0], note)
        for name, option in self._names.items():
            if part[name].dtype.kind not in "biuf":
                row, value = _first_text(part[name])
                raise not_a_number(name, option, value, self._n_rows + row)
            if name in texts:
                has_comma = before[name].str.contains(",", regex=False, na=False).any()
                has_point = before[name].str.contains(".", regex=False, na=False).any()
                if has_comma and not has_point:
                    self._options = replace(self._options, decimal=",")
                    self._note_mark(name, ",")
            elif part[name].dtype.kind == "f" and not _are_whole(part[name].to_numpy()):
                self._note_mark(name, ".")
        self._n_rows += len(frame)
        return {name: part[name].to_numpy(dtype=np.float64) for name in self._names}

    def _note_mark(self, name: str, mark: str) -> None:
        if self._marks.setdefault(name, mark) != mark:
            raise InputError(
                f"column {name} of {self._names[name]} must have one decimal mark; got numbers "
                f"with a comma and numbers with a point up to row {self._n_rows}; write all with a "
                f"point"
            )


def _are_whole(values: Array) -> bool:
    known = values[~np.isnan(values)]
    return bool((known == np.floor(known)).all())


def _first_text(column: pd.Series[Any]) -> tuple[int, object]:
    """Row and value of the first text that pandas does not read as a number."""
    numbers = pd.to_numeric(column, errors="coerce")
    bad = (numbers.isna() & column.notna()).to_numpy()
    row = int(bad.argmax()) if bad.any() else 0
    return row, column.iloc[row]
