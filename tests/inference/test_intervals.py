"""Intervals of means and paired differences: references, properties, limits, texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xentexp.errors import InputError
from xentexp.inference import compare_paired, mean_interval, paired_difference

LOSSES = np.array([0.2, 0.5, 0.1, 0.9, 0.4, 0.7, 0.3, 0.6, 0.8, 0.15])
OTHERS = np.array([0.3, 0.4, 0.2, 0.7, 0.4, 0.8, 0.1, 0.5, 0.9, 0.25])
GROUPS = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]
PAIRS = np.repeat(range(5), 2)


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Values of two models and a description of their rows."""
    n = draw(st.integers(8, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows: dict[str, Any] = {}
    if draw(st.booleans()):
        rows["folds"] = rng.permutation(n) % draw(st.integers(2, 4))
    if draw(st.booleans()):
        rows["sample_weight"] = rng.gamma(1.0, size=n) + 0.01
    dependence = draw(st.sampled_from(["none", "groups", "time"]))
    if dependence == "groups":
        rows["groups"] = rng.permutation(n) % draw(st.integers(2, 6))
    if dependence == "time":
        rows["time"] = rng.permutation(n) // draw(st.integers(1, 2))
        rows["test_train_ratio"] = 0.25
    return rng.gamma(1.0, size=n), rng.gamma(1.0, size=n), rows


def numbers(result: Any) -> list[float]:
    return [result.standard_error, result.low, result.high, result.df]


@given(samples(), st.floats(-5.0, 5.0), st.floats(0.01, 100.0))
def test_the_interval_moves_with_the_values(sample: Any, shift: float, scale: float) -> None:
    values, _, rows = sample
    before, after = mean_interval(values, **rows), mean_interval(scale * values + shift, **rows)
    for name in ("mean", "low", "high"):
        expected = scale * getattr(before, name) + shift
        assert getattr(after, name) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert after.standard_error == pytest.approx(scale * before.standard_error, rel=1e-9, abs=1e-11)


@given(samples())
def test_the_difference_changes_its_sign(sample: Any) -> None:
    first, second, rows = sample
    forward = paired_difference(first, second, **rows)
    backward = paired_difference(second, first, **rows)
    assert backward.difference == pytest.approx(-forward.difference, abs=1e-14)
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low))
    assert (backward.p, backward.target) == (pytest.approx(forward.p), forward.target)


@given(samples(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(sample: Any, random: Any) -> None:
    first, second, rows = sample
    order = random.sample(range(len(first)), len(first))
    moved = {
        name: value[order] if isinstance(value, np.ndarray) else value
        for name, value in rows.items()
    }
    before = paired_difference(first, second, **rows)
    after = paired_difference(first[order], second[order], **moved)
    assert numbers(after) == pytest.approx(numbers(before), rel=1e-9, abs=1e-12)


@given(samples(), st.floats(0.01, 100.0))
def test_equal_weights_are_no_weights(sample: Any, weight: float) -> None:
    values, _, rows = sample
    rows.pop("sample_weight", None)
    plain = mean_interval(values, **rows)
    weighted = mean_interval(values, sample_weight=np.full(len(values), weight), **rows)
    assert numbers(weighted) == pytest.approx(numbers(plain), rel=1e-9)
    assert weighted.n_effective == pytest.approx(len(values))


@given(samples())
def test_rows_of_weight_0_are_as_if_absent(sample: Any) -> None:
    values, _, rows = sample
    rows["sample_weight"] = rows.get("sample_weight", np.ones(len(values))).copy()
    rows["sample_weight"][::5] = 0.0
    values[0] = math.nan
    kept = rows["sample_weight"] > 0
    short = {
        name: value[kept] if isinstance(value, np.ndarray) else value
        for name, value in rows.items()
    }
    before, after = mean_interval(values, **rows), mean_interval(values[kept], **short)
    assert numbers(before) == pytest.approx(numbers(after), rel=1e-9, nan_ok=True)
    assert (before.n_rows, before.n_groups) == (after.n_rows, after.n_groups)


@given(samples())
def test_the_wider_is_shown(sample: Any) -> None:
    first, second, rows = sample
    result = paired_difference(first, second, **rows)
    assert result.by_rows is not None
    width = result.high - result.low
    assert width >= (result.by_rows.high - result.by_rows.low) * (1 - 1e-12)
    assert (result.by_folds is not None) == ("folds" in rows)
    if result.by_folds is not None:
        assert width >= (result.by_folds.high - result.by_folds.low) * (1 - 1e-12)
    assert result.difference == result.by_rows.mean
    assert (result.low > 0 or result.high < 0) == (result.p < 0.05)


def test_group_labels_may_be_numbers_or_text() -> None:
    names = [f"person {g}" for g in GROUPS]
    assert mean_interval(LOSSES, groups=names) == mean_interval(LOSSES, groups=GROUPS)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_independent_rows_against_scipy(confidence: float) -> None:
    theirs = stats.ttest_rel(LOSSES, OTHERS)
    limits = theirs.confidence_interval(confidence)
    ours = paired_difference(LOSSES, OTHERS, confidence=confidence)
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high))


def test_normal_interval_by_hand() -> None:
    result = mean_interval(LOSSES, folds=PAIRS)
    # .465 +- 1.959964 * .0842763312
    assert (result.low, result.high) == pytest.approx((0.2998214, 0.6301786), abs=5e-8)
    assert (result.df, result.target) == (math.inf, "models")


def test_each_row_a_group_is_the_same_as_no_groups() -> None:
    weight = np.arange(1.0, 11.0)
    for rows in ({}, {"sample_weight": weight}):
        plain = mean_interval(LOSSES, **rows)
        assert numbers(mean_interval(LOSSES, groups=range(10), **rows)) == pytest.approx(
            numbers(plain)
        )


def test_the_algorithm_interval_is_the_corrected_t_of_the_fold_means() -> None:
    means = LOSSES.reshape(5, 2).mean(axis=1)
    expected = compare_paired(means, np.zeros(5), test_train_ratio=2 / 8)
    result = mean_interval(LOSSES, folds=PAIRS, target="algorithm")
    assert (result.low, result.high, result.df) == (
        pytest.approx(expected.low),
        pytest.approx(expected.high),
        4,
    )
    wider = mean_interval(LOSSES, folds=PAIRS, target="algorithm", test_train_ratio=1.0)
    assert wider.standard_error > result.standard_error


def test_unequal_folds_and_repeats_of_the_algorithm_interval_by_hand() -> None:
    # repeat 0: folds of 1 and 3 rows, means 1 and 4; repeat 1: folds of 2 and 2 rows, means 2
    # and 5. Ratio: mean of 1/3, 3/1, 1, 1. Mean over the folds 3, variance over them 10/3.
    values = [1.0, 4.0, 4.0, 4.0, 2.0, 2.0, 5.0, 5.0]
    rows = {"folds": [0, 1, 1, 1, 0, 0, 1, 1], "repeats": [0] * 4 + [1] * 4}
    result = mean_interval(values, target="algorithm", **rows)
    ratio = (1 / 3 + 3 + 1 + 1) / 4
    assert (result.mean, result.df) == (3.0, 3)
    assert result.standard_error == pytest.approx(math.sqrt((1 / 4 + ratio) * 10 / 3))


@pytest.mark.long
def test_corrected_t_of_the_grid_search_example_of_scikit_learn() -> None:
    # plot_grid_search_stats of scikit-learn prints t .750, p .227 (one-sided), and without the
    # correction 2.611, .005
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    scores = [
        cross_val_score(model, X, y, cv=cv, scoring="roc_auc")
        for model in (SVC(kernel="rbf", random_state=0), SVC(kernel="linear", random_state=0))
    ]
    folds = np.arange(100)
    for ratio, statistic, p in ((10 / 90, 0.7503, 0.2274), (0.0, 2.6112, 0.0052)):
        result = paired_difference(*scores, folds=folds, target="algorithm", test_train_ratio=ratio)
        assert (result.statistic, result.p / 2) == pytest.approx((statistic, p), abs=5e-5)


@pytest.mark.parametrize("rows", [{}, {"folds": PAIRS}, {"groups": GROUPS}, {"time": range(10)}])
def test_equal_differences(rows: dict[str, Any]) -> None:
    same = paired_difference(LOSSES, LOSSES + 0.0, **rows)
    assert (same.difference, same.standard_error, same.statistic, same.p) == (0.0, 0.0, 0.0, 1.0)
    constant = paired_difference(np.full(10, 0.3), np.full(10, 0.2), **rows)
    assert constant.low == constant.high == pytest.approx(0.1)
    assert (constant.statistic, constant.p) == (math.inf, 0.0)


@pytest.mark.parametrize(
    ("values", "rows", "reason"),
    [
        ([1.0], {}, "an interval needs at least two rows"),
        ([1.0], {"folds": [0]}, "an interval needs at least two rows"),
        ([1.0, 2.0], {"groups": ["a", "a"]}, "an interval needs at least two groups"),
        ([1.0, 2.0], {"time": [3, 3]}, "an interval needs rows of at least two times"),
        ([1.0, math.inf], {}, "row 1 has no finite value"),
        ([math.nan, 2.0], {}, "row 0 has no finite value"),
        ([1.0, 2.0], {"folds": [0, 0], "target": "algorithm"}, "a test needs at least two folds"),
        (
            [1.0, 2.0, 3.0],
            {"folds": [0, 0, 1], "variance": "within_folds"},
            "the variance within folds needs at least two rows in each fold",
        ),
    ],
)
def test_why_there_is_no_interval(values: Any, rows: dict[str, Any], reason: str) -> None:
    result = mean_interval(values, **rows)
    assert result.reason == reason
    assert math.isnan(result.low)
    assert math.isnan(result.high)
    assert math.isnan(result.standard_error)
    assert str(result).endswith(f"(no interval): {str(result).split('): ')[1]}")
    assert np.array_equal(result.mean, np.mean(values), equal_nan=True)


def test_a_difference_without_interval_says_why() -> None:
    result = paired_difference([math.inf, 1.0], [math.inf, 2.0])
    assert result.reason == "row 0 has no finite value"
    assert math.isnan(result.p)
    one_fold = paired_difference([1.0, 2.0], [2.0, 5.0], folds=[0, 0])
    assert one_fold.reason is None
    assert one_fold.target == "models"
    assert "There is no interval over the folds: a test needs at least two folds." in one_fold.notes


def test_time_ordered_folds_need_the_ratio_for_the_interval_over_folds() -> None:
    rows = {"time": range(10), "folds": PAIRS}
    result = paired_difference(LOSSES, OTHERS, **rows)
    assert result.by_folds is None
    assert any("test_train_ratio" in note for note in result.notes)
    assert paired_difference(LOSSES, OTHERS, test_train_ratio=0.5, **rows).by_folds is not None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"groups": GROUPS}, "There are only 4 groups"),
        ({"groups": [0] * 4 + [1, 2, 3, 4, 5, 6]}, "One group has 40% of the rows"),
        ({"folds": PAIRS}, "There are only 10 rows"),
        ({"sample_weight": np.arange(1.0, 11.0)}, "The weights leave only 8 effective rows"),
        ({"time": range(10)}, "There are only 10 times"),
    ],
)
def test_notes_name_what_is_small(rows: dict[str, Any], words: str) -> None:
    assert any(words in note for note in mean_interval(LOSSES, **rows).notes)


def test_many_rows_and_groups_have_no_notes() -> None:
    values = np.random.default_rng(0).random(1000)
    for rows in ({}, {"groups": np.arange(1000) % 50}, {"time": range(1000)}):
        assert mean_interval(values, **rows).notes == ()


def test_texts_name_target_and_method() -> None:
    assert str(mean_interval(LOSSES, folds=PAIRS)) == (
        "0.465 [0.300, 0.630] (95 %): these fitted models on new rows; normal, all-pairs variance "
        "over 10 rows in 5 folds"
    )
    wider = paired_difference(LOSSES, OTHERS, folds=PAIRS)
    assert "the algorithm at this training size" in str(wider)
    assert "wider of two intervals: corrected t over 5 folds" in wider.method


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"values": [[1.0, 2.0], [3.0, 4.0]]}, "values must have one value per row"),
        ({"groups": [1, 2]}, r"groups must have one entry for each of the 10 values; got shape"),
        ({"groups": [None] + ["a"] * 9}, "groups must not have missing entries; row 0"),
        ({"groups": [pd.NA] + ["a"] * 9}, "groups must not have missing entries; row 0 has <NA>"),
        ({"time": [math.nan] * 10}, "time must not have missing entries; row 0 has nan"),
        ({"time": [1, "a"] * 5}, "time must have entries of one type that can be sorted"),
        ({"groups": GROUPS, "time": range(10)}, "groups and time must not both be given"),
        ({"variance": "CR2"}, "variance='CR2' needs groups; got None"),
        ({"variance": "HAC"}, "variance='HAC' needs time"),
        ({"variance": "within_folds"}, "variance='within_folds' needs folds"),
        (
            {"variance": "within_folds", "folds": PAIRS, "sample_weight": [1.0] * 10},
            "variance='within_folds' does not use sample_weight",
        ),
        ({"variance": "all_pairs", "folds": PAIRS, "groups": GROUPS}, "does not use groups"),
        ({"variance": "hc3"}, "variance must be one of 'auto'"),
        ({"target": "model"}, "target must be one of 'models', 'algorithm'; got 'model'"),
        ({"target": "algorithm"}, "target='algorithm' needs folds"),
        ({"confidence": 95}, "confidence must be between 0 and 1; got 95"),
        ({"sample_weight": [-1.0] * 10}, "sample_weight must be finite and not negative"),
        (
            {"target": "algorithm", "folds": PAIRS, "time": range(10)},
            "test_train_ratio must be given with time-ordered folds",
        ),
        (
            {"target": "algorithm", "folds": [0] * 10, "repeats": PAIRS},
            "test_train_ratio must be given if a repeat has a single fold",
        ),
    ],
)
def test_invalid_input_raises(change: dict[str, Any], rule: str) -> None:
    arguments: dict[str, Any] = {"values": LOSSES, **change}
    with pytest.raises(InputError, match=rule):
        mean_interval(arguments.pop("values"), **arguments)


def test_a_difference_needs_the_same_rows() -> None:
    with pytest.raises(InputError, match="must have the same rows; got 10 and 9 values"):
        paired_difference(LOSSES, LOSSES[:9])
