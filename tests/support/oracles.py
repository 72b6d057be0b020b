"""Formulas of the papers, in torch, for every loss that has a gradient.

Each is a function of raw scores ``z`` and targets ``t``, both of shape (n, k), that returns the
value of each row. Parameters have the names and defaults of the losses of xentexp.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional


def proba(z):
    return z.softmax(1)


def expected(function):
    """Loss from a function of raw scores with a column for each possible true class."""
    return lambda z, t, **parameters: (t * function(z, **parameters)).sum(1)


def scaled(columns, over):
    return columns.sum(1) * {"mean": 1 / columns.shape[1], "sum": 1.0, "half_sum": 0.5}[over]


def distance(function):
    """Loss from a function of prediction and target, combined over the columns."""

    def loss(z, t, over_classes="mean", **parameters):
        return scaled(function(proba(z), t, **parameters), over_classes)

    return loss


def negative_margins(z, t):
    """Scores minus the score of the true class."""
    return z - (t * z).sum(1, keepdim=True)


def sum_over_wrong(function):
    """Loss from a function of negative margins, summed over the wrong classes."""
    return lambda z, t, **parameters: (
        (1 - t) * function(negative_margins(z, t), **parameters)
    ).sum(1)


def of_largest_wrong(function):
    """Loss from a function of the largest negative margin."""
    return lambda z, t, **parameters: function(
        (negative_margins(z, t) - 1e9 * t).amax(1), **parameters
    )


def lead(r):
    return (1 + r).clamp(min=0)


def smoothed_hinge(r, gamma=1.0):
    return torch.where(r > gamma - 1, 1 + r - gamma / 2, lead(r) ** 2 / (2 * gamma))


def brier(z, t, scale_by_half="auto"):
    half = t.shape[1] == 2 if scale_by_half == "auto" else scale_by_half
    return (proba(z) - t).square().sum(1) * (0.5 if half else 1.0)


BETA_FORMS = {  # integrals by hand, of the second class and of the first, each in its p
    (0.5, 0.5): [lambda p: torch.acos(p.sqrt()) - (p * (1 - p)).sqrt()] * 2,
    (-0.5, -0.5): [lambda p: 2 * ((1 - p) / p).sqrt()] * 2,
    (0.0, 0.0): [lambda p: -p.log()] * 2,
    (3.0, 1.0): [lambda p: 1 / 12 - p**3 / 3 + p**4 / 4, lambda p: (1 - p) ** 4 / 4],
}


def beta(z, t, alpha=0.5, beta=0.5):
    second, first = BETA_FORMS[alpha, beta]
    p = proba(z)
    return t[:, 0] * first(p[:, 0]) + t[:, 1] * second(p[:, 1])


def focal_of(p, t, gamma_positive=1.0, gamma_negative=4.0, margin=0.05):
    q = (p - margin).clamp(min=0)
    positive = (1 - p) ** gamma_positive * p.log()
    return -t * positive - (1 - t) * q**gamma_negative * torch.log1p(-q)


def binary_focal(z, gamma=2.0, alpha=None):
    factors = torch.tensor([1.0, 1.0] if alpha is None else [1 - alpha, alpha])
    return -factors * (1 - proba(z)) ** gamma * z.log_softmax(1)


def symmetric(z, t, alpha=0.1, beta=1.0):
    reverse = (proba(z) * t.log().clamp(min=-4)).sum(1)
    return alpha * F.cross_entropy(z, t, reduction="none") - beta * reverse


def relaxation(z, t, alpha=0.1):
    p = (t * proba(z)).sum(1)
    value = (1 - alpha) * ((1 - alpha) / p).log() + alpha * (alpha / (1 - p)).log()
    return torch.where(p < 1 - alpha, value, 0 * p)


def log_t(x, t):
    return x.log() if t == 1 else (x ** (1 - t) - 1) / (1 - t)


def tempered_softmax(z, t):
    if t == 1:
        return proba(z)
    shift = z.detach().amax(1, keepdim=True)
    for _ in range(60):  # Newton; autograd differentiates through the steps
        p = (1 + (1 - t) * (z - shift)) ** (1 / (1 - t))
        shift = shift + (p.sum(1, keepdim=True) - 1) / (p**t).sum(1, keepdim=True)
    return (1 + (1 - t) * (z - shift)) ** (1 / (1 - t))


def bi_tempered(z, t, t1=0.8, t2=1.2):
    p = tempered_softmax(z, t2)
    of_target = torch.where(t > 0, t * log_t(torch.where(t > 0, t, 1.0), t1), 0.0)
    power = (t ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
    return (of_target - t * log_t(p, t1) - power).sum(1)


def power_sum(z, t, alpha):
    return (t**alpha * proba(z) ** (1 - alpha)).sum(1)


def jensen_shannon(z, t):
    p = proba(z)
    middle = ((p + t) / 2).log()
    return (F.kl_div(middle, p, reduction="none") + F.kl_div(middle, t, reduction="none")).sum(
        1
    ) / 2


def below(p):
    """P(class <= m) of each threshold m."""
    return p.cumsum(1)[:, :-1]


def above(p):
    return p.flip(1).cumsum(1).flip(1)[:, 1:]


def ranked(z, t):
    return (below(proba(z)) - below(t)).square().sum(1)


def grade_error(z, t):
    grades = torch.arange(t.shape[1])
    return torch.einsum("ni,nj,ij->n", t, proba(z), (grades[:, None] - grades).abs().to(t.dtype))


def cumulative_link(d, t, thresholds=None):
    k = t.shape[1]
    cuts = np.arange(k - 1) - (k - 2) / 2 if thresholds is None else np.array(thresholds)
    reached = (torch.tensor(cuts) - d[:, None]).sigmoid()
    ends = torch.zeros_like(d)[:, None], torch.ones_like(d)[:, None]
    return -(t * torch.cat([ends[0], reached, ends[1]], 1).diff(dim=1)).sum(1).log()


def crossentropy(z, t):
    return F.cross_entropy(z, t, reduction="none")


FORMULAS = {
    "binary_crossentropy": crossentropy,
    "categorical_crossentropy": crossentropy,
    "sparse_categorical_crossentropy": crossentropy,
    "logarithmic_score": lambda z, t, base=2.0: crossentropy(z, t) / np.log(base),
    "brier_loss": brier,
    "spherical_loss": expected(lambda z: 1 - proba(z) / proba(z).norm(dim=1, keepdim=True)),
    "pseudospherical_loss": expected(
        lambda z, beta=3.0: (
            1 - (proba(z) / (proba(z) ** beta).sum(1, keepdim=True) ** (1 / beta)) ** (beta - 1)
        )
    ),
    "power_loss": expected(
        lambda z, beta=3.0: (
            1 - beta * proba(z) ** (beta - 1) + (beta - 1) * (proba(z) ** beta).sum(1, keepdim=True)
        )
    ),
    "beta_loss": beta,
    "binary_focal_crossentropy": expected(binary_focal),
    "categorical_focal_crossentropy": expected(
        lambda z, gamma=2.0, alpha=1.0: -alpha * (1 - proba(z)) ** gamma * z.log_softmax(1)
    ),
    "asymmetric_loss": lambda z, t, **parameters: focal_of(proba(z)[:, 1], t[:, 1], **parameters),
    "poly1_crossentropy": expected(
        lambda z, epsilon=1.0: epsilon * (1 - proba(z)) - z.log_softmax(1)
    ),
    "generalized_crossentropy": expected(lambda z, q=0.7: (1 - proba(z) ** q) / q),
    "symmetric_crossentropy": symmetric,
    "taylor_crossentropy": expected(
        lambda z, order=2: sum((1 - proba(z)) ** m / m for m in range(1, order + 1))
    ),
    "label_relaxation": relaxation,
    "bi_tempered_logistic_loss": bi_tempered,
    "ranked_probability_score": ranked,
    "squared_earth_mover_distance": lambda z, t: ranked(z, t) / t.shape[1],
    "cumulative_log_loss": lambda z, t: (
        -(below(t) * below(proba(z)).log() + above(t) * above(proba(z)).log()).sum(1)
    ),
    "cumulative_link_log_loss": cumulative_link,
    "expected_absolute_grade_error": grade_error,
    "hinge_loss": sum_over_wrong(lead),
    "squared_hinge_loss": sum_over_wrong(lambda r: lead(r) ** 2),
    "smoothed_hinge_loss": sum_over_wrong(smoothed_hinge),
    "modified_huber_loss": sum_over_wrong(lambda r: torch.where(r > 1, 4 * r, lead(r) ** 2)),
    "categorical_hinge": of_largest_wrong(lead),
    "weston_watkins_hinge": sum_over_wrong(lead),
    "multi_margin_loss": lambda z, t, p=1, margin=1.0: (
        sum_over_wrong(lambda r: (margin + r).clamp(min=0) ** p)(z, t) / t.shape[1]
    ),
    "exponential_loss": sum_over_wrong(torch.exp),
    "logistic_margin_loss": sum_over_wrong(F.softplus),
    "squared_error": distance(lambda p, t: (p - t) ** 2),
    "absolute_error": distance(lambda p, t: (p - t).abs()),
    "huber_loss": distance(
        lambda p, t, delta=1.0: F.huber_loss(p, t, delta=delta, reduction="none")
    ),
    "log_cosh_loss": distance(lambda p, t: torch.cosh(p - t).log()),
    "poisson_deviance": distance(lambda p, t: 2 * (torch.xlogy(t, t) - t * p.log() + p - t)),
    "squared_log_error": distance(lambda p, t: (torch.log1p(p) - torch.log1p(t)) ** 2),
    "entropy": lambda z, t: -(proba(z) * z.log_softmax(1)).sum(1),
    "cross_entropy": expected(lambda z, delta=0.0: -(proba(z) + delta).log()),
    "kl_divergence": lambda z, t: F.kl_div(z.log_softmax(1), t, reduction="none").sum(1),
    "reverse_kl_divergence": lambda z, t: (proba(z) * (z.log_softmax(1) - t.log())).sum(1),
    "jensen_shannon_divergence": jensen_shannon,
    "renyi_divergence": lambda z, t, alpha=0.5: power_sum(z, t, alpha).log() / (alpha - 1),
    "alpha_divergence": lambda z, t, alpha=0.5: (
        (power_sum(z, t, alpha) - 1) / (alpha * (alpha - 1))
    ),
    "multilabel_crossentropy": lambda z, t, over_labels="mean": scaled(
        F.binary_cross_entropy_with_logits(z, t, reduction="none"), over_labels
    ),
    "multilabel_asymmetric_loss": lambda z, t: scaled(focal_of(z.sigmoid(), t), "mean"),
}
