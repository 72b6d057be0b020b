"""ThresholdDisplay: lines, dots and ranges are those of the cost curves."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from xentexp.displays import ThresholdDisplay
from xentexp.inference import cost_curve

RNG = np.random.default_rng(0)
P = RNG.beta(1, 4, 500)
Y = (RNG.random(500) < P).astype(int)


def test_lines_dots_and_ranges() -> None:
    models = {"true": P, "noisy": np.clip(P + RNG.normal(0.0, 0.1, 500), 0.0, 1.0)}
    display = ThresholdDisplay.from_predictions(
        Y, models, miss=5, false_alarm=1, ax=Figure().add_subplot()
    )
    curve = cost_curve(Y, P, miss=5, false_alarm=1)
    line, near, dot = display.ax_.lines[:3]
    np.testing.assert_allclose(line.get_ydata(), curve.costs * 1000.0)
    assert near.get_xdata()[0] >= curve.tolerance_low
    assert near.get_xdata()[-1] <= curve.tolerance_high
    assert (near.get_ydata() <= 1010.0001 * curve.best_cost).all()
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx(
        (curve.best_threshold, 1000.0 * curve.best_cost)
    )
    # by hand: 1 / (1 + 5), and the cheaper of 1 for each row without and 5 for each with an event
    texts = {text.get_text() for text in display.ax_.texts}
    assert texts == {"true", "noisy", "best constant", "0.167"}
    constant = min(1.0 - Y.mean(), 5.0 * Y.mean())
    assert display.ax_.lines[6].get_ydata()[0] == pytest.approx(1000.0 * constant)


def test_a_classifier_and_no_models() -> None:
    X = P[:, None]
    model = LogisticRegression().fit(X, Y)
    display = ThresholdDisplay.from_estimator(
        model, X, Y, miss=2, false_alarm=1, amount=np.arange(500.0), ax=Figure().add_subplot()
    )
    expected = cost_curve(Y, model.predict_proba(X), miss=2, false_alarm=1, amount=np.arange(500.0))
    assert display.curves["LogisticRegression"].best_cost == expected.best_cost
    ThresholdDisplay({}).plot(Figure().add_subplot())
