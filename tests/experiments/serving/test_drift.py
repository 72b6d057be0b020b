"""Drift of new rows: the stability index of the counts, and no warning for noise."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from xentexp.experiments._serving.columns import TrainingColumns
from xentexp.experiments._serving.drift import DriftCounter
from xentexp.metrics.credit import population_stability_index


def drift(columns, *batches):
    counter = DriftCounter(columns)
    for batch in batches:
        counter.add(columns.transform(batch))
    return {column.column: column for column in counter.result()}


def table(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(shift, 1.0, n)),
            "job": pd.Categorical(rng.choice(["cook", "clerk", "smith"], n, p=[0.5, 0.3, 0.2])),
        }
    )


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_drift_is_the_stability_index_of_the_values(shift):
    old, new = table(1000, 0), table(700, 1, shift)
    found = drift(TrainingColumns().fit(old), new)
    numbers = population_stability_index(old["x"], new["x"])
    assert found["x"].psi == pytest.approx(numbers.value)
    texts = population_stability_index(old["job"].astype(str), new["job"].astype(str))
    assert found["job"].psi == pytest.approx(texts.value)


def test_counts_of_batches_are_added():
    columns = TrainingColumns().fit(table(1000, 0))
    new = table(500, 1, 0.5)
    assert drift(columns, new[:1], new[1:120], new[120:]) == drift(columns, new)


def test_limit_by_chance_is_that_of_the_chi_squared_distribution():
    found = drift(TrainingColumns().fit(table(1000, 0)), table(500, 1))
    # Ten deciles and a bin for missing values; two columns.
    assert found["x"].by_chance == pytest.approx(chi2.ppf(0.995, 10) * (1 / 1000 + 1 / 500))
    assert found["job"].by_chance == pytest.approx(chi2.ppf(0.995, 2) * (1 / 1000 + 1 / 500))


def test_few_rows_are_rarely_reported_without_drift():
    columns = TrainingColumns().fit(table(2000, 0))
    reported = above_mark = 0
    for seed in range(1, 201):
        found = drift(columns, table(30, seed)).values()
        reported += any(column.level != "none" for column in found)
        above_mark += any(column.psi > 0.25 for column in found)
    assert above_mark > 100  # a fixed limit would warn of most files
    assert reported <= 8  # 1% are promised; more than 8 of 200 have probability 0.0002


@pytest.mark.parametrize(("shift", "level"), [(0.0, "none"), (0.4, "moderate"), (1.0, "large")])
def test_levels_are_those_of_the_usual_marks(shift, level):
    found = drift(TrainingColumns().fit(table(4000, 0)), table(4000, 1, shift))["x"]
    assert found.level == level


def test_share_of_unseen_categories():
    columns = TrainingColumns().fit(table(1000, 0))
    new = table(100, 1).astype({"job": object})
    new.loc[:24, "job"] = "pilot"
    found = drift(columns, new)
    assert found["job"].unseen == 0.25
    assert found["x"].unseen is None
    labels = [label for label, _, _ in found["job"].bins]
    assert labels == ["cook", "clerk", "smith", "unseen categories"]
