"""Tables of random content, and damaged ones: the values that were written, or an InputError."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.support import fuzzed, value_or_error
from xentexp.experiments.datasets import Dataset, load_table

pytestmark = pytest.mark.slow

N = 30
NAMES = ["x", "income", "연체여부", "a b", "OBS#", "rate (%)", "[b]", "=1+1", "naïve"]
SEPARATORS = [",", ";", "\t", "|"]
SUFFIXES = [".csv", ".txt", ".tab", ".tsv", ".data", ".csv.gz", ".csv.bz2", ".csv.xz", ".zip", ".x"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp949", "latin-1"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], dict[str, list[Any]]]:
    """Column names, and columns of numbers and text with a target of two classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    columns: dict[str, list[Any]] = {}
    for name in names:
        kind = draw(st.sampled_from(["float", "integer", "text"]))
        if kind == "float":
            columns[name] = (rng.normal(0, 10, N)).round(3).tolist()
        elif kind == "integer":
            columns[name] = rng.integers(-5, 5, N).tolist()
        else:
            columns[name] = rng.choice(["cook", "clerk", "pilot"], N).tolist()
    columns["y"] = rng.permutation(np.arange(N) % 2).tolist()
    return names, columns


def text_of(columns: dict[str, list[Any]], separator: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def packed(content: bytes, suffix: str) -> bytes:
    if suffix.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if suffix.endswith(".bz2"):
        return bz2.compress(content)
    if suffix.endswith(".xz"):
        return lzma.compress(content)
    if suffix.endswith(".zip"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("table.csv", content)
        return stream.getvalue()
    return content


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Content with bytes changed, inserted, removed or repeated."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        new = draw(
            st.sampled_from([b"", b'"', b"\n", b"\r", b"\0", b"\xff\xfe", b",", b";", b"\x1b[31m"])
            | st.binary(max_size=8)
            | st.just(content[start:end] * 2)
        )
        content = content[:start] + new + content[end:]
    return content


def load(content: bytes, suffix: str, **options: Any) -> Dataset | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(content)
        data = value_or_error(lambda: load_table(path, target="y", **options))
    assert data is None or isinstance(data, Dataset)
    return data


@fuzzed(600)
@given(
    table=tables(),
    separator=st.sampled_from(SEPARATORS),
    suffix=st.sampled_from(SUFFIXES),
    encoding=st.sampled_from(ENCODINGS),
)
def test_tables_have_the_values_that_were_written(
    table: Any, separator: str, suffix: str, encoding: str
) -> None:
    names, columns = table
    try:
        content = text_of(columns, separator).encode(encoding)
    except UnicodeEncodeError:
        return
    data = load(packed(content, suffix), suffix)
    if data is None:
        return
    assert data.y.tolist() == columns["y"]
    for name in names:
        if name not in data.X:  # left out, which a note says
            assert any(name in note for note in data.card.notes), name
            continue
        values = data.X[name].tolist()
        if isinstance(columns[name][0], str):
            assert values == columns[name]
        else:
            np.testing.assert_allclose(np.array(values, float), columns[name], atol=1e-9)


@fuzzed(1000)
@given(
    table=tables(),
    separator=st.sampled_from(SEPARATORS),
    suffix=st.sampled_from(SUFFIXES),
    encoding=st.sampled_from(ENCODINGS),
    inside=st.booleans(),
    data=st.data(),
)
def test_damaged_files_are_read_or_refused(
    table: Any, separator: str, suffix: str, encoding: str, inside: bool, data: st.DataObject
) -> None:
    content = text_of(table[1], separator).encode(encoding, errors="replace")
    if inside:
        content = data.draw(damaged(content))
    content = packed(content, suffix)
    load(content if inside else data.draw(damaged(content)), suffix)


@fuzzed(700)
@given(content=st.binary(max_size=300), suffix=st.sampled_from([*SUFFIXES, ".parquet", ".xlsx"]))
def test_random_bytes_are_read_or_refused(content: bytes, suffix: str) -> None:
    load(content, suffix)
