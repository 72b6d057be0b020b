"""Section on calibration: what it claims is checked with models whose calibration is known."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tests.support.contents import figures_of, numbers_without_a_cell, sentences, tables
from tests.support.records import credit_data, example_record, numeric
from xentexp.experiments import CrossValidation, make_dataset
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.contents import Columns, Details, PageSection
from xentexp.experiments._report.reliability import reliability_section

DATA = numeric(credit_data(1000))


class Sharpened(LogisticRegression):
    """Logistic regression whose log-odds are doubled: halving them makes it calibrated."""

    def predict_proba(self, X: Any) -> np.ndarray:
        odds = super().predict_proba(X) ** 2
        return odds / odds.sum(axis=1, keepdims=True)


def record(models: dict[str, Any], dataset: Any = DATA, **options: Any) -> RunRecord:
    options = {"losses": ["categorical_crossentropy"], "metrics": ["roc_auc"], **options}
    return example_record(dataset, models, **options)


@pytest.fixture(scope="module")
def pair() -> RunRecord:
    return record({"line": LogisticRegression(), "sharp": Sharpened()})


def section(run: RunRecord) -> PageSection:
    found = reliability_section(run)
    assert found is not None
    return found


def texts(run: RunRecord) -> list[str]:
    return [str(text) for text in sentences(section(run).blocks)]


def parts(run: RunRecord) -> dict[str, dict[str, Any]]:
    """Rows of the table of the decomposition by model, as cells by header."""
    table = list(tables(section(run).blocks))[-1]
    return {row[0].text: dict(zip(table.headers, row, strict=True)) for row in table.rows}


def test_recalibration_saves_what_undoing_the_distortion_saves(pair: RunRecord) -> None:
    losses = {}
    for model in pair.models:
        assert model.predictions is not None
        rows = pooled(model.predictions)
        losses[model.name] = log_loss(rows.y, rows.proba)  # scikit-learn
    gap = losses["sharp"] - losses["line"]
    row = parts(pair)["sharp"]
    assert row["above the best"].value == pytest.approx(gap)
    # The best line in the log-odds is close to the one that undoes the distortion.
    assert row["logit_line saves at least"].value == pytest.approx(gap, abs=0.004)
    saving = next(text for text in texts(pair) if text.startswith("sharp: recalibration"))
    assert "recalibration (a line in the log-odds) would save at least" in saving
    assert "of its distance of" in saving


def test_every_number_of_a_sentence_stands_in_a_table(pair: RunRecord) -> None:
    assert numbers_without_a_cell(section(pair).blocks) == []


def test_the_calibrated_model_has_no_claim(pair: RunRecord) -> None:
    assert not any(text.startswith("line: recal") for text in texts(pair))
    assert parts(pair)["line"]["logit_line saves at least"].text == "not significant"
    alone = texts(record({"line": LogisticRegression()}))
    assert any("No curve is outside of its band for more than" in text for text in alone)
    expected = "Recalibration (a line in the log-odds) is not shown to lower the"
    assert any(text.startswith(expected) for text in alone)


def test_the_rows_that_are_predicted_worst_are_named(pair: RunRecord) -> None:
    """The sentence is recomputed from the predictions."""
    text = next(t for t in sentences(section(pair).blocks) if "on average for" in str(t))
    assert text.values["model"] == "sharp"
    known = pair.model("sharp")
    assert known is not None
    assert known.predictions is not None
    rows = pooled(known.predictions)
    p = rows.proba[:, 1]
    groups = np.array_split(np.argsort(p, kind="stable"), 10)  # no ties: tenths of the rows
    gaps = {i: abs(p[own].mean() - rows.y[own].mean()) for i, own in enumerate(groups)}
    own = groups[max(gaps, key=gaps.__getitem__)]
    assert text.values["n"] == len(own)
    assert text.values["predicted"] == pytest.approx(p[own].mean())
    assert text.values["frequency"] == pytest.approx(rows.y[own].mean())


def test_the_best_three_models_are_open_and_constant_ones_left_out() -> None:
    models = {f"line {i}": LogisticRegression(C=10.0**-i) for i in range(4)}
    blocks = section(record({**models, "prior": DummyClassifier()})).blocks
    first = next(block for block in blocks if isinstance(block, Columns))
    closed = next(block for block in blocks if isinstance(block, Details))
    assert (len(first.blocks), len(list(figures_of([closed])))) == (3, 1)
    assert len(list(tables(blocks))[-1].rows) == 4
    assert reliability_section(record({"prior": DummyClassifier()})) is None


def test_more_classes_show_the_worst_three_first() -> None:
    run = record({"line": LogisticRegression(), "sharp": Sharpened()}, numeric(credit_data(300, 4)))
    blocks = section(run).blocks
    assert numbers_without_a_cell(blocks) == []
    drawn = list(figures_of(blocks))
    shares = [figure.finding.values["outside"] for figure in drawn]
    assert len(drawn) == 4 + 3  # all classes of the best model, three of the other
    assert shares[:4] == sorted(shares[:4], reverse=True)
    assert "one temperature and a bias for each class" in " ".join(texts(run))


def test_probabilities_of_zero_are_noted() -> None:
    forest = RandomForestClassifier(5, random_state=0)
    run = record({"forest": forest, "line": LogisticRegression()})
    found = texts(run)
    assert any(text.endswith("These numbers depend on the clip.") for text in found)
    known = run.model("forest")
    assert known is not None
    assert known.predictions is not None
    n = int((pooled(known.predictions).proba == 0.0).any(axis=1).sum())
    assert any(f"forest: {n:,} rows have a probability below the clip" in t for t in found)


def test_weights_are_used() -> None:
    weight = np.where(DATA.y == 1, 3.0, 1.0)
    weighted = make_dataset(DATA.X, DATA.y, DATA.card, sample_weight=weight)
    run = record({"sharp": Sharpened()}, weighted)
    table = next(tables(section(run).blocks))
    known = run.model("sharp")
    assert known is not None
    assert known.predictions is not None
    rows = pooled(known.predictions)
    lowest = rows.proba[:, 1] <= np.quantile(rows.proba[:, 1], 0.1)
    expected = np.average(rows.y[lowest], weights=rows.sample_weight[lowest])
    assert table.rows[0][2].value == pytest.approx(expected)
    assert numbers_without_a_cell(section(run).blocks) == []


def test_repeats_are_not_taken_for_more_rows() -> None:
    cv = CrossValidation("repeated", n_splits=2, n_repeats=2)
    run = record({"line": LogisticRegression()}, cv=cv)
    table = next(tables(section(run).blocks))
    assert table.rows[-1][3].value == len(DATA.y)


def test_rows_of_entities_have_a_remark_and_no_isotonic_test() -> None:
    groups = np.arange(len(DATA.y)) // 2
    grouped = make_dataset(DATA.X, DATA.y, DATA.card, groups=groups)
    run = record({"sharp": Sharpened()}, grouped, cv=CrossValidation("grouped"))
    found = texts(run)
    assert any("the bands are too narrow" in text for text in found)
    assert not any("sotonic regression finds" in text for text in found)


@pytest.mark.parametrize("primary", ["roc_auc", "zero_one_loss"])
def test_what_is_not_a_proper_loss_is_replaced_by_the_log_loss(primary: str) -> None:
    losses = ["categorical_crossentropy", "zero_one_loss"]
    models = {"sharp": Sharpened(), "line": LogisticRegression()}
    run = record(models, primary=primary, losses=losses)
    row = parts(run)["sharp"]
    assert "above the best" not in row
    known = run.model("sharp")
    assert known is not None
    assert known.predictions is not None
    rows = pooled(known.predictions)
    assert row["categorical_crossentropy"].value == pytest.approx(log_loss(rows.y, rows.proba))
    assert any("of its categorical_crossentropy of" in text for text in texts(run))


def test_a_run_without_intervals_still_has_the_section(pair: RunRecord) -> None:
    bare = dataclasses.replace(pair, board=dataclasses.replace(pair.board, uncertainty=None))
    assert math.isfinite(parts(bare)["sharp"]["categorical_crossentropy"].value)
