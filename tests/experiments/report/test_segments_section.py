"""Section on segments and rows with large losses: numbers, order and what is missing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from tests.support.contents import cells_of, check_numbers, tables, text_of
from tests.support.records import credit_data, example_record, numeric, predictions_of
from xentexp.experiments import Explain
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import PageFigure, PageSection
from xentexp.experiments._report.segments import _probability, segments_section
from xentexp.inference import segment_bias
from xentexp.inference._segments import bins_of, segment_sums

LOSS = "categorical_crossentropy"
DATA = numeric(credit_data(600))


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return with_segments(example_record(DATA, losses=[LOSS]), DATA.X)


def with_segments(record: RunRecord, X: pd.DataFrame) -> RunRecord:
    """Record whose models have sums of segments, as they are stored."""
    bins = bins_of(X)
    models = []
    for model in record.models:
        assert model.predictions is not None
        rows = pooled(model.predictions)
        sums = [
            segment_sums(bins, X.iloc[rows.rows[own]], rows.codes[own], rows.proba[own]).assign(
                repeat=0, fold=fold
            )
            for fold in np.unique(rows.folds)
            for own in [rows.folds == fold]
        ]
        models.append(dataclasses.replace(model, segments=pd.concat(sums)))
    return dataclasses.replace(record, models=tuple(models))


def section_of(record: RunRecord) -> PageSection:
    section = segments_section(record)
    assert section is not None
    check_numbers(section)
    return section


def test_segments_are_those_of_segment_bias(record: RunRecord) -> None:
    section = section_of(record)
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert len(figure.data.rows) == 12
    for name in ("tree", "logistic"):
        rows = pooled(predictions_of(record, name))
        expected = {s.name: s for s in segment_bias(rows.codes, rows.proba, DATA.X.iloc[rows.rows])}
        for row in figure.data.rows:
            if row[0].text == name:
                segment = expected[row[1].text]
                assert [cell.value for cell in row[2:]] == pytest.approx(
                    [
                        segment.predicted,
                        segment.observed,
                        segment.n_rows,
                        segment.events,
                        100 * segment.bias,
                        100 * segment.low,
                        100 * segment.high,
                    ]
                )
    saved = [row[4].value * row[6].value ** 2 for row in figure.data.rows]
    assert saved == sorted(saved, reverse=True)


def test_the_first_line_is_the_most_important_biased_segment(record: RunRecord) -> None:
    # A model that predicts .9 for all rows is biased in all segments.
    model = record.models[0]
    assert model.predictions is not None
    folds = tuple(
        dataclasses.replace(fold, proba=np.full(len(fold.y), 0.9))
        for fold in model.predictions.folds
    )
    biased = dataclasses.replace(
        model, predictions=dataclasses.replace(model.predictions, folds=folds)
    )
    section = section_of(
        with_segments(dataclasses.replace(record, models=(biased, *record.models[1:])), DATA.X)
    )
    first, finding, *_ = text_of(section).splitlines()
    assert first.startswith("logistic predicts 90.0% for class 1 where ")
    assert finding.startswith("logistic predicts too much where ")


def test_the_largest_error_in_proportion_has_a_sentence_and_a_row(record: RunRecord) -> None:
    """A rare segment whose odds are far off, beside a large one that is off by more points."""
    n = len(DATA.y)
    place = np.arange(n) % 10
    X = pd.DataFrame({"kind": np.where(place == 0, "rare", np.where(place < 5, "large", "none"))})
    y = np.where(place == 0, np.arange(n) % 20 == 0, np.arange(n) % 2 == 1).astype(int)
    p = np.where(place == 0, 0.02, np.where(place < 5, 0.2, 0.5))
    model = record.models[0]
    assert model.predictions is not None
    folds = tuple(
        dataclasses.replace(
            fold, y=y[fold.rows], proba=np.column_stack([1 - p[fold.rows], p[fold.rows]])
        )
        for fold in model.predictions.folds
    )
    wrong = dataclasses.replace(
        model, predictions=dataclasses.replace(model.predictions, folds=folds)
    )
    section = section_of(with_segments(dataclasses.replace(record, models=(wrong,)), X))
    first, second, *_ = text_of(section).splitlines()
    large, rare = y[(place > 0) & (place < 5)], y[place == 0]
    assert first == (
        f"logistic predicts 20.0% for class 1 where kind = large; {large.mean():.1%} are observed "
        f"({len(large)} rows)."
    )
    assert second == (
        f"In proportion, its largest error: logistic predicts 2.0% for class 1 where kind = rare; "
        f"{rare.mean():.1%} are observed ({len(rare)} rows)."
    )
    check_numbers(section)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "0.0000"),
        (1e-9, "< 0.0001"),
        (0.00012, "0.0001"),
        (1 - 1e-9, "> 0.9999"),
        (1, "1.0000"),
    ],
)
def test_probabilities_have_equal_decimals(p: float, text: str) -> None:
    assert _probability(p) == text


def test_a_column_with_one_segment_is_left_out(record: RunRecord) -> None:
    """Its parts have fewer than 50 rows each, and all rows are no segment."""
    rows = np.arange(len(DATA.y))
    X = pd.DataFrame({"place": [f"town {i % 20}" for i in rows], "half": rows % 2})
    section = section_of(with_segments(record, X))
    names = {cell.text for cell in cells_of(section)}
    assert {"half = 0", "half = 1"} <= names
    assert not any(name.startswith("place") for name in names)


def test_without_a_bias_the_finding_is_neutral(record: RunRecord) -> None:
    calibrated = dataclasses.replace(
        record, models=tuple(m for m in record.models if m.name == "logistic")
    )
    text = text_of(section_of(calibrated))
    assert "too high or too low: 0 of 20 of logistic." in text
    assert "No segment is shown to have a biased mean prediction" in text
    assert "predicts too" not in text


def test_segments_that_were_not_computed(record: RunRecord) -> None:
    models = tuple(dataclasses.replace(model, segments=None) for model in record.models)
    text = text_of(section_of(dataclasses.replace(record, models=models)))
    assert text.startswith("Segments were not computed in this run.")
    assert "The 10 rows with the largest" in text


def test_worst_rows_are_those_of_scikit_learn(record: RunRecord) -> None:
    section = section_of(record)
    model = record.models[0]
    assert model.predictions is not None
    rows = pooled(model.predictions)
    losses = np.array(
        [log_loss([y], [p], labels=[0, 1]) for y, p in zip(rows.codes, rows.proba, strict=True)]
    )
    worst = np.argsort(-losses)[:10]
    *_, table = tables(section.blocks)
    assert [int(row[0].value) for row in table.rows[:10]] == rows.rows[worst].tolist()
    np.testing.assert_allclose([row[3].value for row in table.rows[:10]], losses[worst])
    assert table.rows[10][4].value == pytest.approx(losses[worst].sum() / losses.sum())
    np.testing.assert_allclose([row[1].value for row in table.rows[:10]], rows.proba[worst, 1])


def test_certain_errors_have_words_and_rows_without_weight_do_not_count(record: RunRecord) -> None:
    model = record.models[0]
    assert model.predictions is not None
    folds = tuple(
        dataclasses.replace(
            fold, proba=1.0 - fold.y.astype(float), sample_weight=(np.arange(len(fold.y)) < 5) * 1.0
        )
        for fold in model.predictions.folds
    )
    changed = dataclasses.replace(
        model, predictions=dataclasses.replace(model.predictions, folds=folds)
    )
    section = section_of(dataclasses.replace(record, models=(changed,)))
    # -log(2.2e-16) = 36.04; 25 rows of weight 1 share the total
    assert [cell.text for cell in cells_of(section) if cell.text == "36.0437"] == ["36.0437"] * 10
    assert "40.00% of the total" in text_of(section)
    assert not any(math.isinf(cell.value) for cell in cells_of(section))


def test_more_classes(record: RunRecord) -> None:
    data = numeric(credit_data(500, n_classes=4))
    section = section_of(with_segments(example_record(data, losses=[LOSS]), data.X))
    figure = next(block for block in section.blocks if isinstance(block, PageFigure))
    assert all(", class " in row[1].text for row in figure.data.rows)
    *_, table = tables(section.blocks)
    assert table.headers[1] == "p of its class"


def test_segments_of_a_run() -> None:
    run = example_record(
        DATA, losses=[LOSS], explain=Explain(importance=False, segments=True), cv=2
    )
    bins = with_segments(run, DATA.X)
    assert text_of(section_of(run)) == text_of(section_of(bins))


def test_no_probabilities_is_no_section(record: RunRecord) -> None:
    failed = tuple(
        dataclasses.replace(model, predictions=None, error="ValueError: no")
        for model in record.models
    )
    assert segments_section(dataclasses.replace(record, models=failed)) is None
