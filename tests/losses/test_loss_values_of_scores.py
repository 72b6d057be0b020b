"""Values of losses of ordered classes and of margins against other sources.

scikit-learn and scipy are called; literals have the peer and its version in a comment.
"""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.special import softmax, xlogy
from scipy.stats import logistic, wasserstein_distance
from sklearn._loss.loss import ExponentialLoss, HalfBinomialLoss
from sklearn.linear_model import _sgd_fast
from sklearn.metrics import log_loss

import xentexp
from xentexp import metrics as m

RNG = np.random.default_rng(7)
N, K = 60, 4
P = softmax(RNG.normal(0, 2, (N, K)), axis=1)
Y = np.r_[np.arange(K), RNG.integers(K, size=N - K)]
T = RNG.dirichlet(np.ones(K), size=N)
D, Y2 = RNG.normal(0, 2, N), Y % 2

# The rows for which the literals below were computed.
Z3 = np.array([[2.0, -1.0, 0.5], [0.0, 1.5, -2.0], [-0.3, 0.2, 0.1]])
Y3, P3 = np.array([0, 2, 1]), softmax(Z3, axis=1)
D4, Y4 = np.array([0.4, -1.3, 2.2, -0.2]), np.array([1, 1, 0, 0])


def rows(function, *args, **options):
    return function(*args, reduction="none", **options)


def close(ours, theirs, rtol=1e-12, atol=1e-14):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


# -- ordered classes -------------------------------------------------------------------------


def test_ranked_scores():
    # scoringrules 0.10.0, rps_score
    theirs = np.array([0.07669535315351997, 0.9840877271691285, 0.1881426842651307])
    close(rows(m.ranked_probability_score, Y3, P3), theirs)
    close(rows(m.squared_earth_mover_distance, Y3, P3), theirs / 3)
    grades = np.arange(K)
    for target in (np.eye(K)[Y], T):
        gaps = np.cumsum(P, axis=1) - np.cumsum(target, axis=1)
        close(rows(m.squared_earth_mover_distance, target, P), (gaps**2).mean(axis=1))
    moved = [
        wasserstein_distance(grades, grades, np.eye(K)[y], p) for y, p in zip(Y, P, strict=True)
    ]
    close(rows(m.expected_absolute_grade_error, Y, P), moved)
    distance = np.abs(grades[:, np.newaxis] - grades)
    close(rows(m.expected_absolute_grade_error, T, P), np.einsum("ni,ij,nj->n", T, distance, P))


def test_the_earth_mover_distance_against_linear_programming():
    # definition of the distance: the cheapest transport plan of one row
    distance = np.abs(np.arange(K)[:, np.newaxis] - np.arange(K)).ravel()
    sums = [np.eye(K)[[i]].repeat(K) for i in range(K)] + [
        np.tile(np.eye(K)[i], K) for i in range(K)
    ]
    plan = linprog(distance, A_eq=np.array(sums), b_eq=np.r_[np.eye(K)[Y[5]], P[5]])
    ours = m.expected_absolute_grade_error(Y[[5]], P[[5]], labels=range(K))
    assert ours == pytest.approx(plan.fun, rel=1e-9)


def test_the_cumulative_log_loss_is_the_sum_of_log_losses():
    below = np.cumsum(P, axis=1)
    thresholds = [log_loss(cut >= Y, below[:, cut]) for cut in range(K - 1)]
    close(m.cumulative_log_loss(Y, P), sum(thresholds))
    target = np.cumsum(T, axis=1)[:, :-1]
    each = -(xlogy(target, below[:, :-1]) + xlogy(1 - target, 1 - below[:, :-1]))
    close(rows(m.cumulative_log_loss, T, P), each.sum(axis=1), rtol=1e-10)


def test_cumulative_links():
    # statsmodels 0.15.0, OrderedModel(distr="logit").loglikeobs, thresholds -.5 and .5
    d, y = [0.4, -1.3, 2.2, -0.2, 0.0], [0, 1, 2, 1, 2]
    theirs = [
        1.241153874732088, 1.7827534218609336, 0.16778602938626586, 1.4162164387410667,
        0.9740769841801068,
    ]  # fmt: skip
    close(rows(m.cumulative_link_log_loss, y, d, labels=[0, 1, 2]), theirs)
    cuts = (-2.0, 0.1, 3.0)
    edges = np.array([-np.inf, *cuts, np.inf])
    chance = logistic.cdf(edges[Y + 1] - D) - logistic.cdf(edges[Y] - D)
    close(rows(m.cumulative_link_log_loss, Y, D, thresholds=cuts), -np.log(chance))
    # two classes with threshold 0: the binary cross-entropy
    ours = rows(m.cumulative_link_log_loss, Y2, D, labels=[0, 1])
    close(ours, HalfBinomialLoss().loss(Y2.astype(float), D))


# -- margins ---------------------------------------------------------------------------------


def test_margins_against_sgd_of_scikit_learn():
    for name, theirs in [
        ("modified_huber_loss", _sgd_fast.ModifiedHuber()),
        ("hinge_loss", _sgd_fast.Hinge(1.0)),
        ("squared_hinge_loss", _sgd_fast.SquaredHinge(1.0)),
    ]:
        pairs = list(zip(D, 2.0 * Y2 - 1.0, strict=True))
        loss = xentexp.get_loss(name)
        close(loss.per_sample(Y2, D, from_logits=True), [theirs.py_loss(d, s) for d, s in pairs])
        close(loss.gradient(Y2, D), [theirs.py_dloss(d, s) for d, s in pairs])


def test_exponential_loss_against_scikit_learn():
    loss = xentexp.get_loss("exponential_loss")
    theirs, slope = ExponentialLoss().loss_gradient(Y2.astype(float), D)
    close(loss.per_sample(Y2, D, from_logits=True), theirs)
    close(loss.gradient(Y2, D), slope)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_margins_against_their_formulas(n_classes):
    rng = np.random.default_rng(n_classes)
    y, scores = rng.integers(n_classes, size=60), rng.normal(0, 2, (60, n_classes))
    negative_margin = scores - scores[np.arange(60), y][:, np.newaxis]
    wrong = np.arange(n_classes) != y[:, np.newaxis]
    lead = np.maximum(negative_margin + 1, 0) * wrong
    expected = {
        "categorical_hinge": lead.max(axis=1),
        "weston_watkins_hinge": lead.sum(axis=1),
        "multi_margin_loss": lead.sum(axis=1) / n_classes,
        "exponential_loss": (np.exp(negative_margin) * wrong).sum(axis=1),
        "logistic_margin_loss": (np.logaddexp(0, negative_margin) * wrong).sum(axis=1),
    }
    if n_classes == 2:
        expected |= {"hinge_loss": lead.max(axis=1), "squared_hinge_loss": lead.max(axis=1) ** 2}
    for name, values in expected.items():
        close(rows(getattr(m, name), y, scores, labels=range(n_classes)), values, atol=1e-15)
        assert (values > 1).any()


def test_multi_margin_and_soft_margin():
    # torch 2.13.0, multi_margin_loss(), then (p=2, margin=.5); soft_margin_loss
    close(rows(m.multi_margin_loss, Y3, Z3), [0.0, 2.5, 0.4666666666666666])
    theirs = [0.0, 7.416666666666667, 0.053333333333333344]
    close(rows(m.multi_margin_loss, Y3, Z3, p=2, margin=0.5), theirs)
    theirs = [0.5130152523999526, 1.5410084538329922, 2.305083319768696, 0.5981388693815918]
    close(rows(m.logistic_margin_loss, Y4, D4), theirs)


@pytest.mark.parametrize("gamma", [0.2, 1.0, 2.0])
def test_the_smoothed_hinge_is_a_mean_of_hinges(gamma):
    # the mean of max(0, 1 - m - u) over u from 0 to gamma: hinge convolved with a box
    margins = np.array([-3.0, -0.5, 0.2, 0.7, 1.0, 1.5, 4.0])
    smeared = []
    for gap in 1 - margins:
        corner = min(max(gap, 0), gamma)
        area, _ = quad(lambda u, gap=gap: max(0, gap - u), 0, gamma, points=[corner])
        smeared.append(area / gamma)
    ours = rows(m.smoothed_hinge_loss, np.ones(7, int), margins, gamma=gamma, labels=[0, 1])
    close(ours, smeared, rtol=1e-9)
