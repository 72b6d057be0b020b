"""Properties that every loss of the table has, whatever the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from problems import (
    by_row,
    is_multilabel,
    linked,
    measure,
    n_classes,
    of_scores,
    problem_of,
    problems,
    quick,
    scores,
    targets,
    xentexp_options,
)

from xentexp.errors import InputError
from xentexp.losses import LOSSES, get_loss

# Where classes are not alike, renaming them must show.
UNLIKE = {name for name, loss in LOSSES.items() if not loss.facts.symmetric}


@quick
@given(problems())
def test_every_row_stands_for_itself(loss, problem):
    y, raw, k = problem_of(loss, problem)
    order = problem[0].permutation(len(raw))
    np.testing.assert_array_equal(
        by_row(loss, y[order], raw[order], k), by_row(loss, y, raw, k)[order]
    )
    given_ = linked(loss, raw)
    np.testing.assert_array_equal(
        measure(loss, y[order], given_[order], k, reduction="none"),
        measure(loss, y, given_, k, reduction="none")[order],
    )


@quick
@given(problems())
def test_a_whole_weight_is_a_repeated_row(loss, problem):
    y, raw, k = problem_of(loss, problem)
    weight = problem[0].integers(0, 4, size=len(raw))
    weight[0] = 2
    p = linked(loss, raw)
    again = np.repeat(y, weight, axis=0), np.repeat(p, weight, axis=0)
    for reduction in ("mean", "sum"):
        ours = measure(loss, y, p, k, sample_weight=weight, reduction=reduction)
        repeated = measure(loss, *again, k, reduction=reduction)
        assert ours == pytest.approx(repeated, rel=1e-12, abs=1e-15)


@quick
@given(problems())
def test_a_class_weight_is_a_weight_of_its_rows(loss, problem):
    y, raw, k = problem_of(loss, problem)
    factors = problem[0].uniform(0.1, 3.0, k)
    if is_multilabel(loss):
        with pytest.raises(InputError, match="class_weight cannot go with multilabel"):
            by_row(loss, y, raw, k, class_weight=factors)
        return
    own = y @ factors if y.ndim == 2 else factors[y]
    np.testing.assert_allclose(
        by_row(loss, y, raw, k, class_weight=factors, labels=list(range(k))),
        by_row(loss, y, raw, k, sample_weight=own),
        rtol=1e-12,
    )
    if "class_weight" in xentexp_options(loss):
        p = linked(loss, raw)
        ours = measure(loss, y, p, k, class_weight=dict(enumerate(factors)))
        assert ours == pytest.approx(measure(loss, y, p, k, sample_weight=own), rel=1e-12)


@quick
@given(problems())
def test_sums_over_any_partition_add_up(loss, problem):
    rng = problem[0]
    y, raw, k = problem_of(loss, problem)
    p, weight = linked(loss, raw), rng.uniform(0.1, 3.0, len(raw))
    parts = rng.integers(4, size=len(raw))
    whole = measure(loss, y, p, k, sample_weight=weight, reduction="sum")
    added = sum(
        measure(loss, y[rows], p[rows], k, sample_weight=weight[rows], reduction="sum")
        for rows in (parts == part for part in np.unique(parts))
    )
    assert added == pytest.approx(whole, rel=1e-12, abs=1e-15)


@quick
@given(problems())
def test_one_hot_targets_are_labels_to_the_bit(loss, problem):
    y, raw, k = problem_of(loss, problem)
    if is_multilabel(loss):  # whole numbers, truth values and probabilities of 0 and 1
        for same in (y.astype(float), y.astype(bool)):
            np.testing.assert_array_equal(by_row(loss, same, raw, k), by_row(loss, y, raw, k))
        return
    if loss.facts.targets == "positive":
        with pytest.raises(InputError, match="takes distributions without a zero"):
            by_row(loss, problem[0].integers(k, size=len(raw)), raw, k)
        return
    one_hot = np.eye(k)[y]
    if loss.facts.targets == "labels":
        with pytest.raises(InputError, match="takes labels of shape"):
            by_row(loss, one_hot, raw, k)
        return
    expected = by_row(loss, y, raw, k)
    for target in (one_hot, one_hot.astype(np.int8)):
        np.testing.assert_array_equal(by_row(loss, target, raw, k), expected)
        if not loss.facts.distributions:
            np.testing.assert_array_equal(
                measure(loss, target, linked(loss, raw), k, reduction="none"),
                measure(loss, y, linked(loss, raw), k, reduction="none"),
            )


@quick
@given(problems(spreads=[0.1, 2.0, 10.0]))
def test_one_column_speaks_of_the_second_class(loss, problem):
    rng, n, _, spread = problem
    y, score = targets(loss, rng, n, 2), rng.normal(0, spread, n)
    if loss.facts.needs == "latent":
        with pytest.raises(InputError, match="one score for each row"):
            by_row(loss, y, np.stack([-score, score], axis=1), 2)
        return
    if is_multilabel(loss):  # one column is one label
        np.testing.assert_array_equal(
            by_row(loss, y[:, 0], score, 1), by_row(loss, y[:, :1], score[:, np.newaxis], 1)
        )
        return
    both = np.stack([np.zeros(n), score], axis=1)
    np.testing.assert_allclose(
        by_row(loss, y, score, 2), by_row(loss, y, both, 2), rtol=1e-12, atol=1e-13
    )
    if not of_scores(loss) and not loss.facts.distributions:
        p = rng.uniform(size=n)
        one = measure(loss, y, p, 2, reduction="none")
        two = measure(loss, y, np.stack([1 - p, p], axis=1), 2, reduction="none")
        np.testing.assert_allclose(one, two, rtol=1e-14, atol=1e-15)


@quick
@given(problems())
def test_probabilities_are_the_link_of_raw_scores(loss, problem):
    soft = bool(problem[0].integers(2))
    y, raw, k = problem_of(loss, problem, soft=soft)
    if is_multilabel(loss):
        raw = raw / 10  # a probability near 1 has lost the digits of its complement
    from_raw = by_row(loss, y, raw, k)
    if of_scores(loss):
        assert loss.facts.link in ("identity", "cumulative logit")
        assert "from_logits" not in xentexp_options(loss)
        np.testing.assert_array_equal(from_raw, measure(loss, y, raw, k, reduction="none"))
        return
    by_p = measure(loss, y, linked(loss, raw), k, reduction="none", **without_a_clip(loss))
    np.testing.assert_allclose(by_p, from_raw, rtol=1e-9, atol=1e-9)
    if "from_logits" in xentexp_options(loss):
        np.testing.assert_allclose(
            measure(loss, y, raw, k, from_logits=True, reduction="none"), from_raw, rtol=1e-13
        )


@quick
@given(problems())
def test_single_precision_is_computed_in_double(loss, problem):
    y, raw, k = problem_of(loss, problem)
    single = raw.astype(np.float32)
    np.testing.assert_allclose(
        by_row(loss, y, single, k), by_row(loss, y, single.astype(np.float64), k), rtol=1e-6
    )
    if of_scores(loss):
        return
    rng, n = problem[0], len(raw)
    for dtype, steps in ((np.float32, 4096), (np.float16, 512)):  # exact in every precision
        p = (rng.multinomial(steps - k, np.ones(k) / k, size=n) + 1) / steps
        for reduction in ("none", "mean"):
            np.testing.assert_allclose(
                measure(loss, y, p.astype(dtype), k, reduction=reduction),
                measure(loss, y, p, k, reduction=reduction),
                rtol=1e-6,
                atol=1e-9 if loss.name == "label_relaxation" else 1e-15,
            )


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in UNLIKE])
@quick
@given(problem=problems())
def test_the_order_of_alike_classes_does_not_matter(name, problem):
    loss = LOSSES[name]
    y, raw, k = problem_of(loss, problem)
    order = problem[0].permutation(k)
    moved = y[:, order] if y.ndim == 2 else np.argsort(order)[y]
    # The rounding of an entropy from raw scores grows with their distance, here up to 200.
    atol = 1e-12 if loss.name == "entropy" else 1e-14
    np.testing.assert_allclose(
        by_row(loss, moved, raw[:, order], k), by_row(loss, y, raw, k), rtol=1e-12, atol=atol
    )
    if "labels" in xentexp_options(loss):
        names = np.array(list("defabc"))[:k]
        np.testing.assert_allclose(
            by_row(loss, names[y], raw[:, order], k, labels=names[order]),
            by_row(loss, y, raw, k),
            rtol=1e-12,
            atol=1e-14,
        )


@pytest.mark.parametrize("name", sorted(UNLIKE))
def test_renaming_unlike_classes_changes_the_value(name):
    loss, rng = LOSSES[name], np.random.default_rng(0)
    k = n_classes(loss, 3)
    y, raw = targets(loss, rng, 20, k), scores(loss, rng, 20, k)
    turned = np.roll(np.arange(k), 1)
    moved = raw if raw.ndim == 1 else raw[:, turned]
    difference = by_row(loss, np.argsort(turned)[y], moved, k) - by_row(loss, y, raw, k)
    assert np.abs(difference).max() > 1e-3


def test_the_unlike_classes_are_ordered_ones_and_those_of_two_focuses():
    ordered = {name for name, loss in LOSSES.items() if loss.facts.ordered}
    assert ordered | {"asymmetric_loss"} == UNLIKE


# -- range -----------------------------------------------------------------------------------

# Largest value of a row, by what stands at the upper end of facts.range.
UPPER = {
    "inf": lambda loss, k: np.inf,
    "1": lambda loss, k: 1.0,
    "2": lambda loss, k: 2.0,
    "4": lambda loss, k: 4.0,
    "pi/2": lambda loss, k: np.pi / 2,
    "beta": lambda loss, k: loss.beta,
    "1/q": lambda loss, k: 1 / loss.q,
    "sum_m 1/m": lambda loss, k: sum(1 / m for m in range(1, loss.order + 1)),
    "1/(1 - t1)": lambda loss, k: 1 / (1 - loss.t1),
    "k - 1": lambda loss, k: k - 1,
    "(k - 1)/k": lambda loss, k: (k - 1) / k,
    "1/k": lambda loss, k: 1 / k,
    "2/k": lambda loss, k: 2 / k,
    "2/k log cosh 1": lambda loss, k: 2 / k * np.log(np.cosh(1)),
    "2/k log(2)^2": lambda loss, k: 2 / k * np.log(2) ** 2,
    "log k": lambda loss, k: np.log(k),
    "log 2": lambda loss, k: np.log(2),
}
WITHIN = 1 + 1e-14


def upper_end(loss, k):
    low, high = loss.facts.range[1:-1].split(", ")
    assert low == "0"
    return UPPER[high](loss, k)


@quick
@given(problems(spreads=[0.1, 2.0, 30.0, 1e3, 1e6]))
def test_values_lie_in_their_range(loss, problem):
    for soft in (False, True):
        y, raw, k = problem_of(loss, problem, soft=soft)
        values = by_row(loss, y, raw, k)
        assert not np.isnan(values).any()
        assert values.min() >= 0
        assert values.max() <= upper_end(loss, k) * WITHIN
        assert np.isfinite(values).all() or loss.name in OVERFLOW
        if loss.facts.range.startswith("(") and np.abs(raw).max() < 20:
            assert values.min() > 0
        if of_scores(loss):
            continue
        certain = np.eye(k)[problem[0].integers(k, size=len(raw))]
        for p in (linked(loss, raw), certain):
            values = measure(loss, y, p, k, reduction="none")
            assert not np.isnan(values).any()
            assert values.min() >= 0
            assert values.max() <= upper_end(loss, k) * WITHIN


OVERFLOW = {"exponential_loss"}


def without_a_clip(loss):
    return {"clip": 0} if "clip" in xentexp_options(loss) else {}


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_upper_end_is_reached_or_approached(loss, k):
    if loss.facts.binary_only and k > 2:
        assert loss.unsuited(n_classes=k, soft=False, has_proba=True, has_decision=True) == (
            f"is for two classes; there are {k}"
        )
        return
    end = upper_end(loss, k)
    if loss.name == "brier_loss" and k == 2:
        end = 1.0  # it is halved
    if loss.name == "reverse_kl_divergence":
        assert measure(loss, np.eye(k)[[0]], np.eye(k)[[1]], k) == end
        return
    if loss.facts.targets == "none":
        assert measure(loss, None, np.full((1, k), 1 / k), k) == pytest.approx(end, rel=1e-14)
        return
    if np.isfinite(end) or loss.facts.range.endswith("]"):
        assert measure(loss, np.array([0]), np.eye(k)[[k - 1]], k) == pytest.approx(end, rel=1e-14)
        return
    y = np.ones((1, k), dtype=int) if is_multilabel(loss) else np.array([k - 1])
    far = -1e4 * np.eye(k)[[k - 1]] if loss.facts.needs != "latent" else np.array([-1e4])
    assert by_row(loss, y, -1e4 * np.ones((1, k)) if is_multilabel(loss) else far, k)[0] > 1e3


@pytest.mark.parametrize("k", [2, 3])
def test_a_perfect_prediction_costs_nothing(loss, k):
    if loss.facts.range.startswith("("):
        assert loss.name in NEVER_NOTHING
        return
    assert loss.name not in NEVER_NOTHING
    k = n_classes(loss, k)
    certain, y = np.eye(k), np.arange(k)
    if is_multilabel(loss):
        y = certain.astype(int)
    if loss.facts.targets == "positive":
        y = certain = np.full((k, k), 0.1) + (1 - 0.1 * k) * np.eye(k)
    predicted = 5 * certain - 3 if of_scores(loss) else certain
    values = measure(loss, y, predicted, k, reduction="none", **without_a_clip(loss))
    np.testing.assert_array_equal(values, np.zeros(k))
    assert not np.signbit(values).any()


NEVER_NOTHING = {"exponential_loss", "logistic_margin_loss", "cumulative_link_log_loss"}


@pytest.mark.parametrize(
    "name",
    [
        "kl_divergence", "reverse_kl_divergence", "jensen_shannon_divergence",
        "renyi_divergence", "alpha_divergence", "bi_tempered_logistic_loss", "brier_loss",
        "squared_error", "absolute_error", "huber_loss", "log_cosh_loss", "poisson_deviance",
        "squared_log_error", "ranked_probability_score", "squared_earth_mover_distance",
    ],
)  # fmt: skip
def test_a_distance_of_a_distribution_from_itself_is_nothing(name):
    loss, p = LOSSES[name], np.random.default_rng(0).dirichlet(np.ones(4), size=50)
    np.testing.assert_allclose(measure(loss, p, p, 4, reduction="none"), 0, atol=1e-14)


# -- extremes --------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [600.0, 699.0, 701.0, 1e4, 1e300])
def test_raw_scores_far_apart_stay_accurate(gap):
    raw, y = np.array([[gap, 0.0, -1.0], [0.0, gap, 0.0]]), np.array([1, 1])
    expected = {
        "categorical_crossentropy": [gap, 0],
        "logarithmic_score": [gap / np.log(2), 0],
        "categorical_focal_crossentropy": [gap, 0],
        "poly1_crossentropy": [gap + 1, 0],
        "renyi_divergence": [gap, 0],
        "kl_divergence": [gap, 0],
        "poisson_deviance": [2 / 3 * gap, 0],
        "cumulative_log_loss": [gap - np.log1p(np.exp(-1)), 0],
        "brier_loss": [2, 0],
        "spherical_loss": [1, 0],
        "ranked_probability_score": [1, 0],
        "categorical_hinge": [gap + 1, 0],
        "weston_watkins_hinge": [gap + 1, 0],
        "bi_tempered_logistic_loss": None,
    }
    for name, values in expected.items():
        ours = by_row(get_loss(name), y, raw, 3)
        assert np.isfinite(ours).all(), name
        if values is not None:
            np.testing.assert_allclose(ours, values, rtol=1e-14, atol=1e-200, err_msg=name)
    np.testing.assert_allclose(by_row(get_loss("entropy"), y, raw, 3), [0, 0], atol=1e-12)


def test_a_latent_score_far_off_stays_accurate():
    loss = LOSSES["cumulative_link_log_loss"]  # cuts at -.5 and .5
    values = by_row(loss, [0, 1, 2], np.array([900.0, 900.0, -900.0]), 3)
    middle = 900 - 0.5 - np.log1p(-np.exp(-1.0))
    np.testing.assert_allclose(values, [900.5, middle, 900.5], rtol=1e-14)
