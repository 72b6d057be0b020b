# ruff: noqa: RUF001
"""Files of users: separators, encodings, headers, compressions, Excel, and limits of size."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xentexp.errors import InputError
from xentexp.experiments.datasets import Dataset, load_dataset

NAMES = ["age", "job", "y"]
ROWS = [["30", "cook", "0"], ["41", "clerk", "1"], ["52", "cook", "0"]]
KOREAN = "나이,직업,y\n30,회사원,0\n41,학생,1\n52,회사원,0\n"


def text(separator: str = ",", rows: list[list[str]] | None = None) -> str:
    return "".join(separator.join(row) + "\n" for row in rows or [NAMES, *ROWS])


def load(folder: Path, name: str, content: str | bytes, **options: Any) -> Dataset:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_dataset("table", **{"path": path, "target": "y", **options})


def values(data: Dataset) -> dict[str, list[Any]]:
    return {**{str(c): data.X[c].tolist() for c in data.X}, "y": data.y.tolist()}


EXPECTED = {"age": [30, 41, 52], "job": ["cook", "clerk", "cook"], "y": [0, 1, 0]}


def zipped(*files: tuple[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


# --- rows and columns


@pytest.mark.parametrize("end", [",", ",,", ",,,"])
def test_separators_at_the_end_of_rows_are_no_columns(tmp_path: Path, end: str) -> None:
    data = load(tmp_path, "t.csv", text().replace("\n", end + "\n"))
    assert values(data) == EXPECTED
    assert ["without name and values" in note for note in data.card.notes] == [True]


def test_an_unnamed_column_with_a_value_is_a_feature(tmp_path: Path) -> None:
    data = load(tmp_path, "t.csv", "age,y,\n30,0,\n41,1,7\n52,0,\n")
    assert list(data.X) == ["age", "Unnamed: 2"]


def test_rows_with_fewer_fields_are_told(tmp_path: Path) -> None:
    data = load(tmp_path, "t.csv", 'y,age,job\n0,30,"a\nb"\n1,41\n0,52,cook\n')
    [note] = data.card.notes
    assert "1 row has fewer fields" in note
    assert "line 4" in note
    full = load(tmp_path, "t.csv", "y,age,job\n0,30,cook\n1,41,\n0,52,cook\n")
    assert full.card.notes == ()


def test_rows_that_were_not_split_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set separator"):
        load(tmp_path, "t.csv", text("^"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_text_with_the_name_of_text_is_binary(tmp_path: Path, pack: Any) -> None:
    with pytest.raises(InputError, match="is binary, not text; rename it"):
        load(tmp_path, "t.csv", pack(text().encode()))


# --- separators


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.data", "t.tab", "t.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found(tmp_path: Path, name: str, separator: str) -> None:
    data = load(tmp_path, name, text(separator))
    assert values(data) == EXPECTED
    usual = "\t" if name in ("t.tab", "t.tsv") else ","
    assert any("separator" in note for note in data.card.notes) == (separator != usual)


def test_whitespace_separates_columns(tmp_path: Path) -> None:
    data = load(tmp_path, "t.data", "age  job   y\n 30 cook  0\n 41 clerk 1\n 52 cook  0\n")
    assert values(data) == EXPECTED
    assert "whitespace" in data.card.notes[0]


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_line_that_names_the_separator_is_no_row(tmp_path: Path, first: str) -> None:
    assert values(load(tmp_path, "t.csv", first + text(";"))) == EXPECTED


def test_quotation_marks_around_whole_lines_are_removed(tmp_path: Path) -> None:
    lines = ['"age;""job"";""y"""', '"30;""cook; chef"";""no"""', '"41;""clerk"";""yes"""']
    data = load(tmp_path, "bank.csv", "\n".join(lines))
    assert values(data) == {"age": [30, 41], "job": ["cook; chef", "clerk"], "y": ["no", "yes"]}
    assert "quotation marks" in data.card.notes[0]


def test_several_possible_separators_are_asked_for(tmp_path: Path) -> None:
    content = "a;b,y\n1;x,0\n2;z,1\n"
    with pytest.raises(InputError, match="may be separated by ',' and ';'; set separator"):
        load(tmp_path, "t.csv", content)
    assert values(load(tmp_path, "t.csv", content, separator=",")) == {
        "a;b": ["1;x", "2;z"],
        "y": [0, 1],
    }
    for separator in ("", "ab", "\n", '"'):
        with pytest.raises(InputError, match="separator must be one character"):
            load(tmp_path, "t.csv", content, separator=separator)


def test_separators_inside_quotation_marks_do_not_count(tmp_path: Path) -> None:
    data = load(tmp_path, "t.csv", 'a,y\n"x;1",0\n"x;2",1\n"x;\n3",1\n')
    assert values(data) == {"a": ["x;1", "x;2", "x;\n3"], "y": [0, 1, 1]}
    assert data.card.notes == ()


def test_carriage_returns_end_lines(tmp_path: Path) -> None:
    assert values(load(tmp_path, "t.csv", text().replace("\n", "\r"))) == EXPECTED


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp949", "euc_kr"])
def test_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    data = load(tmp_path, "t.csv", KOREAN.encode(encoding))
    assert values(data) == {
        "나이": [30, 41, 52],
        "직업": ["회사원", "학생", "회사원"],
        "y": [0, 1, 0],
    }
    assert any("CP949" in note for note in data.card.notes) == (encoding in ("cp949", "euc_kr"))


def test_excel_saves_unicode_text_with_tabs_in_utf_16(tmp_path: Path) -> None:
    data = load(tmp_path, "t.txt", KOREAN.replace(",", "\t").encode("utf-16"))
    assert data.X["나이"].tolist() == [30, 41, 52]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("größe,Straße,y\n1,Ärzte,0\n2,Äpfel,1\n", "latin-1"),
        ("Ärzte,y\n1,0\n2,1\n", "latin-1"),  # valid CP949, but a rare syllable
        ("prix,“été”,y\n€1,à,0\n€2,é,1\n", "cp1252"),
        ("なまえ,y\nきく,0\nさくら,1\n", "shift_jis"),
        ("Имя,y\nда,0\nнет,1\n", "cp1251"),
    ],
)
def test_other_encodings_are_asked_for(tmp_path: Path, content: str, encoding: str) -> None:
    with pytest.raises(InputError, match=r"must be UTF-8 text .*set encoding"):
        load(tmp_path, "t.csv", content.encode(encoding))
    data = load(tmp_path, "t.csv", content.encode(encoding), encoding=encoding)
    assert data.X.columns[0] == content.split(",")[0]


@pytest.mark.parametrize("encoding", ["klingon", "zip", "rot13", "utf-8\0"])
def test_unknown_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="encoding must be the name of a text encoding"):
        load(tmp_path, "t.csv", text(), encoding=encoding)


def test_wrong_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not utf-8 text .*set encoding to another"):
        load(tmp_path, "t.csv", KOREAN.encode("cp949"), encoding="utf-8")


# --- header


@pytest.mark.parametrize(
    "rows",
    [
        [["5.1", "3.5", "a"], ["4.9", "3.0", "b"], ["6.0", "3.1", "a"]],  # as iris.data
        [
            ["39", " State-gov", " <=50K"],
            ["50", " Private", " >50K"],
            ["38", " State-gov", " <=50K"],
        ],
        [["p", "x", "e"], ["e", "x", "p"], ["p", "y", "e"], ["e", "y", "e"], ["p", "x", "p"]],
        [["6", "148", "1"], ["1", "85", "0"]],
        [["?", "30", "a"], ["2", "41", "b"], ["3", "30", "a"]],
    ],
)
def test_first_row_of_data_is_kept(tmp_path: Path, rows: list[list[str]]) -> None:
    data = load(tmp_path, "t.data", text(",", rows), target="x2")
    assert len(data.y) == len(rows)
    assert data.X.columns.tolist() == ["x0", "x1"]
    assert any("header=true" in note for note in data.card.notes)


@pytest.mark.parametrize(
    "names", [["a", "b", "y"], ["a", "2019", "y"], ["index", "0", "y"], ["", "b", "y"]]
)
def test_first_row_of_names_is_found(tmp_path: Path, names: list[str]) -> None:
    data = load(tmp_path, "t.csv", text(",", [names, ["1", "2", "0"], ["3", "4", "1"]]))
    assert data.y.tolist() == [0, 1]
    assert data.card.notes == ()


@pytest.mark.parametrize(
    "rows",
    [
        [["0", "1", "2"], ["7", "8", "0"], ["9", "8", "1"]],
        [["2019", "2020", "2021"], ["7", "8", "0"], ["9", "8", "1"]],
        [["name", "2020", "city"], ["kim", "8", "seoul"], ["lee", "9", "busan"]],
    ],
)
def test_unclear_first_row_is_asked_for(tmp_path: Path, rows: list[list[str]]) -> None:
    with pytest.raises(InputError, match=r"may be data or names .*set header=true .*header=false"):
        load(tmp_path, "t.csv", text(",", rows))
    names = load(tmp_path, "t.csv", text(",", rows), header=True, target=rows[0][2])
    assert len(names.y) == 2
    data = load(tmp_path, "t.csv", text(",", rows), header=False, target="x2")
    assert len(data.y) == 3


def test_header_is_the_number_of_a_line(tmp_path: Path) -> None:
    content = "Loans of 2020\n\n" + text()
    with pytest.raises(InputError, match="set header to the line with the names"):
        load(tmp_path, "t.csv", content)
    assert values(load(tmp_path, "t.csv", content, header=3)) == EXPECTED
    for header in (0, -1, 99):
        with pytest.raises(InputError, match="header must be"):
            load(tmp_path, "t.csv", content, header=header)


def test_unknown_column_of_a_file_without_header_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"unknown column of t.data 'y'; .*header=true.* Known: x0"
    ):
        load(tmp_path, "t.data", "5.1,a\n4.9,b\n6,a\n")


def test_rows_with_more_fields_than_the_header_are_refused(tmp_path: Path) -> None:
    # Unquoted decimal commas; pandas takes the first column for an index.
    for first in ("1", "0"):
        with pytest.raises(InputError, match="must have at most 2 fields, as the header"):
            load(tmp_path, "t.csv", f"m,y\n{first},5,0\n2,7,1\n")
    # A separator at the end of each line is not a field.
    assert values(load(tmp_path, "t.csv", "m,y\n5,0,\n7,1,\n")) == {"m": [5, 7], "y": [0, 1]}


def test_second_row_of_names_is_asked_for(tmp_path: Path) -> None:
    # As in the Excel file of the UCI data set "default of credit card clients".
    content = ",X1,X2,Y\nID,LIMIT_BAL,SEX,y\n1,20000,2,1\n2,120000,2,0\n"
    with pytest.raises(InputError, match=r"second row .* \(ID, LIMIT_BAL, SEX, y\); set header to"):
        load(tmp_path, "t.csv", content)
    data = load(tmp_path, "t.csv", content, header=2)
    assert values(data) == {"ID": [1, 2], "LIMIT_BAL": [20000, 120000], "SEX": [2, 2], "y": [1, 0]}


def test_spaces_around_fields_are_left_out(tmp_path: Path) -> None:
    content = "age , job , y\n30 , cook , 0\n41 , clerk , 1\n52 , cook , 0\n"
    data = load(tmp_path, "t.csv", content)
    assert values(data) == EXPECTED
    assert "spaces" in data.card.notes[0]


def test_repeated_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"repeats its header in 2 rows, first in row 3 \(counted"):
        load(tmp_path, "t.csv", text() + text() + text())


# --- compressions and other formats


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zip", lambda content: zipped(("folder/t.csv", content), ("__MACOSX/._t.csv", "x"))),
    ],
)
def test_compressed_files(tmp_path: Path, suffix: str, pack: Any) -> None:
    packed = pack(text(";").encode())
    assert values(load(tmp_path, f"t.csv{suffix}", packed)) == EXPECTED
    for damaged in (packed[:-15], text().encode()):
        with pytest.raises(InputError, match=r"is not a complete .* file .*download it again"):
            load(tmp_path, f"t.csv{suffix}", damaged)


def test_zip_file_with_several_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exactly one file; got a.csv, b.csv; unpack it"):
        load(tmp_path, "t.zip", zipped(("a.csv", text()), ("b.csv", text())))


def excel(path: Path, **sheets: pd.DataFrame) -> Path:
    pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    with pd.ExcelWriter(path) as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return path


def test_excel_files(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "age": [30, 41, None],
            "day": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
            "rate": ["83.70%", "5%", "-"],
            "zip": ["00123", "04567", "12345"],
            "y": ["n", "j", "n"],
        }
    )
    path = excel(tmp_path / "t.xlsx", data=table, empty=pd.DataFrame())
    X = load_dataset("table", path=path, target="y").X
    assert X["age"].tolist()[:2] == [30, 41]
    assert X["day"].tolist() == [18262, 18263, 18264]  # 50 years with 12 leap days
    assert X["rate"].tolist()[:2] == [83.7, 5.0]
    assert X["zip"].tolist() == ["00123", "04567", "12345"]
    assert X.isna().sum().to_dict() == {"age": 1, "day": 0, "rate": 1, "zip": 0}


def test_sheet_of_an_excel_file_is_asked_for(tmp_path: Path) -> None:
    table = pd.DataFrame(ROWS, columns=NAMES)
    path = excel(tmp_path / "t.xlsx", loans=table, **{"2020": table[::-1]})
    with pytest.raises(InputError, match="2 sheets with data; set sheet to one of 'loans', '2020'"):
        load_dataset("table", path=path, target="y")
    data = load_dataset("table", path=path, target="y", sheet=2020)
    assert data.X["age"].tolist() == [52, 41, 30]
    with pytest.raises(InputError, match=r"unknown sheet of t.xlsx 'loan'; did you mean 'loans'"):
        load_dataset("table", path=path, target="y", sheet="loan")


def test_formulas_without_results_are_refused(tmp_path: Path) -> None:
    # openpyxl writes formulas and does not compute them.
    path = excel(tmp_path / "t.xlsx", loans=pd.DataFrame({"a": ["=1+1", 2], "y": [0, 1]}))
    with pytest.raises(InputError, match=r"t\.xlsx has formulas without results; open and save"):
        load_dataset("table", path=path, target="y")


def test_excel_without_the_extra_names_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"t\.xlsx needs openpyxl .*xentexp\[excel\]"):
        load(tmp_path, "t.xlsx", zipped(("x", "y")))


@pytest.mark.parametrize("content", [text().encode(), b"", b"PK\x03\x04", zipped(("a", "b"))])
def test_damaged_excel_file_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    with pytest.raises(InputError, match=r"^table: t\.xlsx is (not an .xlsx|not a comp|a damaged)"):
        load(tmp_path, "t.xlsx", content)


def test_old_excel_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t.xls is an old Excel file; save it as .xlsx"):
        load(tmp_path, "t.xls", b"\xd0\xcf\x11\xe0")


def test_options_of_another_format_are_refused(tmp_path: Path) -> None:
    pd.DataFrame(ROWS, columns=NAMES).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"separator does not apply to .parquet files"):
        load_dataset("table", path=tmp_path / "t.parquet", target="y", separator=";")
    with pytest.raises(InputError, match=r"sheet does not apply to .csv files"):
        load(tmp_path, "t.csv", text(), sheet="a")


# --- limits


def test_other_than_regular_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path, kind in ((tmp_path / "pipe.csv", "pipe"), (Path("/dev/zero"), "device")):
        with pytest.raises(InputError, match=f"path must be a file; got the {kind} {path}"):
            load_dataset("table", path=path, target="y")


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zip"])
def test_size_is_limited(tmp_path: Path, suffix: str) -> None:
    content = b"a,y\n" + b"0,1\n1,0\n" * 200_000  # 1.6 MB
    pack = {
        "": bytes,
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zip": lambda c: zipped(("t.csv", c)),
    }
    packed = pack[suffix](content)
    with pytest.raises(InputError, match=r"must have at most 1\.5 MB.*set max_megabytes"):
        load(tmp_path, f"t.csv{suffix}", packed, max_megabytes=1.5)
    if suffix == ".gz":
        assert len(load(tmp_path, f"t.csv{suffix}", packed, max_megabytes=1.7).y) == 400_000
    with pytest.raises(InputError, match="max_megabytes must be greater than 0; got 0"):
        load(tmp_path, f"t.csv{suffix}", packed, max_megabytes=0.0)


def test_size_of_parquet_is_that_in_memory(tmp_path: Path) -> None:
    # A constant column takes no space in the file.
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.zeros(200_000), "y": np.arange(200_000) % 2}).to_parquet(path)
    assert path.stat().st_size < 1e6
    with pytest.raises(InputError, match=r"at most 3 MB in memory; got 3 MB|got 3"):
        load_dataset("table", path=path, target="y", max_megabytes=3.0)
    assert len(load_dataset("table", path=path, target="y", max_megabytes=3.3).y) == 200_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,y\n" + b"x" * 11_000_000 + b",1\nb,2\n", "at most 10,000,000 characters; line 2"),
        (b"," * 11_000_000, "at most 10,000,000 characters; line 1"),
        (b"a,y\n1,0\n" + b'"' * 11_000_000, "at most 10,000,000 characters; line 3"),
        (b"," * 200_001 + b"\n1\n", "must have at most 200,000 columns; got 200,002"),
    ],
)
def test_lines_that_are_no_rows_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, "t.csv.gz", gzip.compress(content, 1))


def test_long_cells_are_read(tmp_path: Path) -> None:
    data = load(tmp_path, "t.csv", "a,y\n" + "x" * 300_000 + ",0\nb,1\n")
    assert [len(cell) for cell in data.X["a"]] == [300_000, 1]


def test_test_rows_are_read_as_the_training_rows(tmp_path: Path) -> None:
    # Alone, the test rows have other types: digits only, and no day above 12.
    train = "d;rate;zip;n;y\n31/01/2020;83,5%;00123;1;0\n01/02/2020;5%;A1;2;1\n"
    test = "d;rate;zip;n;y\n02/03/2020;7%;123;03;1\n03/04/2020;8%;00456;4;0\n"
    (tmp_path / "test.csv").write_text(test)
    data = load(tmp_path, "t.csv", train, test=tmp_path / "test.csv")
    assert data.X["d"].tolist() == [18292, 18293]
    assert data.test.X["d"].tolist() == [18323, 18355]  # 2 March and 3 April
    assert data.test.X["rate"].tolist() == [7, 8]
    assert data.test.X["zip"].tolist() == ["123", "00456"]
    assert data.test.X["n"].tolist() == [3, 4]
    assert data.test.y.tolist() == [1, 0]
