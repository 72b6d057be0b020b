"""Data sets: cards, loaders, checks of tables, and digests."""

from __future__ import annotations

import dataclasses
import gzip
import inspect
import json
import os
import socket
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import log_loss

from xentexp.errors import InputError
from xentexp.experiments import datasets
from xentexp.experiments.datasets import (
    DATASETS,
    Card,
    Entry,
    TestSet,
    content_digest,
    dataset_cards,
    delinquency_proba,
    load_dataset,
    make_dataset,
    simulated_delinquency,
)

ROOT = Path(__file__).parents[3]
CARD = Card("mine", "Mine", "here", "none", "y", ("trap",), None)
UCI_DIGEST = "a5be6f0b0e24503b8f353ec7cf81f134"


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns or {"a": [1, 2, 3, 4], "b": list("xyxy")})


def made(X: pd.DataFrame | None = None, y: object = (0, 1, 0, 1), **more: object):
    X = frame() if X is None else X
    return make_dataset(X, y if isinstance(y, pd.Series) else pd.Series(y, name="y"), CARD, **more)


# --- the table of data sets


def test_public_names_exist() -> None:
    assert all(hasattr(datasets, name) for name in datasets.__all__)


def test_cards_are_listed_without_loading() -> None:
    assert [card.name for card in dataset_cards()] == list(DATASETS)
    for card in dataset_cards():
        assert card.title
        assert card.source
        assert card.licence
        assert card.target
        assert card.traps


def test_import_is_light() -> None:
    code = (
        "import sys, xentexp.experiments.datasets; print(*{m.split('.')[0] for m in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"sklearn", "mlflow", "hydra", "empulse"} & set(run.stdout.split())


def test_unknown_data_set_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown data set 'uci_defalt'; did you mean 'uci_defaul"):
        load_dataset("uci_defalt")


def test_unknown_parameter_names_the_nearest() -> None:
    message = "'simulated_delinquency' 'n_sample'; did you mean 'n_samples'"
    with pytest.raises(InputError, match=message):
        load_dataset("simulated_delinquency", n_sample=1000)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        (
            "simulated_delinquency",
            {"n_samples": "abc"},
            "n_samples must be an integer; got 'abc'",
        ),
        (
            "simulated_delinquency",
            {"n_samples": 1000.0},
            "n_samples must be an integer; got 1000.0",
        ),
        (
            "simulated_delinquency",
            {"n_samples": True},
            "n_samples must be an integer; got True",
        ),
        (
            "simulated_delinquency",
            {"n_samples": -5},
            "n_samples must be from 100 to 10000000; got -5",
        ),
        ("simulated_delinquency", {"seed": -1}, "seed must be at least 0; got -1"),
        ("simulated_delinquency", {"seed": None}, "seed must be an integer; got None"),
        ("simulated_delinquency", {"repeats": 0.5}, "repeats must be at least 1; got 0.5"),
        (
            "simulated_delinquency",
            {"repeats": float("nan")},
            "repeats must be a finite number; got nan",
        ),
        ("simulated_delinquency", {"missing": 1}, "missing must be at least 0 and below 1; got 1"),
        ("uci_default", {"categorical": "yes"}, "categorical must be True or False; got 'yes'"),
        ("dacon", {"path": 3}, "path must be text or a path; got 3"),
        ("table", {"drop": "a"}, "drop must be a list of text values; got 'a'"),
        ("table", {"drop": [1]}, r"drop must be a list of text values; got \[1\]"),
        ("openml", {"id": "31"}, "id must be an integer; got '31'"),
    ],
)
def test_parameters_of_a_wrong_type_or_range(name, parameters, message) -> None:
    with pytest.raises(InputError, match=f"^{name}: {message}"):
        load_dataset(name, **parameters)


@pytest.mark.parametrize("name", DATASETS)
def test_configuration_has_the_loaders_parameters_and_defaults(name: str) -> None:
    text = (ROOT / "conf" / "dataset" / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    written = yaml.safe_load(text)
    parameters = inspect.signature(DATASETS[name].load).parameters
    expected = {"name": name, "cost": None, **{key: p.default for key, p in parameters.items()}}
    expected.pop("amount", None)  # a key of cost
    if "seed" in expected:
        expected["seed"] = "${seed}"
    assert written == expected


def test_every_configuration_is_of_a_data_set() -> None:
    assert {path.stem for path in (ROOT / "conf" / "dataset").glob("*.yaml")} == set(DATASETS)


# --- normal form and checks


def test_dtypes_distinguish_numbers_from_categories() -> None:
    X = frame(
        text=["b", None, "a", "b"],
        flag=[True, False, True, True],
        maybe=pd.array([True, None, False, True], dtype="boolean"),
        small=np.array([1, 2, 3, 4], dtype="uint8"),
        count=pd.array([1, None, 3, 4], dtype="Int64"),
        single=np.array([0.5, np.nan, 1, 2], dtype="float32"),
        coded=pd.Categorical([10, 2, 10, 2], categories=[10, 2, 7]),
        objects=pd.Series([1, 2.5, None, 3], dtype=object),
        nothing=pd.Series([None] * 4, dtype=object),
    )
    X.index = pd.Index([7, 7, 3, 1])
    data = made(X, pd.Series([0, 1, 0, 1], index=X.index))
    assert data.y.index.equals(pd.RangeIndex(4))
    X = data.X
    assert {str(k): str(v) for k, v in X.dtypes.items()} == {
        "text": "category",
        "flag": "int8",
        "maybe": "float64",
        "small": "int64",
        "count": "float64",
        "single": "float64",
        "coded": "category",
        "objects": "float64",
        "nothing": "float64",
    }
    assert X["text"].cat.categories.tolist() == ["a", "b"]
    assert X["coded"].cat.categories.tolist() == [2, 10]
    assert X.isna().sum().to_dict() == {
        "text": 1,
        "flag": 0,
        "maybe": 1,
        "small": 0,
        "count": 1,
        "single": 1,
        "coded": 0,
        "objects": 1,
        "nothing": 4,
    }
    assert X.index.equals(pd.RangeIndex(4))


def test_order_of_ordered_categories_is_kept() -> None:
    sizes = pd.Categorical(["s", "l", "m", "s"], categories=["s", "m", "l"], ordered=True)
    assert made(frame(size=sizes)).X["size"].cat.categories.tolist() == ["s", "m", "l"]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([2.0, 0.0, 1.0, 2.0], (0, 1, 2)),
        ([True, False, True, True], (0, 1)),
        (["good", "bad", "good", "bad"], ("bad", "good")),
        (pd.Series(["1", "0", "1", "0"], dtype="category"), ("0", "1")),
        (pd.Series([3, 1, 3, 1], dtype="category"), (1, 3)),
        (pd.Series([1, 0, 1, 0], dtype="Int8"), (0, 1)),
    ],
)
def test_classes_are_sorted_plain_values(y, classes) -> None:
    data = made(y=y)
    assert data.classes == classes
    assert [type(c) for c in data.classes] == [type(c) for c in classes]
    assert data.y.dtype == {int: "int64", str: object}[type(classes[0])]
    assert data.class_shares() == {c: (data.y == c).mean() for c in classes}


def test_dataset_describes_itself_in_json() -> None:
    data = made(frame(a=[1, None, 3, 4], b=list("xyxy")), groups=pd.Series([0, 0, 1, 1]))
    described = json.loads(json.dumps(data.describe()))
    assert described == {
        "name": "mine",
        "title": "Mine",
        "source": "here",
        "licence": "none",
        "target": "y",
        "traps": ["trap"],
        "notes": [],
        "reference": None,
        "rows": 4,
        "columns": 2,
        "classes": [0, 1],
        "class_shares": {"0": 0.5, "1": 0.5},
        "missing": {"a": 1},
        "groups": 2,
        "duplicates": {"rows": 0, "rows_with_label": 0, "conflicting": 0},
        "constant": [],
        "id_like": [],
        "findings": [],
        "entities": {
            "source": "given",
            "number": 2,
            "repeated_rows": 4,
            "largest": 2,
            "columns": [],
            "varying": [],
            "by_chance": 0.0,
            "how": "groups of the data set",
        },
        "test_rows": None,
        "ordered": False,
        "digest": data.digest,
    }


def test_test_rows_share_category_codes_and_dtypes_with_the_training_rows() -> None:
    test = TestSet(
        frame(b=["z", "y", None], a=[1.0, 2.0, 3.0]), pd.Series([9, 8, 7]), "id", ("0", "1")
    )
    data = made(test=test)
    assert data.test.X.columns.tolist() == ["a", "b"]
    assert data.test.X["a"].dtype == data.X["a"].dtype
    assert data.X["b"].cat.categories.tolist() == ["x", "y"]
    assert data.test.X["b"].cat.codes.tolist() == [2, 1, -1]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (frame(), [0, 1], "X, y must have the same length; got X 4, y 2"),
        (frame()[[]], [0, 1, 0, 1], "X must have at least one column"),
        (frame()[:0], [], "X must have at least one row per class"),
        (frame(), [1, 1, 1, 1], "at least two classes; got only 1"),
        (frame(), [0, 1, None, None], r"got 2 in 4 rows, the first in row 2 \(counted"),
        (
            frame(a=[1.0, np.inf, 2, -np.inf]),
            [0, 1, 0, 1],
            "column 'a' .* it has 2 infinite values",
        ),
        (frame(a=[1j, 2, 3, 4]), [0, 1, 0, 1], "column 'a' .* text or dates; got complex128"),
        (frame(a=[1, "x", 2, "y"]), [0, 1, 0, 1], "column 'a' .* got mixed-integer"),
        (frame(a=[[1], [2], [3], [4]]), [0, 1, 0, 1], "column 'a' .* got mixed;"),
        (frame(), [0, "x", 1, "y"], "target must be integers or text; got mixed-integer"),
        (frame(), [0.0, np.inf, 1.0, 0.0], "target must be finite"),
        (
            frame(a=range(60)),
            np.linspace(0, 1, 60),
            "60 distinct values .* looks like a regression target",
        ),
    ],
)
def test_invalid_features_and_targets_are_rejected(X, y, message) -> None:
    with pytest.raises(InputError, match=f"^mine: .*{message}"):
        made(X, pd.Series(y, name="y"))


def test_duplicate_column_names_are_named() -> None:
    X = frame()
    X.columns = ["a", "a"]
    with pytest.raises(InputError, match="mine: column names must be unique; duplicates: 'a'"):
        made(X)


# --- digest


def test_digest_is_pinned() -> None:
    # The value was the same under pandas 2.2 and 3.1 and in several processes.
    assert load_dataset("uci_default").digest == UCI_DIGEST


def test_digest_depends_on_content_only() -> None:
    X = frame(a=[1, 2, 3, 4], b=list("xyxy"), c=[0.0, np.nan, 1, 2])
    y = pd.Series([0, 1, 0, 1], name="y")
    digest = content_digest(X, y)
    assert len(digest) == 32
    assert int(digest, 16)
    same = X.astype({"a": "int8", "b": "category"}).set_axis([5, 6, 7, 8])
    same["b"] = same["b"].cat.set_categories(["q", "y", "x"])
    same["c"] = [-0.0, -np.nan, 1, 2]
    assert content_digest(same, y) == digest


def test_digest_depends_on_every_cell_name_and_order() -> None:
    X = frame(a=[1, 2, 3, 4], b=["x", "y", None, "y"], c=[0.0, np.nan, 1, 2])
    y = pd.Series([0, 1, 0, 1], name="y")
    variants = [(X, y), (X, 1 - y), (X, y.rename("z")), (X, y.map({0: "0", 1: "1"}))]
    for row in range(4):
        for column in X:
            changed = X.copy()
            changed[column] = changed[column].astype(object)
            changed.loc[row, column] = "new" if column == "b" else 17
            restored = changed.astype({"a": "int64", "c": "float64"})
            variants.append((restored, y))
    order = [1, 0, 2, 3]
    variants += [
        (X.iloc[order], y),
        (X.iloc[order], y.iloc[order]),
        (X.rename(columns={"a": "A"}), y),
        (X[["b", "a", "c"]], y),
        (X.fillna({"b": "nan"}), y),
        (X.fillna({"b": "x"}), y),
        (X.assign(b=[1, 2, None, 2]), y),
        (X.assign(b=pd.Categorical([1, 2, None, 2])), y),
        (X.assign(b=pd.Categorical(["1", "2", None, "2"])), y),
        (X.assign(a=X["a"] + 2**53), y),
        (X.assign(a=X["a"] + 2**53 + 1), y),
    ]
    assert len({content_digest(*variant) for variant in variants}) == len(variants)


# --- bundled data


def test_uci_default_equals_the_published_data() -> None:
    data = load_dataset("uci_default", categorical=False)
    X = data.X
    assert X.shape == (30000, 23)
    assert set(X.dtypes) == {np.dtype("float64")}
    assert data.classes == (0, 1)
    assert data.y.name == "default"
    assert data.y.sum() == 6636
    assert X.iloc[0].astype(int).tolist() == [
        *(20000, 2, 2, 1, 24, 2, 2, -1, -1, -2, -2),
        *(3913, 3102, 689, 0, 0, 0, 0, 689, 0, 0, 0, 0),
    ]
    assert round(X["LIMIT_BAL"].mean(), 6) == 167484.322667
    assert X["EDUCATION"].value_counts().sort_index().tolist() == [
        *(14, 10585, 14030, 4917, 123, 280, 51)
    ]


def test_uci_default_has_three_categories_by_default() -> None:
    X = load_dataset("uci_default").X
    assert X.select_dtypes("category").columns.tolist() == ["SEX", "EDUCATION", "MARRIAGE"]
    assert X["EDUCATION"].cat.categories.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert set(X.drop(columns=["SEX", "EDUCATION", "MARRIAGE"]).dtypes) == {np.dtype("int64")}


def test_uci_default_is_small_and_attributed() -> None:
    folder = ROOT / "xentexp" / "experiments" / "datasets" / "data"
    packed = (folder / "uci_default.csv.gz").read_bytes()
    assert len(packed) < 1_000_000
    assert packed[4:8] == bytes(4)  # gzip's time stamp: the file can be built again
    text = (folder / "ATTRIBUTION.md").read_text()
    assert "https://doi.org/10.24432/C55S3H" in text
    assert "CC BY 4.0" in text


# --- simulated data


@pytest.fixture(scope="module")
def simulated():
    return simulated_delinquency(20000, seed=3)


def test_simulation_is_determined_by_its_seed(simulated) -> None:
    again = simulated_delinquency(20000, seed=3)
    assert again.digest == simulated.digest
    assert (again.true_proba == simulated.true_proba).all()
    assert simulated_delinquency(20000, seed=4).digest != simulated.digest


def test_true_probabilities_are_a_function_of_the_features(simulated) -> None:
    assert (delinquency_proba(simulated.X) == simulated.true_proba).all()
    backwards = simulated.X[::-1]
    assert (delinquency_proba(backwards) == simulated.true_proba[::-1]).all()


def test_true_probabilities_are_probabilities(simulated) -> None:
    assert simulated.true_proba.shape == (20000, 3)
    assert (simulated.true_proba > 0).all()
    np.testing.assert_allclose(simulated.true_proba.sum(axis=1), 1, rtol=1e-12)


def test_labels_follow_the_true_probabilities(simulated) -> None:
    for k in simulated.classes:
        p = simulated.true_proba[:, k]
        hit = (simulated.y == k).to_numpy()
        for part in np.array_split(np.argsort(p), 10):
            error = np.sqrt((p[part] * (1 - p[part])).sum())
            assert abs(hit[part].sum() - p[part].sum()) < 4 * error


@pytest.mark.parametrize("column", ["occyp_type", "DAYS_EMPLOYED"])
def test_missing_values_do_not_add_information(simulated, column) -> None:
    gone = simulated.X[column].isna().to_numpy()
    assert 0.1 < gone.mean() < 0.4
    for k in simulated.classes:
        p = simulated.true_proba[gone, k]
        error = np.sqrt((p * (1 - p)).sum())
        assert abs((simulated.y[gone] == k).sum() - p.sum()) < 4 * error


def test_true_probabilities_have_a_lower_loss_than_others(simulated) -> None:
    best = log_loss(simulated.y, simulated.true_proba)
    shares = np.tile(list(simulated.class_shares().values()), (20000, 1))
    assert best < log_loss(simulated.y, shares) - 0.05
    for power in (0.8, 1.25):  # less and more extreme than the true probabilities
        other = simulated.true_proba**power
        assert best < log_loss(simulated.y, other / other.sum(axis=1, keepdims=True))


def test_simulation_has_the_shape_of_dacon(simulated) -> None:
    shares = simulated.true_proba.mean(axis=0)
    np.testing.assert_allclose(shares, [0.1218, 0.2369, 0.6413], atol=0.008)
    kinds = simulated.X.dtypes.astype(str)
    assert (kinds == "category").sum() == 8
    persons = simulated.groups.groupby(simulated.groups).size()
    assert 2.8 < persons.mean() < 3.2
    same = simulated.X.drop(columns="begin_month").groupby(simulated.groups)
    assert same.nunique().max().max() == 1
    assert not simulated.groups.is_monotonic_increasing


def test_simulation_parameters_have_their_documented_effect() -> None:
    data = load_dataset("simulated_delinquency", n_samples=5000, repeats=1.0, missing=0.0)
    assert len(data.X) == 5000
    assert data.groups.nunique() == 5000
    assert not data.X["occyp_type"].isna().any()
    data = load_dataset("simulated_delinquency", n_samples=5000, missing=0.6)
    assert data.X["occyp_type"].isna().mean() > 0.5


# --- your own table

CSV = "id,who,income,job,bad\n1,a,10.5,x,0\n2,a,,y,1\n3,b,30,,1\n4,c,40,x,0\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_table_reads_all_formats_alike(tmp_path: Path) -> None:
    write(tmp_path, "t.csv", CSV)
    write(tmp_path, "bom.CSV", "\ufeff" + CSV)
    write(tmp_path, "t.csv.gz", gzip.compress(CSV.encode(), mtime=0))
    write(tmp_path, "t.tsv", CSV.replace(",", "\t"))
    pd.read_csv(tmp_path / "t.csv").to_parquet(tmp_path / "t.parquet")
    pd.read_csv(tmp_path / "t.csv").set_index("bad").to_parquet(tmp_path / "indexed.parquet")
    names = ["t.csv", "bom.CSV", "t.csv.gz", "t.tsv", "t.parquet", "indexed.parquet"]
    read = [
        load_dataset("table", path=tmp_path / name, target="bad", drop=["id"], group="who")
        for name in names
    ]
    assert len({data.digest for data in read}) == 1
    data = read[0]
    assert data.X.dtypes.astype(str).to_dict() == {"income": "float64", "job": "category"}
    assert data.X.isna().sum().tolist() == [1, 1]
    assert data.y.tolist() == [0, 1, 1, 0]
    assert data.groups.tolist() == [0, 0, 1, 2]
    assert data.card.title == "t.csv"
    assert data.card.target == "bad"


def test_table_infers_three_classes_of_text(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "a,,y\n1,5,low\n2,6,high\n3,7,mid\n")
    data = load_dataset("table", path=str(path), target="y")
    assert data.classes == ("high", "low", "mid")
    assert data.X.columns.tolist() == ["a", "Unnamed: 1"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.json", CSV, "must end with .csv, .tsv, .* or .parquet; got t.json; rename or convert"),
        ("t.xlsx", CSV, "t.xlsx is not an .xlsx file"),
        ("t.csv", b"PK\x03\x04\x00\x00", "t.csv is binary, not text"),
        ("t.csv", b"\x89PNG\r\n", "t.csv must be UTF-8 text"),
        ("t.csv", "größe,bad\n1,0\n".encode("latin-1"), "t.csv must be UTF-8 text"),
        ("t.csv", b"a,bad\n" + b"1,0\n" * 9000 + b"\xff,1\n", "t.csv must be UTF-8 text"),
        ("t.csv", "\n<!DOCTYPE html><p>Sign in</p>", "t.csv is a web page"),
        ("t.csv", "", "t.csv is empty"),
        ("t.csv", " \n \n", "t.csv is empty"),
        ("t.csv", "a,bad\n", "t.csv must have at least one row; got only a header"),
        ("t.csv", "a,bad,a\n1,0,1\n", "column names of t.csv must be unique; duplicates: 'a'"),
        (
            "t.csv",
            "a,bad\n1,0\n1,2,3\n",
            "t.csv is not a valid table .*Expected 2 fields in line 3",
        ),
        ("t.csv", "a,bad\n1,2,3\n1,2,3\n", "must have at most 2 fields, as the header"),
        ("t.csv.gz", CSV, "t.csv.gz is not a complete gzip file"),
        (
            "t.csv.gz",
            gzip.compress(CSV.encode(), mtime=0)[:-12],
            "t.csv.gz is not a complete gzip file",
        ),
        ("t.parquet", CSV, "t.parquet is not Parquet"),
        ("t.parquet", b"PAR1 cut off", "t.parquet is a damaged Parquet file"),
        ("t.parquet", b"", "t.parquet is empty"),
    ],
)
def test_table_with_a_wrong_suffix(tmp_path, name, content, message) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=f"^table: .*{message}") as caught:
        load_dataset("table", path=path, target="bad")
    assert "\n" not in str(caught.value)


def test_table_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table: the file .*none\.csv does not exist"):
        load_dataset("table", path=tmp_path / "none.csv", target="bad")
    with pytest.raises(InputError, match="path must be a file; got the folder"):
        load_dataset("table", path=tmp_path, target="bad")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"target": "badd"}, "unknown column of t.csv 'badd'; did you mean 'bad'"),
        ({"target": "bad", "drop": ["incom"]}, "'incom'; did you mean 'income'"),
        ({"target": "bad", "group": "whom"}, "'whom'; did you mean 'who'"),
        ({"target": "bad", "drop": ["bad"]}, "target must not be in drop; got 'bad' in both"),
        ({"target": "bad", "group": "bad"}, "target must not be in group; got 'bad' in both"),
        (
            {"target": "bad", "group": "job"},
            "group column must not have missing values; 'job' has 1",
        ),
        ({"target": "job"}, "got 1 in 4 rows, the first in row 2"),
        (
            {"target": "bad", "drop": ["id", "who", "income", "job"]},
            "X must have at least one column",
        ),
        ({}, "target must be the column to predict; got None"),
        ({"path": None}, "path must be a text, Excel or Parquet file; got None"),
    ],
)
def test_table_columns_are_checked(tmp_path, parameters, message) -> None:
    path = write(tmp_path, "t.csv", CSV)
    with pytest.raises(InputError, match=message):
        load_dataset("table", **{"path": path, **parameters})


def test_table_rejects_a_regression_target(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": range(100), "price": np.arange(100) / 7}).to_parquet(path)
    with pytest.raises(InputError, match=r"table: .*looks like a regression target"):
        load_dataset("table", path=path, target="price")


# --- DACON

DACON = Path(os.environ.get("XENTEXP_DACON_DIR") or ROOT.parent / "shared/data/dacon_235713")
needs_dacon = pytest.mark.skipif(
    not (DACON / "train.csv").exists(), reason="the files of DACON 235713 are not here"
)


def fake_dacon(folder: Path, n: int = 6) -> pd.DataFrame:
    """Write files with the columns of DACON and random values."""
    X = simulated_delinquency(100, seed=1).X.head(n)
    X = X.assign(FLAG_MOBIL=1, DAYS_EMPLOYED=X["DAYS_EMPLOYED"].fillna(365243))
    X.insert(0, "index", range(n))
    train = X.assign(credit=[0.0, 1.0, 2.0] * (n // 3))
    train.to_csv(folder / "train.csv", index=False)
    X.assign(index=X["index"] + n).to_csv(folder / "test.csv", index=False)
    sample = pd.DataFrame({"index": X["index"] + n, "0": 0, "1": 0, "2": 0})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return train


@needs_dacon
def test_dacon() -> None:
    data = load_dataset("dacon", path=DACON)
    assert data.X.shape == (26457, 18)
    assert data.classes == (0, 1, 2)
    assert data.groups.nunique() == 8759
    assert not {"index", "credit"} & set(data.X)
    assert data.X["DAYS_EMPLOYED"].max() < 0
    assert data.X.isna().sum().loc[lambda n: n > 0].to_dict() == {
        "DAYS_EMPLOYED": 4438,
        "occyp_type": 8171,
    }
    assert data.test.X.shape == (10000, 18)
    assert (data.test.X.dtypes == data.X.dtypes).all()
    assert data.test.index_name == "index"
    assert data.test.index.tolist() == list(range(26457, 36457))
    assert data.test.columns == ("0", "1", "2")


def test_dacon_folder_comes_from_the_environment(tmp_path, monkeypatch) -> None:
    fake_dacon(tmp_path)
    monkeypatch.setenv("XENTEXP_DACON_DIR", str(tmp_path))
    assert len(load_dataset("dacon").X) == 6


def test_dacon_without_a_folder_names_path_and_variable(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("XENTEXP_DACON_DIR", raising=False)
    with pytest.raises(InputError, match=r"set path .* environment variable XENTEXP_DACON_DIR"):
        load_dataset("dacon")
    with pytest.raises(InputError, match="none does not exist; set path"):
        load_dataset("dacon", path=tmp_path / "none")
    with pytest.raises(InputError, match=r"the file .*train\.csv does not exist"):
        load_dataset("dacon", path=tmp_path)


def test_dacon_not_employed_is_missing_and_persons_are_groups(tmp_path) -> None:
    train = fake_dacon(tmp_path)
    train["DAYS_EMPLOYED"] = 365243
    train.loc[3:, :] = train.loc[:2, :].assign(begin_month=-1.0, credit=2.0).to_numpy()
    train.to_csv(tmp_path / "train.csv", index=False)
    data = load_dataset("dacon", path=tmp_path)
    assert data.X["DAYS_EMPLOYED"].isna().all()
    assert data.groups.tolist() == [0, 1, 2, 0, 1, 2]


def test_dacon_without_test_files_has_no_test_set(tmp_path) -> None:
    fake_dacon(tmp_path)
    (tmp_path / "test.csv").unlink()
    assert load_dataset("dacon", path=tmp_path).test is None


def test_dacon_names_all_missing_columns(tmp_path) -> None:
    fake_dacon(tmp_path).drop(columns=["car", "credit"]).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(
        InputError, match=r"dacon: train.csv must have .* missing: 'car', 'credit'; "
    ):
        load_dataset("dacon", path=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"credit": 3.0}, "'credit' of train.csv must be 0, 1 or 2; got 3.0"),
        ({"income_total": "much"}, "'income_total' of train.csv must contain numbers; got text"),
        ({"mine": 1}, "only the columns of the competition; unknown: 'mine'"),
    ],
)
def test_dacon_values_are_checked(tmp_path, change, message) -> None:
    fake_dacon(tmp_path).assign(**change).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(InputError, match=message):
        load_dataset("dacon", path=tmp_path)


def test_dacon_sample_must_fit_the_test_rows(tmp_path) -> None:
    fake_dacon(tmp_path)
    sample = pd.read_csv(tmp_path / "sample_submission.csv")
    sample[::-1].to_csv(tmp_path / "sample_submission.csv", index=False)
    with pytest.raises(
        InputError, match=r"sample_submission\.csv and test\.csv must have the same"
    ):
        load_dataset("dacon", path=tmp_path)


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"<html>", b"", b"\xff\xfe", None])
def test_dacon_file_that_is_not_csv(tmp_path, content) -> None:
    fake_dacon(tmp_path)
    (tmp_path / "train.csv").unlink()
    if content is None:
        (tmp_path / "train.csv").mkdir()
    else:
        write(tmp_path, "train.csv", content)
    with pytest.raises(InputError, match=r"^dacon: .*(train\.csv (is|must)|folder .*train\.csv)"):
        load_dataset("dacon", path=tmp_path)


# --- OpenML


def openml_answer(monkeypatch, target, note: str | None = None) -> dict[str, object]:
    asked: dict[str, object] = {}

    def fetch(**arguments):
        asked.update(arguments, timeout=socket.getdefaulttimeout())
        if note:
            warnings.warn(note, stacklevel=1)
        X = frame(a=[1.0, 2.0, np.nan, 4.0], b=pd.Categorical(["x", "y", None, "x"]))
        return types.SimpleNamespace(
            data=X,
            target=target,
            frame=X,
            url="https://www.openml.org/d/31",
            details={"name": "credit-g", "version": "1", "licence": "Public"},
        )

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    return asked


def test_openml_success(monkeypatch, tmp_path) -> None:
    target = pd.Series(["good", "bad", "good", "good"], dtype="category", name="class")
    note = "Version 1 of dataset credit-g is inactive, meaning that issues have been found."
    asked = openml_answer(monkeypatch, target, note)
    data = load_dataset("openml", id=31, cache_dir=tmp_path)
    assert asked["data_id"] == 31
    assert asked["target_column"] == "default-target"
    assert asked["data_home"] == str(tmp_path)
    assert asked["timeout"] == 10.0
    assert socket.getdefaulttimeout() is None
    assert data.classes == ("bad", "good")
    assert data.name == "openml"
    assert data.card.title == "credit-g (OpenML, version 1)"
    assert data.card.source == "https://www.openml.org/d/31"
    assert data.card.licence == "Public"
    assert data.card.target == "class"
    assert data.card.traps[-1] == note

    load_dataset("openml", data_name="credit-g", version=1, target="b")
    assert (asked["name"], asked["version"], asked["target_column"]) == ("credit-g", 1, "b")


@pytest.mark.parametrize("target", [None, frame()])
def test_openml_without_a_single_target(monkeypatch, target) -> None:
    openml_answer(monkeypatch, target)
    with pytest.raises(InputError, match="data_id 31 does not have a single default target; set"):
        load_dataset("openml", id=31)


@pytest.mark.parametrize(
    "parameters", [{}, {"id": 31, "version": 1}, {"data_name": "credit-g"}, {"version": 1}]
)
def test_openml_needs_an_id_or_a_name_with_version(parameters) -> None:
    with pytest.raises(
        InputError, match=r"openml: either id, or data_name and version must be set; got id="
    ):
        load_dataset("openml", **parameters)


def test_openml_without_a_network_is_an_input_error(monkeypatch, tmp_path) -> None:
    asked = []

    def refuse(*_: object) -> None:
        asked.append(1)
        raise URLError(ConnectionRefusedError(111, "Connection refused"))

    # Not fetch_openml itself: its retries warn, and must not reach the user.
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", refuse)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(InputError, match=r"data_id 31 cannot be downloaded .*refused.*; check"):
        load_dataset("openml", id=31, cache_dir=tmp_path)
    assert 1 <= len(asked) <= 5
    assert socket.getdefaulttimeout() is None


def test_openml_reports_rejected_parameters(monkeypatch) -> None:
    def fetch(**_: object) -> None:
        raise KeyError("Could not find target_column='nope'.")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    with pytest.raises(
        InputError, match=r"cannot be loaded \(Could not find target_column='nope'\)"
    ):
        load_dataset("openml", id=31, target="nope")


# --- empulse


@pytest.mark.parametrize(
    ("name", "shape", "bad"),
    [("pakdd2009", (38938, 25), 7743), ("vub", (18917, 16), 3206)],
)
def test_empulse(name, shape, bad) -> None:
    pytest.importorskip("empulse", reason="the extra 'empulse' is not installed")
    data = load_dataset(name)
    assert data.X.shape == shape
    assert data.y.sum() == bad
    assert data.classes == (0, 1)
    assert (data.X.dtypes == "category").sum() == {"pakdd2009": 7, "vub": 9}[name]
    assert "AGPL-3.0" in data.card.licence


@pytest.mark.parametrize("name", ["pakdd2009", "vub"])
def test_empulse_that_is_absent(monkeypatch, name) -> None:
    monkeypatch.setitem(sys.modules, "empulse", None)
    with pytest.raises(InputError, match=rf"^{name}: .*AGPL.*pip install 'xentexp\[empulse\]'"):
        load_dataset(name)


@pytest.mark.parametrize("field", ["title", "source", "licence", "target", "traps"])
def test_a_card_without_a_fact_cannot_be_listed(field: str) -> None:
    card = dataclasses.replace(CARD, **{field: type(getattr(CARD, field))()})
    with pytest.raises(InputError, match=f"card of data set 'mine' must state .* missing: {field}"):
        Entry(lambda: made(), card)


def test_a_loader_with_a_parameter_without_default_cannot_be_listed() -> None:
    with pytest.raises(InputError, match="of data set 'mine' must have a default; 'path' has none"):
        Entry(lambda path: made(path), CARD)


def test_cards_have_the_rows_and_class_frequencies_of_the_data() -> None:
    loaded = [load_dataset("uci_default")]
    if DACON.is_dir():
        loaded.append(load_dataset("dacon", path=str(DACON)))
    for data in loaded:
        assert data.card.rows == len(data.y)
        shares = {str(label): round(share, 4) for label, share in data.class_shares().items()}
        assert data.card.class_shares == shares


def test_integers_above_int64_become_floats() -> None:
    big = pd.Series([2**64 - 1, 2**63], dtype="uint64")
    assert made(pd.DataFrame({"a": big}), y=[0, 1]).X["a"].tolist() == [2.0**64, 2.0**63]
    with pytest.raises(InputError, match="must be in the range of int64"):
        made(pd.DataFrame({"a": [1, 2]}), y=big)


def test_fractional_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 distinct values such as 0\.5"):
        made(pd.DataFrame({"a": [1, 2]}), y=[0.5, 1.5])


def test_ordered_classes_are_numbers() -> None:
    card = dataclasses.replace(CARD, ordered=True)
    with pytest.raises(InputError, match=r"ordered classes must be numbers.*'high'"):
        make_dataset(frame(a=[1, 2]), pd.Series(["low", "high"]), card)
    assert make_dataset(frame(a=[1, 2]), pd.Series([1, 0]), card).card.ordered


def test_one_simulated_person_has_all_cards_if_persons_have_very_many() -> None:
    data = load_dataset("simulated_delinquency", n_samples=200, repeats=1e300)
    assert data.groups is not None
    assert set(data.groups) == {0}
