# ruff: noqa: RUF001
"""Numbers that are written as text, in columns of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentexp.errors import InputError
from xentexp.experiments.datasets import Dataset, load_dataset
from xentexp.experiments.datasets._numbers import read_numbers


def load(
    folder: Path, columns: dict[str, list[str]], separator: str = ",", **options: Any
) -> Dataset:
    n = len(next(iter(columns.values())))
    path = folder / "t.csv"
    table = pd.DataFrame({**columns, "y": np.arange(n) % 2})
    table.to_csv(path, index=False, sep=separator)
    return load_dataset("table", path=path, target="y", **options)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["83.70%", "5%", "-0.5 %"], [83.7, 5, -0.5]),
        (["1,100", "2,000,000", "900"], [1100, 2_000_000, 900]),
        (["1,100.50", "2", "-3,000"], [1100.5, 2, -3000]),
        (["12,34,567", "1,00,000"], [1_234_567, 100_000]),  # India
        (["1'100.5", "2’000"], [1100.5, 2000]),  # Switzerland
        (["1 100,5", "2 000", "3\u00a0000,25"], [1100.5, 2000, 3000.25]),  # France
        (["1.100,5", "2.000", "3"], [1100.5, 2000, 3]),  # Germany
        (["1,5", "2,25"], [1.5, 2.25]),
        (["0,125", "2,250"], [0.125, 2.25]),  # no group of thousands starts with 0
        (["1.234.567", "2"], [1_234_567, 2]),
        (["$5", "$1,000.50", "-$3"], [5, 1000.5, -3]),
        (["5 €", "1.000,50 €"], [5, 1000.5]),
        (["1,100", "2,000"], [1100, 2000]),
        (["₩1,000", "￦2,000"], [1000, 2000]),
        (["1,000원", "2,500 원"], [1000, 2500]),
        (["£3", "£4.5"], [3, 4.5]),
        (["USD 3", "USD 4"], [3, 4]),
        (["(3.00)", "4", "(1,000)"], [-3, 4, -1000]),
        (["($3)", "$4"], [-3, 4]),
        (["$(1,234.50)", "$ (3)", "$4"], [-1234.5, -3, 4]),
        (["$($3)", "$4"], None),
        (["4.889e+03", "1.000E2"], [4889, 100]),  # a mantissa has no groups of thousands
        (["5-", "6"], [-5, 6]),
        (["−5", "6"], [-5, 6]),
        (["１２３", "４.５"], [123, 4.5]),
        (["1e3", "2,5E-1"], [1000, 0.25]),
        ([".5", "x", "2"], None),
        (["10 years", "2 years"], None),
        (["1-2", "3-4"], None),
        (["5%", "0.5"], None),  # of two scales
        (["$5", "€5"], None),
        (["00123", "01234"], None),
        (["010-1234-5678", "010-2222-3333"], None),
        (["612 345 678", "611 222 333"], None),
        (["192.168.100.200", "192.168.100.201"], None),
        (["12.5.1", "12.5.2"], None),
        (["1,23,4", "1"], None),
        (["--5", "6"], None),
        (["(5", "6"], None),
        (["", "-"], None),
        (["1" * 5000, "1"], None),  # more digits than Python converts
    ],
)
def test_columns_of_text(texts: list[str], expected: list[float] | None) -> None:
    found = read_numbers(pd.Series(texts))
    if expected is None:
        assert found is None or not found.values
    else:
        assert found is not None
        assert expected in [column.tolist() for column in found.values.values()]
        unclear = all(re.fullmatch(r"\D?[1-9],\d{3}\D*", text) for text in texts)
        assert found.ambiguous == unclear


@pytest.mark.parametrize(
    "blank", ["-", "?", "", " ", "N/A", "n.a.", ".", "--", "#DIV/0!", "missing", "결측", "NULL"]
)
def test_blanks_in_a_column_of_numbers_are_missing(tmp_path: Path, blank: str) -> None:
    data = load(
        tmp_path, {"a": ["1,5", blank, "2.5"], "b": ["1", blank, "3"], "c": ["x", "?", "z"]}
    )
    assert data.X["b"].isna().tolist() == [False, True, False]
    assert data.X["b"].tolist()[::2] == [1, 3]
    assert data.X["c"].tolist() == ["x", "?", "z"]  # in a column of text, a value like others


def test_notes_name_columns_and_what_to_type(tmp_path: Path) -> None:
    columns = {"rate": ["83.70%", "5%", "?"], "n": ["1", "2", "3"]}
    data = load(tmp_path, columns)
    (note,) = data.card.notes
    assert "rate (83.70%, '?')" in note
    assert "categorical" in note
    kept = load(tmp_path, columns, categorical=["rate", "n"])
    assert kept.X["rate"].tolist() == ["83.70%", "5%", "?"]
    assert kept.X["n"].tolist() == ["1", "2", "3"]
    assert kept.card.notes == ()


def test_codes_and_phone_numbers_stay_text(tmp_path: Path) -> None:
    columns = {
        "zip": ["00123", "01234", "12345"],
        "gap": ["007", "", "012"],
        "phone": ["+821012345678", "+821012345679", "+821012345670"],
        "n": ["10", "20", "30"],
        "small": ["0", "0.5", "0.25"],
    }
    data = load(tmp_path, columns)
    for name in ("zip", "phone"):
        assert data.X[name].tolist() == columns[name]
    assert data.X["gap"].tolist()[::2] == ["007", "012"]
    assert data.X["n"].tolist() == [10, 20, 30]
    assert data.X["small"].tolist() == [0, 0.5, 0.25]
    assert "zip, gap, phone" in data.card.notes[0]
    X = load(tmp_path, columns, numeric=["zip", "phone"]).X
    assert X["zip"].tolist() == [123, 1234, 12345]
    assert X["phone"].tolist() == [821012345678, 821012345679, 821012345670]


@pytest.mark.parametrize(
    "numbers",
    [
        ["9223372036854775808", "1", "2"],  # 2**63
        ["18446744073709551616", "1", "2"],  # 2**64
        ["230904531563601578675312", "230904531563601578675313", None],
    ],
)
def test_numbers_outside_int64_stay_text(tmp_path: Path, numbers: list[Any]) -> None:
    data = load(tmp_path, {"account": numbers, "x": ["1", "2", "3"]})
    assert data.X["account"].astype(object).where(data.X["account"].notna(), None).tolist() == (
        numbers
    )
    assert any("account" in note for note in data.card.notes)
    read = load(tmp_path, {"account": numbers, "x": ["1", "2", "3"]}, numeric=["account"])
    assert read.X["account"].dtype == "float64"


def test_numbers_with_exponents_are_not_changed_by_decimal_commas(tmp_path: Path) -> None:
    columns = {"rate": ["0,5", "1,25", "3,0"], "size": ["4.889e+03", "1.234e+02", "2.000e+00"]}
    data = load(tmp_path, columns, separator=";")
    assert data.X["rate"].tolist() == [0.5, 1.25, 3]
    assert data.X["size"].tolist() == [4889, 123.4, 2]


def test_codes_with_blanks_stay_text(tmp_path: Path) -> None:
    columns = {"code": ["00202", "00043", "?", "00120"]}
    data = load(tmp_path, columns)
    assert data.X["code"].tolist() == columns["code"]
    assert "code; name columns in numeric" in data.card.notes[0]
    X = load(tmp_path, columns, numeric=["code"]).X
    np.testing.assert_array_equal(X["code"], [202, 43, np.nan, 120])


def test_one_decimal_comma_tells_the_others(tmp_path: Path) -> None:
    columns = {"a": ["1,5", "2,25"], "b": ["1,234", "5,678"], "c": ["1.234", "5.678"]}
    X = load(tmp_path, columns, ";").X
    assert X.to_dict("list") == {"a": [1.5, 2.25], "b": [1.234, 5.678], "c": [1234, 5678]}


def test_unclear_decimal_mark_is_asked_for(tmp_path: Path) -> None:
    columns = {"a": ["1,234", "5,678"]}
    data = load(tmp_path, columns, ";")
    assert data.X["a"].tolist() == columns["a"]
    assert "a (1,234); set decimal=',' or decimal='.'" in data.card.notes[-1]
    assert load(tmp_path, columns, ";", decimal=",").X["a"].tolist() == [1.234, 5.678]
    assert load(tmp_path, columns, ";", decimal=".").X["a"].tolist() == [1234, 5678]
    # Between commas, numbers with commas are in quotation marks, as English programs write them.
    assert load(tmp_path, columns).X["a"].tolist() == [1234, 5678]


@pytest.mark.parametrize(
    ("texts", "example"),
    [
        (["5%", "10", "-"], "a (5% and 10)"),
        (["$5", "€10", "$7"], "a ($5 and €10)"),
        (["1,5", "1.5", "2"], "a (1,5 and 1.5)"),
        ([*map(str, range(30)), "many"], "a ('many')"),
        ([*map(str, range(30)), "<5"], "a ('<5')"),
    ],
)
def test_columns_that_are_nearly_numbers_are_named(
    tmp_path: Path, texts: list[str], example: str
) -> None:
    data = load(tmp_path, {"a": texts})
    assert data.X["a"].tolist() == texts
    (note,) = data.card.notes
    assert example in note
    assert "drop" in note


def test_decimal_must_be_a_mark(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"decimal must be '\.' or ','; got ';'"):
        load(tmp_path, {"a": ["1"]}, decimal=";")


def test_target_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,10%\n2,?\n3,10%\n")
    assert load_dataset("table", path=path, target="y").classes == ("10%", "?")


def test_text_of_digits_in_parquet_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = {"code": ["1", "2", "1"], "rate": ["5%", "6%", None], "y": [0, 1, 0]}
    pd.DataFrame(table).to_parquet(path)
    X = load_dataset("table", path=path, target="y").X
    assert X["code"].tolist() == ["1", "2", "1"]
    assert X["rate"].tolist()[:2] == [5, 6]


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=20))
def test_written_numbers_are_read_back(numbers: list[Any]) -> None:
    expected = [float(number) for number in numbers]
    for form, mark in (("{:,.2f}", "."), ("{:.2f}%", "."), ("${:,.2f}", "."), ("{:+,.2f}", ".")):
        found = read_numbers(pd.Series([form.format(number) for number in numbers]))
        assert found is not None
        np.testing.assert_array_equal(found.values[mark], expected)
    swap = str.maketrans(",.", ".,")
    found = read_numbers(pd.Series([f"{number:,.2f}".translate(swap) for number in numbers]))
    assert found is not None
    np.testing.assert_array_equal(found.values[","], expected)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["3", "clerk", "cook"], "'job', which has 'clerk' in row 1 "),
        (["2020-01-31", "2020-02-01", "2020-02-02"], "'job', which has '2020-01-31' in row 0 "),
        (["", "5", "10 years"], "'job', which has '10 years' in row 2 "),
        (["5%", "3", "4"], "'job' (5% and 3); set decimal"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_text_in_a_numeric_column_is_refused(
    tmp_path: Path, texts: list[str], words: str, kind: str
) -> None:
    path = tmp_path / f"t.{kind}"
    table = pd.DataFrame({"job": texts, "a": [1, 2, 3], "y": [0, 1, 0]})
    _ = table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    with pytest.raises(InputError, match=re.escape(words)):
        load_dataset("table", path=path, target="y", numeric=["job"])


def test_numeric_reads_digits_that_are_text_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": ["10", "9"], "y": [0, 1]}).to_parquet(path)
    X = load_dataset("table", path=path, target="y", numeric=["a"]).X
    assert X["a"].tolist() == [10, 9]


def test_numeric_keeps_numbers_that_look_like_dates(tmp_path: Path) -> None:
    numbers = ["20200131", "20200201"]
    assert load(tmp_path, {"a": numbers}, numeric=["a"]).X["a"].tolist() == [20200131, 20200201]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"numeric": ["y"]}, "numeric must contain features; got 'y', which is the target"),
        ({"categorical": ["y"]}, "categorical must contain features; got 'y', which is the target"),
        ({"numeric": ["a"], "categorical": ["a"]}, "columns of categorical; got 'a' in both"),
    ],
)
def test_numeric_and_categorical_are_different_features(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        load(tmp_path, {"a": ["1", "2"]}, **options)


@pytest.mark.parametrize(
    "texts",
    [
        ["36 months", "60 months"],
        ["10+ years", "< 1 year", "2 years", "n/a"],
        ["48.9K", "950", "1.2M"],
        ["€110.5M", "€900K"],
        ["5 km/h", "7.5 km/h"],
        ["36개월", "60개월"],
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_note_on_numbers_with_a_unit(tmp_path: Path, texts: list[str], kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    table = pd.DataFrame({"a": texts, "y": np.arange(len(texts)) % 2})
    _ = table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    (note,) = load_dataset("table", path=path, target="y").card.notes
    assert f"numbers with a unit: a ({texts[0]}); remove the unit" in note
    assert not load_dataset("table", path=path, target="y", categorical=["a"]).card.notes


@pytest.mark.parametrize(
    "texts",
    [
        ["36 months", "5 years"],
        ["36 months", "60"],
        ["36 months", "soon"],
        ["1st", "2nd", "3rd"],
        ["12ab", "9fe1"],
        ["<5", "6", "10+"],
    ],
)
def test_no_note_on_text_without_a_common_unit(tmp_path: Path, texts: list[str]) -> None:
    data = load(tmp_path, {"a": texts})
    assert data.X["a"].tolist() == texts
    assert not any("with a unit" in note for note in data.card.notes)
