"""Values, gradients and hessians against torch's autograd.

First the functions of torch, then the formulas of the papers, for every loss and all parameters of
`test_derivatives`.
"""

from functools import partial

import numpy as np
import pytest

import xentexp
from tests.losses.test_derivatives import CASES, ids, soft_too
from tests.support.loss_cases import LOSS_CASES
from tests.support.strategies import scores, targets
from xentexp.losses import LOSSES

torch = pytest.importorskip("torch")
F = torch.nn.functional

pytestmark = pytest.mark.peers

N, K = 40, 4
WEIGHTS = np.array([0.5, 1.0, 3.0, 0.2])


def derivatives(values, z, *, twice=True):
    """First derivatives of the values of rows, and the diagonals of their hessians."""
    (first,) = torch.autograd.grad(values.sum(), z, create_graph=twice)
    second = torch.zeros_like(z)
    for column in range(z.shape[1] if z.ndim == 2 else 1):
        part = np.s_[:] if z.ndim == 1 else np.s_[:, column]
        if first.requires_grad:  # otherwise it is constant
            second[part] = torch.autograd.grad(first[part].sum(), z, retain_graph=True)[0][part]
    return first.detach().numpy(), second.numpy()


def compare(loss, y, raw, function, *, twice=True, rtol=1e-10, atol=1e-12, **options):
    z = torch.tensor(raw, requires_grad=True)
    values = function(z)
    first, second = derivatives(values, z, twice=twice)
    ours = loss.per_sample(y, raw, **options, from_logits="numbers" not in options)
    np.testing.assert_allclose(ours, values.detach(), rtol=rtol, atol=atol)
    gradient, hessian = loss.gradient_hessian(y, raw, **options)
    np.testing.assert_allclose(gradient, first, rtol=rtol, atol=atol)
    assert np.abs(first).max() > 1e-3
    if twice:
        np.testing.assert_allclose(hessian, second, rtol=rtol, atol=10 * atol)


# -- functions of torch ----------------------------------------------------------------------


def each(function, **options):
    return partial(function, reduction="none", **options)


def over_columns(function, **options):
    """A function of numbers, applied to the probabilities and one-hot targets."""
    function = each(function, **options)
    return lambda z, y: function(z.softmax(1), F.one_hot(y, K).to(z.dtype)).mean(1)


def signs(z, y):
    return 2 * y.to(z.dtype) - 1


def in_the_dtype(function):
    return lambda z, y: function(z, y.to(z.dtype))


weight = torch.tensor(WEIGHTS)
ON_LABELS = [  # name, parameters, options, whether torch differentiates twice, function
    ("categorical_crossentropy", {}, {}, True, each(F.cross_entropy)),
    ("categorical_crossentropy", {}, {"class_weight": WEIGHTS, "labels": range(K)}, True,
     lambda z, y: F.cross_entropy(z, y, weight=weight.to(z.dtype), reduction="none")),
    ("categorical_crossentropy", {}, {"label_smoothing": 0.3}, True,
     each(F.cross_entropy, label_smoothing=0.3)),
    ("sparse_categorical_crossentropy", {}, {"ignore_label": 2, "labels": range(K)}, True,
     lambda z, y: F.nll_loss(z.log_softmax(1), y, ignore_index=2, reduction="none")),
    ("multi_margin_loss", {}, {}, False, each(F.multi_margin_loss)),
    ("multi_margin_loss", {"p": 2, "margin": 1.7}, {}, False,
     each(F.multi_margin_loss, p=2, margin=1.7)),
    ("weston_watkins_hinge", {}, {}, False,
     lambda z, y: K * F.multi_margin_loss(z, y, reduction="none")),
    ("squared_error", {}, {}, True, over_columns(F.mse_loss)),
    ("absolute_error", {}, {}, True, over_columns(F.l1_loss)),
    ("huber_loss", {}, {}, True, over_columns(F.huber_loss)),
    ("huber_loss", {"delta": 0.3}, {}, True, over_columns(F.huber_loss, delta=0.3)),
]  # fmt: skip
ON_ONE_SCORE = [
    ("binary_crossentropy", {}, {}, True, in_the_dtype(each(F.binary_cross_entropy_with_logits))),
    ("binary_crossentropy", {}, {"class_weight": [1.0, 3.0]}, True,
     lambda z, y: F.binary_cross_entropy_with_logits(
         z, y.to(z.dtype), pos_weight=torch.tensor(3.0), reduction="none")),
    ("logistic_margin_loss", {}, {}, True,
     lambda z, y: F.soft_margin_loss(z, signs(z, y), reduction="none")),
]  # fmt: skip
ON_SEVERAL_LABELS = [
    ("multilabel_crossentropy", {}, {}, True, in_the_dtype(each(F.multilabel_soft_margin_loss))),
    ("multilabel_crossentropy", {"over_labels": "sum"}, {}, True,
     lambda z, y: F.binary_cross_entropy_with_logits(z, y.to(z.dtype), reduction="none").sum(1)),
]  # fmt: skip
ON_DISTRIBUTIONS = [
    ("categorical_crossentropy", {}, {}, True, each(F.cross_entropy)),
    ("categorical_crossentropy", {}, {"label_smoothing": 0.3}, True,
     each(F.cross_entropy, label_smoothing=0.3)),
    ("cross_entropy", {}, {}, True, each(F.cross_entropy)),
    ("kl_divergence", {}, {}, True,
     lambda z, y: F.kl_div(z.log_softmax(1), y, reduction="none").sum(1)),
    ("reverse_kl_divergence", {}, {}, True,
     lambda z, y: F.kl_div(y.log(), z.softmax(1), reduction="none").sum(1)),
    ("multilabel_crossentropy", {}, {}, True,
     lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1)),
]  # fmt: skip
ON_NUMBERS = [
    ("squared_error", {}, {"numbers": True}, True, each(F.mse_loss)),
    ("absolute_error", {}, {"numbers": True}, True, each(F.l1_loss)),
    ("huber_loss", {}, {"numbers": True}, True, each(F.huber_loss)),
    ("huber_loss", {"delta": 0.3}, {"numbers": True}, True, each(F.huber_loss, delta=0.3)),
    ("huber_loss", {}, {"numbers": True}, True, each(F.smooth_l1_loss)),
    ("poisson_deviance", {}, {"numbers": True}, True,  # without a constant
     lambda x, y: 2 * (F.poisson_nll_loss(x, y, log_input=False, eps=0, reduction="none")
                       - y + torch.xlogy(y, y))),
]  # fmt: skip
KINDS = {
    "labels": (ON_LABELS, lambda rng: (rng.integers(K, size=N), rng.normal(0, 2, (N, K)))),
    "one score": (ON_ONE_SCORE, lambda rng: (rng.integers(2, size=N), rng.normal(0, 2, N))),
    "several": (
        ON_SEVERAL_LABELS,
        lambda rng: (rng.integers(2, size=(N, K)), rng.normal(0, 2, (N, K))),
    ),
    "soft": (
        ON_DISTRIBUTIONS,
        lambda rng: (rng.dirichlet(np.ones(K), size=N), rng.normal(0, 2, (N, K))),
    ),
    "numbers": (ON_NUMBERS, lambda rng: (rng.gamma(1, 2, N), rng.gamma(2, 2, N))),
}
FUNCTIONS = [
    pytest.param(
        *case,
        kind,
        id="-".join([kind, case[0], *map(str, case[1].values()), *case[2]]) + f"-{number}",
    )
    for kind, (cases, _) in KINDS.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "parameters", "options", "twice", "function", "kind"), FUNCTIONS)
def test_functions_of_torch(name, parameters, options, twice, function, kind, dtype):
    y, raw = KINDS[kind][1](np.random.default_rng(3))
    raw = raw.astype(dtype)
    near = {"rtol": 1e-10, "atol": 1e-12}
    if dtype == "float32":  # torch computes in float32, xentexp in float64
        near = {"rtol": 2e-4, "atol": 2e-6}
    target = torch.tensor(y if kind in ("labels", "one score") else y.astype(dtype))
    compare(
        xentexp.get_loss(name, **parameters),
        y, raw, lambda z: function(z, target), twice=twice, **near, **options,
    )  # fmt: skip


# -- formulas of the papers ------------------------------------------------------------------


def test_every_loss_with_a_gradient_has_a_formula():
    assert {name for name, case in LOSS_CASES.items() if case.formula} == {
        name for name, loss in LOSSES.items() if loss.properties.gradient != "none"
    }


FORMULA_CASES = [
    (name, parameters, soft)
    for name, parameters in CASES
    for soft in ([False, True] if soft_too(LOSSES[name]) else [False])
]


@pytest.mark.parametrize(("name", "parameters", "soft"), FORMULA_CASES, ids=ids(FORMULA_CASES))
def test_formulas_of_the_papers(name, parameters, soft):
    loss, rng = LOSSES[name], np.random.default_rng(4)
    k = 2 if loss.properties.binary_only else K
    if "thresholds" in parameters:
        k = len(parameters["thresholds"]) + 1
    y, raw = targets(loss, rng, N, k, soft=soft), scores(loss, rng, N, k)
    target = torch.tensor(y if y.ndim == 2 else np.eye(k)[y], dtype=torch.float64)
    options = {"labels": range(k)} if loss.properties.response == "latent" else {}
    compare(
        xentexp.get_loss(name, **parameters),
        y, raw, lambda z: LOSS_CASES[name].formula(z, target, **parameters), **options,
    )  # fmt: skip
