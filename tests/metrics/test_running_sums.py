"""States of an evaluation: the states of any partition add up to the state of all rows."""

import functools
import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import (
    BINARY,
    COLUMNS,
    LATENT,
    ONE_TRUE_CLASS,
    POSITIVE,
    all_but,
    quick,
    sample,
)
from xentexp.errors import InputError
from xentexp.metrics._evaluation import Evaluation, evaluate
from xentexp.metrics._registry import get_loss
from xentexp.metrics._running_sums import LossState


def assert_same_state(one, other):
    assert (one.losses, one.classes) == (other.losses, other.classes)
    for name in ("n_rows", "n_ignored", "n_clipped", "n_infinite"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("weight", "weight_squared", "total", "m2", "class_weight_sum", "class_loss_sum"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12, err_msg=name
        )
    size = np.where(np.isfinite(one.total), np.abs(one.total), 0)  # a tilt is near 0 beside it
    np.testing.assert_allclose(one.m1 / (1 + size), other.m1 / (1 + size), atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "n_losses"),
    [
        ("labels", len(all_but(COLUMNS, BINARY, LATENT, POSITIVE))),
        ("one score a row", len(all_but(COLUMNS, POSITIVE))),
        ("soft", len(all_but(COLUMNS, BINARY, LATENT, ONE_TRUE_CLASS)) - 1),  # no sparse labels
    ],
)
@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    n_parts=st.integers(1, 6),
    weighted=st.booleans(),
    clip=st.sampled_from([0, "auto"]),
)
def test_states_of_any_partition_add_up(kind, n_losses, seed, n_parts, weighted, clip):
    rng = np.random.default_rng(seed)
    k = 2 if kind == "one score a row" else 3
    y, p, decision, weight = sample(k, int(rng.integers(10, 80)), seed)
    p[rng.uniform(size=len(p)) < 0.1] = np.eye(k)[0]  # clipped, or infinite without a clip
    weight = weight * (rng.uniform(size=len(y)) < 0.8) if weighted else np.ones(len(y))
    # every part has a row that counts
    parts = np.arange(len(y)) % n_parts
    weight[:n_parts] = 1.0
    options = {"clip": clip, "labels": list(range(k)), "ordered": True}
    if kind == "soft":
        y = rng.dirichlet(np.ones(k), len(y))
    else:
        y = np.where(rng.uniform(size=len(y)) < 0.2, -1, y)
        y[:n_parts] = 1
        options["ignore_label"] = -1
    decision = decision[:, 0] if k == 2 else decision

    def state(rows):
        w = weight[rows] if weighted else None
        return evaluate(y[rows], p[rows], decision=decision[rows], sample_weight=w, **options).state

    whole = state(slice(None))
    assert len(whole.losses) == n_losses
    merged = LossState(whole.losses, whole.classes)
    for part in rng.permutation(n_parts):
        merged = merged + state(rng.permutation(np.flatnonzero(parts == part)))
    assert_same_state(merged, whole)
    np.testing.assert_allclose(merged.mean(), whole.mean(), rtol=1e-12)
    np.testing.assert_allclose(merged.class_mean(), whole.class_mean(), rtol=1e-12)
    np.testing.assert_allclose(merged.standard_error(), whole.standard_error(), rtol=1e-9)


def test_an_empty_state_has_nan_means():
    empty = LossState((get_loss("brier_loss"),), (0, 1))
    assert np.isnan([*empty.mean(), *empty.standard_error(), *empty.class_mean()[0]]).all()
    some = evaluate([0, 1], [0.2, 0.7], ["brier_loss"]).state
    assert_same_state(empty + some, some)
    assert_same_state(some + empty, some)


def test_adding_does_not_change_the_states():
    one = evaluate([0, 1], [0.2, 0.7], ["brier_loss"]).state
    before = one.total.copy()
    both = one + one
    np.testing.assert_array_equal(one.total, before)
    np.testing.assert_array_equal(both.total, 2 * before)
    assert (one.n_rows, both.n_rows) == (2, 4)


LOSSES = ["brier_loss", "zero_one_loss"]


def test_sum_adds_states_as_plus_does():
    y, p = np.array([0, 1, 1, 0, 1, 1]), np.array([0.2, 0.7, 0.4, 0.6, 0.9, 0.5])
    whole = evaluate(y, p, LOSSES, labels=[0, 1])
    states = [evaluate(y[i : i + 2], p[i : i + 2], LOSSES, labels=[0, 1]).state for i in (0, 2, 4)]
    added = functools.reduce(operator.add, states)
    for total in (sum(states), sum(states, LossState(added.losses, added.classes)), np.sum(states)):
        assert total == added
        assert_same_state(total, whole.state)
        assert Evaluation(total).values == pytest.approx(whole.values, rel=1e-12)
    # by hand: squared errors .04 .09 .36 .36 .01 .25; row 3 and row 4 are wrong, row 6 is a tie
    assert Evaluation(sum(states))["brier_loss"] == pytest.approx(1.11 / 6, rel=1e-12)


def test_the_sum_of_one_state_is_another_object():
    one = evaluate([0, 1], [0.2, 0.7], LOSSES).state
    assert sum([one]) == one == one + 0 == 0 + one
    assert sum([one]) is not one


def test_equal_states_have_equal_sums_of_all_losses():
    one, same = (evaluate([0, 1], [0.2, 0.7], LOSSES).state for _ in range(2))
    assert one == same
    assert one != evaluate([0, 1], [0.2, 0.6], LOSSES).state
    assert one != evaluate([0, 1], [0.2, 0.7], "brier_loss").state
    assert one != 0


@pytest.mark.parametrize("other", [5, 0.0, None, False, "state", [1.0]])
def test_a_state_adds_only_to_states(other):
    one = evaluate([0, 1], [0.2, 0.7], LOSSES).state
    for call in (lambda: one + other, lambda: other + one):
        with pytest.raises(InputError, match="a state can only be added to another state"):
            call()


@pytest.mark.parametrize("state", [sum([]), None, [], "brier_loss"])
def test_an_evaluation_of_no_state_raises(state):
    with pytest.raises(InputError, match="state must be a LossState"):
        Evaluation(state)


@pytest.mark.parametrize(
    ("losses", "labels"),
    [(["zero_one_loss"], [0, 1]), (["brier_loss", "zero_one_loss"], [0, 1]),
     (["brier_loss"], [1, 0])],
)  # fmt: skip
def test_states_of_different_losses_or_classes_do_not_add(losses, labels):
    one = evaluate([0, 1], [0.2, 0.7], ["brier_loss"], labels=[0, 1]).state
    other = evaluate([0, 1], [0.2, 0.7], losses, labels=labels).state
    with pytest.raises(InputError, match="must have the same losses and classes"):
        one + other


CLASS_SUMS = {  # number of classes, losses, and what differs from the ordinary case
    "few classes": (3, ["nll"], ""),
    "two classes": (2, ["brier_loss"], ""),
    "few classes, last one nearly without loss": (3, ["nll"], "last"),
    "few classes, weights": (3, ["nll"], "weights"),
    "few classes, infinite": (3, ["nll"], "infinite"),
    "one loss": (10, ["nll"], ""),
    "one loss, weights": (10, ["nll"], "weights"),
    "three losses": (10, ["nll", "brier_loss", "spherical_loss"], ""),
    "many losses": (4, ["nll", "brier_loss", "spherical_loss"], ""),
    "many losses, weights": (4, ["nll", "brier_loss", "spherical_loss"], "weights"),
    "many losses, infinite": (4, ["nll", "brier_loss", "spherical_loss"], "infinite"),
    "many classes": (40, ["nll", "brier_loss", "spherical_loss"], ""),
    "soft targets": (3, ["nll", "brier_loss"], "soft"),
}


@pytest.mark.parametrize("n", [300, 30_000])
@pytest.mark.parametrize("name", CLASS_SUMS)
def test_sums_and_moments_are_those_of_exact_arithmetic(name, n):
    k, losses, what = CLASS_SUMS[name]
    rng = np.random.default_rng(n)
    p = rng.dirichlet(np.ones(k), n)
    index = rng.integers(k, size=n)
    weight = rng.uniform(0, 2, n) * (rng.uniform(size=n) < 0.9) if what == "weights" else None
    if what == "last":
        p[index == k - 1] = [*[1e-13 / (k - 1)] * (k - 1), 1 - 1e-13]
    if what == "infinite":
        p[0] = np.eye(k)[index[0] - 1]
    target = rng.dirichlet(np.ones(k), n) if what == "soft" else np.eye(k)[index]
    y = target if what == "soft" else index
    clip = 0 if what == "infinite" else "auto"
    result = evaluate(y, p, losses, sample_weight=weight, clip=clip, per_sample=True)
    w = np.ones(n) if weight is None else weight
    np.testing.assert_allclose(result.state.class_weight_sum, w @ target, rtol=1e-13)
    for row, values in enumerate(result.per_sample.values()):
        total = math.fsum(w * values)
        assert result.state.total[row] == pytest.approx(total, rel=1e-13)
        for j in range(k):
            rows = target[:, j] > 0
            expected = math.fsum(w[rows] * values[rows] * target[rows, j])
            assert result.state.class_loss_sum[row, j] == pytest.approx(expected, rel=1e-13)
        if np.isfinite(total):
            deviation = values - total / math.fsum(w)
            m2 = math.fsum(w**2 * deviation**2)
            error = math.sqrt(n / (n - 1) * m2) / math.fsum(w)
            assert result.state.standard_error()[row] == pytest.approx(error, rel=1e-12)
