"""GainsDisplay: the curve against scikit-learn's ROC curve and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from xentexp.displays import GainsDisplay
from xentexp.errors import InputError
from xentexp.metrics.credit import gains_table


def test_ties_count_in_part_by_hand() -> None:
    # Scores .9 (event), .5 (event and two others), .1 (other): 20% of the rows catch 1 of 2
    # events; 50% are 1.5 of the three tied rows more, with half an event.
    display = GainsDisplay.from_predictions(
        ["no", "yes", "no", "yes", "no"],
        [0.5, 0.9, 0.5, 0.5, 0.1],
        labels=["no", "yes"],
        ax=Figure().add_subplot(),
    )
    caught = np.interp([0.0, 0.2, 0.5, 0.8, 1.0], display.selected, display.caught["model"])
    np.testing.assert_allclose(caught, [0.0, 0.5, 0.75, 1.0, 1.0], atol=1e-12)
    assert display.base_rate == 0.4
    assert display.ax_.get_ylabel() == "share of yes caught"


def test_it_is_the_gains_table_and_its_area_follows_from_auc() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(400)
    y = (rng.random(400) < p**2).astype(int)
    weight = rng.exponential(size=400)
    display = GainsDisplay.from_predictions(
        y, {"tree": p}, sample_weight=weight, ax=Figure().add_subplot()
    )
    for row in gains_table(y, p, top=[0.05, 0.3], sample_weight=weight).rows:
        caught = np.interp(row.share, display.selected, display.caught["tree"])
        assert caught == pytest.approx(row.caught, abs=1e-12)
    # area = rate / 2 + (1 - rate) * AUC
    rate = np.average(y, weights=weight)
    area = np.trapezoid(display.caught["tree"], display.selected)
    auc = roc_auc_score(y, p, sample_weight=weight)
    assert area == pytest.approx(rate / 2 + (1 - rate) * auc, abs=1e-4)


def test_a_classifier() -> None:
    X, y = np.arange(4.0)[:, None], [0, 1, 0, 1]
    model = LogisticRegression().fit(X, y)
    display = GainsDisplay.from_estimator({"line": model}, X, y, ax=Figure().add_subplot())
    assert np.interp(0.25, display.selected, display.caught["line"]) == 0.5
    assert [text.get_text() for text in display.ax_.texts] == ["line"]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="GainsDisplay is for two classes; there are 3"):
        GainsDisplay.from_predictions([0, 1, 2], np.full((3, 3), 1 / 3))
    with pytest.raises(InputError, match="y_true must have rows of both classes; got none of clas"):
        GainsDisplay.from_predictions([0, 0], [0.2, 0.3], labels=[0, 1])
