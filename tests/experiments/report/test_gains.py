"""Sections on gains and costs: numbers of sentences are those of tables, and what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.tree import DecisionTreeClassifier

from tests.support.records import credit_data, example_record, numeric
from xentexp.experiments import Card, CrossValidation, make_dataset
from xentexp.experiments._formatting import Sentence
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageFigure,
    PageSection,
    PageTable,
)
from xentexp.experiments._report.costs import threshold_section
from xentexp.experiments._report.gains import gains_section
from xentexp.experiments._report.stability import stability_table
from xentexp.experiments.datasets import Dataset

FIVE_TO_ONE = ((0.0, 1.0), (5.0, 0.0))
LOSSES: dict[str, Any] = {"losses": ["categorical_crossentropy"], "metrics": []}


def with_cost(dataset: Dataset, cost: Any = FIVE_TO_ONE, amount: Any = None) -> Dataset:
    return replace(dataset, cost=cost, amount=amount)


def blocks(section: PageSection | None) -> list[Block]:
    assert section is not None
    return list(nested(section.blocks))


def nested(parts: tuple[Block, ...]) -> Iterator[Block]:
    for part in parts:
        yield part
        if isinstance(part, (Details, Columns)):
            yield from nested(part.blocks)
        if isinstance(part, PageFigure):
            yield from (part.finding, part.data)
        if isinstance(part, PageTable) and part.caption is not None:
            yield part.caption


def tables(section: PageSection | None) -> list[PageTable]:
    return [block for block in blocks(section) if isinstance(block, PageTable)]


def texts(section: PageSection | None) -> list[str]:
    return [str(block) for block in blocks(section) if isinstance(block, Sentence)]


def column(table: PageTable, header: str) -> list[Cell]:
    place = table.headers.index(header)
    return [row[place] for row in table.rows]


def assert_numbers_are_in_tables(section: PageSection | None) -> None:
    cells = {cell.value for table in tables(section) for row in table.rows for cell in row}
    for block in blocks(section):
        if isinstance(block, Sentence):
            assert set(block.numbers().values()) <= cells, str(block)


def assert_no_cell_is_blank(section: PageSection | None) -> None:
    for table in tables(section):
        for row in table.rows:
            assert len(row) == len(table.headers)
            assert all(
                cell.text and "nan" not in cell.text and "inf" not in cell.text for cell in row
            )


@pytest.fixture
def record() -> RunRecord:
    return known("two models")


@pytest.fixture
def costly() -> RunRecord:
    return known("costs")


def many_models(n: int) -> dict[str, Any]:
    name = "model_with_a_name_of_sixty_letters_that_no_column_can_hold_"
    return {f"{name}{i:02}": LogisticRegression(C=10.0**-i) for i in range(n)}


RECORDS = {
    "two models": lambda: example_record(**LOSSES),
    "costs": lambda: example_record(with_cost(numeric(credit_data())), **LOSSES),
    "amounts": lambda: example_record(
        with_cost(numeric(credit_data(300)), amount=np.arange(300) % 50 * 1000.0), **LOSSES
    ),
    "costs of right decisions": lambda: example_record(
        with_cost(numeric(credit_data(300)), ((1.0, 2.0), (9.0, 0.0))), **LOSSES
    ),
    "three classes": lambda: example_record(numeric(credit_data(400, 3)), **LOSSES),
    "matrix": lambda: example_record(
        with_cost(numeric(credit_data(400, 3)), ((0, 1, 2), (1, 0, 1), (4, 2, 0))), **LOSSES
    ),
    "five classes": lambda: example_record(numeric(credit_data(500, 5)), **LOSSES),
    "one model": lambda: example_record(
        with_cost(numeric(credit_data(300))), {"logistic": LogisticRegression()}, **LOSSES
    ),
    "only a constant": lambda: example_record(
        numeric(credit_data(300)), {"prior": DummyClassifier()}, **LOSSES
    ),
    "ten models": lambda: example_record(
        with_cost(numeric(credit_data(150))),
        many_models(10),
        cv=CrossValidation(n_splits=2),
        **LOSSES,
    ),
    "repeats": lambda: example_record(
        with_cost(numeric(credit_data(300))),
        cv=CrossValidation("repeated", n_splits=3, n_repeats=2),
        **LOSSES,
    ),
    "one split": lambda: example_record(
        with_cost(numeric(credit_data(300))), cv=CrossValidation("holdout", n_test=100), **LOSSES
    ),
    "weights": lambda: example_record(weighted(), **LOSSES),
    "perfect": lambda: example_record(perfect(), **LOSSES),
}


def weighted() -> Dataset:
    data = numeric(credit_data(300))
    weight = np.arange(300) % 3 + 0.5
    made = make_dataset(
        data.X, data.y, data.card, groups=pd.Series(np.arange(300) // 3), sample_weight=weight
    )
    return with_cost(made)


def perfect() -> Dataset:
    X = pd.DataFrame({"x": np.repeat([-5.0, 5.0], 100) + np.tile(np.arange(100) / 100, 2)})
    return make_dataset(X, np.repeat(["good", "bad"], 100)[::-1], Card("perfect"), cost=FIVE_TO_ONE)


@cache
def known(name: str) -> RunRecord:
    return RECORDS[name]()


@pytest.mark.parametrize("name", RECORDS)
def test_every_number_of_a_sentence_is_in_a_table(name: str) -> None:
    made = known(name)
    for section in (gains_section(made), threshold_section(made)):
        if section is not None:
            assert_numbers_are_in_tables(section)
            assert_no_cell_is_blank(section)
    stability_table(made)


# -- gains -------------------------------------------------------------------------------------


def test_gains_are_those_of_the_sorted_rows(record: RunRecord) -> None:
    caught, rate = tables(gains_section(record))[:2]
    model = record.model("logistic")
    assert model is not None
    assert model.predictions is not None
    rows = pooled(model.predictions)
    top = np.argsort(-rows.proba[:, 1])[:100]
    events = rows.codes[top].sum()
    place = [row[0].text for row in caught.rows].index("logistic")
    assert column(caught, "top 10%")[place].value == pytest.approx(events / rows.codes.sum())
    assert column(rate, "top 10%")[place].value == pytest.approx(events / 100)
    assert column(rate, "all rows")[place].value == 0.5


def test_constant_models_are_left_out(record: RunRecord) -> None:
    assert "prior" not in [row[0].text for row in tables(gains_section(record))[0].rows]
    assert gains_section(known("only a constant")) is None


def test_the_sentence_says_when_the_top_is_nearly_the_same() -> None:
    models = {"one": LogisticRegression(), "two": LogisticRegression(C=0.1)}
    section = gains_section(example_record(models=models, **LOSSES))
    assert "are nearly as good with all models: they have" in texts(section)[0]
    differ = {"good": LogisticRegression(), "bad": DecisionTreeClassifier(max_depth=1)}
    text = texts(gains_section(example_record(models=differ, **LOSSES)))[0]
    assert "nearly" not in text
    assert "(bad) to " in text


def test_a_tie_has_no_best_model() -> None:
    models = {"one": LogisticRegression(), "two": LogisticRegression()}
    section = gains_section(example_record(models=models, **LOSSES))
    assert not any(cell.strong for table in tables(section) for row in table.rows for cell in row)
    assert "both accept the same rows" in " ".join(texts(section))


def test_score_bands_are_deciles(record: RunRecord) -> None:
    bands = next(
        t for t in tables(gains_section(record)) if str(t.caption) == "Score bands of logistic"
    )
    assert [cell.text for cell in column(bands, "rows")] == ["100"] * 10
    assert column(bands, "caught so far")[-1].value == 1.0


def test_swap_cells_add_up(record: RunRecord) -> None:
    swap = next(t for t in tables(gains_section(record)) if t.headers[0] == "accepted by")
    counts = [cell.value for cell in column(swap, "rows")]
    assert sum(counts) == 1000.0
    assert counts[0] + counts[1] == counts[0] + counts[2] == 800.0
    assert sum(cell.value for cell in column(swap, "class 1")) == 500.0


def test_the_classes_whose_rows_are_hardest_to_find_come_first() -> None:
    section = gains_section(known("five classes"))
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
    data = numeric(credit_data(300))
    made = example_record(data, **LOSSES)
    models = tuple(
        replace(
            model,
            predictions=replace(
                model.predictions,
                folds=tuple(
                    replace(fold, y=np.zeros_like(fold.y)) for fold in model.predictions.folds
                ),
            ),
        )
        for model in made.models
        if model.predictions is not None
    )
    empty = replace(made, models=models)
    assert texts(gains_section(empty)) == ["Gains of class 1 are undefined: it has no rows."]
    assert (
        "is undefined: the better constant decision costs 0" in texts(threshold_section(empty))[1]
    )


# -- costs -------------------------------------------------------------------------------------


def test_the_figure_and_its_table_have_the_costs(costly: RunRecord) -> None:
    section = threshold_section(costly)
    figure = next(block for block in blocks(section) if isinstance(block, PageFigure))
    assert "var(--m1)" in figure.svg
    assert texts(section)[0] == "A miss costs 5, a false alarm 1."
    assert str(figure.finding).startswith("At its best cutoff, 0.189, logistic saves 14.6%")
    assert "0.167" in figure.drawn
    summary = next(t for t in tables(section) if t.headers[0] == "model")
    assert [row[0].text for row in summary.rows] == ["logistic", "tree", "flag all rows"]
    # By hand: 500 of 1,000 rows are of class 0; flagging them costs 1 each.
    assert column(summary, "cost per 1,000 rows ↓")[-1].value == 500.0


def test_decisions_are_those_at_the_best_cutoff(costly: RunRecord) -> None:
    section = threshold_section(costly)
    summary = next(t for t in tables(section) if t.headers[0] == "model")
    decisions = next(t for t in tables(section) if t.headers[1:] == ("flagged", "not flagged"))
    model = costly.model("logistic")
    assert model is not None
    assert model.predictions is not None
    rows = pooled(model.predictions)
    cutoff = column(summary, "best cutoff")[0].value
    tn, fp, fn, tp = confusion_matrix(rows.codes, rows.proba[:, 1] >= cutoff).ravel()
    assert [[cell.value for cell in row[1:]] for row in decisions.rows] == [[tp, fn], [fp, tn]]
    assert decisions.rows[0][1].text == f"{tp:,} ({tp / 1000:.1%})"
    cost = column(summary, "cost per 1,000 rows ↓")[0].value
    assert cost == pytest.approx(5 * fn + fp)


def test_without_costs_three_ratios_are_shown(record: RunRecord) -> None:
    section = threshold_section(record)
    ratios = tables(section)[0]
    assert [row[0].text for row in ratios.rows] == ["1 : 1", "5 : 1", "20 : 1"]
    assert texts(section)[0].startswith("No costs are set (dataset.cost=); as an example, a miss")
    assert not any(isinstance(block, PageFigure) for block in blocks(section))


def test_a_matrix_has_a_table_of_decisions() -> None:
    section = threshold_section(known("matrix"))
    decisions = next(t for t in tables(section) if t.headers[0] == "true class")
    assert sum(cell.value for row in decisions.rows for cell in row[1:]) == 400.0
    assert texts(section)[0].startswith("With the decisions of least expected cost, logistic saves")


def test_three_classes_without_costs_have_no_section() -> None:
    assert threshold_section(known("three classes")) is None


def test_repeats_do_not_change_the_number_of_rows() -> None:
    made = known("repeats")
    decisions = next(
        t for t in tables(threshold_section(made)) if t.headers[1:] == ("flagged", "not flagged")
    )
    assert sum(cell.value for row in decisions.rows for cell in row[1:]) == pytest.approx(300.0)
    assert "Numbers of rows are means over the repeats." in texts(gains_section(made))


# -- stability ---------------------------------------------------------------------------------


def test_scores_that_shift_in_time_are_found() -> None:
    rng = np.random.default_rng(0)
    day = np.arange(1200)
    income = rng.normal(size=1200) + day / 300.0
    y = (rng.random(1200) < 1.0 / (1.0 + np.exp(-income))).astype(int)
    data = make_dataset(pd.DataFrame({"day": day, "income": income}), y, Card("drift"))
    folds = CrossValidation("time_ordered", n_splits=3, time_column="day")
    models = {"logistic": LogisticRegression()}
    made = example_record(data, models, cv=folds, **LOSSES)
    made = replace(made, about=replace(made.about, kind="time_ordered"))
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
    assert stability_table(known("one split")) is None
