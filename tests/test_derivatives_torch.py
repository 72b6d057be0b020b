"""Values, gradients and hessians against torch: its own losses, and papers' formulas in it.

Formulas are of raw scores `z` and target distributions `t`, a value for each row; autograd
does the rest. They are written from the sources that stand in the facts of the losses.
"""

import numpy as np
import pytest
from problems import classes_of, n_classes, scores, targets

import xentexp
from xentexp.losses import LOSSES

torch = pytest.importorskip("torch")
F = torch.nn.functional


def derivatives(formula, raw, *rest):
    """Value of each row, its gradient, and the diagonal of its hessian."""
    z = torch.tensor(raw, requires_grad=True)
    value = formula(z, *rest)
    (first,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    second = torch.zeros_like(z)
    for column in range(1 if z.ndim == 1 else z.shape[1]):
        part = (first,) if z.ndim == 1 else (first[:, column],)
        if part[0].requires_grad:
            (own,) = torch.autograd.grad(part[0].sum(), z, retain_graph=True, allow_unused=True)
            if own is not None:
                index = ... if z.ndim == 1 else (slice(None), column)
                second[index] = own[index]
    return [part.detach().numpy() for part in (value, first, second)]


# -- torch's own -----------------------------------------------------------------------------


def of_softmax(function):
    def formula(z, y):
        return function(z.softmax(1), F.one_hot(y, 4).to(z.dtype), reduction="none").mean(1)

    return formula


OWN = {
    "categorical_crossentropy": lambda z, y: F.cross_entropy(z, y, reduction="none"),
    "squared_error": of_softmax(F.mse_loss),
    "absolute_error": of_softmax(F.l1_loss),
    "huber_loss": of_softmax(F.huber_loss),
    "multilabel_crossentropy": lambda z, y: F.multilabel_soft_margin_loss(
        z, F.one_hot(y, 4).to(z.dtype), reduction="none"
    ),
    "binary_crossentropy": lambda z, y: F.binary_cross_entropy_with_logits(
        z, y.to(z.dtype), reduction="none"
    ),
    "logistic_margin_loss": lambda z, y: F.soft_margin_loss(
        z, 2 * y.to(z.dtype) - 1, reduction="none"
    ),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
@pytest.mark.parametrize("name", OWN)
def test_losses_of_torch(name, dtype, tolerance):
    rng, binary = np.random.default_rng(3), name in ("binary_crossentropy", "logistic_margin_loss")
    raw = rng.normal(0, 2, 40 if binary else (40, 4)).astype(dtype)
    y = rng.integers(2 if binary else 4, size=40)
    theirs = derivatives(OWN[name], raw, torch.tensor(y))
    loss = xentexp.get_loss(name)
    target = np.eye(4)[y] if loss.facts.targets == "multilabel" else y
    ours = [loss.per_sample(target, raw), *loss.gradient_hessian(target, raw)]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance / 100)


@pytest.mark.parametrize("p", [1, 2])
def test_the_gradient_of_torchs_multi_margin(p):  # it has no second derivative
    rng = np.random.default_rng(3)
    raw, y = rng.normal(0, 2, (40, 4)), rng.integers(4, size=40)
    z = torch.tensor(raw, requires_grad=True)
    value = F.multi_margin_loss(z, torch.tensor(y), p=p, margin=0.7, reduction="none")
    (first,) = torch.autograd.grad(value.sum(), z)
    loss = xentexp.get_loss("multi_margin_loss", p=p, margin=0.7)
    np.testing.assert_allclose(loss.per_sample(y, raw), value.detach(), rtol=1e-12)
    np.testing.assert_allclose(loss.gradient(y, raw), first, rtol=1e-10, atol=1e-14)


# -- formulas --------------------------------------------------------------------------------


def outcome(of_p):
    """Expectation over the target of a function of the probability of the outcome."""
    return lambda z, t: (t * of_p(z.softmax(1))).sum(1)


def distance(of_pair):
    return lambda z, t: of_pair(z.softmax(1), t).sum(1)


def focal(p, gamma):
    return -((1 - p) ** gamma) * p.log()


def asymmetric(p, t, gammas=(1, 4), margin=0.05):
    shifted = (p - margin).clamp(min=0)
    no = -(shifted ** gammas[1]) * (1 - shifted).log()
    return t * focal(p, gammas[0]) + (1 - t) * no


def thresholds(of_pair):
    def formula(z, t):
        below, target = z.softmax(1).cumsum(1)[:, :-1], t.cumsum(1)[:, :-1]
        return of_pair(below, target).sum(1)

    return formula


def rivals(of_lead):
    """Sum over the wrong classes of a function of how far they lead."""

    def formula(z, t):
        lead = z - (z * t).sum(1, keepdim=True)
        return (of_lead(lead) * (1 - t)).sum(1)

    return formula


def largest_rival(of_lead):
    def formula(z, t):
        lead = z - (z * t).sum(1, keepdim=True) - 1e9 * t
        return of_lead(lead.amax(1))

    return formula


def relu(x):
    return x.clamp(min=0)


def modified_huber(lead):
    return torch.where(lead <= 1, relu(1 + lead) ** 2, 4 * lead)


def smoothed_hinge(lead):
    short = relu(1 + lead)
    return torch.where(short <= 1, short**2 / 2, short - 0.5)


def spherical(p, power):
    norm = (p**power).sum(1, keepdim=True) ** (1 / power)
    return 1 - (p / norm) ** (power - 1)


def relaxed(p, a=0.1):
    # what the unused branch of `where` divides by must not be 0
    miss = torch.where(1 - p > a, 1 - p, torch.full_like(p, 0.5))
    value = (1 - a) * ((1 - a) / p).log() + a * (a / miss).log()
    return torch.where(1 - p > a, value, torch.zeros_like(p))


def link_log(z, t):
    cuts = torch.tensor([-0.5, 0.5], dtype=z.dtype)
    below = torch.sigmoid(cuts - z[:, None])
    ones, zeros = torch.ones_like(z)[:, None], torch.zeros_like(z)[:, None]
    edges = torch.cat([zeros, below, ones], dim=1)
    return -(t * (edges[:, 1:] - edges[:, :-1])).sum(1).log()


def tempered_softmax(z, t):
    """By 60 fixed-point steps (Amid et al., 2019, algorithm 1), through which autograd goes."""
    top = z.amax(1, keepdim=True).detach()
    scaled = z - top
    for _ in range(60):
        total = ((1 - (t - 1) * scaled) ** (-1 / (t - 1))).sum(1, keepdim=True)
        scaled = (z - top) * total ** (1 - t)
    total = ((1 - (t - 1) * scaled) ** (-1 / (t - 1))).sum(1, keepdim=True)
    normal = (total ** (t - 1) - 1) / (t - 1)  # -log_t(1 / total)
    return (1 - (t - 1) * (z - top - normal)) ** (-1 / (t - 1))


def bi_tempered(z, t, t1=0.8, t2=1.2):
    p = tempered_softmax(z, t2)
    log_p = (p ** (1 - t1) - 1) / (1 - t1)
    log_t = torch.where(t > 0, (t ** (1 - t1) - 1) / (1 - t1), torch.zeros_like(t))
    return (t * (log_t - log_p) - (t ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum(1)


def log_cosh(x):
    return x.cosh().log()


def xlogx(t):
    return torch.special.xlogy(t, t)


def halves(p, t):
    m = (p + t) / 2
    return (xlogx(t) + p * p.log()) / 2 - m * m.log()


def cross_entropy(z, t):
    return -(t * z.log_softmax(1)).sum(1)


FORMULAS = {
    "binary_crossentropy": cross_entropy,
    "categorical_crossentropy": cross_entropy,
    "sparse_categorical_crossentropy": cross_entropy,
    "cross_entropy": cross_entropy,
    "logarithmic_score": outcome(lambda p: -p.log2()),
    "brier_loss": distance(lambda p, t: (p - t) ** 2 * (0.5 if p.shape[1] == 2 else 1)),
    "spherical_loss": outcome(lambda p: spherical(p, 2)),
    "pseudospherical_loss": outcome(lambda p: spherical(p, 3)),
    "power_loss": outcome(lambda p: 1 - 3 * p**2 + 2 * (p**3).sum(1, keepdim=True)),
    "beta_loss": outcome(lambda p: (1 - p).sqrt().asin() - (p * (1 - p)).sqrt()),
    "binary_focal_crossentropy": outcome(lambda p: focal(p, 2)),
    "categorical_focal_crossentropy": outcome(lambda p: focal(p, 2)),
    "asymmetric_loss": lambda z, t: asymmetric(z.softmax(1), t)[:, 1],
    "poly1_crossentropy": outcome(lambda p: 1 - p - p.log()),
    "generalized_crossentropy": outcome(lambda p: (1 - p**0.7) / 0.7),
    "symmetric_crossentropy": lambda z, t: (
        0.1 * cross_entropy(z, t) - (z.softmax(1) * t.log().clamp(min=-4)).sum(1)
    ),
    "taylor_crossentropy": outcome(lambda p: 1 - p + (1 - p) ** 2 / 2),
    "label_relaxation": outcome(relaxed),
    "bi_tempered_logistic_loss": bi_tempered,
    "ranked_probability_score": thresholds(lambda f, t: (f - t) ** 2),
    "squared_earth_mover_distance": thresholds(lambda f, t: (f - t) ** 2 / (f.shape[1] + 1)),
    "cumulative_log_loss": thresholds(lambda f, t: -t * f.log() - (1 - t) * (1 - f).log()),
    "cumulative_link_log_loss": link_log,
    "expected_absolute_grade_error": thresholds(lambda f, t: f * (1 - t) + (1 - f) * t),
    "hinge_loss": rivals(lambda lead: relu(1 + lead)),
    "squared_hinge_loss": rivals(lambda lead: relu(1 + lead) ** 2),
    "smoothed_hinge_loss": rivals(smoothed_hinge),
    "modified_huber_loss": rivals(modified_huber),
    "categorical_hinge": largest_rival(lambda lead: relu(1 + lead)),
    "weston_watkins_hinge": rivals(lambda lead: relu(1 + lead)),
    "multi_margin_loss": lambda z, t: rivals(lambda lead: relu(1 + lead))(z, t) / z.shape[1],
    "exponential_loss": rivals(torch.exp),
    "logistic_margin_loss": rivals(F.softplus),
    "squared_error": distance(lambda p, t: (p - t) ** 2 / p.shape[1]),
    "absolute_error": distance(lambda p, t: (p - t).abs() / p.shape[1]),
    "huber_loss": distance(lambda p, t: (p - t) ** 2 / 2 / p.shape[1]),
    "log_cosh_loss": distance(lambda p, t: log_cosh(p - t) / p.shape[1]),
    "poisson_deviance": lambda z, t: (
        2 * (xlogx(t) - t * z.log_softmax(1) + z.softmax(1) - t).mean(1)
    ),
    "squared_log_error": distance(lambda p, t: (p.log1p() - t.log1p()) ** 2 / p.shape[1]),
    "entropy": lambda z, t: -(z.softmax(1) * z.log_softmax(1)).sum(1),
    "kl_divergence": lambda z, t: cross_entropy(z, t) + xlogx(t).sum(1),
    "reverse_kl_divergence": distance(lambda p, t: p * (p / t).log()),
    "jensen_shannon_divergence": distance(halves),
    "renyi_divergence": lambda z, t: -2 * (t * z.softmax(1)).sqrt().sum(1).log(),
    "alpha_divergence": lambda z, t: 4 * (1 - (t * z.softmax(1)).sqrt().sum(1)),
    "multilabel_crossentropy": lambda z, t: (F.softplus(z) - t * z).mean(1),
    "multilabel_asymmetric_loss": lambda z, t: asymmetric(z.sigmoid(), t).mean(1),
}
NOT_AT_ZERO = {"renyi_divergence", "alpha_divergence"}  # autograd of a square root of 0 is nan


def test_every_derivative_has_a_formula():
    derivable = {name for name, loss in LOSSES.items() if loss.facts.gradient != "none"}
    assert set(FORMULAS) == derivable


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft"])
@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_of_formulas_by_autograd(name, soft):
    loss, rng = LOSSES[name], np.random.default_rng(4)
    k = n_classes(loss, 3 if loss.facts.needs == "latent" else 4)
    raw = scores(loss, rng, 60, k)
    y = targets(loss, rng, 60, k, soft=soft)
    if name in NOT_AT_ZERO and y.ndim == 1:
        y = 0.99 * np.eye(k)[y] + 0.01 / k
    target = torch.tensor(y if y.ndim == 2 else np.eye(k)[y], dtype=torch.float64)
    theirs = derivatives(FORMULAS[name], raw, target)
    checked, options = xentexp.get_loss(name), classes_of(loss, k)
    ours = [
        checked.per_sample(y, raw, **options),
        *checked.gradient_hessian(y, raw, **options),
    ]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
