"""Metrics of the whole data set against peers, published numbers and computations by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn import metrics as peer

from xentexp import metrics

_RNG = np.random.default_rng(7)
_U = 0.05 + _RNG.random((60, 3)) ** 2
P3 = _U / _U.sum(axis=1, keepdims=True)
_TRUE = P3**1.5 / (P3**1.5).sum(axis=1, keepdims=True)
Y3 = (_RNG.random((60, 1)) > _TRUE.cumsum(axis=1)).sum(axis=1)
SHARP = P3**3 / (P3**3).sum(axis=1, keepdims=True)
P2, Y2 = P3[:, 1], (Y3 == 1).astype(int)
WEIGHT = np.linspace(0.1, 3.0, 60)
TIED = np.round(P2, 1)

# -- calibration errors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "binary", "multiclass"),
    [
        # torchmetrics 1.9.0, binary_ and multiclass_calibration_error, 10 bins; float32
        ({"norm": "l1"}, 0.09944795473550637, 0.08923521637916565),
        ({"norm": "l2"}, 0.11540435995207925, 0.10341224819421768),
    ],
)
def test_calibration_error_equals_torchmetrics(
    options: dict, binary: float, multiclass: float
) -> None:
    function = metrics.expected_calibration_error
    assert function(Y2, P2, n_bins=10, **options) == pytest.approx(binary, rel=1e-14)
    assert function(Y3, P3, n_bins=10, **options) == pytest.approx(multiclass, rel=1e-6)


def test_maximum_calibration_error_equals_torchmetrics() -> None:
    # torchmetrics 1.9.0, norm="max", n_bins=10; the second in float32. netcal 1.4.0 MCE(10): first
    function = metrics.maximum_calibration_error
    assert function(Y2, P2, n_bins=10) == pytest.approx(0.2168025996686635, rel=1e-14)
    assert function(Y3, P3, n_bins=10) == pytest.approx(0.16715729236602783, rel=1e-6)


@pytest.mark.parametrize(
    ("bins", "of", "norm", "expected"),
    [
        # uncertainty-calibration 0.1.4 (Kumar et al.), lower_bound_scaling_ce, debias=False
        ("mass", "classes", "l2", 0.12569998145281186),
        ("mass", "classes", "l1", 0.10269166701939902),
        ("mass", "top label", "l2", 0.18691932669691505),
        ("mass", "top label", "l1", 0.14492158889826953),
        ("width", "classes", "l2", 0.11515221631889268),
        ("width", "classes", "l1", 0.0956632682777776),
        ("width", "top label", "l2", 0.10341226974362794),
        ("width", "top label", "l1", 0.08923525508609478),
    ],
)
def test_calibration_error_equals_kumar_et_al(
    bins: str, of: str, norm: str, expected: float
) -> None:
    ours = metrics.expected_calibration_error(Y3, P3, n_bins=10, bins=bins, of=of, norm=norm)
    assert ours == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("proba", "bins", "of", "expected"),
    [
        # uncertainty-calibration 0.1.4, lower_bound_scaling_ce, p=2, debias=True
        (P3, "mass", "top label", 0.04648716935940795),
        (P3, "mass", "classes", 0.0),
        (SHARP, "mass", "classes", 0.04015781044260791),
        (SHARP, "width", "classes", 0.06073429925895351),
        (SHARP, "width", "top label", 0.10502168771282774),
    ],
)
def test_debiased_calibration_error_equals_kumar_et_al(
    proba: np.ndarray, bins: str, of: str, expected: float
) -> None:
    options = {"n_bins": 10, "bins": bins, "of": of, "norm": "l2", "debiased": True}
    ours = metrics.expected_calibration_error(Y3, proba, **options)
    assert ours == pytest.approx(expected, rel=1e-12)


def test_calibration_error_by_hand() -> None:
    # bins [0, .5): rows 0-2, mean p .3, one of three true; [.5, 1]: rows 3-5, mean p .7, all true
    y, p = [0, 1, 0, 1, 1, 1], [0.2, 0.3, 0.4, 0.5, 0.6, 1.0]
    error = metrics.expected_calibration_error
    assert error(y, p, n_bins=2) == pytest.approx((abs(1 / 3 - 0.3) + 0.3) / 2, rel=1e-14)
    assert metrics.maximum_calibration_error(y, p, n_bins=2) == pytest.approx(0.3, rel=1e-14)
    # half of the weight, 4 of 8, is reached within row 2: its middle, 3.5, is below
    weighted = error(y, p, n_bins=2, bins="mass", sample_weight=[1, 1, 2, 2, 1, 1])
    low, high = (0.2 + 0.3 + 2 * 0.4) / 4, (2 * 0.5 + 0.6 + 1.0) / 4
    assert weighted == pytest.approx((abs(1 / 4 - low) + (1 - high)) / 2, rel=1e-14)
    # three of four rows have .8; the middle of these rows is in the upper half
    y, p = [1, 0, 1, 1], [0.2, 0.8, 0.8, 0.8]
    expected = 0.25 * 0.8 + 0.75 * (0.8 - 2 / 3)
    assert error(y, p, n_bins=2, bins="mass") == pytest.approx(expected, rel=1e-13)


# -- logistic recalibration ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "slope", "intercept"),
    [
        # statsmodels 0.15.0, GLM(Binomial) on log(p / (1 - p)), as covariate and as offset
        (None, 1.6071792614763927, -0.1548514864036025),
        (WEIGHT, 2.052646009620261, 0.10955627041340671),
    ],
)
def test_recalibration_equals_statsmodels(
    weight: np.ndarray | None, slope: float, intercept: float
) -> None:
    assert metrics.calibration_slope(Y2, P2, sample_weight=weight) == pytest.approx(
        slope, rel=1e-11
    )
    ours = metrics.calibration_intercept(Y2, P2, sample_weight=weight)
    assert ours == pytest.approx(intercept, rel=1e-11)


def test_each_class_against_the_rest() -> None:
    # statsmodels 0.15.0, as above, for each class
    slopes = [1.4923720658070385, 1.6071792614763927, 2.004770587736054]
    named = [metrics.calibration_slope(Y3, P3, positive=label) for label in range(3)]
    np.testing.assert_allclose(named, slopes, rtol=1e-11)
    assert metrics.calibration_slope(Y3, P3) == pytest.approx(np.mean(slopes), rel=1e-11)
    intercept = metrics.calibration_intercept(Y3, P3, positive=1)
    assert intercept == pytest.approx(-0.1548514864036025, rel=1e-11)


def test_a_known_distortion_of_the_log_odds_is_estimated() -> None:
    # With expected frequencies as weights, the true parameters maximize the likelihood exactly.
    p = np.linspace(0.02, 0.98, 49)
    odds = np.log(p / (1 - p))
    distorted = 1 / (1 + np.exp(-(0.7 + 2.5 * odds)))
    y, both = np.repeat([0, 1], 49), np.tile(distorted, 2)
    weight = np.concatenate([1 - p, p])
    slope = metrics.calibration_slope(y, both, sample_weight=weight)
    assert slope == pytest.approx(1 / 2.5, rel=1e-9)
    shifted = np.tile(1 / (1 + np.exp(-(odds + 0.7))), 2)
    intercept = metrics.calibration_intercept(y, shifted, sample_weight=weight)
    assert intercept == pytest.approx(-0.7, rel=1e-11)


def test_extreme_log_odds_are_fitted() -> None:
    # statsmodels 0.15.0, GLM(Binomial) on the unchanged log-odds
    z = np.array([-700.0, -30.0, -2.0, 1.0, 3.0, 40.0, 500.0])
    y = [0, 0, 1, 0, 1, 1, 1]
    ours = metrics.calibration_slope(y, z, from_logits=True)
    assert ours == pytest.approx(0.14546589452555797, rel=1e-11)


def test_slope_is_found_when_newtons_method_fails() -> None:
    # Maximum of the likelihood by Newton's method with damping, in 60 digits
    z = [1.57, -3.51, 0.3, -2.47, -2.69, -1.3, -2.23, -3.47, -700.0, 1.29, -2.0, -700.0, -2.13]
    y = [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0]
    weight = [59.0, 0.29, 0.0016, 520.0, 1.1e-4, 0.2, 0.11, 5.5, 2200.0, 0.38, 1000.0, 1.3, 2000.0]
    slope = metrics.calibration_slope(y, z, from_logits=True, sample_weight=weight)
    assert slope == pytest.approx(1.3476514709613585, rel=1e-8)


# -- discrimination --------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("scores", [P2, TIED], ids=["distinct", "tied"])
def test_area_equals_scikit_learn(scores: np.ndarray, weight: np.ndarray | None) -> None:
    expected = peer.roc_auc_score(Y2, scores, sample_weight=weight)
    assert metrics.roc_auc(Y2, scores, sample_weight=weight) == pytest.approx(expected, rel=1e-13)
    assert metrics.gini(Y2, scores, sample_weight=weight) == pytest.approx(2 * expected - 1)


@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_multiclass_area_equals_scikit_learn(multiclass: str, average: str) -> None:
    expected = peer.roc_auc_score(Y3, P3, multi_class=multiclass, average=average)
    options = {"multiclass": multiclass, "average": average}
    assert metrics.roc_auc(Y3, P3, **options) == pytest.approx(expected, rel=1e-13)
    assert metrics.gini(Y3, P3, **options) == pytest.approx(2 * expected - 1, rel=1e-12)


def test_weighted_multiclass_area_equals_scikit_learn() -> None:
    for average in ("macro", "weighted"):
        expected = peer.roc_auc_score(
            Y3, P3, multi_class="ovr", average=average, sample_weight=WEIGHT
        )
        ours = metrics.roc_auc(Y3, P3, average=average, sample_weight=WEIGHT)
        assert ours == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("scores", [P2, TIED, 1 - P2], ids=["distinct", "tied", "turned"])
def test_ks_equals_scipy(scores: np.ndarray) -> None:
    expected = ks_2samp(scores[Y2 == 1], scores[Y2 == 0]).statistic
    assert metrics.ks_statistic(Y2, scores) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        # printed in the description of the Python package hmeasure 0.1.6, a port of R's
        ("severity", 0.18889596344769588),
        (0.7, 0.13502616807120948),
        ("prior", 0.18310946512079307),  # its severity_ratio=-0.7: any below 0
        (0.1, 0.001212529211507385),
        (0.5, 0.10750123502531805),
        (1.0, 0.1575659189295554),  # not printed there; computed by it
    ],
)
def test_h_measure_equals_published_values(cost: float | str, expected: float) -> None:
    rng = np.random.default_rng(66)
    y, p = rng.integers(low=0, high=2, size=10), rng.random(10)
    assert metrics.h_measure(y, p, cost=cost) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        # hmeasure 0.1.6, h_score
        ("severity", 0.48644566360052344),
        (1.0, 0.45306389040310757),
        (0.5, 0.4902577257707781),
        (3.0, 0.40940707211448024),
        ("prior", 0.4570805705682278),
    ],
)
def test_h_measure_equals_the_hmeasure_package(cost: float | str, expected: float) -> None:
    assert metrics.h_measure(Y2, P2, cost=cost) == pytest.approx(expected, rel=1e-12)


def test_h_measure_by_integration() -> None:
    # Hand (2009), eq. 6 and 7: the cheapest threshold at each cost, on a grid of costs
    cost = (np.arange(20000) + 0.5) / 20000
    thresholds = np.append(np.unique(P2), 2.0)
    below = np.less.outer(P2, thresholds)
    missed, alarms = (
        (below & (Y2 == 1)[:, None]).mean(axis=0),
        (~below & (Y2 == 0)[:, None]).mean(axis=0),
    )
    least = (np.outer(cost, alarms) + np.outer(1 - cost, missed)).min(axis=1)
    trivial = np.minimum(cost * np.mean(Y2 == 0), (1 - cost) * np.mean(Y2 == 1))
    density = cost * (1 - cost)
    expected = 1 - (least @ density) / (trivial @ density)
    assert metrics.h_measure(Y2, P2) == pytest.approx(expected, rel=1e-6)


# -- skill -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_d2_against_the_test_prior_equals_scikit_learn(weight: np.ndarray | None) -> None:
    options = {"null": "test prior", "sample_weight": weight}
    for y, p in ((Y2, P2), (Y3, P3)):
        expected = peer.d2_log_loss_score(y, p, sample_weight=weight)
        assert metrics.d2_score(y, p, **options) == pytest.approx(expected, rel=1e-12)
        expected = peer.d2_brier_score(y, p, sample_weight=weight)
        ours = metrics.d2_score(y, p, loss="brier_loss", **options)
        assert ours == pytest.approx(expected, rel=1e-12)


def test_d2_against_other_null_models() -> None:
    loss = peer.log_loss(Y3, P3)
    assert metrics.d2_score(Y3, P3, null="uniform") == pytest.approx(1 - loss / np.log(3))
    prior = np.array([0.2, 0.3, 0.5])
    expected = 1 - loss / -np.log(prior)[Y3].mean()
    assert metrics.d2_score(Y3, P3, prior=prior) == pytest.approx(expected, rel=1e-13)
    # a sample of one class is defined: -log .8 and -log .9 against -log .3
    ours = metrics.d2_score([1, 1], [[0.1, 0.8, 0.1], [0.0, 0.9, 0.1]], prior=prior)
    assert ours == pytest.approx(1 - np.log([0.8, 0.9]).mean() / np.log(0.3), rel=1e-13)


def test_a_class_without_rows_does_not_change_the_null_model() -> None:
    p, prior = [[0.1, 0.8, 0.1], [0.0, 0.3, 0.7]], [0.0, 0.5, 0.5]
    ours = metrics.d2_score([1, 2], p, prior=prior, clip=0)
    assert ours == pytest.approx(1 - np.log([0.8, 0.7]).mean() / np.log(0.5), rel=1e-13)


def test_d2_of_soft_targets() -> None:
    target, prior = np.array([[0.3, 0.7], [0.9, 0.1]]), np.array([0.4, 0.6])
    p = np.array([[0.2, 0.8], [0.7, 0.3]])
    expected = 1 - ((p - target) ** 2).sum() / ((prior - target) ** 2).sum()
    ours = metrics.d2_score(target, p, loss="brier_loss", prior=prior)
    assert ours == pytest.approx(expected, rel=1e-13)
    share = target.mean(axis=0)
    expected = 1 - (target * np.log(p)).sum() / (target * np.log(share)).sum()
    assert metrics.d2_score(target, p, null="test prior") == pytest.approx(expected, rel=1e-13)


def test_perplexity_is_the_exponential_of_the_log_loss() -> None:
    expected = np.exp(peer.log_loss(Y3, P3, sample_weight=WEIGHT))
    assert metrics.perplexity(Y3, P3, sample_weight=WEIGHT) == pytest.approx(expected, rel=1e-13)
    assert metrics.perplexity(np.eye(8), np.full((8, 8), 1 / 8)) == pytest.approx(8, rel=1e-14)
    far = [[900.0, 0.0], [0.0, 900.0]]  # infinite, without a warning
    assert metrics.perplexity([1, 0], far, from_logits=True) == np.inf


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_balanced_zero_one_loss_is_one_minus_balanced_accuracy(weight: np.ndarray | None) -> None:
    expected = 1 - peer.balanced_accuracy_score(Y3, P3.argmax(axis=1), sample_weight=weight)
    ours = metrics.balanced_loss(Y3, P3, loss="zero_one_loss", sample_weight=weight)
    assert ours == pytest.approx(expected, rel=1e-13)


def test_balanced_loss_is_the_mean_of_the_class_means() -> None:
    each = [-np.log(P3[np.equal(Y3, label), label]).mean() for label in range(3)]
    assert metrics.balanced_loss(Y3, P3) == pytest.approx(np.mean(each), rel=1e-13)
    # by hand: max(0, 1 - d) of class 1 is (0 + .5) / 2, max(0, 1 + d) of class 0 is 0
    y, d = [1, 1, 0], [2.0, 0.5, -3.0]
    ours = metrics.balanced_loss(y, d, loss="hinge_loss", from_logits=True)
    assert ours == pytest.approx(0.125, rel=1e-14)
