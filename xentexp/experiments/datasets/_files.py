"""Read CSV and Parquet files of users."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO, cast

import pandas as pd

from xentexp.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")
_WEB_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


def read_table(path: Path, where: str) -> pd.DataFrame:
    """Read a table in the format of its suffix; messages start with `where`."""
    if not path.exists():
        raise InputError(f"{where}: the file {path.absolute()} does not exist; check the path")
    if path.is_dir():
        raise InputError(f"{where}: path must be a file; got the folder {path.absolute()}")
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)
    try:
        if suffix is None:
            raise InputError(
                f"{where}: the file name must end with {', '.join(SUFFIXES)}; got {path.name}; "
                "rename or convert the file"
            )
        frame = _read_parquet(path, where) if suffix == ".parquet" else _read_csv(path, where)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: {path.name} must be UTF-8 text ({error.reason}); save it in UTF-8, or "
            "rename it if it has another format"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{where}: {path.name} is not a complete gzip file ({error}); download it again"
        ) from error
    except OSError as error:
        raise InputError(
            f"{where}: {path.absolute()} cannot be read ({error}); check the file"
        ) from error
    if frame.empty:
        raise InputError(f"{where}: {path.name} must have at least one row; got only a header")
    return frame


def _read_csv(path: Path, where: str) -> pd.DataFrame:
    separator = "\t" if path.name.lower().endswith(".tsv") else ","
    with _text(path) as stream:
        start = stream.read(1024)
    if not start.strip():
        raise InputError(f"{where}: {path.name} is empty; check the file")
    if "\0" in start:
        raise InputError(f"{where}: {path.name} is binary, not text; rename it to match its format")
    if _WEB_PAGE.match(start):
        raise InputError(f"{where}: {path.name} is a web page, not a table; download it again")
    try:
        with _text(path) as stream:
            header = next(row for row in csv.reader(stream, delimiter=separator) if row)
        # pandas would rename the second "x" to "x.1" without a warning.
        _reject_duplicates([name for name in header if name.strip()], path, where)
        others = [mark for mark in ";\t," if mark != separator and mark in header[0]]
        if len(header) == 1 and others:
            raise InputError(
                f"{where}: columns of {path.name} must be separated by {separator!r}; got "
                f"{others[0]!r} in {header[0]!r}; save it with {separator!r}, or convert it in "
                f"Python: pandas.read_csv({path.name!r}, sep={others[0]!r}).to_csv('NEW.csv', "
                f"index=False)"
            )
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except (pd.errors.ParserError, csv.Error) as error:
        raise InputError(
            f"{where}: {path.name} is not a valid table ({str(error).strip()}); correct the file"
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{where}: rows of {path.name} must have at most {len(header)} fields, as the header; "
            "some have more; add names for all columns to the header"
        )
    return frame


def _text(path: Path) -> AbstractContextManager[TextIO]:
    """Open a text file, gzip-compressed if its name ends with .gz."""
    if path.name.lower().endswith(".gz"):
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _read_parquet(path: Path, where: str) -> pd.DataFrame:
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise InputError(f"{where}: {path.name} is empty; check the file")
    if start != b"PAR1":
        raise InputError(f"{where}: {path.name} is not Parquet; rename it to match its format")
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:  # base classes of all pyarrow errors
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{where}: {path.name} is a damaged Parquet file ({reason}); write it again"
        ) from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()  # a named index was a column of the table
    _reject_duplicates([str(name) for name in frame.columns], path, where)
    return frame


def _reject_duplicates(names: list[str], path: Path, where: str) -> None:
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise InputError(
            f"{where}: column names of {path.name} must be unique; duplicates: "
            f"{', '.join(map(repr, duplicates))}; rename them"
        )
