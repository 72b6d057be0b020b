"""Standard errors and degrees of freedom: against references, brute force and each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from xentexp.inference._variance import automatic_lag, make_design, row_moments

LOSSES = np.array([0.2, 0.5, 0.1, 0.9, 0.4, 0.7, 0.3, 0.6, 0.8, 0.15])
GROUPS = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]
PAIRS = np.repeat(range(5), 2)
WEIGHTS = np.arange(1.0, 11.0)


def error(values: NDArray[Any] = LOSSES, **rows: Any) -> float:
    return float(row_moments(values, make_design(len(values), **rows)).standard_error)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({}, 0.0888350531),  # numpy: std(ddof=1) / sqrt(n)
        ({"folds": PAIRS}, 0.0842763312),  # numpy: std(ddof=0) / sqrt(n)
        # by hand: the mean of the variances of the pairs, .045, .32, .045, .045, .21125, over n
        ({"folds": PAIRS, "variance": "within_folds"}, 0.1154339638),
        # statsmodels 0.15.0, OLS on a constant, cov_type="cluster", with and without
        # use_correction, whose factor is G / (G - 1) * (n - 1) / (n - 1)
        ({"groups": GROUPS, "variance": "CR1"}, 0.0330353346),
        ({"groups": GROUPS, "variance": "CR0"}, 0.0286094390),
    ],
)
def test_references(rows: dict[str, Any], expected: float) -> None:
    assert error(**rows) == pytest.approx(expected, abs=5e-11)


def test_weighted_and_clustered_reference() -> None:
    # statsmodels 0.15.0, WLS on a constant, cov_type="cluster": the variance with G / (G - 1)
    design = make_design(10, groups=GROUPS, sample_weight=WEIGHTS, variance="CR1")
    moments = row_moments(LOSSES, design)
    assert float(moments.mean) == pytest.approx(0.4890909, abs=5e-8)
    assert float(moments.standard_error) == pytest.approx(0.0084640, abs=5e-8)


@pytest.mark.peers
@pytest.mark.parametrize("weight", [np.ones(10), WEIGHTS])
def test_clustered_against_statsmodels(weight: NDArray[Any]) -> None:
    api = pytest.importorskip("statsmodels.api")
    model = api.WLS(LOSSES, np.ones(10), weights=weight)
    for variance, correction in (("CR0", False), ("CR1", True)):
        options = {"groups": np.array(GROUPS), "use_correction": correction}
        theirs = model.fit(cov_type="cluster", cov_kwds=options).bse[0]
        ours = error(groups=GROUPS, sample_weight=weight, variance=variance)
        assert ours == pytest.approx(theirs, rel=1e-10)


def inverse_root(matrix: NDArray[Any]) -> NDArray[Any]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors / np.sqrt(values) @ vectors.T)


def cr2_by_matrices(values: NDArray[Any], groups: NDArray[Any]) -> tuple[float, float]:
    """CR2 of a regression on a constant as Bell and McCaffrey write it, identity working model."""
    n = len(values)
    design = np.ones((n, 1))
    residual_maker = np.eye(n) - design @ design.T / n
    rows = []
    for group in np.unique(groups):
        member = np.flatnonzero(groups == group)
        hat = np.ones((len(member), len(member))) / n
        adjusted = inverse_root(np.eye(len(member)) - hat)
        rows.append(np.ones(len(member)) @ adjusted @ residual_maker[member] / n)
    forms = np.array(rows)  # the squared standard error is the sum of (form @ values)^2
    gram = forms @ forms.T
    df = np.trace(gram) ** 2 / np.sum(gram**2)
    return math.sqrt(float(np.sum((forms @ values) ** 2))), float(df)


@pytest.mark.parametrize("sizes", [(2, 3, 2, 3), (1, 1, 1, 30), (5, 5, 5), (1, 2, 4, 8, 16)])
def test_cr2_is_the_matrix_version(sizes: tuple[int, ...]) -> None:
    groups = np.repeat(range(len(sizes)), sizes)
    values = np.random.default_rng(0).normal(size=len(groups)) + groups
    moments = row_moments(values, make_design(len(values), groups=groups))
    expected, df = cr2_by_matrices(values, groups)
    assert float(moments.standard_error) == pytest.approx(expected, rel=1e-12)
    assert moments.df == pytest.approx(df, rel=1e-12)


def test_cr2_degrees_of_freedom_of_equal_groups_are_g_minus_1() -> None:
    design = make_design(30, groups=np.arange(30) % 6)
    assert row_moments(np.arange(30.0), design).df == pytest.approx(5.0)


@pytest.mark.parametrize("seed", range(3))
def test_weighted_cr2_by_matrices(seed: int) -> None:
    # The estimate is h @ l with h = w / W; group g of the squared standard error is the form
    # (sum of h over g of l - h @ l) / sqrt(1 - h_g). df: E^2 / (Var / 2) of the estimate for
    # independent normal rows of equal variance.
    rng = np.random.default_rng(seed)
    groups, weight, values = rng.integers(0, 5, 25), rng.gamma(1.0, size=25), rng.normal(size=25)
    h = weight / weight.sum()
    rows = []
    for group in np.unique(groups):
        member = (groups == group).astype(float)
        share = float(member @ h)
        rows.append((member * h - share * h) / math.sqrt(1.0 - share))
    forms = np.array(rows)
    gram = forms @ forms.T
    moments = row_moments(values, make_design(25, groups=groups, sample_weight=weight))
    error_by_forms = math.sqrt(float(np.sum((forms @ values) ** 2)))
    assert float(moments.standard_error) == pytest.approx(error_by_forms, rel=1e-12)
    assert moments.df == pytest.approx(np.trace(gram) ** 2 / np.sum(gram**2), rel=1e-12)
    # unbiased if the variance of a row is 1 / w: the expectation is then the variance 1 / W
    expectation = np.trace(forms @ np.diag(1.0 / weight) @ forms.T)
    assert expectation == pytest.approx(1.0 / weight.sum(), rel=1e-12)


def test_linearized_weights_by_hand() -> None:
    mean = (WEIGHTS @ LOSSES) / 55.0
    expected = math.sqrt(float(np.sum(WEIGHTS**2 * (LOSSES - mean) ** 2))) / 55.0
    assert error(folds=PAIRS, sample_weight=WEIGHTS) == pytest.approx(expected, rel=1e-12)
    design = make_design(10, folds=PAIRS, sample_weight=WEIGHTS)
    assert design.n_effective == pytest.approx(55.0**2 / 385.0)  # sum(w)^2 / sum(w^2)


@pytest.mark.parametrize("n", [3, 8, 40, 200])
def test_hac_by_brute_force(n: int) -> None:
    # the formula of dm.test in the R package forecast, varestimator "bartlett": autocovariances
    # with divisor T, weights 1 - k / h, factor of Harvey, Leybourne and Newbold, t with T - 1
    values = np.cumsum(np.random.default_rng(n).normal(size=n))
    h = automatic_lag(n) + 1
    d = values - values.mean()
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += max(0.0, 1.0 - abs(i - j) / h) * d[i] * d[j] / n
    factor = math.sqrt((n + 1 - 2 * h + h / n * (h - 1)) / n)
    moments = row_moments(values, make_design(n, time=range(n)))
    assert float(moments.standard_error) == pytest.approx(math.sqrt(total / n) / factor, rel=1e-10)
    assert moments.df == n - 1


@pytest.mark.parametrize(("n", "lag"), [(1, 0), (2, 0), (3, 1), (100, 4), (1000, 6), (5, 2)])
def test_automatic_lag_by_hand(n: int, lag: int) -> None:
    assert automatic_lag(n) == lag


def test_hac_sums_the_rows_of_a_time_and_sorts_the_times() -> None:
    values = np.random.default_rng(1).normal(size=60)
    time = np.repeat(range(20), 3)
    order = np.random.default_rng(2).permutation(60)
    means = values.reshape(20, 3).mean(axis=1)
    days = np.datetime64("2024-01-01") + time
    assert error(values[order], time=days[order]) == pytest.approx(
        error(means, time=range(20)), rel=1e-12
    )


def test_hac_is_larger_than_independence_for_correlated_times() -> None:
    steps = np.random.default_rng(3).normal(size=2000)
    values = np.convolve(steps, np.ones(4) / 4, mode="valid")
    assert error(values, time=range(len(values))) > 1.5 * error(values)


def test_repeats_are_averaged_by_root_mean_square() -> None:
    first, second = LOSSES, LOSSES[::-1] ** 2
    repeats = np.repeat([0, 1], 10)
    design = make_design(20, folds=np.tile(PAIRS, 2), repeats=repeats)
    moments = row_moments(np.concatenate([first, second]), design)
    one, two = error(first, folds=PAIRS), error(second, folds=PAIRS)
    assert float(moments.mean) == pytest.approx((first.mean() + second.mean()) / 2)
    assert float(moments.standard_error) == pytest.approx(math.sqrt((one**2 + two**2) / 2))
    assert (design.n_rows, design.n_folds) == (10, 10)
    clustered = make_design(20, groups=np.tile(GROUPS, 2), repeats=repeats)
    single = row_moments(first, make_design(10, groups=GROUPS))
    assert row_moments(np.concatenate([first, second]), clustered).df == pytest.approx(single.df)


ROWS: list[dict[str, Any]] = [
    {},
    {"folds": PAIRS},
    {"folds": PAIRS, "variance": "within_folds"},
    {"folds": PAIRS, "sample_weight": WEIGHTS},
    {"sample_weight": WEIGHTS},
    {"groups": GROUPS},
    {"groups": GROUPS, "sample_weight": WEIGHTS},
    {"groups": GROUPS, "variance": "CR0"},
    {"groups": GROUPS, "folds": PAIRS, "variance": "CR1"},
    {"time": [0, 0, 1, 2, 3, 3, 4, 5, 6, 6]},
    {"time": [0, 0, 1, 2, 3, 3, 4, 5, 6, 6], "sample_weight": WEIGHTS},
    {"folds": [0, 1] * 5, "repeats": PAIRS > 2},
]


@pytest.mark.parametrize("rows", ROWS)
def test_columns_are_treated_like_single_arrays(rows: dict[str, Any]) -> None:
    table = np.random.default_rng(4).gamma(1.0, size=(10, 3))
    table[:, 1] = 0.1  # the mean of ten times .1 is rounded
    design = make_design(10, **rows)
    moments = row_moments(table, design)
    for j in range(3):
        single = row_moments(table[:, j], design)
        assert moments.mean[j] == pytest.approx(float(single.mean), rel=1e-12)
        assert moments.standard_error[j] == pytest.approx(float(single.standard_error), rel=1e-12)
        assert moments.df == single.df
    assert moments.standard_error[1] == 0.0


@pytest.mark.parametrize("rows", ROWS)
def test_a_column_that_is_not_finite_does_not_change_the_others(rows: dict[str, Any]) -> None:
    table = np.random.default_rng(5).gamma(1.0, size=(10, 3))
    design = make_design(10, **rows)
    before = row_moments(table, design)
    table[3, 0], table[4, 2] = np.inf, np.nan
    after = row_moments(table, design)
    assert np.isnan(after.standard_error[[0, 2]]).all()
    assert after.standard_error[1] == pytest.approx(before.standard_error[1], rel=1e-12)
    assert after.mean[0] == np.inf
