"""What tests expect of each loss, stated independently of its code.

A new loss has one entry in `LOSS_CASES`, at the end of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

EPS, MAX, TINY = np.finfo(float).eps, np.finfo(float).max, np.nextafter(0.0, 1.0)

try:
    import torch

    F = torch.nn.functional
except ImportError:  # without the extra 'parity' no formula is evaluated
    pass


@dataclass(frozen=True, kw_only=True)
class LossCase:
    """What a loss computes and accepts."""

    # The paper's formula in torch, for every loss that has a gradient: a function of raw scores
    # ``z`` and targets ``t``, with a column for each class, that returns the value of each row.
    # Its parameters have the names and defaults of the loss.
    formula: Callable[..., Any] | None = None
    # Each parameter of the loss with its default.
    defaults: dict[str, Any] = field(default_factory=dict)
    # For each parameter of the loss, values outside its domain, and what the error says.
    bad_parameters: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    # Smallest and largest allowed number of each parameter that is a number.
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    binary_only: bool = False  # for two classes only
    ordered: bool = False  # for ordered classes
    margins: bool = False  # of decision scores, one for each class
    latent: bool = False  # of one decision score for each row
    multilabel: bool = False  # of columns that are not classes
    one_true_class: bool = False  # does not accept soft targets or label smoothing
    positive_targets: bool = False  # finite only for target distributions without a zero
    numbers: bool = False  # accepts numbers=True
    smoothing: bool = False  # accepts label_smoothing
    clip: bool = False  # accepts clip
    in_nats: bool = False


def names(fact: str) -> set[str]:
    """Names of the losses for which a fact is true."""
    return {name for name, case in LOSS_CASES.items() if getattr(case, fact)}


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


LOSS_CASES: dict[str, LossCase] = {
    "binary_crossentropy": LossCase(
        formula=crossentropy, binary_only=True, smoothing=True, clip=True, in_nats=True
    ),
    "categorical_crossentropy": LossCase(
        formula=crossentropy, smoothing=True, clip=True, in_nats=True
    ),
    "sparse_categorical_crossentropy": LossCase(
        formula=crossentropy, smoothing=True, clip=True, in_nats=True
    ),
    "logarithmic_score": LossCase(
        limits={"base": (1 + EPS, MAX)},
        defaults={"base": 2.0},
        formula=lambda z, t, base=2.0: crossentropy(z, t) / np.log(base),
        smoothing=True,
        clip=True,
        bad_parameters=[({"base": 1}, "base must be > 1")],
    ),
    "brier_loss": LossCase(
        defaults={"scale_by_half": "auto"},
        formula=brier,
        bad_parameters=[({"scale_by_half": "no"}, "'auto', True or False; got 'no'")],
    ),
    "spherical_loss": LossCase(
        formula=expected(lambda z: 1 - proba(z) / proba(z).norm(dim=1, keepdim=True))
    ),
    "pseudospherical_loss": LossCase(
        limits={"beta": (1.00001, 1e6)},
        defaults={"beta": 3.0},
        formula=expected(
            lambda z, beta=3.0: (
                1 - (proba(z) / (proba(z) ** beta).sum(1, keepdim=True) ** (1 / beta)) ** (beta - 1)
            )
        ),
        bad_parameters=[({"beta": 0.5}, "beta must be > 1")],
    ),
    "power_loss": LossCase(
        limits={"beta": (1.00001, 1e6)},
        defaults={"beta": 3.0},
        formula=expected(
            lambda z, beta=3.0: (
                1
                - beta * proba(z) ** (beta - 1)
                + (beta - 1) * (proba(z) ** beta).sum(1, keepdim=True)
            )
        ),
        bad_parameters=[({"beta": 1}, "beta must be > 1")],
    ),
    "beta_loss": LossCase(
        limits={"alpha": (-0.999999, 100.0), "beta": (-0.999999, 100.0)},
        defaults={"alpha": 0.5, "beta": 0.5},
        formula=beta,
        binary_only=True,
        clip=True,
        bad_parameters=[
            ({"alpha": -1.0}, "alpha must be > -1"),
            ({"beta": -2}, "beta must be > -1"),
        ],
    ),
    "zero_one_loss": LossCase(),
    "binary_focal_crossentropy": LossCase(
        limits={"gamma": (0.0, 1e6), "alpha": (0.0, 1.0)},
        defaults={"gamma": 2.0, "alpha": None},
        formula=expected(binary_focal),
        binary_only=True,
        smoothing=True,
        clip=True,
        in_nats=True,
        bad_parameters=[
            ({"gamma": -0.1}, "gamma must be >= 0"),
            ({"alpha": 1.01}, "alpha must be >= 0 and <= 1"),
        ],
    ),
    "categorical_focal_crossentropy": LossCase(
        limits={"gamma": (0.0, 1e6), "alpha": (TINY, 1e100)},
        defaults={"gamma": 2.0, "alpha": 1.0},
        formula=expected(
            lambda z, gamma=2.0, alpha=1.0: -alpha * (1 - proba(z)) ** gamma * z.log_softmax(1)
        ),
        smoothing=True,
        clip=True,
        in_nats=True,
        bad_parameters=[
            ({"gamma": np.inf}, r"gamma must be >= 0 and <= 1e\+06; got inf"),
            ({"alpha": 0}, "alpha must be > 0"),
            ({"alpha": [1, -1]}, "alpha of each class must be >= 0"),
            (
                {"alpha": "a"},
                "alpha must be a number, or a sequence with one number for each class",
            ),
        ],
    ),
    "asymmetric_loss": LossCase(
        limits={"gamma_positive": (0.0, 1e6), "gamma_negative": (0.0, 1e6), "margin": (0.0, 1.0)},
        defaults={"gamma_positive": 1.0, "gamma_negative": 4.0, "margin": 0.05},
        formula=lambda z, t, **parameters: focal_of(proba(z)[:, 1], t[:, 1], **parameters),
        binary_only=True,
        clip=True,
        in_nats=True,
        bad_parameters=[
            ({"gamma_positive": -1}, "gamma_positive must be >= 0"),
            ({"gamma_negative": np.nan}, "gamma_negative must be >= 0"),
            ({"margin": 1.5}, "margin must be >= 0 and <= 1; got 1.5"),
        ],
    ),
    "poly1_crossentropy": LossCase(
        limits={"epsilon": (-1.0, 1e100)},
        defaults={"epsilon": 1.0},
        formula=expected(lambda z, epsilon=1.0: epsilon * (1 - proba(z)) - z.log_softmax(1)),
        smoothing=True,
        clip=True,
        in_nats=True,
        bad_parameters=[({"epsilon": -1.5}, "epsilon must be >= -1")],
    ),
    "generalized_crossentropy": LossCase(
        limits={"q": (TINY, 1.0)},
        defaults={"q": 0.7},
        formula=expected(lambda z, q=0.7: (1 - proba(z) ** q) / q),
        bad_parameters=[({"q": 0}, "q must be > 0 and <= 1; got 0")],
    ),
    "symmetric_crossentropy": LossCase(
        limits={"alpha": (0.0, 1e100), "beta": (0.0, 1e100), "log_zero": (-MAX, 0.0)},
        defaults={"alpha": 0.1, "beta": 1.0, "log_zero": -4.0},
        formula=symmetric,
        smoothing=True,
        clip=True,
        in_nats=True,
        bad_parameters=[
            ({"alpha": -1}, "alpha must be >= 0"),
            ({"beta": -1}, "beta must be >= 0"),
            ({"log_zero": 0.1}, "log_zero must be a finite number <= 0"),
        ],
    ),
    "taylor_crossentropy": LossCase(
        limits={"order": (1, 1000)},
        defaults={"order": 2},
        formula=expected(
            lambda z, order=2: sum((1 - proba(z)) ** m / m for m in range(1, order + 1))
        ),
        bad_parameters=[
            ({"order": 0}, "order must be >= 1"),
            ({"order": 2.0}, "order must be an integer; got 2.0"),
        ],
    ),
    "label_relaxation": LossCase(
        limits={"alpha": (TINY, 0.5)},
        defaults={"alpha": 0.1},
        formula=relaxation,
        one_true_class=True,
        clip=True,
        in_nats=True,
        bad_parameters=[({"alpha": 0.6}, "alpha must be > 0 and <= 0.5")],
    ),
    "bi_tempered_logistic_loss": LossCase(
        limits={"t1": (0.0, 1.0), "t2": (1.0, 10.0)},
        defaults={"t1": 0.8, "t2": 1.2},
        formula=bi_tempered,
        clip=True,
        bad_parameters=[
            ({"t1": 1.1}, "t1 must be >= 0 and <= 1"),
            ({"t2": 0.9}, "t2 must be >= 1"),
        ],
    ),
    "ranked_probability_score": LossCase(formula=ranked, ordered=True),
    "squared_earth_mover_distance": LossCase(
        formula=lambda z, t: ranked(z, t) / t.shape[1], ordered=True
    ),
    "cumulative_log_loss": LossCase(
        formula=lambda z, t: (
            -(below(t) * below(proba(z)).log() + above(t) * above(proba(z)).log()).sum(1)
        ),
        ordered=True,
        smoothing=True,
        clip=True,
        in_nats=True,
    ),
    "cumulative_link_log_loss": LossCase(
        defaults={"thresholds": None},
        formula=cumulative_link,
        ordered=True,
        latent=True,
        one_true_class=True,
        in_nats=True,
        bad_parameters=[
            ({"thresholds": [1, 1]}, r"thresholds must be increasing; got \[1.0, 1.0\]"),
            ({"thresholds": []}, "thresholds must be increasing"),
            ({"thresholds": [0, np.inf]}, "thresholds must be a finite number; got inf"),
            ({"thresholds": 3}, "thresholds must be a sequence of numbers; got 3"),
        ],
    ),
    "expected_absolute_grade_error": LossCase(formula=grade_error, ordered=True),
    "hinge_loss": LossCase(
        formula=sum_over_wrong(lead), binary_only=True, margins=True, one_true_class=True
    ),
    "squared_hinge_loss": LossCase(
        formula=sum_over_wrong(lambda r: lead(r) ** 2),
        binary_only=True,
        margins=True,
        one_true_class=True,
    ),
    "smoothed_hinge_loss": LossCase(
        limits={"gamma": (TINY, 1e100)},
        defaults={"gamma": 1.0},
        formula=sum_over_wrong(smoothed_hinge),
        binary_only=True,
        margins=True,
        one_true_class=True,
        bad_parameters=[({"gamma": 0}, "gamma must be > 0")],
    ),
    "modified_huber_loss": LossCase(
        formula=sum_over_wrong(lambda r: torch.where(r > 1, 4 * r, lead(r) ** 2)),
        binary_only=True,
        margins=True,
        one_true_class=True,
    ),
    "categorical_hinge": LossCase(
        formula=of_largest_wrong(lead), margins=True, one_true_class=True
    ),
    "weston_watkins_hinge": LossCase(
        formula=sum_over_wrong(lead), margins=True, one_true_class=True
    ),
    "multi_margin_loss": LossCase(
        limits={"margin": (0.0, 1e100)},
        defaults={"p": 1, "margin": 1.0},
        formula=lambda z, t, p=1, margin=1.0: (
            sum_over_wrong(lambda r: (margin + r).clamp(min=0) ** p)(z, t) / t.shape[1]
        ),
        margins=True,
        one_true_class=True,
        bad_parameters=[
            ({"p": 3}, "p must be 1 or 2; got 3"),
            ({"margin": -1}, "margin must be >= 0"),
        ],
    ),
    "exponential_loss": LossCase(
        formula=sum_over_wrong(torch.exp), margins=True, one_true_class=True
    ),
    "logistic_margin_loss": LossCase(
        formula=sum_over_wrong(F.softplus), margins=True, one_true_class=True, in_nats=True
    ),
    "squared_error": LossCase(
        defaults={"over_classes": "mean"},
        formula=distance(lambda p, t: (p - t) ** 2),
        numbers=True,
        bad_parameters=[({"over_classes": "summ"}, "did you mean 'sum'")],
    ),
    "absolute_error": LossCase(
        defaults={"over_classes": "mean"},
        formula=distance(lambda p, t: (p - t).abs()),
        numbers=True,
        bad_parameters=[({"over_classes": "summ"}, "did you mean 'sum'")],
    ),
    "huber_loss": LossCase(
        limits={"delta": (TINY, 1e100)},
        defaults={"over_classes": "mean", "delta": 1.0},
        formula=distance(lambda p, t, delta=1.0: F.huber_loss(p, t, delta=delta, reduction="none")),
        numbers=True,
        bad_parameters=[
            ({"delta": 0}, "delta must be > 0"),
            ({"over_classes": "max"}, "unknown over_classes 'max'"),
        ],
    ),
    "log_cosh_loss": LossCase(
        defaults={"over_classes": "mean"},
        formula=distance(lambda p, t: torch.cosh(p - t).log()),
        numbers=True,
        bad_parameters=[({"over_classes": 1}, "unknown over_classes 1")],
    ),
    "poisson_deviance": LossCase(
        defaults={"over_classes": "mean"},
        formula=distance(lambda p, t: 2 * (torch.xlogy(t, t) - t * p.log() + p - t)),
        numbers=True,
        clip=True,
        bad_parameters=[({"over_classes": "x"}, "unknown over_classes")],
    ),
    "squared_log_error": LossCase(
        defaults={"over_classes": "mean"},
        formula=distance(lambda p, t: (torch.log1p(p) - torch.log1p(t)) ** 2),
        numbers=True,
        bad_parameters=[({"over_classes": ["sum"]}, "unknown over_classes")],
    ),
    "entropy": LossCase(formula=lambda z, t: -(proba(z) * z.log_softmax(1)).sum(1), in_nats=True),
    "cross_entropy": LossCase(
        limits={"delta": (0.0, MAX)},
        defaults={"delta": 0.0},
        formula=expected(lambda z, delta=0.0: -(proba(z) + delta).log()),
        in_nats=True,
        bad_parameters=[
            ({"delta": -1.0}, "delta must be >= 0 and finite; got -1.0"),
            ({"delta": "1"}, "got '1'"),
            ({"delta": True}, "got True"),
        ],
    ),
    "kl_divergence": LossCase(
        formula=lambda z, t: F.kl_div(z.log_softmax(1), t, reduction="none").sum(1), in_nats=True
    ),
    "reverse_kl_divergence": LossCase(
        formula=lambda z, t: (proba(z) * (z.log_softmax(1) - t.log())).sum(1),
        positive_targets=True,
        in_nats=True,
    ),
    "jensen_shannon_divergence": LossCase(formula=jensen_shannon, in_nats=True),
    "renyi_divergence": LossCase(
        limits={"alpha": (1e-6, 1e6)},
        defaults={"alpha": 0.5},
        formula=lambda z, t, alpha=0.5: power_sum(z, t, alpha).log() / (alpha - 1),
        in_nats=True,
        bad_parameters=[({"alpha": -1}, "alpha must be > 0"), ({"alpha": 1.0}, "must not be 1")],
    ),
    "alpha_divergence": LossCase(
        limits={"alpha": (1e-6, 100.0)},
        defaults={"alpha": 0.5},
        formula=lambda z, t, alpha=0.5: (power_sum(z, t, alpha) - 1) / (alpha * (alpha - 1)),
        bad_parameters=[({"alpha": 0}, "alpha must be > 0"), ({"alpha": 1}, "kl_divergence")],
    ),
    "multilabel_crossentropy": LossCase(
        defaults={"over_labels": "mean"},
        formula=lambda z, t, over_labels="mean": scaled(
            F.binary_cross_entropy_with_logits(z, t, reduction="none"), over_labels
        ),
        multilabel=True,
        smoothing=True,
        clip=True,
        in_nats=True,
        bad_parameters=[({"over_labels": None}, "unknown over_labels None")],
    ),
    "multilabel_asymmetric_loss": LossCase(
        limits={"gamma_positive": (0.0, 1e6), "gamma_negative": (0.0, 1e6), "margin": (0.0, 1.0)},
        defaults={
            "over_labels": "mean",
            "gamma_positive": 1.0,
            "gamma_negative": 4.0,
            "margin": 0.05,
        },
        formula=lambda z, t: scaled(focal_of(z.sigmoid(), t), "mean"),
        multilabel=True,
        clip=True,
        bad_parameters=[
            ({"over_labels": "all"}, "unknown over_labels 'all'"),
            ({"gamma_positive": -1}, "gamma_positive must be >= 0"),
            ({"gamma_negative": -1}, "gamma_negative must be >= 0"),
            ({"margin": 2}, "margin must be >= 0 and <= 1"),
        ],
    ),
}
