"""Intervals of metrics of the whole data set against brute force and peers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from xentexp import get_metric
from xentexp.errors import InputError
from xentexp.inference import mean_interval, metric_difference, metric_interval
from xentexp.metrics import DATASET_METRICS, evaluate

Z = norm.ppf(0.975)


def draw(n=200, seed=0, places=1):
    """Two classes, with tied predictions, and a second model."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < expit(x - 0.5)).astype(int)
    first = np.clip(np.round(expit(0.8 * x), places), 0.05, 0.95)
    second = np.clip(np.round(expit(x + rng.normal(size=n)), places), 0.05, 0.95)
    return y, first, second, rng.integers(1, 4, n).astype(float)


def kernel(y, p):
    """1, 1/2 or 0 for each pair of a row of the second and a row of the first class."""
    pairs = p[y == 1][:, None] - p[y == 0]
    return (pairs > 0) + 0.5 * (pairs == 0)


def delong_by_pairs(kernels, w1, w0):
    """Covariance of the areas: variances of the means over rows and over columns of all pairs."""
    u1, u0 = w1 / w1.sum(), w0 / w0.sum()
    v1 = np.array([k @ u0 for k in kernels])
    v0 = np.array([u1 @ k for k in kernels])
    area = v1 @ u1
    d1, d0 = u1 * (v1 - area[:, None]), u0 * (v0 - area[:, None])
    return area, d1 @ d1.T / (1 - u1 @ u1) + d0 @ d0.T / (1 - u0 @ u0)


def test_delong_is_the_textbook_formula():
    y, p, _, _ = draw()
    k = kernel(y, p)
    variance = k.mean(axis=1).var(ddof=1) / len(k) + k.mean(axis=0).var(ddof=1) / k.shape[1]
    result = metric_interval(y, p, "auc")
    assert result.mean == pytest.approx(roc_auc_score(y, p), rel=1e-12)
    assert result.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
    half = Z * math.sqrt(variance) / (result.mean * (1 - result.mean))
    assert result.low == pytest.approx(expit(logit(result.mean) - half), rel=1e-12)
    assert result.high == pytest.approx(expit(logit(result.mean) + half), rel=1e-12)
    assert (result.target, result.df, result.reason) == ("models", math.inf, None)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
        min_size=4,
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_weighted_and_tied_delong_is_the_sum_over_all_pairs(rows):
    rows = [(True, 3, 2, 1), (True, 2, 2, 2), (False, 2, 3, 1), (False, 3, 1, 1), *rows]
    y, a, b, w = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    y, a, b = y.astype(int), a / 6, b / 6
    area, covariance = delong_by_pairs([kernel(y, a), kernel(y, b)], w[y == 1], w[y == 0])
    first = metric_interval(y, a, "auc", sample_weight=w)
    assert first.mean == pytest.approx(area[0], rel=1e-9)
    assert first.standard_error == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-9)
    result = metric_difference(y, a, b, "auc", sample_weight=w)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert result.difference == pytest.approx(area[0] - area[1], abs=1e-12)
    assert result.standard_error == pytest.approx(math.sqrt(max(variance, 0)), abs=1e-7)


@pytest.mark.parametrize("name", ["roc_auc", "ks_statistic"])
def test_ranking_metrics_do_not_change_under_a_monotone_transform(name):
    y, p, _, _ = draw(400)
    first, second = (metric_interval(y, q, name) for q in (p, p**3))
    assert (first.low, first.high) == pytest.approx((second.low, second.high), rel=1e-12)


def test_gini_is_the_rescaled_interval_of_auc():
    y, p, _, _ = draw()
    auc, gini = (metric_interval(y, p, name) for name in ("auc", "gini"))
    for field in ("mean", "low", "high"):
        assert getattr(gini, field) == pytest.approx(2 * getattr(auc, field) - 1, abs=1e-12)
    assert gini.standard_error == pytest.approx(2 * auc.standard_error)


LINEAR = [
    "roc_auc",
    "gini",
    "d2_brier_loss",
    "balanced_categorical_crossentropy",
    "perplexity",
    "calibration_slope",
    "calibration_intercept",
    "brier_loss",
]


def options_of(name):
    return {"prior": [0.6, 0.4]} if name.startswith("d2_") else {}


@pytest.mark.parametrize("name", LINEAR)
def test_standard_error_is_that_of_the_jackknife(name):
    y, p, _, _ = draw(300, places=3)
    options = options_of(name)
    rows = np.arange(len(y))
    without = [evaluate(y[rows != row], p[rows != row], [name], **options)[name] for row in rows]
    jackknife = math.sqrt((len(y) - 1) * np.var(without))
    result = metric_interval(y, p, name, **options)
    assert result.reason is None
    assert result.standard_error == pytest.approx(jackknife, rel=0.03)
    assert result.low < result.mean < result.high


@pytest.mark.parametrize("name", LINEAR)
def test_fold_mean_and_its_variance(name):
    y, p, _, w = draw(300)
    folds, options = np.arange(300) % 3, options_of(name)
    result = metric_interval(y, p, name, folds=folds, sample_weight=w, **options)
    parts = [
        metric_interval(y[r], p[r], name, sample_weight=w[r], **options)
        for r in (folds == fold for fold in range(3))
    ]
    assert result.mean == pytest.approx(np.mean([part.mean for part in parts]), rel=1e-12)
    squares = sum(part.standard_error**2 for part in parts)
    assert result.standard_error == pytest.approx(math.sqrt(squares) / 3, rel=1e-9)
    twice = metric_interval(
        np.tile(y, 2),
        np.tile(p, 2),
        name,
        folds=np.tile(folds, 2),
        repeats=np.repeat([0, 1], 300),
        sample_weight=np.tile(w, 2),
        **options,
    )
    assert twice.mean == pytest.approx(result.mean)
    assert twice.standard_error == pytest.approx(result.standard_error)
    assert twice.n_rows == 300


@pytest.mark.parametrize("name", LINEAR)
def test_groups_of_one_row_are_rows(name):
    y, p, _, _ = draw(600)
    options = options_of(name)
    rows = metric_interval(y, p, name, **options)
    groups = metric_interval(y, p, name, groups=np.arange(600), **options)
    assert groups.standard_error == pytest.approx(rows.standard_error, rel=0.005)
    assert groups.n_groups == 600
    doubled = metric_interval(
        np.tile(y, 2), np.tile(p, 2), name, groups=np.tile(np.arange(600), 2), **options
    )
    assert doubled.standard_error == pytest.approx(groups.standard_error, rel=1e-9)


def test_loss_with_groups_is_the_interval_of_its_mean():
    y, p, _, w = draw()
    groups = np.arange(200) % 23
    expected = mean_interval((p - y) ** 2, groups=groups, sample_weight=w)
    result = metric_interval(y, p, "brier_loss", groups=groups, sample_weight=w)
    for field in ("mean", "standard_error", "df", "low", "high", "n_effective"):
        assert getattr(result, field) == pytest.approx(getattr(expected, field), rel=1e-9)


@pytest.mark.parametrize("name", LINEAR)
def test_swapped_models_swap_the_sign(name):
    y, p, q, _ = draw()
    options = options_of(name)
    ab, ba = (metric_difference(y, *pair, name, **options) for pair in ((p, q), (q, p)))
    assert ab.difference == pytest.approx(-ba.difference)
    assert (ab.low, ab.high) == pytest.approx((-ba.high, -ba.low))
    assert ab.p == pytest.approx(ba.p)
    same = metric_difference(y, p, p, name, **options)
    assert (same.difference, same.standard_error, same.p) == (0.0, 0.0, 1.0)


def test_perplexity_is_the_exponential_of_the_interval_of_the_mean():
    y, p, _, _ = draw()
    losses = -np.log(np.where(y == 1, p, 1 - p))
    half = Z * losses.std() / math.sqrt(200)
    result = metric_interval(y, p, "perplexity")
    expected = np.exp([losses.mean() - half, losses.mean() + half])
    assert (result.low, result.high) == pytest.approx(tuple(expected), rel=1e-9)


def test_ks_subtracts_the_bias():
    rng = np.random.default_rng(0)
    y, p = np.arange(400) % 2, rng.random(400)  # the true statistic is 0
    result = metric_interval(y, p, "ks_statistic")
    assert result.low == 0.0
    assert (result.low + result.high) / 2 < result.mean
    assert result.high < result.mean + Z * result.standard_error
    assert metric_interval(y, p, "ks_statistic") == result
    few = metric_interval(y[:60], p[:60], "ks_statistic")
    assert few.reason is not None
    assert "there are 30" in few.reason
    assert not math.isnan(few.mean)


def test_debiased_squared_calibration_error():
    # Two bins of 100 rows with 60 and 90 events at .5 and .7: computed by hand.
    y = np.repeat([1, 0, 1, 0], [60, 40, 90, 10])
    p = np.repeat([0.4, 0.7], 100)
    s = np.array([0.6 * 0.4, 0.9 * 0.1]) / 99
    d = np.array([0.04, 0.04])
    square, error = (d - s).mean(), math.sqrt((4 * d * s + 2 * s**2).sum() / 4)
    metric = get_metric("ece", n_bins=2, norm="l2", debiased=True)
    result = metric_interval(y, p, metric)
    assert result.mean == pytest.approx(math.sqrt(square))
    assert result.low == pytest.approx(math.sqrt(max(0, square - Z * error)))
    assert result.high == pytest.approx(math.sqrt(square + Z * error))


@pytest.mark.parametrize("name", sorted(set(DATASET_METRICS) - {"d2_score", "balanced_loss"}))
def test_every_metric_has_an_interval_or_a_reason(name):
    y, p, _, _ = draw()
    result = metric_interval(y, p, name)
    assert result.mean == pytest.approx(evaluate(y, p, [name])[name], rel=1e-9)
    given = name in {*LINEAR, "ks_statistic"}
    assert (result.reason is None) == given
    assert math.isnan(result.low) != given


@pytest.mark.parametrize("name", ["roc_auc", "ks_statistic", "calibration_slope"])
def test_undefined_is_a_reason(name):
    for y, p in (([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4]), ([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4])):
        folds = [0, 0, 1, 1]
        result = metric_interval(y, p, name, folds=folds)
        assert math.isnan(result.mean)
        assert "undefined" in result.reason
    assert metric_difference([1, 1], [0.1, 0.2], [0.2, 0.1], "auc").reason is not None


def test_separated_classes_have_no_interval():
    result = metric_interval([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8], "auc")
    assert result.mean == 1.0
    assert "standard error is 0" in result.reason


def test_weight_zero_is_a_row_left_out():
    y, p, _, w = draw()
    w[::3] = 0.0
    kept = w > 0
    for name in ("auc", "ks_statistic", "calibration_slope"):
        full = metric_interval(y, p, name, sample_weight=w, random_state=1)
        assert full == metric_interval(
            y[kept], p[kept], name, sample_weight=w[kept], random_state=1
        )


def test_few_events_and_groups_are_noted():
    y, p, _, _ = draw(30)
    notes = metric_interval(y, p, "auc", groups=np.arange(30) % 6).notes
    assert any("A class has only" in note for note in notes)
    assert any("only 6 groups" in note for note in notes)


def test_three_classes():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 150), rng.dirichlet([1, 1, 1], 150)
    result = metric_interval(y, p, "auc")
    assert result.mean == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert result.low < result.mean < result.high
    assert metric_interval(y, p, get_metric("auc", multiclass="ovo")).reason is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, "confidence must be"),
        ({"n_resamples": 3}, "n_resamples must be"),
        ({"folds": [0]}, "folds must have shape"),
        ({"groups": [0]}, "groups must have shape"),
    ],
)
def test_refused(options, message):
    with pytest.raises(InputError, match=message):
        metric_interval([0, 1, 0], [0.1, 0.9, 0.2], "auc", **options)
