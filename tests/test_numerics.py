"""Numerical functions at points where a simple formula overflows or loses its digits."""

from __future__ import annotations

import numpy as np
import pytest

from xentexp._numerics import (
    flat_view,
    log_softmax,
    positive_part,
    row_positions,
    running_sums,
    scores_by_class,
    sigmoid,
    softplus,
    sums_of_others,
    tempered_log,
    tempered_log_softmax,
    weigh,
)


def test_log_softmax_is_exact_for_small_and_for_large_probabilities():
    log_proba, proba = log_softmax(np.array([[0.0], [-800.0]]))
    assert log_proba.ravel().tolist() == [0.0, -800.0]
    assert proba.ravel().tolist() == [1.0, 0.0]
    assert log_softmax(np.array([[0.0], [-50.0]]))[0][0, 0] == pytest.approx(
        -np.exp(-50), rel=1e-15
    )


def test_softplus_and_sigmoid_do_not_overflow():
    x = np.array([-np.inf, -40.0, 0.0, 800.0])
    expected = [0.0, np.exp(-40.0), np.log(2.0), 800.0]
    np.testing.assert_allclose(softplus(x), expected, rtol=1e-15)
    assert sigmoid(np.array([-800.0, 0.0, 800.0])).tolist() == [0.0, 0.5, 1.0]


def test_tempered_logarithm_and_softmax():
    np.testing.assert_allclose(tempered_log(np.log([0.25, 1.0]), 0.5), [-1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(tempered_log(np.log([0.25]), 1.0), np.log([0.25]))
    log_p = tempered_log_softmax(np.array([[0.0, 3.0], [0.0, 1.0]]), 1.2)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=0), 1.0, rtol=1e-15)
    np.testing.assert_allclose(np.exp(log_p[:, 0]), 0.5)


def test_scores_of_shape_n_become_two_classes():
    assert scores_by_class(np.array([0.5, -2.0])).tolist() == [[0.0, 0.0], [0.5, -2.0]]


def test_sums_over_classes():
    p = np.array([[1.0], [1e-20], [2e-20]])
    np.testing.assert_allclose(sums_of_others(p).ravel(), [3e-20, 1.0, 1.0], rtol=1e-15)
    assert running_sums(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[1.0, 2.0], [4.0, 6.0]]


def test_positive_part_works_in_place():
    x = np.array([-2.0, 3.0])
    assert positive_part(x) is x
    assert x.tolist() == [0.0, 3.0]


@pytest.mark.parametrize("n", [3, 70_000])
def test_row_positions(n):
    assert np.array_equal(row_positions(n, 4), np.arange(0, 4 * n, 4))


def test_a_flat_view_has_the_entries_at_their_strides():
    assert flat_view(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])).tolist() == [1.0, 3.0, 2.0, 4.0]
    assert flat_view(np.array([[1.0, 2.0], [3.0, 4.0]])[::-1]) is None


def test_an_infinite_value_of_weight_0_counts_as_0():
    assert weigh(np.array([np.inf, 2.0]), np.array([0.0, 3.0])).tolist() == [0.0, 6.0]
