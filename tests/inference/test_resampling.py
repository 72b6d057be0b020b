"""Bootstrap means: the distribution, pairing of columns, groups, weights and refusals."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from xentexp.errors import InputError
from xentexp.inference import bootstrap_means

N = 2000


@pytest.fixture
def values():
    return np.random.default_rng(0).exponential(size=(300, 3)) * [1.0, 1e-200, 1e200]


def test_mean_and_spread_are_those_of_scipy(values):
    means = bootstrap_means(values[:, 0], n_resamples=N, random_state=1)
    peer = bootstrap(
        (values[:, 0],), np.mean, n_resamples=N, method="percentile", rng=2
    ).bootstrap_distribution
    # Monte Carlo errors: se / sqrt(N) of a mean, se / sqrt(2 N) of a standard deviation
    error = peer.std()
    assert means.mean() == pytest.approx(peer.mean(), abs=5 * error * np.sqrt(2 / N))
    assert means.std() == pytest.approx(error, abs=5 * error * np.sqrt(1 / N))
    for level in (0.025, 0.5, 0.975):
        assert np.quantile(means, level) == pytest.approx(np.quantile(peer, level), abs=error / 5)


def test_spread_is_the_plug_in_standard_error(values):
    means = bootstrap_means(values, n_resamples=N, random_state=0)
    expected = values.std(axis=0) / np.sqrt(len(values))
    np.testing.assert_allclose(means.std(axis=0), expected, rtol=5 / np.sqrt(2 * N))


def test_columns_share_the_resamples(values):
    means = bootstrap_means(values, random_state=3)
    for column in range(3):
        alone = bootstrap_means(values[:, column], random_state=3)
        np.testing.assert_allclose(alone, means[:, column], atol=1e-5 * alone.std())


def test_means_of_several_blocks_are_those_of_counted_rows():
    # An indicator of each tenth of the rows: the sum of the means is 1 in each resample.
    n = 80_000
    tenths = np.eye(10)[np.arange(n) * 10 // n]
    means = bootstrap_means(tenths, n_resamples=200, random_state=0)
    np.testing.assert_allclose(means.sum(axis=1), 1.0, atol=1e-7)
    counts = means * n
    np.testing.assert_allclose(counts, counts.round(), atol=0.02)
    # The counts are multinomial: variance n p (1 - p), also between blocks
    assert counts.std() == pytest.approx(np.sqrt(n * 0.1 * 0.9), rel=0.1)


def test_groups_of_one_row_are_rows(values):
    alone = bootstrap_means(values, random_state=0)
    grouped = bootstrap_means(values, groups=np.arange(len(values)), random_state=0)
    np.testing.assert_allclose(grouped, alone, rtol=1e-6)


def test_whole_groups_are_drawn():
    groups = np.repeat(["a", "b", "c"], [1, 2, 5])
    indicators = (groups[:, None] == ["a", "b", "c"]).astype(float)
    means = bootstrap_means(indicators, groups=groups, n_resamples=500, random_state=0)
    sizes = np.array([1, 2, 5])
    # The number of rows of the three drawn groups is the only one for which counts are whole
    possible = np.array(
        [
            counts * sizes / (counts @ sizes)
            for counts in np.array([(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)])
        ]
    )
    distance = np.abs(means[:, None] - possible).max(axis=2)
    assert distance.min(axis=1).max() < 1e-6
    assert len(np.unique(distance.argmin(axis=1))) == len(possible)


def test_weights_are_those_of_repeated_groups(values):
    values = values[:50, 0]
    weight = np.arange(50) % 4
    repeated = np.repeat(np.arange(50), weight)
    by_weight = bootstrap_means(values, sample_weight=weight, random_state=5)
    by_groups = bootstrap_means(values[repeated], groups=repeated, random_state=5)
    np.testing.assert_allclose(by_weight, by_groups, rtol=1e-6)


def test_seed_decides(values):
    first, second = (bootstrap_means(values, random_state=seed) for seed in (1, 2))
    np.testing.assert_array_equal(first, bootstrap_means(values, random_state=1))
    assert (first != second).all()
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(first, bootstrap_means(values, random_state=generator))


def test_equal_values():
    assert (bootstrap_means(np.full((9, 2), 0.1), n_resamples=5, random_state=0) == 0.1).all()


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, np.nan], {}, "values must be finite; row 1"),
        ([], {}, "values must have"),
        ([1.0, 2.0], {"n_resamples": 0}, "n_resamples must be an integer >= 1"),
        ([1.0, 2.0], {"random_state": -1}, "random_state must be"),
        ([1.0, 2.0], {"random_state": "x"}, "random_state must be"),
        ([1.0, 2.0], {"groups": [1]}, "groups must have shape"),
        ([1.0, 2.0], {"groups": [1, None]}, "groups must not have missing"),
        ([1.0, 2.0], {"sample_weight": [0, 0]}, "sample_weight must be positive"),
    ],
)
def test_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_means(values, **options)
