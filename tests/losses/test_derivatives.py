"""Gradients and hessians of all losses: finite differences, options, extreme scores."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given

import xentexp
from tests.support.strategies import (
    classes_of,
    is_multilabel,
    quick,
    random_cases,
    scores,
    targets,
    targets_and_scores,
)
from xentexp._inputs.block import Block
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.losses._differentiable import TrueClassLoss

# Losses with other parameters, so that the derivative of every branch is tested.
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
CASES = [
    (name, {}) for name, loss in LOSSES.items() if loss.properties.gradient != "none"
] + VARIANTS


def ids(rows):
    """Name, parameters and the rest of each case."""
    return [
        "-".join([name, *map(str, parameters.values()), *map(str, rest)])
        for name, parameters, *rest in rows
    ]


def soft_too(loss):
    """Whether the loss accepts both labels and distributions."""
    return loss.properties.targets in ("soft", "multilabel")


def numbers_of_classes(name, parameters):
    if "thresholds" in parameters:
        return [len(parameters["thresholds"]) + 1]
    return [2] if LOSSES[name].properties.binary_only else [2, 3, 5]


SIZED_CASES = [
    (name, parameters, k, soft)
    for name, parameters in CASES
    for k in numbers_of_classes(name, parameters)
    for soft in ([False, True] if soft_too(LOSSES[name]) else [False])
]
cases = pytest.mark.parametrize(("name", "parameters"), CASES, ids=ids(CASES))


def numerical(loss, y, raw, step=1e-4, **options):
    """Central differences of fourth order, of the value and of the gradient."""
    first, second = np.zeros_like(raw), np.zeros_like(raw)
    values = partial(loss.per_sample, from_logits=True)
    for column in range(1 if raw.ndim == 1 else raw.shape[1]):
        part = np.s_[:] if raw.ndim == 1 else np.s_[:, column]

        def moved(by, what, part=part):
            other = raw.copy()
            other[part] += by * step
            out = what(y, other, **options)
            return out if what == values else out[part]

        for out, what in ((first, values), (second, loss.gradient)):
            near = moved(1, what) - moved(-1, what)
            far = moved(2, what) - moved(-2, what)
            out[part] = (8 * near - far) / (12 * step)
    return first, second


def far_from_kinks(loss, y, raw, **options):
    """Rows whose derivatives do not jump within the steps of the finite differences."""
    here = loss.gradient_hessian(y, raw, **options)
    smooth = np.ones(len(raw), dtype=bool)
    for move in (-1e-3, 1e-3):
        for column in range(1 if raw.ndim == 1 else raw.shape[1]):
            other = raw.copy()
            other[np.s_[:] if raw.ndim == 1 else np.s_[:, column]] += move
            for a, b in zip(here, loss.gradient_hessian(y, other, **options), strict=True):
                jump = np.abs(a - b).reshape(len(raw), -1).max(axis=1)
                smooth &= jump < 0.002 * (1 + np.abs(a).reshape(len(raw), -1).max(axis=1))
    return smooth


@pytest.mark.parametrize(("name", "parameters", "k", "soft"), SIZED_CASES, ids=ids(SIZED_CASES))
def test_derivatives_equal_finite_differences(name, parameters, k, soft):
    loss, rng = LOSSES[name], np.random.default_rng(k)
    y, raw = targets(loss, rng, 60, k, soft=soft), scores(loss, rng, 60, k, 1.5)
    loss, options = xentexp.get_loss(name, **parameters), classes_of(loss, k)
    smooth = far_from_kinks(loss, y, raw, **options)
    assert smooth.mean() > 0.6
    gradient, hessian = loss.gradient_hessian(y, raw, **options)
    first, second = numerical(loss, y, raw, **options)
    np.testing.assert_allclose(gradient[smooth], first[smooth], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(hessian[smooth], second[smooth], rtol=1e-6, atol=1e-8)
    assert np.abs(gradient).max() > 1e-3


def blocks_of(loss, k, form):
    """Blocks of raw scores in every layout, with targets of one form; none if not accepted."""
    rng = np.random.default_rng(k)
    kind = "decision" if loss.properties.response in ("decision_function", "latent") else "logits"
    index = rng.integers(0, k, 50)
    target = {
        "labels": {"index": index},
        "soft": {"soft": rng.dirichlet(np.ones(k), 50)},
        "smoothed": {"soft": 0.9 * np.eye(k)[index] + 0.1 / k},
    }[form]
    z = scores(loss, rng, 50, k, 3.0)
    layouts = [z, np.asfortranarray(z), z.astype(np.float32), 20.0 * z]
    if k == 2 and not is_multilabel(loss):
        layouts.append(z[..., -1] if z.ndim == 2 else z)
    return [partial(Block, n_classes=k, **target, **{kind: layout}) for layout in layouts]


FORM_CASES = [
    (name, parameters, form)
    for name, parameters in CASES
    for form in ("labels", "soft", "smoothed")
    if LOSSES[name].properties.targets
    not in (("positive", "multilabel") if form == "labels" else ("labels", "one-hot"))
]


@pytest.mark.parametrize(("name", "parameters", "form"), FORM_CASES, ids=ids(FORM_CASES))
def test_block_loss_gradient_equals_values_and_gradient(name, parameters, form):
    loss = xentexp.get_loss(name, **parameters)
    for k in numbers_of_classes(name, parameters):
        for block in blocks_of(loss, k, form):
            values, gradient = loss.block_loss_gradient(block())
            np.testing.assert_allclose(values, loss.block_values(block()), rtol=1e-12)
            expected = loss.block_gradient_hessian(block())[0]
            np.testing.assert_allclose(gradient, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "name", [name for name, loss in LOSSES.items() if isinstance(loss, TrueClassLoss)]
)
def test_labels_and_one_hot_targets_have_equal_derivatives(name):
    # Labels and distributions take different paths in the code.
    loss, rng = LOSSES[name], np.random.default_rng(0)
    for k in numbers_of_classes(name, {}):
        index, z = rng.integers(0, k, 50), rng.normal(0, 2, (50, k))
        of_labels = loss.block_gradient_hessian(Block(n_classes=k, index=index, logits=z))
        one_hot = Block(n_classes=k, soft=np.eye(k)[index], logits=z)
        for ours, other in zip(of_labels, loss.block_gradient_hessian(one_hot), strict=True):
            np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-13)


@cases
def test_one_column_of_scores(name, parameters):
    loss, rng = xentexp.get_loss(name, **parameters), np.random.default_rng(1)
    z, y = rng.normal(0, 2, 50), targets(LOSSES[name], rng, 50, 2)
    both = np.stack([np.zeros(50), z], axis=1)
    if loss.properties.response == "latent":  # it only accepts one column
        with pytest.raises(InputError, match="one score for each row"):
            loss.gradient_hessian(y, both, labels=[0, 1])
        return
    if is_multilabel(loss):  # one column is one label, also as a matrix
        y, target, other = y[:, 0], y[:, :1], z[:, np.newaxis]
    else:  # one column is the second of two classes, the first at 0
        target, other = y, both
    for one, two in zip(
        loss.gradient_hessian(y, z), loss.gradient_hessian(target, other), strict=True
    ):
        assert one.shape == (50,)
        np.testing.assert_allclose(one, two.reshape(50, -1)[:, -1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        loss.per_sample(y, z, from_logits=True),
        loss.per_sample(target, other, from_logits=True),
        rtol=1e-12,
    )


def far_apart(name, parameters):
    """Values, gradients and hessians of rows whose scores are far apart."""
    loss = xentexp.get_loss(name, **parameters)
    if loss.properties.response == "latent":
        raw, y, options = np.array([900.0, -900.0]), [0, 2], {"labels": [0, 1, 2]}
    else:
        raw, options = np.array([[900.0, 0.0], [0.0, 900.0], [900.0, 0.0], [0.0, -40.0]]), {}
        y = [[0.9, 0.1]] * 4 if loss.properties.targets == "positive" else [0, 0, 1, 1]
        y = [[1, 0], [1, 0], [0, 1], [0, 1]] if loss.properties.targets == "multilabel" else y
    return loss.per_sample(y, raw, **options, from_logits=True), *loss.gradient_hessian(
        y, raw, **options
    )


OVERFLOW = [("exponential_loss", {}), ("alpha_divergence", {"alpha": 3.0})]
FINITE = [case for case in CASES if case not in OVERFLOW]


@pytest.mark.parametrize(("name", "parameters"), FINITE, ids=ids(FINITE))
def test_scores_far_apart_have_finite_derivatives(name, parameters):
    for values in far_apart(name, parameters):
        assert np.isfinite(values).all()


@pytest.mark.parametrize(("name", "parameters"), OVERFLOW)
def test_derivatives_overflow_where_the_value_does(name, parameters):
    values, gradient, hessian = far_apart(name, parameters)
    np.testing.assert_array_equal(np.isinf(values), [False, True, True, False])
    np.testing.assert_array_equal(gradient[1:3], [[-np.inf, np.inf], [np.inf, -np.inf]])
    np.testing.assert_array_equal(hessian[1:3], np.full((2, 2), np.inf))
    assert np.isfinite([gradient[[0, 3]], hessian[[0, 3]]]).all()


@pytest.mark.parametrize("alpha", [0.5, 2.0, 3.0])
def test_a_renyi_divergence_stays_accurate_when_its_sum_overflows(alpha):
    raw = np.array([[900.0, 0.0], [0.0, 900.0]])
    loss = xentexp.get_loss("renyi_divergence", alpha=alpha)
    far = {  # by hand: the improbable class dominates the sum, or is negligible
        0.5: ([-np.log(0.3), -np.log(0.5)], np.zeros((2, 2))),
        2.0: ([900 + np.log(0.49), 900 + np.log(0.25)], [[1, -1], [-1, 1]]),
        3.0: ([900 + 1.5 * np.log(0.7), 900 + 1.5 * np.log(0.5)], [[1, -1], [-1, 1]]),
    }
    values, gradient = far[alpha]
    y = [[0.3, 0.7], [0.5, 0.5]]
    np.testing.assert_allclose(loss.per_sample(y, raw, from_logits=True), values, rtol=1e-14)
    np.testing.assert_allclose(loss.gradient(y, raw), gradient, atol=1e-100)


@quick
@given(random_cases(spreads=[2.0]))
def test_weights_multiply_and_ignored_rows_are_zero(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    rng, n = case[0], len(raw)
    weight, class_weight = rng.uniform(0.1, 2, n), rng.uniform(0.1, 2, k)
    classes = classes_of(loss, k)

    def everything(target, **options):
        if loss.properties.gradient == "none":
            return [loss.per_sample(target, raw, **options, from_logits=True)]
        return loss.per_sample(target, raw, **options, from_logits=True), *loss.gradient_hessian(
            target, raw, **options
        )

    plain = everything(y, **classes)
    if is_multilabel(loss):  # columns are not classes
        for option in ({"class_weight": class_weight}, {"ignore_label": -1}):
            with pytest.raises(
                InputError, match=f"{next(iter(option))} cannot be used with multilabel"
            ):
                everything(y, **option)
        marked, factor, options = y, weight, {}
    elif y.ndim == 2:  # distributions, without a label to ignore
        marked, factor, options = y, weight * (y @ class_weight), {"class_weight": class_weight}
    else:
        ignored = rng.random(n) < 0.3
        ignored[0] = False
        marked, factor = np.where(ignored, -1, y), weight * class_weight[y] * ~ignored
        options = {"class_weight": class_weight, "ignore_label": -1, "labels": list(range(k))}
    both = everything(marked, sample_weight=weight, **options)
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
    assert set(expected) == {name for name, loss in LOSSES.items() if loss.properties.numbers}
    for name, pair in expected.items():
        ours = xentexp.get_loss(name).gradient_hessian(y, x, numbers=True)
        np.testing.assert_allclose(ours, pair, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("name", "call", "part"),
    [
        ("zero_one_loss", {}, "has no gradient"),
        ("hinge_loss", {"label_smoothing": 0.1}, "label_smoothing must be 0 for hinge_loss"),
        ("brier_loss", {"numbers": True}, "is for classes and does not accept numbers=True"),
        ("brier_loss", {"class_weight": {5: 1.0}}, "among the classes 0, 1; got 5"),
        ("brier_loss", {"class_weight": [1.0]}, "one number for each of 2 classes"),
        ("brier_loss", {"class_weight": "even"}, "must be 'balanced'"),
        ("multilabel_crossentropy", {"labels": [0, 1]}, "labels cannot be used with"),
    ],
)
def test_gradient_raises_for_invalid_options(name, call, part):
    with pytest.raises(InputError, match=part):
        xentexp.get_loss(name).gradient([0, 1], [0.3, -0.2], **call)
