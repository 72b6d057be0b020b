"""`xentexp rescore`: new losses of earlier runs, without replacing what is logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import brier_score_loss

from tests.support.stores import RESULTS_ONLY, client, new_workplace, runs
from xentexp.experiments._cli import main
from xentexp.experiments._tracking.store import Store
from xentexp.losses import LOSSES, Properties, register_loss

RUN = [
    *("run", "--quiet", "n_jobs=1"),
    *("dataset=table", "dataset.path=made.csv", "dataset.target=y"),
    *RESULTS_ONLY,
]
FEW = ["losses=[categorical_crossentropy]", "metrics=[roc_auc]"]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """Folder with a store of one run with one loss, made once."""
    folder = tmp_path_factory.mktemp("finished")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(int)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv(folder / "made.csv", index=False)
    with new_workplace(folder, migrated_store):
        assert main([*RUN, *FEW, "leaderboard=null", "models=[prior,logistic]"]) == 0
    return folder


@pytest.fixture
def rescore(place: Path, capsys: Output) -> Callable[..., dict]:
    def of(*words: str, code: int = 0) -> dict:
        assert main(["rescore", "--json", *words]) == code
        return json.loads(capsys.readouterr().out)

    return of


def logged(name: str = "logistic") -> dict[str, float]:
    """Metrics of the run of a model."""
    (run,) = [run for run in runs() if run.info.run_name == name]
    return dict(run.data.metrics)


def predictions(name: str = "logistic") -> Path:
    (run,) = [run for run in runs() if run.info.run_name == name]
    return Path(f"mlartifacts/{run.info.run_id}/artifacts/predictions/oof.parquet")


def test_a_new_loss_is_logged_to_the_same_runs(rescore: Callable[..., dict]) -> None:
    before = logged()
    found = rescore("latest", "--losses", "brier_loss")
    # The Brier score of scikit-learn, by fold, from the stored file only.
    frame = pd.read_parquet(predictions())
    folds = [brier_score_loss(part["y"], part["proba_1"]) for _, part in frame.groupby("fold")]
    after = logged()
    assert after["cv/brier_loss"] == pytest.approx(np.mean(folds), rel=1e-12)
    (run,) = [run for run in runs() if run.info.run_name == "logistic"]
    history = client().get_metric_history(run.info.run_id, "fold/brier_loss")
    assert [item.value for item in history] == pytest.approx(folds, rel=1e-12)
    assert after["cv_low/brier_loss"] < after["cv/brier_loss"] < after["cv_high/brier_loss"]
    assert logged("prior")["diff/brier_loss"] > 0.0
    assert {key: after[key] for key in before} == before
    assert len(runs()) == 2
    models = {model["model"]: model["values"]["brier_loss"] for model in found["models"]}
    assert models["logistic"]["folds"] == pytest.approx(folds, rel=1e-12)
    assert models["prior"]["difference"]["difference"] == pytest.approx(
        logged("prior")["diff/brier_loss"]
    )


def test_the_tables_of_the_parent_run_have_the_new_loss(rescore: Callable[..., dict]) -> None:
    found = rescore("latest", "--losses", "brier_loss")
    folder = Path(f"mlartifacts/{found['run_id']}/artifacts")
    board = json.loads((folder / "1_leaderboard.json").read_text())
    rows = [dict(zip(board["columns"], row, strict=True)) for row in board["data"]]
    values = {row["model"]: row["mean"] for row in rows if row["loss"] == "brier_loss"}
    assert values["logistic"] == round(logged()["cv/brier_loss"], 4)
    assert set(values) == {"prior", "logistic"}
    assert any(row["loss"] == "categorical_crossentropy" for row in rows)
    record = json.loads((folder / "uncertainty.json").read_text())
    assert record["primary"] == "categorical_crossentropy"
    (logistic,) = [model for model in record["models"] if model["model"] == "logistic"]
    assert set(logistic["levels"]) >= {"categorical_crossentropy", "brier_loss"}
    rescore("latest", "--losses", "spherical_loss")
    record = json.loads((folder / "uncertainty.json").read_text())
    (logistic,) = [model for model in record["models"] if model["model"] == "logistic"]
    assert set(logistic["levels"]) >= {"brier_loss", "spherical_loss"}
    assert record["best"]["brier_loss"] == "logistic"


def test_the_leaderboard_shows_the_new_loss(rescore: Callable[..., dict], capsys: Output) -> None:
    rescore("latest", "--losses", "brier_loss")
    assert main(["leaderboard", "--losses", "brier_loss"]) == 0
    assert "brier_loss" in capsys.readouterr().out


def test_equal_values_are_left_as_they_are(rescore: Callable[..., dict]) -> None:
    rescore("latest", "--losses", "brier_loss")
    again = rescore("latest", "--losses", "brier_loss")
    assert all(model["written"] == [] for model in again["models"])
    assert "cv/brier_loss" in again["models"][0]["unchanged"]


def test_other_values_are_an_error_without_overwrite(
    rescore: Callable[..., dict], capsys: Output
) -> None:
    (run,) = [run for run in runs() if run.info.run_name == "logistic"]
    client().log_metric(run.info.run_id, "cv/brier_loss", 0.5)
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 2
    error = capsys.readouterr().err
    assert "cv/brier_loss of logistic" in error
    assert "--overwrite" in error
    assert "cv/brier_loss" not in logged("prior")  # nothing of the other model either
    rescore("latest", "--losses", "brier_loss", "--overwrite")
    assert logged()["cv/brier_loss"] < 0.3
    # The leaderboard reads the table of all scores, which has one row for each value.
    table = pd.read_parquet(predictions().parents[1] / "scores.parquet")
    rows = table[(table["name"] == "brier_loss") & (table["section"] == "cv")]
    assert rows["value"].tolist() == [pytest.approx(logged()["cv/brier_loss"])]
    rescore("latest", "--losses", "brier_loss")
    assert len(pd.read_parquet(predictions().parents[1] / "scores.parquet")) == len(table)


def test_a_loss_that_was_registered_later(rescore: Callable[..., dict]) -> None:
    brier = LOSSES["brier_loss"]
    example = ">>> doubled_brier([0, 1, 1], [0.1, 0.8, 0.6])\n0.14..."

    @dataclass(frozen=True)
    class Doubled(type(brier)):  # type: ignore[misc]
        name: ClassVar[str] = "doubled_brier"
        properties: ClassVar[Properties] = replace(brier.properties, example=example, peers=())

        def block_values(self, block: object) -> object:
            return 2.0 * super().block_values(block)

    register_loss(Doubled)
    try:
        rescore("latest", "--losses", "brier_loss,doubled_brier")
    finally:
        del LOSSES["doubled_brier"]
    values = logged()
    assert values["cv/doubled_brier"] == pytest.approx(2.0 * values["cv/brier_loss"])


def test_an_interruption_leaves_nothing_half_written(
    rescore: Callable[..., dict], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, calls = Store.log, []

    def fail_second(store: Store, run_id: str, items: list) -> None:
        calls.append(run_id)
        if len(calls) == 2:
            raise OSError("no space left on device")
        log(store, run_id, items)

    monkeypatch.setattr(Store, "log", fail_second)
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 2
    assert "no space left" in capsys.readouterr().err
    with_values = [name for name in ("prior", "logistic") if "cv/brier_loss" in logged(name)]
    assert len(with_values) == 1
    assert {"cv_low/brier_loss", "fold/brier_loss"} <= set(logged(with_values[0]))
    monkeypatch.setattr(Store, "log", log)
    rescore("latest", "--losses", "brier_loss")  # the same command completes it
    assert {"cv/brier_loss", "fold/brier_loss"} <= set(logged("prior")) & set(logged("logistic"))


def test_one_model_is_rescored_alone(rescore: Callable[..., dict]) -> None:
    found = rescore("logistic", "--losses", "brier_loss")
    assert found["run_id"] is None
    assert "cv/brier_loss" in logged()
    assert "diff/brier_loss" not in logged()
    assert "cv/brier_loss" not in logged("prior")
    assert any("only logistic was rescored" in note for note in found["notes"])


def to_version_1() -> None:
    """Turn the stored files into those that older versions wrote: without metadata."""
    for path in Path("mlartifacts").glob("*/artifacts/predictions/oof.parquet"):
        frame = pq.read_table(path).to_pandas()
        frame.to_parquet(path, index=False)


def test_runs_of_older_versions(rescore: Callable[..., dict]) -> None:
    rescore("latest", "--losses", "d2_log_loss_score,brier_loss")
    new = logged()
    to_version_1()
    again = rescore("latest", "--losses", "d2_log_loss_score,brier_loss")
    assert logged() == new  # the class frequencies are those of the other folds
    assert all(model["written"] == [] for model in again["models"])
    assert any("without the groups of the rows" in note for note in again["notes"])


def test_frequencies_that_older_versions_did_not_store(place: Path, capsys: Output) -> None:
    assert (
        main(
            [
                *RUN,
                *FEW,
                "leaderboard=null",
                "models=[prior,logistic]",
                "cv=holdout",
                "cv.n_test=100",
            ]
        )
        == 0
    )
    to_version_1()
    assert main(["rescore", "latest", "--losses", "d2_log_loss_score"]) == 2
    assert "class frequencies of the training rows" in capsys.readouterr().err
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 0


def test_a_loss_that_applies_to_no_model(place: Path, capsys: Output) -> None:
    assert main([*RUN, "models=[linear_svm]"]) == 0
    capsys.readouterr()
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 1
    assert "linear_svm: brier_loss needs probabilities" in capsys.readouterr().out
    assert main(["rescore", "latest", "--losses", "brier_loss", "--json"]) == 1
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["values"]["brier_loss"]["reason"] == "needs probabilities"


def test_what_is_refused(place: Path, capsys: Output) -> None:
    def error(*words: str) -> str:
        assert main(["rescore", *words]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        return captured.err

    assert "unknown loss or metric" in error("latest", "--losses", "brierr")
    assert "unknown model or run" in error("ffff", "--losses", "brier_loss")
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 0
    capsys.readouterr()
    predictions().unlink()
    assert "has no stored predictions" in error("latest", "--losses", "brier_loss")


def test_an_empty_store(workplace: Path, capsys: Output) -> None:
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 2
    assert "does not contain a finished run" in capsys.readouterr().err


def test_a_replaced_primary_loss_changes_answer_and_note(
    rescore: Callable[..., dict], capsys: Output
) -> None:
    (run,) = [run for run in runs() if run.info.run_name == "logistic"]
    parent = run.data.tags["mlflow.parentRunId"]
    folder = Path(f"mlartifacts/{parent}/artifacts")
    file = folder / "uncertainty.json"
    record = json.loads(file.read_text())
    right = record["answer"]
    file.write_text(json.dumps({**record, "answer": "prior is best"}))
    client().log_metric(run.info.run_id, "cv/categorical_crossentropy", 0.9)
    name = ["--losses", "categorical_crossentropy", "--overwrite"]
    assert main(["rescore", "logistic", *name]) == 2
    assert f"write its id, {parent[:8]}" in capsys.readouterr().err
    for _ in range(2):  # the note does not grow
        rescore("latest", *name)
        tags = client().get_run(parent).data.tags
        assert tags["xentexp.answer"] == json.loads(file.read_text())["answer"] == right
        assert tags["best_model"] == "logistic"
        assert tags["mlflow.note.content"].startswith(right)
        assert tags["mlflow.note.content"] == (folder / "leaderboard.md").read_text()
        assert tags["mlflow.note.content"].count("Note before `xentexp rescore") == 1


@pytest.mark.parametrize("name", ["uncertainty.json", "scores.parquet", "1_leaderboard.json"])
def test_damaged_files_are_named(place: Path, capsys: Output, name: str) -> None:
    for file in Path("mlartifacts").glob(f"*/artifacts/{name}"):
        file.write_bytes(file.read_bytes()[:50])
    assert main(["rescore", "latest", "--losses", "brier_loss"]) == 2
    assert f"{name} of run" in capsys.readouterr().err
    if name != "1_leaderboard.json":
        assert main(["leaderboard"]) == 2
        assert "it is damaged" in capsys.readouterr().err
