"""TorchLoss: values and gradients equal to the losses of torch, of Keras and of xentexp."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy
from sklearn.base import clone

import xentexp
from tests.support.strategies import n_classes, of_scores, scores, targets
from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss
from xentexp.objectives import TrainingObjective, get_training_loss

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from xentexp.objectives._torch import Batch, BatchLoss, TorchLoss  # noqa: E402

pytestmark = pytest.mark.peers

N, K = 30, 4
TRAINABLE = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none" and loss.properties.targets != "none"
]
NEAR = {torch.float32: {"rtol": 1e-6, "atol": 1e-7}, torch.float64: {"rtol": 0, "atol": 1e-12}}
WEIGHTS = [0.5, 1.0, 3.0, 0.2]


@pytest.fixture(autouse=True)
def one_torch_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torch_loss(name: str, **options: Any) -> TorchLoss:
    parameters = (
        {"thresholds": [-1.0, 0.0, 1.5]} if LOSSES[name].properties.response == "latent" else {}
    )
    return TorchLoss(name, **parameters, **options)


def batch(loss: Loss, dtype: Any = None, seed: int = 0, *, soft: bool = False) -> Any:
    """Raw scores that require a gradient, and targets."""
    rng, k = np.random.default_rng(seed), n_classes(loss, K)
    raw = torch.tensor(scores(loss, rng, N, k), dtype=dtype or torch.float64)
    return raw.requires_grad_(), torch.tensor(targets(loss, rng, N, k, soft=soft))


def compare(ours: Any, theirs: Any, raw: np.ndarray, dtype: Any) -> None:
    """Value and gradient of two functions of one input."""
    results = []
    for function in (ours, theirs):
        z = torch.tensor(raw, dtype=dtype, requires_grad=True)
        value = function(z)
        value.sum().backward()
        assert value.dtype == z.grad.dtype == dtype
        results.append((value.detach(), z.grad))
    torch.testing.assert_close(results[0][0], results[1][0], **NEAR[dtype])
    torch.testing.assert_close(results[0][1], results[1][1], **NEAR[dtype])


# -- values and gradients of torch modules ---------------------------------------------------

RNG = np.random.default_rng(5)
SCORES, LABELS = RNG.normal(0, 2, (N, K)), torch.tensor(RNG.integers(0, K, N))
ONE_SCORE, YES = RNG.normal(0, 2, N), torch.tensor(RNG.integers(0, 2, N))
SHARES = torch.tensor(RNG.dirichlet(np.ones(K), N))


def cast(module: Any, target: Any) -> Any:
    return lambda z: module.to(z.dtype)(z, target.to(z.dtype))


BOTH = [
    ("CrossEntropyLoss", {}, lambda **o: nn.CrossEntropyLoss(**o), SCORES, LABELS),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, nn.CrossEntropyLoss, SCORES, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 2}, nn.CrossEntropyLoss, SCORES, LABELS),
    ("MultiMarginLoss", {}, nn.MultiMarginLoss, SCORES, LABELS),
    ("MultiMarginLoss", {"p": 2, "margin": 0.7}, nn.MultiMarginLoss, SCORES, LABELS),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "module", "raw", "y"), BOTH)
def test_modules_of_torch(name, options, module, raw, y, reduction, dtype):
    options = {**options, "reduction": reduction}
    ours, theirs = TorchLoss(name, **options), module(**options)
    compare(lambda z: ours(z, y), lambda z: theirs(z, y), raw, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_weights_of_torch(dtype):
    ours = TorchLoss(class_weight=dict(enumerate(WEIGHTS)))
    theirs = nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS, dtype=dtype))
    compare(lambda z: ours(z, LABELS), lambda z: theirs(z, LABELS), SCORES, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_score_and_soft_targets(dtype):
    theirs = nn.BCEWithLogitsLoss()
    for target in (YES.double(), SHARES[:, 0], YES[:, None].double()):
        ours = TorchLoss("BCEWithLogitsLoss")
        expected = cast(theirs, target.reshape(-1))
        compare(lambda z, y=target, f=ours: f(z, y), expected, ONE_SCORE, dtype)
        compare(lambda z, y=target, f=ours: f(z[:, None], y), expected, ONE_SCORE, dtype)
    soft = TorchLoss("cross_entropy")
    compare(lambda z: soft(z, SHARES), cast(nn.CrossEntropyLoss(), SHARES), SCORES, dtype)


# Reference tensors of the parity document, computed with torch 2.13.0.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reference_tensors_of_the_parity_document(dtype):
    y = torch.tensor([[1, 0], [0, 1]])
    ours = TorchLoss("multilabel_crossentropy", from_logits=False)
    p = 1 / (1 + np.exp(-np.array([[0.8, 0.3], [0.1, 0.9]])))
    compare(lambda z: ours(z, y), cast(nn.BCELoss(), y), p, dtype)
    logits = TorchLoss("multilabel_crossentropy")
    raw = np.array([[1.2, -0.5], [-2.0, 0.8]])
    compare(lambda z: logits(z, y), cast(nn.BCEWithLogitsLoss(), y), raw, dtype)
    raw, index = np.array([[1.2, 0.5, -0.8], [-0.5, 0.8, 2.0]]), torch.tensor([0, 2])
    entropy, theirs = TorchLoss("CrossEntropyLoss"), nn.CrossEntropyLoss()
    compare(lambda z: entropy(z, index), lambda z: theirs(z, index), raw, dtype)


# -- every loss ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINABLE)
def test_gradient_by_finite_differences(name):
    # With seed 0 no score lies within 1e-6, the step of torch's gradcheck, of a kink.
    raw, y = batch(LOSSES[name])
    criterion = torch_loss(name)
    raw, y = raw.detach()[:8].requires_grad_(), y[:8]
    assert torch.autograd.gradcheck(lambda z: criterion(z, y), (raw,))


@pytest.mark.parametrize("name", TRAINABLE)
def test_values_and_gradients_equal_the_numpy_loss(name):
    raw, y = batch(LOSSES[name], torch.float32)
    criterion = torch_loss(name, reduction="none")
    values = criterion(raw, y)
    values.sum().backward()
    # The float32 result is the float64 result, rounded once.
    checked = xentexp.get_loss(criterion.batch_loss.loss)
    options = {"labels": range(K)} if LOSSES[name].properties.response == "latent" else {}
    z = raw.detach().double().numpy()
    expected = checked.per_sample(y.numpy(), z, from_logits=True, **options)
    np.testing.assert_array_equal(values.detach(), expected.astype(np.float32))
    gradient = checked.gradient(y.numpy(), z, **options)
    np.testing.assert_array_equal(raw.grad, gradient.astype(np.float32))


@pytest.mark.parametrize("name", ["categorical_crossentropy", "brier_loss", "poly1_crossentropy"])
def test_module_equals_training_objective(name):
    rng = np.random.default_rng(1)
    weight, y = rng.uniform(0, 3, N), LABELS.numpy()
    options: dict[str, Any] = {"class_weight": np.array(WEIGHTS), "label_smoothing": 0.1}
    training = TrainingObjective(get_training_loss(name), y, K, sample_weight=weight, **options)
    z = torch.tensor(SCORES, requires_grad=True)
    value = TorchLoss(name, **options)(z, LABELS, torch.tensor(weight))
    value.backward()
    np.testing.assert_allclose(value.item(), training.mean_loss(SCORES.T), rtol=1e-13)
    gradient = training.gradient_hessian(SCORES.T)[0].T / training.total_weight
    np.testing.assert_allclose(z.grad, gradient, atol=1e-15)


def test_large_batch_of_several_blocks():
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=(40_000, 3)), rng.integers(0, 3, 40_000)
    loss = BatchLoss(get_training_loss("categorical_crossentropy"))
    values, gradient = loss.values_gradient(z, loss.read(y, z.shape))
    few = loss.values_gradient(z[-5:], loss.read(y[-5:], (5, 3)))
    np.testing.assert_allclose(values[-5:], few[0], rtol=1e-14)
    np.testing.assert_allclose(gradient[-5:], few[1], atol=1e-15)


def test_second_derivatives_raise_an_error():
    raw, y = batch(LOSSES["brier_loss"])
    value = TorchLoss("brier_loss")(raw, y)
    (first,) = torch.autograd.grad(value, raw, create_graph=True)
    with pytest.raises(InputError, match="does not support second derivatives"):
        (value + first.square().sum()).backward()


def test_gradient_is_computed_only_if_required(monkeypatch):
    asked = []
    values_gradient = BatchLoss.values_gradient

    def watched(self, predicted, batch: Batch, *, gradient=True):
        asked.append(gradient)
        return values_gradient(self, predicted, batch, gradient=gradient)

    monkeypatch.setattr(BatchLoss, "values_gradient", watched)
    raw, y = batch(LOSSES["brier_loss"])
    criterion = TorchLoss("brier_loss")
    with torch.no_grad():
        assert not criterion(raw, y).requires_grad
    criterion(raw.detach(), y)
    criterion(raw, y)
    assert asked == [False, False, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    raw = torch.tensor(SCORES, dtype=dtype, requires_grad=True)
    value = TorchLoss()(raw, LABELS)
    value.backward()
    expected = raw.detach().float().requires_grad_()
    TorchLoss()(expected, LABELS).backward()
    assert value.dtype == torch.float32
    assert torch.equal(raw.grad, expected.grad.to(dtype))


# -- probabilities ---------------------------------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", [n for n in TRAINABLE if not of_scores(LOSSES[n])])
def test_probabilities_and_scores_give_the_same_gradient(name, soft):
    loss = LOSSES[name]
    raw, y = batch(loss, soft=soft)
    if loss.properties.link == "tempered softmax":
        pytest.skip("torch has no tempered softmax; see the next test")
    links = {"softmax": lambda z: z.softmax(1), "sigmoid": torch.sigmoid}
    results = []
    for from_logits in (True, False):
        z = raw.detach().clone().requires_grad_()
        value = torch_loss(name, from_logits=from_logits)(
            z if from_logits else links[loss.properties.link](z), y
        )
        value.backward()
        results.append((value.detach(), z.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_probabilities_of_the_tempered_softmax(shape):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 6) if len(shape) == 2 else rng.uniform(0.1, 0.9, 6)
    y = rng.integers(0, shape[-1] if len(shape) == 2 else 2, 6)
    criterion = TorchLoss("bi_tempered_logistic_loss", from_logits=False, reduction="none")
    values = criterion(torch.tensor(p), torch.tensor(y))
    metric = xentexp.metrics.bi_tempered_logistic_loss
    labels = [0, 1, 2] if len(shape) == 2 else [0, 1]
    np.testing.assert_allclose(values, metric(y, p, labels=labels, reduction="none"), rtol=1e-12)
    raw = torch.tensor(p, requires_grad=True)
    if len(shape) == 1:
        assert torch.autograd.gradcheck(lambda q: criterion(q, torch.tensor(y)), (raw,))
        return
    # Derivative along the simplex: probability moves from the first class to the others.
    step = torch.tensor(rng.normal(size=shape))
    step -= step.mean(1, keepdim=True)
    criterion(raw, torch.tensor(y)).sum().backward()
    up, down = (
        metric(y, p + h * step.numpy(), labels=labels, reduction="none").sum()
        for h in (1e-6, -1e-6)
    )
    np.testing.assert_allclose((raw.grad * step).sum(), (up - down) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_single_column_of_probabilities_equals_bceloss(dtype):
    p = np.array([0.2, 0.9, 0.5, 1e-5, 0.999])
    y = torch.tensor([0, 1, 0, 1, 1])
    ours = TorchLoss("BCELoss", from_logits=False)
    expected = nn.BCELoss()
    near = {"rtol": 3e-6, "atol": 1e-7} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 0}
    results = []
    for function in (ours, lambda q, y: expected(q, y.to(dtype))):
        z = torch.tensor(p, dtype=dtype, requires_grad=True)
        value = function(z, y)
        value.backward()
        results.append((value.detach(), z.grad))
    torch.testing.assert_close(results[0], results[1], **near)


def test_gradient_of_nll_loss_along_the_distributions():
    p = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(K), N), requires_grad=True)
    (ours,) = torch.autograd.grad(TorchLoss(from_logits=False)(p, LABELS), p)
    (theirs,) = torch.autograd.grad(nn.NLLLoss()(p.log(), LABELS), p)
    gap = ours - theirs
    torch.testing.assert_close(gap, gap[:, :1].expand_as(gap), rtol=0, atol=1e-12)


def test_probabilities_equal_keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    rng = np.random.default_rng(7)
    p = rng.dirichlet(np.ones(K), N)
    p[:3] = [[0, 1, 0, 0], [1, 0, 0, 0], [1e-9, 1 - 1e-9, 0, 0]]
    one_hot = torch.eye(K)[LABELS]
    weight = torch.tensor(rng.uniform(0, 3, N), dtype=torch.float32)
    cases = [
        ("categorical_crossentropy", keras.losses.CategoricalCrossentropy(), {}),
        ("categorical_focal_crossentropy",
         keras.losses.CategoricalFocalCrossentropy(alpha=1.0), {}),
        ("categorical_crossentropy",
         keras.losses.CategoricalCrossentropy(label_smoothing=0.2), {"label_smoothing": 0.2}),
    ]  # fmt: skip
    for name, theirs, options in cases:
        ours = TorchLoss(name, from_logits=False, reduction="sum_over_batch_size", **options)
        results = []
        for function in (
            lambda q, f=ours: f(q, LABELS, weight),
            lambda q, f=theirs: f(one_hot, q, sample_weight=weight),
        ):
            q = torch.tensor(p, dtype=torch.float32, requires_grad=True)
            value = function(q)
            value.backward()
            results.append((value.detach(), q.grad - q.grad.mean(1, keepdim=True)))
        torch.testing.assert_close(results[0][0], results[1][0], rtol=2e-6, atol=0)
        # At the clipping bound Keras has the gradient of the element and TorchLoss has 0.
        torch.testing.assert_close(results[0][1][3:], results[1][1][3:], rtol=2e-5, atol=2e-6)


def test_clipped_probabilities_have_no_gradient():
    p = torch.tensor([[0.0, 1.0], [1e-9, 1 - 1e-9], [1e-6, 1 - 1e-6]], dtype=torch.float64)
    p.requires_grad_()
    value = TorchLoss(from_logits=False, reduction="none")(p, torch.tensor([0, 0, 0]))
    np.testing.assert_allclose(value.detach(), -np.log([1e-7, 1e-7, 1e-6]), rtol=1e-6)
    value.sum().backward()
    assert p.grad[:, 0].tolist()[:2] == [0.0, 0.0]
    assert p.grad[2, 0] < -9e5


# -- more than two dimensions, masked classes ------------------------------------------------

IMAGES = RNG.normal(0, 2, (5, K, 3, 2))
PIXELS = torch.tensor(RNG.integers(0, K, (5, 3, 2)))
PIXEL_SHARES = torch.tensor(np.moveaxis(RNG.dirichlet(np.ones(K), (5, 3, 2)), -1, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [{}, {"ignore_index": 2}, {"label_smoothing": 0.2}])
def test_more_dimensions_are_those_of_torch(options, reduction, dtype):
    options = {**options, "reduction": reduction}
    ours, theirs = TorchLoss(**options), nn.CrossEntropyLoss(**options)
    compare(lambda z: ours(z, PIXELS), lambda z: theirs(z, PIXELS), IMAGES, dtype)
    line, marks = IMAGES[..., 0], PIXELS[..., 0]
    compare(lambda z: ours(z, marks), lambda z: theirs(z, marks), line, dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weights_and_shares_in_more_dimensions_are_those_of_torch(reduction):
    double = torch.float64
    ours = TorchLoss(class_weight=WEIGHTS, ignore_index=1, reduction=reduction)
    weight = torch.tensor(WEIGHTS, dtype=double)
    theirs = nn.CrossEntropyLoss(weight=weight, ignore_index=1, reduction=reduction)
    compare(lambda z: ours(z, PIXELS), lambda z: theirs(z, PIXELS), IMAGES, double)
    soft, theirs = TorchLoss(reduction=reduction), nn.CrossEntropyLoss(reduction=reduction)
    compare(lambda z: soft(z, PIXEL_SHARES), lambda z: theirs(z, PIXEL_SHARES), IMAGES, double)
    one, yes = TorchLoss("BCEWithLogitsLoss", reduction=reduction), (PIXELS > 1).double()
    theirs = nn.BCEWithLogitsLoss(reduction=reduction)
    for target in (yes, yes[:, None]):
        compare(
            lambda z, y=target: one(z, y), lambda z: theirs(z[:, 0], yes), IMAGES[:, :1], double
        )


@pytest.mark.parametrize("name", TRAINABLE)
def test_positions_are_rows_for_every_loss(name):
    raw, y = batch(LOSSES[name])
    if raw.ndim == 1:
        raw = raw.detach()[:, None].requires_grad_()
    weight = torch.tensor(np.random.default_rng(0).uniform(0, 2, N))
    criterion = torch_loss(name, reduction="none")
    flat = criterion(raw, y, weight)
    (expected,) = torch.autograd.grad(flat.sum(), raw)
    images = raw.detach().reshape(5, 6, -1).movedim(2, 1).requires_grad_()
    target = y.reshape(5, 6) if y.ndim == 1 else y.reshape(5, 6, -1).movedim(2, 1)
    values = criterion(images, target, weight.reshape(5, 6))
    assert torch.equal(values, flat.reshape(5, 6))
    (gradient,) = torch.autograd.grad(values.sum(), images)
    assert torch.equal(gradient, expected.reshape(5, 6, -1).movedim(2, 1))
    torch.testing.assert_close(
        torch_loss(name)(images, target, weight.reshape(5, 6)), torch_loss(name)(raw, y, weight)
    )


def test_a_weight_of_a_sample_is_that_of_its_positions():
    weight = torch.arange(5).double()
    z, criterion = torch.tensor(IMAGES), TorchLoss(reduction="none")
    expected = nn.CrossEntropyLoss(reduction="none")(z, PIXELS) * weight[:, None, None]
    torch.testing.assert_close(criterion(z, PIXELS, weight), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"ignore_index": 0}, {"reduction": "none"}])
def test_masked_classes_are_those_of_torch(options, dtype):
    raw = np.where(RNG.random((N, K)) < 0.4, -np.inf, SCORES)
    raw[np.arange(N), LABELS] = SCORES[np.arange(N), LABELS]
    ours, theirs = TorchLoss(**options), nn.CrossEntropyLoss(**options)
    compare(lambda z: ours(z, LABELS), lambda z: theirs(z, LABELS), raw, dtype)


def test_a_masked_true_class_has_an_infinite_cross_entropy_as_in_torch():
    z, y = torch.tensor([[-INF, 1.0, 2.0], [0.0, -INF, -INF]]), torch.tensor([0, 0])
    ours, theirs = (f(reduction="none")(z, y) for f in (TorchLoss, nn.CrossEntropyLoss))
    assert torch.equal(ours, theirs)
    assert ours.tolist() == [INF, 0.0]
    assert TorchLoss(ignore_index=0, reduction="sum")(z, y).item() == 0.0
    assert TorchLoss("brier_loss", reduction="none")(z, y).tolist() == pytest.approx(
        [1 + 1 / (1 + np.e) ** 2 + 1 / (1 + 1 / np.e) ** 2, 0.0]
    )


# -- reductions, targets, errors -------------------------------------------------------------


def test_reductions():
    weight = torch.tensor(np.random.default_rng(3).uniform(0, 2, N))
    z = torch.tensor(SCORES)
    not_ignored = LABELS != 1
    each = nn.CrossEntropyLoss(reduction="none")(z, LABELS) * weight * not_ignored
    results = {
        name: TorchLoss(reduction=name, ignore_index=1)(z, LABELS, weight)
        for name in ("none", "sum", "mean", "sum_over_batch_size")
    }
    torch.testing.assert_close(results["none"], each)
    torch.testing.assert_close(results["sum"], each.sum())
    torch.testing.assert_close(results["mean"], each.sum() / (weight * not_ignored).sum())
    torch.testing.assert_close(results["sum_over_batch_size"], each.sum() / not_ignored.sum())


@pytest.mark.parametrize("reduction", ["mean", "sum_over_batch_size", "sum"])
def test_batch_of_ignored_rows_has_loss_0(reduction):
    z = torch.tensor(SCORES, requires_grad=True)
    criterion = TorchLoss(ignore_index=-100, reduction=reduction)
    value = criterion(z, torch.full((N,), -100))
    value.backward()
    assert value.item() == 0.0
    assert not z.grad.any()


def test_target_forms_give_the_same_loss():
    z = torch.tensor(SCORES)
    values = {
        TorchLoss()(z, y).item()
        for y in (LABELS, LABELS[:, None], LABELS.int(), nn.functional.one_hot(LABELS, K),
                  nn.functional.one_hot(LABELS, K).bfloat16())
    }  # fmt: skip
    assert len(values) == 1


def test_class_weight_of_a_soft_target_is_the_mean():
    criterion = TorchLoss(class_weight=WEIGHTS, reduction="none")
    plain = TorchLoss(reduction="none")
    z = torch.tensor(SCORES)
    expected = plain(z, SHARES) * (SHARES @ torch.tensor(WEIGHTS).double())
    torch.testing.assert_close(criterion(z, SHARES), expected)


BAD = [
    ({"loss": "zero_one_loss"}, "loss must have a gradient; got zero_one_loss"),
    ({"loss": "entropy"}, "loss must have a target; got entropy"),
    ({"loss": "brier_los"}, "did you mean 'brier_loss'"),
    ({"gamma": 2.0}, "categorical_crossentropy has no parameters"),
    ({"reduction": "average"}, "unknown reduction 'average'"),
    ({"label_smoothing": 1.5}, "label_smoothing must be >= 0"),
    ({"loss": "hinge_loss", "label_smoothing": 0.1}, "label_smoothing must be 0 for hinge_loss"),
    ({"loss": "hinge_loss", "from_logits": False}, "from_logits must be True for hinge_loss"),
    ({"from_logits": 1}, "from_logits must be True or False"),
    ({"class_weight": "balanced"}, "does not contain all training rows"),
    ({"ignore_index": 1.5}, "ignore_index must be an integer or None"),
    (
        {"loss": "multilabel_crossentropy", "ignore_index": 1},
        "ignore_index must be None for multilabel_crossentropy",
    ),
    (
        {"loss": "multilabel_crossentropy", "class_weight": [1, 2]},
        "class_weight must be None for multilabel_crossentropy",
    ),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_invalid_options_raise_input_error(options, message):
    with pytest.raises(InputError, match=message):
        TorchLoss(**options)


Z, Y, INF = torch.tensor(SCORES), LABELS, float("inf")
BAD_CALLS: list[tuple[dict[str, Any], Any, str]] = [
    ({}, (SCORES, Y), "input must be a tensor of a floating dtype; got ndarray"),
    ({}, (Y, Y), "input must be a tensor of a floating dtype; got torch.int64"),
    ({}, (Z[:0], Y[:0]), "and at least one row"),
    ({}, (Z[:0, 0], Y[:0]), r"shape \(n,\), \(n, k\) or \(n, k, d1, ...\) and at least one row"),
    ({}, (Z[None], Y), r"target must have shape \(1, 4\) or \(1, 30, 4\) to match the input"),
    (
        {},
        (Z[None], Y[None, :4] % 4, torch.ones(3)),
        r"sample_weight must have shape \(1,\) or \(1, 4\)",
    ),
    ({}, (Z / 0, Y), "input must be finite; got .* in row 0"),
    (
        {},
        (torch.full((2, 3), -INF), Y[:2] % 3),
        "input must be finite; got .* in row 0; .* -inf masks a class",
    ),
    ({}, (torch.tensor([1.0, INF]), YES[:2]), "input must be finite; got inf in row 1"),
    ({"from_logits": False}, (torch.tensor([0.5, -INF]), YES[:2]), "input must be finite"),
    ({}, (Z, Y + 1), "from 0 to 3 .* got 4"),
    ({}, (Z, Y - 1), "got -1; pass it as ignore_index"),
    ({}, (Z, Y.double()), "integer dtype"),
    ({"ignore_index": 1}, (Z, SHARES), "ignore_index must be None for a target with one column"),
    ({}, (Z, Y[:5]), r"target must have shape \(30,\)"),
    ({}, (Z, SHARES * 2), r"must lie in \[0, 1\]|sum to 1"),
    ({}, (Z, SHARES / 2), "target must have rows that sum to 1"),
    ({}, (Z, Y, -torch.ones(N)), "sample_weight must be finite and not negative"),
    ({}, (Z, Y, torch.ones(3)), "sample_weight must have shape"),
    ({"class_weight": [1.0, 2.0]}, (Z, Y), "class_weight must have one number for each of 4"),
    ({"from_logits": False}, (Z, Y), r"from_logits=False must lie in \[0, 1\]"),
    (
        {"from_logits": False},
        (torch.full((N, K), 0.5), Y),
        "input with from_logits=False must have rows that sum to 1",
    ),
    ({"loss": "hinge_loss"}, (Z, Y), "is for two classes; there are 4"),
    ({"loss": "categorical_hinge"}, (Z, SHARES), "needs one true class|takes labels"),
    ({"loss": "reverse_kl_divergence"}, (Z, Y), "target distributions without zeros"),
    ({"loss": "sparse_categorical_crossentropy"}, (Z, SHARES), "takes labels of shape"),
    (
        {"loss": "cumulative_link_log_loss"},
        (Z[:, 0], Y),
        "thresholds must be set for cumulative_link_log_loss",
    ),
    ({"loss": "multilabel_crossentropy"}, (Z[:, 0], Y), r"shape \(n, k\)"),
    ({"loss": "multilabel_crossentropy"}, (Z, Y), r"target must have shape \(30, 4\)"),
    ({"loss": "binary_crossentropy"}, (Z[:, 0], 2.0 * YES), r"must lie in \[0, 1\]"),
]


@pytest.mark.parametrize(("options", "arguments", "message"), BAD_CALLS)
def test_invalid_batches_raise_input_error(options, arguments, message):
    with pytest.raises(InputError, match=message):
        TorchLoss(**options)(*arguments)


def test_torch_module_behaviour():
    criterion = TorchLoss("categorical_focal_crossentropy", gamma=1.0, class_weight=WEIGHTS)
    assert isinstance(criterion, nn.Module)
    assert "CategoricalFocalCrossentropy(gamma=1.0" in repr(criterion)
    z = torch.tensor(SCORES)
    for other in (pickle.loads(pickle.dumps(criterion)), copy.deepcopy(criterion)):
        assert other(z, LABELS) == criterion(z, LABELS)


@pytest.mark.parametrize("code", [
    "import sys, xentexp.objectives; assert 'torch' not in sys.modules",
    # Simulates that torch is not installed.
    "import sys; sys.modules['torch'] = None; import xentexp.objectives as o\n"
    "try: o.TorchLoss\n"
    "except ValueError as e: assert \"pip install 'xentexp[torch]'\" in str(e)\n"
    "else: raise SystemExit('no complaint')",
])  # fmt: skip
def test_torch_is_imported_only_when_used(code):
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("by_class", [True, False])
def test_skorch(by_class):
    skorch = pytest.importorskip("skorch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)).astype(np.float32)
    y = (X[:, 0] + 0.3 * rng.normal(size=200) > 0).astype(np.int64)
    torch.manual_seed(0)
    criterion = TorchLoss("categorical_focal_crossentropy", gamma=1.0)
    chosen = {
        "criterion": TorchLoss, "criterion__loss": criterion.batch_loss.loss,
    } if by_class else {"criterion": criterion}  # fmt: skip
    net = skorch.NeuralNetClassifier(
        nn.Sequential(nn.Linear(3, 2)), **chosen, predict_nonlinearity=criterion.probabilities,
        max_epochs=6, lr=0.3, verbose=0,
    )  # fmt: skip
    net = clone(net).fit(X, y)
    curve = net.history[:, "train_loss"]
    assert len(curve) == 6
    assert curve[-1] < 0.7 * curve[0]
    assert net.criterion_.batch_loss.loss.gamma == 1.0
    z = X @ net.module_[0].weight.detach().numpy().T + net.module_[0].bias.detach().numpy()
    np.testing.assert_allclose(net.predict_proba(X), scipy.special.softmax(z, axis=1), rtol=1e-5)
    assert net.score(X, y) > 0.85
    net.set_params(criterion__loss="brier_loss")
    assert net.criterion_.batch_loss.loss.name == "brier_loss"


def test_skorch_with_one_column():
    skorch = pytest.importorskip("skorch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)).astype(np.float32)
    y = (X[:, 0] + 0.3 * rng.normal(size=200) > 0).astype(np.float32)
    criterion = TorchLoss("brier_loss")
    net = skorch.NeuralNetBinaryClassifier(
        nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), criterion=criterion,
        predict_nonlinearity=criterion.probabilities, max_epochs=9, lr=1.0, verbose=0,
    ).fit(X, y)  # fmt: skip
    z = X @ net.module_[0].weight.detach().numpy()[0] + net.module_[0].bias.item()
    np.testing.assert_allclose(net.predict_proba(X)[:, 1], scipy.special.expit(z), rtol=1e-5)
    assert net.score(X, y) > 0.85


def test_probabilities_of_raw_scores():
    def of(name, values, **options):
        criterion = TorchLoss(name, **options)
        return criterion.probabilities(torch.tensor(values)).numpy()

    softmax, expit = scipy.special.softmax, scipy.special.expit
    both = np.stack([expit(-ONE_SCORE), expit(ONE_SCORE)], axis=1)
    near = {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(of("brier_loss", SCORES), softmax(SCORES, axis=1), **near)
    np.testing.assert_allclose(of("brier_loss", IMAGES), softmax(IMAGES, axis=1), **near)
    for column in (ONE_SCORE, ONE_SCORE[:, np.newaxis]):
        np.testing.assert_allclose(of("squared_hinge_loss", column), both, **near)
        np.testing.assert_allclose(of("brier_loss", expit(column), from_logits=False), both, **near)
    np.testing.assert_allclose(of("multilabel_crossentropy", SCORES), expit(SCORES), **near)
    p = softmax(SCORES, axis=1)
    np.testing.assert_array_equal(of("bi_tempered_logistic_loss", p, from_logits=False), p)
    tempered = of("bi_tempered_logistic_loss", SCORES)
    expected = LOSSES["bi_tempered_logistic_loss"].probabilities(SCORES.T, K).T
    np.testing.assert_array_equal(tempered, expected)
    latent = of("cumulative_link_log_loss", ONE_SCORE, thresholds=(0.0, 1.0))
    below = expit(np.array([0.0, 1.0]) - ONE_SCORE[:, np.newaxis])
    np.testing.assert_allclose(latent[:, 0], below[:, 0], **near)
    np.testing.assert_allclose(latent[:, 2], 1.0 - below[:, 1], rtol=1e-9)
    assert of("brier_loss", SCORES.astype(np.float32)).dtype == np.float32
    with pytest.raises(InputError, match="loss must determine probabilities; got hinge_loss"):
        of("hinge_loss", ONE_SCORE)
    with pytest.raises(InputError, match="input must be a tensor"):
        TorchLoss().probabilities(SCORES)
