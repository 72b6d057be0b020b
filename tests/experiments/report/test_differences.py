"""Section of differences: who wins, in folds and with intervals; ties have no winner."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier

from tests.support.contents import numbers_without_a_cell, sentences, tables
from tests.support.records import credit_data, example_record, numeric
from xentexp.experiments import CrossValidation
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import PageSection
from xentexp.experiments._report.differences import differences_section

DATA = numeric(credit_data(1000))


def record(models: dict[str, Any], **options: Any) -> RunRecord:
    losses = ["categorical_crossentropy"]
    return example_record(DATA, models, losses=losses, metrics=["roc_auc"], **options)


@pytest.fixture(scope="module")
def three() -> RunRecord:
    models = {
        "prior": DummyClassifier(),
        "logistic": LogisticRegression(),
        "tree": DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
        "stump": DecisionTreeClassifier(max_depth=1),
    }
    return record(models)


def section(run: RunRecord) -> PageSection:
    found = differences_section(run)
    assert found is not None
    return found


def texts(run: RunRecord) -> list[str]:
    return [str(text) for text in sentences(section(run).blocks)]


def test_the_table_has_the_differences_of_scikit_learns_log_loss(three: RunRecord) -> None:
    (table,) = tables(section(three).blocks)
    values = {
        model.name: [
            log_loss(fold.y, fold.proba, labels=[0, 1]) for fold in model.predictions.folds
        ]
        for model in three.models
        if model.predictions is not None
    }
    best = min(values, key=lambda name: np.mean(values[name]))
    assert table.headers[:2] == ("model", f"minus {best}")
    for row in table.rows:
        folds = np.array(values[row[0].text]) - np.array(values[best])
        assert row[1].value == pytest.approx(folds.mean())
        assert row[4].value == (folds > 0).sum()
        assert [cell.value for cell in row[6:]] == pytest.approx(folds.tolist())


def test_the_constant_model_is_not_drawn_beside_others(three: RunRecord) -> None:
    (table,) = tables(section(three).blocks)
    assert {row[0].text for row in table.rows} == {"tree", "stump"}


def test_the_finding_is_true_and_its_numbers_stand_in_the_table(three: RunRecord) -> None:
    assert numbers_without_a_cell(section(three).blocks) == []
    (table,) = tables(section(three).blocks)
    wins = {row[0].text: row[4].value for row in table.rows}
    finding = texts(three)[0]
    if set(wins.values()) == {5.0}:
        assert finding.endswith("in all 5 folds")
    else:
        assert f"in {min(wins.values()):.0f} of 5 folds" in finding


def changed(run: RunRecord, values: dict[str, list[float]]) -> RunRecord:
    """The same run with other values of the folds."""
    models = [
        dataclasses.replace(model, fold_values={run.about.primary: values[model.name]})
        if model.name in values
        else model
        for model in run.models
    ]
    return dataclasses.replace(run, models=tuple(models))


@pytest.mark.parametrize(
    ("tree", "finding"),
    [
        ([2.0, 2.0, 2.0, 2.0, 2.0], "logistic is better than {others} in all 5 folds"),
        ([2.0, 0.5, 2.0, 2.0, 1.0], "logistic is better than tree in 3 of 5 folds"),
    ],
)
def test_a_fold_is_won_only_if_it_is_better(
    three: RunRecord, tree: list[float], finding: str
) -> None:
    run = changed(three, {"logistic": [1.0] * 5, "stump": [3.0] * 5, "tree": tree})
    known = run.uncertainty
    assert known is not None
    others = " and ".join(known.standing(known.primary).rivals())
    assert texts(run)[0] == finding.format(others=others)


def test_equal_models_have_no_winner() -> None:
    run = record({"a": LogisticRegression(), "b": LogisticRegression()})
    assert texts(run)[0] == "a and b have the same categorical_crossentropy in all 5 folds"


def test_models_that_cannot_be_told_apart_have_no_winner() -> None:
    run = record({"a": LogisticRegression(C=1.0), "b": LogisticRegression(C=1.001)})
    assert run.uncertainty is not None
    best = run.uncertainty.best[run.about.primary]
    other = {"a": "b", "b": "a"}[best]
    assert texts(run)[0].startswith(f"{best} and {other} cannot be told apart; ")


def test_one_split_has_no_folds_to_compare() -> None:
    models = {"logistic": LogisticRegression(), "stump": DecisionTreeClassifier(max_depth=1)}
    run = record(models, cv=CrossValidation("holdout", n_test=100))
    found = texts(run)
    assert "of the models minus that of" in found[0]
    assert "One split: the differences have no values of other folds." in found


def test_one_model_is_compared_with_the_constant_one() -> None:
    (table,) = tables(section(record({"logistic": LogisticRegression()})).blocks)
    assert [row[0].text for row in table.rows] == ["constant"]
    assert differences_section(record({"prior": DummyClassifier()})) is None


def test_an_infinite_difference_is_a_word_and_has_its_reason(three: RunRecord) -> None:
    known = three.uncertainty
    assert known is not None
    name = known.primary
    models = []
    for model in known.models:
        difference = model.differences.get(name)
        if difference is not None and model.model == "tree":
            infinite = dataclasses.replace(
                difference, difference=math.inf, low=math.nan, high=math.nan, p=math.nan,
                reason="a value is not finite",
            )  # fmt: skip
            model = dataclasses.replace(model, differences={name: infinite})
        models.append(model)
    board = dataclasses.replace(
        three.board, uncertainty=dataclasses.replace(known, models=tuple(models))
    )
    run = dataclasses.replace(three, board=board)
    assert "No interval for tree: a value is not finite." in texts(run)
    (table,) = tables(section(run).blocks)
    row = next(row for row in table.rows if row[0].text == "tree")
    assert [cell.text for cell in row[1:4]] == ["infinite", "undefined", "undefined"]


def test_better_is_higher_for_the_area_under_the_curve() -> None:
    models = {"logistic": LogisticRegression(), "stump": DecisionTreeClassifier(max_depth=1)}
    run = record(models, primary="roc_auc")
    (table,) = tables(section(run).blocks)
    assert table.rows[0][1].value < 0.0
    wins = sum(cell.value < 0.0 for cell in table.rows[0][6:])
    assert table.rows[0][4].value == wins > 2


def test_eight_models_are_drawn_and_the_others_are_in_the_table() -> None:
    models = {
        f"tree {i}": DecisionTreeClassifier(max_depth=2 + i % 3, min_samples_leaf=5 + i)
        for i in range(10)
    }
    run = record(models, cv=2)
    assert "2 more models in the numbers of the figure only." in texts(run)
    (table,) = tables(section(run).blocks)
    assert len(table.rows) == 9
