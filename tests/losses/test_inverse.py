"""The distribution of the labels from scores that minimize the expected loss: small cases."""

from __future__ import annotations

import numpy as np
import pytest

from xentexp.losses._inverse import (
    WIDEST,
    narrowed,
    on_simplex,
    separable_minimum,
    smoothed_ends,
    stationary,
    unsmoothed,
)


def test_scores_are_limited_below_the_largest():
    scores = narrowed(np.array([[800.0], [-800.0], [799.0]]))
    assert scores.ravel().tolist() == [0.0, -WIDEST, -1.0]


def test_negative_weights_count_as_0_and_infinite_ones_take_all():
    weights = np.array([[-0.1, np.inf], [1.5, 1.0], [0.5, 0.0]])
    assert on_simplex(weights).T.tolist() == [[0.0, 0.75, 0.25], [1.0, 0.0, 0.0]]


def test_label_smoothing_and_its_inverse():
    assert smoothed_ends(0.5, 2) == (0.75, 0.25)
    first, second = unsmoothed(np.array([[0.1, 0.01], [0.9, 0.99]]), 0.1).T
    assert first == pytest.approx([0.05 / 0.9, 0.85 / 0.9])
    assert second.tolist() == [0.0, 1.0]


def test_minimum_of_a_separable_loss():
    p = np.array([[0.8], [0.2]])  # generalized cross-entropy with q = 1/2: t ~ p^(1/2)
    target = separable_minimum(p, -np.sqrt(p), np.zeros((2, 1)))
    assert target.ravel() == pytest.approx([2 / 3, 1 / 3])


def test_stationary_distribution_of_two_classes():
    rates = np.array([[[0.0], [1.0]], [[3.0], [0.0]]])
    assert stationary(np.array([[1.0], [0.0]]), rates).ravel() == pytest.approx([0.75, 0.25])
