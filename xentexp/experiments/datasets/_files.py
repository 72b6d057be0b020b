"""Reading CSV and Parquet files that users bring along."""

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
    """Read a table whose suffix says its format."""
    if not path.exists():
        raise InputError(f"{where}: there is no file {path.absolute()}; check the path.")
    if path.is_dir():
        raise InputError(f"{where}: {path.absolute()} is a folder; name a file in it.")
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)
    try:
        if suffix is None:
            raise InputError(
                f"{where}: {path.name} has none of the suffixes {', '.join(SUFFIXES)}; "
                "convert the file, or name it after its format."
            )
        frame = _read_parquet(path, where) if suffix == ".parquet" else _read_csv(path, where)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: {path.name} is not text in UTF-8 ({error.reason}); save it as {suffix} "
            "in UTF-8, or name it after its format."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{where}: {path.name} is not a whole gzip file ({error}); fetch it again."
        ) from error
    except OSError as error:
        raise InputError(
            f"{where}: {path.absolute()} cannot be read ({error}); check the file."
        ) from error
    if frame.empty:
        raise InputError(f"{where}: {path.name} has a header but no rows; check the file.")
    return frame


def _read_csv(path: Path, where: str) -> pd.DataFrame:
    separator = "\t" if path.name.lower().endswith(".tsv") else ","
    with _text(path) as stream:
        start = stream.read(1024)
    if not start.strip():
        raise InputError(f"{where}: {path.name} is empty; check the file.")
    if "\0" in start:
        raise InputError(f"{where}: {path.name} is binary, not text; name it after its format.")
    if _WEB_PAGE.match(start):
        raise InputError(f"{where}: {path.name} is a web page, not a table; download it again.")
    try:
        with _text(path) as stream:
            header = next(row for row in csv.reader(stream, delimiter=separator) if row)
        # pandas would rename the second "x" to "x.1" without a word.
        _reject_twice([name for name in header if name.strip()], path, where)
        other = [mark for mark in ";\t," if mark != separator and mark in header[0]]
        if len(header) == 1 and other:
            raise InputError(
                f"{where}: {path.name} has one column, {header[0]!r}; "
                f"separate its columns by {separator!r}, not by {other[0]!r}."
            )
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except (pd.errors.ParserError, csv.Error) as error:
        raise InputError(
            f"{where}: {path.name} is not a table ({str(error).strip()}); correct it."
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{where}: {path.name} has rows with more fields than the {len(header)} of its "
            "header; name every column."
        )
    return frame


def _text(path: Path) -> AbstractContextManager[TextIO]:
    """Open a text file, packed or not."""
    if path.name.lower().endswith(".gz"):
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _read_parquet(path: Path, where: str) -> pd.DataFrame:
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise InputError(f"{where}: {path.name} is empty; check the file.")
    if start != b"PAR1":
        raise InputError(f"{where}: {path.name} is not Parquet; name it after its format.")
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:  # pyarrow's errors are one or the other
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{where}: {path.name} is damaged Parquet ({reason}); write it again."
        ) from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()  # a named index is a column that pandas set aside
    _reject_twice([str(name) for name in frame.columns], path, where)
    return frame


def _reject_twice(names: list[str], path: Path, where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: {path.name} has the column names {', '.join(map(repr, twice))} twice; "
            "rename them."
        )
