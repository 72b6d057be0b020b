"""Whether losses are proper, convex and smooth, as their properties state."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

import xentexp
from tests.support.strategies import (
    by_row,
    is_multilabel,
    measure,
    n_classes,
    of_scores,
    quick,
    random_cases,
    scores,
    targets,
)
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.metrics._registry import get_loss

SMOOTH_VARIANTS = [  # parameters that change a property
    ("poly1_crossentropy", {"epsilon": -0.5}),
    ("asymmetric_loss", {"margin": 0.0}),
    ("huber_loss", {"delta": 0.3}),
    ("squared_error", {"over_classes": "sum"}),
    ("beta_loss", {"alpha": -0.5, "beta": -0.5}),
    ("multi_margin_loss", {"p": 2}),
]


# -- proper ----------------------------------------------------------------------------------


def expected(loss, truth, predictions):
    """Expected loss of each prediction if the true class has the distribution `truth`."""
    k = len(truth)
    if is_multilabel(loss):  # the labels of a row are independent
        outcomes = np.array(list(product([0, 1], repeat=k)))
        chance = np.where(outcomes, truth, 1 - np.array(truth)).prod(axis=1)
    else:
        outcomes, chance = np.arange(k), np.array(truth)
    rows = np.repeat(predictions, len(outcomes), axis=0)
    tiled = np.concatenate([outcomes] * len(predictions))
    values = measure(loss, tiled, rows, k, reduction="none")
    return values.reshape(len(predictions), -1) @ chance


def some_distributions(loss, rng, k, n):
    return rng.uniform(size=(n, k)) if is_multilabel(loss) else rng.dirichlet(np.ones(k), size=n)


def by_properness(*kinds):
    names = [
        name
        for name, loss in LOSSES.items()
        if loss.properties.properness in kinds and not of_scores(loss)
    ]
    return pytest.mark.parametrize("name", names)


@by_properness("strictly proper", "proper")
@quick
@given(case=random_cases())
def test_the_true_distribution_minimizes_a_proper_loss(name, case):
    loss, (rng, _, k, _) = LOSSES[name], case
    k = n_classes(loss, min(k, 4))
    truth, *distributions = some_distributions(loss, rng, k, 6)
    distributions = np.array([*distributions, 0.9 * truth + 0.1 / k, 0.99 * truth + 0.01 / k])
    best, *others = expected(loss, truth, np.array([truth, *distributions]))
    excess = np.array(others) - best
    assert (excess >= -1e-12).all()
    if loss.properties.properness == "strictly proper":
        assert (excess[np.abs(distributions - truth).max(axis=1) > 1e-3] > 1e-10).all()


@by_properness("proper")
def test_a_proper_loss_that_is_not_strictly_proper_has_another_minimum(name):
    truth, alternative = [0.6, 0.4], [0.9, 0.1]
    best, other = expected(LOSSES[name], truth, np.array([truth, alternative]))
    assert best == pytest.approx(other, rel=1e-12)


@by_properness("improper")
def test_the_true_distribution_does_not_minimize_an_improper_loss(name):
    loss, distributions = LOSSES[name], np.linspace(0, 1, 1001)
    distributions = np.stack([1 - distributions, distributions], axis=1)
    gains = []
    for p in (0.55, 0.7, 0.85, 0.95):
        truth = np.array([1 - p, p])
        gains.append(
            expected(loss, truth, truth[np.newaxis])[0] - expected(loss, truth, distributions).min()
        )
    assert max(gains) > 1e-6


def test_properness_of_losses_of_scores_and_of_divergences():
    for loss in LOSSES.values():
        if of_scores(loss):  # a score is not a probability
            assert loss.properties.properness == "improper", loss.name
    undefined = {name for name, loss in LOSSES.items() if loss.properties.properness == "-"}
    assert undefined == {"entropy", "reverse_kl_divergence"}  # no target; infinite for labels


# -- convex ----------------------------------------------------------------------------------


def bulges(loss, rng, k, spread, n=4000):
    """Loss at the midpoint of two raw scores minus the mean of their losses."""
    soft = loss.properties.targets not in ("one-hot", "labels", "none")
    y = targets(loss, rng, n, k, soft=soft)
    if soft and loss.properties.targets == "soft":
        y[: n // 2] = np.eye(k)[rng.integers(k, size=n // 2)]
    a, b = scores(loss, rng, n, k, spread), scores(loss, rng, n, k, spread)
    ends = (by_row(loss, y, a, k) + by_row(loss, y, b, k)) / 2
    return (by_row(loss, y, (a + b) / 2, k) - ends) / (1 + np.abs(ends))


def most_bulging(loss):
    rng = np.random.default_rng(0)
    return max(
        bulges(loss, rng, n_classes(loss, k), spread).max()
        for k in (2, 3, 5)
        for spread in (0.3, 2.0, 10.0)
    )


def test_only_convex_losses_lie_below_their_chords(loss):
    if loss.properties.gradient == "none":
        assert not loss.properties.convex
    elif loss.properties.convex:
        assert most_bulging(loss) < 1e-12
    else:
        assert most_bulging(loss) > 1e-4


@pytest.mark.parametrize(
    ("name", "parameters", "convex"),
    [
        ("poly1_crossentropy", {"epsilon": 2.0}, False),
        ("renyi_divergence", {"alpha": 2.0}, True),
        ("multi_margin_loss", {"p": 2, "margin": 3.0}, True),
        ("bi_tempered_logistic_loss", {"t1": 1.0, "t2": 1.0}, True),
        ("label_relaxation", {"alpha": 0.4}, True),
        ("categorical_focal_crossentropy", {"gamma": 0.0}, True),
        ("beta_loss", {"alpha": -0.5, "beta": -0.5}, True),
    ],
)
def test_convexity_for_other_parameters(name, parameters, convex):
    assert (most_bulging(get_loss(name, **parameters)) < 1e-12) == convex


# -- smooth ----------------------------------------------------------------------------------


def sharpest_turn(loss, k, soft):
    """Largest relative jump of the gradient, located by bisection of many line segments."""
    rng, n = np.random.default_rng(1), 2000
    y = targets(loss, rng, n, k, soft=soft)
    named = {"labels": list(range(k))}
    named = named if loss.properties.response == "latent" else {}

    def slope(raw):
        return loss.gradient(y, raw, **named).reshape(n, -1)

    def column(where):
        return where if low.ndim == 1 else where[:, np.newaxis]

    low, high = scores(loss, rng, n, k, 3.0), scores(loss, rng, n, k, 3.0)
    at_low, at_high = slope(low), slope(high)
    for _ in range(45):
        middle = (low + high) / 2
        at = slope(middle)
        left = np.abs(at - at_low).max(axis=1) > np.abs(at_high - at).max(axis=1)
        high, low = np.where(column(left), middle, high), np.where(column(left), low, middle)
        at_high = np.where(left[:, np.newaxis], at, at_high)
        at_low = np.where(left[:, np.newaxis], at_low, at)
    return (np.abs(at_high - at_low) / (1 + np.abs(at_high))).max()


def sharpest_of(loss):
    kinds = {
        "soft": (False, True),
        "multilabel": (False, True),
        "positive": (True,),
    }.get(loss.properties.targets, (False,))
    sizes = {n_classes(loss, k) for k in (2, 4)}
    return max(sharpest_turn(loss, k, soft) for k in sizes for soft in kinds)


def test_only_gradients_called_subgradients_jump(loss):
    if loss.properties.gradient == "none":
        with pytest.raises(InputError, match=f"{loss.name} has no gradient"):
            xentexp.get_loss(loss).gradient([0, 1], [0.3, -0.2])
    elif loss.properties.gradient == "smooth":
        assert sharpest_of(loss) < 1e-6
    else:
        assert sharpest_of(loss) > 0.01


@pytest.mark.parametrize(("name", "parameters"), SMOOTH_VARIANTS)
def test_smoothness_for_other_parameters(name, parameters):
    assert sharpest_of(get_loss(name, **parameters)) < 1e-6


def test_an_asymmetric_loss_with_gamma_0_has_a_kink_at_its_margin():
    assert sharpest_of(get_loss("asymmetric_loss", gamma_negative=0.0, margin=0.3)) > 0.01
