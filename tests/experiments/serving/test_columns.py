"""Columns of new rows as those of the training rows."""

import datetime as dt
import decimal
import math

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from xentexp.errors import InputError
from xentexp.experiments import Card, load_dataset, make_dataset
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._serving.columns import TrainingColumns, bin_labels
from xentexp.metrics.credit import population_stability_index

ROWS = 120


def loans():
    X = pd.DataFrame(
        {
            "amount": [1.5, None, 3.0, 4.25] * 30,
            "job": ["cook", "clerk", None, "smith"] * 30,
            "owner": [True, False, True, True] * 30,
            "opened": pd.to_datetime(["2020-01-01", "2021-03-04", None, "2022-05-05"] * 30),
            "number": range(ROWS),
        }
    )
    return make_dataset(X, [0, 1] * (ROWS // 2), Card("loans"))


def fitted(data=None, **options):
    data = loans() if data is None else data
    return TrainingColumns(dates=data.dates, **options).fit(data.X)


def row(**values):
    plain = {"amount": 2.0, "job": "cook", "owner": 1, "opened": 18262, "number": 5}
    return pd.DataFrame([plain | values], dtype=object)


@pytest.mark.parametrize("data", [loans(), load_dataset("simulated_delinquency", n_samples=600)])
def test_training_rows_do_not_change(data):
    columns = fitted(data)
    pd.testing.assert_frame_equal(columns.transform(data.X), data.X)
    part = data.X.iloc[10:40]
    expected = part.reset_index(drop=True)
    pd.testing.assert_frame_equal(columns.transform(part), expected)


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        ("amount", "2.5", 2.5),
        ("amount", " 1,234.5 ", 1234.5),
        ("amount", "83.70%", 83.7),
        ("amount", None, math.nan),
        ("amount", "n/a", math.nan),
        ("amount", True, 1.0),
        ("amount", decimal.Decimal("0.5"), 0.5),
        ("amount", np.float32(0.5), 0.5),
        ("number", 7.0, 7),
        ("number", "7", 7),
        ("number", 1.5, 1.5),
        ("number", "4503599627370497", 4503599627370497),
        ("owner", "true", 1),
        ("owner", "False", 0),
        ("owner", "1", 1),
        ("owner", False, 0),
        ("opened", "2020-01-02", 18263),
        ("opened", "13/01/2020", 18274),
        ("opened", "20200102", 18263),
        ("opened", 20200102, 18263),
        ("opened", dt.date(2020, 1, 2), 18263),
        ("opened", dt.datetime(2020, 1, 1, 12), 18262.5),
        ("opened", pd.Timestamp("2020-01-02T00:00:00+02:00"), 18262 + 22 / 24),
        ("opened", 18262.5, 18262.5),
        ("opened", pd.NaT, math.nan),
        ("job", "baker", "baker"),
        ("job", 7, "7"),
        ("job", 7.0, "7"),
        ("job", None, None),
    ],
)
def test_one_value_is_read_as_in_the_training_rows(column, value, read):
    found = fitted().transform(row(**{column: value}))[column].tolist()
    assert found == [read] or (pd.isna(read) and pd.isna(found).all())
    beside = pd.concat([row(**{column: value}), row(**{column: None})])
    both = fitted().transform(beside)[column].tolist()
    assert both[0] == found[0] or pd.isna([both[0], found[0]]).all()
    assert pd.isna(both[1])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("amount", "1,500", "must contain numbers, as in the training rows; got '1,500' in row 0"),
        ("amount", "1,5", "decimal point"),
        ("amount", "much", "got 'much' in row 0"),
        ("amount", "true", "got 'true' in row 0"),
        ("amount", math.inf, "must be finite"),
        ("amount", "12:30", "got '12:30'"),
        ("amount", [1], "must contain numbers, text or dates; got mixed"),
        ("amount", dt.date(2020, 1, 2), "must contain numbers"),
        ("owner", "yes", "got 'yes'"),
        ("opened", "01/02/2020", "where the day or the month may come first"),
        ("opened", "soon", "must contain dates"),
        ("opened", 20209999, "must contain dates"),
        ("opened", 5e7, "must contain dates"),
        ("job", dt.date(2020, 1, 2), "must contain text"),
    ],
)
def test_value_that_is_not_certain_is_refused(column, value, message):
    new = row(**{column: value})
    with pytest.raises(InputError, match=message):
        fitted().transform(new)


@pytest.mark.parametrize(("dayfirst", "days"), [(True, 18293), (False, 18263)])
def test_order_of_day_and_month_can_be_set(dayfirst, days):
    columns = fitted(dayfirst=dayfirst)
    assert columns.transform(row(opened="01/02/2020"))["opened"].tolist() == [days]


def test_times_of_day_become_fractions_of_a_day():
    X = pd.DataFrame({"at": pd.Series([dt.time(6), dt.time(12), dt.time(18)] * 20, dtype=object)})
    columns = fitted(make_dataset(X, [0, 1] * 30, Card("calls")))
    assert columns.transform(pd.DataFrame({"at": ["18:00"]}))["at"].tolist() == [0.75]


def test_columns_are_matched_by_name():
    columns = fitted()
    reverse = row()[["number", "opened", "owner", "job", "amount"]]
    assert list(columns.transform(reverse)) == list(loans().X)
    with pytest.raises(InputError, match="missing: 'job'"):
        columns.transform(row().drop(columns="job"))
    with pytest.raises(InputError, match="not in the training rows: 'id'"):
        columns.transform(row(id=1))
    with pytest.raises(InputError, match="must be unique; duplicates: 'job'"):
        columns.transform(pd.concat([row(), row()[["job"]]], axis=1))
    with pytest.raises(InputError, match="must be a DataFrame with named columns; got ndarray"):
        columns.transform(row().to_numpy())


def test_unseen_categories_come_last():
    found = fitted().transform(pd.concat([row(job="zoo"), row(job="smith"), row(job="art")]))
    assert found["job"].cat.categories.tolist() == ["clerk", "cook", "smith", "art", "zoo"]
    assert found["job"].tolist() == ["zoo", "smith", "art"]


def test_list_among_texts_is_refused():
    for column in ("job", "amount"):
        new = pd.concat([row(**{column: "1"}), row(**{column: [1]})])
        with pytest.raises(InputError, match=r"must contain single values.*got \[1\] in row 1"):
            fitted().transform(new)


def test_categories_that_are_numbers_are_found_from_text():
    X = pd.DataFrame({"grade": pd.Categorical([1, 2, 3] * 20)})
    columns = fitted(make_dataset(X, [0, 1] * 30, Card("grades")))
    for values in (["2", None], [2, None], [2.0, None]):
        codes = columns.transform(pd.DataFrame({"grade": values}))["grade"].cat.codes
        assert codes.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("classifier", "preprocessing"),
    [(LogisticRegression(), "scaled"), (HistGradientBoostingClassifier(), "native")],
)
def test_pipeline_predicts_as_the_unwrapped_model(classifier, preprocessing):
    data = loans()
    model = tabular_pipeline(classifier, preprocessing)
    plain = clone(model).fit(data.X, data.y)
    wrapped = make_pipeline(TrainingColumns(data.dates), clone(model))
    wrapped.fit(data.X, data.y)
    assert np.array_equal(wrapped.predict_proba(data.X), plain.predict_proba(data.X))
    unseen = row(job="astronaut")
    assert np.isfinite(wrapped.predict_proba(unseen)).all()


def test_stored_columns_need_no_other_type():
    columns = fitted()
    stored = skops.io.dumps(columns)
    name = "xentexp.experiments._serving.columns.TrainingColumns"
    assert skops.io.get_untrusted_types(data=stored) == [name]
    loaded = skops.io.loads(stored, trusted=[name])
    new = row(job="baker", opened="2020-01-02", amount="2.5")
    pd.testing.assert_frame_equal(loaded.transform(new), columns.transform(new))
    assert loaded.columns_ == columns.columns_


def test_bins_have_the_shares_of_the_training_rows():
    columns = fitted()
    by_name = {column["name"]: column for column in columns.columns_}
    # 1.5, 3 and 4.25 in 30 rows each, 30 missing.
    assert by_name["amount"]["bins"] == [1.5, 3.0]
    assert by_name["amount"]["shares"] == [0.25] * 4
    assert bin_labels(by_name["amount"]) == ["<= 1.5", "1.5 to 3", "> 3", "missing"]
    assert by_name["job"]["shares"] == [0.25, 0.25, 0.25, 0.0, 0.0, 0.25]
    assert by_name["owner"]["shares"] == [0.25, 0.75, 0.0]
    new = columns.transform(pd.concat([row(job="zoo"), row(job=None, amount=None), row(job="zoo")]))
    counts = columns.counts(new)
    assert counts["job"].tolist() == [0, 0, 0, 0, 2, 1]
    assert counts["amount"].tolist() == [0, 2, 0, 1]


def test_bins_of_numbers_are_those_of_the_stability_index():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=997), 1)
    columns = fitted(make_dataset(pd.DataFrame({"x": values}), [0, 1] * 498 + [0], Card("t")))
    index = population_stability_index(values, values)
    assert columns.columns_[0]["shares"][:-1] == pytest.approx([b.expected for b in index.bins])


def test_rare_categories_are_not_told_apart():
    X = pd.DataFrame({"job": ["cook"] * 50 + [f"j{i}" for i in range(50)]})
    [column] = fitted(make_dataset(X, [0, 1] * 50, Card("t"))).columns_
    assert column["bins"] == ["cook"]
    assert column["shares"] == [0.5, 0.5, 0.0, 0.0]
    few = pd.DataFrame({"x": np.arange(25.0)})
    [column] = fitted(make_dataset(few, [0] * 12 + [1] * 13, Card("t"))).columns_
    assert len(column["bins"]) == 1
