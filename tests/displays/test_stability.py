"""StabilityDisplay: dots are the means of the folds, and lines join the same fold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from xentexp.displays import StabilityDisplay
from xentexp.errors import InputError

RNG = np.random.default_rng(0)
P = RNG.uniform(0.1, 0.9, 60)
Y = (RNG.random(60) < P).astype(int)
FOLDS = np.arange(60) % 3 + 2021


def test_values_are_the_weighted_means_of_the_folds() -> None:
    weight = RNG.exponential(size=60)
    display = StabilityDisplay.from_predictions(
        Y, {"tree": P, "even": np.full(60, 0.5)}, folds=FOLDS, sample_weight=weight,
        ax=Figure().add_subplot(),
    )  # fmt: skip
    expected = [
        log_loss(Y[f == FOLDS], P[f == FOLDS], sample_weight=weight[f == FOLDS], labels=[0, 1])
        for f in (2021, 2022, 2023)
    ]
    np.testing.assert_allclose(display.values["tree"], expected)
    assert display.folds == ("2021", "2022", "2023")
    joining, dots = display.ax_.lines[:3], display.ax_.lines[3:]
    for fold, line in enumerate(joining):
        np.testing.assert_allclose(line.get_xdata(), [expected[fold], math.log(2.0)])
    strips = [line for line in dots if line.get_marker() == "o"]
    np.testing.assert_allclose(strips[0].get_xdata(), expected)


def test_infinite_values_are_left_out() -> None:
    display = StabilityDisplay({"tree": [0.4, math.inf, 0.5]}, metric="log_loss").plot(
        Figure().add_subplot()
    )
    strip = next(line for line in display.ax_.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(strip.get_xdata(), [0.4, math.nan, 0.5])
    assert [text.get_text() for text in display.ax_.texts] == ["1", "3"]


def test_names_of_folds_are_left_out_where_they_do_not_fit() -> None:
    values = {"tree": [0.4, 0.4001, 0.4002, 0.5]}
    months = ["January 2024", "February 2024", "March 2024", "April 2024"]
    display = StabilityDisplay(values, metric="brier_loss", folds=months)
    assert len(display.plot(Figure().add_subplot()).ax_.texts) == 0
    many = StabilityDisplay({"tree": np.arange(50.0)}, metric="brier_loss")
    assert len(many.plot(Figure().add_subplot()).ax_.texts) == 0


def test_a_classifier_and_no_models() -> None:
    X = P[:, None]
    model = LogisticRegression().fit(X, Y)
    display = StabilityDisplay.from_estimator(
        model, X, Y, folds=FOLDS, loss="brier_loss", ax=Figure().add_subplot()
    )
    assert display.metric == "brier_loss"
    assert list(display.values) == ["LogisticRegression"]
    StabilityDisplay({}, metric="brier_loss").plot(Figure().add_subplot())


def test_bad_input() -> None:
    with pytest.raises(InputError, match="values must have one number for each of the 2 folds"):
        StabilityDisplay({"a": [1.0, 2.0], "b": [1.0]}, metric="brier_loss")
    with pytest.raises(InputError, match="folds must have one entry for each of the 60 rows"):
        StabilityDisplay.from_predictions(Y, P, folds=[1, 2])
