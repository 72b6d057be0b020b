"""Candidates fitted on all rows: weights, variants, failures, and each only once."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from xentexp.estimators import LinearLossClassifier
from xentexp.experiments import Candidate, Card, CrossValidation, make_dataset, tabular_pipeline
from xentexp.experiments._serving.refit import Refits, example_rows, is_numeric, with_columns

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "amount": RNG.normal(size=120),
        "job": RNG.choice(["cook", "clerk", "pilot"], 120, p=[0.6, 0.3, 0.1]),
        "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(120), unit="D"),
    }
)
Y = pd.Series((X["amount"] + RNG.normal(size=120) > 0).astype(int))
WEIGHT = RNG.uniform(0.5, 2.0, 120)
DATA = make_dataset(X, Y, Card("loans"), sample_weight=WEIGHT)
FOLDS = CrossValidation(n_splits=3).folds(DATA)


class Counting(ClassifierMixin, BaseEstimator):
    fits = 0

    def __init__(self, fails=False):
        self.fails = fails

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        if self.fails:
            raise RuntimeError("no\nmore lines")
        self.classes_ = np.unique(y)
        return self


def test_a_model_is_fitted_on_all_rows_with_their_weights():
    model = tabular_pipeline(LogisticRegression())
    refit = Refits([Candidate("logistic", model)], DATA, FOLDS).of(["logistic"])["logistic"]
    by_hand = tabular_pipeline(LogisticRegression())
    by_hand.fit(DATA.X, DATA.y, classifier__sample_weight=WEIGHT)
    np.testing.assert_array_equal(refit.model[-1].coef_, by_hand[-1].coef_)
    unweighted = tabular_pipeline(LogisticRegression()).fit(DATA.X, DATA.y)
    assert not np.allclose(refit.model[-1].coef_, unweighted[-1].coef_)


def test_a_variant_is_the_fitted_model_with_its_parameters():
    linear = LinearLossClassifier("categorical_focal_crossentropy")
    settings = {"classifier__correct_probabilities": True}
    candidate = Candidate("focal", tabular_pipeline(linear), variants={"corrected": settings})
    refits = Refits([candidate], DATA, FOLDS)
    corrected = refits.of(["corrected"])["corrected"].model
    plain = refits.of(["focal"])["focal"].model
    assert corrected[-1].correct_probabilities
    assert not plain[-1].correct_probabilities
    np.testing.assert_array_equal(corrected[-1].coef_, plain[-1].coef_)
    by_hand = tabular_pipeline(linear.set_params(correct_probabilities=True))
    by_hand.fit(DATA.X, DATA.y, classifier__sample_weight=WEIGHT)
    expected = by_hand.predict_proba(DATA.X)
    np.testing.assert_allclose(corrected.predict_proba(DATA.X), expected, rtol=0, atol=1e-12)


def test_each_candidate_is_fitted_once_and_only_if_it_is_needed():
    Counting.fits = 0
    candidates = [Candidate("a", Counting()), Candidate("b", Counting())]
    refits = Refits(candidates, DATA, FOLDS)
    assert list(refits.of(["a"])) == ["a"]
    assert Counting.fits == 1
    assert list(refits.of(["b", "a"])) == ["b", "a"]
    refits.of(["a", "b"])
    assert Counting.fits == 2


def test_a_failed_fit_is_an_error_of_one_line():
    refit = Refits([Candidate("a", Counting(fails=True))], DATA, FOLDS).of(["a"])["a"]
    assert refit.model is None
    assert refit.error == "RuntimeError: no"


@pytest.fixture(scope="module")
def pipeline():
    model = tabular_pipeline(LogisticRegression()).fit(DATA.X, DATA.y)
    return with_columns(model, DATA)


def test_the_columns_are_the_first_step_and_do_not_change_predictions(pipeline):
    assert [name for name, _ in pipeline.steps] == ["columns", "preprocessing", "classifier"]
    expected = pipeline[1:].predict_proba(DATA.X)
    np.testing.assert_array_equal(pipeline.predict_proba(DATA.X), expected)
    with_dates = X.assign(day=X["day"].dt.strftime("%Y-%m-%d"))
    np.testing.assert_array_equal(pipeline.predict_proba(with_dates), expected)


def test_the_example_has_quantiles_and_frequent_categories(pipeline):
    example = example_rows(pipeline)
    assert example["job"].tolist() == ["cook", "clerk", "pilot"]
    inner = X["amount"].quantile([0.3, 0.7])
    assert inner.iloc[0] < example["amount"][0] < inner.iloc[1]
    assert example["amount"][1] < example["amount"][0] < example["amount"][2]
    assert pd.to_datetime(example["day"]).between("2024-01-01", "2024-04-29").all()
    assert [is_numeric(column) for column in pipeline[0].columns_] == [True, False, False]
    assert pipeline.predict_proba(example).shape == (3, 2)
