"""Hyperparameter search on the page: chosen settings, inner and outer values, and the figure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.support.records import credit_data, example_record, numeric
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Bullets,
    Cell,
    Columns,
    Details,
    PageFigure,
    PageSection,
    PageTable,
)
from xentexp.experiments._report.tuning import best_figure, searches, tuning_section
from xentexp.tuning import TunedClassifier

SPACE = {"C": {"low": 0.01, "high": 10.0, "log": True, "type": "float"}, "fit_intercept": [True]}


def trials(values: list[list[float]], loss: str = "brier_loss") -> pd.DataFrame:
    """Trials of folds; the best of each fold is chosen."""
    return pd.DataFrame(
        [
            {
                "repeat": 0,
                "fold": fold,
                "trial": trial,
                "chosen": value == np.nanmin(of_fold),
                f"tune/{loss}": value,
                "C": f"{0.1 * (trial + 1):.6g}",
                "fit_intercept": "True",
                "seconds": 0.1,
                "error": None if math.isfinite(value) else "no memory",
            }
            for fold, of_fold in enumerate(values)
            for trial, value in enumerate(of_fold)
        ]
    )


def record(values: list[list[float]], outer: list[float], **changes: Any) -> RunRecord:
    """Run with a model whose search had these inner values and these values of the test parts."""
    made = example_record(numeric(credit_data(90)), {"logistic": LogisticRegression()}, cv=3)
    model = replace(
        made.models[0],
        trials=trials(values),
        space=SPACE,
        fold_values={"brier_loss": outer},
        **changes,
    )
    return replace(made, models=(model,))


INNER = [[0.5, 0.3, 0.4], [0.4, math.nan, 0.2], [0.6, 0.1, 0.3]]


@pytest.fixture(scope="module")
def example() -> RunRecord:
    return record(INNER, [0.3, 0.3, 0.6])


def cells(section: PageSection) -> list[Cell]:
    tables = [block for block in section.blocks if isinstance(block, PageTable)]
    return [cell for table in tables for row in table.rows for cell in row]


def test_inner_and_outer_values_by_hand(example: RunRecord) -> None:
    # Chosen: 0.3, 0.2, 0.1, mean 0.2; first trials: 0.5, 0.4, 0.6, mean 0.5; outer mean 0.4.
    section = tuning_section(example)
    assert section is not None
    bullets, summary, chosen, figures, details = section.blocks
    assert isinstance(bullets, Bullets)
    first, second = map(str, bullets.sentences)
    assert first == (
        "logistic: the chosen settings have an inner brier_loss of 0.2000 and 0.4000 on the test "
        "parts, 0.2000 worse: the search is optimistic about its choice."
    )
    assert second == "logistic: 1 of 9 trials failed."
    assert isinstance(summary, PageTable)
    assert [cell.text for cell in summary.rows[0]] == [
        "logistic",
        "brier_loss",
        "9",
        "1",
        "0.5000",
        "0.2000",
        "0.4000",
        "0.2000",
    ]
    assert isinstance(chosen, PageTable)
    assert [[cell.text for cell in row] for row in chosen.rows] == [
        ["logistic", "C", "0.01 to 10, log", "0.2, 0.3, 0.2"],
        ["logistic", "fit_intercept", "True", "True, True, True"],
    ]
    assert isinstance(figures, Columns)
    assert isinstance(details, Details)
    [folds] = details.blocks
    assert isinstance(folds, PageTable)
    assert [[cell.text for cell in row] for row in folds.rows] == [
        ["0", "0.2", "True", "0.3000", "0.3000"],
        ["1", "0.3", "True", "0.2000", "0.3000"],
        ["2", "0.2", "True", "0.1000", "0.6000"],
    ]


def test_every_number_of_a_sentence_is_in_a_table(example: RunRecord) -> None:
    section = tuning_section(example)
    assert section is not None
    known = [cell.value for cell in cells(section)]
    assert isinstance(section.blocks[0], Bullets)
    for line in section.blocks[0].sentences:
        shown = {
            name: value for name, value in line.numbers().items() if f"{{{name}" in line.template
        }
        assert shown
        for value in shown.values():
            assert any(value == pytest.approx(cell) for cell in known)


def test_no_optimism_is_claimed_where_the_test_parts_are_better() -> None:
    section = tuning_section(record(INNER, [0.1, 0.1, 0.1]))
    assert section is not None
    assert isinstance(section.blocks[0], Bullets)
    assert "0.1000 on the test parts, which is 0.1000 better" in str(section.blocks[0].sentences[0])


def test_a_metric_of_which_more_is_better() -> None:
    made = record([[0.5, 0.3], [0.4, 0.2], [0.6, 0.1]], [0.1, 0.1, 0.1])
    renamed = made.models[0].trials.rename(columns={"tune/brier_loss": "tune/roc_auc"})
    model = replace(made.models[0], trials=renamed, fold_values={"roc_auc": [0.1, 0.1, 0.1]})
    [search] = searches(replace(made, models=(model,)))
    assert search.worse == pytest.approx(0.1)  # 0.2 by the search, 0.1 on the test parts
    assert [fold.tolist() for fold in search.best_so_far()] == [[0.5, 0.5], [0.4, 0.4], [0.6, 0.6]]


def test_undefined_values_are_words() -> None:
    section = tuning_section(record(INNER, [0.1, math.nan, 0.1]))
    assert section is not None
    assert isinstance(section.blocks[0], Bullets)
    assert str(section.blocks[0].sentences[0]).endswith("on the test parts undefined.")
    assert "undefined" in [cell.text for cell in cells(section)]


def test_the_figure_is_the_best_value_so_far(example: RunRecord) -> None:
    [search] = searches(example)
    assert [fold.tolist() for fold in search.best_so_far()] == [
        [0.5, 0.3, 0.3],
        [0.4, 0.4, 0.2],
        [0.6, 0.1, 0.1],
    ]
    axes = best_figure(search).axes[0]
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), [0.5, 0.8 / 3, 0.2])
    section = tuning_section(example)
    assert section is not None
    [figure] = section.blocks[3].blocks
    assert isinstance(figure, PageFigure)
    assert [row[1].value for row in figure.data.rows] == pytest.approx([0.5, 0.8 / 3, 0.2])


def test_a_run_without_a_search_has_no_section() -> None:
    made = record(INNER, [0.1, 0.1, 0.1])
    assert tuning_section(replace(made, models=(replace(made.models[0], trials=None),))) is None
    failed = replace(made.models[0], error="no memory", predictions=None)
    assert tuning_section(replace(made, models=(failed,))) is None


@pytest.mark.long
def test_trials_and_space_of_a_search_are_in_the_record() -> None:
    model = TunedClassifier(
        LogisticRegression(), {"C": SPACE["C"]}, loss="brier_loss", n_trials=2, cv=2, random_state=0
    )
    made = example_record(numeric(credit_data(90)), {"tuned": model}, cv=2)
    [stored] = made.models
    assert stored.trials is not None
    assert list(stored.trials.groupby("fold").size()) == [2, 2]
    assert stored.trials["chosen"].sum() == 2
    assert stored.space == {"C": SPACE["C"]}
    section = tuning_section(made)
    assert section is not None
    row = next(iter(searches(made)))
    assert row.outer.tolist() == list(stored.fold_values["brier_loss"])
