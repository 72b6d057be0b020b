"""Runs whose words the README has: a matrix of one's own, and a part of an experiment's models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xentexp.cli import main

SMALL = ["dataset=simulated_delinquency", "dataset.n_samples=300", "n_jobs=1", "cv.n_splits=3"]
MATRIX = [*SMALL, "models=[linear]", "train_on=[brier_loss,exponential_loss]", "--quiet"]


@pytest.mark.parametrize("curves", [[], ["curves=[]"], ["curves=[zero_one_loss]"]])
def test_a_matrix_with_and_without_learning_curves(
    curves: list[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["losses=[brier_loss,categorical_crossentropy]", "leakage.check=ignore"]
    assert main(["run", *MATRIX, *words, *curves, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss_matrix"]["cells"]
    (file,) = workplace.rglob("report.html")
    assert ("Learning curves" in file.read_text()) is bool(curves)


def test_an_experiment_with_a_part_of_its_models(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment=uci_benchmark", "models=[prior]", "published=null", "--quiet"]
    assert main(["run", *words, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["leaderboard"]
    assert "prior" in row.values()
