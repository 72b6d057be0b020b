"""Numerical functions at points where a simple formula overflows or loses its digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from xentexp._numerics import (
    flat_view,
    log1p_sum,
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


@pytest.mark.parametrize("t", [1.0001, 1.2, 2.0, 10.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 300.0])
def test_the_tempered_softmax_solves_its_equation(t, scale):
    a = t - 1.0
    for k in (2, 7):
        z = scale * np.random.default_rng(k).normal(size=k)
        z -= z.max()

        def excess(c, z=z):
            return math.fsum(np.exp(-np.log1p(a * (c - z)) / a)) - 1.0

        c = brentq(excess, 0.0, (k**a - 1.0) / a, xtol=1e-15, rtol=1e-15)
        log_p = tempered_log_softmax(z[:, np.newaxis], t)[:, 0]
        np.testing.assert_allclose(log_p, -np.log1p(a * (c - z)) / a, rtol=1e-12, atol=1e-14)


def test_the_tempered_softmax_of_masked_and_of_far_scores():
    z = np.array([[0.0, 0.0, 0.0], [0.0, -np.inf, -1e300], [-np.inf, -np.inf, -1e300]])
    p = np.exp(tempered_log_softmax(z, 1.2))
    np.testing.assert_allclose(p[:, 0], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(p[:, 1:], [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]], atol=1e-15)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7, 10])
def test_the_sum_of_log1p_keeps_the_digits_of_small_terms(k):
    x = 10.0 ** np.random.default_rng(k).uniform(-20.0, 25.0, size=(k, 50))
    x[:, 0], x[:, 1] = 0.0, 1e-20
    before = x.copy()
    expected = [math.fsum(math.log1p(value) for value in column) for column in x.T]
    np.testing.assert_allclose(log1p_sum(x), expected, rtol=1e-15)
    np.testing.assert_array_equal(x, before)


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
