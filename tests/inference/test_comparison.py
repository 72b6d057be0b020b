"""Paired comparison over folds, and Holm's adjustment: against peers, by hand, at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from xentexp.errors import InputError
from xentexp.inference._comparison import compare_paired, holm, split_ratio

FIRST = [0.4412, 0.4208, 0.4731, 0.4518, 0.4329]
SECOND = [0.4388, 0.4215, 0.4672, 0.4501, 0.4310]


def test_five_folds_as_baycomp_has_them() -> None:
    # baycomp 1.0.3, CorrelatedTTest.probs(FIRST, SECOND): the tail of the same t distribution
    found = compare_paired(FIRST, SECOND, test_train_ratio=1 / 4)
    assert found.p == pytest.approx(2 * 0.11583817802455976, rel=1e-12)
    assert found.df == 4


def test_two_repeats_of_five_folds_as_baycomp_has_them() -> None:
    first = [0.4808, 0.3889, 0.4484, 0.4286, 0.4309, 0.4357, 0.3996, 0.4354, 0.4227, 0.5065]
    second = [0.4754, 0.387, 0.4461, 0.4286, 0.4332, 0.434, 0.3927, 0.4328, 0.413, 0.5037]
    # CorrelatedTTest.probs(first, second, runs=2)
    found = compare_paired(first, second, test_train_ratio=1 / 4)
    assert found.p == pytest.approx(2 * 0.08096038958389062, rel=1e-12)
    assert found.df == 9


def test_by_hand() -> None:
    # differences 1, 2, 3: mean 2, variance 1; variance of the mean 1/3 + 1/2 = 5/6.
    # t of 2 degrees of freedom has the tail (1 - t / sqrt(t^2 + 2)) / 2 and, at 97.5 %,
    # .95 sqrt(2 / (1 - .95^2)).
    found = compare_paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], test_train_ratio=0.5)
    t = 2.0 / math.sqrt(5 / 6)
    assert found.difference == 2.0
    assert found.standard_error == pytest.approx(math.sqrt(5 / 6))
    assert found.statistic == pytest.approx(t)
    assert found.p == pytest.approx(1.0 - t / math.sqrt(t * t + 2.0))
    reach = 0.95 * math.sqrt(2.0 / (1.0 - 0.95**2)) * math.sqrt(5 / 6)
    assert (found.low, found.high) == pytest.approx((2.0 - reach, 2.0 + reach))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_without_correction_it_is_the_paired_t_test(confidence: float) -> None:
    theirs = stats.ttest_rel(FIRST, SECOND)
    interval = theirs.confidence_interval(confidence)
    found = compare_paired(FIRST, SECOND, test_train_ratio=0.0, confidence=confidence)
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_sign_is_that_of_the_first_less_the_second() -> None:
    there = compare_paired(FIRST, SECOND, test_train_ratio=0.25)
    back = compare_paired(SECOND, FIRST, test_train_ratio=0.25)
    assert (back.difference, back.statistic) == (-there.difference, -there.statistic)
    assert back.p == there.p


def test_no_difference_up_to_rounding() -> None:
    found = compare_paired([0.3, 0.1 + 0.2], [0.3, 0.3], test_train_ratio=0.25)
    assert (found.difference, found.p, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)


def test_the_same_difference_in_every_fold() -> None:
    # 0.3 - 0.2 and 0.4 - 0.3 differ in the last digit: that is no spread
    found = compare_paired([0.3, 0.4], [0.2, 0.3], test_train_ratio=0.25)
    assert found.p == 0.0
    assert found.statistic == math.inf
    assert found.difference == found.low == found.high == pytest.approx(0.1)
    assert compare_paired([0.2, 0.3], [0.3, 0.4], test_train_ratio=0.25).statistic == -math.inf


def test_one_fold_is_no_test() -> None:
    found = compare_paired([0.3], [0.2], test_train_ratio=0.25)
    assert found.difference == pytest.approx(0.1)
    assert math.isnan(found.p)
    assert found.reason == "one fold: no spread to test against"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_no_test(value: float) -> None:
    found = compare_paired([0.3, value, 0.2], [0.2, value, 0.1], test_train_ratio=0.25)
    assert math.isnan(found.p)
    assert math.isnan(found.difference)
    assert found.reason == "fold 2 of 3 has no finite value"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"first": [1.0]}, "one value for each fold"),
        ({"first": [], "second": []}, "one fold at least"),
        ({"test_train_ratio": -0.1}, "test_train_ratio must be >= 0; got -0.1"),
        ({"test_train_ratio": math.nan}, "test_train_ratio must be >= 0; got nan"),
        ({"confidence": 95.0}, "confidence must lie between 0 and 1; got 95"),
    ],
)
def test_bad_input(change: dict[str, object], rule: str) -> None:
    arguments = {"first": FIRST, "second": SECOND, "test_train_ratio": 0.25, **change}
    with pytest.raises(InputError, match=rule):
        compare_paired(**arguments)


def test_false_alarms_are_as_rare_as_said_where_the_formula_is_exact() -> None:
    # Differences of folds that are correlated by rho = n_test / (n_test + n_train), as Nadeau
    # and Bengio assume: the corrected test keeps its level, the plain one does not.
    rng, folds, rho = np.random.default_rng(5), 5, 0.2
    common = rng.normal(size=(4000, 1)) * math.sqrt(rho)
    own = rng.normal(size=(4000, folds)) * math.sqrt(1 - rho)
    rates = {}
    for ratio in (0.25, 0.0):
        p = [compare_paired(d, np.zeros(folds), test_train_ratio=ratio).p for d in common + own]
        rates[ratio] = np.mean(np.array(p) < 0.05)
    assert rates[0.25] == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 4000))
    assert rates[0.0] > 0.1


def test_ratio_of_folds() -> None:
    assert split_ratio([(90, 10), (80, 20)]) == pytest.approx((10 / 90 + 20 / 80) / 2)
    with pytest.raises(InputError, match="folds must be one at least"):
        split_ratio([])
    with pytest.raises(InputError, match="a training and a test row at least; got 0 and 5"):
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


def test_a_test_that_was_not_made_does_not_count() -> None:
    found = holm([0.01, math.nan, 0.03])
    assert found[[0, 2]] == pytest.approx([0.02, 0.03])
    assert math.isnan(found[1])


@pytest.mark.parametrize("p", [[1.1], [-0.1], [[0.1]]])
def test_what_is_no_p_value(p: list[float]) -> None:
    with pytest.raises(InputError, match="p-values must be a list of numbers in"):
        holm(p)
