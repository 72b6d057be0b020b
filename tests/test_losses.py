"""The table of losses, and the properties that every loss in it has."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from xentexp.errors import InputError
from xentexp.evaluation import evaluate
from xentexp.losses import LOSSES, get_loss

NAMES = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "brier_loss",
    "squared_error",
    "absolute_error",
    "zero_one_loss",
    "hinge_loss",
    "squared_hinge_loss",
    "categorical_hinge",
    "weston_watkins_hinge",
    "entropy",
    "cross_entropy",
    "kl_divergence",
]
quick = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # losses are frozen
)


@st.composite
def problems(draw):
    """Seed, number of rows and classes, and the spread of raw scores."""
    seed = draw(st.integers(0, 2**32 - 1))
    n_rows = draw(st.integers(1, 40))
    n_classes = draw(st.integers(2, 6))
    return np.random.default_rng(seed), n_rows, n_classes, draw(st.sampled_from([0.1, 2.0, 30.0]))


def labels_and_scores(loss, problem):
    rng, n_rows, n_classes, spread = problem
    n_classes = 2 if loss.facts.binary_only else n_classes
    return rng.integers(n_classes, size=n_rows), rng.normal(0, spread, (n_rows, n_classes))


def rows(loss, y, scores, **options):
    """Value of each row, from raw scores, which every loss takes."""
    result = evaluate(y, scores, [loss], from_logits=True, per_sample=True, **options)
    return result.samples[loss.name]


def test_the_table_holds_the_losses_in_this_order():
    assert list(LOSSES) == NAMES
    assert [loss.name for loss in LOSSES.values()] == NAMES


def test_a_loss_is_a_frozen_hashable_picklable_value(loss):
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss == get_loss(loss.name) == get_loss(loss)
    assert hash(again) == hash(loss)
    assert len({loss, again}) == 1
    assert [other.name for other in LOSSES.values() if other == loss] == [loss.name]
    for name in ["name", *(field.name for field in dataclasses.fields(loss))]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, name, "other")


def test_the_facts_of_a_loss_are_complete_and_frozen(loss):
    facts = loss.facts
    assert facts.summary.endswith(".")
    assert all([facts.formula, facts.range, facts.reference, facts.example])
    assert f"{loss.name}(" in facts.example
    assert (facts.direction == "none") == (facts.properness == "-") == (loss.name == "entropy")
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts.direction = "none"


@pytest.mark.parametrize(
    ("name", "parameters", "shown"),
    [
        ("squared_error", {"over_classes": "half_sum"}, "SquaredError(over_classes='half_sum')"),
        ("absolute_error", {"over_classes": "sum"}, "AbsoluteError(over_classes='sum')"),
        ("brier_loss", {"scale_by_half": False}, "BrierLoss(scale_by_half=False)"),
        ("cross_entropy", {"delta": 1e-10}, "CrossEntropy(delta=1e-10)"),
        ("entropy", {}, "Entropy()"),
    ],
)
def test_get_loss_sets_parameters(name, parameters, shown):
    loss = get_loss(name, **parameters)
    assert repr(loss) == shown
    assert loss == get_loss(LOSSES[name], **parameters)
    assert (loss == LOSSES[name]) == (parameters == {})
    assert pickle.loads(pickle.dumps(loss)) == loss


@pytest.mark.parametrize(
    ("name", "parameters", "parts"),
    [
        ("brier", {}, ["unknown loss 'brier'", "did you mean 'brier_loss'"]),
        ("log_loss", {}, ["unknown loss 'log_loss'", "Known: absolute_error, binary_cross"]),
        (None, {}, ["unknown loss None", "Known:"]),
        (["hinge_loss"], {}, ["unknown loss ['hinge_loss']"]),
        ("squared_error", {"over_class": "sum"}, ["'over_class'", "did you mean 'over_classes'"]),
        ("hinge_loss", {"delta": 1.0}, ["unknown parameter of hinge_loss 'delta'"]),
        ("squared_error", {"over_classes": "summ"}, ["'summ'", "did you mean 'sum'"]),
        ("brier_loss", {"scale_by_half": "no"}, ["'auto', True or False", "got 'no'"]),
        ("cross_entropy", {"delta": -1.0}, ["delta must be >= 0", "got -1.0"]),
        ("cross_entropy", {"delta": np.nan}, ["delta must be >= 0", "got nan"]),
        ("cross_entropy", {"delta": np.inf}, ["finite", "got inf"]),
        ("cross_entropy", {"delta": "1"}, ["delta must be >= 0", "got '1'"]),
    ],
)
def test_get_loss_says_what_is_wrong(name, parameters, parts):
    with pytest.raises(InputError) as error:
        get_loss(name, **parameters)
    assert all(part in str(error.value) for part in parts), str(error.value)


@quick
@given(problems())
def test_every_row_stands_for_itself(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    order = problem[0].permutation(len(y))
    np.testing.assert_array_equal(rows(loss, y[order], scores[order]), rows(loss, y, scores)[order])


@quick
@given(problems())
def test_a_whole_weight_is_a_repeated_row(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    weight = problem[0].integers(0, 4, size=len(y))
    weight[0] = 2
    weighted = evaluate(y, scores, [loss], from_logits=True, sample_weight=weight).state
    repeated = evaluate(
        np.repeat(y, weight), np.repeat(scores, weight, axis=0), [loss], from_logits=True
    ).state
    assert weighted.weight == repeated.weight
    np.testing.assert_allclose(weighted.mean(), repeated.mean(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(weighted.class_mean(), repeated.class_mean(), rtol=1e-12, atol=1e-15)


@quick
@given(problems())
def test_one_hot_targets_are_labels_to_the_bit(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    one_hot = np.eye(scores.shape[1])[y]
    if loss.facts.targets == "labels":
        with pytest.raises(InputError, match="takes labels of shape"):
            rows(loss, one_hot, scores)
        return
    np.testing.assert_array_equal(rows(loss, one_hot, scores), rows(loss, y, scores))
    if loss.facts.needs != "scores":
        proba = softmax(scores, axis=1)
        by_target = [
            evaluate(target, proba, [loss], per_sample=True).samples[loss.name]
            for target in (one_hot, one_hot.astype(np.int8), y)
        ]
        np.testing.assert_array_equal(by_target[0], by_target[2])
        np.testing.assert_array_equal(by_target[1], by_target[2])


@quick
@given(problems())
def test_one_column_speaks_of_the_second_class(loss, problem):
    rng, n_rows, _, spread = problem
    y, score = rng.integers(2, size=n_rows), rng.normal(0, spread, n_rows)
    both = np.stack([np.zeros(n_rows), score], axis=1)
    # The rounding of an entropy from raw scores grows with their distance, here up to 100.
    atol = 1e-13 if loss.name == "entropy" else 1e-15
    np.testing.assert_allclose(rows(loss, y, score), rows(loss, y, both), rtol=1e-12, atol=atol)
    if loss.facts.needs != "scores":
        p = rng.uniform(size=n_rows)
        one = evaluate(y, p, [loss], per_sample=True).samples[loss.name]
        two = evaluate(y, np.stack([1 - p, p], axis=1), [loss], per_sample=True)
        np.testing.assert_array_equal(one, two.samples[loss.name])


@quick
@given(problems())
def test_probabilities_are_the_softmax_of_raw_scores(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    if loss.facts.needs == "scores":
        with pytest.raises(InputError, match=f"{loss.name} needs decision scores"):
            evaluate(y, softmax(scores, axis=1), [loss])
        return
    result = evaluate(y, softmax(scores, axis=1), [loss], clip=0, per_sample=True)
    np.testing.assert_allclose(
        result.samples[loss.name], rows(loss, y, scores), rtol=1e-9, atol=1e-9
    )


@quick
@given(problems())
def test_the_order_of_the_classes_does_not_matter(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    names = np.array(list("defabc"))[: scores.shape[1]]
    order = problem[0].permutation(scores.shape[1])
    np.testing.assert_allclose(
        rows(loss, names[y], scores[:, order], labels=names[order]),
        rows(loss, names[y], scores, labels=names),
        rtol=1e-12,
        atol=1e-14,
    )


@quick
@given(problems())
def test_values_are_numbers_from_zero_up(loss, problem):
    y, scores = labels_and_scores(loss, problem)
    values = rows(loss, y, scores)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    if loss.facts.range.startswith("[0, 1]"):
        assert values.max() <= 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_perfect_prediction_costs_nothing(loss, n_classes):
    if loss.facts.binary_only and n_classes == 3:
        assert loss.unsuited(n_classes=3, soft=False, has_proba=True, has_decision=True) == (
            "is for two classes; there are 3"
        )
        return
    y = np.arange(n_classes)
    certain = np.eye(n_classes)
    decision = 5 * certain - 3
    result = evaluate(y, certain, [loss], decision=decision, clip=0, per_sample=True)
    np.testing.assert_array_equal(result.samples[loss.name], np.zeros(n_classes))
    assert not np.signbit(result.samples[loss.name]).any()


def expected(loss, truth, p):
    """Expected loss of the prediction `p` where labels come from `truth`."""
    k = len(truth)
    result = evaluate(
        np.arange(k), np.tile(p, (k, 1)), [loss], sample_weight=truth, labels=range(k)
    )
    return result.mean[loss.name]


@quick
@given(problems())
def test_the_truth_is_the_best_prediction_of_a_proper_loss(loss, problem):
    if loss.facts.properness not in ("proper", "strictly proper"):
        return
    rng, _, n_classes, _ = problem
    k = 2 if loss.facts.binary_only else n_classes
    truth = rng.dirichlet(np.ones(k))
    best = expected(loss, truth, truth)
    for p in [*rng.dirichlet(np.ones(k), size=5), 0.9 * truth + 0.1 / k]:
        excess = expected(loss, truth, p) - best
        if loss.facts.properness == "strictly proper" and np.abs(p - truth).max() > 1e-3:
            assert excess > 1e-9
        else:
            assert excess >= -1e-12


@pytest.mark.parametrize(
    ("name", "truth", "lie", "sign"),
    [
        ("absolute_error", [0.6, 0.4], [1.0, 0.0], -1),  # improper: certainty beats the truth
        ("zero_one_loss", [0.6, 0.4], [0.9, 0.1], 0),  # proper, not strictly
        ("brier_loss", [0.6, 0.4], [1.0, 0.0], 1),
    ],
)
def test_what_properness_means(name, truth, lie, sign):
    loss = LOSSES[name]
    difference = expected(loss, truth, lie) - expected(loss, truth, truth)
    assert np.sign(round(difference, 12)) == sign
    assert loss.facts.properness == {-1: "improper", 0: "proper", 1: "strictly proper"}[sign]


@pytest.mark.parametrize("name", ["hinge_loss", "squared_hinge_loss"])
def test_margin_losses_are_improper_and_need_scores(name):
    assert LOSSES[name].facts.properness == "improper"
    assert LOSSES[name].facts.needs == "scores"


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_margin_losses_by_their_formulas(n_classes):
    rng = np.random.default_rng(n_classes)
    y, scores = rng.integers(n_classes, size=60), rng.normal(0, 2, (60, n_classes))
    lead = scores - scores[np.arange(60), y][:, np.newaxis] + 1
    wrong = np.maximum(lead, 0) * (np.arange(n_classes) != y[:, np.newaxis])
    expected = {"categorical_hinge": wrong.max(axis=1), "weston_watkins_hinge": wrong.sum(axis=1)}
    if n_classes == 2:
        expected |= {"hinge_loss": wrong.max(axis=1), "squared_hinge_loss": wrong.max(axis=1) ** 2}
    result = evaluate(y, None, list(expected), decision=scores, per_sample=True)
    for name, values in expected.items():
        np.testing.assert_allclose(result.samples[name], values, rtol=1e-12, atol=1e-15)
        assert (values > 1).any()
        assert (values == 0).any()


@pytest.mark.parametrize("gap", [600.0, 699.0, 701.0, 1e4, 1e300])
def test_raw_scores_far_apart_stay_accurate(gap):
    scores, names = [[gap, 0.0, -1.0], [0.0, gap, 0.0]], ["categorical_crossentropy", "entropy"]
    result = evaluate([1, 1], scores, names, from_logits=True, per_sample=True)
    np.testing.assert_allclose(result.samples["categorical_crossentropy"], [gap, 0], 1e-15, 1e-200)
    np.testing.assert_allclose(result.samples["entropy"], [0, 0], atol=1e-12)
    everything = evaluate([1, 1], scores, from_logits=True, per_sample=True)
    assert all(np.isfinite(values).all() for values in everything.samples.values())
    np.testing.assert_allclose(everything.samples["brier_loss"], [2, 0], rtol=1e-15, atol=1e-200)
