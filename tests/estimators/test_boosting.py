"""Boosted classifiers: scikit-learn checks, equality with the boosters, training on any loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.support.boosting import MODELS, SMALL, TRAINABLE, TREES, table
from xentexp.estimators._catboost import CatBoostLossClassifier
from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier, with_20_bits
from xentexp.objectives import TrainingObjective, get_training_loss

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")
catboost = pytest.importorskip("catboost")

each = pytest.mark.parametrize("model", MODELS)


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    reason = "CatBoost draws by row, and scales its L2 penalty by the mean weight"
    if isinstance(estimator, CatBoostLossClassifier):  # the Notes of the class say so
        name = "check_sample_weight_equivalence_on_{}_data"
        return {name.format(kind): reason for kind in ("dense", "sparse")}
    return {}


@parametrize_with_checks(
    [*(model() for model in TREES), CatBoostLossClassifier(n_estimators=5)],
    expected_failed_checks=expected_failed_checks,
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([CatBoostLossClassifier()], expected_failed_checks=expected_failed_checks)
def test_scikit_learn_checks_of_the_default_catboost(estimator: Any, check: Any) -> None:
    check(estimator)


def test_catboost_without_randomness_and_scaled_penalty_treats_weights_as_repetitions() -> None:
    X, y, _ = table(3, 60)
    weight = np.random.default_rng(0).integers(4, size=len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    options = {"booster_params": {"bootstrap_type": "No", "random_strength": 0}, **SMALL}
    repeated = CatBoostLossClassifier(reg_lambda=3.0, **options).fit(X[rows], y[rows])
    mean_weight = weight[weight > 0].mean()
    weighted = CatBoostLossClassifier(reg_lambda=3.0 / mean_weight, **options)
    np.testing.assert_allclose(
        weighted.fit(X, y, sample_weight=weight).predict_proba(X),
        repeated.predict_proba(X),
        atol=1e-12,
    )


@pytest.mark.parametrize("k", [2, 3])
def test_xgboost_treats_weights_as_repetitions(k: int) -> None:
    X, y, _ = table(k, 100)
    weight = np.random.default_rng(0).integers(5, size=len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    weighted = XGBoostLossClassifier("brier_loss").fit(X, y, sample_weight=weight)
    repeated = XGBoostLossClassifier("brier_loss").fit(X[rows], y[rows])
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_rounding_keeps_20_bits() -> None:
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-50, 50)
    rounded = with_20_bits(values)
    np.testing.assert_allclose(rounded, values, rtol=2.0**-20)
    assert np.all(np.frexp(rounded)[0] * 2**20 % 1 == 0.0)
    with_4_more_bits = 15.0 * rounded[15:80]  # in the range of float32
    np.testing.assert_array_equal(with_4_more_bits.astype(np.float32), with_4_more_bits)


# -- equality with the classifiers of the boosters ---------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_equals_lgbm_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, weighted=weighted)
    theirs = lightgbm.LGBMClassifier(random_state=0, verbosity=-1, n_jobs=1)
    ours = LightGBMLossClassifier(random_state=0).fit(X, y, sample_weight=weight)
    expected = theirs.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)
    gains = theirs.booster_.feature_importance("gain")
    np.testing.assert_allclose(ours.feature_importances_, gains / gains.sum(), rtol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_equals_xgb_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, weighted=weighted)
    theirs = xgboost.XGBClassifier(random_state=0, n_estimators=100, n_jobs=1)
    ours = XGBoostLossClassifier(random_state=0).fit(X, y, sample_weight=weight)
    expected = theirs.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_equals_catboost_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, 200, weighted=weighted)
    theirs = catboost.CatBoostClassifier(
        iterations=15, learning_rate=0.1, random_seed=0, thread_count=1, verbose=False,
        allow_writing_files=False,
    )  # fmt: skip
    ours = CatBoostLossClassifier(n_estimators=15, random_state=0, boost_from_average=False)
    expected = theirs.fit(X, y, sample_weight=weight).predict_proba(X)
    actual = ours.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("model", TREES)
def test_class_weights_equal_those_of_the_booster(model: Any) -> None:
    X, y, _ = table(3)
    weight = {0: 1.0, 1: 3.0, 2: 0.5}
    ours = model(class_weight=weight, **SMALL).fit(X, y)
    by_row = model(**SMALL).fit(X, y, sample_weight=np.array([1.0, 3.0, 0.5])[y])
    np.testing.assert_allclose(ours.predict_proba(X), by_row.predict_proba(X), atol=1e-6)
    if model is LightGBMLossClassifier:
        theirs = lightgbm.LGBMClassifier(
            n_estimators=10, class_weight=weight, verbosity=-1, n_jobs=1
        )
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.fit(X, y).predict_proba(X), atol=1e-6
        )


# -- any loss ----------------------------------------------------------------------------------


@each
@pytest.mark.parametrize(("name", "k"), TRAINABLE)
def test_training_reduces_the_loss(name: str, k: int, model: Any) -> None:
    X, y, _ = table(k, 120)
    training = TrainingObjective(get_training_loss(name), y, k)
    fitted = model(name, record=(), **{**SMALL, "n_estimators": 8}).fit(X, y)
    start = training.mean_loss(np.repeat(fitted.initial_scores_[:, np.newaxis], len(y), axis=1))
    curve = fitted.learning_curve_["train"][name]
    assert len(curve) == 8
    assert np.all(np.diff([start, *curve]) < 0.0)
    raw = fitted.decision_function(X)
    scores = raw[np.newaxis] if raw.ndim == 1 else raw.T
    np.testing.assert_allclose(training.mean_loss(scores), curve[-1], rtol=1e-5)


@each
def test_probabilities_use_the_link_of_the_loss(model: Any) -> None:
    X, y, _ = table(3, 200)
    fitted = model("bi_tempered_logistic_loss", loss_params={"t2": 2.0}, **SMALL).fit(X, y)
    expected = fitted.link_.loss.probabilities(fitted.decision_function(X).T, 3).T
    np.testing.assert_allclose(fitted.predict_proba(X), expected)
    assert np.abs(expected - softmax(fitted.decision_function(X), axis=1)).max() > 0.01


@each
def test_hinge_losses_do_not_have_predict_proba(model: Any) -> None:
    X, y, _ = table(3, 200)
    assert not hasattr(model("categorical_hinge"), "predict_proba")
    fitted = model("categorical_hinge", **SMALL).fit(X, y)
    assert not hasattr(fitted, "predict_proba")
    np.testing.assert_array_equal(fitted.predict(X), fitted.decision_function(X).argmax(axis=1))
    assert fitted.score(X, y) > 0.65


@each
def test_corrected_probabilities_undo_the_class_weights(model: Any) -> None:
    X, y, _ = table(2)
    weighted = model(class_weight={1: 4.0}, **SMALL)
    shifted = weighted.fit(X, y).predict_proba(X)[:, 1]
    corrected = clone(weighted).set_params(correct_probabilities=True).fit(X, y)
    p = corrected.predict_proba(X)[:, 1]
    # The odds under weights are four times the odds without: Elkan (2001), theorem 2.
    np.testing.assert_allclose(shifted / (1 - shifted), 4.0 * p / (1 - p), rtol=1e-5)
    assert abs(p.mean() - y.mean()) < abs(shifted.mean() - y.mean()) / 2


@each
def test_latent_score_loss_with_two_and_three_classes(model: Any) -> None:
    X, y, _ = table(3)
    fitted = model("cumulative_link_log_loss", **{**SMALL, "n_estimators": 30}).fit(X, y)
    assert fitted.decision_function(X).shape == (len(y),)
    assert fitted.predict_proba(X).shape == (len(y), 3)
    assert set(fitted.predict(X)) <= {0, 1, 2}
