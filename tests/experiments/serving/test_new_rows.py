"""Files in batches: what their texts mean does not depend on the batches."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from xentexp.experiments import Card, make_dataset
from xentexp.experiments._serving.columns import TrainingColumns
from xentexp.experiments._serving.new_rows import NewRows
from xentexp.experiments.datasets._batches import NA_TEXTS, open_batches
from xentexp.experiments.datasets._files import FileOptions, read_table

TRAINING = make_dataset(
    pd.DataFrame(
        {
            "x": [1.5, 2.0, -3.25] * 10,
            "n": [1, 2, 3] * 10,
            "text": ["a", "b", None] * 10,
            "flag": [True, False, True] * 10,
        }
    ),
    [0, 1] * 15,
    Card("t"),
)
COLUMNS = TrainingColumns(TRAINING.dates).fit(TRAINING.X)


def read(path, size, **options):
    file = open_batches(path, "predict", FileOptions(**options))
    batches = [X for X, _ in NewRows(file, COLUMNS, "predict", size=size, **options)]
    # Unseen categories of a batch are after the known ones, so the codes of others are equal.
    parts = [X.astype({"text": object}) for X in batches]
    return pd.concat(parts, ignore_index=True)


def test_missing_texts_are_those_of_pandas():
    assert NA_TEXTS == STR_NA_VALUES


numbers = st.floats(-1e12, 1e12).map(repr) | st.integers(-(10**15), 10**15).map(str)
rows = st.tuples(
    numbers | st.sampled_from(["", "NA", "-", " 7 "]),
    st.integers(-(10**6), 10**6).map(str) | st.sampled_from(["", "1.5"]),
    st.sampled_from(["a", "b", "", "NA", "new", "007", "1.0", "한국"]),
    st.sampled_from(["True", "False", ""]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, min_size=1, max_size=12), st.integers(1, 13))
def test_values_are_those_of_the_whole_file(tmp_path_factory, lines, size):
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    frame = pd.DataFrame(lines, columns=["x", "n", "text", "flag"])
    frame.to_csv(path, index=False)
    found = read(path, size)
    for name, column in frame.items():
        present = ~column.isin([*NA_TEXTS, "-"])
        if name == "text":
            assert found[name].where(found[name].notna(), None).tolist() == [
                text if there else None for text, there in zip(column, present, strict=True)
            ]
            continue
        named = {"True": 1.0, "False": 0.0}
        values = [named[t] if t in named else float(t) for t in column[present]]
        assert found[name].isna().tolist() == (~present).tolist()
        assert found[name][present].tolist() == values


@pytest.mark.parametrize(
    ("texts", "separator", "values"),
    [
        (["1,5", "1.234"], ";", [1.5, 1234.0]),
        (["1.5", "1,234"], ";", [1.5, 1234.0]),
        (["1,234.5", "7"], ",", [1234.5, 7.0]),
        (["1,234", "7"], ",", [1234.0, 7.0]),
        (["1.234", "2.5"], ";", [1.234, 2.5]),
        (["$5", "($1,200.50)", "-"], ",", [5.0, -1200.5, np.nan]),
        (["5%", "12.5%"], ",", [5.0, 12.5]),
        (["007", "010"], ",", [7.0, 10.0]),
        (["1e3", "2"], ",", [1000.0, 2.0]),
    ],
)
def test_numbers_are_read_as_load_table_reads_them(tmp_path, texts, separator, values):
    path = tmp_path / "rows.csv"
    frame = pd.DataFrame({"x": texts, "n": 1, "text": "a", "flag": True})
    frame.to_csv(path, index=False, sep=separator)
    for size in (1, 2, 100):
        assert read(path, size)["x"].tolist() == pytest.approx(values, rel=0, abs=0, nan_ok=True)
    if texts != ["007", "010"]:  # codes, unless the column is known to have numbers
        whole = read_table(path, "t")["x"].tolist()
        assert whole == pytest.approx(values, rel=0, abs=0, nan_ok=True)


def test_ambiguous_marks_are_asked_for(tmp_path):
    path = tmp_path / "rows.csv"
    frame = pd.DataFrame({"x": ["1,234", "5,678"], "n": 1, "text": "a", "flag": True})
    frame.to_csv(path, index=False, sep=";")
    with pytest.raises(ValueError, match=r"may mark decimals or thousands.*'x' \(1,234\)"):
        read(path, 1)
    assert read(path, 1, decimal=",")["x"].tolist() == [1.234, 5.678]
    assert read(path, 1, decimal=".")["x"].tolist() == [1234.0, 5678.0]


def test_integers_of_parquet_beside_missing_values_are_exact(tmp_path):
    path = tmp_path / "rows.parquet"
    codes = pd.array([2**60 + 1, None, 7], dtype="Int64")
    frame = pd.DataFrame({"x": 1.0, "n": [1, 2, 3], "text": codes, "flag": True})
    frame.to_parquet(path)
    for size in (1, 3):
        texts = read(path, size)["text"]
        assert texts.where(texts.notna(), None).tolist() == [str(2**60 + 1), None, "7"]
