"""`load_table` with rare classes, and with row numbers that order the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xentexp.errors import InputError
from xentexp.experiments import CrossValidation
from xentexp.experiments.datasets import load_table


@pytest.fixture
def grades(tmp_path: Path) -> Path:
    """200 rows: classes a, b (100, 90 rows), c, d (4 rows each), e, f (one row each)."""
    y = np.repeat(list("abcdef"), [100, 90, 4, 4, 1, 1])
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "person": np.arange(200) // 2, "y": y})
    path = tmp_path / "grades.csv"
    frame.sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


def test_rare_classes_are_left_out(grades: Path) -> None:
    data = load_table(grades, "y", group="person", rare="drop")
    frame = pd.read_csv(grades)
    stay = frame[frame["y"].isin(["a", "b"])]
    assert data.classes == ("a", "b")
    assert data.X["x"].tolist() == stay["x"].tolist()
    assert data.y.tolist() == stay["y"].tolist()
    assert data.groups is not None
    assert data.groups.tolist() == pd.factorize(stay["person"])[0].tolist()
    assert data.card.notes == (
        "left out 10 rows of 4 classes with fewer than 5 rows: c (4), d (4), e (1), f (1)",
    )
    assert len(CrossValidation().folds(data)) == 5


def test_rare_classes_are_joined(grades: Path) -> None:
    frame = pd.read_csv(grades)
    joined = load_table(grades, "y", rare="join")
    assert joined.classes == ("a", "b", "other")
    assert joined.y.tolist() == frame["y"].replace(list("cdef"), "other").tolist()
    assert joined.card.notes == (
        "joined 4 classes with fewer than 5 rows: c (4), d (4), e (1), f (1), into the class "
        "'other'",
    )


def test_test_rows_of_rare_classes_are_treated_as_the_training_rows(grades: Path) -> None:
    test = grades.with_name("test.csv")
    rows = pd.DataFrame({"y": list("fabbc"), "person": 0, "x": np.arange(5) / 4})
    rows.to_csv(test, index=False)
    dropped, joined = (
        load_table(grades, "y", group="person", rare=rare, test=test) for rare in ("drop", "join")
    )
    assert dropped.test is not None
    assert joined.test is not None
    assert dropped.test.y.tolist() == ["a", "b", "b"]
    assert dropped.test.X["x"].tolist() == [0.25, 0.5, 0.75]
    assert dropped.card.notes[1:] == ("left out 2 of 5 test rows, whose classes are rare",)
    assert joined.test.y.tolist() == ["other", "a", "b", "b", "other"]
    assert joined.test.X["x"].tolist() == rows["x"].tolist()
    assert len(joined.card.notes) == 1
    rows[rows["y"] > "b"].to_csv(test, index=False)
    with pytest.raises(InputError, match="at least one test row; the classes of all 2 are rare"):
        load_table(grades, "y", group="person", rare="drop", test=test)


def test_errors_name_the_row_of_the_file_if_rare_classes_are_left_out(tmp_path: Path) -> None:
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    table = pd.DataFrame({"x": np.arange(22) % 5, "y": list("c") * 2 + list("ab") * 10, "w": 1.0})
    table.to_parquet(train)
    rows = pd.DataFrame({"x": [1, 2, 3], "y": ["c", "a", "z"], "w": 1.0})
    rows.to_parquet(test)
    with pytest.raises(InputError, match=r"\(test\): labels .* got 'z' in row 2 \("):
        load_table(train, "y", rare="drop", weight="w", test=test)
    table["w"] = np.repeat([1.0, -1.0], [2, 20])
    table.set_axis(range(50, 72)).to_parquet(train)  # an index without a name does not count
    with pytest.raises(InputError, match=r"weights .* got -1.0 in row 2 \("):
        load_table(train, "y", rare="drop", weight="w", test=test)
    table.assign(w=1.0, y=table["y"].where(table.index != 5)).to_parquet(train)
    with pytest.raises(InputError, match=r"missing values; got 1 .* the first in row 5 \("):
        load_table(train, "y", rare="drop")


def test_categories_without_rows_are_not_rare_classes(grades: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(grades)
    frame = frame[frame["y"] < "c"].astype({"y": pd.CategoricalDtype(list("abz"))})
    frame.to_parquet(tmp_path / "t.parquet")
    for rare in ("drop", "join"):
        data = load_table(tmp_path / "t.parquet", "y", rare=rare)
        assert data.classes == ("a", "b")
        assert data.card.notes == ()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1] * 9 + [2] * 8 + [3, 3, 3, 4, 4], ("1", "2", "other")),
        ([1.0] * 9 + [2.0] * 8 + [3.0, 3, 3, 4, 4], ("1", "2", "other")),
        (["other"] * 9 + ["a"] * 8 + list("bbbcc"), ("a", "other", "other classes")),
    ],
    ids=["integers", "whole floats", "a class named other"],
)
def test_labels_of_joined_classes_are_text(labels, classes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": np.arange(22) % 5, "y": labels}).to_parquet(path)
    assert load_table(path, "y", rare="join").classes == classes


def test_without_rare_classes_nothing_changes(grades: Path) -> None:
    frame = pd.read_csv(grades)
    frame[frame["y"] < "c"].to_csv(grades, index=False)
    plain = load_table(grades, "y")
    for rare in ("drop", "join"):
        data = load_table(grades, "y", rare=rare)
        assert data.digest == plain.digest
        assert data.card.notes == ()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rare": "merge"}, "rare must be 'drop', 'join' or None; got 'merge'"),
        ({"rare_below": 3}, "rare_below is only used with rare; set rare to 'drop' or 'join'"),
        ({"rare": "drop", "rare_below": 1}, "rare_below must be an integer >= 2; got 1"),
        (
            {"rare": "drop", "rare_below": 95},
            "at least two classes; 1 of 6 classes has at least 95",
        ),
        (
            {"rare": "join", "rare_below": 3},
            "at least 3 rows in total; got only 2 .* set rare to d",
        ),
        ({"rare": "join", "ordered": True}, "rare must be 'drop' or None for ordered classes"),
    ],
)
def test_rare_classes_that_cannot_be_treated_so(grades: Path, parameters, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_table(grades, "y", **parameters)


# -- row numbers --------------------------------------------------------------------------------


@pytest.fixture
def sorted_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "sorted.csv"
    frame = pd.DataFrame({"id": np.arange(100), "x": rng.normal(size=100).round(3)})
    frame.assign(y=np.repeat(["no", "yes"], 50)).to_csv(path, index=False)
    return path


def test_a_row_number_that_orders_the_target_is_left_out_with_a_note(sorted_file: Path) -> None:
    data = load_table(sorted_file, "y")
    assert list(data.X) == ["x"]
    assert data.digest == load_table(sorted_file, "y", drop=["id"]).digest
    [note] = data.card.notes
    assert note.startswith("left out a column: the row number 'id' orders the target: sorted by it")
    assert (
        "2 runs of equal labels; in random order, 51 runs are expected" in note
    )  # 1 + 2 50 50 / 100
    assert note.endswith("to use it, set dataset.keep=[id]")
    assert data.findings == ()


def test_a_row_number_that_is_kept_by_name_stays(sorted_file: Path) -> None:
    data = load_table(sorted_file, "y", keep=["id"])
    assert list(data.X) == ["id", "x"]
    assert data.card.notes == ()
    assert [finding.name for finding in data.findings] == ["row_order"]


def test_a_row_number_that_is_the_only_feature_stays(sorted_file: Path) -> None:
    assert list(load_table(sorted_file, "y", drop=["x"]).X) == ["id"]


def test_a_row_number_of_a_file_in_random_order_stays(sorted_file: Path) -> None:
    frame = pd.read_csv(sorted_file)
    frame["y"] = frame["y"].sample(frac=1, random_state=0).to_numpy()
    frame.to_csv(sorted_file, index=False)
    data = load_table(sorted_file, "y")
    assert list(data.X) == ["id", "x"]
    assert [finding.name for finding in data.findings] == ["identifiers"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"keep": ["idd"]}, "unknown column of sorted.csv 'idd'; did you mean 'id'"),
        ({"keep": ["id"], "drop": ["id"]}, "keep must contain features; got 'id'"),
        ({"keep": ["y"]}, "keep must contain features; got 'y'"),
        ({"keep": ["id"], "group": "id"}, "keep must contain features; got 'id'"),
    ],
)
def test_columns_to_keep_must_be_features(sorted_file: Path, parameters, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_table(sorted_file, "y", **parameters)
