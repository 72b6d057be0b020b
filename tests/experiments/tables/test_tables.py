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
from sklearn.linear_model import LogisticRegression, SGDClassifier
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
from tests.support.stores import RESULTS_ONLY
from xentexp.experiments._cli import main

SPLITS = 3
RUN = [
    *("run", "dataset=table", "models=[logistic]", f"cv.n_splits={SPLITS}", "n_jobs=1"),
    *RESULTS_ONLY,
    *("losses=[categorical_crossentropy,brier_loss]", "metrics=[roc_auc]", "leaderboard=null"),
    *("--json", "--quiet"),
]


def table_file(made: Made, folder: Path) -> Path:
    if made.file.endswith(".xlsx"):
        pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    path = folder / made.file
    path.write_bytes(made.content())
    if made.test is not None:
        (folder / made.test.file).write_bytes(made.test.content())
    return path


def model(X: pd.DataFrame, classifier: Any = None) -> Pipeline:
    """The model 'logistic' of the configuration, written without xentexp; or another classifier."""
    numeric = [name for name in X if X[name].dtype.kind in "if"]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [("n", scaled, numeric), ("c", onehot, [c for c in X if c not in numeric])]
    last = LogisticRegression(max_iter=1000) if classifier is None else classifier
    return Pipeline([("columns", ColumnTransformer(columns)), ("classifier", last)])


def fitted(X: pd.DataFrame, y: Any, weight: Any = None, classifier: Any = None) -> Pipeline:
    return model(X, classifier).fit(X, y, classifier__sample_weight=weight)


def scores(y: Any, p: Any, weight: Any = None) -> dict[str, float]:
    """Values of scikit-learn for the probabilities of all classes."""
    columns = p[:, 1] if p.shape[1] == 2 else p
    return {
        "categorical_crossentropy": log_loss(y, p, sample_weight=weight),
        "brier_loss": brier_score_loss(y, columns, sample_weight=weight),
        "roc_auc": roc_auc_score(y, columns, sample_weight=weight, multi_class="ovr"),
    }


def predictions(
    made: Made, classifier: Any = None, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Labels, probabilities and weights of the test rows of each fold."""
    X, y = pd.DataFrame(made.X), np.asarray(made.y)
    if made.time_ordered:
        places = TimeSeriesSplit(SPLITS).split(ORDER)
        folds = [(ORDER[train], ORDER[test]) for train, test in places]
    else:
        folds = list(StratifiedKFold(SPLITS, shuffle=True, random_state=seed).split(y, y))

    def weights(rows: np.ndarray) -> np.ndarray | None:
        return None if made.weight is None else made.weight[rows]

    return [
        (
            y[test],
            fitted(X.iloc[train], y[train], weights(train), classifier).predict_proba(X.iloc[test]),
            weights(test),
        )
        for train, test in folds
    ]


def assert_means(row: dict[str, Any], folds: list[Any]) -> None:
    """The values of a leaderboard are the means of those of scikit-learn."""
    values = pd.DataFrame([scores(*fold) for fold in folds])
    for metric, mean in values.mean().items():
        assert row["mean"][metric] == pytest.approx(mean, rel=0, abs=1e-9), metric


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*RUN, *words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", TABLES)
def test_run_equals_scikit_learn(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TABLES[name]
    path = table_file(made, workplace)
    words = [f"dataset.path={path.name}", f"dataset.target={made.target}", *made.options]
    document = run(words, capsys)
    (row,) = document["leaderboard"]
    assert_means(row, predictions(made))
    warned = [name for finding in document["findings"] for name in finding["columns"]]
    assert warned == list(made.findings)
    notes = document["notes"]
    assert bool(notes) == bool(made.notes) or made.file.endswith((".txt", ".bz2"))
    for words_of_note in made.notes:
        assert any(words_of_note in note for note in notes)
    if made.test is None:
        assert row["test"] == {}
        return
    X = pd.DataFrame(made.X)
    p = fitted(X, made.y, made.weight).predict_proba(pd.DataFrame(made.test.X))
    for metric, value in scores(made.test.y, p, made.test.weight).items():
        assert row["test"][metric] == pytest.approx(value, rel=0, abs=1e-9), metric


def test_a_model_file_without_random_state_gets_the_seed(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TABLES["comma"]
    table_file(made, workplace)
    folder = workplace / "mine" / "models"
    folder.mkdir(parents=True)
    (folder / "sgd.yaml").write_text(
        "sgd:\n  preprocessing: scaled\n  classifier:\n"
        "    _target_: sklearn.linear_model.SGDClassifier\n    loss: log_loss\n"
    )
    words = ["--config-dir", "mine", "models=[sgd]", "seed=5"]
    words += ["dataset.path=t.csv", "dataset.target=y"]
    first, second = (run(words, capsys)["leaderboard"][0] for _ in range(2))
    assert first["mean"] == second["mean"]
    assert_means(first, predictions(made, SGDClassifier(loss="log_loss", random_state=5), seed=5))


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
    y, p = all_predictions()
    path = tmp_path / file
    path.write_bytes(content({"실제": y, "예측": [repr(float(value)) for value in p[:, 1]]}))
    words = ["score", str(path), "--target", "실제", "--proba", "예측", "--json"]
    assert_scores(words, y, p, capsys)


@pytest.mark.parametrize("names", ["P_BAD1,P_BAD0", ".pred_1,.pred_0"])
def test_score_heeds_the_labels_in_the_names_of_columns(
    names: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y, p = all_predictions()
    one, zero = names.split(",")
    path = tmp_path / "s.csv"
    path.write_text(text({"y": y, one: p[:, 1], zero: p[:, 0]}))
    words = ["score", str(path), "--target", "y", "--proba", names, "--json"]
    assert_scores(words, y, p, capsys)


def all_predictions() -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of the rows of all folds."""
    labels, probabilities, _ = zip(*predictions(TABLES["comma"]), strict=True)
    return np.concatenate(labels), np.concatenate(probabilities)


def assert_scores(
    words: list[str], y: np.ndarray, p: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    found = {name: values["mean"] for name, values in document["losses"].items()}
    found |= document["metrics"]
    for name, value in scores(y, p).items():
        assert found[name] == pytest.approx(value, rel=0, abs=1e-9), name
