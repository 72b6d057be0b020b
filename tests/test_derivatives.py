"""Gradients and hessians of the whole table against finite differences of the values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import classes_of, n_classes, scores, targets

import xentexp
from xentexp.errors import InputError
from xentexp.losses import LOSSES

# Losses with other parameters than the default, so that every branch has its derivative.
VARIANTS = [
    ("cross_entropy", {"delta": 0.01}),
    ("logarithmic_score", {"base": 10.0}),
    ("brier_loss", {"scale_by_half": False}),
    ("binary_focal_crossentropy", {"gamma": 0.5, "alpha": 0.25}),
    ("binary_focal_crossentropy", {"gamma": 0.0}),
    ("categorical_focal_crossentropy", {"gamma": 1.0, "alpha": 0.25}),
    ("asymmetric_loss", {"gamma_negative": 1.0, "margin": 0.0}),
    ("asymmetric_loss", {"gamma_positive": 0.0, "margin": 0.3}),
    ("poly1_crossentropy", {"epsilon": -0.5}),
    ("generalized_crossentropy", {"q": 1.0}),
    ("symmetric_crossentropy", {"alpha": 1.0, "beta": 0.3}),
    ("taylor_crossentropy", {"order": 1}),
    ("taylor_crossentropy", {"order": 6}),
    ("label_relaxation", {"alpha": 0.4}),
    ("bi_tempered_logistic_loss", {"t1": 1.0, "t2": 1.0}),
    ("bi_tempered_logistic_loss", {"t1": 0.2, "t2": 3.0}),
    ("renyi_divergence", {"alpha": 2.0}),
    ("alpha_divergence", {"alpha": 3.0}),
    ("pseudospherical_loss", {"beta": 1.5}),
    ("power_loss", {"beta": 1.5}),
    ("power_loss", {"beta": 2.0}),
    ("beta_loss", {"alpha": -0.5, "beta": -0.5}),
    ("beta_loss", {"alpha": 0.0, "beta": 0.0}),
    ("beta_loss", {"alpha": 3.0, "beta": 1.0}),
    ("cumulative_link_log_loss", {"thresholds": (-2.0, 0.1)}),
    ("smoothed_hinge_loss", {"gamma": 2.0}),
    ("multi_margin_loss", {"p": 2, "margin": 1.7}),
    ("squared_error", {"over_classes": "half_sum"}),
    ("huber_loss", {"delta": 0.3, "over_classes": "sum"}),
    ("multilabel_crossentropy", {"over_labels": "sum"}),
]
DERIVABLE = [name for name, loss in LOSSES.items() if loss.facts.gradient != "none"]
CASES = [(name, {}) for name in DERIVABLE] + VARIANTS


def shown(value):
    return str(list(value.values()) or "") if isinstance(value, dict) else None


cases = pytest.mark.parametrize(("name", "parameters"), CASES, ids=shown)


def central(function, raw, column, step):
    """Fourth-order difference of `function` in one column of the raw scores."""

    def moved(by):
        other = raw.copy()
        other[column] += by * step
        return function(other)

    return (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)


def columns_of(raw):
    return [np.s_[:]] if raw.ndim == 1 else [np.s_[:, column] for column in range(raw.shape[1])]


def differences(loss, y, raw, step, **options):
    """First derivatives of the value, and second ones of the gradient."""
    first, second = np.zeros_like(raw), np.zeros_like(raw)
    for column in columns_of(raw):
        first[column] = central(lambda z: loss.per_sample(y, z, **options), raw, column, step)
        second[column] = central(
            lambda z, column=column: loss.gradient(y, z, **options)[column], raw, column, step
        )
    return first, second


def sizes(name, parameters):
    """Numbers of classes that a loss is tried on."""
    if "thresholds" in parameters:
        return [len(parameters["thresholds"]) + 1]
    return [2] if LOSSES[name].facts.binary_only else [2, 3, 5]


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft"])
@pytest.mark.parametrize(
    ("name", "parameters", "k"),
    [(name, parameters, k) for name, parameters in CASES for k in sizes(name, parameters)],
    ids=lambda value: shown(value) if isinstance(value, dict) else None,
)
def test_derivatives_are_those_of_the_value(name, parameters, soft, k):
    loss, rng = xentexp.get_loss(name, **parameters), np.random.default_rng(k)
    y, raw = targets(loss, rng, 60, k, soft=soft), scores(loss, rng, 60, k, 1.5)
    options = classes_of(loss, k)
    coarse = differences(loss, y, raw, 2e-4, **options)
    fine = differences(loss, y, raw, 1e-4, **options)
    for ours, a, b in zip(loss.gradient_hessian(y, raw, **options), coarse, fine, strict=True):
        # Where a kink lies within the steps, differences depend on the step.
        away = np.isclose(a, b, rtol=1e-7, atol=1e-8)
        assert away.mean() > 0.95
        np.testing.assert_allclose(ours[away], b[away], rtol=1e-6, atol=1e-8)
        assert np.abs(b[away]).max() > 1e-4 or loss.facts.gradient == "subgradient"


@cases
def test_derivatives_have_the_shape_of_the_scores(name, parameters):
    loss, rng = xentexp.get_loss(name, **parameters), np.random.default_rng(1)
    z = rng.normal(0, 2, 50)
    if loss.facts.needs == "latent":  # one score is all there is
        pair = loss.gradient_hessian(rng.integers(3, size=50), z, labels=[0, 1, 2])
        assert [part.shape for part in pair] == [(50,), (50,)]
        return
    if loss.facts.targets == "multilabel":  # one score is one label
        y = rng.integers(2, size=50)
        target, both = y[:, np.newaxis], z[:, np.newaxis]
    else:  # one score is the second of two
        y = target = targets(loss, rng, 50, 2)
        both = np.stack([np.zeros(50), z], axis=1)
    pairs = zip(loss.gradient_hessian(y, z), loss.gradient_hessian(target, both), strict=True)
    for one, two in pairs:
        assert (one.shape, two.shape) == (z.shape, both.shape)
        np.testing.assert_allclose(one, two[:, -1], rtol=1e-12, atol=1e-15)
    values = loss.per_sample(y, z), loss.per_sample(target, both)
    np.testing.assert_allclose(*values, rtol=1e-12)


OVERFLOWING = [("exponential_loss", {}), ("alpha_divergence", {"alpha": 3.0})]


@pytest.mark.parametrize(
    ("name", "parameters"), [case for case in CASES if case not in OVERFLOWING], ids=shown
)
def test_scores_far_apart_have_finite_derivatives(name, parameters):
    loss = xentexp.get_loss(name, **parameters)
    options = {}
    if loss.facts.needs == "latent":
        raw, y, options = np.array([900.0, -900.0]), [0, 2], {"labels": [0, 1, 2]}
    else:
        raw = np.array([[900.0, 0.0], [0.0, 900.0], [900.0, 0.0], [0.0, -40.0]])
        y = {
            "positive": [[0.9, 0.1]] * 4,
            "multilabel": [[1, 0], [1, 0], [0, 1], [0, 1]],
        }.get(loss.facts.targets, [0, 0, 1, 1])
    for values in (loss.per_sample(y, raw, **options), *loss.gradient_hessian(y, raw, **options)):
        assert np.isfinite(values).all()


def test_values_that_overflow_are_infinite():
    raw = [[900.0, 0.0]]
    for name, parameters in OVERFLOWING:
        assert xentexp.get_loss(name, **parameters).per_sample([1], raw) == np.inf
    gradient, hessian = xentexp.get_loss("exponential_loss").gradient_hessian([1], raw)
    np.testing.assert_array_equal(gradient, [[np.inf, -np.inf]])
    np.testing.assert_array_equal(hessian, [[np.inf, np.inf]])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), k=st.integers(2, 5))
@pytest.mark.parametrize("name", DERIVABLE)
def test_weights_multiply_and_ignored_rows_are_zero(name, seed, n, k):
    loss, rng = xentexp.get_loss(name), np.random.default_rng(seed)
    k = n_classes(loss, k)
    y, raw = targets(loss, rng, n, k), scores(loss, rng, n, k)
    weight, class_weight = rng.uniform(0.1, 2, n), rng.uniform(0.1, 2, k)
    plain_options = classes_of(loss, k)
    options = {"sample_weight": weight}
    factor, marked = weight, y
    if y.ndim == 1:
        ignored = rng.random(n) < 0.3
        ignored[0] = False
        marked = np.where(ignored, -1, y)
        factor = weight * class_weight[y] * ~ignored
        options |= {"class_weight": class_weight, "ignore_label": -1, "labels": list(range(k))}
    elif loss.facts.targets == "positive":
        factor = weight * (y @ class_weight)
        options |= {"class_weight": class_weight}
    plain = (
        loss.per_sample(y, raw, **plain_options),
        *loss.gradient_hessian(y, raw, **plain_options),
    )
    both = loss.per_sample(marked, raw, **options), *loss.gradient_hessian(marked, raw, **options)
    for a, b in zip(plain, both, strict=True):
        np.testing.assert_allclose(b, (a.T * factor).T, rtol=1e-12, atol=1e-300)


def test_named_columns_give_the_gradient_of_those_columns():
    import pandas as pd

    raw = pd.DataFrame({"b": [0.3, -1.0], "a": [1.2, 0.1]})
    loss = xentexp.get_loss("categorical_crossentropy")
    gradient = loss.gradient(["a", "b"], raw, labels=["a", "b"])
    swapped = loss.gradient(["a", "b"], raw[["a", "b"]].to_numpy(), labels=["a", "b"])
    np.testing.assert_array_equal(gradient, swapped[:, ::-1])


def test_plain_numbers_have_derivatives_in_themselves():
    y, x = np.array([1.0, 2.0, 0.5]), np.array([0.4, 2.5, 3.0])
    expected = {  # by hand
        "squared_error": (2 * (x - y), np.full(3, 2.0)),
        "absolute_error": (np.sign(x - y), np.zeros(3)),
        "huber_loss": (np.clip(x - y, -1, 1), (np.abs(x - y) <= 1).astype(float)),
        "log_cosh_loss": (np.tanh(x - y), 1 / np.cosh(x - y) ** 2),
        "poisson_deviance": (2 * (1 - y / x), 2 * y / x**2),
        "squared_log_error": (
            2 * (np.log1p(x) - np.log1p(y)) / (1 + x),
            2 * (1 - np.log1p(x) + np.log1p(y)) / (1 + x) ** 2,
        ),
    }
    assert set(expected) == {name for name, loss in LOSSES.items() if loss.facts.numbers}
    for name, pair in expected.items():
        ours = xentexp.get_loss(name).gradient_hessian(y, x, numbers=True)
        np.testing.assert_allclose(ours, pair, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("name", "call", "part"),
    [
        ("zero_one_loss", {}, "has no gradient"),
        ("hinge_loss", {"label_smoothing": 0.1}, "no label_smoothing"),
        ("brier_loss", {"numbers": True}, "takes no plain numbers"),
        ("brier_loss", {"class_weight": {5: 1.0}}, "class_weight names 5"),
        ("brier_loss", {"class_weight": [1.0]}, "one number for each of 2 classes"),
        ("brier_loss", {"class_weight": "even"}, "must be 'balanced'"),
        ("multilabel_crossentropy", {"labels": [0, 1]}, "labels cannot go with"),
    ],
)
def test_what_cannot_be_is_said(name, call, part):
    with pytest.raises(InputError, match=part):
        xentexp.get_loss(name).gradient([0, 1], [0.3, -0.2], **call)
