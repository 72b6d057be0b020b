"""What all functions of inference accept and refuse: labels of rows, seeds, sizes of numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from xentexp.errors import InputError
from xentexp.inference import (
    best_set,
    bootstrap_means,
    compare_paired,
    decompose,
    equivalence,
    holm,
    max_t,
    mean_interval,
    metric_difference,
    metric_interval,
    model_confidence_set,
    order_stability,
    paired_difference,
    reliability_band,
)
from xentexp.inference._checks import codes_of, rows_by_code
from xentexp.inference._variance import cr2

RNG = np.random.default_rng(0)
N = 60
LOSSES, OTHERS = RNG.exponential(size=(2, N))
Y, P = RNG.integers(0, 2, N), RNG.random(N)
GROUPS = np.arange(N) % 6


@pytest.mark.parametrize(
    "labels",
    [
        GROUPS - 3,
        GROUPS + 0.5,
        GROUPS.astype(np.uint64),
        GROUPS.astype(str),
        GROUPS.astype(str).astype(object),
        GROUPS.tolist(),
        pd.Series(GROUPS, index=range(N, 0, -1), dtype="Int64"),
        pd.Categorical(GROUPS.astype(str)),
        pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(GROUPS, unit="D"),
        pl.Series(GROUPS.astype(str)),
    ],
)
def test_labels_of_any_sorted_type_give_the_same_codes(labels: Any) -> None:
    np.testing.assert_array_equal(codes_of("groups", labels, N), GROUPS)


@pytest.mark.parametrize(
    ("labels", "rule"),
    [
        (GROUPS[:5], r"must have one entry for each of the 60 rows; got shape \(5,\)"),
        (GROUPS[:, None], r".*got shape \(60, 1\)"),
        ([1, "a"] * 30, "must have entries of one type that can be sorted"),
        ([None] + [1] * 59, "must not have missing entries; row 0 has None"),
        (pd.Series([1] * 59 + [pd.NA], dtype="Int64"), "must not have missing entries; row 59"),
        (pd.Categorical(["a", None] * 30), "must not have missing entries; row 1"),
        (pl.Series([1] * 59 + [None]), "must not have missing entries; row 59"),
        (np.where(GROUPS == 2, math.nan, GROUPS), "must not have missing entries; row 2 has nan"),
        (pd.DatetimeIndex(["2020", pd.NaT] * 30), "must not have missing entries; row 1 has NaT"),
        ({1, 2}, "must be an array or a list; got a set"),
        ("abc", "must have one entry for each"),
    ],
)
@pytest.mark.parametrize("name", ["groups", "folds", "repeats"])
def test_bad_labels_are_one_error_everywhere(name: str, labels: Any, rule: str) -> None:
    calls = [
        lambda: mean_interval(LOSSES, **{name: labels}),
        lambda: paired_difference(LOSSES, OTHERS, **{name: labels}),
        lambda: metric_interval(Y, P, "roc_auc", **{name: labels}),
    ]
    if name == "groups":
        calls += [
            lambda: bootstrap_means(LOSSES, groups=labels),
            lambda: decompose(Y, P, groups=labels),
            lambda: max_t(np.c_[LOSSES, OTHERS], groups=labels),
        ]
    for call in calls:
        with pytest.raises(InputError, match=f"{name} {rule}"):
            call()


def test_rows_are_split_in_their_order() -> None:
    parts = rows_by_code(np.array([2, 0, 2, 5, 0]), np.array([4, 0, 2, 3]))
    assert [part.tolist() for part in parts] == [[4], [0, 2], [3]]


@pytest.mark.parametrize("seed", ["x", 1.5, -1, True, np.random.RandomState(0)])
def test_a_seed_is_a_natural_number_or_a_generator(seed: Any) -> None:
    for call in (
        lambda: bootstrap_means(LOSSES, random_state=seed),
        lambda: decompose(Y, P, random_state=seed),
        lambda: reliability_band(Y, P, random_state=seed),
        lambda: metric_interval(Y, P, "ks_statistic", random_state=seed),
    ):
        with pytest.raises(InputError, match="random_state must be an integer >= 0"):
            call()


@pytest.mark.parametrize("confidence", [0, 1, True, "0.9", None, math.nan, [0.9]])
def test_confidence_is_a_number_between_0_and_1(confidence: Any) -> None:
    table = np.c_[LOSSES, OTHERS]
    for call in (
        lambda: mean_interval(LOSSES, confidence=confidence),
        lambda: metric_interval(Y, P, "roc_auc", confidence=confidence),
        lambda: best_set(table, confidence=confidence),
        lambda: model_confidence_set(table, confidence=confidence),
        lambda: max_t(table, confidence=confidence),
        lambda: reliability_band(Y, P, confidence=confidence),
    ):
        with pytest.raises(InputError, match="confidence must be between 0 and 1"):
            call()


@pytest.mark.parametrize("values", [[[1.0], [2.0, 3.0]], ["a", "b"], {1.0, 2.0}, [1j, 2j], []])
def test_values_that_are_no_numbers_are_refused(values: Any) -> None:
    for call in (
        lambda: mean_interval(values),
        lambda: bootstrap_means(values),
        lambda: compare_paired(values, values, test_train_ratio=0.2),
        lambda: order_stability(values),
        lambda: best_set(values),
        lambda: reliability_band(Y, P, points=values),
        lambda: metric_interval(Y, P, "d2_brier_loss", prior=values),
    ):
        with pytest.raises(InputError):
            call()
    if values:
        with pytest.raises(InputError):
            holm(values)


@pytest.mark.parametrize("power", [1000, -1000])
@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"groups": GROUPS},
        {"folds": GROUPS},
        {"time": range(N)},
        {"folds": GROUPS, "repeats": np.arange(N) // 30},
    ],
)
def test_numbers_of_any_size_have_their_interval(power: int, rows: dict[str, Any]) -> None:
    # The squares of numbers of 2^1000 and 2^-1000 are not floats
    scale, options = 2.0**power, {**rows, "test_train_ratio": 0.2} if "time" in rows else rows
    for call in (mean_interval, paired_difference):
        values = (LOSSES,) if call is mean_interval else (LOSSES, OTHERS)
        plain, scaled = call(*values, **options), call(*(scale * v for v in values), **options)
        for name in ("low", "high", "standard_error"):
            expected = scale * getattr(plain, name)
            assert getattr(scaled, name) == pytest.approx(expected, rel=1e-12, abs=0.0)
        assert scaled.df == plain.df


@pytest.mark.parametrize("power", [1000, -1000])
def test_comparisons_of_numbers_of_any_size(power: int) -> None:
    first, second = LOSSES[:6] * 2.0**power, OTHERS[:6] * 2.0**power
    plain = compare_paired(LOSSES[:6], OTHERS[:6], test_train_ratio=0.2)
    assert compare_paired(first, second, test_train_ratio=0.2).p == pytest.approx(plain.p)
    order = order_stability([first, second]).reliability
    assert order == pytest.approx(order_stability([LOSSES[:6], OTHERS[:6]]).reliability)
    scaled = bootstrap_means(LOSSES * 2.0**power, n_resamples=5, random_state=0)
    means = bootstrap_means(LOSSES, n_resamples=5, random_state=0)
    np.testing.assert_allclose(scaled, means * 2.0**power, rtol=1e-6)


def test_an_infinite_loss_is_no_difference_of_0() -> None:
    infinite = LOSSES.copy()
    infinite[3] = math.inf
    for first, second in ((infinite, OTHERS), (OTHERS, infinite), (infinite, infinite)):
        result = paired_difference(first, second, folds=GROUPS)
        assert result.reason == "row 3 has no finite value"
        assert math.isnan(result.p)


def test_a_row_with_all_of_the_weight_gives_no_interval() -> None:
    weight = np.full(N, 1e-12)
    weight[3] = 1.0
    for rows in ({}, {"groups": GROUPS}, {"folds": GROUPS}):
        result = mean_interval(LOSSES, sample_weight=weight, **rows)
        assert result.reason is not None
        assert "has all of the weight" in result.reason
        metric = metric_interval(Y, P, "brier_loss", sample_weight=weight, **rows)
        assert "has all of the weight" in str(metric.reason)


@pytest.mark.parametrize(
    ("n", "small"), [(2, 1.0), (5, 1.0), (3, 1e-2), (8, 1e-3), (6, 1e-6), (4, 1e-8)]
)
def test_degrees_of_freedom_against_exact_fractions(n: int, small: float) -> None:
    # Bell and McCaffrey: (sum f_g C_gg)^2 / sum f_g f_h C_gh^2, with the covariances of the sums
    sizes = RNG.uniform(1.0, 2.0, n) * np.append(1.0, np.full(n - 1, small))
    weights = [Fraction(float(size)) for size in sizes]
    squares = [weight**2 / 3 for weight in weights]
    share = [weight / sum(weights) for weight in weights]
    factors, total = [1 / (1 - part) for part in share], sum(squares)
    covariance = [
        [
            (squares[g] if g == h else 0)
            + share[g] * share[h] * total
            - share[g] * squares[h]
            - share[h] * squares[g]
            for h in range(n)
        ]
        for g in range(n)
    ]
    trace = sum(factors[g] * covariance[g][g] for g in range(n))
    pairs = sum(factors[g] * factors[h] * covariance[g][h] ** 2 for g in range(n) for h in range(n))
    _, df = cr2(np.ones((n, 1)), np.array(share, dtype=float), np.array(squares, dtype=float))
    assert df == pytest.approx(float(trace**2 / pairs), rel=1e-12)


def test_first_minus_second_and_which_is_better() -> None:
    worse, better = LOSSES + 0.5, LOSSES + 0.1 * RNG.normal(size=N)
    difference = paired_difference(worse, better, folds=GROUPS)
    assert difference.low > 0.0
    assert equivalence(difference, margin=0.1).worse > 0.9
    assert equivalence(difference, margin=0.1, higher_is_better=True).better > 0.9
    table = np.c_[worse, better]
    assert best_set(table, folds=GROUPS).members == ("1",)
    assert best_set(table, folds=GROUPS, higher_is_better=True).members == ("0",)
    assert order_stability(table[:6].T).order == ("1", "0")
    good, bad = np.where(Y == 1, 0.6, 0.4) + 0.3 * (P - 0.5), P
    assert metric_difference(Y, good, bad, "roc_auc").low > 0.0
    assert metric_difference(Y, good, bad, "brier_loss").high < 0.0


def test_an_interval_over_folds_alone_is_mentioned() -> None:
    result = paired_difference(LOSSES, OTHERS, folds=GROUPS, groups=np.zeros(N))
    assert result.reason == "an interval needs at least two groups"
    assert result.by_folds is not None
    assert result.by_folds.reason is None
    assert "There is an interval over the folds, for the target 'algorithm'." in result.notes


def test_the_arguments_are_not_changed() -> None:
    arrays = [LOSSES, OTHERS, GROUPS, Y, P, RNG.exponential(size=N), np.c_[LOSSES, OTHERS]]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    weight, table = arrays[-2:]
    rows: dict[str, Any] = {"groups": GROUPS, "sample_weight": weight}
    mean_interval(LOSSES, folds=GROUPS, **rows)
    paired_difference(LOSSES, OTHERS, folds=GROUPS, **rows)
    metric_interval(Y, P, "roc_auc", **rows)
    metric_difference(Y, P, P[::-1], "d2_brier_loss", prior=[0.5, 0.5], **rows)
    bootstrap_means(table, n_resamples=5, **rows)
    best_set(table, **rows)
    model_confidence_set(table, n_resamples=5, **rows)
    order_stability(table)
    holm(P)
    decompose(Y, P, n_draws=2, **rows)
    decompose(Y, P, family="logit_line", **rows)
    reliability_band(Y, P, n_draws=2, sample_weight=weight)
    for array, copy in zip(arrays, copies, strict=True):
        array.setflags(write=True)
        np.testing.assert_array_equal(array, copy)


def test_ks_with_folds_and_rows_alone_in_their_fold_have_no_interval() -> None:
    y, p = np.tile([0, 1], 250), np.linspace(0.1, 0.9, 500)
    folds = np.arange(500) // 100
    assert "folds" in str(metric_interval(y, p, "ks_statistic", folds=folds).reason)
    assert metric_interval(y, p, "brier_loss", folds=range(500)).reason == (
        "an interval needs at least two rows in each fold"
    )
