"""Section on stability: the order in the folds and the shifts of the scores."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.support.contents import cells_of, check_numbers, text_of
from tests.support.records import credit_data, example_record, numeric
from tests.support.runs import run
from xentexp.experiments import Card, CrossValidation, make_dataset
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import PageFigure, PageSection
from xentexp.experiments._report.stability import stability_section, stability_table

LOSS = "categorical_crossentropy"


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return example_record(losses=[LOSS])


def section_of(record: RunRecord) -> PageSection:
    section = stability_section(record)
    assert section is not None
    check_numbers(section)
    return section


def with_values(record: RunRecord, **values: list[float]) -> RunRecord:
    models = tuple(
        dataclasses.replace(model, fold_values={LOSS: values.get(model.name, [9.0] * 5)})
        for model in record.models
    )
    return dataclasses.replace(record, models=models)


def test_values_are_those_of_the_folds(record: RunRecord) -> None:
    section = section_of(record)
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    for row in figure.data.rows:
        model = record.model(row[0].text)
        assert model is not None
        expected = list(model.fold_values[LOSS])
        assert [c.value for c in row[1:]] == [min(expected), max(expected), *expected]
    assert "prior" not in [row[0].text for row in figure.data.rows]


@pytest.mark.parametrize(
    ("tree", "finding"),
    [
        ([0.5, 0.6, 0.5, 0.6, 0.5], "All 5 folds order the models in the same way"),
        ([0.5, 0.6, 0.5, 0.6, 0.1], "logistic is better than tree in 4 of 5 folds"),
        ([0.4] * 5, "The models have the same categorical_crossentropy in all 5 folds"),
        (
            [0.4, 0.5, 0.4, 0.4, 0.4],
            "logistic is better than tree in 1 of 5 folds",
        ),
        (
            [0.4, 0.5, math.inf, 0.4, 0.4],
            "categorical_crossentropy of logistic is 0.4000 to 0.4000 in the folds",
        ),
    ],
)
def test_findings(record: RunRecord, tree: list[float], finding: str) -> None:
    section = section_of(with_values(record, logistic=[0.4] * 5, tree=tree))
    text = text_of(section)
    assert text.splitlines()[0] == finding
    if math.inf in tree:
        assert "tree: not all folds have a finite value, so that the order leaves out it." in text
        assert "infinite" in [cell.text for cell in cells_of(section)]


def test_one_split_and_one_model() -> None:
    split = example_record(cv=CrossValidation("holdout", n_test=200), losses=[LOSS])
    assert text_of(section_of(split)) == "One split: there are no other folds to compare with."
    text = text_of(
        section_of(example_record(models={"logistic": LogisticRegression()}, losses=[LOSS]))
    )
    assert text.startswith("categorical_crossentropy of logistic is 0.")


def test_repeats_and_classes() -> None:
    cv = CrossValidation("repeated", n_splits=3, n_repeats=4)
    section = section_of(
        example_record(numeric(credit_data(300, n_classes=3)), cv=cv, losses=[LOSS])
    )
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert len(figure.data.headers) == 3  # 12 folds are too many columns
    assert "of 12 folds" in text_of(section) or "All 12 folds" in text_of(section)


def test_shifts_of_the_scores(record: RunRecord) -> None:
    text = text_of(section_of(record))
    assert "between the folds: the largest population stability index is 0." in text
    # periods have their own word
    about = dataclasses.replace(record.about, kind="time_ordered")
    section = section_of(dataclasses.replace(record, about=about))
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert figure.drawn.startswith("Dot: categorical_crossentropy of a period;")


def test_no_models(record: RunRecord) -> None:
    failed = tuple(
        dataclasses.replace(model, error="ValueError: no", predictions=None, fold_values={})
        for model in record.models
    )
    assert stability_section(dataclasses.replace(record, models=failed)) is None


# -- scores ------------------------------------------------------------------------------------


def test_scores_that_shift_in_time_are_found() -> None:
    rng = np.random.default_rng(0)
    day = np.arange(1200)
    income = rng.normal(size=1200) + day / 300.0
    y = (rng.random(1200) < 1.0 / (1.0 + np.exp(-income))).astype(int)
    data = make_dataset(pd.DataFrame({"day": day, "income": income}), y, Card("drift"))
    folds = CrossValidation("time_ordered", n_splits=3, time_column="day")
    models = {"logistic": LogisticRegression()}
    made = example_record(data, models, cv=folds, losses=[LOSS])
    made = dataclasses.replace(made, about=dataclasses.replace(made.about, kind="time_ordered"))
    table = stability_table(made)
    assert table is not None
    assert [cell.text for cell in table.rows[0][2:4]] == ["fold 3", "shift"]
    assert "against the first fold" in str(table.caption)


def test_random_folds_do_not_shift(record: RunRecord) -> None:
    table = stability_table(record)
    assert table is not None
    logistic = table.rows[0]
    assert logistic[3].text == "stable"
    assert not math.isnan(logistic[1].value)
    assert "against the other folds" in str(table.caption)


def test_one_split_has_no_stability() -> None:
    assert stability_table(run("one split")) is None
