"""Extreme scores, probabilities and parameters, where rounding gave a wrong value in the past.

Expected values are limits computed by hand, or by mpmath with 60 digits if a comment says so.
"""

import numpy as np
import pandas as pd
import pytest

import xentexp
from tests.support.loss_cases import LOSS_CASES, MAX, TINY
from xentexp import metrics as m
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.metrics._evaluation import evaluate

SMOOTH = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none"
    and loss.properties.targets not in ("positive", "multilabel")
    and loss.properties.response == "predict_proba"
]


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("true", [38.0, 200.0, 720.0, 1000.0])
def test_derivatives_vanish_for_certain_and_correct_predictions(name, true):
    loss = xentexp.get_loss(name)
    both = loss.gradient_hessian([1, 0], [[0.0, true], [true, 0.0]])
    one = loss.gradient_hessian([1, 0], [true, -true])
    for matrix, vector in zip(both, one, strict=True):
        assert np.abs(matrix).max() < (1e-6 if name == "bi_tempered_logistic_loss" else 1e-14)
        np.testing.assert_allclose(matrix[:, 1], vector, atol=1e-16)
    value = loss.per_sample([1, 0], [[0.0, true], [true, 0.0]], from_logits=True)
    assert np.abs(value).max() < (0.04 if name == "bi_tempered_logistic_loss" else 1e-14)


def test_convex_losses_have_no_negative_curvature():
    rng = np.random.default_rng(0)
    y, raw = (
        rng.integers(3, size=3000),
        rng.normal(size=(3000, 3)) * rng.uniform(20, 300, (3000, 1)),
    )
    hessian = xentexp.get_loss("categorical_crossentropy").gradient_hessian(y, raw)[1]
    assert hessian.min() >= 0.0


@pytest.mark.parametrize(
    ("parameters", "p", "expected"),
    [  # mpmath: betainc(alpha, beta + 1, p, 1)
        ({"alpha": 0.1, "beta": 0.5}, 1e-17, 9.23637958118290),
        ({"alpha": 0.01, "beta": 0.5}, np.exp(-40.0), 32.3596721954990),
    ],
)
def test_the_beta_family_keeps_its_digits_at_small_probabilities(parameters, p, expected):
    assert m.beta_loss([1], [p], clip=0, **parameters) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: m.jensen_shannon_divergence([1.0, 0.0], [1.0, 5e-324]), 0.0),
        # log(.25 e^800 + .25) to rounding
        (
            lambda: xentexp.get_loss("renyi_divergence", alpha=2).per_sample(
                [[0.5, 0.5]], [[0, 800]], from_logits=True
            ),
            800 + np.log(0.25),
        ),
        # -2 log(2 sqrt(.5) e^-1500)
        (
            lambda: xentexp.get_loss("renyi_divergence").per_sample(
                [[0, 0.5, 0.5]], [[3000.0, 0, 0]], from_logits=True
            ),
            3000 - np.log(2),
        ),
        # all equal: 1 - 1 / 10^(399 / 400)
        (lambda: m.pseudospherical_loss([0], [[0.1] * 10], beta=400), 1 - 10 ** (-399 / 400)),
        (lambda: m.generalized_crossentropy([0], [[0.7, 0.3]], q=1e-300), -np.log(0.7)),
        (lambda: m.generalized_crossentropy([0], [[0.0, 1.0]], q=0.5), 2.0),
        # subtracting the score first would lose the width of the middle class
        (
            lambda: m.cumulative_link_log_loss(
                [1], [500.0], labels=[0, 1, 2], thresholds=[1.0, 1.0 + 2.0**-52]
            ),
            499 - np.log(2.0**-52),
        ),
        # a bin includes its lower edge: .2, .3 and .4 are in different bins
        (lambda: m.expected_calibration_error([0, 1], [0.3, 0.2], n_bins=10), 0.55),
        (lambda: m.expected_calibration_error([0, 1], [0.4, 0.3], n_bins=10), 0.55),
    ],
)
def test_values_at_the_limits_of_the_domain(value, expected):
    np.testing.assert_allclose(value(), expected, rtol=1e-12, atol=1e-15)


def test_parameters_given_by_class_are_matched_by_label():
    y, p = [1, 0], [0.9, 0.6]
    expected = m.binary_crossentropy(y, p, class_weight={0: 1.0, 1: 3.0})
    assert m.binary_crossentropy(y, p, class_weight=pd.Series({1: 3.0, 0: 1.0})) == expected
    prior = {"prior": [2 / 7, 5 / 7]}
    keyed = {"prior": pd.Series({1: 5 / 7, 0: 2 / 7})}
    assert m.d2_score([0, 1, 1], [0.2, 0.8, 0.7], **keyed) == (
        m.d2_score([0, 1, 1], [0.2, 0.8, 0.7], **prior)
    )
    with pytest.raises(InputError, match="a sequence with one number for each class"):
        xentexp.get_loss("categorical_focal_crossentropy", alpha={0: 1.0})


def test_columns_of_labels_and_numbers_are_matched_by_name():
    truth = pd.DataFrame({"a": [1, 0], "b": [0, 1]})
    frame = pd.DataFrame({"b": [0.1, 0.9], "a": [0.9, 0.1]})
    expected = m.multilabel_crossentropy(truth, frame[["a", "b"]])
    assert m.multilabel_crossentropy(truth, frame) == expected
    assert m.squared_error(truth, truth[["b", "a"]], numbers=True) == 0.0
    loss = xentexp.get_loss("multilabel_crossentropy")
    np.testing.assert_array_equal(
        loss.gradient(truth, frame), loss.gradient(truth, frame[["a", "b"]])[:, ::-1]
    )
    with pytest.raises(InputError, match="column names of y_pred must be"):
        m.multilabel_crossentropy(truth, frame.rename(columns={"a": "c"}))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cumulative_link_log_loss", {"thresholds": [-np.inf, 0.0]}),
        ("symmetric_crossentropy", {"log_zero": -np.inf}),
    ],
)
def test_infinite_parameters_raise(name, parameters):
    with pytest.raises(InputError, match="finite number"):
        xentexp.get_loss(name, **parameters)


def test_parameters_may_be_numpy_numbers():
    assert xentexp.get_loss("huber_loss", delta=np.float32(0.5)).delta == 0.5
    assert xentexp.get_loss("taylor_crossentropy", order=np.int64(3)).order == 3


def test_losses_of_extreme_scores_are_finite_except_the_exponential():
    result = evaluate([1, 0, 0], [[0.0, 1000.0], [1.0, 2.0], [3.0, 2.0]], from_logits=True)
    assert all(np.isfinite(value) for value in result.mean.values())


BETAS = {
    (0.0, 1e-6): 6.907753635049523,
    (-1e-12, 0.5): 6.29454970264619,
    (-1e-6, 0.5): 6.294573021789903,
    (-1e-3, 2.3): 5.320001034785106,
}
LIMITS = [
    (name, parameter, limits)
    for name, case in LOSS_CASES.items()
    for parameter, limits in case.limits.items()
]
RANGE = np.array([
    0.0, 1.0, -1.0, 0.3, -2.0, TINY, -1e-310, 20.0, -37.0, 700.0, -746.0, 1e4, -1e15, 1e150, -1e155,
    1e300, -1e308, 1e308, MAX, -MAX, np.finfo(np.float32).max, 1e-45,
])  # fmt: skip
ORDINARY = np.array([0.0, 0.5, -0.5, 1.0, -2.0, 3.0])


def everything(loss, case, scores, soft):
    """Values, gradients and hessians of labels or soft targets."""
    n, rng, options = len(scores), np.random.default_rng(0), {}
    if case.multilabel:
        y = rng.random(scores.shape) if soft else rng.integers(0, 2, scores.shape)
    elif case.latent:
        y, scores, options = np.arange(n) % 3, scores[:, 0], {"labels": range(3)}
    elif soft or case.positive_targets:
        y = rng.dirichlet(np.ones(scores.shape[1]), n)
    else:
        y, options = np.arange(n) % scores.shape[1], {"labels": range(scores.shape[1])}
    if loss.properties.targets == "none":
        y, options = None, {}
    values = loss.per_sample(y, scores, from_logits=True, **options)
    if loss.properties.gradient == "none":
        return [values]
    return [values, *loss.gradient_hessian(y, scores, **options)]


def check_range(loss, scores, *, finite):
    """No NaN and no warning for labels and soft targets of two and three classes."""
    case, rng = LOSS_CASES[loss.name], np.random.default_rng(1)
    hard_only = case.one_true_class or loss.properties.targets == "labels"
    for k in (2,) if case.binary_only else (2, 3):
        for soft in (False,) if hard_only else (False, True):
            for array in everything(loss, case, rng.choice(scores, (300, k)), soft):
                assert not np.isnan(array).any()
                assert not finite or np.isfinite(array).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", LOSS_CASES)
def test_scores_at_the_ends_of_the_range_give_no_nan_and_no_warning(name):
    check_range(xentexp.get_loss(name), RANGE, finite=False)
    with np.errstate(over="ignore", under="ignore"):
        single = RANGE.astype(np.float32)
    check_range(xentexp.get_loss(name), single[np.isfinite(single)], finite=False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["categorical_crossentropy", "logistic_margin_loss", "hinge_loss"])
def test_large_scores_have_the_difference_as_value(name):
    scores = np.array([[0.0, 1e308], [1e308, 0.0], [-MAX, MAX], [MAX, -MAX], [3e307, 1e308]])
    loss = xentexp.get_loss(name)
    values = loss.per_sample([0, 0, 0, 0, 0], scores, from_logits=True, labels=[0, 1])
    np.testing.assert_allclose(values, [1e308, 0.0, np.inf, 0.0, 7e307], rtol=1e-15)
    gradient = loss.gradient([0, 0, 0, 0, 0], scores, labels=[0, 1])
    np.testing.assert_array_equal(gradient[:, 1], [1.0, 0.0, 1.0, 0.0, 1.0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "parameter", "limits"), LIMITS)
def test_parameters_at_their_limits_give_numbers(name, parameter, limits):
    for value in limits:
        loss = xentexp.get_loss(name, **{parameter: value})
        check_range(loss, RANGE, finite=False)
        check_range(loss, ORDINARY, finite=True)


@pytest.mark.parametrize(("name", "parameter", "limits"), LIMITS)
def test_parameters_beyond_their_limits_raise(name, parameter, limits):
    low, high = limits
    beyond = [np.inf, -np.inf, np.nan]
    if low > -MAX:
        beyond.append(float(low) - 1e-7 if low not in (0.0, TINY) else 0.0 if low else -TINY)
    if high < MAX:
        beyond.append(high * 1.0001 if high else TINY)
    for value in beyond:
        with pytest.raises(InputError, match=f"{parameter} must be "):
            xentexp.get_loss(name, **{parameter: value})


def test_number_parameters_of_all_losses_have_limits():
    for name, case in LOSS_CASES.items():
        numbers = {key for key, value in case.defaults.items() if isinstance(value, (int, float))}
        known = set(case.limits) | ({"p"} if name == "multi_margin_loss" else set())
        assert numbers <= known, name


def test_extreme_parameters_have_the_values_of_their_limits():
    p = [0.3, 0.6]
    nearly = m.generalized_crossentropy([0, 1], p, q=TINY)
    assert nearly == pytest.approx(m.categorical_crossentropy([0, 1], p), rel=1e-15)
    nearly = m.smoothed_hinge_loss([0, 1], p, gamma=TINY)
    assert nearly == pytest.approx(m.hinge_loss([0, 1], p), rel=1e-15)
    # mpmath 1.3.0: quad(lambda c: c**(a-1) * (1-c)**b, [p, 1]) at p = 1e-3
    mid = [m.beta_loss([1], [1e-3], alpha=a, beta=b) for a, b in BETAS]
    np.testing.assert_allclose(mid, list(BETAS.values()), rtol=1e-12)
