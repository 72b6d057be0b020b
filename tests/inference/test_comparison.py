"""Paired comparison over folds and Holm's adjustment: against peers, by hand, at the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from xentexp.errors import InputError
from xentexp.inference._comparison import compare_paired, holm, split_ratio

FIRST = [0.4412, 0.4208, 0.4731, 0.4518, 0.4329]
SECOND = [0.4388, 0.4215, 0.4672, 0.4501, 0.4310]


def test_five_folds_against_baycomp() -> None:
    # baycomp 1.0.3, CorrelatedTTest.probs(FIRST, SECOND): the tail of the same t distribution
    result = compare_paired(FIRST, SECOND, test_train_ratio=1 / 4)
    assert result.p == pytest.approx(2 * 0.11583817802455976, rel=1e-12)
    assert result.df == 4


def test_two_repeats_of_five_folds_against_baycomp() -> None:
    first = [0.4808, 0.3889, 0.4484, 0.4286, 0.4309, 0.4357, 0.3996, 0.4354, 0.4227, 0.5065]
    second = [0.4754, 0.387, 0.4461, 0.4286, 0.4332, 0.434, 0.3927, 0.4328, 0.413, 0.5037]
    # CorrelatedTTest.probs(first, second, runs=2)
    result = compare_paired(first, second, test_train_ratio=1 / 4)
    assert result.p == pytest.approx(2 * 0.08096038958389062, rel=1e-12)
    assert result.df == 9


def test_three_folds_by_hand() -> None:
    # differences 1, 2, 3: mean 2, variance 1; variance of the mean 1/3 + 1/2 = 5/6.
    # t of 2 degrees of freedom has the tail (1 - t / sqrt(t^2 + 2)) / 2 and, at 97.5 %,
    # .95 sqrt(2 / (1 - .95^2)).
    result = compare_paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], test_train_ratio=0.5)
    t = 2.0 / math.sqrt(5 / 6)
    assert result.difference == 2.0
    assert result.standard_error == pytest.approx(math.sqrt(5 / 6))
    assert result.statistic == pytest.approx(t)
    assert result.p == pytest.approx(1.0 - t / math.sqrt(t * t + 2.0))
    half_width = 0.95 * math.sqrt(2.0 / (1.0 - 0.95**2)) * math.sqrt(5 / 6)
    assert (result.low, result.high) == pytest.approx((2.0 - half_width, 2.0 + half_width))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_ratio_0_gives_the_paired_t_test_of_scipy(confidence: float) -> None:
    theirs = stats.ttest_rel(FIRST, SECOND)
    interval = theirs.confidence_interval(confidence)
    result = compare_paired(FIRST, SECOND, test_train_ratio=0.0, confidence=confidence)
    assert (result.statistic, result.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))


def test_the_difference_is_first_minus_second() -> None:
    forward = compare_paired(FIRST, SECOND, test_train_ratio=0.25)
    backward = compare_paired(SECOND, FIRST, test_train_ratio=0.25)
    assert (backward.difference, backward.statistic) == (-forward.difference, -forward.statistic)
    assert backward.p == forward.p


def test_equal_values_up_to_rounding_have_p_1() -> None:
    result = compare_paired([0.3, 0.1 + 0.2], [0.3, 0.3], test_train_ratio=0.25)
    assert (result.difference, result.p, result.low, result.high) == (0.0, 1.0, 0.0, 0.0)


def test_the_same_difference_in_every_fold_has_p_0() -> None:
    # 0.3 - 0.2 and 0.4 - 0.3 only differ in the last digit, by rounding
    result = compare_paired([0.3, 0.4], [0.2, 0.3], test_train_ratio=0.25)
    assert result.p == 0.0
    assert result.statistic == math.inf
    assert result.difference == result.low == result.high == pytest.approx(0.1)
    assert compare_paired([0.2, 0.3], [0.3, 0.4], test_train_ratio=0.25).statistic == -math.inf


def test_one_fold_gives_no_test() -> None:
    result = compare_paired([0.3], [0.2], test_train_ratio=0.25)
    assert result.difference == pytest.approx(0.1)
    assert math.isnan(result.p)
    assert result.reason == "a test needs at least two folds"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_give_no_test(value: float) -> None:
    result = compare_paired([0.3, value, 0.2], [0.2, value, 0.1], test_train_ratio=0.25)
    assert math.isnan(result.p)
    assert math.isnan(result.difference)
    assert result.reason == "fold 2 of 3 has no finite value"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"first": [1.0]}, "one value for each fold"),
        ({"first": [], "second": []}, "one value for each fold, at least one"),
        ({"test_train_ratio": -0.1}, "test_train_ratio must be a number >= 0; got -0.1"),
        ({"test_train_ratio": math.nan}, "test_train_ratio must be a number >= 0; got nan"),
        ({"test_train_ratio": (320, 80)}, r"must be a number >= 0; got \(320, 80\); split_ratio"),
        ({"confidence": 95.0}, "confidence must be between 0 and 1; got 95"),
    ],
)
def test_invalid_input_raises(change: dict[str, object], rule: str) -> None:
    arguments = {"first": FIRST, "second": SECOND, "test_train_ratio": 0.25, **change}
    with pytest.raises(InputError, match=rule):
        compare_paired(**arguments)


@pytest.mark.parametrize("sizes", [(320, 80), [(320, 80), 5], [(1, 2, 3)], "ab"])
def test_sizes_that_are_not_pairs_are_refused(sizes: object) -> None:
    with pytest.raises(InputError, match=r"sizes must have a pair .*; for a single fold pass \[\("):
        split_ratio(sizes)


def test_the_corrected_test_keeps_its_level_on_correlated_folds() -> None:
    # Differences of folds with correlation rho = n_test / (n_test + n_train), as Nadeau
    # and Bengio assume: the corrected test keeps its level, the plain one does not.
    rng, folds, rho = np.random.default_rng(5), 5, 0.2
    common = rng.normal(size=(4000, 1)) * math.sqrt(rho)
    independent = rng.normal(size=(4000, folds)) * math.sqrt(1 - rho)
    rates = {}
    for ratio in (0.25, 0.0):
        p = [
            compare_paired(d, np.zeros(folds), test_train_ratio=ratio).p
            for d in common + independent
        ]
        rates[ratio] = np.mean(np.array(p) < 0.05)
    assert rates[0.25] == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 4000))
    assert rates[0.0] > 0.1


def test_split_ratio() -> None:
    assert split_ratio([(90, 10), (80, 20)]) == pytest.approx((10 / 90 + 20 / 80) / 2)
    with pytest.raises(InputError, match="sizes must have at least one fold"):
        split_ratio([])
    with pytest.raises(InputError, match="at least one training row and one test row; got 0 and 5"):
        split_ratio([(0, 5)])


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        # statsmodels 0.15.0, multipletests(p, method="holm")
        (
            [0.001, 0.02, 0.02, 0.2, 0.0004, 0.5, 0.013, 0.9],
            [0.007, 0.1, 0.1, 0.6, 0.0032, 1.0, 0.078, 1.0],
        ),
        # the example of MultipleTesting.jl 0.6, adjust(PValues(...), Holm())
        ([0.001, 0.01, 0.03, 0.5], [0.004, 0.03, 0.06, 0.5]),
        ([0.03, 0.01, 0.02], [0.04, 0.03, 0.04]),  # by hand: 3 x .01, 2 x .02, then never less
        ([0.7], [0.7]),
        ([], []),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_holm(p: list[float], adjusted: list[float]) -> None:
    assert holm(p) == pytest.approx(adjusted, rel=1e-12)


def test_holm_does_not_count_nan() -> None:
    result = holm([0.01, math.nan, 0.03])
    assert result[[0, 2]] == pytest.approx([0.02, 0.03])
    assert math.isnan(result[1])


@pytest.mark.parametrize("p", [[1.1], [-0.1], [[0.1]]])
def test_holm_refuses_invalid_p_values(p: list[float]) -> None:
    with pytest.raises(InputError, match="p must be one-dimensional, with numbers in"):
        holm(p)
