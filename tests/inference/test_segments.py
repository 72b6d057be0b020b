"""Bias of predictions in segments, checked against scipy, hand calculations and simulations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import log_loss

from xentexp.errors import InputError
from xentexp.inference import Segment, segment_bias
from xentexp.inference._segments import bins_of, segment_sums, segments_from_sums


def sample(n: int = 900, seed: int = 0, k: int = 2) -> tuple[Any, Any, pd.DataFrame]:
    """Labels, calibrated probabilities and columns of several kinds."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "delay": rng.integers(-1, 3, n),
            "limit": np.round(np.exp(rng.normal(11, 1, n))),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "none"], n)),
        }
    )
    X["age"] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(40, 10, n))
    proba = rng.dirichlet(np.ones(k), n)
    y = (rng.random((n, 1)) > proba.cumsum(axis=1)).sum(axis=1)
    return y, proba, X


def test_means_and_intervals_equal_those_of_each_group() -> None:
    """Rates by pandas, losses by scikit-learn, intervals by scipy."""
    y, proba, X = sample()
    found = segment_bias(y, proba, X)
    level = 1.0 - 0.05 / len(found)
    for value in (-1, 0, 1, 2):
        rows = (X["delay"] == value).to_numpy()
        segment = next(s for s in found if s.name == f"delay = {value}")
        assert (segment.n_rows, segment.events) == (rows.sum(), y[rows].sum())
        assert segment.predicted == pytest.approx(proba[rows, 1].mean(), rel=1e-12)
        assert segment.bias == pytest.approx(proba[rows, 1].mean() - y[rows].mean(), abs=1e-12)
        assert segment.loss == pytest.approx(log_loss(y[rows], proba[rows, 1], labels=[0, 1]))
        limits = binomtest(segment.events, segment.n_rows).proportion_ci(level, method="exact")
        assert segment.low == pytest.approx(segment.predicted - limits.high, abs=1e-12)
        assert segment.high == pytest.approx(segment.predicted - limits.low, abs=1e-12)
        error = y[rows].std(ddof=1) / math.sqrt(rows.sum())
        assert segment.standard_error == pytest.approx(error, rel=1e-12)


def test_segments_of_each_kind_of_column() -> None:
    y, proba, X = sample()
    found = segment_bias(y, proba, X)
    names = [s.name for s in found]
    assert names[:4] == ["delay = -1", "delay = 0", "delay = 1", "delay = 2"]
    assert {"job = clerk", "job = nurse", "job = none", "age missing"} <= set(names)
    ranges = [s for s in found if s.column == "limit"]
    assert [s.kind for s in ranges] == ["range"] * 5
    assert ranges[0].label.startswith("up to ")
    assert ranges[-1].label.startswith("above ")
    assert all(150 < s.n_rows < 210 for s in ranges)  # rounded edges
    edge = float(ranges[0].label.removeprefix("up to ").replace(",", ""))
    assert ranges[0].n_rows == (X["limit"] <= edge).sum()
    for column in X:
        assert sum(s.n_rows for s in found if s.column == column) == len(X)


def test_small_segments_become_one() -> None:
    """40 and 30 rows of two categories and 5 missing values are less than 50 each."""
    job = ["a"] * 100 + ["b"] * 40 + ["c"] * 30 + [None] * 5
    X, y = pd.DataFrame({"job": job}), np.arange(175) % 2
    found = segment_bias(y, np.full(175, 0.5), X)
    assert [(s.name, s.n_rows) for s in found] == [("job = a", 100), ("job other", 75)]
    whole = segment_bias(y, np.full(175, 0.5), X, min_rows=1)
    assert [(s.name, s.n_rows) for s in whole] == [
        ("job = a", 100),
        ("job = b", 40),
        ("job = c", 30),
        ("job missing", 5),
    ]


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_sums_of_folds_equal_those_of_the_whole_sample(
    k: int, weighted: bool, grouped: bool
) -> None:
    y, proba, X = sample(k=k)
    n = len(y)
    rng = np.random.default_rng(1)
    weight = rng.random(n) if weighted else None
    groups = np.arange(n) // 3 if grouped else None
    folds = np.arange(n) // 3 % 5  # folds keep groups together
    losses = -np.log(proba[np.arange(n), y])
    bins = bins_of(X)
    frames = [
        segment_sums(
            bins,
            X[rows],
            y[rows],
            proba[rows],
            losses=losses[rows],
            weight=None if weight is None else weight[rows],
            groups=None if groups is None else groups[rows],
        ).assign(repeat=0, fold=fold)
        for fold in range(5)
        for rows in [folds == fold]
    ]
    by_folds = segments_from_sums(pd.concat(frames), range(k))
    whole = segment_bias(y, proba, X, sample_weight=weight, groups=groups)
    assert len(by_folds) == len(whole) > 10 * (k - 1)
    for a, b in zip(by_folds, whole, strict=True):
        assert (a.name, a.class_label, a.n_rows) == (b.name, b.class_label, b.n_rows)
        for name in ("predicted", "observed", "bias", "low", "high", "standard_error", "loss"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-12)


def test_repeats_do_not_count_rows_again() -> None:
    y, proba, X = sample()
    sums = segment_sums(bins_of(X), X, y, proba)
    once = segments_from_sums(sums.assign(repeat=0, fold=0), (0, 1))
    both = [sums.assign(repeat=r, fold=0) for r in (0, 1)]
    assert [str(s) for s in segments_from_sums(pd.concat(both), (0, 1))] == [str(s) for s in once]


def test_weights_equal_rows_that_occur_several_times_except_for_the_error() -> None:
    y, proba, X = sample()
    times = np.random.default_rng(3).integers(1, 4, len(y))
    weighted = segment_bias(y, proba, X[["delay"]], sample_weight=times)
    rows = np.repeat(np.arange(len(y)), times)
    # Copies of a row form a group: the cluster-robust variance is that of the weighted rows.
    copied = segment_bias(y[rows], proba[rows], X[["delay"]].iloc[rows], groups=rows)
    for a, b in zip(weighted, copied, strict=True):
        assert a.bias == pytest.approx(b.bias, abs=1e-12)
        assert a.standard_error == pytest.approx(b.standard_error, rel=1e-12)


def test_equal_rows_of_a_group_count_as_one() -> None:
    """Four copies of each row, grouped: the error of the single rows, and about their interval."""
    y, proba, X = sample()
    rows = np.repeat(np.arange(len(y)), 4)
    once = segment_bias(y, proba, X[["delay"]])
    copies = segment_bias(y[rows], proba[rows], X[["delay"]].iloc[rows], groups=rows)
    for a, b in zip(once, copies, strict=True):
        assert a.standard_error == pytest.approx(b.standard_error, rel=1e-12)
        assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.02)  # quantiles of t


def test_a_segment_without_events_has_an_interval() -> None:
    """Clopper and Pearson's upper limit for 0 of 60 events is 1 - .025^(1/60)."""
    (segment,) = segment_bias([0] * 60, [0.0] * 60, pd.DataFrame({"a": [1] * 60}), labels=[0, 1])
    assert (segment.events, segment.observed, segment.bias) == (0, 0.0, 0.0)
    assert segment.low == pytest.approx(-(1.0 - 0.025 ** (1 / 60)), abs=1e-12)
    assert segment.high == 0.0
    assert segment.loss == pytest.approx(0.0, abs=1e-12)


def test_one_group_has_no_interval() -> None:
    X = pd.DataFrame({"a": [1] * 60})
    (segment,) = segment_bias([0, 1] * 30, [0.5] * 60, X, groups=[7] * 60)
    assert math.isnan(segment.low)
    assert math.isnan(segment.standard_error)
    assert segment.bias == 0.0


def test_all_intervals_hold_in_95_percent_of_the_samples() -> None:
    """Calibrated predictions of .002 to .1: no interval of a sample may leave out 0."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame(rng.integers(0, 5, (400, 4)), columns=list("abcd"))
        p = 0.002 + 0.098 * rng.random(400)
        y = (rng.random(400) < p).astype(int)
        held += all(s.low <= 0.0 <= s.high for s in segment_bias(y, p, X, labels=[0, 1]))
    assert held >= 89  # 95 expected or more, standard deviation 2


def test_labels_of_edges_are_different() -> None:
    X = pd.DataFrame({"year": np.linspace(2001.001, 2001.002, 200)})
    labels = [s.label for s in segment_bias([0, 1] * 100, [0.5] * 200, X, min_rows=1)]
    assert len(set(labels)) == 5


def test_columns_of_many_categories_and_of_text() -> None:
    X = pd.DataFrame({"city": [f"c{i % 50}" for i in range(5000)], "open": [True, False] * 2500})
    found = segment_bias([0, 1] * 2500, [0.5] * 5000, X)
    cities = [s for s in found if s.column == "city"]
    assert len(cities) == 31
    assert (cities[-1].name, cities[-1].n_rows) == ("city other", 2000)
    assert {s.name for s in found if s.column == "open"} == {"open = True", "open = False"}


def test_a_column_without_values() -> None:
    X = pd.DataFrame({"a": [math.nan] * 60})
    (segment,) = segment_bias([0, 1] * 30, [0.5] * 60, X)
    assert segment.name == "a missing"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["pay"]}, "columns must be columns of X; got 'pay'"),
        ({"columns": 3}, "columns must be a list of columns of X or None; got 3"),
        ({"columns": [["a"]]}, r"columns must be columns of X; got \['a'\]"),
        ({"columns": []}, "columns must name at least one column"),
        ({"n_bins": 1}, "n_bins must be an integer >= 2; got 1"),
        ({"min_rows": 0}, "min_rows must be an integer >= 1; got 0"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1; got 1.0"),
        ({"groups": [1, 2]}, "groups must have one entry for each of the 4 rows"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    X = pd.DataFrame({"a": [1, 2, 3, 4]})
    with pytest.raises(InputError, match=message):
        segment_bias([0, 1, 0, 1], [0.5] * 4, X, **options)


def test_bad_tables() -> None:
    with pytest.raises(InputError, match=r"X must be a pandas.DataFrame; got list"):
        segment_bias([0, 1], [0.5] * 2, [[1], [2]])
    with pytest.raises(InputError, match="X must have 2 rows, as y_pred; got 3"):
        segment_bias([0, 1], [0.5] * 2, pd.DataFrame({"a": [1, 2, 3]}))
    with pytest.raises(InputError, match="must have different names"):
        segment_bias([0, 1], [0.5] * 2, pd.DataFrame([[1, 2], [1, 2]], columns=["a", "a"]))


def test_the_result_is_frozen() -> None:
    assert Segment.__dataclass_params__.frozen


def test_a_column_with_mostly_its_largest_value_has_two_ranges() -> None:
    x = np.r_[np.full(900, 100.0), np.arange(100) / 2.0]
    segments = segment_bias([0, 1] * 500, [0.5] * 1000, pd.DataFrame({"x": x}), min_rows=1)
    assert {(segment.label, segment.n_rows) for segment in segments} == {
        ("up to 49.5", 100),
        ("above 49.5", 900),
    }
