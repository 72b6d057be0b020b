"""Section on costs by threshold: findings follow from the differences."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from tests.support.contents import cells_of, check_numbers, figures_of, sentences_of, text_of
from tests.support.records import credit_data, example_record, numeric
from xentexp.experiments import CrossValidation
from xentexp.experiments._record import ModelRecord, RunRecord, pooled
from xentexp.experiments._report.contents import Details, PageFigure, PageSection
from xentexp.experiments._report.murphy import murphy_section
from xentexp.inference import murphy_difference

LOSS = "categorical_crossentropy"
FEW: Any = {"losses": [LOSS], "cv": 2}


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return example_record(losses=[LOSS])


def section_of(record: RunRecord) -> PageSection:
    section = murphy_section(record)
    assert section is not None
    check_numbers(section)
    return section


def with_proba(record: RunRecord, change: Any, name: str = "tree") -> RunRecord:
    """Record in which the probabilities of a model are changed."""

    def changed(model: ModelRecord) -> ModelRecord:
        if model.name != name or model.predictions is None:
            return model
        best = record.models[0].predictions
        assert best is not None
        folds = tuple(
            dataclasses.replace(fold, proba=change(np.asarray(first.proba)))
            for fold, first in zip(model.predictions.folds, best.folds, strict=True)
        )
        return dataclasses.replace(
            model, predictions=dataclasses.replace(model.predictions, folds=folds)
        )

    return dataclasses.replace(record, models=tuple(map(changed, record.models)))


def test_numbers_are_those_of_the_difference(record: RunRecord) -> None:
    section = section_of(record)
    assert record.models[0].name == "logistic"
    first, second = (
        pooled(model.predictions)
        for model in (record.model("tree"), record.model("logistic"))
        if model is not None and model.predictions is not None
    )
    expected = murphy_difference(first.codes, first.proba, second.proba, folds=first.folds)
    costs = 1000.0 * expected.difference
    place = int(costs.argmax())
    lines = text_of(section).splitlines()
    assert f"up to {costs[place]:.1f} per 1,000 rows compared with tree" in lines[0]
    assert lines[1] == (
        f"tree costs {costs[place]:.1f} more than logistic per 1,000 rows at the threshold "
        f"{expected.thresholds[place]:.3f} (95% interval {1000 * expected.low[place]:.1f} "
        f"to {1000 * expected.high[place]:.1f})."
    )
    finding = sentences_of(section)[0].numbers()
    inside = (expected.thresholds >= finding["low"]) & (expected.thresholds <= finding["high"])
    assert (costs[inside] >= costs[place] / 2.0).all()
    if "small" in finding:
        assert (np.abs(costs[expected.thresholds > finding["small"]]) < 1.0).all()


def test_the_constant_model_is_not_compared_with_others(record: RunRecord) -> None:
    assert {cell.text for cell in cells_of(section_of(record))} & {"prior", "tree"} == {"tree"}
    alone = example_record(
        models={"prior": DummyClassifier(), "logistic": LogisticRegression()}, **FEW
    )
    assert "prior" in {cell.text for cell in cells_of(section_of(alone))}


def test_equal_models_have_no_winner(record: RunRecord) -> None:
    section = section_of(with_proba(record, lambda p: p))
    assert text_of(section) == "No threshold shows that logistic costs less than tree"


def test_a_model_may_cost_less_at_some_thresholds(record: RunRecord) -> None:
    # Always alarms below .5, otherwise the predictions of the best model as they are: the best
    # model is made worse above .5, where the other keeps the true order.
    best = record.models[0].predictions
    assert best is not None
    worse = with_proba(
        record,
        lambda p: np.where(p > 0.5, 1.0, p) if p.ndim == 1 else np.where(p > 0.5, 1.0, 0.0),
        "logistic",
    )
    text = text_of(section_of(worse))
    assert "tree costs" in text
    assert "less than logistic per 1,000 rows at" in text


def test_one_model_is_no_section() -> None:
    assert murphy_section(example_record(models={"logistic": LogisticRegression()}, **FEW)) is None


def test_more_classes_are_shown_one_at_a_time() -> None:
    record = example_record(numeric(credit_data(400, n_classes=5)), **FEW)
    section = section_of(record)
    figures = [block for block in section.blocks if isinstance(block, PageFigure)]
    assert len(figures) == 3
    details = next(block for block in section.blocks if isinstance(block, Details))
    assert sum(isinstance(block, PageFigure) for block in details.blocks) == 2
    drawn = list(figures_of(section.blocks))
    largest = [max(row[1].value for row in block.data.rows) for block in drawn]
    assert largest == sorted(largest, reverse=True)
    assert str(figures[0].finding).startswith("Class ")


def test_many_models_with_long_names() -> None:
    models = {f"{'x' * 60}{i}": LogisticRegression(C=10.0**-i) for i in range(10)}
    section = section_of(example_record(numeric(credit_data(300)), models, **FEW))
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert len(figure.data.rows) == 7
    assert "more model not shown." in text_of(section)


def test_repeats_and_weights() -> None:
    data = dataclasses.replace(numeric(credit_data(300)), sample_weight=np.linspace(0.0, 2.0, 300))
    cv = CrossValidation("repeated", n_splits=3, n_repeats=2)
    section = section_of(example_record(data, **{**FEW, "cv": cv}))
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert figure.drawn.endswith("bands: 95% intervals at each threshold, rows as independent.")
    assert "root mean square of 2 repeats" in str(figure.data.caption)
    assert "weighted" in str(figure.data.caption)


def test_rows_of_an_entity_depend_on_each_other() -> None:
    data = dataclasses.replace(numeric(credit_data(300)), groups=np.arange(300) // 3)
    cv = CrossValidation("grouped", n_splits=3)
    section = section_of(example_record(data, **{**FEW, "cv": cv}))
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert figure.drawn.endswith("entities as independent.")
    assert "over 100 groups of 300 rows" in str(figure.data.caption)
