"""Read files of any size in batches of rows; texts stay as they are written."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments.datasets._arrow_files import ArrowTable
from xentexp.experiments.datasets._files import (
    TYPED,
    FileOptions,
    check_start,
    check_suffix,
    excel_layout,
    file_errors,
    refuse_options,
    reject_duplicates,
    table_errors,
    text_layout,
)
from xentexp.experiments.datasets._layout import Layout
from xentexp.experiments.datasets._unpack import Limit, check_file, find_encoding, open_bytes

NA_TEXTS = frozenset(
    {
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)
"""Texts that pandas.read_csv reads as missing values."""

_START = 12_000_000
"""Characters from which the layout of a text is found, more than the longest line."""
_PIECE = 1 << 20


class Batches(Protocol):
    """Rows of a file, which can be read several times."""

    path: Path
    names: list[str]
    notes: list[str]
    typed: bool
    """Whether values have types; else all of them are texts."""
    commas_are_decimal: bool
    kinds: dict[str, Any]
    """Type of Arrow of each column; empty if all are texts."""

    def read(self, columns: Sequence[str], size: int) -> Generator[pd.DataFrame]:
        """Some columns, in batches of `size` rows."""
        ...


def open_batches(path: Path, where: str, options: FileOptions) -> Batches:
    """File in the format of its suffix; messages start with `where`."""
    options.check(where)
    name = path.name.lower()
    limit = Limit(where, path.name, options.max_megabytes)
    if not path.is_dir():
        check_file(path, where)
        check_suffix(path, where)
    with file_errors(path, where):
        if path.is_dir() or name.endswith(TYPED):
            refuse_options(options, ("separator", "encoding", "header", "sheet"), path, where)
            return ArrowTable(path, where, limit)
        if name.endswith((".xlsx", ".xlsm")):
            refuse_options(options, ("separator", "encoding"), path, where)
            return TextFile(path, where, excel_layout(path, where, options, limit))
        refuse_options(options, ("sheet",), path, where)
        return _text_file(path, where, options)


class TextFile:
    """Table whose cells are texts; without an encoding, the layout has all of it."""

    typed = False

    def __init__(
        self,
        path: Path,
        where: str,
        layout: Layout,
        *,
        encoding: str | None = None,
        skipped: int = 0,
        notes: Sequence[str] = (),
    ) -> None:
        self.path, self.where = path, where
        self.kinds: dict[str, Any] = {}
        self.layout, self.encoding, self.skipped = layout, encoding, skipped
        self.notes = [*notes, *layout.notes]
        self.commas_are_decimal = layout.separator != ","
        first = layout.rows[0]
        if layout.header:
            reject_duplicates([name for name in first if name.strip()], path, where)
            # As pandas names columns without a name.
            self.names = [name if name.strip() else f"Unnamed: {i}" for i, name in enumerate(first)]
        else:
            self.names = [f"x{i}" for i in range(len(first))]

    def read(self, columns: Sequence[str], size: int) -> Generator[pd.DataFrame]:
        """Some columns as texts, in batches of `size` rows."""
        with contextlib.closing(self.parsed(size, dtype=str, na_filter=False)) as chunks:
            for chunk in chunks:
                part = chunk[list(columns)].reset_index(drop=True)
                if self.layout.spaces_follow:
                    part = part.apply(lambda column: column.str.strip())
                yield part

    def parsed(self, size: int, **types: Any) -> Generator[pd.DataFrame]:
        """All columns in batches of `size` rows, with the types that pandas.read_csv is given."""
        start = 0
        with file_errors(self.path, self.where), self._open() as stream:
            chunks = None
            while True:
                # Not around the whole loop: the filters of warnings would hold for the caller too.
                with table_errors(self.path, self.where, len(self.names)):
                    chunks = self._chunks(stream, size, types) if chunks is None else chunks
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                if self.layout.header:
                    self._check_header(chunk, start)
                start += len(chunk)
                yield chunk
        if start == 0:
            raise InputError(
                f"{self.where}: {self.path.name} must have at least one row; got only a header"
            )

    def _chunks(
        self, stream: IO[str], size: int, options: Mapping[str, Any]
    ) -> Iterator[pd.DataFrame]:
        # All columns are read: with some of them, pandas accepts rows of any length.
        chunks: Iterator[pd.DataFrame] = pd.read_csv(
            stream,
            sep=r"\s+" if self.layout.separator == " " else self.layout.separator,
            header=0 if self.layout.header else None,
            names=self.names,
            skipinitialspace=self.layout.spaces_follow,
            index_col=False,  # else rows with one more field than the header lose the first
            chunksize=size,
            **options,
        )
        return chunks

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[str]]:
        if self.encoding is None:
            yield io.StringIO(self.layout.text)
            return
        with (
            open_bytes(self.path, self.where) as stream,
            io.TextIOWrapper(stream, self.encoding, newline="") as text,
        ):
            text.read(self.skipped)
            yield text

    def _check_header(self, chunk: pd.DataFrame, start: int) -> None:
        """Raise an InputError for a row that has the names of the columns, as of joined files."""
        same = (chunk.iloc[:, 0] == self.layout.rows[0][0]).to_numpy()
        if same.any():
            rows = np.flatnonzero(same)
            same = (chunk.iloc[rows] == self.layout.rows[0]).all(axis=1).to_numpy()
            if same.any():
                raise InputError(
                    f"{self.where}: {self.path.name} repeats its header in row "
                    f"{start + rows[same.argmax()]} (counted from 0); remove this row"
                )


def _text_file(path: Path, where: str, options: FileOptions) -> TextFile:
    def pieces() -> Iterator[bytes]:
        with open_bytes(path, where) as stream:
            while piece := stream.read(_PIECE):
                yield piece

    with open_bytes(path, where) as stream:
        first = stream.read(_PIECE)
    check_start(first, path, where)
    encoding, note = find_encoding(first, pieces, options.encoding, where, path.name)
    with (
        open_bytes(path, where) as stream,
        io.TextIOWrapper(stream, encoding, newline="") as reader,
    ):
        start = reader.read(_START)
    text = start.removeprefix("\ufeff")
    layout = text_layout(text, path, where, options)
    # The layout of old Macintosh texts has other line ends, but as many characters.
    if not text.replace("\r", "\n").endswith(layout.text.replace("\r", "\n")):
        raise InputError(
            f"{where}: lines of {path.name} must not be in quotation marks as a whole; remove the "
            f"quotation marks around the lines"
        )
    skipped = len(start) - len(layout.text)
    layout.text = ""
    notes = [note] if note else []
    return TextFile(path, where, layout, encoding=encoding, skipped=skipped, notes=notes)
