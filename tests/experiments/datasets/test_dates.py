"""Dates and times become numbers of days."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xentexp.experiments import Card, CrossValidation, make_dataset
from xentexp.experiments.datasets import Dataset, load_dataset

# 2020-01-31 is day 18292: date -d 2020-01-31 +%s, divided by 86400.
DAY = 18292


def load(folder: Path, texts: list[str], **options: Any) -> Dataset:
    path = folder / "t.csv"
    table = pd.DataFrame({"d": texts, "y": np.arange(len(texts)) % 2})
    table.to_csv(path, index=False)
    return load_dataset("table", path=path, target="y", **options)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-31", "2020-02-01"], [DAY, DAY + 1]),
        (["2020/1/31", "2020/2/1"], [DAY, DAY + 1]),
        (["2020.01.31", "2020.02.01."], [DAY, DAY + 1]),
        (["2020. 1. 31", "2020. 2. 1."], [DAY, DAY + 1]),
        (["2020년 1월 31일", "2020년 02월 01일"], [DAY, DAY + 1]),
        (["20200131", "20200201"], [DAY, DAY + 1]),
        (["202001311200", "202002010000"], [DAY + 0.5, DAY + 1]),
        (["31/01/2020", "1/2/2020"], [DAY, DAY + 1]),
        (["1/31/2020", "2/1/2020"], [DAY, DAY + 1]),
        (["31.01.2020", "01.02.2020"], [DAY, DAY + 1]),
        (["31-01-2020", "01-02-2020"], [DAY, DAY + 1]),
        (["31-Jan-2020", "01-Feb-2020"], [DAY, DAY + 1]),
        (["31 January 2020", "1 February 2020"], [DAY, DAY + 1]),
        (["Jan 31, 2020", "February 1, 2020"], [DAY, DAY + 1]),
        (["Jan-2020", "Feb-2020"], [DAY - 30, DAY + 1]),
        (["2020-01", "2020-02"], [DAY - 30, DAY + 1]),
        (["2020-01-31T12:00", "2020-02-01 06:00:00"], [DAY + 0.5, DAY + 1.25]),
        (["2020-01-31 00:00:43.2", "2020-02-01"], [DAY + 0.0005, DAY + 1]),
        (["1/31/2020 12:00 AM", "2/1/2020 6:00 PM"], [DAY, DAY + 1.75]),
        (["2020-01-31 오전 6:00", "2020-02-01 오후 12:00"], [DAY + 0.25, DAY + 1.5]),
        (["2020-01-31T12:00:00Z", "2020-02-01T09:00:00+09:00"], [DAY + 0.5, DAY + 1]),
        (["31-Jan-20", "01-Feb-20"], [DAY, DAY + 1]),
        (["31JAN2020", "1feb2020"], [DAY, DAY + 1]),
        (["31JAN20", "01FEB20"], [DAY, DAY + 1]),
        (["31/Jan/2020", "01.Feb.2020"], [DAY, DAY + 1]),
        (["2020-Jan-31", "2020 Feb 1"], [DAY, DAY + 1]),
        (["January 31st, 2020", "Feb 1st 2020"], [DAY, DAY + 1]),
        (["Jan 31, 20", "Feb 1, 20"], [DAY, DAY + 1]),
        (["31JAN2020 12:00", "01Feb20 06:00"], [DAY + 0.5, DAY + 1.25]),
        (["Dec-2011", "Jan 2012"], [15309, 15340]),  # date -d 2011-12-01 +%s, divided by 86400
        (["Dec-11", "JAN12"], [15309, 15340]),
        (["Dec '11", "Jan/12"], [15309, 15340]),
        (["Jan-70", "Jan-69", "Jan-68"], [0, -365, 35794]),  # 1970, 1969, 2068
        (["12/2011", "1/2012"], [15309, 15340]),
        (["12-2011", "01-2012"], [15309, 15340]),
        (["2020-01-31", "?"], [DAY, np.nan]),
        (["2020-01-31", "0000-00-00"], [DAY, np.nan]),
        (["1969-12-31", "9999-12-31"], [-1, 2932896]),
    ],
)
def test_dates_in_text_become_days(tmp_path: Path, texts: list[str], expected: Any) -> None:
    data = load(tmp_path, texts)
    np.testing.assert_allclose(data.X["d"], expected, rtol=0, atol=1e-9)
    assert any("days since 1970-01-01" in n and " d;" in n and "drop" in n for n in data.card.notes)


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-01-31", "2020-02-30"],
        ["2020-01-31", "soon"],
        ["31/01/2020", "01/31/2020"],
        ["2020-01-31T12:00:00Z", "2020-02-01T12:00:00"],  # one with and one without a zone
        ["31/12/20", "01/01/21"],
        ["Jan 20 12:30", "Jan 21 12:30"],
        ["Jan 20", "Jan 21"],
        ["11-Dec", "12-Jan"],
        ["Dec-11", "item-12"],
        ["Dec-11", "n.n."],
        ["item-11", "item-12"],
        ["31-Jan-20", "30-Feb-20"],
        ["10:30", "2020-01-31"],
        ["10:30", "10:60"],
        ["13/2020", "14/2020"],
        ["2020-13", "2020-14"],
        ["Foo-2020", "Bar-2020"],
    ],
)
def test_other_text_stays_text(tmp_path: Path, texts: list[str]) -> None:
    assert load(tmp_path, texts).X["d"].tolist() == texts


@pytest.mark.parametrize("numbers", [[20200131, 20201301], [20200131], [2020, 2021], [20200131, 1]])
def test_other_numbers_stay_numbers(tmp_path: Path, numbers: list[int]) -> None:
    rows = [str(number) for number in numbers] * 2
    assert load(tmp_path, rows).X["d"].tolist() == numbers * 2


def test_order_of_day_and_month_is_asked_for(tmp_path: Path) -> None:
    texts = ["1/2/2020", "3/4/2020"]
    data = load(tmp_path, texts)
    assert data.X["d"].tolist() == texts
    assert "d (1/2/2020); set dayfirst=true or dayfirst=false" in data.card.notes[0]
    assert load(tmp_path, texts, dayfirst=True).X["d"].tolist() == [DAY + 1, DAY + 63]
    assert load(tmp_path, texts, dayfirst=False).X["d"].tolist() == [DAY - 29, DAY + 33]
    # dayfirst is only for dates that do not tell.
    assert load(tmp_path, ["1/31/2020", "2/1/2020"], dayfirst=True).X["d"].tolist() == [
        DAY,
        DAY + 1,
    ]


def test_categorical_keeps_dates_as_categories(tmp_path: Path) -> None:
    texts = ["2020-01-31", "2020-02-01"]
    assert load(tmp_path, texts, categorical=["d"]).X["d"].tolist() == texts


HOURS = pd.to_datetime(["2020-01-31 12:00", "2020-02-01 00:00", None])
NATIVE: dict[str, tuple[Any, list[float]]] = {
    "datetime64[ns]": (HOURS.as_unit("ns"), [DAY + 0.5, DAY + 1, np.nan]),
    "datetime64[s]": (HOURS.as_unit("s"), [DAY + 0.5, DAY + 1, np.nan]),
    "zone": (HOURS.tz_localize("Asia/Seoul"), [DAY + 0.125, DAY + 0.625, np.nan]),
    "datetimes": (
        pd.Series([dt.datetime(2020, 1, 31, 12), dt.datetime(2020, 2, 1), None], dtype=object),
        [DAY + 0.5, DAY + 1, np.nan],
    ),
    "dates": (
        pd.Series([dt.date(2020, 1, 31), None, dt.date(9999, 12, 31)], dtype=object),
        [DAY, np.nan, 2932896],
    ),
    "period": (pd.PeriodIndex(["2020-01", "2020-02", None], freq="M"), [DAY - 30, DAY + 1, np.nan]),
    "timedelta": (pd.to_timedelta(["12h", "3D", None]), [0.5, 3, np.nan]),
    "times": (pd.Series([dt.time(6), dt.time(18), None], dtype=object), [0.25, 0.75, np.nan]),
    "arrow date": (
        pd.array([dt.date(2020, 1, 31), None, dt.date(2020, 2, 1)], dtype="date32[pyarrow]"),
        [DAY, np.nan, DAY + 1],
    ),
    "arrow timestamp": (
        pd.array(
            [dt.datetime(2020, 1, 31, 12), None, dt.datetime(2020, 2, 1)],
            dtype=pd.ArrowDtype(pa.timestamp("us", "UTC")),
        ),
        [DAY + 0.5, np.nan, DAY + 1],
    ),
    "whole": (pd.date_range("2020-01-31", periods=3), [DAY, DAY + 1, DAY + 2]),
}


@pytest.mark.parametrize("name", NATIVE)
def test_columns_of_dates_become_days(name: str, tmp_path: Path) -> None:
    column, expected = NATIVE[name]
    X = pd.DataFrame({"d": column, "a": [1, 2, 3]})
    data = make_dataset(X, [0, 1, 0], Card("mine", notes=("first",)))
    np.testing.assert_allclose(data.X["d"], expected, rtol=0, atol=1e-9)
    assert data.X["d"].dtype == ("int64" if name == "whole" else "float64")
    assert data.card.notes[0] == "first"
    assert ": d;" in data.card.notes[1]
    if name in ("period", "timedelta"):  # pandas writes them to Parquet in its own way
        return
    X.assign(y=[0, 1, 0]).to_parquet(tmp_path / "t.parquet")
    table = load_dataset("table", path=tmp_path / "t.parquet", target="y")
    pd.testing.assert_frame_equal(table.X, data.X)
    assert ": d;" in table.card.notes[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_folds_are_ordered_by_a_column_of_dates(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2019-12-01") + pd.to_timedelta(rng.permutation(90), unit="D")
    table = pd.DataFrame({"opened": days, "a": rng.random(90), "y": rng.integers(0, 2, 90)})
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        # As text, 31/12/2019 would come after 01/01/2020.
        table.assign(opened=days.strftime("%d/%m/%Y")).to_csv(path, index=False)
    else:
        table.to_parquet(path)
    data = load_dataset("table", path=path, target="y")
    folds = CrossValidation("time_ordered", n_splits=3, time_column="opened").folds(data)
    assert len(folds) == 3
    for fold in folds:
        assert days[fold.train].max() < days[fold.test].min()
    assert sum(len(fold.test) for fold in folds) == 66  # 90 // 4 rows in each of three folds


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["13:45", "06:00"], [0.572916666666667, 0.25]),  # 825 of 1440 minutes
        (["13:45:10", "0:00:00"], [0.573032407407407, 0]),  # 49510 of 86400 seconds
        (["1:45 PM", "12:00 am"], [0.572916666666667, 0]),
        (["13:45", "?"], [0.572916666666667, np.nan]),
    ],
)
def test_times_of_day_in_text_become_fractions(
    tmp_path: Path, texts: list[str], expected: list[float]
) -> None:
    data = load(tmp_path, texts)
    np.testing.assert_allclose(data.X["d"], expected, rtol=0, atol=1e-12)
    assert data.card.notes[0].startswith("times of day became a fraction of a day: d;")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["31/12/20", "01/01/21"], "may be the year or the day: d (31/12/20); write the years"),
        (["5 May", "6 May"], "may be the year or the day: d (5 May); write the years"),
        (["11-Dec", "12-Jan"], "may be the year or the day: d (11-Dec); write the years"),
        (["Jan 20 12:30", "Feb 2 0:30"], "may be the year or the day: d (Jan 20 12:30); write"),
        (["13:45", "25:30"], "are not between 0:00 and 23:59: d (13:45); write durations"),
        (["125:30:00", "5:30:00"], "are not between 0:00 and 23:59: d (125:30:00); write"),
    ],
)
def test_note_on_dates_that_stay_text(tmp_path: Path, texts: list[str], words: str) -> None:
    data = load(tmp_path, texts)
    assert data.X["d"].tolist() == texts
    (note,) = data.card.notes
    assert words in note


def test_note_on_years_of_two_digits(tmp_path: Path) -> None:
    notes = load(tmp_path, ["Dec-11", "Jan-12"]).card.notes
    assert "1969 to 2068: d (Dec-11); name columns in categorical" in notes[1]
    assert not any("1969" in note for note in load(tmp_path, ["Dec-2011", "Jan-2012"]).card.notes)


def test_native_and_text_dates_share_one_note(tmp_path: Path) -> None:
    days = ["2020-01-31", "2020-02-01"]
    table = pd.DataFrame({"a": days, "b": pd.to_datetime(days), "y": [0, 1]})
    table.to_parquet(tmp_path / "t.parquet")
    data = load_dataset("table", path=tmp_path / "t.parquet", target="y")
    assert data.X["a"].tolist() == data.X["b"].tolist() == [DAY, DAY + 1]
    (note,) = [note for note in data.card.notes if "dates became" in note]
    assert "(UTC): a, b;" in note
    assert sorted(data.dates) == ["a", "b"]
