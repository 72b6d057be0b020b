"""Properties that all losses have for any data, such as weights and the order of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.support.strategies import (
    by_row,
    is_multilabel,
    linked,
    measure,
    n_classes,
    of_scores,
    quick,
    random_cases,
    scores,
    targets,
    targets_and_scores,
    without_a_clip,
    xentexp_options,
)
from xentexp.errors import InputError
from xentexp.losses import LOSSES

# Losses that are not symmetric must change if classes are exchanged.
UNLIKE = {name for name, loss in LOSSES.items() if not loss.properties.symmetric}


@quick
@given(random_cases())
def test_values_of_rows_are_independent(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    order = case[0].permutation(len(raw))
    np.testing.assert_array_equal(
        by_row(loss, y[order], raw[order], k), by_row(loss, y, raw, k)[order]
    )
    given_ = linked(loss, raw)
    np.testing.assert_array_equal(
        measure(loss, y[order], given_[order], k, reduction="none"),
        measure(loss, y, given_, k, reduction="none")[order],
    )


@quick
@given(random_cases())
def test_an_integer_weight_equals_repeated_rows(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    weight = case[0].integers(0, 4, size=len(raw))
    weight[0] = 2
    p = linked(loss, raw)
    again = np.repeat(y, weight, axis=0), np.repeat(p, weight, axis=0)
    for reduction in ("mean", "sum"):
        ours = measure(loss, y, p, k, sample_weight=weight, reduction=reduction)
        repeated = measure(loss, *again, k, reduction=reduction)
        assert ours == pytest.approx(repeated, rel=1e-12, abs=1e-15)


@quick
@given(random_cases())
def test_a_class_weight_equals_a_sample_weight_of_its_rows(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    factors = case[0].uniform(0.1, 3.0, k)
    if is_multilabel(loss):
        with pytest.raises(InputError, match="class_weight cannot be used with multilabel"):
            by_row(loss, y, raw, k, class_weight=factors)
        return
    factor = y @ factors if y.ndim == 2 else factors[y]
    np.testing.assert_allclose(
        by_row(loss, y, raw, k, class_weight=factors, labels=list(range(k))),
        by_row(loss, y, raw, k, sample_weight=factor),
        rtol=1e-12,
    )
    if "class_weight" in xentexp_options(loss):
        p = linked(loss, raw)
        ours = measure(loss, y, p, k, class_weight=dict(enumerate(factors)))
        assert ours == pytest.approx(measure(loss, y, p, k, sample_weight=factor), rel=1e-12)


@quick
@given(random_cases())
def test_sums_over_any_partition_add_up(loss, case):
    rng = case[0]
    y, raw, k = targets_and_scores(loss, case)
    p, weight = linked(loss, raw), rng.uniform(0.1, 3.0, len(raw))
    parts = rng.integers(4, size=len(raw))
    total = measure(loss, y, p, k, sample_weight=weight, reduction="sum")
    added = sum(
        measure(loss, y[rows], p[rows], k, sample_weight=weight[rows], reduction="sum")
        for rows in (parts == part for part in np.unique(parts))
    )
    assert added == pytest.approx(total, rel=1e-12, abs=1e-15)


@quick
@given(random_cases())
def test_one_hot_targets_are_labels_to_the_bit(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    if is_multilabel(loss):  # integers, booleans and probabilities 0 and 1
        for same in (y.astype(float), y.astype(bool)):
            np.testing.assert_array_equal(by_row(loss, same, raw, k), by_row(loss, y, raw, k))
        return
    if loss.properties.targets == "positive":
        with pytest.raises(InputError, match="needs target distributions without zeros"):
            by_row(loss, case[0].integers(k, size=len(raw)), raw, k)
        return
    one_hot = np.eye(k)[y]
    if loss.properties.targets == "labels":
        with pytest.raises(InputError, match="takes labels of shape"):
            by_row(loss, one_hot, raw, k)
        return
    expected = by_row(loss, y, raw, k)
    for target in (one_hot, one_hot.astype(np.int8)):
        np.testing.assert_array_equal(by_row(loss, target, raw, k), expected)
        if not loss.properties.distributions:
            np.testing.assert_array_equal(
                measure(loss, target, linked(loss, raw), k, reduction="none"),
                measure(loss, y, linked(loss, raw), k, reduction="none"),
            )


@quick
@given(random_cases(spreads=[0.1, 2.0, 10.0]))
def test_one_column_is_for_the_second_class(loss, case):
    rng, n, _, spread = case
    y, score = targets(loss, rng, n, 2), rng.normal(0, spread, n)
    if loss.properties.response == "latent":
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
    if not of_scores(loss) and not loss.properties.distributions:
        p = rng.uniform(size=n)
        one = measure(loss, y, p, 2, reduction="none")
        two = measure(loss, y, np.stack([1 - p, p], axis=1), 2, reduction="none")
        np.testing.assert_allclose(one, two, rtol=1e-14, atol=1e-15)


@quick
@given(random_cases())
def test_probabilities_are_the_link_of_raw_scores(loss, case):
    soft = bool(case[0].integers(2))
    y, raw, k = targets_and_scores(loss, case, soft=soft)
    if is_multilabel(loss):
        raw = raw / 10  # a probability near 1 loses the digits of 1 - p
    from_raw = by_row(loss, y, raw, k)
    if of_scores(loss):
        assert loss.properties.link in ("identity", "cumulative logit")
        assert "from_logits" not in xentexp_options(loss)
        np.testing.assert_array_equal(from_raw, measure(loss, y, raw, k, reduction="none"))
        return
    by_p = measure(loss, y, linked(loss, raw), k, reduction="none", **without_a_clip(loss))
    np.testing.assert_allclose(by_p, from_raw, rtol=1e-9, atol=1e-9)
    if "from_logits" in xentexp_options(loss):
        np.testing.assert_allclose(
            measure(loss, y, raw, k, from_logits=True, reduction="none"), from_raw, rtol=1e-13
        )


@pytest.mark.parametrize("shift", [-1e4, -700.0, 700.0, 1e4])
def test_a_constant_added_to_the_scores_of_a_row_does_not_change_the_loss(loss, shift):
    if is_multilabel(loss) or loss.properties.response == "latent":
        assert loss.properties.link in ("sigmoid", "cumulative logit")  # where it changes the value
        return
    for n in (1, 20):
        y, raw, k = targets_and_scores(loss, (np.random.default_rng(n), n, 3, 2.0))
        raw = np.round(raw * 2**20) / 2**20  # so that the sum is exact
        values, moved = by_row(loss, y, raw, k), by_row(loss, y, raw + shift, k)
        np.testing.assert_allclose(moved, values, rtol=1e-12, atol=1e-15)


@quick
@given(random_cases())
def test_single_precision_is_computed_in_double(loss, case):
    y, raw, k = targets_and_scores(loss, case)
    single = raw.astype(np.float32)
    np.testing.assert_allclose(
        by_row(loss, y, single, k), by_row(loss, y, single.astype(np.float64), k), rtol=1e-6
    )
    if of_scores(loss):
        return
    rng, n = case[0], len(raw)
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
@given(case=random_cases())
def test_symmetric_losses_do_not_depend_on_the_order_of_classes(name, case):
    loss = LOSSES[name]
    y, raw, k = targets_and_scores(loss, case)
    order = case[0].permutation(k)
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
def test_other_losses_depend_on_the_order_of_classes(name):
    loss, rng = LOSSES[name], np.random.default_rng(0)
    k = n_classes(loss, 3)
    y, raw = targets(loss, rng, 20, k), scores(loss, rng, 20, k)
    turned = np.roll(np.arange(k), 1)
    moved = raw if raw.ndim == 1 else raw[:, turned]
    difference = by_row(loss, np.argsort(turned)[y], moved, k) - by_row(loss, y, raw, k)
    assert np.abs(difference).max() > 1e-3


def test_only_ordinal_and_asymmetric_losses_are_not_symmetric():
    ordered = {name for name, loss in LOSSES.items() if loss.properties.ordered}
    assert ordered | {"asymmetric_loss"} == UNLIKE
