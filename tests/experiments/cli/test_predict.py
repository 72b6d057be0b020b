"""`xentexp predict`: the numbers of the model, whatever the file and the size of its batches."""

import json
import os
import shutil
import signal
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skops.io
from mlflow import MlflowClient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from tests.support.stored_models import fitted, log_run, rows_of, write_model
from xentexp.experiments import Card, make_dataset
from xentexp.experiments._cli import main
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments.datasets import load_table

N = 240
PROBA = ["proba_bad", "proba_good"]


def loans(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Rows with everything that a file may have."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"L{i:04d}" for i in range(n)],
            "amount": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(7.0, 1.0, n).round(2)),
            "years": rng.integers(0, 30, n),
            "owner": rng.random(n) < 0.5,
            "job": rng.choice(["cook", "clerk", None, "smith"], n),
            "code": [f"{i:03d}" for i in rng.integers(0, 5, n)],
            "opened": pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3000, n), "D"),
            "label": np.where(rng.random(n) < 0.5, "good", "bad"),
        }
    )


def written(path: Path, frame: pd.DataFrame, **options: object) -> Path:
    frame.to_csv(path, index=False, **options)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A data set as load_table reads it, models fitted on it, and their folders."""
    folder = tmp_path_factory.mktemp("models")
    data = load_table(written(folder / "loans.csv", loans()), "label", drop=["id"])
    assert data.dates == ("opened",)
    models = {
        "logistic": fitted(tabular_pipeline(LogisticRegression()), data),
        "boosting": fitted(tabular_pipeline(HistGradientBoostingClassifier(), "native"), data),
        "svm": fitted(tabular_pipeline(LinearSVC()), data),
    }
    folders = {name: write_model(model, folder / name) for name, model in models.items()}
    return {"data": data, "models": models, "folders": folders}


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, migrated_store: Path, trained: dict[str, object]
) -> tuple[Path, dict[str, str]]:
    """Folder of a store with a run of these models, and the ids of its runs by name."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(migrated_store, folder / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    return folder, log_run(client, trained["folders"], winner="boosting", home=folder)


@pytest.fixture
def store(workplace: Path, template: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """Default store with a run of these models; ids by name."""
    folder, ids = template
    shutil.copytree(folder, workplace, dirs_exist_ok=True)
    return ids


def predicted(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    capsys.readouterr()
    assert main(["predict", *map(str, words), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Message of a command that writes nothing."""
    before = sorted(Path.cwd().rglob("*"))
    capsys.readouterr()
    assert main(["predict", *map(str, words)]) == 2
    assert sorted(Path.cwd().rglob("*")) == before
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


def expected(trained: dict[str, object], name: str, frame: pd.DataFrame) -> np.ndarray:
    """Probabilities of the model for rows that `load_table` reads."""
    file = written(Path.cwd() / "expected.csv", frame)
    rows = load_table(file, "label", drop=["id"])
    file.unlink()
    return trained["models"][name].predict_proba(rows.X)


def change_model(client, run_id, change):
    """Change the stored model of a run in its file."""
    address = client.get_run(run_id).data.tags["xentexp.model"]
    folder = Path("mlartifacts/models", address.removeprefix("models:/"), "artifacts")
    model = folder / "model.skops"
    types = skops.io.get_untrusted_types(file=model)
    pipeline = skops.io.load(model, trusted=types)
    change(pipeline)
    skops.io.dump(pipeline, model)


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_predictions_are_those_of_the_model(trained, store, capsys, name):
    new = loans(seed=1)
    file = written(Path("new.csv"), new)
    shown = predicted(capsys, name, file, "--out", "out.csv", "--keep", "id")
    out = pd.read_csv("out.csv")
    assert list(out) == shown["columns"] == ["id", *PROBA]
    assert out["id"].tolist() == new["id"].tolist()
    assert np.array_equal(out[PROBA].to_numpy(), expected(trained, name, new))
    assert shown["rows"] == N
    assert shown["classes"] == ["bad", "good"]
    assert shown["run_id"] == store[name]


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        *(("csv", rows) for rows in (1, 7, 59, 1000)),
        *((form, 7) for form in ("german", "parquet", "xlsx", "text.parquet", "arrow", "folder")),
    ],
)
def test_size_of_batches_does_not_matter(trained, store, capsys, rows, form):
    new = loans(60, seed=2)
    new.loc[50:, "amount"] = np.nan
    new.loc[55, "job"] = "astronaut"
    file = Path(f"new.{form}")
    if form == "csv":
        written(file, new)
    elif form == "german":
        file = Path("new.csv")
        shown = new.assign(
            amount=[f"{a:_.2f}".replace(".", ",").replace("_", ".") for a in new["amount"]],
            opened=new["opened"].dt.strftime("%d.%m.%Y"),
        )
        shown["amount"] = shown["amount"].replace("nan", "-")
        written(file, shown, sep=";")
    elif form == "xlsx":
        new.to_excel(file, index=False)
    elif form == "parquet":
        new.to_parquet(file)
    elif form == "arrow":
        new.to_feather(file)
    elif form == "folder":
        file.mkdir()
        for part, start in enumerate(range(0, len(new), 20)):
            new[start : start + 20].to_parquet(file / f"{part}.parquet", index=False)
    else:
        texts = new.astype(str).where(new.notna(), None)
        texts.to_parquet(file)
    predicted(capsys, "boosting", file, "--out", "out.parquet", "--batch-rows", rows)
    out = pd.read_parquet("out.parquet")
    assert np.array_equal(out.to_numpy(), expected(trained, "boosting", new))


def test_dates_and_decimal_marks_are_found_from_the_whole_file(trained, store, capsys):
    new = loans(20, seed=3).assign(opened="01.02.2016", amount="1.500")
    late = new.copy()
    late.loc[19, ["opened", "amount"]] = ["13.02.2016", "1,5"]
    truth = new.assign(opened="2016-02-01", amount=1500.0)
    truth.loc[19, ["opened", "amount"]] = ["2016-02-13", 1.5]
    file = written(Path("late.csv"), late, sep=";")
    for rows in (1, 100):
        predicted(capsys, "boosting", file, "--out", "o.csv", "--overwrite", "--batch-rows", rows)
        assert np.array_equal(pd.read_csv("o.csv").to_numpy(), expected(trained, "boosting", truth))
    file = written(Path("unclear.csv"), new.assign(amount=1.0))
    message = refused(capsys, "boosting", file, "--out", "x.csv", "--batch-rows", 3)
    assert "the day or the month may come first in the column 'opened' (01.02.2016)" in message
    for value, day in (("true", "2016-02-01"), ("false", "2016-01-02")):
        words = ["boosting", file, "--out", "o.csv", "--overwrite", "--dayfirst", value]
        predicted(capsys, *words)
        truth = new.assign(opened=day, amount=1.0)
        assert np.array_equal(pd.read_csv("o.csv").to_numpy(), expected(trained, "boosting", truth))


def test_each_word_finds_the_same_model(trained, store, workplace, capsys):
    client = MlflowClient(tracking_uri=f"sqlite:///{workplace}/mlflow.db")
    address = client.get_run(store["boosting"]).data.tags["xentexp.model"]
    client.create_registered_model("loans")
    client.create_model_version("loans", address, store["boosting"])
    client.set_registered_model_alias("loans", "champion", "1")
    file = written(Path("new.csv"), loans(5))
    words = {
        "latest": address,
        "boosting": address,
        store["run"]: address,
        store["run"][:8]: address,
        store["boosting"][:12]: address,
        address: address,
        address.removeprefix("models:/"): address,
        "loans@champion": "models:/loans/1",
        "loans/1": "models:/loans/1",
        "models:/loans@champion": "models:/loans/1",
        "models:/loans/1": "models:/loans/1",
    }
    for word, model in words.items():
        shown = predicted(capsys, word, file, "--out", "out.csv", "--overwrite")
        assert (shown["model"], shown["run_id"]) == (model, store["boosting"])
    for word, message in (
        ("loans@other", "unknown alias of the registered model 'loans' 'other'. Known: champion"),
        ("loans/7", "unknown version of the registered model 'loans' '7'. Known: 1"),
        ("cars@champion", "unknown registered model 'cars'"),
        ("m-" + "0" * 32, "does not exist (or was deleted)"),
        ("models:/loans", "must be models:/m-ID, models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/../../etc@x", "must be models:/m-ID"),
        ("bosting", "did you mean 'boosting'"),
        ("abcdef", "unknown model or run 'abcdef'"),
    ):
        assert message in refused(capsys, word, file, "--out", "new_out.csv"), word


def test_run_without_a_stored_model_says_what_to_do(trained, workplace, capsys):
    client = MlflowClient(tracking_uri=f"sqlite:///{workplace}/mlflow.db")
    folders = {"one": trained["folders"]["logistic"], "two": None}
    store = log_run(client, folders, home=workplace)
    file = written(Path("new.csv"), loans(5))
    for word, message in (
        ("two", f"two ({store['two'][:8]}) has no stored model"),
        (store["run"], "has no stored model of its winner; write the name of a model (one, two)"),
    ):
        shown = refused(capsys, word, file, "--out", "out.csv")
        assert message in shown
        assert "models.log=all" in shown


def test_models_of_a_store_that_was_moved_are_found(trained, tmp_path_factory, capsys, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.chdir(home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")  # MLflow looks it up
    client = MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db")
    log_run(client, trained["folders"], winner="boosting", home=home)
    address = client.get_run(log_run(client, {"x": trained["folders"]["logistic"]})["x"])
    client.create_registered_model("loans")
    client.create_model_version("loans", address.data.tags["xentexp.model"])
    moved = tmp_path_factory.mktemp("other") / "moved"
    monkeypatch.chdir(moved.parent)
    shutil.move(home, moved)
    monkeypatch.chdir(moved)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{moved}/mlflow.db")
    file = written(Path("new.csv"), loans(5))
    for word in ("x", "loans/1"):
        predicted(capsys, word, file, "--out", "out.csv", "--overwrite")
    # A run points the whole store to its new place.
    from xentexp.experiments._tracking.store import Store

    Store(None, "test", primary="brier", description="")
    with sqlite3.connect("mlflow.db") as connection:
        for table, column in (
            ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        ):
            places = connection.execute(f"SELECT {column} FROM {table}").fetchall()
            assert places
            assert all(place.startswith(moved.as_uri()) for (place,) in places)


def test_columns_are_checked_by_name_before_anything_is_predicted(store, capsys):
    new = loans(5)
    file = written(Path("new.csv"), new.drop(columns=["job", "years"]))
    message = refused(capsys, "boosting", file, "--out", "out.csv")
    assert "new.csv must have the columns of the training rows; missing: 'years', 'job'" in message
    written(file, new[["job", *[name for name in new if name != "job"]]])
    predicted(capsys, "boosting", file, "--out", "out.csv")
    file.write_text("job,job,amount\n1,2,3\n")
    assert "column names of new.csv must be unique; duplicates: 'job'" in refused(
        capsys, "boosting", file, "--out", "x.csv"
    )
    written(file, new)
    assert "those of --keep; missing: 'nr'" in refused(
        capsys, "boosting", file, "--out", "x.csv", "--keep", "nr"
    )
    written(file, new.assign(proba_bad=1))
    assert "--keep must not name a column that the output has anyway; got 'proba_bad'" in refused(
        capsys, "boosting", file, "--out", "x.csv", "--keep", "proba_bad"
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("amount", "much", "the column 'amount' must contain numbers, as in the training rows; got "
         "'much' in row 57 (counted from 0)"),
        ("amount", "inf", "got 'inf' in row 57"),
        ("amount", "1,5", "numbers of the column 'amount' must be written alike"),
        ("amount", "5%", "numbers of the column 'amount' must be written alike"),
        ("years", "true", "got 'true' in row 57"),
        ("owner", "yes", "must contain numbers, as in the training rows; got 'yes' in row 57"),
        ("opened", "soon", "must contain dates, as in the training rows; got 'soon' in row 57"),
    ],
)  # fmt: skip
def test_value_that_cannot_be_read_is_named_by_its_row(store, capsys, column, value, message):
    new = loans(60).astype({column: object})
    new.loc[57, column] = value
    file = written(Path("new.csv"), new)
    for rows in (10, 1000):
        words = ["boosting", file, "--out", "out.csv", "--batch-rows", rows]
        assert message in refused(capsys, *words)


def test_files_that_are_no_tables_are_refused(store, capsys):
    header = "amount,years,owner,job,code,opened\n"
    row = "1.5,2,True,cook,001,2016-01-01\n"
    files = {
        "empty.csv": (b"", "empty.csv is empty"),
        "header.csv": (header.encode(), "must have at least one row; got only a header"),
        "nul.csv": (header.encode() + b"\0" * 50, "nul.csv is binary"),
        "latin.csv": ((header + row.replace("cook", "caf\u00e9")).encode("latin-1"), "UTF-8 text"),
        "long.csv": ((header + row + "2,1,True,cook,001,2016-01-01,7\n").encode(), "fields"),
        "twice.csv": ((header + row + header).encode(), "repeats its header in row 1"),
        "wide.csv": (",".join(f"c{i}" for i in range(200_001)).encode() + b"\n1\n", "200,000"),
        "line.csv": (b"x" * 10_000_001 + b"\n1\n", "at most 10,000,000 characters"),
        "page.csv": (b"<!doctype html><p>", "is a web page"),
        "a.parquet": (b"PAR1" + b"x" * 100, "damaged Parquet file"),
        "b.parquet": (b"x", "is not Parquet"),
        "c.csv.gz": (b"x" * 100, "not a complete gzip file"),
        "d.doc": (b"x", "the file name must end with"),
        "e.xlsx": (b"x", "not an .xlsx file"),
    }
    for name, (content, message) in files.items():
        Path(name).write_bytes(content)
        shown = refused(capsys, "boosting", name, "--out", "out.csv")
        assert message in shown, name
    assert "does not exist" in refused(capsys, "boosting", "none.csv", "--out", "out.csv")
    predicted(
        capsys, "boosting", "latin.csv", "--encoding", "cp1252", "--out", "out.csv", "--keep", "job"
    )
    assert pd.read_csv("out.csv")["job"].tolist() == ["caf\u00e9"]


def test_output_never_replaces_another_file_by_accident(store, capsys):
    file = written(Path("new.csv"), loans(5))
    Path("out.csv").write_text("mine")
    assert "--out must be a new file" in refused(capsys, "boosting", file, "--out", "out.csv")
    assert Path("out.csv").read_text() == "mine"
    for out, message in (
        ("new.csv", "must not be a file that the command reads"),
        ("mlflow.db", "--out must end with .csv or .parquet"),
        ("none/out.csv", "does not exist"),
        ("out.txt", "--out must end with"),
    ):
        words = ["boosting", file, "--out", out, "--overwrite"]
        assert message in refused(capsys, *words)
    Path("store.csv").symlink_to("mlflow.db")
    words = ["boosting", file, "--out", "store.csv", "--overwrite"]
    assert "must not be a file that the command reads" in refused(capsys, *words)
    predicted(capsys, "boosting", file, "--out", "out.csv", "--overwrite")
    assert len(rows_of(Path("out.csv"))) == 5


def test_output_never_replaces_a_file_of_the_folder(store, capsys):
    Path("rows").mkdir()
    loans(5).to_parquet("rows/a.parquet")
    loans(5).to_parquet("elsewhere.parquet")
    Path("rows/b.parquet").symlink_to(Path("elsewhere.parquet").absolute())
    for out, message in (
        ("rows/a.parquet", "--out must not be in the folder that the command reads"),
        ("rows/new.parquet", "--out must not be in the folder that the command reads"),
        ("elsewhere.parquet", "must not be a file that the command reads"),
    ):
        assert message in refused(capsys, "boosting", Path("rows"), "--out", out, "--overwrite")
    assert len(pd.read_parquet("rows")) == 10


def test_error_in_the_last_batch_leaves_no_file(store, capsys, monkeypatch):
    file = written(Path("new.csv"), loans(10))
    calls = []
    original = HistGradientBoostingClassifier.predict_proba

    def fails_late(self, X):
        calls.append(len(X))
        if len(calls) == 4:
            raise ValueError("no more")
        return original(self, X)

    monkeypatch.setattr(HistGradientBoostingClassifier, "predict_proba", fails_late)
    message = refused(capsys, "boosting", file, "--out", "out.csv", "--batch-rows", 4)
    assert "the model failed on these rows (ValueError: no more)" in message
    assert calls == [3, 4, 4, 2]  # the first are rows of the model's example


@pytest.mark.parametrize(
    ("name", "invalid", "message"),
    [
        ("boosting", [0.5, np.nan], "probabilities must lie in [0, 1]; row 6 of the predictions "),
        ("boosting", [np.nan, np.nan], "has [nan, nan], a missing value (rows are counted from 0"),
        ("boosting", [-0.5, 1.5], "row 6 of the predictions has [-0.5, 1.5]"),
        ("boosting", [0.5, np.inf], "row 6 of the predictions has [0.5, inf]"),
        ("boosting", [0.5, 0.4], "must sum to 1; 1 of 4 does not, the worst is row 6 with 0.9"),
        ("svm", np.nan, "raw scores must be finite; row 6 of the predictions has nan"),
    ],
)
def test_predictions_that_are_invalid_are_refused_with_row_and_class(
    store, capsys, monkeypatch, name, invalid, message
):
    kind, method = {
        "boosting": (HistGradientBoostingClassifier, "predict_proba"),
        "svm": (LinearSVC, "decision_function"),
    }[name]
    original = getattr(kind, method)

    def with_invalid(self, X):
        values = original(self, X)
        calls.append(len(X))
        if len(calls) == 3:  # the first rows are those of the model's example
            values[2] = invalid
        return values

    calls = []
    monkeypatch.setattr(kind, method, with_invalid)
    file = written(Path("new.csv"), loans(10))
    error = refused(capsys, name, file, "--out", "out.csv", "--batch-rows", 4)
    assert message in error
    assert ("proba_bad and proba_good" if name == "boosting" else "decision_good") in error
    assert "nothing is written" in error
    assert "normalize" not in error


def test_probabilities_of_a_changed_model_are_refused(store, capsys):
    client = MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")

    def missing(pipeline):
        pipeline[-1].coef_[:] = np.nan

    change_model(client, store["logistic"], missing)
    file = written(Path("new.csv"), loans(5))
    error = refused(capsys, "logistic", file, "--out", "out.csv")
    assert "row 0 of the predictions has [nan, nan], a missing value" in error


@pytest.mark.parametrize(
    ("name", "ended", "code"),
    [("SIGTERM", SystemExit, 143), ("SIGHUP", SystemExit, 129), ("SIGINT", None, 130)],
)
def test_a_signal_during_the_predictions_leaves_no_file(
    store, capsys, monkeypatch, default_signals, name, ended, code
):
    file = written(Path("new.csv"), loans(10))
    original = HistGradientBoostingClassifier.predict_proba

    def stopped(self, X):
        if any(path.suffix == ".partial" for path in Path.cwd().iterdir()):
            os.kill(os.getpid(), getattr(signal, name))
        return original(self, X)

    monkeypatch.setattr(HistGradientBoostingClassifier, "predict_proba", stopped)
    before = sorted(Path.cwd().rglob("*"))
    words = ["predict", "boosting", str(file), "--out", "out.csv", "--batch-rows", "4"]
    if ended is None:
        assert main(words) == code
    else:
        with pytest.raises(ended) as exit_:
            main(words)
        assert exit_.value.code == code
    assert sorted(Path.cwd().rglob("*")) == before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("name", ["amount", "job", "opened"])
def test_lists_in_a_column_of_parquet_are_refused(store, capsys, name):
    new = loans(4)
    new[name] = pd.Series([[1.0], [2.0], None, [3.0]])
    new.to_parquet("new.parquet")
    message = refused(capsys, "boosting", "new.parquet", "--out", "out.csv")
    assert f"new.parquet: new rows: the column {name!r} must contain" in message


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_kept_texts_are_copied_and_no_formula(store, capsys, suffix):
    cells = ["=1+1", "@x", "NA", "", "-5", "007", "a,b", 'say "x"', "한국"]
    new = loans(len(cells)).assign(id=cells, **{"=name": "x"})
    file = written(Path("new.csv"), new)
    out = Path(f"out.{suffix}")
    predicted(capsys, "boosting", file, "--out", out, "--keep", "id,=name", "--batch-rows", 2)
    if suffix == "parquet":
        kept = pd.read_parquet(out)
        assert kept["id"].tolist() == cells
        assert list(kept) == ["id", "=name", *PROBA]
    else:
        kept = pd.read_csv(out, dtype=str, na_filter=False)
        assert kept["id"].tolist() == ["'=1+1", "'@x", *cells[2:]]
        assert list(kept) == ["id", "'=name", *PROBA]


def test_kept_columns_of_parquet_keep_their_types(store, capsys):
    new = loans(6)
    new["number"] = pd.array([1, None, 2**60 + 1, 3, 4, 5], dtype="Int64")
    new["kind"] = pd.Categorical(["a", "b", "a", None, "c", "a"])
    new.to_parquet("new.parquet")
    keep = "number,kind,opened,owner,job"
    words = ["--out", "out.parquet", "--keep", keep, "--batch-rows", 2]
    predicted(capsys, "boosting", "new.parquet", *words)
    before, after = pq.read_table("new.parquet"), pq.read_table("out.parquet")
    assert after["kind"].to_pylist() == before["kind"].to_pylist()
    for name in ("number", "opened", "owner", "job"):
        assert after[name].equals(before[name].cast(after[name].type)), name
    assert after.schema.field("number").type == pa.int64()


@pytest.mark.parametrize(
    "labels", [["bad", "good"], [0, 1], [-1, 1], [1, 2, 3], ["a", "b,c", "b_a"]]
)
def test_score_reads_the_predictions_without_labels(workplace, capsys, labels):
    frame = loans()[["amount", "years"]]
    y = [labels[i % len(labels)] for i in range(N)]
    data = make_dataset(frame, y, Card("t"))
    model = fitted(tabular_pipeline(LogisticRegression()), data)
    client = MlflowClient(tracking_uri=f"sqlite:///{workplace}/mlflow.db")
    log_run(client, {"m": write_model(model, workplace / "m")}, winner="m", home=workplace)
    file = written(Path("new.csv"), frame.assign(y=y))
    shown = predicted(capsys, "m", file, "--out", "out.csv", "--keep", "y")
    names = [name for name in shown["columns"] if name != "y"]
    words = ["score", "out.csv", "--target", "y", "--proba", ",".join(names), "--json"]
    assert main(words) == 0, capsys.readouterr().err
    score = json.loads(capsys.readouterr().out)
    proba = model.predict_proba(data.X)
    codes = np.array([data.classes.index(label) for label in y])
    loss = -np.log(proba[np.arange(N), codes]).mean()
    assert score["losses"]["categorical_crossentropy"]["mean"] == pytest.approx(loss)


def test_model_without_probabilities_gives_decision_scores(trained, store, capsys):
    new = loans(20)
    file = written(Path("new.csv"), new)
    shown = predicted(capsys, "svm", file, "--out", "out.csv")
    assert shown["columns"] == ["decision_good"]
    rows = load_table(file, "label", drop=["id"])
    scores = trained["models"]["svm"].decision_function(rows.X)
    assert pd.read_csv("out.csv")["decision_good"].tolist() == scores.tolist()


class _Writes:
    """An object whose loading would write a file."""

    def __reduce__(self):
        return Path.touch, (Path("touched"),)


def test_model_with_other_types_is_refused_before_it_is_loaded(trained, workplace, capsys):
    client = MlflowClient(tracking_uri=f"sqlite:///{workplace}/mlflow.db")
    store = log_run(client, {"logistic": trained["folders"]["logistic"]}, home=workplace)
    [model] = workplace.glob("mlartifacts/models/*/artifacts/model.skops")
    original = model.read_bytes()
    pipeline = trained["models"]["logistic"]
    tampered = Pipeline([*pipeline.steps[:-1], ("final", pipeline.steps[-1][1])])
    tampered.steps[0][1].extra = _Writes()
    skops.io.dump(tampered, model)
    del tampered.steps[0][1].extra
    file = written(Path("new.csv"), loans(5))
    shown = refused(capsys, "logistic", file, "--out", "out.csv")
    assert "types that xentexp does not know" in shown
    assert "--trust" in shown
    assert not Path("touched").exists()
    model.write_bytes(original[:-100])
    assert "damaged" in refused(capsys, "logistic", file, "--out", "out.csv")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("schema.json", "{}")
    refused(capsys, "logistic", file, "--out", "out.csv")
    assert store


def test_model_that_xentexp_did_not_store_is_refused(workplace, capsys):
    folder = write_model(LogisticRegression().fit([[0], [1]], [0, 1]), workplace / "plain")
    client = MlflowClient(tracking_uri=f"sqlite:///{workplace}/mlflow.db")
    log_run(client, {"plain": folder}, home=workplace)
    file = written(Path("new.csv"), loans(5))
    shown = refused(capsys, "plain", file, "--out", "out.csv")
    assert "must be one that xentexp stored" in shown


def test_drift_is_the_stability_index_of_the_counts_of_all_batches(trained, store, capsys):
    new = loans(1000, seed=4)
    new["years"] = new["years"] + 20
    new.loc[:99, "job"] = "astronaut"
    file = written(Path("new.csv"), new)
    shown = predicted(capsys, "boosting", file, "--out", "out.csv", "--batch-rows", 37)
    drift = {column["column"]: column for column in shown["drift"]}
    assert [c["psi"] for c in shown["drift"]] == sorted(c["psi"] for c in shown["drift"])[::-1]
    # By hand: the shares of the training rows and the new ones in the bins of the jobs.
    old = trained["data"].X["job"].astype(object)
    bins = [(old == job, new["job"] == job) for job in ("clerk", "cook", "smith")]
    bins += [(old.isna(), new["job"].isna())]
    e = np.array([first.mean() for first, _ in bins] + [0.5 / N])
    a = np.array([second.mean() for _, second in bins] + [0.1])
    assert drift["job"]["psi"] == pytest.approx(((a - e) * np.log(a / e)).sum())
    assert drift["job"]["unseen"] == pytest.approx(0.1)
    assert drift["years"]["level"] == "large"
    assert drift["owner"]["level"] == "none"
    assert drift["years"]["unseen"] is None
    main(["predict", "boosting", str(file), "--out", "out2.csv"])
    err = capsys.readouterr().err
    assert "warning: 2 columns of new.csv differ much from the training rows" in err
    assert f"years {drift['years']['psi']:.2f}" in err
    assert "categories that the training rows do not have: job 10.0%" in err


def test_few_rows_without_drift_cause_no_warning(store, capsys):
    for rows in (1, 5, 20):
        file = written(Path("few.csv"), loans(rows, seed=rows))
        assert main(["predict", "boosting", str(file), "--out", f"out{rows}.csv"]) == 0
        assert capsys.readouterr().err == ""


def test_compressed_and_old_texts_are_read_in_batches(trained, store, capsys):
    new = loans(30, seed=5)
    truth = expected(trained, "boosting", new)
    written(Path("a.csv.gz"), new)
    written(Path("b.csv.xz"), new)
    with zipfile.ZipFile("c.zip", "w") as archive:
        archive.writestr("c.csv", new.to_csv(index=False))
    written(Path("d.csv"), new, encoding="utf-16")
    Path("e.csv").write_text("\ufeff" + new.to_csv(index=False), encoding="utf-8")
    Path("f.csv").write_bytes(new.to_csv(index=False).replace("\n", "\r").encode())
    Path("g.txt").write_text("sep=|\n" + new.to_csv(index=False, sep="|"))
    Path("h.csv").write_text("\n\n" + new.to_csv(index=False))
    Path("i.tsv").write_text("made today\n" + new.to_csv(index=False, sep="\t"))
    for name in sorted(path.name for path in Path.cwd().glob("?.*")):
        words = ["--header", 2] if name == "i.tsv" else []
        words += ["--out", "out.csv", "--overwrite", "--batch-rows", 7]
        predicted(capsys, "boosting", name, *words)
        assert np.array_equal(pd.read_csv("out.csv").to_numpy(), truth), name


def _entry(**changes):
    def change(pipeline):
        pipeline[0].columns_[0].update(changes)

    return change


def _without(step, name):
    return lambda pipeline: delattr(pipeline[step], name)


@pytest.mark.parametrize(
    "change",
    [
        lambda pipeline: setattr(pipeline, "steps", "abc"),
        lambda pipeline: setattr(pipeline, "steps", pipeline.steps[:1]),
        lambda pipeline: setattr(pipeline[0], "columns_", []),
        lambda pipeline: setattr(pipeline[0], "columns_", [{}]),
        lambda pipeline: setattr(pipeline[0], "feature_names_in_", 5),
        lambda pipeline: setattr(pipeline[0], "n_rows_", "many"),
        lambda pipeline: setattr(pipeline[-1], "classes_", np.array(3)),
        _without(0, "columns_"),
        _without(0, "n_rows_"),
        _without(-1, "classes_"),
        _entry(kind="categories"),
        _entry(bins=None),
        _entry(bins=["a"]),
        _entry(shares=[1.0]),
        _entry(shares="x"),
        _entry(name="other"),
    ],
)
def test_a_stored_model_with_impossible_values_gives_one_sentence(store, capsys, change):
    file = written(Path("new.csv"), loans(5))
    client = MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")
    change_model(client, store["logistic"], change)
    message = refused(capsys, "logistic", file, "--out", "out.csv")
    assert "the stored model cannot be read, it is damaged: " in message
