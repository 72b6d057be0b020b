"""Folds: each row is in one test part, groups are not split, a seed determines the folds."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from xentexp.errors import InputError
from xentexp.experiments._folds import CrossValidation, Fold, absent_classes
from xentexp.experiments.datasets import Card, Dataset, load_dataset, make_dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("simulated_delinquency", n_samples=600)


@pytest.mark.parametrize("kind", ["stratified", "grouped"])
def test_every_row_is_in_one_test_part_and_not_in_its_training_part(
    kind: str, data: Dataset
) -> None:
    folds = CrossValidation(kind, n_splits=4, seed=1).folds(data)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(600))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == 600


def test_repeats_predict_every_row_once_each(data: Dataset) -> None:
    folds = CrossValidation("repeated", n_splits=3, n_repeats=2).folds(data)
    assert [(fold.repeat, fold.number) for fold in folds] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)
    ]  # fmt: skip
    for repeat in (0, 1):
        rows = np.concatenate([fold.test for fold in folds if fold.repeat == repeat])
        assert sorted(rows) == list(range(600))
    assert folds[0].test.tolist() != folds[3].test.tolist()


def test_stratified_folds_keep_the_shares(data: Dataset) -> None:
    counts = [
        np.bincount(data.y.to_numpy()[fold.test], minlength=3)
        for fold in CrossValidation("stratified", n_splits=4).folds(data)
    ]
    assert np.ptp(counts, axis=0).max() <= 1


def test_no_group_is_in_training_and_test_part(data: Dataset) -> None:
    groups = data.groups.to_numpy()
    for fold in CrossValidation("grouped", n_splits=4).folds(data):
        assert not set(groups[fold.train]) & set(groups[fold.test])


def test_time_ordered_folds_predict_later_rows_only(data: Dataset) -> None:
    time = data.X["begin_month"].to_numpy()
    folds = CrossValidation("time_ordered", n_splits=4, time_column="begin_month").folds(data)
    assert len(folds) == 4
    for fold in folds:
        assert time[fold.train].max() < time[fold.test].min()


def test_dates_as_text_are_ordered_as_dates(data: Dataset) -> None:
    def folds(months: list[str], *, ordered: bool = False) -> list[Fold]:
        values = [months[i % len(months)] for i in range(600)]
        kind = pd.CategoricalDtype(months, ordered=True) if ordered else "category"
        X = data.X.assign(when=pd.Series(values, dtype="str").astype(kind))
        cv = CrossValidation("time_ordered", n_splits=2, time_column="when")
        return cv.folds(dataclasses.replace(data, X=X))

    dates = ["2019-12-31", "2020-01-01", "2020-02-01T10:00:00", "2020-10-01"]
    for fold in folds(dates):
        assert (fold.train % 4).max() < (fold.test % 4).min()
    for fold in folds(["mon", "fri", "sat", "tue"], ordered=True):
        assert (fold.train % 4).max() < (fold.test % 4).min()
    with pytest.raises(InputError, match=r"numbers or ISO 8601 dates .* has '03/01/2020'"):
        folds(["03/01/2020", "09/01/2020"])


def test_options_of_another_kind_are_rejected() -> None:
    with pytest.raises(InputError, match="n_repeats is not used with kind='stratified'"):
        CrossValidation("stratified", n_repeats=3)
    with pytest.raises(InputError, match="time_column is not used with kind='grouped'"):
        CrossValidation("grouped", time_column="begin_month")


def test_time_ordered_folds_need_different_times(data: Dataset) -> None:
    X = data.X.assign(year=1.0)
    cv = CrossValidation("time_ordered", n_splits=2, time_column="year")
    with pytest.raises(InputError, match=r"earlier rows to train on; .*same value of 'year'"):
        cv.folds(dataclasses.replace(data, X=X))


@pytest.mark.parametrize("kind", ["stratified", "repeated", "grouped"])
def test_a_seed_determines_the_folds(kind: str, data: Dataset) -> None:
    def rows(seed: int) -> list[list[int]]:
        return [fold.test.tolist() for fold in CrossValidation(kind, seed=seed).folds(data)]

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "stratifed"},
            "unknown kind of cross-validation 'stratifed'; did you mean 'stratified'",
        ),
        ({"n_splits": 1}, "n_splits must be an integer >= 2; got 1"),
        ({"n_splits": 2.5}, "n_splits must be an integer >= 2; got 2.5"),
        ({"kind": "repeated", "n_repeats": 0}, "n_repeats must be an integer >= 1; got 0"),
        ({"n_splits": 601}, "at most the number of rows, 600; got 601"),
        ({"n_splits": 500}, "rows of each class; got 500, but class 0 has"),
        ({"kind": "time_ordered"}, "time_column must be the feature that orders the rows"),
        ({"kind": "time_ordered", "time_column": "begin_mnth"}, "did you mean 'begin_month'"),
        ({"kind": "time_ordered", "time_column": "occyp_type"}, "missing values; 'occyp_type' has"),
    ],
)
def test_invalid_options_are_rejected(options: dict, message: str, data: Dataset) -> None:
    with pytest.raises(InputError, match=message):
        CrossValidation(**options).folds(data)


def test_grouped_folds_need_groups(data: Dataset) -> None:
    with pytest.raises(
        InputError, match="kind='grouped' needs groups, but data set simulated_delinquency"
    ):
        CrossValidation("grouped").folds(dataclasses.replace(data, groups=None))
    two = dataclasses.replace(data, groups=data.groups % 2)
    with pytest.raises(InputError, match="at most the number of groups, 2; got 5"):
        CrossValidation("grouped").folds(two)


def test_groups_from_data_set_from_search_and_from_columns(data: Dataset) -> None:
    given = CrossValidation("grouped", n_splits=4)
    found = CrossValidation("grouped", n_splits=4, groups="auto")
    named = CrossValidation("grouped", n_splits=4, groups=["DAYS_BIRTH", "gender"])
    assert given.entities(data).source == "given"
    assert found.entities(data).varying == ("begin_month",)
    assert named.entities(data).columns == ("DAYS_BIRTH", "gender")
    without = dataclasses.replace(data, groups=None)
    person = data.groups.to_numpy()
    born = data.X["DAYS_BIRTH"].to_numpy()
    for cv, same in ((found, person), (named, born)):
        for fold in cv.folds(without):
            together = set(zip(same[fold.train], data.X["gender"].iloc[fold.train], strict=True))
            grouped = set(zip(same[fold.test], data.X["gender"].iloc[fold.test], strict=True))
            assert not together & grouped


def test_invalid_groups_are_rejected(data: Dataset) -> None:
    with pytest.raises(InputError, match="groups is not used with kind='stratified'"):
        CrossValidation("stratified", groups="auto")
    with pytest.raises(
        InputError, match=r"groups must be None, 'auto' or a list.*groups=\['gender'\]"
    ):
        CrossValidation("grouped", groups="gender")
    with pytest.raises(InputError, match="unknown column in groups 'gendr'"):
        CrossValidation("grouped", groups=["gendr"]).folds(data)
    one_row_each = load_dataset("simulated_delinquency", n_samples=600, repeats=1.0)
    with pytest.raises(InputError, match="groups='auto' did not find entities in data set simul"):
        CrossValidation("grouped", groups="auto").folds(one_row_each)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "grouped"},
        {"kind": "grouped", "groups": "auto"},
        {"kind": "grouped", "groups": "gender"},
        {"kind": "grouped", "groups": ["gendr"]},
        {"kind": "holdout"},
        {"kind": "holdout", "n_test": 600},
        {"kind": "time_ordered"},
        {"kind": "time_ordered", "time_column": "absent"},
        {"n_splits": 601},
    ],
)
def test_messages_have_python_terms_and_no_configuration_keys(options: dict) -> None:
    one_row_each = load_dataset("simulated_delinquency", n_samples=600, repeats=1.0)
    with pytest.raises(InputError) as caught:
        CrossValidation(**options).folds(dataclasses.replace(one_row_each, groups=None))
    assert not re.search(r"\bcv[.=]|\bnull\b", str(caught.value))


def rare(counts: dict[str, int], groups: list[int] | None = None, name: str = "l") -> Dataset:
    y = [label for label, number in counts.items() for _ in range(number)]
    X = pd.DataFrame({"x": np.arange(len(y)) % 7, "time": np.arange(len(y))})
    return make_dataset(X, y, Card(name), groups=None if groups is None else pd.Series(groups))


@pytest.mark.parametrize(
    ("counts", "name", "advice"),
    [
        ({"a": 9, "b": 1}, "l", "class 'b' has 1 row; merge or remove classes with few rows$"),
        ({"a": 9, "b": 3}, "l", "class 'b' has 3 rows; use fewer splits$"),
        ({"a": 9, "b": 1}, "table", "few rows, e.g. with the parameter rare of load_table$"),
    ],
)
@pytest.mark.parametrize("kind", ["stratified", "repeated"])
def test_a_rare_class_has_advice_that_can_be_followed(kind, counts, name, advice) -> None:
    with pytest.raises(InputError, match=advice):
        CrossValidation(kind).folds(rare(counts, name=name))


def test_classes_that_a_training_part_lacks_are_named() -> None:
    every = rare({"a": 20, "b": 10})
    assert absent_classes(every, CrossValidation().folds(every)) is None
    # All rows of class b are in one group, so that one of two folds trains without them.
    grouped = rare({"a": 20, "b": 10}, [*range(20), *[20] * 10])
    finding = absent_classes(grouped, CrossValidation("grouped", n_splits=2).folds(grouped))
    assert finding is not None
    assert "training parts of folds have no row of class 'b' in 1 of 2 folds" in finding.message
    # The rows are sorted by class: the first 10 and the first 20 rows are of class a.
    cv = CrossValidation("time_ordered", n_splits=2, time_column="time")
    finding = absent_classes(every, cv.folds(every))
    assert finding is not None
    assert "class 'b' in 2 of 2 folds" in finding.message


def test_repeated_grouped_folds() -> None:
    data = load_dataset("simulated_delinquency", n_samples=400)
    assert data.groups is not None
    groups = np.asarray(data.groups)
    once = CrossValidation("grouped", n_splits=4, seed=3).folds(data)
    folds = CrossValidation("grouped", n_splits=4, n_repeats=3, seed=3).folds(data)
    assert [(fold.repeat, fold.number) for fold in folds] == [
        (repeat, number) for repeat in range(3) for number in range(4)
    ]
    for fold, first in zip(folds, once, strict=False):
        np.testing.assert_array_equal(fold.test, first.test)
    tests = []
    for repeat in range(3):
        parts = [fold.test for fold in folds if fold.repeat == repeat]
        assert sorted(np.concatenate(parts).tolist()) == list(range(400))
        tests.append({frozenset(part.tolist()) for part in parts})
    assert tests[0] != tests[1] != tests[2] != tests[0]
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
