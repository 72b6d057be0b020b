"""Raw scores of -inf, which mask a class, against torch, optax and the limit of finite scores."""

import numpy as np
import pytest

import xentexp
from tests.support.loss_cases import LOSS_CASES
from xentexp import metrics as m
from xentexp.errors import InputError
from xentexp.losses import LOSSES

INF = np.inf
LABELS = np.array([0, 1, 2, 1])
MASKED = np.array([[0.3, -INF, 1.0], [-INF, -0.2, 0.5], [-INF, -INF, 0.0], [-1.0, 0.5, -INF]])
ENTROPIES = [
    "categorical_crossentropy", "sparse_categorical_crossentropy", "cross_entropy", "kl_divergence",
    "renyi_divergence",
]  # fmt: skip


@pytest.mark.peers
@pytest.mark.parametrize("name", ENTROPIES)
def test_masked_cross_entropies_are_those_of_torch_and_optax(name):
    torch = pytest.importorskip("torch")
    scores = torch.tensor(MASKED, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(scores, torch.tensor(LABELS), reduction="none")
    theirs.sum().backward()
    loss = xentexp.get_loss(name)
    y = LABELS if LOSSES[name].properties.targets == "labels" else np.eye(3)[LABELS]
    for target in (LABELS, y):
        values = loss.per_sample(target, MASKED, from_logits=True)
        np.testing.assert_allclose(values, theirs.detach(), rtol=1e-12)
        np.testing.assert_allclose(loss.gradient(target, MASKED), scores.grad, atol=1e-15)
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    with jax.enable_x64(True):
        of_optax = optax.losses.softmax_cross_entropy_with_integer_labels(MASKED, LABELS)
    np.testing.assert_allclose(values, of_optax, rtol=1e-12)


def test_a_masked_true_class_has_an_infinite_cross_entropy():
    scores, options = [[-INF, 1.0]], {"from_logits": True, "labels": [0, 1]}
    assert m.binary_crossentropy([0], scores, **options) == INF
    assert m.binary_crossentropy([1], scores, **options) == 0.0


def case_of(name, k):
    """Targets, labels or distributions, and options."""
    case, rng = LOSS_CASES[name], np.random.default_rng(k)
    if LOSSES[name].properties.targets == "none":
        return None, {}
    y = np.r_[np.arange(k), 0, 1, 1, 0]
    if case.multilabel:
        return rng.integers(0, 2, (len(y), k)), {}
    if case.positive_targets:
        return rng.dirichlet(np.ones(k), len(y)), {}
    return y, {"labels": range(k)}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("name", [n for n, case in LOSS_CASES.items() if not case.latent])
def test_masked_scores_have_the_limit_of_low_scores(name, k):
    if k > 2 and LOSS_CASES[name].binary_only:
        pytest.skip("for two classes")
    y, options = case_of(name, k)
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (k + 4, k))
    masked = rng.random(scores.shape) < 0.5
    masked[np.arange(k + 4), rng.integers(0, k, k + 4)] = False
    if not LOSS_CASES[name].multilabel and y is not None and y.ndim == 1:
        masked[np.arange(k + 4), y] = False
    loss = xentexp.get_loss(name)

    def everything(raw):
        values = loss.per_sample(y, raw, from_logits=True, **options)
        if loss.properties.gradient == "none":
            return [values]
        return [values, *loss.gradient_hessian(y, raw, **options)]

    # exp(-1e4) is 0. The tempered softmax is a power: at -1e150 its fifth power is 0.
    low = -1e150 if loss.properties.link == "tempered softmax" else -1e4
    limits = everything(np.where(masked, low, scores))
    for ours, limit in zip(everything(np.where(masked, -INF, scores)), limits, strict=True):
        # A masked class of positive target has no limit.
        growing = (np.abs(limit) > 300) & (not LOSS_CASES[name].margins)
        np.testing.assert_allclose(ours[~growing], limit[~growing], rtol=1e-12, atol=1e-15)
        assert np.isinf(ours[growing]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["brier_loss", "spherical_loss", "zero_one_loss", "absolute_error"]
)
def test_a_masked_true_class_has_the_value_of_a_probability_of_0(name):
    proba = [[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]
    with np.errstate(divide="ignore"):
        scores = np.log(proba)
    function = getattr(m, name)
    ours = function([0, 2], scores, from_logits=True, labels=range(3), reduction="none")
    np.testing.assert_allclose(ours, function([0, 2], proba, labels=range(3), reduction="none"))


def test_evaluate_of_masked_scores():
    result = xentexp.evaluate(LABELS, MASKED, from_logits=True)
    assert result["categorical_crossentropy"] == pytest.approx(
        m.categorical_crossentropy(LABELS, MASKED, from_logits=True)
    )
    assert np.isfinite(result.to_frame()["value"]).all()


@pytest.mark.parametrize(
    ("name", "scores", "options"),
    [
        ("brier_loss", [[-INF, -INF], [0.0, 1.0]], {"from_logits": True}),
        ("brier_loss", [[INF, 0.0], [0.0, 1.0]], {"from_logits": True}),
        ("brier_loss", [INF, 0.0], {"from_logits": True}),
        ("brier_loss", [-INF, 0.0], {"from_logits": True}),
        ("brier_loss", [np.nan, 0.0], {"from_logits": True}),
        ("categorical_hinge", [[-INF, -INF, -INF], [0.0, 1.0, 2.0]], {"labels": range(3)}),
        ("cumulative_link_log_loss", [-INF, 0.0], {"labels": range(3)}),
    ],
)
def test_other_infinite_scores_are_refused(name, scores, options):
    with pytest.raises(InputError, match="raw scores must be finite"):
        getattr(m, name)([0, 1], scores, **options)
