"""Weights reach the fit of every estimator, or an error says why they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from xentexp.errors import InputError
from xentexp.experiments import EncodedLabels
from xentexp.tuning import SearchError, TunedClassifier
from xentexp.tuning._weights import fit_weights

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
Y = (X[:, 0] + RNG.normal(size=80) > 0).astype(int)
W = RNG.integers(1, 5, 80).astype(float)
LOGISTIC = LogisticRegression()
PIPELINE = make_pipeline(StandardScaler(), LOGISTIC)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (LOGISTIC, "sample_weight"),
        (PIPELINE, "logisticregression__sample_weight"),
        (make_pipeline(StandardScaler(), PIPELINE), "pipeline__logisticregression__sample_weight"),
        (CalibratedClassifierCV(), "sample_weight"),
        (CalibratedClassifierCV(LinearSVC(), ensemble=False), "sample_weight"),
        (GridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, scoring="neg_log_loss"), "sample_weight"),
        (RFE(LOGISTIC), "sample_weight"),
        (VotingClassifier([("a", LOGISTIC), ("b", "drop")], voting="soft"), "sample_weight"),
        (StackingClassifier([("a", LOGISTIC), ("b", DummyClassifier())]), "sample_weight"),
        (EncodedLabels(LOGISTIC), "sample_weight"),
        (EncodedLabels(PIPELINE), "sample_weight"),
        (TunedClassifier(PIPELINE, {"logisticregression__C": [1.0]}, n_trials=1), "sample_weight"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_the_fit_differs_with_weights_and_equals_the_fit_of_the_keyword(
    estimator: Any, expected: str
) -> None:
    arguments = fit_weights(estimator, W)
    assert list(arguments) == [expected]
    fitted = clone(estimator).fit(X, Y, **arguments)
    unweighted = clone(estimator).fit(X, Y)
    assert np.abs(fitted.predict_proba(X) - unweighted.predict_proba(X)).max() > 1e-4


@pytest.mark.parametrize(
    "estimator", [PIPELINE, EncodedLabels(PIPELINE)], ids=["pipeline", "encoded"]
)
def test_weights_of_a_pipeline_are_those_of_its_last_step(estimator: Any) -> None:
    scaled = StandardScaler().fit_transform(X)
    expected = LogisticRegression().fit(scaled, Y, sample_weight=W).predict_proba(scaled)
    fitted = clone(estimator).fit(X, Y, **fit_weights(estimator, W))
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=0, atol=1e-12)


def test_without_weights_nothing_is_passed_or_checked() -> None:
    assert fit_weights(KNeighborsClassifier(), None) == {}


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier does not accept sample weights"),
        (make_pipeline(KNeighborsClassifier()), "KNeighborsClassifier does not accept"),
        (make_pipeline(StandardScaler(), "passthrough"), "passthrough does not accept"),
        (CalibratedClassifierCV(KNeighborsClassifier()), "KNeighborsClassifier does not accept"),
        (CalibratedClassifierCV(PIPELINE), "put the CalibratedClassifierCV into the last step"),
        (
            GridSearchCV(PIPELINE, {}),
            "GridSearchCV cannot pass sample weights through the Pipeline",
        ),
        (
            VotingClassifier([("a", LOGISTIC), ("b", KNeighborsClassifier())]),
            "KNeighborsClassifier does not accept",
        ),
        (TunedThresholdClassifierCV(LOGISTIC), "TunedThresholdClassifierCV does not accept"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_estimators_that_would_ignore_weights_are_refused(estimator: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_weights(estimator, W)


@pytest.mark.parametrize(
    "outer",
    [
        EncodedLabels(KNeighborsClassifier()),
        TunedClassifier(KNeighborsClassifier(), {"n_neighbors": [3, 5]}, n_trials=1),
    ],
    ids=lambda v: type(v).__name__,
)
def test_wrappers_refuse_weights_that_the_inner_classifier_does_not_accept(outer: Any) -> None:
    with pytest.raises(InputError, match="KNeighborsClassifier does not accept") as caught:
        outer.fit(X, Y, sample_weight=W)
    assert not isinstance(caught.value, SearchError)  # refused before the trials


def test_a_fitted_model_takes_weights_for_its_scores() -> None:
    model = FrozenEstimator(KNeighborsClassifier().fit(X, Y))
    model.fit(X, Y, **fit_weights(model, W))


def test_with_metadata_routing_the_requests_decide() -> None:
    asks = make_pipeline(StandardScaler(), LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(InputError, match="Pipeline does not request sample_weight"):
            fit_weights(asks, W)
        asks[-1].set_fit_request(sample_weight=True)
        asks[0].set_fit_request(sample_weight=False)
        fitted = asks.fit(X, Y, **fit_weights(asks, W))
        assert list(fit_weights(LogisticRegression(), W)) == ["sample_weight"]
    scaled = StandardScaler().fit_transform(X)
    expected = LogisticRegression().fit(scaled, Y, sample_weight=W).coef_
    np.testing.assert_allclose(fitted[-1].coef_, expected, rtol=0, atol=1e-12)
