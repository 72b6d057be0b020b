"""Runs with the same persons in training and test parts: warning, and scores on both folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.support.stores import RESULTS_ONLY
from xentexp.experiments._cli import main
from xentexp.experiments.datasets import simulated_delinquency

SMALL = [
    *("dataset=simulated_delinquency", "dataset.n_samples=300", "n_jobs=1", "cv.n_splits=3"),
    *RESULTS_ONLY,
]
LOGISTIC = [*SMALL, "models=[prior,logistic]", "losses=[brier_loss]", "primary=brier_loss"]
PRIOR = [*SMALL, "models=[prior]", "losses=[brier_loss]", "primary=brier_loss", "metrics=[]"]


def document(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["run", *words, "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def runs(workplace: Path, found: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The parent run, and the children by model."""
    client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    children = client.search_runs(
        [found["experiment_id"]], f"tags.`mlflow.parentRunId` = '{found['run_id']}'"
    )
    return client.get_run(found["run_id"]), {run.info.run_name: run for run in children}


@pytest.mark.long
def test_scores_on_random_and_grouped_folds_are_printed_and_logged(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *LOGISTIC, "dataset.person_effect=0.9", "--quiet"]) == 0
    output = capsys.readouterr()
    assert "warning: random folds share entities" in " ".join(output.err.split())
    assert "optimism" in output.out

    found = document([*LOGISTIC, "dataset.person_effect=0.9"], capsys)
    leak = found["leak"]
    both = {row["model"]: row for row in leak["comparison"]}
    assert both["logistic"]["optimism"] == pytest.approx(
        both["logistic"]["grouped"] - both["logistic"]["random"]
    )
    assert leak["entities"]["number"] == simulated_delinquency(n_samples=300).groups.nunique()
    parent, children = runs(workplace, found)
    assert set(children) == {"prior", "logistic"}
    for run in (parent, *children.values()):
        assert run.data.tags["xentexp.leak"].startswith("random folds share entities")
        assert run.data.params["entities.how"] == "groups of the data set"
    assert parent.data.metrics["leak/share_of_test_rows"] == leak["share_of_test_rows"]
    note = parent.data.tags["mlflow.note.content"]
    assert "Warning: random folds share entities" in note
    assert f"| {both['logistic']['grouped']:.4f} |" in note
    assert note.startswith("logistic has brier_loss ")
    assert "clustered by" in note

    grouped = document([*LOGISTIC, "dataset.person_effect=0.9", "cv=grouped"], capsys)
    assert "leak" not in grouped
    means = {row["model"]: row["mean"]["brier_loss"] for row in grouped["leaderboard"]}
    for name, run in children.items():
        assert run.data.metrics["cv_grouped/brier_loss"] == pytest.approx(means[name], abs=1e-12)
        assert run.data.metrics["cv/brier_loss"] == pytest.approx(both[name]["random"], abs=1e-12)


@pytest.mark.long
def test_check_warn_does_not_refit_and_ignore_does_not_warn(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document([*PRIOR, "leakage.check=warn"], capsys)
    assert found["leak"]["comparison"] is None
    parent, children = runs(workplace, found)
    assert "Warning: random folds share" in parent.data.tags["mlflow.note.content"]
    assert not any(key.startswith("cv_grouped/") for key in children["prior"].data.metrics)
    found = document([*PRIOR, "leakage.check=ignore"], capsys)
    assert "leak" not in found
    assert "xentexp.leak" not in runs(workplace, found)[0].data.tags


@pytest.mark.usefixtures("workplace")
def test_no_warning_without_a_leak(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        [*PRIOR, "dataset.repeats=1.0"],
        [*PRIOR, "cv=grouped"],
        ["dataset=uci_default", *PRIOR[2:]],
    ):
        assert main(["run", *words, "--json", "--quiet"]) == 0
        output = capsys.readouterr()
        assert "leak" not in json.loads(output.out)
        assert "share" not in output.err


def a_table(workplace: Path) -> list[str]:
    """A file with several cards of each person, without a column of person identifiers."""
    data = simulated_delinquency(n_samples=400, seed=2)
    pd.concat([data.X, data.y], axis=1).to_csv(workplace / "cards.csv", index=False)
    where = ["dataset=table", f"dataset.path={workplace / 'cards.csv'}", "dataset.target=credit"]
    return [*where, *PRIOR[2:]]


def test_persons_are_found_in_a_user_table(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = a_table(workplace)
    found = document(words, capsys)
    how = "found: rows with equal values in 16 columns (all but begin_month)"
    assert found["leak"]["entities"]["how"] == how
    number = simulated_delinquency(n_samples=400, seed=2).groups.nunique()
    assert found["leak"]["entities"]["number"] == number
    grouped = document([*words, "cv=grouped", "cv.groups=auto"], capsys)
    parent, children = runs(workplace, grouped)
    for run in (parent, children["prior"]):
        assert run.data.params["entities.number"] == str(number)
        assert run.data.params["entities.how"] == how
    named = document([*words, "leakage.key=[DAYS_BIRTH]"], capsys)
    assert named["leak"]["entities"]["how"] == "rows with equal values of DAYS_BIRTH"
    assert main(["datasets", "table", *(w.removeprefix("dataset.") for w in words[1:3])]) == 0
    assert how in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["leakage.check=compar"], "unknown leakage.check 'compar'; did you mean 'compare'"),
        (["leakage.key=[begin_mnth]"], "unknown column in leakage.key 'begin_mnth'; did you mean"),
        (
            ["leakage.key=gender"],
            "leakage.key must be a list of columns, e.g. .age,job., or null; got 'gender'",
        ),
        (["leakage.key=[gender]", "leakage.check=ignore"], "leave out one of the two keys"),
        (["leakage.key=[gender]"], "number of groups, 2; got .; set leakage.check=warn"),
        (["cv=grouped", "cv.groups=gender"], "cv.groups must be null, auto or a list of columns"),
        (["cv=grouped", "cv.groups=[gendr]"], "unknown column in cv.groups 'gendr'"),
        (
            ["cv=grouped", "cv.groups=3"],
            "cv.groups must be null, auto or a list of columns, e.g. .age,job.; got 3",
        ),
        (
            ["dataset.repeats=1", "cv=grouped", "cv.groups=auto"],
            "cv.groups=auto did not find entities",
        ),
    ],
)
def test_invalid_leakage_keys_are_rejected(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert main(["run", *PRIOR, *words]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_the_card_of_a_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "uci_default", "--key", "AGE,SEX", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["duplicates"]["rows"] == 56
    assert card["entities"]["columns"] == ["AGE", "SEX"]
    assert main(["datasets", "uci_default"]) == 0
    assert "none found" in capsys.readouterr().out
    words = ["simulated_delinquency", "n_samples=200", "repeats=1.0"]
    assert main(["datasets", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entities"]["number"] == 200
    assert main(["datasets", "table", "--key", "a"]) == 2
    assert "--key needs the rows of table" in capsys.readouterr().err
    assert main(["datasets", "table", "path"]) == 2
    assert "parameters must have the form NAME=VALUE; got 'path'" in capsys.readouterr().err


def test_the_entity_column_identifies_known_and_new_persons() -> None:
    from xentexp.experiments._models import EntityColumn, tabular_pipeline

    data = simulated_delinquency(n_samples=600, seed=1)
    person = data.groups.to_numpy()
    known = np.isin(person, np.unique(person)[: len(np.unique(person)) // 2])
    column = EntityColumn().fit(data.X[known])
    entity = column.transform(data.X)["entity"].to_numpy()
    assert len(set(zip(entity, person, strict=True))) == len(set(person)) == len(set(entity))
    one_row_each = simulated_delinquency(n_samples=600, seed=1, repeats=1.0).X
    assert "entity" not in EntityColumn().fit_transform(one_row_each)
    from sklearn.tree import DecisionTreeClassifier

    tree = tabular_pipeline(DecisionTreeClassifier(random_state=0), "entity_ordinal")
    tree.fit(data.X[known], data.y[known])
    assert tree.predict_proba(data.X[~known]).shape == ((~known).sum(), 3)


@pytest.mark.slow
def test_dacon_public_runs_on_files_of_its_shape(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("lightgbm", "xgboost", "catboost"):
        pytest.importorskip(package)
    from xentexp.experiments.datasets._dacon import FEATURES

    data = simulated_delinquency(n_samples=400, seed=2, person_effect=0.9)
    frame = data.X.assign(FLAG_MOBIL=1)[list(FEATURES)]
    frame.assign(credit=data.y).rename_axis("index").to_csv(workplace / "train.csv")
    small = [
        *("experiment=dacon_public", f"dataset.path={workplace}", "n_jobs=1", "cv.n_splits=3"),
        "models.lightgbm.classifier.n_estimators=5",
        "models.xgboost.classifier.estimator.n_estimators=5",
        "models.catboost_entity.classifier.estimator.iterations=5",
        "models.random_forest.classifier.n_estimators=5",
    ]
    found = document(small, capsys)
    both = {row["model"]: row for row in found["leak"]["comparison"]}
    names = {"prior", "lightgbm", "xgboost", "catboost_entity", "random_forest"}
    assert set(both) == names
    assert all(row["grouped"] is not None for row in both.values())
    assert both["lightgbm"]["optimism"] > 0
