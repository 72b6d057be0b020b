"""Practical equivalence: published example, other tests of the same hypotheses, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from xentexp.errors import InputError
from xentexp.inference import Equivalence, compare_paired, equivalence, paired_difference

FIRST = [0.4412, 0.4208, 0.4731, 0.4518, 0.4329]
SECOND = [0.4388, 0.4215, 0.4672, 0.4501, 0.4310]


def three(result: Equivalence) -> tuple[float, float, float]:
    return result.better, result.equivalent, result.worse


@pytest.mark.long
def test_the_example_of_scikit_learn() -> None:
    # plot_grid_search_stats: AUC of two support vector machines on the moons, 10 repeats of 10
    # folds, margin .01. The page prints t = .750 and p = .227 (one-sided), and the probabilities
    # .068, .432 and .500 of worse, practically equivalent and better.
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel, random_state=0), X, y, cv=folds, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    result = equivalence(rbf, linear, margin=0.01, test_train_ratio=1 / 9, higher_is_better=True)
    assert three(result) == pytest.approx((0.500, 0.432, 0.068), abs=5e-4)
    assert result.p_better == pytest.approx(0.2274, abs=5e-5)
    assert result.difference / result.standard_error == pytest.approx(0.7503, abs=5e-5)


def test_probabilities_against_the_t_distribution_of_scipy() -> None:
    # baycomp's CorrelatedTTest uses the same distribution, scipy.stats.t(df, mean, scale)
    estimate = compare_paired(FIRST, SECOND, test_train_ratio=0.25)
    posterior = stats.t(4, estimate.difference, estimate.standard_error)
    result = equivalence(FIRST, SECOND, margin=0.001, test_train_ratio=0.25)
    inside = posterior.cdf(0.001) - posterior.cdf(-0.001)
    assert three(result) == pytest.approx((posterior.cdf(-0.001), inside, posterior.sf(0.001)))


def test_one_sided_p_values_against_scipy() -> None:
    # Without the correction (ratio 0) these are one-sample t-tests of the shifted differences.
    d = np.subtract(FIRST, SECOND)
    result = equivalence(FIRST, SECOND, margin=0.003, test_train_ratio=0.0)
    not_worse = stats.ttest_1samp(d - 0.003, 0.0, alternative="less").pvalue
    not_much_better = stats.ttest_1samp(d + 0.003, 0.0, alternative="greater").pvalue
    assert result.p_not_worse == pytest.approx(not_worse)
    assert result.p_equivalence == pytest.approx(max(not_worse, not_much_better))
    assert result.p_better == pytest.approx(stats.ttest_1samp(d, 0.0, alternative="less").pvalue)
    interval = stats.ttest_1samp(d, 0.0).confidence_interval(0.9)
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))


def test_a_comparison_gives_the_same_as_its_fold_values() -> None:
    estimate = compare_paired(FIRST, SECOND, test_train_ratio=0.25, confidence=0.8)
    assert equivalence(estimate, margin=0.001) == equivalence(
        FIRST, SECOND, margin=0.001, test_train_ratio=0.25
    )


def test_a_difference_keeps_its_standard_error_and_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=(2, 400))
    groups = np.arange(400) % 30
    estimate = paired_difference(a, b, groups=groups)
    posterior = stats.t(estimate.df, estimate.difference, estimate.standard_error)
    result = equivalence(estimate, margin=0.02)
    inside = posterior.cdf(0.02) - posterior.cdf(-0.02)
    assert three(result) == pytest.approx((posterior.cdf(-0.02), inside, posterior.sf(0.02)))
    assert math.isfinite(result.df)
    folds = paired_difference(a, b, folds=np.arange(400) % 5)
    assert equivalence(folds, margin=0.02).standard_error == folds.standard_error


def test_a_difference_over_rows_in_folds_is_normal() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=(2, 400))
    estimate = paired_difference(a, b, folds=np.arange(400) % 5, target="models")
    posterior = stats.norm(estimate.difference, estimate.standard_error)
    result = equivalence(estimate, margin=0.02)
    inside = posterior.cdf(0.02) - posterior.cdf(-0.02)
    assert three(result) == pytest.approx((posterior.cdf(-0.02), inside, posterior.sf(0.02)))
    assert (result.df, result.method) == (math.inf, "normal distribution")
    assert (result.low, result.high) == pytest.approx(posterior.interval(0.9))


@pytest.mark.parametrize(
    ("first", "second", "margin", "expected", "p_not_worse", "p_better"),
    [
        ([0.2, 0.3], [0.2, 0.3], 0.0, (0, 1, 0), 0, 1),  # equal: not worse, not better
        ([0.2, 0.3], [0.2, 0.3], 0.1, (0, 1, 0), 0, 1),
        ([0.51, 0.61], [0.5, 0.6], 0.01, (0, 1, 0), 0, 1),  # equals the margin up to rounding
        ([0.31, 0.41], [0.3, 0.4], 0.0, (0, 0, 1), 1, 1),
        ([0.31, 0.41], [0.3, 0.4], 0.009, (0, 0, 1), 1, 1),
        ([0.3, 0.4], [0.31, 0.41], 0.01, (0, 1, 0), 0, 0),  # equivalent, and better by a little
        ([0.3, 0.4], [0.31, 0.41], 0.0, (1, 0, 0), 0, 0),
    ],
)
def test_the_same_difference_in_every_fold(
    first: list[float],
    second: list[float],
    margin: float,
    expected: tuple[float, float, float],
    p_not_worse: float,
    p_better: float,
) -> None:
    result = equivalence(first, second, margin=margin, test_train_ratio=0.25)
    assert three(result) == expected
    assert (result.p_not_worse, result.p_better) == (p_not_worse, p_better)
    assert result.p_equivalence == 1 - expected[1]


def test_a_single_fold_gives_no_result() -> None:
    result = equivalence([0.3], [0.2], margin=0.01, test_train_ratio=0.25)
    assert result.reason == "a test needs at least two folds"
    assert all(math.isnan(p) for p in (*three(result), result.p_equivalence, result.p_not_worse))
    assert not any([result.is_better, result.is_equivalent, result.is_not_worse])


def test_the_gate_not_worse_by_a_margin() -> None:
    # FIRST has the larger loss, by .0021 with standard error .00149: t(.95, 4) = 2.132 of them is
    # .0032, so that it is shown not to be worse by .006, but not by .005.
    assert equivalence(FIRST, SECOND, margin=0.006, test_train_ratio=0.25).is_not_worse
    assert not equivalence(FIRST, SECOND, margin=0.005, test_train_ratio=0.25).is_not_worse
    assert equivalence(SECOND, FIRST, margin=0.0, test_train_ratio=0.25).p_better > 0.05


pairs = st.integers(2, 6).flatmap(
    lambda n: st.tuples(*[st.lists(st.floats(-10, 10), min_size=n, max_size=n)] * 2)
)


@given(pairs, st.floats(0, 5), st.floats(0, 1), st.booleans())
def test_properties(
    pair: tuple[list[float], list[float]], margin: float, ratio: float, higher: bool
) -> None:
    first, second = pair

    def run(a: list[float], b: list[float], higher: bool, margin: float = margin) -> Equivalence:
        return equivalence(a, b, margin=margin, test_train_ratio=ratio, higher_is_better=higher)

    result, mirrored = run(first, second, higher), run(second, first, higher)
    assert sum(three(result)) == pytest.approx(1.0)
    assert min(three(result)) >= 0.0
    assert three(mirrored) == three(result)[::-1]
    assert mirrored.p_equivalence == result.p_equivalence
    negated = run([-x for x in first], [-x for x in second], not higher)
    assert three(negated) == three(result)
    # TOST accepts if and only if its interval lies within the margin
    assume(abs(result.p_equivalence - 0.05) > 1e-9)
    within = -margin <= result.low and result.high <= margin
    assert result.standard_error == 0.0 or result.is_equivalent == within
    assert run(first, second, higher, margin + 1.0).equivalent >= result.equivalent


@pytest.mark.parametrize(
    ("arguments", "change", "rule"),
    [
        ((FIRST, SECOND), {"margin": -0.1}, "margin must be >= 0 and finite; got -0.1"),
        ((FIRST, SECOND), {"margin": math.nan}, "margin must be >= 0 and finite; got nan"),
        ((FIRST, SECOND), {"confidence": 0.5}, "confidence must be between 0.5 and 1; got 0.5"),
        ((FIRST, SECOND), {"higher_is_better": 1}, "higher_is_better must be True or False"),
        ((FIRST, SECOND), {"test_train_ratio": None}, "second and test_train_ratio must be given"),
        ((FIRST,), {}, "second and test_train_ratio must be given"),
        ((FIRST, SECOND[:3]), {}, "one value for each fold"),
        ((compare_paired(FIRST, SECOND, test_train_ratio=0.25), SECOND), {}, "second must be None"),
        (
            (compare_paired(FIRST, SECOND, test_train_ratio=0.25),),
            {},
            "test_train_ratio must be None if first is a Comparison",
        ),
    ],
)
def test_invalid_input_raises(
    arguments: tuple[object, ...], change: dict[str, object], rule: str
) -> None:
    keywords = {"margin": 0.01, "test_train_ratio": 0.25, **change}
    with pytest.raises(InputError, match=rule):
        equivalence(*arguments, **keywords)
