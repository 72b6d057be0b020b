"""Every made table, through `xentexp run` and `xentexp score`, equals scikit-learn by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.experiments.tables.made import (
    ORDER,
    TABLES,
    Made,
    excel,
    parquet,
    text,
    whole_lines_quoted,
    zipped,
)
from xentexp.experiments._cli import main

SPLITS = 3
RUN = [
    *("run", "dataset=table", "models=[logistic]", f"cv.n_splits={SPLITS}", "n_jobs=1"),
    *("losses=[categorical_crossentropy,brier_loss]", "metrics=[roc_auc]", "leaderboard=null"),
    *("--json", "--quiet"),
]


def table_file(made: Made, folder: Path) -> Path:
    if made.file.endswith(".xlsx"):
        pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    path = folder / made.file
    path.write_bytes(made.content())
    return path


def model(X: pd.DataFrame) -> Pipeline:
    """The model 'logistic' of the configuration, written without xentexp."""
    numeric = [name for name in X if X[name].dtype.kind in "if"]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [("n", scaled, numeric), ("c", onehot, [c for c in X if c not in numeric])]
    return make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=1000))


def predictions(made: Made) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and probabilities of the positive class, for each fold."""
    X, y = pd.DataFrame(made.X), np.asarray(made.y)
    if made.time_ordered:
        places = TimeSeriesSplit(SPLITS).split(ORDER)
        folds = [(ORDER[train], ORDER[test]) for train, test in places]
    else:
        folds = list(StratifiedKFold(SPLITS, shuffle=True, random_state=0).split(y, y))
    return [
        (y[test], model(X).fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])[:, 1])
        for train, test in folds
    ]


@pytest.mark.parametrize("name", TABLES)
def test_run_equals_scikit_learn(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TABLES[name]
    path = table_file(made, workplace)
    words = [f"dataset.path={path.name}", f"dataset.target={made.target}", *made.options]
    assert main([*RUN, *words]) == 0
    (row,) = json.loads(capsys.readouterr().out)["leaderboard"]
    folds = predictions(made)
    expected = {
        "categorical_crossentropy": [log_loss(y, p) for y, p in folds],
        "brier_loss": [brier_score_loss(y, p) for y, p in folds],
        "roc_auc": [roc_auc_score(y, p) for y, p in folds],
    }
    for metric, values in expected.items():
        assert row["mean"][metric] == pytest.approx(np.mean(values), abs=1e-9), metric


@pytest.mark.parametrize("name", TABLES)
def test_notes_tell_what_was_assumed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TABLES[name]
    options = [word.removeprefix("dataset.") for word in made.options if "dataset." in word]
    words = [f"path={table_file(made, tmp_path)}", f"target={made.target}", *options]
    assert main(["datasets", "table", *words, "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert bool(notes) == bool(made.notes) or made.file.endswith((".txt", ".bz2"))
    for words_of_note in made.notes:
        assert any(words_of_note in note for note in notes)


def decimal_commas(columns: dict[str, Any]) -> dict[str, Any]:
    return {**columns, "예측": [value.replace(".", ",") for value in columns["예측"]]}


SCORED: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    "comma": ("s.csv", lambda c: text(c).encode()),
    "UTF-16": ("s.txt", lambda c: text(c, "\t").encode("utf-16")),
    "CP949": ("s.csv", lambda c: text(c, ";").encode("cp949")),
    "decimal comma": ("s.csv", lambda c: text(decimal_commas(c), ";").encode()),
    "quoted lines": ("s.csv", lambda c: whole_lines_quoted(text(c, ";")).encode()),
    "zip": ("s.zip", lambda c: zipped("s.csv", text(c))),
    "Excel": ("s.xlsx", lambda c: excel({**c, "예측": list(map(float, c["예측"]))})),
    "Parquet": ("s.parquet", lambda c: parquet({**c, "예측": list(map(float, c["예측"]))})),
}


@pytest.mark.parametrize("name", SCORED)
def test_score_equals_scikit_learn(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, content = SCORED[name]
    if name == "Excel":
        pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    folds = predictions(TABLES["comma"])
    y, p = (np.concatenate(part) for part in zip(*folds, strict=True))
    path = tmp_path / file
    path.write_bytes(content({"실제": y, "예측": [repr(float(value)) for value in p]}))
    assert main(["score", str(path), "--target", "실제", "--proba", "예측", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    losses = {name: values["mean"] for name, values in document["losses"].items()}
    assert losses["categorical_crossentropy"] == pytest.approx(log_loss(y, p), abs=1e-9)
    assert losses["brier_loss"] == pytest.approx(brier_score_loss(y, p), abs=1e-9)
    assert document["metrics"]["roc_auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-9)
