"""Duplicates and entities in tables with known entities, and their effect on random folds."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from xentexp.errors import InputError
from xentexp.experiments._analysis.leakage import FoldComparison, find_leak, grouped_folds
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._folds import CrossValidation
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate
from xentexp.experiments.datasets import (
    Card,
    Dataset,
    constant_columns,
    entities_by,
    find_duplicates,
    find_entities,
    id_like_columns,
    load_dataset,
    make_dataset,
    simulated_delinquency,
)
from xentexp.experiments.datasets import _entities as entities


@pytest.fixture(scope="module")
def uci() -> Dataset:
    return load_dataset("uci_default")


def pairs(numbers: object) -> float:
    sizes = pd.Series(numbers).value_counts()
    return float((sizes * (sizes - 1)).sum() / 2)


def precision_recall(found: object, true: object) -> tuple[float, float]:
    """Precision and recall of the found pairs of rows."""
    both = pd.MultiIndex.from_arrays([np.asarray(found), np.asarray(true)]).factorize()[0]
    return pairs(both) / pairs(found), pairs(both) / pairs(true)


# --- duplicates and columns --------------------------------------------------------------------


def test_duplicates_are_those_that_pandas_counts(uci: Dataset) -> None:
    both = uci.X.assign(label=uci.y)
    found = find_duplicates(uci.X, uci.y)
    labels = uci.y.groupby(pd.util.hash_pandas_object(uci.X, index=False).to_numpy())
    assert found.rows == uci.X.duplicated().sum() == 56
    assert found.rows_with_label == both.duplicated().sum() == 35
    assert found.conflicting == (labels.transform("nunique") > 1).sum()


def test_missing_values_agree_and_types_are_kept_apart() -> None:
    X = pd.DataFrame(
        {"a": [np.nan, np.nan, 0.0, -0.0], "b": pd.Categorical(["x", "x", None, None])}
    )
    found = find_duplicates(X, pd.Series([0, 0, 0, 1]))
    assert (found.rows, found.rows_with_label, found.conflicting) == (2, 1, 2)


def test_constant_columns_have_one_value_or_none() -> None:
    X = pd.DataFrame({"one": [1, 1], "gap": [1, None], "none": [None, None], "two": [1, 2]})
    assert constant_columns(X) == ["one", "none"]


def test_columns_that_number_or_name_the_rows() -> None:
    rng = np.random.default_rng(0)
    n = 500
    X = pd.DataFrame(
        {
            "running": np.arange(n) + 7,
            "shuffled": rng.permutation(n),
            "time": np.cumsum(rng.integers(1, 10**6, n)),
            "name": [f"client {i}" for i in range(n)],
            "running_with_gaps": np.where(np.arange(n) == 3, np.nan, np.arange(n)),
            "income": rng.lognormal(10, 1, n),  # distinct values, but not an identifier
            "birth": rng.choice(20_000, n, replace=False),
            "sorted": np.sort(rng.normal(size=n)),
            "job": rng.choice(["cook", "clerk"], n),
            "customer": np.arange(n) // 2,
        }
    )
    assert id_like_columns(X) == ["running", "shuffled", "time", "name", "running_with_gaps"]
    assert id_like_columns(X.head(10)) == []


# --- entities ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "repeats"), [(100, 3.0), (600, 1.2), (5000, 1.05), (5000, 3.0), (5000, 20.0)]
)
def test_planted_persons_are_found(n: int, repeats: float) -> None:
    data = simulated_delinquency(n_samples=n, repeats=repeats, seed=5)
    found = find_entities(data.X)
    assert found is not None
    assert found.varying == ("begin_month",)
    assert set(found.columns) == set(data.X.columns) - {"begin_month"}
    assert precision_recall(found.groups, data.groups) == (1.0, 1.0)
    assert found.number == data.groups.nunique()


def test_two_columns_may_vary_and_row_numbers_are_ignored() -> None:
    data = simulated_delinquency(n_samples=3000, repeats=2.0)
    rng = np.random.default_rng(0)
    X = data.X.assign(row=np.arange(3000), one=1, balance=rng.normal(size=3000).round(1))
    found = find_entities(X)
    assert found is not None
    assert found.varying == ("balance", "begin_month") or found.varying == (
        "begin_month",
        "balance",
    )
    assert "row" not in found.columns
    assert "one" not in found.columns
    assert precision_recall(found.groups, data.groups) == (1.0, 1.0)
    assert find_entities(X.assign(third=rng.normal(size=3000))) is None  # documented limitation


def wide(
    rng: np.random.Generator, n: int, n_columns: int, varying: tuple[int, ...]
) -> pd.DataFrame:
    """Two rows per person that differ in the varying columns."""
    X = rng.normal(size=(n // 2, n_columns))[np.arange(n) // 2]
    X[:, list(varying)] = rng.normal(size=(n, len(varying)))
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(n_columns)])


@pytest.mark.parametrize("varying", [(), (5,), (5, 900)])
def test_entities_of_a_wide_table_are_found(varying: tuple[int, ...]) -> None:
    X = wide(np.random.default_rng(0), 60, 1200, varying)
    found = find_entities(X)
    assert found is not None
    assert found.varying == tuple(f"x{i}" for i in varying)
    assert found.groups.tolist() == [i // 2 for i in range(60)]


def test_two_columns_of_a_wide_table_may_vary_in_different_rows() -> None:
    rng = np.random.default_rng(0)
    X = wide(rng, 80, 300, ())
    X.loc[:39, "x5"] = rng.normal(size=40)
    X.loc[40:, "x9"] = rng.normal(size=40)  # no pair of rows differs in both columns
    found = find_entities(X)
    assert found is not None
    assert found.varying == ("x5", "x9")


def test_the_search_in_a_wide_table_does_not_try_every_pair_of_columns(monkeypatch) -> None:
    counted = []
    agreeing = entities._Search.agreeing
    monkeypatch.setattr(
        entities._Search, "agreeing", lambda s, left: counted.append(left) or agreeing(s, left)
    )
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(63, 1200)))
    assert find_entities(X.rename(columns=str)) is None
    assert len(counted) < 5 * 1200  # 719,400 pairs of columns


@pytest.mark.parametrize("seed", range(12))
def test_similar_rows_give_the_entities_of_all_pairs_of_columns(seed: int, monkeypatch) -> None:
    rng = np.random.default_rng(seed)
    n, n_columns = int(rng.integers(50, 400)), int(rng.integers(4, 12))
    X = pd.DataFrame(rng.integers(0, rng.integers(2, 40), size=(n, n_columns)).astype(float))
    X = X.iloc[rng.integers(0, n // 2, n)].reset_index(drop=True).rename(columns=str)
    for column in rng.choice(n_columns, rng.integers(0, 4), replace=False):
        X[str(column)] = rng.normal(size=n)
    every_pair = find_entities(X)
    monkeypatch.setattr(entities, "FEW_COLUMNS", 0)
    similar_rows = find_entities(X)
    if every_pair is None:
        assert similar_rows is None
    else:
        assert similar_rows is not None
        assert similar_rows.describe() == every_pair.describe()


def test_a_search_that_is_too_large_is_limited_and_says_so(monkeypatch) -> None:
    X = wide(np.random.default_rng(0), 100, 40, (3, 7))
    y = np.arange(100) % 2
    assert made(X, y).limited_search is None
    assert made(X, y).found_entities is not None
    monkeypatch.setattr(entities, "MAX_WORK", 1000)
    data = made(X, y)
    assert data.found_entities is None
    assert data.limited_search is not None
    assert "only one varying column because the table has 40 columns" in str(data.limited_search)
    assert "leakage.key=[COLUMN,...]" in str(data.limited_search)
    assert [finding["name"] for finding in data.describe()["findings"]] == ["entity_search"]
    assert data.describe(["x0"])["findings"] == []  # no search


def made(X: pd.DataFrame, y: object) -> Dataset:
    return make_dataset(X, y, Card("wide"))


def test_rows_that_were_copied_are_entities(uci: Dataset) -> None:
    n = len(uci.X)
    copied = pd.concat([uci.X, uci.X.sample(n // 10, random_state=0)])
    true = copied.index.to_numpy()
    found = find_entities(copied.reset_index(drop=True))
    assert found is not None
    assert found.varying == ()
    precision, recall = precision_recall(found.groups, true)
    # 60 pairs of different clients agree; they and their copies are found too
    assert precision > 0.97
    assert recall == 1.0


@pytest.mark.parametrize("repeats", [1.0])
def test_no_entities_if_every_person_has_one_row(repeats: float) -> None:
    for n in (100, 600, 20000):
        assert find_entities(simulated_delinquency(n_samples=n, repeats=repeats).X) is None


def test_duplicates_by_chance_are_not_entities(uci: Dataset) -> None:
    assert find_entities(uci.X) is None
    rng = np.random.default_rng(0)
    few_values = pd.DataFrame({name: rng.integers(0, 3, 5000) for name in "abcdef"})
    assert few_values.duplicated().mean() > 0.8  # nearly all duplicates are by chance
    assert find_entities(few_values) is None
    depending = few_values.assign(g=few_values["a"] + few_values["b"], h=few_values["c"] % 2)
    assert find_entities(depending) is None
    factorial = pd.MultiIndex.from_product([range(4)] * 5, names=list("abcde"))
    assert find_entities(factorial.to_frame(index=False)) is None


def test_the_number_of_pairs_that_agree_by_chance_is_estimated(uci: Dataset) -> None:
    """In two random columns C(n, 2) p q pairs of rows agree, all of them by chance."""
    from xentexp.experiments.datasets._entities import _Search
    from xentexp.experiments.datasets._repeats import cell_hashes

    rng = np.random.default_rng(1)
    X = pd.DataFrame({"a": rng.integers(0, 50, 4000), "b": rng.integers(0, 50, 4000)})
    search = _Search(np.stack(list(cell_hashes(column for _, column in X.items()))))
    assert search.same == pytest.approx([1 / 50, 1 / 50], rel=0.05)
    assert search.agreeing([])[0] == pytest.approx(4000 * 3999 / 2 / 2500, rel=0.1)
    assert search.by_chance(()) > 0.9


def test_entities_by_a_key() -> None:
    X = pd.DataFrame({"a": [1, 1, 1, np.nan, np.nan], "b": ["x", "x", "y", "x", "x"]})
    assert entities_by(X, ["a", "b"]).groups.tolist() == [0, 0, 1, 2, 2]
    assert entities_by(X, ["a"]).describe() | {"how": ""} == {
        "source": "key", "number": 2, "repeated_rows": 5, "largest": 3, "columns": ["a"],
        "varying": [], "by_chance": 0.0, "how": "",
    }  # fmt: skip
    for key in ([], "a", [1], 3):
        with pytest.raises(InputError, match=r"key must be a list of column names such as .*; got"):
            entities_by(X, key)
    with pytest.raises(InputError, match="unknown column in key 'c'"):
        entities_by(X, ["c"])


def test_describe_contains_duplicates_and_entities(uci: Dataset) -> None:
    card = json.loads(json.dumps(uci.describe()))
    assert card["duplicates"] == {"rows": 56, "rows_with_label": 35, "conflicting": 46}
    assert card["constant"] == card["id_like"] == []
    assert card["entities"] is None
    by_key = uci.describe(["AGE", "SEX"])["entities"]
    assert by_key["number"] == len(uci.X[["AGE", "SEX"]].drop_duplicates())
    simulated = simulated_delinquency(n_samples=600)
    assert simulated.describe()["entities"]["source"] == "given"
    without = dataclasses.replace(simulated, groups=None)
    assert without.describe()["entities"]["how"] == (
        "found: rows with equal values in 16 columns (all but begin_month)"
    )


# --- the simulation ----------------------------------------------------------------------------


def test_person_effect_correlates_labels_and_keeps_features_and_probabilities() -> None:
    plain = simulated_delinquency(n_samples=20000, seed=1)
    joined = simulated_delinquency(n_samples=20000, seed=1, person_effect=0.8)
    pd.testing.assert_frame_equal(plain.X, joined.X)
    assert (plain.true_proba == joined.true_proba).all()
    drawn = np.eye(3)[joined.y.to_numpy()]
    # unbiased within standard errors of a mean over about 6,700 persons
    assert drawn.mean(axis=0) == pytest.approx(joined.true_proba.mean(axis=0), abs=0.02)

    def within(data: Dataset) -> float:
        rest = (data.y.to_numpy() == 2) - data.true_proba[:, 2]
        frame = pd.DataFrame({"person": data.groups, "rest": rest})
        sums = frame.groupby("person")["rest"].agg(["sum", "count"])
        squares = (frame["rest"] ** 2).groupby(frame["person"]).sum()
        return float(
            (sums["sum"] ** 2 - squares).sum() / (sums["count"] * (sums["count"] - 1)).sum()
        )

    variance = float((plain.true_proba[:, 2] * (1 - plain.true_proba[:, 2])).mean())
    assert within(plain) / variance == pytest.approx(0.0, abs=0.02)
    assert within(joined) / variance > 0.4
    with pytest.raises(InputError, match="person_effect must be at least 0 and below 1; got 1"):
        simulated_delinquency(person_effect=1)


# --- leaks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stratified", "repeated"])
def test_a_leak_is_counted_row_by_row(kind: str) -> None:
    data = simulated_delinquency(n_samples=600, repeats=2.0)
    cv = CrossValidation(kind, n_splits=4, n_repeats=2 if kind == "repeated" else 1)
    folds = cv.folds(data)
    leak = find_leak(data, cv, folds)
    person = data.groups.to_numpy()
    known = [person[row] in set(person[fold.train]) for fold in folds for row in fold.test]
    both = {p for f in folds for p in set(person[f.train]) & set(person[f.test])}
    assert leak is not None
    assert leak.share == pytest.approx(np.mean(known))
    assert leak.shared == len(both)
    assert f"{np.mean(known):.1%} of the test rows" in leak.warning()
    assert "groups of the data set" in leak.warning()


def test_a_leak_is_found_without_groups_and_by_a_key() -> None:
    given = simulated_delinquency(n_samples=600)
    data = dataclasses.replace(given, groups=None)
    cv = CrossValidation()
    found = find_leak(data, cv, cv.folds(data))
    with_groups = find_leak(given, cv, cv.folds(data))
    assert found is not None
    assert with_groups is not None
    assert (found.share, found.shared) == (with_groups.share, with_groups.shared)
    assert "all but begin_month" in found.warning()
    by_key = find_leak(data, cv, cv.folds(data), ["DAYS_BIRTH", "gender"])
    assert by_key is not None
    assert by_key.entities.source == "key"


def test_no_leak_without_shared_entities(uci: Dataset) -> None:
    cv = CrossValidation()
    assert find_leak(uci, cv, cv.folds(uci)) is None
    one_row_each = simulated_delinquency(n_samples=2000, repeats=1.0)
    assert find_leak(one_row_each, cv, cv.folds(one_row_each)) is None
    data = simulated_delinquency(n_samples=600)
    for other in (
        CrossValidation("grouped"),
        CrossValidation("time_ordered", time_column="begin_month"),
    ):
        assert find_leak(data, other, other.folds(data)) is None


def test_grouped_folds_have_the_same_size_and_keep_persons_together() -> None:
    data = simulated_delinquency(n_samples=600)
    cv = CrossValidation("repeated", n_splits=4, n_repeats=3, seed=2)
    leak = find_leak(data, cv, cv.folds(data))
    assert leak is not None
    folds = grouped_folds(leak, data, cv)
    assert len(folds) == 4
    person = data.groups.to_numpy()
    assert all(not set(person[f.train]) & set(person[f.test]) for f in folds)
    assert [f.test.tolist() for f in folds] == [
        f.test.tolist() for f in CrossValidation("grouped", n_splits=4, seed=2).folds(data)
    ]
    three = dataclasses.replace(data, groups=data.groups % 3)
    leak = find_leak(three, cv, cv.folds(three))
    assert leak is not None
    with pytest.raises(InputError, match="at most the number of groups, 3; got 4"):
        grouped_folds(leak, three, cv)


@pytest.mark.long
def test_random_folds_are_optimistic_for_a_model_that_memorizes_persons() -> None:
    """No model has a lower expected loss than the true probabilities, which are known here.

    On random folds, a forest that memorizes persons has a lower loss than the true probabilities.
    On grouped folds, it has the expected loss under the true probabilities.
    """
    data = simulated_delinquency(n_samples=3000, repeats=4.0, person_effect=0.9, seed=3)
    forest = RandomForestClassifier(60, min_samples_leaf=3, random_state=0)
    model = Candidate("forest", tabular_pipeline(forest, "ordinal"))
    cv = CrossValidation(n_splits=4)
    leak = find_leak(data, cv, cv.folds(data))
    assert leak is not None
    name = "brier_loss"
    random, grouped = (
        run_experiment(
            data, [model], folds, losses=[name], metrics=[], primary=name
        ).candidate_results[0]
        for folds in (cv.folds(data), grouped_folds(leak, data, cv))
    )
    best = float((1 - (data.true_proba**2).sum(axis=1)).mean())
    assert random.mean()[name] < best - 0.05  # better than the best possible
    expected = best + grouped.regret()[name]
    # three standard errors: about 750 persons, whose losses have a deviation of 0.4
    assert grouped.mean()[name] == pytest.approx(expected, abs=0.045)
    both = FoldComparison(name, {"forest": random.mean()[name]}, {"forest": grouped.mean()[name]})
    assert both.optimism("forest") > 0.1


@pytest.mark.long
def test_random_folds_are_not_optimistic_if_cards_are_independent() -> None:
    """Persons are in both parts, but memorizing them does not help."""
    data = simulated_delinquency(n_samples=3000, repeats=4.0, seed=3)
    forest = RandomForestClassifier(60, min_samples_leaf=3, random_state=0)
    model = Candidate("forest", tabular_pipeline(forest, "ordinal"))
    cv = CrossValidation(n_splits=4)
    leak = find_leak(data, cv, cv.folds(data))
    assert leak is not None
    name = "brier_loss"
    random, grouped = (
        run_experiment(
            data, [model], folds, losses=[name], metrics=[], primary=name
        ).candidate_results[0]
        for folds in (cv.folds(data), grouped_folds(leak, data, cv))
    )
    assert random.mean()[name] > grouped.mean()[name] - 0.01


# --- the comparison ----------------------------------------------------------------------------


def test_optimism_depends_on_the_direction_of_the_metric() -> None:
    assert FoldComparison("brier_loss", {"a": 0.3}, {"a": 0.4}).optimism("a") == pytest.approx(0.1)
    assert FoldComparison("roc_auc", {"a": 0.9}, {"a": 0.7}).optimism("a") == pytest.approx(0.2)
    slope = FoldComparison("calibration_slope", {"a": 1.1}, {"a": 0.7})
    assert slope.optimism("a") == pytest.approx(0.2)
    assert math.isnan(FoldComparison("brier_loss", {"a": 0.3}, {}).optimism("a"))


def test_the_comparison_ranks_by_the_grouped_folds() -> None:
    both = FoldComparison("gini", {"a": 0.9, "b": 0.5, "c": math.nan}, {"a": 0.2, "b": 0.4})
    assert both.rows() == [
        ["b", "0.5000", "0.4000", "+0.1000"],
        ["a", "0.9000", "0.2000", "+0.7000"],
        ["c", "-", "-", "-"],
    ]
    assert both.to_markdown().splitlines()[2] == "| b | 0.5000 | 0.4000 | +0.1000 |"
    assert both.to_records()[2] == {
        "model": "c", "random": None, "grouped": None, "optimism": None,
    }  # fmt: skip


# --- DACON 235713, if its files are installed ----------------------------------------------------

DACON = Path(os.environ.get("XENTEXP_DACON_DIR") or "no such folder")


@pytest.mark.skipif(not DACON.is_dir(), reason="the files of DACON 235713 are not here")
def test_the_persons_of_dacon_are_found() -> None:
    """8,759 persons by the 17 personal columns, all but index, begin_month and credit."""
    data = load_dataset("dacon", path=DACON)
    found = find_entities(data.X)
    assert found is not None
    assert found.number == 8759
    assert found.varying == ("begin_month",)
    assert precision_recall(found.groups, data.groups) == (1.0, 1.0)
    as_table = data.X.assign(index=np.arange(len(data.X)), credit=data.y)
    assert find_entities(as_table.drop(columns="credit")).number == 8759
    leak = find_leak(data, CrossValidation(), CrossValidation().folds(data))
    assert leak is not None
    assert leak.share > 0.8
