"""What `xentexp run` says before the fits: notes, findings, rare classes; and its seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from tests.support.stores import RESULTS_ONLY, client, runs
from xentexp.experiments._cli import main
from xentexp.experiments._models import tabular_pipeline

TABLE = [
    *RESULTS_ONLY,
    *("dataset=table", "dataset.path=loans.csv", "dataset.target=y", "n_jobs=1"),
]
PRIOR = ["run", *TABLE, "models=[prior]", "cv.n_splits=3"]


def write(folder: Path, **columns: object) -> pd.DataFrame:
    """300 loans, sorted by class."""
    rng = np.random.default_rng(0)
    y = np.repeat(["no", "yes"], [200, 100])
    frame = pd.DataFrame({"income": rng.lognormal(10, 1, 300).round(2), **columns, "y": y})
    frame.to_csv(folder / "loans.csv", index=False)
    return frame


def document(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_a_run_says_what_it_found_before_the_fits(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = np.repeat([0, 1], [200, 100])
    clients = np.random.default_rng(1).permutation(300)
    write(workplace, row=np.arange(300), client_id=clients, country="KR", paid_late=copied)
    found, err = document(PRIOR, capsys)
    lines = err.splitlines()
    expected = [
        "300 rows, 4 features",
        "note: left out a column: the row number 'row' orders the target",
        "warning: the target is known from the column 'paid_late': this column by itself gives log",
        "warning: the column 'client_id' identifies the rows",
        "warning: the column 'country' has the same value in every row",
        "fit time",
    ]
    for line, text in zip(lines, expected, strict=True):
        assert text in line
    typed = ["keep=[row]", "drop=[paid_late]", "drop=[client_id]", "drop=[country]"]
    for line, words in zip(lines[1:5], typed, strict=True):
        assert line.endswith(f"set dataset.{words}")
    assert [finding["columns"] for finding in found["findings"]] == [
        ["paid_late"],
        ["client_id"],
        ["country"],
    ]
    assert found["notes"] == [lines[1].removeprefix("note: ")]
    (parent,) = runs("comparison")
    (child,) = runs()
    assert parent.data.tags["xentexp.findings"].splitlines() == lines[1:5]
    assert child.data.tags["xentexp.findings"].splitlines() == lines[1:5]
    for line in lines[1:5]:
        assert f"- {line}" in parent.data.tags["mlflow.note.content"]
    text = client().download_artifacts(parent.info.run_id, "findings.md")
    assert Path(text).read_text() == "".join(f"- {line}\n" for line in lines[1:5])


def test_what_is_typed_as_advised_leaves_nothing_to_say(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workplace, **{"client id": np.random.default_rng(1).permutation(300), "country": "KR"})
    _, err = document(PRIOR, capsys)
    assert "dataset.drop=['client id']" in err
    found, err = document([*PRIOR, "dataset.drop=['client id',country]"], capsys)
    assert found["findings"] == found["notes"] == []
    assert "warning" not in err
    assert "note" not in err
    parent = client().get_run(found["run_id"])
    assert "xentexp.findings" not in parent.data.tags


def test_quiet_prints_only_warnings_about_scores(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workplace, row=np.arange(300), country="KR")
    _, err = document([*PRIOR, "--quiet"], capsys)
    assert err == ""
    found, err = document([*PRIOR, "--quiet", "dataset.keep=[row]"], capsys)
    assert err.startswith("warning: the row number 'row' orders the target")
    assert [finding["name"] for finding in found["findings"]] == ["row_order", "constant"]


def test_a_row_number_does_not_change_the_scores(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *TABLE, "models=[logistic]", "cv.n_splits=3", "--quiet"]
    write(workplace)
    without, _ = document(words, capsys)
    write(workplace, row=np.arange(300))
    with_number, _ = document(words, capsys)
    mean = without["leaderboard"][0]["mean"]
    assert with_number["leaderboard"][0]["mean"] == mean
    kept, _ = document([*words, "dataset.keep=[row]"], capsys)
    assert kept["leaderboard"][0]["mean"]["categorical_crossentropy"] < 0.2
    assert mean["categorical_crossentropy"] > 0.5


def test_a_time_column_is_kept_because_it_is_named(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = write(workplace, row=np.arange(300))
    frame["y"] = np.where(np.random.default_rng(0).random(300) < frame["row"] / 300, "yes", "no")
    frame.to_csv("loans.csv", index=False)
    words = ["run", *TABLE, "models=[prior]"]
    found, _ = document([*words, "cv=time_ordered", "cv.time_column=row"], capsys)
    assert found["notes"] == found["findings"] == []
    found, _ = document([*words, "leakage.key=[row]"], capsys)
    assert [finding["name"] for finding in found["findings"]] == ["row_order"]
    found, _ = document(words, capsys)
    assert "the row number 'row' orders the target" in found["notes"][0]


def test_datasets_shows_the_same(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workplace, row=np.arange(300), country="KR")
    found, _ = document(PRIOR, capsys)
    assert main(["datasets", "table", "path=loans.csv", "target=y", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["notes"], card["findings"]) == (found["notes"], found["findings"])
    assert main(["datasets", "table", "path=loans.csv", "target=y"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the column 'country' has the same value in every row; set dataset.drop=[country]" in out
    assert "the row number 'row' orders the target" in out


def test_many_long_column_names_do_not_exceed_the_length_of_a_tag(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{'x' * 900}{i}" for i in range(12)]
    write(workplace, **dict.fromkeys(names, 1))
    found, _ = document(PRIOR, capsys)
    assert found["findings"][0]["columns"] == names


# -- rare classes -------------------------------------------------------------------------------


@pytest.fixture
def rare(workplace: Path) -> Path:
    frame = write(workplace, job=np.random.default_rng(1).choice(["cook", "clerk"], 300))
    frame.loc[[3, 4, 5, 6], "y"] = "late"
    frame.loc[[10, 20], "y"] = "gone"
    frame.loc[30, "y"] = "lost"
    frame.sample(frac=1, random_state=0).to_csv("loans.csv", index=False)
    return workplace / "loans.csv"


def test_the_advice_for_a_rare_class_can_be_followed(
    rare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *TABLE, "models=[prior]"]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err == (
        "xentexp: error: cv.n_splits must be at most the number of rows of each class; got 5, but "
        "class 'lost' has 1 row; set dataset.rare=drop to leave out such "
        "classes or dataset.rare=join to make one class of them\n"
    )
    found, err = document([*words, "dataset.rare=drop"], capsys)
    assert found["notes"] == [
        "left out 7 rows of 3 classes with fewer than 5 rows: late (4), gone (2), lost (1)"
    ]
    assert client().get_run(found["run_id"]).data.params["n_rows"] == "293"
    found, err = document([*words, "dataset.rare=join", "cv.n_splits=3"], capsys)
    assert found["notes"] == [
        "joined 2 classes with fewer than 3 rows: gone (2), lost (1), into the class 'other'"
    ]
    found, err = document([*words, "dataset.rare=join"], capsys)
    assert found["notes"][0].startswith("joined 3 classes with fewer than 5 rows")
    params = client().get_run(found["run_id"]).data.params
    assert (params["n_classes"], params["dataset.rare_below"]) == ("3", "5")


def test_fewer_splits_are_advised_only_if_they_help(
    rare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(rare)
    frame[frame["y"].isin(["yes", "no", "late"])].to_csv(rare, index=False)
    assert main(["run", *TABLE, "models=[prior]"]) == 2
    assert "has 4 rows; set cv.n_splits=4, or set dataset.rare=drop" in capsys.readouterr().err
    document(["run", *TABLE, "models=[prior]", "cv.n_splits=4"], capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.rare=merge"], "dataset.rare must be drop, join or null; got 'merge'"),
        (["dataset.keep=job"], "dataset.keep must be a list of columns; got 'job'; write dataset."),
        (["dataset.rare_below=x", "dataset.rare=drop"], "rare_below must be an integer; got 'x'"),
    ],
)
def test_values_of_rare_and_keep_are_checked(
    words: list[str], message: str, rare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *TABLE, "models=[prior]", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_class_that_a_fold_does_not_train_on_is_named(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workplace, time=np.sort(np.random.default_rng(0).choice(10**6, 300, replace=False)))
    words = ["cv=time_ordered", "cv.time_column=time", "cv.n_splits=2"]
    found, err = document(["run", *TABLE, "models=[prior]", *words], capsys)
    finding = found["findings"][-1]
    assert finding["name"] == "absent_classes"
    assert "no row of class 'yes' in 2 of 2 folds" in finding["message"]
    assert "choose other folds, e.g. cv=stratified" in err


# -- seeds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed_line", ["", "    random_state: null\n"], ids=["absent", "null"])
def test_a_model_file_without_a_seed_gets_that_of_the_run(
    seed_line: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = table_csv.parent / "own" / "models"
    models.mkdir(parents=True)
    (models / "forest.yaml").write_text(
        "forest:\n  preprocessing: ordinal\n  classifier:\n"
        "    _target_: sklearn.ensemble.RandomForestClassifier\n    n_estimators: 20\n"
        "    min_samples_leaf: 10\n" + seed_line
    )
    words = ["run", "--config-dir", "own", *TABLE, "dataset.path=table.csv"]
    words += ["dataset.target=grade", "models=[forest]", "cv.n_splits=3", "seed=11"]

    def loss(*more: str) -> float:
        found, _ = document([*words, *more], capsys)
        return found["leaderboard"][0]["mean"]["categorical_crossentropy"]

    first = loss()
    assert loss() == first
    assert runs()[0].data.params["classifier.random_state"] == "11"
    frame = pd.read_csv(table_csv)
    X, y = frame.drop(columns="grade"), frame["grade"]
    losses = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=11).split(X, y):
        forest = RandomForestClassifier(20, min_samples_leaf=10, random_state=11)
        model = tabular_pipeline(forest, "ordinal")
        proba = model.fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])
        losses.append(log_loss(y[test], proba))
    assert first == pytest.approx(np.mean(losses), rel=1e-6)
    fixed = loss(f"{'' if seed_line else '+'}models.forest.classifier.random_state=3")
    assert fixed != first
    assert runs()[0].data.params["classifier.random_state"] == "3"
