"""CalibratedClassifier equals scikit-learn's CalibratedClassifierCV on the same inner folds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from xentexp.errors import InputError
from xentexp.experiments import CalibratedClassifier
from xentexp.experiments._calibrated import METHODS
from xentexp.tuning import TunedClassifier
from xentexp.tuning._weights import fit_arguments

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 3))
TWO = (X[:, 0] + RNG.logistic(size=N) > 0.5).astype(int)
THREE = np.digitize(X[:, 0] + RNG.logistic(size=N), [-1.0, 1.0])
GROUPS = np.arange(N) // 4
WEIGHT = RNG.uniform(0.5, 4.0, N)
INNER = StratifiedKFold(5, shuffle=True, random_state=0)

each_method = pytest.mark.parametrize("method", METHODS)


@each_method
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize(
    "estimator", [GaussianNB(), LinearSVC(), LogisticRegression()], ids=lambda e: type(e).__name__
)
def test_predictions_equal_those_of_scikit_learn(estimator: Any, y: Any, method: str) -> None:
    splits = list(INNER.split(X, y))
    expected = CalibratedClassifierCV(estimator, method=method, cv=splits, ensemble=False).fit(X, y)
    model = CalibratedClassifier(estimator, method=method, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.n_splits_ == 5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("labels", [(1, 2, 3), (10, 0, 20), ("c", "a", "b"), (0.0, 3.0, 1.0)])
def test_labels_do_not_change_the_calibration(labels: Any, method: str) -> None:
    y = np.array(labels)[THREE]
    model = CalibratedClassifier(GaussianNB(), method=method, random_state=0).fit(X, y)
    order = np.argsort(labels)
    splits = list(INNER.split(X, y))  # of the same rows: the order of the classes decides
    codes = np.argsort(order)[THREE]
    expected = CalibratedClassifierCV(GaussianNB(), method=method, cv=splits, ensemble=False)
    expected.fit(X, codes)
    assert model.classes_.tolist() == sorted(labels)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(X), rtol=0.0, atol=1e-12
    )
    assert set(model.predict(X)) <= set(labels)


def test_class_weights_of_other_labels_reach_the_classifier_below_a_temperature() -> None:
    y = np.array(["a", "b"])[TWO]
    weighted = LogisticRegression(class_weight={"a": 1.0, "b": 5.0})
    model = CalibratedClassifier(weighted, method="temperature").fit(X, y)
    np.testing.assert_array_equal(
        model.calibrated_classifiers_[0].estimator.decision_function(X),
        weighted.fit(X, y).decision_function(X),
    )


@pytest.mark.parametrize("labels", [(0, 1, 2), (1, 2, 3)])
def test_the_temperature_minimizes_the_log_loss_of_the_out_of_fold_predictions(labels: Any) -> None:
    y = np.array(labels)[THREE]
    model = CalibratedClassifier(GaussianNB(), method="temperature", random_state=0).fit(X, y)
    proba = cross_val_predict(GaussianNB(), X, y, cv=INNER, method="predict_proba")

    def log_loss(beta: float) -> float:
        return -log_softmax(beta * np.log(proba), axis=1)[np.arange(N), THREE].mean()

    best = minimize_scalar(log_loss, bounds=(0.01, 10.0), options={"xatol": 1e-10}).x
    assert model.calibrated_classifiers_[0].calibrators[0].beta_ == pytest.approx(best, rel=1e-6)
    own = GaussianNB().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(
        model.predict_proba(X), softmax(best * np.log(own), axis=1), atol=1e-6
    )


def test_the_base_model_is_that_of_all_rows() -> None:
    model = CalibratedClassifier(GaussianNB()).fit(X, TWO)
    np.testing.assert_array_equal(
        model.calibrated_classifiers_[0].estimator.predict_proba(X),
        GaussianNB().fit(X, TWO).predict_proba(X),
    )


# -- groups, time and other folds ---------------------------------------------------------------


class Recorder(GaussianNB):
    """Classifier that keeps the first column of the rows of each of its fits."""

    fits: ClassVar[list[set[float]]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        Recorder.fits.append(set(X[:, 0].tolist()))
        return super().fit(X, y, sample_weight)


def recorded(**arguments: Any) -> list[set[float]]:
    """Rows of each fit of a calibration; the last one is that of all rows."""
    Recorder.fits.clear()
    rows = np.column_stack([np.arange(N, dtype=float), X])
    cv = arguments.pop("cv", 5)
    CalibratedClassifier(Recorder(), cv=cv, random_state=0).fit(rows, TWO, **arguments)
    *inner, last = Recorder.fits
    assert len(last) == N
    return inner


def test_no_group_is_on_both_sides_of_an_inner_split() -> None:
    inner = recorded(groups=GROUPS)
    assert len(inner) == 5
    for train in inner:
        trained = {GROUPS[int(row)] for row in train}
        tested = {GROUPS[row] for row in range(N) if row not in train}
        assert not trained & tested
    assert any(
        {GROUPS[int(row)] for row in train} & {GROUPS[row] for row in range(N) if row not in train}
        for train in recorded()
    )


def test_groups_give_the_predictions_of_grouped_inner_folds() -> None:
    splits = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, TWO, GROUPS))
    expected = CalibratedClassifierCV(GaussianNB(), cv=splits, ensemble=False).fit(X, TWO)
    model = CalibratedClassifier(GaussianNB(), random_state=0).fit(X, TWO, groups=GROUPS)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_blocks_of_rows_in_time_order_are_predicted_from_the_other_blocks() -> None:
    for number, train in enumerate(recorded(cv=KFold(5))):
        assert set(range(N)) - train == set(range(60 * number, 60 * number + 60))


def test_groups_reach_calibrations_inside_pipelines_and_searches() -> None:
    pipeline = make_pipeline(StandardScaler(), CalibratedClassifier(GaussianNB(), random_state=0))
    arguments = fit_arguments(pipeline, None, GROUPS)
    assert list(arguments) == ["calibratedclassifier__groups"]
    nested = make_pipeline(StandardScaler(), pipeline)
    assert list(fit_arguments(nested, None, GROUPS)) == ["pipeline__calibratedclassifier__groups"]
    assert fit_arguments(make_pipeline(StandardScaler(), GaussianNB()), None, GROUPS) == {}
    by_hand = clone(pipeline).fit(X, TWO, **arguments)
    tuned = TunedClassifier(
        pipeline,
        {"calibratedclassifier__estimator__var_smoothing": [1e-9]},
        n_trials=1,
        cv=2,
        random_state=0,
    ).fit(X, TWO, groups=GROUPS)
    np.testing.assert_array_equal(tuned.predict_proba(X), by_hand.predict_proba(X))
    without = tuned.fit(X, TWO).predict_proba(X)
    assert not np.array_equal(without, by_hand.predict_proba(X))


@pytest.mark.parametrize("y", [TWO, np.array(["a", "b"])[TWO]], ids=["codes", "texts"])
def test_groups_and_weights_follow_the_routing_of_scikit_learn(y: Any) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        inner = GaussianNB().set_fit_request(sample_weight=True)
        model = CalibratedClassifier(inner, method="temperature", random_state=0)
        assert fit_arguments(model, None, GROUPS) == {}
        model.set_fit_request(groups=True, sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        arguments = fit_arguments(pipeline, WEIGHT, GROUPS)
        assert list(arguments) == ["sample_weight", "groups"]
        routed = pipeline.fit(X, y, **arguments).predict_proba(X)
    alone = CalibratedClassifier(GaussianNB(), method="temperature", random_state=0)
    alone.fit(StandardScaler().fit_transform(X), y, sample_weight=WEIGHT, groups=GROUPS)
    by_hand = alone.predict_proba(StandardScaler().fit_transform(X))
    np.testing.assert_allclose(routed, by_hand, rtol=1e-9)


# -- weights ------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two classes", "three classes"])
def test_doubled_weights_equal_repeated_rows_in_the_same_folds(y: Any, method: str) -> None:
    weight = np.where(np.arange(N) % 3 == 0, 2.0, 1.0)
    rows = np.repeat(np.arange(N), weight.astype(int))
    fold = np.arange(N) % 5
    weighted, repeated = (
        [(np.flatnonzero(f != k), np.flatnonzero(f == k)) for k in range(5)]
        for f in (fold, fold[rows])
    )
    first = CalibratedClassifier(GaussianNB(), method=method, cv=weighted)
    second = CalibratedClassifier(GaussianNB(), method=method, cv=repeated)
    first.fit(X, y, sample_weight=weight)
    second.fit(X[rows], y[rows])
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), atol=2e-5)
    assert not np.allclose(
        first.predict_proba(X),
        CalibratedClassifier(GaussianNB(), method=method, cv=weighted).fit(X, y).predict_proba(X),
        atol=1e-4,
    )


@each_method
def test_weights_equal_those_of_scikit_learn(method: str) -> None:
    splits = list(INNER.split(X, TWO))
    expected = CalibratedClassifierCV(GaussianNB(), method=method, cv=splits, ensemble=False)
    expected.fit(X, TWO, sample_weight=WEIGHT)
    model = CalibratedClassifier(GaussianNB(), method=method, random_state=0)
    model.fit(X, TWO, sample_weight=WEIGHT)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# -- limits -------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two classes", "three classes"])
def test_a_constant_model_stays_constant(y: Any, method: str) -> None:
    proba = CalibratedClassifier(DummyClassifier(), method=method).fit(X, y).predict_proba(X)
    assert np.ptp(proba, axis=0).max() == 0.0
    np.testing.assert_allclose(proba[0], np.bincount(y) / N, atol=0.01)


def test_a_calibrated_classifier_can_be_calibrated_again() -> None:
    first = CalibratedClassifierCV(LinearSVC(), ensemble=False)
    model = CalibratedClassifier(first, method="isotonic", random_state=0)
    weight = np.ones(N)
    assert model.fit(X, TWO, sample_weight=weight).predict_proba(X).shape == (N, 2)


def test_a_frame_with_another_index_gives_the_same_predictions() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(N) + 1000)
    for y in (TWO, np.array(["a", "b"])[TWO]):
        labels = pd.Series(y, index=frame.index)
        model = CalibratedClassifier(GaussianNB(), method="temperature", random_state=0)
        model.fit(frame, labels)
        expected = clone(model).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(frame), expected.predict_proba(X))
        assert model.feature_names_in_.tolist() == ["a", "b", "c"]
        assert model.n_features_in_ == 3


RARE = np.where(np.arange(N) < 3, 7, TWO)


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"method": "beta"}, {}, "method must be one of 'sigmoid', 'isotonic', 'temperature'"),
        ({"cv": 1}, {}, "cv must be an integer >= 2, a splitter or splits; got 1"),
        (
            {},
            {"y": RARE},
            r"at least 5 training rows of each class, one for each inner fold \(cv=5\); class 7 "
            r"has 3; leave out calibration or the class",
        ),
        (
            {"cv": KFold(5)},
            {"y": RARE},
            "inner fold 0 has all rows of class 7 in its test part",
        ),
        ({}, {"y": np.zeros(N, dtype=int)}, "y must have at least two classes; got only 0"),
        (
            {},
            {"groups": np.arange(N) % 4},
            r"at least 5 groups of training rows, one for each inner fold \(cv=5\); got 4",
        ),
        (
            {"cv": TimeSeriesSplit(5)},
            {},
            "each row in exactly one test part; 250 of 300 rows are in one; use e.g. KFold",
        ),
        ({}, {"y": np.where(TWO, 0.5, 0.25)}, "y must contain classes: Unknown label type"),
        (
            {"estimator": KNeighborsClassifier()},
            {"sample_weight": np.ones(N)},
            "KNeighborsClassifier does not accept sample weights",
        ),
        (
            {"estimator": make_pipeline(StandardScaler(), GaussianNB())},
            {"sample_weight": np.ones(N)},
            "put the CalibratedClassifier into the last step of the Pipeline",
        ),
    ],
)
def test_bad_input_is_an_error_that_says_what_to_do(
    options: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    model = CalibratedClassifier(**{"estimator": GaussianNB(), **options})
    with pytest.raises(InputError, match=message):
        model.fit(X, **{"y": TWO, **arguments})
