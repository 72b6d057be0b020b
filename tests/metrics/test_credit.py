"""Credit tables: values by hand and of other libraries, ties, weights and empty classes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from xentexp import metrics
from xentexp.errors import InputError
from xentexp.metrics.credit import (
    gains_table,
    population_stability_index,
    score_bands,
    swap_set,
)

# 40 rows without ties; the numbers of the peers below are for them.
SCORE = (np.arange(40) * 37 % 101) / 101
EVENT = ((np.arange(40) * 53 % 89) / 89 < SCORE).astype(int)


# -- gains -------------------------------------------------------------------------------------

# Columns cumbad, cumbadrate and lift of scorecardpy 0.1.9.7, `perf.eva_dfkslift(groupnum=10)`.
SCORECARDPY = {
    0.1: (0.20, 1.000000, 2.000000),
    0.2: (0.30, 0.750000, 1.500000),
    0.3: (0.50, 0.833333, 1.666667),
    0.5: (0.75, 0.750000, 1.500000),
    0.7: (0.90, 0.642857, 1.285714),
    1.0: (1.00, 0.500000, 1.000000),
}


def test_gains_equal_those_of_scorecardpy() -> None:
    table = gains_table(EVENT, SCORE, top=list(SCORECARDPY))
    found = {row.share: (row.caught, row.rate, row.lift) for row in table.rows}
    for share, expected in SCORECARDPY.items():
        assert found[share] == pytest.approx(expected, abs=1e-6)
    # The same function gives ks = 0.6 in group 0.6; between groups it may be higher.
    assert table.ks >= 0.6


def test_the_ks_row_is_the_ks_statistic() -> None:
    table = gains_table(EVENT, SCORE)
    assert table.ks == pytest.approx(metrics.ks_statistic(EVENT, SCORE), abs=1e-12)
    above = table.ks_threshold <= SCORE
    assert table.ks_share == above.mean()
    events, others = above[EVENT == 1].mean(), above[EVENT == 0].mean()
    assert abs(events - others) == pytest.approx(table.ks, abs=1e-12)


def test_tied_rows_count_in_part() -> None:
    # Top 2 of 5: the row of score .9, and one of the three of .5, of which two are events.
    table = gains_table([0, 1, 1, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.1], top=[0.4])
    (row,) = table.rows
    assert (row.n_rows, row.threshold) == (2.0, 0.5)
    assert row.events == pytest.approx(2 / 3)
    assert row.rate == pytest.approx(1 / 3)
    assert row.caught == pytest.approx(1 / 3)


def test_a_constant_score_catches_what_it_selects() -> None:
    for row in gains_table(EVENT, np.full(40, 0.3)).rows:
        assert row.caught == pytest.approx(row.share)
        assert row.lift == pytest.approx(1.0)


def test_weights_are_repeated_rows() -> None:
    weight = np.arange(40) % 4
    repeated = np.repeat(np.arange(40), weight)
    for function in (gains_table, score_bands):
        weighted = function(EVENT, SCORE, sample_weight=weight).to_frame()
        plain = function(EVENT[repeated], SCORE[repeated]).to_frame()
        pd.testing.assert_frame_equal(weighted, plain)


def test_labels_choose_the_event() -> None:
    names = np.where(EVENT == 1, "bad", "good")
    named = gains_table(names, SCORE, labels=["good", "bad"])
    assert named == gains_table(EVENT, SCORE)
    assert gains_table(names, np.column_stack([1 - SCORE, SCORE]), labels=["good", "bad"]) == named


def test_without_events_shares_of_events_are_undefined() -> None:
    table = gains_table([0, 0, 0], [0.1, 0.2, 0.3], labels=[0, 1])
    assert table.rate == 0.0
    assert math.isnan(table.ks)
    assert all(row.rate == 0.0 and math.isnan(row.caught) for row in table.rows)
    bands = score_bands([0, 0, 0], [0.1, 0.2, 0.3], labels=[0, 1]).bands
    assert all(band.rate == 0.0 and math.isnan(band.ks) for band in bands)


@pytest.mark.parametrize("top", [[], [0.0], [1.1], 0.1, ["a"], [0.1, 0.1], [math.nan]])
def test_shares_must_be_in_range(top: object) -> None:
    with pytest.raises(InputError, match="top must be a list of different shares"):
        gains_table(EVENT, SCORE, top=top)


def test_more_classes_are_refused() -> None:
    with pytest.raises(InputError, match="gains_table is for two classes; there are 3"):
        gains_table([0, 1, 2], np.eye(3))


# -- bands -------------------------------------------------------------------------------------


def test_bands_of_equal_size() -> None:
    frame = score_bands(EVENT, SCORE).to_frame()
    assert frame["n_rows"].tolist() == [4.0] * 10
    # Columns bad, cumbad and cumbad - cumgood of scorecardpy 0.1.9.7, as above.
    assert frame["events"].tolist() == [4, 2, 4, 2, 3, 3, 0, 2, 0, 0]
    expected = [0.2, 0.3, 0.5, 0.6, 0.75, 0.9, 0.9, 1.0, 1.0, 1.0]
    assert frame["caught"].tolist() == pytest.approx(expected)
    expected = [0.2, 0.2, 0.4, 0.4, 0.5, 0.6, 0.4, 0.4, 0.2, 0.0]
    assert frame["ks"].tolist() == pytest.approx(expected)
    groups = pd.qcut(SCORE, 10)
    means = pd.Series(SCORE).groupby(groups, observed=True).mean()[::-1]
    assert frame["predicted"].tolist() == pytest.approx(means.tolist())


def test_rows_of_equal_score_share_a_band() -> None:
    scores = [0.9] * 7 + [0.5] * 2 + [0.1]
    table = score_bands([1, 0] * 5, scores)
    assert [(b.low, b.high, b.n_rows) for b in table.bands] == [
        (0.9, 0.9, 7.0),
        (0.5, 0.5, 2.0),
        (0.1, 0.1, 1.0),
    ]


def test_bands_with_edges_keep_empty_ones() -> None:
    table = score_bands([0, 1, 0, 1], [0.1, 0.2, 0.2, 0.9], edges=[0.2, 0.4, 0.6])
    assert [(b.low, b.high, b.n_rows, b.events) for b in table.bands] == [
        (0.6, 1.0, 1.0, 1.0),
        (0.4, 0.6, 0.0, 0.0),
        (0.2, 0.4, 2.0, 1.0),
        (0.0, 0.2, 1.0, 0.0),
    ]
    assert math.isnan(table.bands[1].rate)
    assert table.bands[1].caught == 0.5


@pytest.mark.parametrize("edges", [[], [0.5, 0.2], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5], 0.5])
def test_edges_must_ascend(edges: object) -> None:
    with pytest.raises(InputError, match="edges must be ascending scores between 0 and 1"):
        score_bands(EVENT, SCORE, edges=edges)


# -- population stability ----------------------------------------------------------------------

BEFORE = np.repeat(["a", "b", "c", "d"], [120, 77, 69, 34])
AFTER = np.repeat(["a", "b", "c", "d"], [144, 141, 127, 88])


def test_the_index_equals_that_of_optbinning_and_scorecardpy() -> None:
    result = population_stability_index(BEFORE, AFTER)
    # optbinning 1.0.0, `binning.metrics.jeffrey`; scorecardpy 0.1.9.7 `perf_psi` has 0.069142.
    assert result.value == pytest.approx(0.0691419469710575, rel=1e-12)
    parts = [0.03679246, 0.0023846, 0.00238212, 0.02758278]
    assert [part.contribution for part in result.bins] == pytest.approx(parts, abs=1e-8)
    assert result.verdict == "stable"


@pytest.mark.parametrize(
    ("after", "verdict"), [([50, 50], "stable"), ([66, 34], "some shift"), ([75, 25], "shift")]
)
def test_the_usual_marks(after: list[int], verdict: str) -> None:
    result = population_stability_index(["a", "b"] * 50, np.repeat(["a", "b"], after))
    assert result.verdict == verdict


def test_numbers_are_binned_at_quantiles_of_the_first_sample() -> None:
    result = population_stability_index(np.arange(1, 101), np.arange(51, 101), n_bins=4)
    assert [part.label for part in result.bins] == ["<= 25", "25 to 50", "50 to 75", "> 75"]
    assert [part.expected for part in result.bins] == [0.25] * 4
    assert [part.actual for part in result.bins] == [0.0, 0.0, 0.5, 0.5]
    # By hand: two bins of (.5 - .25) log 2, two of (.01 - .25) log(.01 / .25): half of 50 rows.
    expected = 2 * 0.25 * math.log(2) + 2 * (-0.24) * math.log(0.04)
    assert result.value == pytest.approx(expected)


def test_missing_values_are_a_bin() -> None:
    result = population_stability_index([1.0, 2.0, None, 3.0], [1.0, math.nan, math.nan, 2.0])
    assert result.bins[-1].label == "missing"
    assert (result.bins[-1].expected, result.bins[-1].actual) == (0.25, 0.5)
    texts = population_stability_index(
        pd.Series(["x", None, "y"], dtype="string"), pd.Categorical(["x", "y", "z"])
    )
    assert [part.label for part in texts.bins] == ["x", "y", "z", "missing"]


def test_few_different_numbers_have_fewer_bins() -> None:
    result = population_stability_index([0] * 90 + [1] * 10, [0] * 50 + [1] * 50)
    assert [part.label for part in result.bins] == ["<= 0", "> 0"]
    equal = population_stability_index([5, 5, 5], [5, 5])
    assert (equal.value, [part.label for part in equal.bins]) == (0.0, ["all"])


def test_weights_of_the_samples_are_repeated_rows() -> None:
    weight = np.arange(len(BEFORE)) % 3
    weighted = population_stability_index(BEFORE, AFTER, expected_weight=weight)
    repeated = population_stability_index(np.repeat(BEFORE, weight), AFTER)
    assert weighted.value == pytest.approx(repeated.value)
    numbers = np.arange(len(BEFORE)) * 7 % 31
    weighted = population_stability_index(numbers, AFTER.size * [3], expected_weight=weight)
    repeated = population_stability_index(np.repeat(numbers, weight), AFTER.size * [3])
    assert [b.label for b in weighted.bins] == [b.label for b in repeated.bins]


def test_the_size_by_chance_is_the_mean_without_a_shift() -> None:
    rng = np.random.default_rng(0)
    values = [
        population_stability_index(rng.normal(size=400), rng.normal(size=600)) for _ in range(200)
    ]
    mean = np.mean([result.value for result in values])
    assert values[0].by_chance == pytest.approx(9 * (1 / 400 + 1 / 600))
    assert mean == pytest.approx(values[0].by_chance, rel=0.1)


def test_errors_name_the_sample() -> None:
    with pytest.raises(InputError, match=r"actual must have shape \(n,\)"):
        population_stability_index([1, 2], [[1, 2], [3, 4]])
    with pytest.raises(InputError, match="expected_weight must be finite and not negative"):
        population_stability_index([1, 2], [1, 2], expected_weight=[1, -1])
    with pytest.raises(InputError, match="n_bins must be an integer >= 2"):
        population_stability_index([1, 2], [1, 2], n_bins=1)


# -- swap set ----------------------------------------------------------------------------------


def test_cells_of_a_swap_set() -> None:
    second = 1.0 - SCORE
    swap = swap_set(EVENT, SCORE, second, accepted=0.3)
    first = np.argsort(SCORE)[:12]
    other = np.argsort(second)[:12]
    assert set(first).isdisjoint(other)
    assert (swap.both.n_rows, swap.first_only.n_rows, swap.neither.n_rows) == (0.0, 12.0, 16.0)
    assert swap.first_only.events == EVENT[first].sum()
    assert swap.second_only.events == EVENT[other].sum()
    assert swap.events_avoided == EVENT[other].sum() - EVENT[first].sum()
    assert (swap.first_threshold, swap.second_threshold) == (
        SCORE[first].max(),
        second[other].max(),
    )
    assert math.isnan(swap.both.rate)
    for cell in (swap.first_only, swap.second_only, swap.neither):
        test = binomtest(int(cell.events), int(cell.n_rows))
        interval = test.proportion_ci(0.95, method="wilson")
        assert (cell.low, cell.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_ties_do_not_change_the_number_of_accepted_rows() -> None:
    coarse = np.round(SCORE, 1)
    swap = swap_set(EVENT, SCORE, coarse, accepted=0.8)
    assert swap.first_only.n_rows == swap.second_only.n_rows
    assert swap.both.n_rows + swap.first_only.n_rows == 32.0
    constant = swap_set(EVENT, SCORE, np.full(40, 0.5), accepted=0.5)
    assert constant.both.n_rows + constant.second_only.n_rows == 20.0
    assert constant == swap_set(EVENT, SCORE, np.full(40, 0.5), accepted=0.5)


@pytest.mark.parametrize("name", ["accepted", "confidence"])
def test_shares_of_a_swap_set_are_checked(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be between 0 and 1"):
        swap_set(EVENT, SCORE, SCORE, **{name: 1.0})
