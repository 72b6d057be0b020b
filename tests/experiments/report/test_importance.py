"""Section on the importance of the features: sentences, numbers and the figure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.stats import t
from sklearn.linear_model import LogisticRegression

from tests.support.records import example_record
from xentexp.displays._style import MODELS
from xentexp.experiments import Explain
from xentexp.experiments._formatting import Sentence
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import Details, PageFigure, PageSection, PageTable
from xentexp.experiments._report.importance import (
    Importance,
    draw,
    importance_section,
    importances,
)

SHIFTS = {'["a"]': 0.5, '["b", "c"]': 0.2, '["d"]': 0.0}


def table(shifts: dict[str, float] = SHIFTS, n: int = 100, **columns: Any) -> pd.DataFrame:
    """Stored increases of n rows: standard normal numbers times 0.1, and a shift."""
    rng = np.random.default_rng(0)
    rows = {"repeat": 0, "fold": np.arange(n) % 5, "row": np.arange(n)}
    increases = {name: shift + 0.1 * rng.normal(size=n) for name, shift in shifts.items()}
    named = {"loss_name": "categorical_crossentropy", "loss": 0.5}
    return pd.DataFrame({**rows, **named, **columns, **increases})


@pytest.fixture(scope="module")
def empty() -> RunRecord:
    return example_record(cv=2)


def with_tables(record: RunRecord, *tables: pd.DataFrame) -> RunRecord:
    models = [
        replace(model, importance=tables[i] if i < len(tables) else None)
        for i, model in enumerate(record.models)
    ]
    return replace(record, models=tuple(models))


def figure_of(section: PageSection) -> PageFigure:
    found = section.blocks[0]
    assert isinstance(found, PageFigure)
    return found


def numbers(tables: list[PageTable]) -> set[float]:
    return {cell.value for table in tables for row in table.rows for cell in row}


def test_a_run_without_importance_says_so(empty: RunRecord) -> None:
    section = importance_section(empty)
    assert [str(block) for block in section.blocks] == [
        "The importance of the features was not computed in this run."
    ]


def test_means_and_intervals(empty: RunRecord) -> None:
    """Mean, and t interval of independent rows, by numpy and scipy."""
    stored = table()
    found = importances(stored)
    assert [item.features for item in found] == [("a",), ("b", "c"), ("d",)]
    values = stored['["a"]'].to_numpy()
    half = t.ppf(0.975, 99) * values.std(ddof=1) / 10.0
    assert found[0].increase == pytest.approx(values.mean(), rel=1e-12)
    assert found[0].low == pytest.approx(values.mean() - half, rel=1e-9)
    assert found[0].high == pytest.approx(values.mean() + half, rel=1e-9)


def test_entities_weights_and_repeats_count() -> None:
    """Copies of rows in an entity do not make the interval narrower."""
    once = importances(table())[0]
    copies = pd.concat([table(group=np.arange(100))] * 3)
    grouped = importances(copies)[0]
    assert grouped.low == pytest.approx(once.low, rel=1e-3)
    repeated = pd.concat([table().assign(repeat=i) for i in range(3)])
    assert importances(repeated)[0].low == pytest.approx(once.low, rel=1e-9)
    weight = np.where(np.arange(100) < 50, 1.0, 0.0)
    half = importances(table(sample_weight=weight))[0]
    assert half.increase == pytest.approx(table()['["a"]'][:50].mean(), rel=1e-12)


def test_the_finding_names_the_first_feature(empty: RunRecord) -> None:
    figure = figure_of(importance_section(with_tables(empty, table())))
    name, means = empty.models[0].name, table()[list(SHIFTS)].mean().tolist()
    assert str(figure.finding) == (
        f"{name} depends most on a: its categorical_crossentropy rises by {means[0]:.4f} when "
        f"a is permuted, by at most {means[1]:.4f} for other features"
    )
    assert "100 rows that the model was not trained on" in figure.drawn
    assert [row[0].text for row in figure.data.rows] == ["a", "b, c", "d"]


def test_a_tie_has_no_winner(empty: RunRecord) -> None:
    shifts = {'["a"]': 0.500, '["b"]': 0.495, '["c"]': 0.1}
    figure = figure_of(importance_section(with_tables(empty, table(shifts))))
    means = table(shifts).mean(numeric_only=True)
    first, second = (
        f"{name} ({means[column]:.4f})" for name, column in zip("ab", shifts, strict=False)
    )
    assert f"{first} or {second} is permuted" in str(figure.finding)
    assert "the two cannot be told apart" in str(figure.finding)


def test_nothing_that_is_surely_above_zero(empty: RunRecord) -> None:
    shifts = {'["a"]': 0.0, '["b"]': -0.3}
    figure = figure_of(importance_section(with_tables(empty, table(shifts))))
    assert str(figure.finding).startswith("No feature raises the categorical_crossentropy of")


@pytest.mark.parametrize(("value", "word"), [(math.inf, "infinite"), (math.nan, "undefined")])
def test_values_that_are_not_finite_are_words(empty: RunRecord, value: float, word: str) -> None:
    stored = table()
    stored.loc[3, '["d"]'] = value
    figure = figure_of(importance_section(with_tables(empty, stored)))
    row = next(row for row in figure.data.rows if row[0].text == "d")
    assert row[1].text == word
    assert [cell.text for cell in row[2:]] == ["undefined", "undefined"]
    assert word in figure.svg
    if value == math.inf:
        assert str(figure.finding).startswith("Increase of the categorical_crossentropy of")


def test_a_single_feature(empty: RunRecord) -> None:
    figure = figure_of(importance_section(with_tables(empty, table({'["a"]': 0.5}))))
    increase = table({'["a"]': 0.5})['["a"]'].mean()
    assert str(figure.finding).endswith(f"rises by {increase:.4f} when a is permuted")


def test_predictions_that_do_not_depend_on_the_features(empty: RunRecord) -> None:
    stored = table()
    stored[list(SHIFTS)] = 0.0
    section = importance_section(with_tables(empty, stored))
    assert [str(block) for block in section.blocks] == [
        "The predictions of the models do not change when features are permuted."
    ]


def test_numbers_of_sentences_are_those_of_the_table(empty: RunRecord) -> None:
    for shifts in (SHIFTS, {'["a"]': 0.5, '["b"]': 0.495}, {'["a"]': 0.5}, {'["a"]': 0.0}):
        section = importance_section(with_tables(empty, table(shifts)))
        figure = figure_of(section)
        sentences = [figure.finding, *(b for b in section.blocks if isinstance(b, Sentence))]
        for sentence in sentences:
            assert set(sentence.numbers().values()) <= numbers([figure.data])


def test_other_models_are_in_a_closed_table(empty: RunRecord) -> None:
    other = table({'["a"]': 0.1, '["b", "c"]': 0.6, '["d"]': 0.0})
    section = importance_section(with_tables(empty, table(), other))
    details = section.blocks[-1]
    assert isinstance(details, Details)
    (listed,) = details.blocks
    assert isinstance(listed, PageTable)
    assert listed.headers == ("feature", empty.models[0].name, empty.models[1].name)
    assert [row[0].text for row in listed.rows] == ["b, c", "a", "d"]
    assert listed.rows[0][2].value == pytest.approx(other['["b", "c"]'].mean())


def test_many_features(empty: RunRecord) -> None:
    shifts = {f'["f{i}"]': i / 10.0 for i in range(60)}
    figure = figure_of(importance_section(with_tables(empty, table(shifts))))
    assert "the 15 largest of 60" in figure.drawn
    assert len(figure.data.rows) == 50
    assert figure.data.rows[0][0].text == "f59"
    assert figure.svg.count("f45") == 1
    assert "f44" not in figure.svg


@pytest.mark.parametrize("n", [1, 3, 15])
def test_no_text_is_cut(n: int) -> None:
    """Every text lies within the figure, also of names of 60 letters and of large groups."""
    name = "W" * 10 + "_sixty_letters_of_a_name_that_someone_has_typed_in_1234567"
    items = [
        Importance((f"{name}{i}", *(["b"] * (i % 2) * 120)), "c", 0.2 - 0.01 * i, 0.1, 0.3)
        for i in range(n)
    ]
    figure = draw(items, MODELS[0], "increase of symmetric generalized crossentropy")
    (axes,) = figure.axes
    FigureCanvasAgg(figure).draw()
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticklabels() if low <= tick.get_position()[0] <= high]
    assert len(ticks) >= 2
    texts = [*axes.get_yticklabels(), *ticks, axes.xaxis.label]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= 0.0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0.0
    width, height = figure.get_size_inches() * 96.0
    assert (round(width), round(height)) == (340, 20 * n + 44)


def test_a_run_with_importance() -> None:
    models = {"logistic": LogisticRegression()}
    record = example_record(models=models, cv=3, metrics=[], explain=Explain(n_rows=120))
    finding = str(figure_of(importance_section(record)).finding)
    assert "debt" in finding
    assert "age" not in finding
