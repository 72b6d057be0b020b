"""Section on costs of decisions: numbers of sentences are those of tables, and what they say."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix

from tests.support.contents import (
    cells_of,
    check_numbers,
    column,
    figures_of,
    sentences_of,
    tables_of,
)
from tests.support.records import credit_data, example_record, numeric, predictions_of
from tests.support.runs import (
    LOG_LOSS,
    run,
    separated,
    ten_models,
    weighted_people,
    with_cost,
    without_events,
)
from xentexp.experiments import CrossValidation
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import PageSection
from xentexp.experiments._report.costs import threshold_section

RECORDS: dict[str, Any] = {
    "no costs": lambda: example_record(**LOG_LOSS),
    "costs": lambda: run("costs"),
    "amounts": lambda: run("amounts"),
    "costs of right decisions": lambda: example_record(
        with_cost(numeric(credit_data(300)), ((1.0, 2.0), (9.0, 0.0))), **LOG_LOSS
    ),
    "three classes": lambda: example_record(numeric(credit_data(400, 3)), **LOG_LOSS),
    "matrix": lambda: run("cost matrix"),
    "one model": lambda: example_record(
        with_cost(numeric(credit_data(300))), {"logistic": LogisticRegression()}, **LOG_LOSS
    ),
    "ten models": ten_models,
    "repeats": lambda: run("repeats"),
    "one split": lambda: example_record(
        with_cost(numeric(credit_data(300))), cv=CrossValidation("holdout", n_test=100), **LOG_LOSS
    ),
    "weights": lambda: example_record(weighted_people(), **LOG_LOSS),
    "perfect": lambda: example_record(separated(), **LOG_LOSS),
}


@cache
def run_of(name: str) -> RunRecord:
    made: RunRecord = RECORDS[name]()
    return made


@pytest.fixture
def record() -> RunRecord:
    return run_of("no costs")


@pytest.fixture
def costly() -> RunRecord:
    return run_of("costs")


def texts_of(section: PageSection | None) -> list[str]:
    return [str(text) for text in sentences_of(section)]


@pytest.mark.parametrize("name", RECORDS)
def test_every_number_of_a_sentence_is_in_a_table(name: str) -> None:
    section = threshold_section(run_of(name))
    if section is not None:
        check_numbers(section)
        assert not any("nan" in cell.text or "inf" in cell.text for cell in cells_of(section))


def test_the_figure_and_its_table_have_the_costs(costly: RunRecord) -> None:
    section = threshold_section(costly)
    assert section is not None
    figure = next(figures_of(section.blocks))
    assert "var(--m1)" in figure.svg
    assert texts_of(section)[0] == "A miss costs 5, a false alarm 1."
    assert str(figure.finding).startswith("At its best cutoff, 0.189, logistic saves 14.6%")
    assert "0.167" in figure.drawn
    summary = next(t for t in tables_of(section) if t.headers[0] == "model")
    assert [row[0].text for row in summary.rows] == ["logistic", "tree", "flag all rows"]
    # By hand: 500 of 1,000 rows are of class 0; flagging them costs 1 each.
    assert column(summary, "cost per 1,000 rows ↓")[-1].value == 500.0


def test_decisions_are_those_at_the_best_cutoff(costly: RunRecord) -> None:
    section = threshold_section(costly)
    assert section is not None
    summary = next(t for t in tables_of(section) if t.headers[0] == "model")
    decisions = next(t for t in tables_of(section) if t.headers[1:] == ("flagged", "not flagged"))
    rows = pooled(predictions_of(costly, "logistic"))
    cutoff = column(summary, "best cutoff")[0].value
    tn, fp, fn, tp = confusion_matrix(rows.codes, rows.proba[:, 1] >= cutoff).ravel()
    assert [[cell.value for cell in row[1:]] for row in decisions.rows] == [[tp, fn], [fp, tn]]
    assert decisions.rows[0][1].text == f"{tp:,} ({tp / 1000:.1%})"
    cost = column(summary, "cost per 1,000 rows ↓")[0].value
    assert cost == pytest.approx(5 * fn + fp)


def test_without_costs_three_ratios_are_shown(record: RunRecord) -> None:
    section = threshold_section(record)
    assert section is not None
    ratios = tables_of(section)[0]
    assert [row[0].text for row in ratios.rows] == ["1 : 1", "5 : 1", "20 : 1"]
    assert texts_of(section)[0].startswith(
        "No costs are set (dataset.cost=); as an example, a miss"
    )
    assert not list(figures_of(section.blocks))


def test_a_matrix_has_a_table_of_decisions() -> None:
    section = threshold_section(run("cost matrix"))
    decisions = next(t for t in tables_of(section) if t.headers[0] == "true class")
    assert sum(cell.value for row in decisions.rows for cell in row[1:]) == 400.0
    assert texts_of(section)[0].startswith(
        "With the decisions of least expected cost, logistic saves"
    )


def test_three_classes_without_costs_have_no_section() -> None:
    assert threshold_section(run_of("three classes")) is None


def test_repeats_do_not_change_the_number_of_rows() -> None:
    made = run("repeats")
    decisions = next(
        t for t in tables_of(threshold_section(made)) if t.headers[1:] == ("flagged", "not flagged")
    )
    assert sum(cell.value for row in decisions.rows for cell in row[1:]) == pytest.approx(300.0)


def test_what_is_saved_is_undefined_without_events() -> None:
    text = texts_of(threshold_section(without_events()))[1]
    assert "is undefined: the better constant decision costs 0" in text
