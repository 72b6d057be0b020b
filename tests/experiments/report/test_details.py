"""Details: areas of scikit-learn, thinned curves, and the distribution of losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.support.contents import figures_of, numbers_without_a_cell, sentences, tables
from tests.support.records import credit_data, example_record, numeric, predictions_of
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import Details
from xentexp.experiments._report.details import _precision_recall, _roc, curves_details

MODELS = {
    "line": LogisticRegression(),
    "forest": RandomForestClassifier(10, random_state=0),
    "prior": DummyClassifier(),
}


def record(models: dict[str, Any], n_classes: int = 2, **options: Any) -> RunRecord:
    dataset = numeric(credit_data(1000, n_classes))
    return example_record(
        dataset, models, losses=["categorical_crossentropy"], metrics=["roc_auc"], **options
    )


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return record(MODELS)


def details(run: RunRecord) -> Details:
    found = curves_details(run)
    assert found is not None
    return found


def rows_of(run: RunRecord, name: str) -> Any:
    return pooled(predictions_of(run, name))


def test_the_areas_are_those_of_scikit_learn(run: RunRecord) -> None:
    roc, precision, _ = tables(details(run).blocks)
    assert [row[0].text for row in roc.rows] == ["line", "forest"]
    for row, other in zip(roc.rows, precision.rows, strict=True):
        rows = rows_of(run, row[0].text)
        assert row[1].value == pytest.approx(roc_auc_score(rows.y, rows.proba[:, 1]))
        assert other[1].value == pytest.approx(average_precision_score(rows.y, rows.proba[:, 1]))


def test_the_numbers_of_the_findings_stand_in_the_tables(run: RunRecord) -> None:
    assert numbers_without_a_cell(details(run).blocks) == []
    assert "line has the largest area under the ROC curve" in str(
        next(sentences(details(run).blocks))
    )


def test_curves_have_at_most_200_points_and_keep_their_shape(run: RunRecord) -> None:
    rows = rows_of(run, "line")
    false_rate, true_rate, area = _roc(rows, 1)
    assert len(false_rate) <= 200
    assert (false_rate[[0, -1]].tolist(), true_rate[[0, -1]].tolist()) == ([0, 1], [0, 1])
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(area, abs=0.002)


def test_precision_of_the_first_rows_is_not_drawn(run: RunRecord) -> None:
    rows = rows_of(run, "line")
    recall, precision, _ = _precision_recall(rows, 1)
    top = np.argsort(-rows.proba[:, 1])[:20]
    assert recall.min() == pytest.approx(rows.y[top].sum() / rows.y.sum())
    assert precision[recall.argmin()] == pytest.approx(rows.y[top].mean())


def test_infinite_losses_are_counted(run: RunRecord) -> None:
    rows = rows_of(run, "forest")
    infinite = int((rows.proba[np.arange(len(rows.y)), rows.codes] == 0.0).sum())
    assert infinite > 0
    *_, last = tables(details(run).blocks)
    counts = {row[0].text: row[2].value for row in last.rows}
    assert counts == {"line": 0, "forest": infinite}
    assert f"forest has an infinite loss in {infinite} of 1,000 rows" in [
        str(text) for text in sentences(details(run).blocks)
    ]


def test_of_more_classes_the_three_that_the_best_model_ranks_worst() -> None:
    run = record({"line": LogisticRegression()}, n_classes=4)
    found = details(run)
    assert len(list(figures_of(found.blocks))) == 2 * 3 + 1
    assert numbers_without_a_cell(found.blocks) == []
    rows = rows_of(run, "line")
    areas = sorted(roc_auc_score(rows.codes == c, rows.proba[:, c]) for c in range(4))
    drawn = [table.rows[0][1].value for table in tables(found.blocks)][:6:2]
    assert drawn == pytest.approx(areas[:3])


def test_equal_models_have_no_largest_area() -> None:
    found = details(record({"a": LogisticRegression(), "b": LogisticRegression()}))
    texts = [str(text) for text in sentences(found.blocks)]
    assert texts[0].startswith("All models have the area under the ROC curve 0.")


def test_without_probabilities_there_is_nothing() -> None:
    assert curves_details(record({"prior": DummyClassifier()})) is None
