"""Sets of best models: against arch and brute force, at the limits, and their properties."""

from __future__ import annotations

import itertools
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xentexp.errors import InputError
from xentexp.inference import best_set, holm, max_t, model_confidence_set, paired_difference
from xentexp.inference._several import _max_p, _max_t_p, _range_p, observed_best, set_of_best


def losses(n_rows: int = 400, seed: int = 0, scale: float = 0.05) -> np.ndarray:
    """Losses of six models, the later ones worse, that share most of their variance."""
    rng = np.random.default_rng(seed)
    shared = rng.exponential(size=(n_rows, 1))
    return shared + rng.normal(size=(n_rows, 6)) * 0.3 + scale * np.array([0, 0, 0, 1, 1, 2])


NAMES = ["a", "b", "c", "d", "e", "f"]


# The model confidence set


@pytest.mark.peers
@pytest.mark.long
@pytest.mark.parametrize(("statistic", "method"), [("range", "R"), ("max", "max")])
@pytest.mark.parametrize("seed", range(4))
def test_p_values_equal_those_of_arch_on_the_same_resamples(
    statistic: str, method: str, seed: int
) -> None:
    from arch.bootstrap import MCS

    table = losses(200, seed)
    theirs = MCS(table, size=0.05, reps=300, block_size=1, method=method, seed=seed)
    theirs.compute()
    resampled = np.array([table[rows].mean(axis=0) for rows in theirs._bootstrap_indices])
    means = table.mean(axis=0)
    ours = (_range_p if statistic == "range" else _max_p)(means, resampled - means)
    assert ours == pytest.approx(theirs.pvalues["Pvalue"].sort_index().to_numpy(), abs=1e-12)


@pytest.mark.peers
@pytest.mark.long
@pytest.mark.parametrize(("statistic", "method"), [("range", "R"), ("max", "max")])
def test_p_values_agree_with_arch_within_monte_carlo_error(statistic: str, method: str) -> None:
    from arch.bootstrap import MCS

    table, reps = losses(300, 7), 2000
    theirs = MCS(table, size=0.05, reps=reps, block_size=1, method=method, seed=1)
    theirs.compute()
    ours = model_confidence_set(table, statistic=statistic, n_resamples=reps, random_state=2)
    expected = theirs.pvalues["Pvalue"].sort_index().to_numpy()
    # five standard errors of a difference of two proportions, and the error of the p-value 0
    error = 5 * np.sqrt(2 * np.maximum(expected * (1 - expected), 1 / reps) / reps)
    assert (np.abs(np.array(ours.p) - expected) <= error).all()
    assert set(ours.members) == {str(i) for i in theirs.included}


def brute_force_range(means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The algorithm of the paper, step by step, over all pairs of the remaining models."""
    remaining, p, so_far = list(range(len(means))), np.ones(len(means)), 0.0
    while len(remaining) > 1:
        statistics, simulated = {}, []
        for i, j in itertools.permutations(remaining, 2):
            d = deviations[:, i] - deviations[:, j]
            error = math.sqrt(np.mean(d**2))
            statistics[i, j] = (means[i] - means[j]) / error
            simulated.append(d / error)
        worst = max(statistics, key=statistics.__getitem__)
        so_far = max(so_far, np.mean(np.max(simulated, axis=0) >= statistics[worst]))
        p[worst[0]] = so_far
        remaining.remove(worst[0])
    return p


@pytest.mark.parametrize("seed", range(5))
def test_the_confidence_set_against_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    means, deviations = rng.normal(size=5) * 2, rng.normal(size=(50, 5))
    assert _range_p(means, deviations) == pytest.approx(brute_force_range(means, deviations))


def test_one_step_of_t_max_against_its_definition() -> None:
    # The worst of three models against their average, and then two models.
    rng = np.random.default_rng(4)
    means, moves = np.array([0.0, 0.3, 2.0]), rng.normal(size=(80, 3))
    centered = moves - moves.mean(axis=1, keepdims=True)
    errors = np.sqrt((centered**2).mean(axis=0))
    statistic = ((means - means.mean()) / errors).max()
    first = ((centered / errors).max(axis=1) >= statistic).mean()
    d = moves[:, 1] - moves[:, 0]
    second = (np.abs(d) >= 0.3).mean()
    assert 0.0 < first < second
    assert _max_p(means, moves) == pytest.approx([1.0, second, first])


def test_two_models_give_the_two_sided_t_test() -> None:
    # With two models T_R and T_max are the absolute t statistic, here with a normal distribution.
    table = losses(500, 3, scale=0.0)[:, :2] + [0.0, 0.02]
    d = table[:, 0] - table[:, 1]
    z = abs(d.mean()) / d.std() * math.sqrt(500)
    expected = math.erfc(z / math.sqrt(2))
    assert 0.01 < expected < 0.3
    for statistic in ("range", "max"):
        result = model_confidence_set(
            table, statistic=statistic, n_resamples=20_000, random_state=0
        )
        assert result.p[1] == 1.0 or result.p[0] == 1.0
        assert min(result.p) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_a_small_difference_is_not_lost_beside_a_large_one(size: float) -> None:
    # After "c" is removed, what remains is the set of the two others.
    rng = np.random.default_rng(0)
    a, c = rng.exponential(size=(2, 500))
    b = a + size * (rng.normal(size=500) + 0.02)
    two = model_confidence_set(np.column_stack([a, b]), random_state=0)
    three = model_confidence_set(np.column_stack([a, b, 2 * c]), random_state=0)
    assert 0.05 < two.p[1] < 0.5
    assert three.p == pytest.approx((*two.p, 0.0), abs=0.002)


# Max-t


def test_max_t_against_its_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        means, deviations = rng.normal(size=4) * 1.5, rng.normal(size=(60, 4))
        expected = []
        for i in range(4):
            others = [j for j in range(4) if j != i]
            d = deviations[:, [i]] - deviations[:, others]
            errors = np.sqrt((d**2).mean(axis=0))
            statistic = ((means[i] - means[others]) / errors).max()
            above = ((d / errors).max(axis=1) >= statistic).mean()
            expected.append(above if statistic > 0 else 1.0)
        assert _max_t_p(means, deviations) == pytest.approx(expected)


def test_max_t_of_two_models_is_the_one_sided_t_test() -> None:
    table = losses(500, 3, scale=0.0)[:, :2] + [0.0, 0.02]
    d = table[:, 1] - table[:, 0]
    expected = math.erfc(d.mean() / d.std() * math.sqrt(500 / 2)) / 2
    result = max_t(table, n_resamples=20_000, random_state=0)
    assert result.p[0] == 1.0
    assert result.p[1] == pytest.approx(expected, abs=0.01)


@pytest.mark.long
def test_a_given_best_model_is_kept_with_the_stated_probability() -> None:
    # Six models that are equally good: max-t leaves a given one out with probability .05, so that
    # not all are kept in .05 to .3 of the samples; the confidence set keeps all with .95.
    rng, trials, n = np.random.default_rng(1), 300, 200
    kept_first = kept_all = 0
    for _ in range(trials):
        table = rng.normal(size=(n, 6))
        means = table.mean(axis=0)
        deviations = rng.multinomial(n, np.full(n, 1 / n), size=300) / n @ table - means
        kept_first += _max_t_p(means, deviations)[0] > 0.05
        kept_all += (_range_p(means, deviations) > 0.05).all()
    error = 4 * math.sqrt(0.05 * 0.95 / trials)
    assert abs(kept_first / trials - 0.95) < error
    assert kept_all / trials > 0.95 - error


# Holm against the observed best


def test_the_best_set_by_hand() -> None:
    table = losses()
    result = best_set(table, names=NAMES)
    best = int(table.mean(axis=0).argmin())
    others = [i for i in range(6) if i != best]
    raw = [paired_difference(table[:, i], table[:, best]).p for i in others]
    adjusted = dict(zip(others, holm(raw), strict=True))
    assert result.best == NAMES[best]
    assert result.p == pytest.approx([adjusted.get(i, 1.0) for i in range(6)])
    assert result.members == tuple(NAMES[i] for i in range(6) if i == best or adjusted[i] > 0.05)
    assert 2 <= len(result.members) <= 5
    assert result.differences[best] is None
    assert result.differences[others[0]] == paired_difference(table[:, others[0]], table[:, best])
    assert result.rule == (
        "members: models whose difference to the observed best is not significant at level 0.05 "
        "(two-sided, the wider interval of each comparison, Holm's adjustment for 5 comparisons)"
    )


def test_the_level_is_a_real_option() -> None:
    table = losses(200)
    wide = best_set(table, confidence=0.9999).members
    narrow = best_set(table, confidence=0.2).members
    assert len(wide) > len(narrow) >= 1


def difference(value: float, p: float, reason: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(difference=value, p=p, reason=reason)


def test_the_rule_on_differences_that_exist() -> None:
    # Holm by hand: .012 * 3 = .036, .02 * 2 = .04, .3
    result = set_of_best(
        NAMES[:4],
        [0.5, 0.4, 0.6, 0.7],
        [difference(0.1, 0.3), None, difference(0.2, 0.02), difference(0.3, 0.012)],
    )
    assert result.p == pytest.approx((0.3, 1.0, 0.04, 0.036))
    assert (result.best, result.members) == ("b", ("a", "b"))


def test_a_model_that_is_better_over_the_folds_is_kept() -> None:
    # The mean over rows and the mean over folds of unequal size can have different signs.
    assert set_of_best("ab", [0.4, 0.5], [None, difference(-0.1, 0.001)]).members == ("a", "b")
    higher = set_of_best("ab", [0.5, 0.4], [None, difference(-0.1, 0.001)], higher_is_better=True)
    assert higher.members == ("a",)


def test_a_model_without_a_test_is_kept_and_not_counted() -> None:
    result = set_of_best(
        "abc",
        [0.4, 0.5, 0.6],
        [None, difference(0.1, math.nan, "a single group"), difference(0.2, 0.04)],
    )
    assert result.members == ("a", "b")
    assert result.p[2] == 0.04
    assert result.reasons == (None, "a single group", None)


# Limits of all three


FUNCTIONS = [
    best_set,
    partial(model_confidence_set, random_state=0),
    partial(model_confidence_set, statistic="max", random_state=0),
    partial(max_t, random_state=0),
]
each = pytest.mark.parametrize("function", FUNCTIONS, ids=["holm", "T_R", "T_max", "max_t"])


@each
def test_infinite_and_undefined_losses(function: object) -> None:
    table = np.column_stack([losses(), losses()[:, 0]])
    table[3, 1], table[5, 2] = math.inf, math.nan
    result = function(table)
    assert result.p[1] == 0.0
    assert math.isnan(result.p[2])
    assert result.reasons[1] == (
        "its loss is infinite in at least one row, and so is its expected loss"
    )
    assert result.reasons[2] == "its loss is not defined (NaN) in at least one row"
    assert not {"1", "2"} & set(result.members)
    # the others are as if these two were not there
    rest = [0, 3, 4, 5, 6]
    without = function(table[:, rest], names=[str(i) for i in rest])
    assert without.members == result.members
    assert without.best == result.best
    assert [result.p[i] for i in rest] == pytest.approx(without.p)


@each
def test_no_model_with_a_finite_mean(function: object) -> None:
    table = np.full((10, 2), math.inf)
    result = function(table)
    assert (result.best, result.members, result.p) == (None, (), (0.0, 0.0))


@each
def test_a_single_model_is_the_best(function: object) -> None:
    result = function(losses()[:, :1], names=["only"])
    assert (result.best, result.members, result.p) == ("only", ("only",), (1.0,))


@each
def test_equal_models_are_all_kept(function: object) -> None:
    table = losses()[:, [0, 0, 0]]
    result = function(table)
    assert result.p == (1.0, 1.0, 1.0)
    assert (result.best, result.members) == ("0", ("0", "1", "2"))


@each
def test_a_loss_that_is_larger_in_every_row_is_left_out(function: object) -> None:
    first = losses()[:, 0]
    result = function(np.column_stack([first, first + 0.1]))
    assert (result.members, result.p) == (("0",), (1.0, 0.0))


@each
def test_higher_is_better_negates(function: object) -> None:
    table = losses()
    lower, higher = function(table), function(-table, higher_is_better=True)
    assert (lower.best, lower.members, lower.p) == (higher.best, higher.members, higher.p)
    assert higher.means == pytest.approx([-mean for mean in lower.means])


@each
def test_integer_weights_that_are_0_drop_the_rows(function: object) -> None:
    table = losses()
    weight = (np.arange(400) % 2).astype(float)
    weighted = function(table, sample_weight=weight)
    dropped = function(table[1::2])
    assert weighted.means == pytest.approx(dropped.means)
    assert weighted.best == dropped.best
    assert weighted.p == pytest.approx(dropped.p, abs=0.08)


@each
def test_an_infinite_loss_without_weight_does_not_count(function: object) -> None:
    table, weight = losses(), np.ones(400)
    weight[7] = 0.0
    expected = function(table, sample_weight=weight)
    table[7, 0], table[7, 1] = math.inf, math.nan
    result = function(table, sample_weight=weight)
    assert (result.means, result.p) == (expected.means, expected.p)
    assert result.reasons == (None,) * 6


@pytest.mark.parametrize("function", FUNCTIONS[1:])
def test_few_groups_get_a_note(function: object) -> None:
    table = losses(400)
    assert function(table).notes == ()
    assert function(table, groups=np.arange(400) % 100).notes == ()
    assert function(table, groups=np.arange(400) % 20).notes == (
        "with 20 groups the bootstrap leaves out models too often; it needs about 100",
    )
    assert function(table[:50]).notes == (
        "with 50 rows the bootstrap leaves out models too often; it needs about 100",
    )


@each
def test_groups_make_the_set_larger(function: object) -> None:
    # Each row five times: without groups the standard errors are too small by sqrt(5).
    table = np.repeat(losses(100), 5, axis=0)
    groups = np.repeat(np.arange(100), 5)
    once, grouped = function(table), function(table, groups=groups)
    assert set(once.members) < set(grouped.members)
    assert all(a <= b for a, b in zip(once.p, grouped.p, strict=True))


@each
def test_the_columns_of_a_data_frame_are_the_names(function: object) -> None:
    import pandas as pd

    result = function(pd.DataFrame(losses(), columns=NAMES))
    assert result.names == tuple(NAMES)
    assert result.p == function(losses()).p


def test_of_models_with_the_same_mean_the_first_is_the_best() -> None:
    assert observed_best([0.3, 0.1 + 0.2 - 0.1, 0.2]) == 1
    assert observed_best([0.3, 0.2, 0.1 + 0.2 - 0.1]) == 1
    assert observed_best([0.3, 0.2, 0.4], higher_is_better=True) == 2
    assert observed_best([math.nan, math.inf]) is None


def test_resampled_p_values_repeat_with_the_seed() -> None:
    table = losses()
    assert max_t(table, random_state=3) == max_t(table, random_state=3)
    assert max_t(table, random_state=3).p != max_t(table, random_state=4).p


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(20, 60), st.sampled_from(FUNCTIONS))
def test_properties(seed: int, n_models: int, n_rows: int, function: object) -> None:
    rng = np.random.default_rng(seed)
    table = rng.exponential(size=(n_rows, n_models)) + rng.normal(size=n_models) * 0.2
    names = [f"model {i}" for i in range(n_models)]
    result = function(table, names=names)
    assert result.best in result.members
    assert result.p[names.index(result.best)] == 1.0
    assert all(0.0 <= p <= 1.0 for p in result.p)
    assert result.members == tuple(
        name for name, p in zip(names, result.p, strict=True) if p > 1 - 0.95
    )
    # the order of the models does not matter
    order = rng.permutation(n_models)
    permuted = function(table[:, order], names=[names[i] for i in order])
    assert permuted.best == result.best
    assert set(permuted.members) == set(result.members)
    assert permuted.p == pytest.approx([result.p[i] for i in order])
    # nor does the unit of the losses
    assert function(table * 8.0, names=names).p == pytest.approx(result.p)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_properties_of_the_best_set(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.exponential(size=(40, 4))
    result = best_set(table)
    rows = best_set(table[rng.permutation(40)])
    assert (rows.members, rows.p) == (result.members, pytest.approx(result.p))
    # a larger raw p-value never has a smaller adjusted one
    raw = [1.0 if d is None else d.p for d in result.differences]
    assert [result.p[i] for i in np.argsort(raw)] == sorted(result.p)
    assert all(adjusted >= p for adjusted, p in zip(result.p, raw, strict=True))


TABLE = [[0.1, 0.2], [0.3, 0.4], [0.2, 0.1]]


@pytest.mark.parametrize(
    ("values", "change", "rule"),
    [
        ([0.1, 0.2], {}, r"a row for each sample, at least two, .* got shape \(2,\)"),
        ([[0.1, 0.2]], {}, r"got shape \(1, 2\)"),
        ({0.1}, {}, "values must be a list; got a set"),
        ([[0.1, 0.2], [-math.inf, 0.3]], {}, "got -inf for model '0' in row 1; leave this model"),
        ([[0.1, 0.2], [0.3, math.inf]], {"higher_is_better": True}, "got inf for model '1' in row"),
        (TABLE, {"names": ["a"]}, "names must be 2 different texts"),
        (TABLE, {"confidence": 1.0}, "confidence must be between 0 and 1; got 1.0"),
        (TABLE, {"higher_is_better": 1}, "higher_is_better must be True or False"),
        (TABLE, {"sample_weight": [1.0, 2.0]}, "sample_weight must have shape"),
        (TABLE, {"sample_weight": [1.0, -2.0, 1.0]}, "sample_weight must be finite and not neg"),
    ],
)
@each
def test_invalid_input_raises(
    function: object, values: object, change: dict[str, object], rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        function(values, **change)


def test_an_unknown_statistic_is_refused() -> None:
    with pytest.raises(InputError, match=r"statistic must be one of 'range', 'max'; got 'T_R'"):
        model_confidence_set(TABLE, statistic="T_R")
