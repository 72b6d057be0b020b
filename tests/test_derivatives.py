"""Gradients and hessians of the whole table: finite differences, and torch's autograd."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
CASES = [(name, {}) for name, loss in LOSSES.items() if loss.facts.gradient != "none"] + VARIANTS
cases = pytest.mark.parametrize(
    ("name", "parameters"), CASES, ids=[f"{n}{list(p.values()) or ''}" for n, p in CASES]
)


def numerical(loss, y, raw, step=1e-4, **options):
    """Central differences of fourth order, of the value and of the gradient."""
    first, second = np.zeros_like(raw), np.zeros_like(raw)
    for column in range(1 if raw.ndim == 1 else raw.shape[1]):
        part = np.s_[:] if raw.ndim == 1 else np.s_[:, column]

        def moved(by, what, part=part):
            other = raw.copy()
            other[part] += by * step
            out = what(y, other, **options)
            return out if what == loss.per_sample else out[part]

        for out, what in ((first, loss.per_sample), (second, loss.gradient)):
            near = moved(1, what) - moved(-1, what)
            far = moved(2, what) - moved(-2, what)
            out[part] = (8 * near - far) / (12 * step)
    return first, second


def far_from_kinks(loss, y, raw, **options):
    """Rows whose derivatives do not jump within the steps of the differences."""
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


def targets_of(loss, rng, n, k, soft):
    kind = loss.facts.targets
    if kind == "multilabel":
        return rng.uniform(size=(n, k)) if soft else rng.integers(2, size=(n, k))
    if kind == "positive" or (soft and kind == "soft"):
        return rng.dirichlet(np.ones(k), size=n)
    return rng.integers(k, size=n)


@cases
@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft"])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_derivatives_are_those_of_the_value(name, parameters, soft, k):
    loss = xentexp.get_loss(name, **parameters)
    latent = loss.facts.needs == "latent"
    if (loss.facts.binary_only and k != 2) or (parameters.get("thresholds") and k != 3):
        pytest.skip("not for so many classes")
    rng = np.random.default_rng(k)
    raw = rng.normal(0, 1.5, 60 if latent else (60, k))
    y = targets_of(loss, rng, 60, k, soft)
    options = {"labels": list(range(k))} if latent else {}
    smooth = far_from_kinks(loss, y, raw, **options)
    assert smooth.mean() > 0.6
    gradient, hessian = loss.gradient_hessian(y, raw, **options)
    first, second = numerical(loss, y, raw, **options)
    np.testing.assert_allclose(gradient[smooth], first[smooth], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(hessian[smooth], second[smooth], rtol=1e-6, atol=1e-8)
    assert np.abs(gradient).max() > 1e-3


@cases
def test_one_score_is_the_second_of_two(name, parameters):
    loss = xentexp.get_loss(name, **parameters)
    if loss.facts.needs == "latent" or loss.facts.targets == "multilabel":
        pytest.skip("one column is something else")
    rng = np.random.default_rng(1)
    z = rng.normal(0, 2, 50)
    y = targets_of(loss, rng, 50, 2, soft=loss.facts.targets == "positive")
    both = np.stack([np.zeros(50), z], axis=1)
    for one, two in zip(loss.gradient_hessian(y, z), loss.gradient_hessian(y, both), strict=True):
        assert one.shape == (50,)
        np.testing.assert_allclose(one, two[:, 1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(loss.per_sample(y, z), loss.per_sample(y, both), rtol=1e-12)


@cases
def test_scores_far_apart_have_finite_derivatives(name, parameters):
    loss = xentexp.get_loss(name, **parameters)
    if name == "exponential_loss" or (parameters.get("alpha") == 3.0 and "divergence" in name):
        pytest.skip("its derivatives overflow as its value does")
    if loss.facts.needs == "latent":
        raw, y, options = np.array([900.0, -900.0]), [0, 2], {"labels": [0, 1, 2]}
    else:
        raw, options = np.array([[900.0, 0.0], [0.0, 900.0], [900.0, 0.0], [0.0, -40.0]]), {}
        y = [[0.9, 0.1]] * 4 if loss.facts.targets == "positive" else [0, 0, 1, 1]
        y = [[1, 0], [1, 0], [0, 1], [0, 1]] if loss.facts.targets == "multilabel" else y
    if parameters.get("thresholds") is None or loss.facts.needs == "latent":
        for values in (
            loss.per_sample(y, raw, **options),
            *loss.gradient_hessian(y, raw, **options),
        ):
            assert np.isfinite(values).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), k=st.integers(2, 5))
@pytest.mark.parametrize("name", [name for name, _ in CASES[: len(LOSSES) - 1]])
def test_weights_multiply_and_ignored_rows_are_zero(name, seed, n, k):
    loss = xentexp.get_loss(name)
    if loss.facts.targets in ("multilabel", "positive") or loss.facts.needs == "latent":
        return
    rng = np.random.default_rng(seed)
    k = 2 if loss.facts.binary_only else k
    y, raw = rng.integers(k, size=n), rng.normal(0, 2, (n, k))
    weight, class_weight = rng.uniform(0.1, 2, n), rng.uniform(0.1, 2, k)
    ignored = rng.random(n) < 0.3
    ignored[0] = False
    marked = np.where(ignored, -1, y)
    factor = weight * class_weight[y] * ~ignored
    options = {"sample_weight": weight, "class_weight": class_weight, "ignore_label": -1}
    options["labels"] = list(range(k))
    plain = loss.per_sample(y, raw), *loss.gradient_hessian(y, raw)
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


torch_losses = {
    "categorical_crossentropy": lambda F, z, y: F.cross_entropy(z, y, reduction="sum"),
    "weston_watkins_hinge": lambda F, z, y: F.multi_margin_loss(z, y, reduction="sum") * z.shape[1],
    "multi_margin_loss": lambda F, z, y: F.multi_margin_loss(z, y, reduction="sum"),
    "squared_error": lambda F, z, y: (
        F.mse_loss(z.softmax(1), F.one_hot(y, z.shape[1]).to(z.dtype), reduction="sum") / z.shape[1]
    ),
    "absolute_error": lambda F, z, y: (
        F.l1_loss(z.softmax(1), F.one_hot(y, z.shape[1]).to(z.dtype), reduction="sum") / z.shape[1]
    ),
    "huber_loss": lambda F, z, y: (
        F.huber_loss(z.softmax(1), F.one_hot(y, z.shape[1]).to(z.dtype), reduction="sum")
        / z.shape[1]
    ),
}
torch_binary = {
    "binary_crossentropy": lambda F, z, y: F.binary_cross_entropy_with_logits(
        z, y.to(z.dtype), reduction="sum"
    ),
    "logistic_margin_loss": lambda F, z, y: F.soft_margin_loss(
        z, 2 * y.to(z.dtype) - 1, reduction="sum"
    ),
}


@pytest.mark.parametrize("name", [*torch_losses, *torch_binary])
@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-12), ("float32", 1e-6)])
def test_gradients_and_hessians_are_those_of_torch(name, dtype, atol):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    binary = name in torch_binary
    z = rng.normal(0, 2, 40 if binary else (40, 4)).astype(dtype)
    y = rng.integers(2 if binary else 4, size=40)
    tensor = torch.tensor(z, requires_grad=True)
    value = (torch_binary | torch_losses)[name](torch.nn.functional, tensor, torch.tensor(y))
    piecewise_linear = ("margin_loss" in name and not binary) or name == "weston_watkins_hinge"
    (first,) = torch.autograd.grad(value, tensor, create_graph=not piecewise_linear)
    second = np.zeros(z.shape)  # as it is of those, where torch has no second derivative
    for column in range(1 if binary else 4):
        part = first if binary else first[:, column]
        if part.requires_grad:
            (own,) = torch.autograd.grad(part.sum(), tensor, retain_graph=True)
            if binary:
                second[:] = own
            else:
                second[:, column] = own[:, column]
    loss = xentexp.get_loss(name)
    gradient, hessian = loss.gradient_hessian(y, z)
    assert loss.per_sample(y, z).sum() == pytest.approx(
        value.item(), rel=1e-12 if atol < 1e-9 else 1e-5
    )
    np.testing.assert_allclose(gradient, first.detach().numpy(), rtol=1e-10, atol=atol)
    np.testing.assert_allclose(hessian, second, rtol=1e-10, atol=10 * atol)


# Formulas of the papers and of Keras, written in torch, for what torch has no function of.
def _p(z):
    return z.softmax(1)


torch_formulas = {
    "categorical_focal_crossentropy": lambda t, z, y: -((1 - _p(z)) ** 2) * z.log_softmax(1),
    "generalized_crossentropy": lambda t, z, y: (1 - _p(z) ** 0.7) / 0.7,
    "poly1_crossentropy": lambda t, z, y: 1 - _p(z) - z.log_softmax(1),
    "taylor_crossentropy": lambda t, z, y: 1 - _p(z) + (1 - _p(z)) ** 2 / 2,
    "spherical_loss": lambda t, z, y: 1 - _p(z) / _p(z).square().sum(1, keepdim=True).sqrt(),
    "symmetric_crossentropy": lambda t, z, y: 4 * (1 - _p(z)) - 0.1 * z.log_softmax(1),
}


@pytest.mark.parametrize("name", torch_formulas)
def test_gradients_of_papers_formulas_by_autograd(name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    z, y = rng.normal(0, 2, (40, 4)), rng.integers(4, size=40)
    tensor = torch.tensor(z, requires_grad=True)
    each = torch_formulas[name](torch, tensor, None)
    value = each.gather(1, torch.tensor(y)[:, None]).sum()
    (first,) = torch.autograd.grad(value, tensor)
    loss = xentexp.get_loss(name)
    assert loss.per_sample(y, z).sum() == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(loss.gradient(y, z), first.numpy(), rtol=1e-10, atol=1e-13)
