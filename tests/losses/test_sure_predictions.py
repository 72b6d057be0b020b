"""Derivatives of sure predictions: the two classes alike, and equal to exact arithmetic."""

import numpy as np
import pytest

import xentexp
from tests.support.loss_cases import LOSS_CASES
from xentexp.losses import LOSSES

SCORES = np.array([0.0, 0.1, 1.0, 5.0, 20.0, 36.0, 37.0, 50.0, 100.0, 300.0, 700.0, 745.0])
SCORES = np.r_[SCORES, -SCORES, 1e5, -1e5]
PARAMETERS = {
    "binary_focal_crossentropy": [{"gamma": 0.5}, {"gamma": 0}],
    "categorical_focal_crossentropy": [{"gamma": 0.5}],
    "asymmetric_loss": [{"gamma_positive": 2.0, "gamma_negative": 2.0, "margin": 0.0}],
    "multilabel_asymmetric_loss": [{"gamma_positive": 2.0, "gamma_negative": 2.0, "margin": 0.0}],
    "beta_loss": [{"alpha": a, "beta": a} for a in (0.0, 0.5, 2.0, -0.5)],
    "bi_tempered_logistic_loss": [{}, {"t1": 1.0}, {"t1": 0.3, "t2": 1.0}, {"t2": 2.0}],
    "renyi_divergence": [{}, {"alpha": 2.0}],
    "alpha_divergence": [{}, {"alpha": 2.0}],
    "pseudospherical_loss": [{}, {"beta": 1.5}],
    "power_loss": [{}, {"beta": 1.5}],
    "cross_entropy": [{}, {"delta": 0.1}],
}
CASES = [
    (name, parameters)
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none" and loss.properties.targets != "none"
    for parameters in PARAMETERS.get(name, [{}])
]


def derivatives(loss, scores, second):
    """Gradient and hessian in the score of the second class, for targets of the second class."""
    y = np.full(len(scores), second)
    if second in (0, 1):
        options = {} if loss.properties.targets == "multilabel" else {"labels": [0, 1]}
        return loss.gradient_hessian(y.astype(int), scores, **options)
    y, scores = np.stack([1 - y, y], axis=1), np.stack([0 * scores, scores], axis=1)
    return [by_class[:, 1] for by_class in loss.gradient_hessian(y, scores)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_exchanged_classes_have_the_opposite_gradient_and_the_same_hessian(name, parameters):
    loss, case = xentexp.get_loss(name, **parameters), LOSS_CASES[name]
    shares = [] if case.positive_targets else [1.0]
    if not (case.one_true_class or case.multilabel or loss.properties.targets == "labels"):
        shares.append(0.25)
    for share in shares:
        gradient, hessian = derivatives(loss, SCORES, share)
        other_gradient, other_hessian = derivatives(loss, -SCORES, 1.0 - share)
        np.testing.assert_allclose(gradient, -other_gradient, rtol=1e-10, atol=1e-300)
        if share == 1.0:  # terms of both classes may cancel for soft targets
            np.testing.assert_allclose(hessian, other_hessian, rtol=1e-9, atol=1e-300)


def test_the_focal_gradient_of_a_sure_prediction():
    # by hand: -(1 - p)^(g + 1) (1 + g p) to first order in 1 - p = exp(-50), g = .5
    loss = xentexp.get_loss("binary_focal_crossentropy", gamma=0.5)
    gradient = loss.gradient([1, 0], [50.0, -50.0])
    np.testing.assert_allclose(gradient, [-1.5 * np.exp(-75), 1.5 * np.exp(-75)], rtol=1e-12)


def formulas(mp):
    """Losses of the probability p of the true class of two classes, q = 1 - p."""
    log, sqrt = mp.log, mp.sqrt

    def beta(p, q):
        return mp.acos(sqrt(p)) - sqrt(p * q)

    def symmetric(p, q):
        return -log(p) / 10 + 4 * q

    def pseudospherical(p, q):
        return 1 - p**2 / (p**3 + q**3) ** (mp.mpf(2) / 3)

    def jensen_shannon(p, q):
        return (p * log(2 * p / (1 + p)) + log(2 / (1 + p)) + q * log(2)) / 2

    def alpha(p, q):
        return 4 * (1 - sqrt(p))

    def relaxation(p, q):
        a = mp.mpf(1) / 10
        return 0 * p if q < a else (1 - a) * log((1 - a) / p) + a * log(a / q)

    def asymmetric(p, q):
        return -q * log(p)

    return {
        "categorical_crossentropy": lambda p, q: -log(p),
        "multilabel_crossentropy": lambda p, q: -log(p),
        "kl_divergence": lambda p, q: -log(p),
        "renyi_divergence": lambda p, q: -log(p),
        "cumulative_log_loss": lambda p, q: -log(p),
        "cross_entropy": lambda p, q: -log(p),
        "brier_loss": lambda p, q: q**2,
        "ranked_probability_score": lambda p, q: q**2,
        "squared_earth_mover_distance": lambda p, q: q**2 / 2,
        "expected_absolute_grade_error": lambda p, q: q,
        "absolute_error": lambda p, q: q,
        "squared_error": lambda p, q: q**2,
        "huber_loss": lambda p, q: q**2 / 2,
        "log_cosh_loss": lambda p, q: log(mp.cosh(q)),
        "squared_log_error": lambda p, q: (log(2 / (1 + p)) ** 2 + log(1 + q) ** 2) / 2,
        "poisson_deviance": lambda p, q: -log(p),
        "spherical_loss": lambda p, q: 1 - p / sqrt(p**2 + q**2),
        "pseudospherical_loss": pseudospherical,
        "power_loss": lambda p, q: 1 - 3 * p**2 + 2 * (p**3 + q**3),
        "beta_loss": beta,
        "binary_focal_crossentropy": lambda p, q: -(q**2) * log(p),
        "categorical_focal_crossentropy": lambda p, q: -(q**2) * log(p),
        "asymmetric_loss": asymmetric,
        "multilabel_asymmetric_loss": asymmetric,
        "poly1_crossentropy": lambda p, q: q - log(p),
        "generalized_crossentropy": lambda p, q: (1 - p ** (mp.mpf(7) / 10)) / (mp.mpf(7) / 10),
        "symmetric_crossentropy": symmetric,
        "taylor_crossentropy": lambda p, q: q + q**2 / 2,
        "label_relaxation": relaxation,
        "jensen_shannon_divergence": jensen_shannon,
        "alpha_divergence": alpha,
        "logistic_margin_loss": lambda p, q: -log(p),
    }


@pytest.mark.peers
def test_derivatives_are_those_of_exact_arithmetic():
    mp = pytest.importorskip("mpmath").mp
    scores = np.array([-90.0, -50.0, -37.0, -20.0, -3.0, 0.5, 3.0, 20.0, 37.0, 50.0, 90.0])
    with mp.workdps(320):  # by central differences with steps of 1e-60
        step = mp.mpf(10) ** -60
        for name, formula in formulas(mp).items():

            def of(z, formula=formula):
                p, q = 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))
                return formula(p, q)

            triples = [[of(mp.mpf(z) + i * step) for i in (-1, 0, 1)] for z in scores.tolist()]
            first = [float((up - low) / (2 * step)) for low, _, up in triples]
            second = [float((up - 2 * middle + low) / step**2) for low, middle, up in triples]
            gradient, hessian = derivatives(xentexp.get_loss(name), scores, 1)
            np.testing.assert_allclose(gradient, first, rtol=1e-8, atol=1e-250, err_msg=name)
            # For poly1_crossentropy, terms of the size of p cancel to 2 p^2.
            cancelled = 1e-15 * np.exp(-np.abs(scores)) * (name == "poly1_crossentropy")
            assert (np.abs(hessian - second) <= 1e-7 * np.abs(second) + cancelled).all(), name
