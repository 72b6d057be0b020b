"""Stability of the order over folds: published reliabilities, the sign test, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from xentexp.errors import InputError
from xentexp.inference import order_stability

# Shrout and Fleiss (1979), table 2: six targets (here models), four raters (here folds).
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_reliability_published_by_shrout_and_fleiss() -> None:
    # ICC(3, 4) = .91 there; with the mean squares of their table 3, 11.24 (targets) and 1.02
    # (residual), (11.24 - 1.02) / 11.24 = .909. ICC(3, 1) = .71, and Spearman-Brown of it is
    # 4 * .715 / (1 + 3 * .715).
    result = order_stability(RATINGS)
    assert result.reliability == pytest.approx((11.24 - 1.02) / 11.24, abs=5e-4)
    assert result.reliability == pytest.approx(4 * 0.7148 / (1 + 3 * 0.7148), abs=5e-5)
    assert result.order == ("1", "3", "5", "0", "2", "4")


def test_the_reliability_is_cronbachs_alpha_of_the_folds() -> None:
    # alpha = J / (J - 1) (1 - sum of the variances of the folds / variance of the sums)
    values = np.random.default_rng(0).normal(size=(7, 5)) + np.arange(7.0)[:, None]
    alpha = 5 / 4 * (1 - values.var(axis=0, ddof=1).sum() / values.sum(axis=1).var(ddof=1))
    assert order_stability(values).reliability == pytest.approx(alpha)


def test_a_pair_follows_from_the_paired_t_statistic() -> None:
    first, second = [0.44, 0.42, 0.47, 0.45, 0.43], [0.42, 0.43, 0.44, 0.43, 0.42]
    t = stats.ttest_rel(first, second).statistic
    (pair,) = order_stability([first, second], names=["first", "second"]).pairs
    assert (pair.better, pair.worse) == ("second", "first")
    assert pair.reliability == pytest.approx(1 - 1 / t**2)
    assert (pair.wins, pair.losses, pair.ties, pair.agreement) == (4, 1, 0, 0.8)
    assert pair.difference == pytest.approx(-0.014)


def test_five_wins_of_five_folds_are_no_more_than_2_of_32() -> None:
    losses = [[0.1, 0.2, 0.1, 0.3, 0.2], [0.9, 0.8, 0.9, 0.9, 0.8]]
    (pair,) = order_stability(losses).pairs
    assert (pair.wins, pair.agreement) == (5, 1.0)
    assert pair.p == 2 / 32


@pytest.mark.parametrize(("wins", "losses", "ties"), [(4, 1, 0), (3, 0, 2), (6, 2, 1), (1, 0, 1)])
def test_the_sign_test_counts_both_tails(wins: int, losses: int, ties: int) -> None:
    n = wins + losses
    tail = sum(math.comb(n, k) for k in range(wins, n + 1)) / 2**n
    worse = [1.0] * wins + [-0.1] * losses + [0.0] * ties
    (pair,) = order_stability([np.zeros(len(worse)), worse]).pairs
    assert (pair.better, pair.wins, pair.losses, pair.ties) == ("0", wins, losses, ties)
    assert pair.p == pytest.approx(min(2 * tail, 1.0))
    assert pair.agreement == wins / (n + ties)


def test_equal_models_have_no_reliability() -> None:
    result = order_stability([[0.3, 0.1 + 0.2], [0.3, 0.3]])
    assert math.isnan(result.reliability)
    assert (result.pairs[0].ties, result.pairs[0].p, result.pairs[0].agreement) == (2, 1.0, 0.0)
    assert order_stability([[0.3, 0.4], [0.4, 0.3]]).order == ("0", "1")
    single = order_stability([[0.3, 0.4]])
    assert math.isnan(single.reliability)
    assert single.pairs == ()


def test_higher_is_better_reverses_the_order() -> None:
    result = order_stability(RATINGS, higher_is_better=True)
    assert result.order == ("4", "2", "0", "5", "3", "1")
    assert result.reliability == pytest.approx(order_stability(RATINGS).reliability, rel=1e-12)
    assert all(pair.difference > 0 for pair in result.pairs)


def test_the_target_names_the_splits() -> None:
    assert order_stability(RATINGS).target == "other splits of these rows, not other rows"
    assert "nothing about other rows" in (order_stability.__doc__ or "")


tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 5), st.integers(2, 6)),
    elements=st.floats(-100, 100, width=32),
    unique=True,
)


@settings(max_examples=50)
@given(tables, st.randoms(use_true_random=False))
def test_properties(values: np.ndarray, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    names = [f"model {i}" for i in range(len(values))]
    result = order_stability(values, names=names)
    assert 0.0 <= result.reliability <= 1.0
    assert sorted(result.order) == names
    assert list(result.means) == sorted(result.means)
    assert all(pair.wins + pair.losses + pair.ties == values.shape[1] for pair in result.pairs)
    assert all(pair.p >= 2 / 2 ** values.shape[1] for pair in result.pairs)
    # the order of the folds does not matter, nor, without ties, that of the models
    folds = order_stability(values[:, rng.permutation(values.shape[1])], names=names)
    assert folds.order == result.order
    assert folds.reliability == pytest.approx(result.reliability)
    if len(set(result.means)) == len(values):
        models = rng.permutation(len(values))
        again = order_stability(values[models], names=[names[i] for i in models])
        assert again.order == result.order
        assert [pair.p for pair in again.pairs] == [pair.p for pair in result.pairs]


@pytest.mark.parametrize(
    ("values", "change", "rule"),
    [
        ([[0.1], [0.2]], {}, r"a column for each fold, at least two; got shape \(2, 1\)"),
        ([0.1, 0.2], {}, r"a row for each model .* got shape \(2,\)"),
        ([[0.1, math.inf], [0.2, 0.3]], {"names": ["a", "b"]}, "not for model 'a'; leave this"),
        ([[0.1, 0.2], [0.2, math.nan]], {}, "not for model '1'"),
        ([[0.1, 0.2], [0.2, 0.3]], {"names": ["a"]}, "names must be 2 different texts"),
        ([[0.1, 0.2], [0.2, 0.3]], {"names": ["a", "a"]}, "names must be 2 different texts"),
        ([[0.1, 0.2], [0.2, 0.3]], {"names": "ab"}, "names must be 2 different texts"),
        ([[0.1, 0.2], [0.2, 0.3]], {"names": {"a", "b"}}, "names must be a list; got a set"),
        ([[0.1, 0.2], [0.2, 0.3]], {"higher_is_better": "no"}, "higher_is_better must be True"),
    ],
)
def test_invalid_input_raises(values: object, change: dict[str, object], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        order_stability(values, **change)
