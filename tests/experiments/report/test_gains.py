"""Section on gains: numbers of sentences are those of tables, and what they say."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tests.support.contents import cells_of, check_numbers, column, sentences_of, tables_of
from tests.support.records import credit_data, example_record, numeric, predictions_of
from tests.support.runs import LOG_LOSS, run, separated, ten_models, weighted_people, without_events
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import Columns, Details, PageSection, PageTable
from xentexp.experiments._report.gains import gains_section

RECORDS: dict[str, Any] = {
    "two models": lambda: example_record(**LOG_LOSS),
    "three classes": lambda: example_record(numeric(credit_data(400, 3)), **LOG_LOSS),
    "five classes": lambda: example_record(numeric(credit_data(500, 5)), **LOG_LOSS),
    "one model": lambda: example_record(
        numeric(credit_data(300)), {"logistic": LogisticRegression()}, **LOG_LOSS
    ),
    "only a constant": lambda: example_record(
        numeric(credit_data(300)), {"prior": DummyClassifier()}, **LOG_LOSS
    ),
    "ten models": ten_models,
    "repeats": lambda: run("repeats"),
    "weights": lambda: example_record(weighted_people(), **LOG_LOSS),
    "perfect": lambda: example_record(separated(), **LOG_LOSS),
}


@cache
def run_of(name: str) -> RunRecord:
    made: RunRecord = RECORDS[name]()
    return made


@pytest.fixture
def record() -> RunRecord:
    return run_of("two models")


def texts_of(section: PageSection | None) -> list[str]:
    return [str(text) for text in sentences_of(section)]


@pytest.mark.parametrize("name", RECORDS)
def test_every_number_of_a_sentence_is_in_a_table(name: str) -> None:
    section = gains_section(run_of(name))
    if section is not None:
        check_numbers(section)
        assert not any("nan" in cell.text or "inf" in cell.text for cell in cells_of(section))


def test_gains_are_those_of_the_sorted_rows(record: RunRecord) -> None:
    caught, rate = tables_of(gains_section(record))[:2]
    rows = pooled(predictions_of(record, "logistic"))
    top = np.argsort(-rows.proba[:, 1])[:100]
    events = rows.codes[top].sum()
    place = [row[0].text for row in caught.rows].index("logistic")
    assert column(caught, "top 10%")[place].value == pytest.approx(events / rows.codes.sum())
    assert column(rate, "top 10%")[place].value == pytest.approx(events / 100)
    assert column(rate, "all rows")[place].value == 0.5


def test_constant_models_are_left_out(record: RunRecord) -> None:
    assert "prior" not in [row[0].text for row in tables_of(gains_section(record))[0].rows]
    assert gains_section(run_of("only a constant")) is None


def test_the_sentence_says_when_the_top_is_nearly_the_same() -> None:
    models = {"one": LogisticRegression(), "two": LogisticRegression(C=0.1)}
    section = gains_section(example_record(models=models, **LOG_LOSS))
    assert "are nearly as good with all models: they have" in texts_of(section)[0]
    differ = {"good": LogisticRegression(), "bad": DecisionTreeClassifier(max_depth=1)}
    text = texts_of(gains_section(example_record(models=differ, **LOG_LOSS)))[0]
    assert "nearly" not in text
    assert "(bad) to " in text


def test_a_tie_has_no_best_model() -> None:
    models = {"one": LogisticRegression(), "two": LogisticRegression()}
    section = gains_section(example_record(models=models, **LOG_LOSS))
    assert not any(
        cell.strong for table in tables_of(section) for row in table.rows for cell in row
    )
    assert "both accept the same rows" in " ".join(texts_of(section))


def test_score_bands_are_deciles(record: RunRecord) -> None:
    bands = next(
        t for t in tables_of(gains_section(record)) if str(t.caption) == "Score bands of logistic"
    )
    assert [cell.text for cell in column(bands, "rows")] == ["100"] * 10
    assert column(bands, "caught so far")[-1].value == 1.0


def test_swap_cells_add_up(record: RunRecord) -> None:
    swap = next(t for t in tables_of(gains_section(record)) if t.headers[0] == "accepted by")
    counts = [cell.value for cell in column(swap, "rows")]
    assert sum(counts) == 1000.0
    assert counts[0] + counts[1] == counts[0] + counts[2] == 800.0
    assert sum(cell.value for cell in column(swap, "class 1")) == 500.0


def test_the_classes_whose_rows_are_hardest_to_find_come_first() -> None:
    section = gains_section(run_of("five classes"))
    assert section is not None
    open_tables = [
        table
        for block in section.blocks
        if isinstance(block, Columns)
        for table in block.blocks
        if isinstance(table, PageTable)
    ]
    assert len(open_tables) == 6
    closed = [block.summary for block in section.blocks if isinstance(block, Details)]
    assert closed[0] == "Gains of the other classes"
    # The classes are quantiles of a score: those at the ends are easier to find.
    assert not any("class 4" in str(table.caption) for table in open_tables)


def test_a_class_without_rows_is_named() -> None:
    section = gains_section(without_events())
    assert texts_of(section) == ["Gains of class 1 are undefined: it has no rows."]


def test_repeats_do_not_change_the_number_of_rows() -> None:
    assert "Numbers of rows are means over the repeats." in texts_of(gains_section(run("repeats")))
