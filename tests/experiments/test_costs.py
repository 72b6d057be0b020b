"""Costs of decisions: from the configuration to the stored predictions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from tests.experiments.config.test_config import SMALL, compose
from xentexp.errors import InputError
from xentexp.experiments import Card, Dataset, make_dataset, run_experiment
from xentexp.experiments._config.study import build
from xentexp.experiments._predictions import read_predictions
from xentexp.experiments._record import pooled
from xentexp.experiments._results import out_of_fold

FIVE_TO_ONE = ((0.0, 1.0), (5.0, 0.0))


@pytest.fixture
def table(tmp_path: Path) -> list[str]:
    """Words of a run on a file with amounts."""
    path = tmp_path / "loans.csv"
    rows = [f"{i % 7},{100 + i},{'cook' if i % 3 else 'clerk'},{i % 2}" for i in range(60)]
    path.write_text("\n".join(["x,limit,job,bad", *rows]))
    return ["dataset=table", f"dataset.path='{path}'", "dataset.target=bad", "models=[prior]"]


def test_costs_of_two_classes_are_a_matrix(table: list[str]) -> None:
    study = build(compose(*table, "dataset.cost={miss: 5, false_alarm: 1}"))
    assert study.dataset.cost == FIVE_TO_ONE
    assert study.dataset.amount is None
    assert study.dataset_parameters["cost"] == {"miss": 5, "false_alarm": 1}
    same = build(compose(*table, "dataset.cost={matrix: [[0, 1], [5, 0]]}"))
    assert same.dataset.cost == FIVE_TO_ONE
    plain = build(compose(*table))
    assert plain.dataset.cost is None
    assert "cost" not in plain.dataset_parameters
    # Costs change what the report shows, not the values of the run.
    assert plain.config_hash == study.config_hash
    assert plain.dataset.digest == study.dataset.digest


def test_amounts_may_be_a_feature_or_not(table: list[str]) -> None:
    cost = "dataset.cost={miss: 5, false_alarm: 1, amount: limit}"
    study = build(compose(*table, cost))
    assert "limit" in study.dataset.X
    assert study.dataset.amount.tolist() == [100.0 + i for i in range(60)]
    study = build(compose(*table, cost, "dataset.drop=[limit]"))
    assert "limit" not in study.dataset.X
    assert study.dataset.amount.tolist() == [100.0 + i for i in range(60)]
    small = build(compose(*SMALL, "dataset.cost={matrix: [[0,1,2],[1,0,1],[2,1,0]]}"))
    assert small.dataset.cost == ((0.0, 1.0, 2.0), (1.0, 0.0, 1.0), (2.0, 1.0, 0.0))


def test_amounts_of_a_data_set_are_one_of_its_features() -> None:
    words = ["dataset=uci_default", "models=[prior]"]
    study = build(compose(*words, "dataset.cost={miss: 5, false_alarm: 1, amount: LIMIT_BAL}"))
    assert study.dataset.amount.tolist() == study.dataset.X["LIMIT_BAL"].tolist()


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ("{mis: 5, false_alarm: 1}", "unknown key of dataset.cost 'mis'; did you mean 'miss'"),
        ("{miss: 5}", r"dataset.cost must be costs such as \{miss: 5, false_alarm: 1\}"),
        ("{miss: 5, false_alarm: 1, matrix: [[0,1],[5,0]]}", "dataset.cost must be costs such as"),
        ("5", "dataset.cost must be costs such as"),
        (
            "{miss: 0, false_alarm: 1}",
            "dataset.cost.miss must be a number > 0 and <= 1e.100; got 0",
        ),
        ("{miss: 5, false_alarm: many}", "dataset.cost.false_alarm must be a number > 0"),
        ("{matrix: [0,1]}", "dataset.cost.matrix must be a list of lists of numbers"),
        ("{matrix: [[0,1]]}", r"dataset.cost.matrix must have 2 rows and columns.*\(1, 2\)"),
        ("{miss: 1e200, false_alarm: 1}", "dataset.cost.miss must be a number > 0 and <= 1e.100"),
        ("{matrix: [[5,0],[0,5]]}", "dataset.cost.matrix must not have a wrong decision"),
        ("{matrix: [[0,1],[-1,0]]}", "dataset.cost.matrix must have costs from 0"),
        ("{miss: 5, false_alarm: 1, amount: limi}", "'limi'; did you mean 'limit'"),
        ("{miss: 5, false_alarm: 1, amount: bad}", "dataset.cost.amount must not be the target"),
        ("{miss: 5, false_alarm: 1, amount: job}", r"^dataset.cost.amount \(job\) must be finite"),
    ],
)
def test_costs_are_checked(cost: str, message: str, table: list[str]) -> None:
    with pytest.raises(InputError, match=message):
        build(compose(*table, f"dataset.cost={cost}"))


def test_amounts_that_would_overflow_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "loans.csv"
    path.write_text("\n".join(["x,limit,bad", *(f"{i % 7},1e308,{i % 2}" for i in range(60))]))
    words = ["dataset=table", f"dataset.path='{path}'", "dataset.target=bad", "models=[prior]"]
    with pytest.raises(InputError, match=r"dataset.cost.amount must have numbers <= 1e\+100"):
        build(compose(*words, "dataset.cost={miss: 5, false_alarm: 1, amount: limit}"))


def test_costs_of_other_data_sets_are_checked() -> None:
    with pytest.raises(InputError, match="must have a matrix for more than two classes"):
        build(compose(*SMALL, "dataset.cost={miss: 5, false_alarm: 1}"))
    words = ["dataset=uci_default", "models=[prior]"]
    for column, message in (
        ("LIMIT", "unknown column of dataset.cost.amount 'LIMIT'"),
        ("SEX", "dataset.cost.amount must be a column of numbers; got 'SEX'"),
        ("BILL_AMT1", r"dataset.cost.amount \(BILL_AMT1\) must be finite numbers >= 0; got -"),
    ):
        cost = f"dataset.cost={{miss: 5, false_alarm: 1, amount: {column}}}"
        with pytest.raises(InputError, match=message):
            build(compose(*words, cost))


def made(**options: Any) -> Dataset:
    X = pd.DataFrame({"x": np.arange(30.0)})
    return make_dataset(X, np.arange(30) % 2, Card("small"), **options)


def test_stored_predictions_have_costs_and_amounts(tmp_path: Path) -> None:
    data = made(cost=[[0, 1], [5, 0]], amount=np.arange(30) + 1)
    result = run_experiment(data, {"prior": DummyClassifier()})
    predictions = out_of_fold(result.candidate_results[0], data)
    assert predictions is not None
    path = tmp_path / "oof.parquet"
    predictions.write(path)
    read = read_predictions(path, dataset="", digest="", ordered=False)
    for found in (predictions, read):
        assert found.cost == FIVE_TO_ONE
        rows = pooled(found)
        assert rows.amount is not None
        assert rows.amount.tolist() == (rows.rows + 1).tolist()


def test_files_without_costs_are_read(tmp_path: Path) -> None:
    data = made()
    result = run_experiment(data, {"prior": DummyClassifier()})
    predictions = out_of_fold(result.candidate_results[0], data)
    assert predictions is not None
    path = tmp_path / "oof.parquet"
    predictions.write(path)
    read = read_predictions(path, dataset="", digest="", ordered=False)
    assert read.cost is None
    assert pooled(read).amount is None
    assert "amount" not in pd.read_parquet(path)


def test_make_dataset_checks_costs_and_amounts() -> None:
    with pytest.raises(InputError, match="small: cost must have 2 rows and columns"):
        made(cost=[[0, 1, 2]])
    with pytest.raises(InputError, match=r"small: amounts must be .* >= 0; got -1\.0"):
        made(amount=-np.ones(30))
    with pytest.raises(InputError, match="must have the same length; got X 30, y 30, amount 2"):
        made(amount=[1, 2])
    assert dataclasses.replace(made(), cost=FIVE_TO_ONE).digest == made().digest
