"""Runs that docs/training.md shows: a custom loss matrix, and an experiment with fewer models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.stores import RESULTS_ONLY
from xentexp.experiments._cli import main

SMALL = [
    *RESULTS_ONLY,
    *("dataset=simulated_delinquency", "dataset.n_samples=300", "n_jobs=1", "cv.n_splits=3"),
]
MATRIX = [*SMALL, "models=[linear]", "train_on=[brier_loss,exponential_loss]", "--quiet"]


@pytest.mark.slow
@pytest.mark.parametrize("curves", [[], ["curves=[]"], ["curves=[zero_one_loss]"]])
def test_a_matrix_with_and_without_learning_curves(
    curves: list[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["losses=[brier_loss,categorical_crossentropy]", "leakage.check=ignore"]
    page = ["report=page", "report.pictures=false"]
    assert main(["run", *MATRIX, *words, *curves, *page, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss_matrix"]["cells"]
    (file,) = workplace.rglob("report.html")
    assert ("Learning curves" in file.read_text()) is bool(curves)


def test_an_experiment_with_other_models(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment=uci_benchmark", "models=[prior]", "published=null", "--quiet"]
    assert main(["run", *words, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["leaderboard"]
    assert "prior" in row.values()


@pytest.mark.long
@pytest.mark.usefixtures("workplace")
def test_columns_of_the_matrix_are_the_training_losses_and_the_leaderboard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", *MATRIX, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    columns = {cell["scored_on"] for cell in document["loss_matrix"]["cells"]}
    assert {"brier_loss", "exponential_loss"} <= columns
    assert len(columns) < 6


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train_on=[{loss:brier_loss,class_weight:heavy},brier_loss]"], "class_weight must be"),
        (["train_on=[brier_loss,brier_loss]"], "train_on has duplicate entries 'brier_loss'"),
        (["train_on=[squared_hinge_loss,brier_loss]"], "squared_hinge_loss is for two classes"),
        (["train_on=[zero_one_loss]"], "loss must have a gradient; got zero_one_loss"),
        (["train_on=brier_loss", "models=[logistic]"], "model logistic does not have it"),
    ],
)
def test_invalid_train_on_is_rejected_before_any_fit(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *MATRIX, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("model", "package", "extra"),
    [("lightgbm_loss", "lightgbm", "boosters"), ("network", "torch", "torch")],
)
def test_a_missing_package_is_reported_before_any_fit(
    model: str,
    package: str,
    extra: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["run", *MATRIX, f"models=[{model}]"]) == 2
    assert f"pip install 'xentexp[{extra}]'" in capsys.readouterr().err
