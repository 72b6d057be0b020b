"""Valid targets and predictions for every loss, so that tests of properties cover all losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

import xentexp
from tests.support.loss_cases import names
from xentexp import metrics
from xentexp.losses import LOSSES, Loss

quick = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # losses are frozen
)
SPREADS = [0.1, 2.0, 30.0]


@st.composite
def random_cases(draw: st.DrawFn, spreads: Any = SPREADS) -> tuple[Any, int, int, float]:
    """Random generator, number of rows, number of classes, standard deviation of raw scores."""
    seed = draw(st.integers(0, 2**32 - 1))
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    return np.random.default_rng(seed), n, k, draw(st.sampled_from(spreads))


def n_classes(loss: Loss, k: int) -> int:
    return 2 if loss.properties.binary_only else k


def is_multilabel(loss: Loss) -> bool:
    return loss.properties.targets == "multilabel"


def of_scores(loss: Loss) -> bool:
    """Whether the loss only accepts decision scores."""
    return loss.properties.response in ("decision_function", "latent")


def targets(loss: Loss, rng: Any, n: int, k: int, *, soft: bool = False) -> Any:
    """Targets that the loss accepts; with `soft`, distributions if it accepts them."""
    kind = loss.properties.targets
    if kind == "multilabel":
        return rng.uniform(size=(n, k)) if soft else rng.integers(2, size=(n, k))
    if kind == "positive" or (soft and kind == "soft"):
        return rng.dirichlet(np.ones(k), size=n)
    return rng.integers(k, size=n)


def scores(loss: Loss, rng: Any, n: int, k: int, spread: float = 2.0) -> Any:
    """Raw scores: (n, k), or (n,) for a latent score."""
    return rng.normal(0, spread, n if loss.properties.response == "latent" else (n, k))


def targets_and_scores(loss: Loss, case: Any, *, soft: bool = False) -> tuple[Any, Any, int]:
    """Targets, raw scores, and the number of classes."""
    rng, n, k, spread = case
    k = n_classes(loss, k)
    return targets(loss, rng, n, k, soft=soft), scores(loss, rng, n, k, spread), k


def classes_of(loss: Loss, k: int) -> dict[str, Any]:
    """Option `labels` for a loss that needs it, because its predictions do not show the classes."""
    return {"labels": list(range(k))} if loss.properties.response == "latent" else {}


def by_row(loss: Loss, y: Any, raw: Any, k: int, **options: Any) -> Any:
    """Value of each row from raw scores."""
    return xentexp.get_loss(loss).per_sample(
        y, raw, **{**classes_of(loss, k), **options}, from_logits=True
    )


def linked(loss: Loss, raw: Any) -> Any:
    """Predictions for the metric function from raw scores, by formulas of SciPy or papers."""
    if of_scores(loss):
        return raw
    if loss.properties.link == "sigmoid":
        return expit(raw)
    if loss.properties.link == "tempered softmax":
        return tempered_softmax(raw, loss.t2)  # type: ignore[attr-defined]
    return softmax(raw, axis=1)


def tempered_softmax(raw: Any, t: float) -> Any:
    """``exp_t(z - c)`` with ``c`` by bisection: Amid et al. (2019), equations 2 and 4."""
    if t == 1.0:
        return softmax(raw, axis=1)

    def exp_t(x: Any) -> Any:
        return np.maximum(1.0 + (1.0 - t) * x, 0.0) ** (1.0 / (1.0 - t))

    low = raw.max(axis=1, keepdims=True)
    high = low + (raw.shape[1] ** (t - 1.0) - 1.0) / (t - 1.0)
    for _ in range(200):
        middle = (low + high) / 2.0
        above = exp_t(raw - middle).sum(axis=1, keepdims=True) > 1.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return exp_t(raw - (low + high) / 2.0)


def arguments(loss: Loss, y: Any, predicted: Any, k: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments of the metric function."""
    if loss.properties.targets == "none":
        return (predicted,), {}
    if loss.properties.distributions:
        return (y if np.ndim(y) == 2 else np.eye(k)[y], predicted), {}
    labelled = "labels" in xentexp_options(loss)
    return (y, predicted), {"labels": list(range(k))} if labelled else {}


def measure(loss: Loss, y: Any, predicted: Any, k: int, **options: Any) -> Any:
    """Value of the metric function."""
    positional, named = arguments(loss, y, predicted, k)
    return getattr(metrics, loss.name)(*positional, **{**named, **options})


def xentexp_options(loss: Loss) -> set[str]:
    """Names of the parameters of the metric function."""
    return set(getattr(metrics, loss.name).__signature__.parameters)


def without_a_clip(loss: Loss) -> dict[str, Any]:
    """Options that switch off clipping, so that values can be infinite."""
    return {"clip": 0} if "clip" in xentexp_options(loss) else {}


# -- many losses at once ---------------------------------------------------------------------

COLUMNS, LATENT, POSITIVE = names("multilabel"), names("latent"), names("positive_targets")
ORDERED, BINARY, MARGINS = names("ordered"), names("binary_only"), names("margins")
ONE_TRUE_CLASS = names("one_true_class")


def all_but(*left_out: set[str]) -> list[str]:
    """Names of the other losses, in the order of the table."""
    return [name for name in LOSSES if not any(name in group for group in left_out)]


def sample(n_classes: int, n_rows: int = 300, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Labels, probabilities, decision scores and weights."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)]
    p = rng.dirichlet(np.ones(n_classes), size=n_rows)
    return y, p, rng.normal(0, 2, (n_rows, n_classes)), rng.uniform(0, 3, n_rows)
