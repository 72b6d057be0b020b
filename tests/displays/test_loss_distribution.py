"""LossDistributionDisplay: shares of rows and of the loss, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss

from xentexp.displays import LossDistributionDisplay
from xentexp.displays._style import to_svg
from xentexp.errors import InputError


def axes() -> Axes:
    return Figure().add_subplot()


def test_shares_of_rows_and_of_the_loss() -> None:
    # Brier losses: one row of .81, 9 of .25 and 90 of .01, in total 3.96; 1% is one row.
    p = np.repeat([0.9, 0.5, 0.1], [1, 9, 90])
    display = LossDistributionDisplay.from_predictions(
        np.zeros(100, dtype=int), p, loss="brier_loss", n_bins=2, ax=axes()
    )
    found = display.distributions["model"]
    assert found.edges == pytest.approx([0.01, 0.09, 0.81])  # .09 is the geometric mean
    assert found.shares == pytest.approx([0.9, 0.1])
    assert found.mean == pytest.approx(0.0396)
    assert found.worst_share == pytest.approx(0.81 / 3.96)
    assert (found.n_rows, found.n_infinite) == (100, 0)
    assert display.ax_.texts[0].get_text() == "model: 20%"


def test_a_weight_counts_as_that_many_rows() -> None:
    p, weight = np.array([0.9, 0.5, 0.1, 0.3]), np.array([1.0, 9.0, 90.0, 0.0])
    options = {"loss": "brier_loss", "n_bins": 2}
    weighted = LossDistributionDisplay.from_predictions(
        [0, 0, 0, 0], p, sample_weight=weight, **options, ax=axes()
    ).distributions["model"]
    repeated = LossDistributionDisplay.from_predictions(
        np.zeros(100, dtype=int), p.repeat(weight.astype(int)), **options, ax=axes()
    ).distributions["model"]
    assert weighted.shares == pytest.approx(repeated.shares)
    assert weighted.worst_share == pytest.approx(repeated.worst_share)
    assert weighted.n_rows == 3


def test_infinite_losses_are_said_in_words() -> None:
    y, p = [0, 1, 1, 1], {"tree": [0.1, 0.8, 0.0, 0.0], "line": [0.2, 0.7, 0.6, 0.9]}
    display = LossDistributionDisplay.from_predictions(y, p, clip=0.0, ax=axes())
    tree, line = display.distributions.values()
    assert (tree.n_infinite, tree.mean) == (2, math.inf)
    assert math.isnan(tree.worst_share)
    assert tree.shares.sum() == pytest.approx(0.5)
    assert line.mean == pytest.approx(log_loss(y, p["line"]))
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts[0] == "tree: infinite in 2 of 4 rows"
    # With the default clip, scikit-learn's, the same loss is finite.
    clipped = LossDistributionDisplay.from_predictions(y, p["tree"], ax=axes())
    assert clipped.distributions["model"].mean == pytest.approx(log_loss(y, p["tree"]))


def test_losses_of_zero_are_in_the_first_bin_and_have_no_worst() -> None:
    display = LossDistributionDisplay.from_predictions([0, 1], [0.0, 1.0], name="sure", ax=axes())
    found = display.distributions["sure"]
    assert found.shares[0] == 1.0
    assert math.isnan(found.worst_share)
    assert display.ax_.texts[0].get_text() == "sure: the loss is 0.0000"
    assert "mathdefault" not in to_svg(display.figure_, "losses")


def test_classifiers_by_their_probabilities() -> None:
    X, y = np.zeros((4, 1)), np.array([0, 0, 0, 1])
    display = LossDistributionDisplay.from_estimator(DummyClassifier().fit(X, y), X, y, ax=axes())
    # .75 for three rows and .25 for one.
    expected = -(3 * math.log(0.75) + math.log(0.25)) / 4
    assert display.distributions["DummyClassifier"].mean == pytest.approx(expected)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="n_bins must be an integer >= 1; got 0"):
        LossDistributionDisplay.from_predictions([0, 1], [0.1, 0.9], n_bins=0)
    with pytest.raises(InputError, match="sample_weight must have shape"):
        LossDistributionDisplay.from_predictions([0, 1], [0.1, 0.9], sample_weight=[1.0])
