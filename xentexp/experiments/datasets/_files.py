"""Read text tables, Excel and Parquet files of users."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.experiments.datasets._dates import lacks_year, listed
from xentexp.experiments.datasets._layout import Layout, find_header, find_layout
from xentexp.experiments.datasets._numbers import (
    NumberColumn,
    has_unit,
    is_blank,
    is_code_column,
    read_numbers,
)
from xentexp.experiments.datasets._unpack import (
    DAMAGED,
    PACKED,
    Limit,
    as_file,
    check_file,
    damaged,
    decode,
    read_bytes,
)

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
ARROW = (".arrow", ".feather", ".ipc")
"""Suffixes of files in the format of Arrow: a file (also Feather version 2) or a stream."""
TYPED = (*ARROW, ".parquet")
"""Suffixes of files whose columns have types."""
TEXT = (*_TEXT, *(text + packed for text in _TEXT for packed in PACKED), ".zip")
"""Suffixes of files that are texts, perhaps after decompression."""
SUFFIXES = (*TEXT, ".xlsx", ".xlsm", *TYPED)
_WEB_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?:^|[\s,;|\"'])(?:0\d|\+\d{8}|\d{19})")
"""May begin a zero-padded code, a phone number or a very long number; pandas reads numbers."""

_BINARY = (
    *(b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"),  # zip or Excel, Parquet, old Excel
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"),  # gzip, bzip2, xz
)
_NO_RESULT = re.compile(rb"</f>\s*(?:<v\s*/>|<v></v>|</c>)|<f\s*/>\s*</c>")
"""A formula of an Excel sheet that no program has computed; its cell would be missing."""


@dataclass(frozen=True)
class FileOptions:
    """Parameters of `load_table` that say how to read a file."""

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    header: bool | int | None = None
    sheet: str | int | None = None
    max_megabytes: float = 500.0
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()

    def check(self, where: str) -> None:
        """Raise an InputError for a value that no file can have."""
        if self.decimal not in (None, ".", ","):
            raise InputError(f"{where}: decimal must be '.' or ','; got {self.decimal!r}")
        if not self.max_megabytes > 0:
            raise InputError(
                f"{where}: max_megabytes must be greater than 0; got {self.max_megabytes}"
            )


def read_table(path: Path, where: str, *, target: str | None = None) -> pd.DataFrame:
    """Table of a file; see `read_file`."""
    return read_file(path, where, FileOptions(), target=target)[0]


def read_file(
    path: Path, where: str, options: FileOptions, *, target: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Table of a file in the format of its suffix, and notes; messages start with `where`."""
    # Numbers that are written as text become numbers, except in the column `target`.
    options.check(where)
    name = path.name.lower()
    check_file(path, where)
    limit = Limit(where, path.name, options.max_megabytes)
    with file_errors(path, where):
        check_suffix(path, where)
        if name.endswith(TYPED):
            refuse_options(options, ("separator", "encoding", "header", "sheet"), path, where)
            frame, notes = _read_typed(path, where, limit), list[str]()
            notes += convert_texts(frame, None, options, keep=[target], typed=True)
        elif name.endswith((".xlsx", ".xlsm")):
            refuse_options(options, ("separator", "encoding"), path, where)
            layout = excel_layout(path, where, options, limit)
            frame, notes = _parse(layout, path, where, options, target)
        else:
            refuse_options(options, ("sheet",), path, where)
            frame, notes = _read_text(path, where, options, limit, target)
    if frame.empty:
        raise _only_header(path, where)
    return frame, notes


def check_suffix(path: Path, where: str) -> None:
    """Raise an InputError unless the format of a file is one that can be read."""
    if path.name.lower().endswith(".xls"):
        raise InputError(f"{where}: {path.name} is an old Excel file; save it as .xlsx")
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError(
            f"{where}: the file name must end with {', '.join(_TEXT)} (also followed by "
            f"{', '.join(PACKED)}), .zip, .xlsx, .xlsm, {', '.join(TYPED[:-1])} or {TYPED[-1]}; "
            f"got {path.name}; rename or convert the file"
        )


@contextlib.contextmanager
def file_errors(path: Path, where: str) -> Iterator[None]:
    """Turn errors of a file that cannot be read into an InputError that names the file."""
    try:
        yield
    except DAMAGED as error:
        raise damaged(path, where, error) from error
    except OSError as error:
        if path.suffix.lower() == ".bz2" and error.errno is None:
            raise damaged(path, where, error) from error
        raise InputError(
            f"{where}: {path.absolute()} cannot be read ({error}); check the file"
        ) from error
    except MemoryError as error:
        raise InputError(
            f"{where}: {path.name} needs more memory than there is; use fewer rows or columns"
        ) from error


def _only_header(path: Path, where: str) -> InputError:
    return InputError(f"{where}: {path.name} must have at least one row; got only a header")


def refuse_options(options: FileOptions, names: Sequence[str], path: Path, where: str) -> None:
    """Raise an InputError for an option that does not apply to this format."""
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(
                f"{where}: {name} does not apply to {path.suffix.lower()} files; got "
                f"{getattr(options, name)!r} for {path.name}; leave it out"
            )


# --- text


def _read_text(
    path: Path, where: str, options: FileOptions, limit: Limit, target: str | None
) -> tuple[pd.DataFrame, list[str]]:
    content = read_bytes(path, limit)
    check_start(content, path, where)
    text, note = decode(content, options.encoding, where, path.name)
    del content
    frame, notes = _parse(text_layout(text, path, where, options), path, where, options, target)
    return frame, [*([note] if note else []), *notes]


def check_start(content: bytes, path: Path, where: str) -> None:
    """Raise an InputError if the first bytes of a file are not those of a text."""
    if not content.strip():
        raise InputError(f"{where}: {path.name} is empty; check the file")
    if content.startswith(_BINARY):
        raise _binary(path, where)


def text_layout(text: str, path: Path, where: str, options: FileOptions) -> Layout:
    """Layout of a text table, or of its beginning."""
    if "\0" in text[:1024]:
        raise _binary(path, where)
    if _WEB_PAGE.match(text):
        raise InputError(f"{where}: {path.name} is a web page, not a table; download it again")
    tabs = re.search(r"\.(tsv|tab)(\.\w+)?$", path.name.lower())
    layout = find_layout(
        text.lstrip("\r\n"),
        where,
        path.name,
        separator=options.separator,
        header=options.header,
        default="\t" if tabs else ",",
    )
    if not layout.rows:
        raise InputError(f"{where}: {path.name} is empty; check the file")
    return layout


def _binary(path: Path, where: str) -> InputError:
    return InputError(
        f"{where}: {path.name} is binary, not text; rename it to match its format (or, for UTF-16 "
        f"without a byte order mark, set encoding=utf-16-le)"
    )


def _parse(
    layout: Layout, path: Path, where: str, options: FileOptions, target: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Table of a text whose layout is known."""
    first = layout.rows[0]
    if layout.header:
        # pandas would rename the second "x" to "x.1" without a warning.
        reject_duplicates([name for name in first if name.strip()], path, where)
    names = None if layout.header else [f"x{i}" for i in range(len(first))]
    if layout.header and layout.spaces_follow and all(name.strip() for name in first):
        names = [name.strip() for name in first]

    def parse(**more: Any) -> pd.DataFrame:
        frame: pd.DataFrame = pd.read_csv(
            as_file(layout.text),
            sep=r"\s+" if layout.separator == " " else layout.separator,
            header=0 if layout.header else None,
            names=names,
            skipinitialspace=layout.spaces_follow,
            low_memory=False,
            index_col=False,  # else rows with one more field than the header lose the first
            **more,
        )
        return frame

    with table_errors(path, where, len(first)):
        frame = parse()
    notes = list(layout.notes)
    if layout.header:
        _reject_repeated_header(frame, path, where)
        frame, note = _without_empty(frame, first)
        notes += note
    notes += _short_rows(layout, frame)
    if layout.spaces_follow:
        for column in _text_columns(frame):
            frame[column] = frame[column].str.strip()
    texts = _Texts(parse, layout.text)
    notes += convert_texts(
        frame, texts, options, keep=[target], commas_are_decimal=layout.separator != ","
    )
    return frame, notes


@contextlib.contextmanager
def table_errors(path: Path, where: str, n_fields: int) -> Iterator[None]:
    """Turn errors of the parser of pandas into an InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except pd.errors.ParserWarning as error:
        raise InputError(
            f"{where}: rows of {path.name} must have at most {n_fields} fields, as the header; "
            "some have more; add names for all columns to the header, or set header to the line "
            "with the names"
        ) from error
    except (pd.errors.ParserError, csv.Error, OverflowError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise InputError(
            f"{where}: {path.name} is not a valid table ({reason}); correct the file, or set "
            f"header to the line with the names of the columns"
        ) from error


def _without_empty(frame: pd.DataFrame, header: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Table without columns that have neither a name nor a value, and a note on them."""
    unnamed = [i for i, name in enumerate(header) if not name.strip()]
    empty = [i for i in unnamed if i < frame.shape[1] and frame.iloc[:, i].isna().all()]
    if not empty or len(empty) == frame.shape[1]:
        return frame, []
    number = "a column" if len(empty) == 1 else f"{len(empty):,} columns"
    return frame.drop(columns=frame.columns[empty]), [f"left out {number} without name and values"]


def _short_rows(layout: Layout, frame: pd.DataFrame) -> list[str]:
    """Note on rows with fewer fields than the header, which pandas fills with missing values."""
    width = len(layout.rows[0])
    if layout.separator == " " or not frame.iloc[:, -1].isna().any():
        return []
    try:
        rows = csv.reader(io.StringIO(layout.text, newline=""), delimiter=layout.separator)
        short = [rows.line_num for row in rows if 0 < len(row) < width]
    except csv.Error:  # a cell of more than 128 kB
        return []
    if not short:
        return []
    return [
        f"{len(short):,} {'row has' if len(short) == 1 else 'rows have'} fewer fields than the "
        f"first row; the others were read as missing (the first such row ends in line "
        f"{short[0]:,})"
    ]


def _reject_repeated_header(frame: pd.DataFrame, path: Path, where: str) -> None:
    """Raise an InputError if a row has the names of the columns, as in files put together."""
    if any(types.is_numeric_dtype(dtype) for dtype in frame.dtypes):
        return
    same = np.ones(len(frame), dtype=bool)
    for name, column in frame.items():
        if not same.any():
            return
        same &= (column == name).fillna(False).to_numpy(dtype=bool)
    if same.any():
        raise InputError(
            f"{where}: {path.name} repeats its header in {int(same.sum())} rows, first in row "
            f"{int(same.argmax())} (counted from 0); remove these rows"
        )


class _Texts:
    """Columns of a text file as text, read again when they are needed."""

    def __init__(self, parse: Callable[..., pd.DataFrame], text: str) -> None:
        self.parse, self.text = parse, text

    def __call__(self, columns: Sequence[str]) -> pd.DataFrame:
        if not columns:
            return pd.DataFrame()
        return self.parse(dtype=str, usecols=list(columns))


# --- conversion of text to numbers


def convert_texts(
    frame: pd.DataFrame,
    texts: _Texts | None,
    options: FileOptions,
    *,
    keep: Collection[str | None],
    commas_are_decimal: bool = False,
    typed: bool = False,
) -> list[str]:
    """Convert columns of numbers that are written as text, in place; notes on what was done."""
    # `texts`: None if the file has types, so that text cannot be read again. `typed`: then text of
    # only digits was text on purpose.
    notes = []
    keep = {*keep, *options.categorical}
    codes = [
        str(column)
        for column in _text_columns(frame)
        if column not in (*keep, *options.numeric)
        and is_code_column(frame[column].dropna().unique().tolist())
    ]
    if texts is not None:
        kept = [name for name in dict.fromkeys(options.categorical) if name in frame]
        if kept:
            again = texts(kept)
            for column in again:
                frame[column] = again[column].astype("category")
        whole = [
            str(c)
            for c, column in frame.items()
            if c not in (*keep, *options.numeric) and _is_whole(column)
        ]
        if whole and _IDENTIFIER.search(texts.text):
            again = texts(whole)
            codes += [str(c) for c in again if is_code_column(again[c].dropna().unique().tolist())]
            for column in codes:
                if column in again:
                    frame[column] = again[column]
    else:
        for column in options.categorical:
            if column not in frame:
                continue
            frame[column] = frame[column].astype("category")
    if codes:
        keep |= set(codes)
        notes.append(
            f"zero-padded codes, phone numbers and numbers of 19 or more digits stay text: "
            f"{listed(codes)}; name columns in numeric to read them as numbers"
        )
    found = {
        str(column): numbers
        for column in _text_columns(frame)
        if column not in keep
        and (numbers := read_numbers(frame[column], codes=column in options.numeric)) is not None
        if numbers.has_marks or numbers.blanks or not typed or column in options.numeric
    }
    units = []
    for name in _text_columns(frame):
        if name not in keep and name not in found:
            values = frame[name].dropna().unique().tolist()
            first = next((value for value in values if not is_blank(value)), "")
            if has_unit(values) and not lacks_year(first):
                units.append(f"{name} ({first.strip()})")
    mixed = [f"{name} ({numbers.example})" for name, numbers in found.items() if not numbers.values]
    found = {name: numbers for name, numbers in found.items() if numbers.values}
    only_comma = [name for name, n in found.items() if list(n.values) == [","]]
    only_point = [name for name, n in found.items() if list(n.values) == ["."]]
    mark = options.decimal
    if mark is None and only_comma and (commas_are_decimal or not only_point):
        mark = ","
    if mark == "," and texts is not None:  # "1.234", which pandas read as a fraction
        again = texts(
            [
                str(c)
                for c, dtype in frame.dtypes.items()
                if types.is_float_dtype(dtype) and c not in keep
            ]
        )
        for column in again:
            numbers = read_numbers(again[column])
            if numbers is not None and "," in numbers.values and "." in numbers.example:
                found[str(column)] = numbers
    unclear = []
    converted: dict[str, NumberColumn] = {}
    for name, numbers in found.items():
        if numbers.ambiguous and mark is None and commas_are_decimal:
            unclear.append(f"{name} ({numbers.example})")
            continue
        fitting = mark if mark in numbers.values else next(iter(numbers.values))
        frame[name] = numbers.values[fitting]
        converted[name] = numbers
    if converted:
        shown = [
            f"{name} ({', '.join(filter(None, [numbers.example, *map(repr, numbers.blanks)]))})"
            for name, numbers in converted.items()
        ]
        decimal = " with decimal commas" if mark == "," else ""
        notes.append(
            f"numbers written as text were read as numbers{decimal}: {listed(shown)}; name columns "
            f"in categorical to keep them as text"
        )
    if mixed:
        notes.append(
            f"columns stay text although most or all of their values are numbers: {listed(mixed)}; "
            f"correct these values, or leave the columns out with drop"
        )
    if units:
        notes.append(
            f"columns stay text although their values are numbers with a unit: {listed(units)}; "
            f"remove the unit from the values to use them as numbers, or name the columns in "
            f"categorical"
        )
    if unclear:
        notes.append(
            f"columns stay text because a comma may mark decimals or thousands: {listed(unclear)}; "
            f"set decimal=',' or decimal='.'"
        )
    return notes


def _is_whole(column: pd.Series[Any]) -> bool:
    """Whether a column of numbers may be one of digits only, perhaps with missing values."""
    if types.is_object_dtype(column.dtype):  # numbers beyond uint64
        return types.infer_dtype(column, skipna=True) == "integer"
    if types.is_bool_dtype(column.dtype) or not types.is_numeric_dtype(column.dtype):
        return False
    if types.is_integer_dtype(column.dtype):
        return True
    values = column.to_numpy()
    return bool(np.isnan(values).any() and (np.isnan(values) | (values == np.floor(values))).all())


def _text_columns(frame: pd.DataFrame) -> list[Any]:
    return [
        column
        for column, dtype in frame.dtypes.items()
        if (types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype))
        and types.infer_dtype(frame[column], skipna=True) == "string"
    ]


# --- Excel


def excel_layout(path: Path, where: str, options: FileOptions, limit: Limit) -> Layout:
    """Cells of an Excel file as a text table."""
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise InputError(
                f"{where}: {path.name} is not an .xlsx file (or has a password); save it as .xlsx "
                f"without a password"
            )
    openpyxl = import_extra("openpyxl", f"{where}: {path.name}")
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        limit.check(sum(part.file_size for part in parts), " when decompressed")
        sheets = [part for part in parts if part.filename.startswith("xl/worksheets/sheet")]
        if any(part.flag_bits & 1 for part in parts):
            raise InputError(f"{where}: {path.name} has a password; save it without one")
        if any(_NO_RESULT.search(archive.read(part)) for part in sheets):
            raise InputError(
                f"{where}: {path.name} has formulas without results; open and save it in a "
                f"spreadsheet program"
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on styles and extensions, not on cells
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            tables = {sheet.title: _cells(sheet, limit) for sheet in book.worksheets}
            book.close()
    except (InputError, MemoryError):
        raise
    except Exception as error:  # openpyxl raises many kinds for damaged files
        raise InputError(f"{where}: {path.name} is a damaged Excel file ({error})") from error
    filled = {title: rows for title, rows in tables.items() if rows}
    if options.sheet is not None:
        if str(options.sheet) not in tables:
            raise unknown_name(f"sheet of {path.name}", str(options.sheet), tables)
        chosen = str(options.sheet)
    elif len(filled) == 1:
        (chosen,) = filled
    elif not filled:
        raise InputError(f"{where}: {path.name} is empty; check the file")
    else:
        raise InputError(
            f"{where}: {path.name} has {len(filled)} sheets with data; set sheet to one of "
            f"{', '.join(map(repr, filled))}"
        )
    rows = tables[chosen]
    header = options.header
    if isinstance(header, int) and not isinstance(header, bool):
        if not 1 <= header <= len(rows):
            raise InputError(f"{where}: header must be a row of {path.name}; got {header}")
        rows, header = rows[header - 1 :], True
    rows = [row for row in rows if any(row)]
    if not rows:
        raise InputError(f"{where}: the sheet {chosen!r} of {path.name} is empty; check the file")
    notes = []
    if header is None:
        looked_at = max(100, 200_000 // len(rows[0]))
        header, note = find_header(rows[:looked_at], where, path.name)
        notes += [note] if note else []
    if len(tables) > 1 and options.sheet is None:
        notes.append(f"the sheet is {chosen!r}; set sheet to change it")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return Layout(text.getvalue(), ",", rows, header, notes=notes)


def _cells(sheet: Any, limit: Limit) -> list[list[str]]:
    """Cells of a sheet as text, without empty rows at the end and columns at the right."""
    sheet.reset_dimensions()  # files of other programs state wrong ones
    rows = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    limit.check(8 * len(rows) * width, " in memory")
    return [[*row, *[""] * (width - len(row))][:width] for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


# --- Parquet and Arrow

_STARTS = {b"PAR1": "Parquet", b"ARRO": "Arrow", b"\xff\xff\xff\xff": "Arrow"}  # the last: a stream


def check_typed(path: Path, where: str) -> bytes:
    """First four bytes of a Parquet or Arrow file; an InputError if they are not those."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise InputError(f"{where}: {path.name} is empty; check the file")
    if start == b"FEA1":
        raise InputError(f"{where}: {path.name} is Feather version 1; write it again as version 2")
    kind = "Arrow" if path.name.lower().endswith(ARROW) else "Parquet"
    if _STARTS.get(start) != kind:
        raise InputError(f"{where}: {path.name} is not {kind}; rename it to match its format")
    return start


def _read_typed(path: Path, where: str, limit: Limit) -> pd.DataFrame:
    """Table of a Parquet or Arrow file."""
    start = check_typed(path, where)
    kind = _STARTS[start]
    try:
        if kind == "Parquet":
            import pyarrow.parquet as pq

            facts = pq.read_metadata(path)
            reject_duplicates(list(facts.schema.to_arrow_schema().names), path, where)
            stated = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
            limit.check(max(stated, 8 * facts.num_rows * facts.num_columns), " in memory")
            # Column by column; the memory of each is given back as soon as it is converted.
            columns = pq.read_table(path, pre_buffer=False)
            frame: pd.DataFrame = columns.to_pandas(split_blocks=True, self_destruct=True)
        else:
            import pyarrow as pa

            opened = pa.ipc.open_file if start == b"ARRO" else pa.ipc.open_stream
            with pa.memory_map(str(path)) as stream, opened(stream) as reader:
                table = reader.read_all()
                limit.check(table.nbytes, " in memory")
                frame = table.to_pandas()
    except InputError:
        raise
    except (ValueError, OSError) as error:  # base classes of all pyarrow errors
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{where}: {path.name} is a damaged {kind} file ({reason}); write it again"
        ) from error
    named = any(name is not None for name in frame.index.names)
    frame = frame.reset_index(drop=not named)  # a named index was a column of the table
    reject_duplicates([str(name) for name in frame.columns], path, where)
    return frame


def reject_duplicates(names: list[str], path: Path, where: str) -> None:
    """Raise an InputError if two columns of a file have one name."""
    duplicates = sorted(name for name, number in Counter(names).items() if number > 1)
    if duplicates:
        raise InputError(
            f"{where}: column names of {path.name} must be unique; duplicates: "
            f"{', '.join(map(repr, duplicates[:10]))}; rename them, or set header=false if the "
            f"first row is data"
        )


def with_rows_of_file(message: str, index: Sequence[Any] | pd.Index[Any]) -> str:
    """Replace numbers of rows by those in the file, from which rows may have been left out."""

    def row(found: re.Match[str]) -> str:
        place = int(found[1])
        return f"row {index[place]}" if place < len(index) else found[0]

    return re.sub(r"(?<![\w'\"])row (\d+)\b", row, message)  # not in a label
