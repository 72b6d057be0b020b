"""Boosted classifiers: any loss, any labels, proper probabilities, as scikit-learn has them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from boosting_data import table
from scipy.special import softmax
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.utils.estimator_checks import parametrize_with_checks

import xentexp
from xentexp import metrics, objectives
from xentexp.errors import InputError
from xentexp.estimators.catboost import CatBoostLossClassifier
from xentexp.estimators.lightgbm import LightGBMLossClassifier
from xentexp.estimators.xgboost import XGBoostLossClassifier
from xentexp.losses import Loss
from xentexp.models import tabular_pipeline
from xentexp.objectives import Training, find_loss

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")
catboost = pytest.importorskip("catboost")

Model = type[LightGBMLossClassifier | XGBoostLossClassifier | CatBoostLossClassifier]
MODELS: list[Any] = [LightGBMLossClassifier, XGBoostLossClassifier, CatBoostLossClassifier]
TREES = [LightGBMLossClassifier, XGBoostLossClassifier]
SMALL = {"n_estimators": 10, "learning_rate": 0.1, "random_state": 0}
each = pytest.mark.parametrize("model", MODELS)


def cannot_pass(estimator: Any) -> dict[str, str]:
    name = "check_sample_weight_equivalence_on_dense_data"
    if isinstance(estimator, CatBoostLossClassifier):
        return {name: "CatBoost draws by row, and scales its L2 penalty by the mean weight"}
    return {}


# Five rounds: with more of them 3 g and g + g + g in XGBoost's float32 differ by twice the 1e-7
# that the check of sample weights allows.
@parametrize_with_checks(
    [model(n_estimators=5) for model in MODELS], expected_failed_checks=cannot_pass
)
def test_scikit_learn_takes_it_for_its_own(estimator: Any, check: Any) -> None:
    check(estimator)


# -- the boosters' own models ------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_is_lightgbms_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, weighted=weighted)
    own = lightgbm.LGBMClassifier(random_state=0, verbosity=-1, n_jobs=1)
    ours = LightGBMLossClassifier(random_state=0).fit(X, y, sample_weight=weight)
    expected = own.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)
    gains = own.booster_.feature_importance("gain")
    np.testing.assert_allclose(ours.feature_importances_, gains / gains.sum(), rtol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_is_xgboosts_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, weighted=weighted)
    own = xgboost.XGBClassifier(random_state=0, n_estimators=100, n_jobs=1)
    ours = XGBoostLossClassifier(random_state=0).fit(X, y, sample_weight=weight)
    expected = own.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_is_catboosts_classifier(k: int, weighted: bool) -> None:
    X, y, weight = table(k, 200, weighted=weighted)
    own = catboost.CatBoostClassifier(
        iterations=15, learning_rate=0.1, random_seed=0, thread_count=1, verbose=False,
        allow_writing_files=False,
    )  # fmt: skip
    ours = CatBoostLossClassifier(n_estimators=15, random_state=0, boost_from_average=False)
    expected = own.fit(X, y, sample_weight=weight).predict_proba(X)
    found = ours.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("model", TREES)
def test_class_weights_are_those_of_the_boosters_own_classifier(model: Any) -> None:
    X, y, _ = table(3)
    weight = {0: 1.0, 1: 3.0, 2: 0.5}
    ours = model(class_weight=weight, **SMALL).fit(X, y)
    by_row = model(**SMALL).fit(X, y, sample_weight=np.array([1.0, 3.0, 0.5])[y])
    np.testing.assert_allclose(ours.predict_proba(X), by_row.predict_proba(X), atol=1e-6)
    if model is LightGBMLossClassifier:
        own = lightgbm.LGBMClassifier(n_estimators=10, class_weight=weight, verbosity=-1, n_jobs=1)
        np.testing.assert_allclose(ours.predict_proba(X), own.fit(X, y).predict_proba(X), atol=1e-6)


# -- any loss ----------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("k", [2, 3])
def test_training_lowers_the_loss_that_is_trained_on(loss: Loss, k: int, model: Any) -> None:
    X, y, _ = table(k, 120)
    try:
        training = Training(find_loss(loss), y, k)
    except InputError as reason:
        pytest.skip(str(reason))
    fitted = model(loss, record=(), **{**SMALL, "n_estimators": 8}).fit(X, y)
    start = training.loss(np.repeat(fitted.initial_scores_[:, np.newaxis], len(y), axis=1))
    curve = fitted.learning_curve_["train"][loss.name]
    assert len(curve) == 8
    assert np.all(np.diff([start, *curve]) < 0.0)
    raw = fitted.decision_function(X)
    scores = raw[np.newaxis] if raw.ndim == 1 else raw.T
    np.testing.assert_allclose(training.loss(scores), curve[-1], rtol=1e-5)


@each
def test_probabilities_come_by_the_link_of_the_loss(model: Any) -> None:
    X, y, _ = table(3, 200)
    fitted = model("bi_tempered_logistic_loss", loss_params={"t2": 2.0}, **SMALL).fit(X, y)
    expected = fitted.link_.definition.probabilities(fitted.decision_function(X).T, 3).T
    np.testing.assert_allclose(fitted.predict_proba(X), expected)
    assert np.abs(expected - softmax(fitted.decision_function(X), axis=1)).max() > 0.01


@each
def test_hinge_losses_have_no_probabilities(model: Any) -> None:
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
    # Odds of weighted rows are four times those of the rows: Elkan (2001), theorem 2.
    np.testing.assert_allclose(shifted / (1 - shifted), 4.0 * p / (1 - p), rtol=1e-5)
    assert abs(p.mean() - y.mean()) < abs(shifted.mean() - y.mean()) / 2


@each
def test_two_and_three_ordered_classes_of_one_latent_score(model: Any) -> None:
    X, y, _ = table(3)
    fitted = model("cumulative_link_log_loss", **{**SMALL, "n_estimators": 30}).fit(X, y)
    assert fitted.decision_function(X).shape == (len(y),)
    assert fitted.predict_proba(X).shape == (len(y), 3)
    assert set(fitted.predict(X)) <= {0, 1, 2}


# -- learning curves, early stopping -----------------------------------------------------------


@each
def test_nothing_is_recorded_unless_asked(model: Any) -> None:
    X, y, _ = table(2, 100)
    assert model(**SMALL).fit(X, y).learning_curve_ == {}
    watched = model(validation_fraction=0.3, **SMALL).fit(X, y).learning_curve_
    assert list(watched) == ["valid"]


@each
@pytest.mark.parametrize("k", [2, 3])
def test_curves_hold_each_loss_after_each_round(model: Any, k: int) -> None:
    X, y, weight = table(k, 200, weighted=True)
    others = ["brier_loss", "zero_one_loss", "categorical_hinge"]
    fitted = model("categorical_focal_crossentropy", record=others, **SMALL)
    curve = fitted.fit(X, y, sample_weight=weight).learning_curve_["train"]
    assert list(curve) == ["categorical_focal_crossentropy", *others]
    assert {len(values) for values in curve.values()} == {10}
    p, raw = fitted.predict_proba(X), fitted.decision_function(X)
    for name, values in curve.items():
        given = raw if name == "categorical_hinge" else p
        expected = getattr(metrics, name)(y, given, sample_weight=weight)
        np.testing.assert_allclose(values[-1], expected, rtol=1e-5)


@each
def test_early_stopping_keeps_the_best_round(model: Any) -> None:
    X, y, _ = table(2, 300)
    fitted = model(
        "brier_loss", n_estimators=200, learning_rate=0.5, early_stopping_rounds=4,
        validation_fraction=0.3, record=(), random_state=0,
    ).fit(X, y)  # fmt: skip
    curve = fitted.learning_curve_["valid"]["brier_loss"]
    assert len(fitted.learning_curve_["train"]["brier_loss"]) == len(curve) == fitted.n_iter_ < 200
    assert fitted.best_iteration_ == np.argmin(curve) + 1 == fitted.n_iter_ - 4
    _, held_out = fitted._split(y)
    p = fitted.predict_proba(X[held_out])[:, 1]
    np.testing.assert_allclose(np.mean((p - y[held_out]) ** 2), min(curve), rtol=1e-5)


@each
def test_watching_does_not_change_the_model(model: Any) -> None:
    X, y, _ = table(2, 200)
    plain, watched = model(**SMALL), model(record=["brier_loss"], **SMALL)
    np.testing.assert_array_equal(
        plain.fit(X, y).decision_function(X), watched.fit(X, y).decision_function(X)
    )


# -- what scikit-learn's users expect ----------------------------------------------------------


@each
def test_any_labels_pickle_and_clone(model: Any) -> None:
    X, y, _ = table(3, 150)
    names = np.array(["poor", "fair", "good"])
    fitted = model("brier_loss", **SMALL).fit(X, names[y])
    assert fitted.classes_.tolist() == ["fair", "good", "poor"]
    assert set(fitted.predict(X)) <= set(names)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    np.testing.assert_array_equal(copy.fit(X, names[y]).predict_proba(X), fitted.predict_proba(X))


@each
def test_a_loss_may_be_an_object(model: Any) -> None:
    X, y, _ = table(2, 100)
    by_name = model("categorical_focal_crossentropy", loss_params={"gamma": 1.0}, **SMALL)
    by_object = model(xentexp.get_loss("categorical_focal_crossentropy", gamma=1.0), **SMALL)
    np.testing.assert_array_equal(
        by_name.fit(X, y).predict_proba(X), by_object.fit(X, y).predict_proba(X)
    )


def mixed_frame(n: int = 240) -> tuple[pd.DataFrame, Any]:
    """Numbers and categories with missing values, in columns with names that boosters refuse."""
    X, y, _ = table(2, n)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X[:, :3], columns=["income [EUR]", "age, years", '"debt" < 1'])
    frame["job"] = pd.Series(np.where(y == 1, "cook", rng.choice(["clerk", "pilot"], n)))
    frame.loc[::9, "job"] = None
    frame.loc[::7, "age, years"] = np.nan
    return frame, y


@each
def test_it_works_in_a_pipeline_on_two_processes(model: Any) -> None:
    frame, y = mixed_frame()
    native = "native" if model.takes_categories else "ordinal"
    pipeline = tabular_pipeline(model("brier_loss", **SMALL), native)
    found = cross_validate(
        pipeline, frame, y, cv=3, n_jobs=2, scoring="roc_auc", error_score="raise"
    )
    assert found["test_score"].min() > 0.9


@pytest.mark.parametrize("model", TREES)
def test_categories_are_known_by_name_whatever_their_order(model: Any) -> None:
    frame, y = mixed_frame()
    frame["job"] = frame["job"].astype("category")
    fitted = model(**SMALL).fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list(frame.columns)
    assert fitted.feature_importances_[3] > 0.5
    expected = fitted.predict_proba(frame)
    turned = frame.assign(job=frame["job"].cat.set_categories(["new", "pilot", "cook", "clerk"]))
    np.testing.assert_array_equal(fitted.predict_proba(turned), expected)
    unknown = frame.assign(job=pd.Categorical(["new"] * len(frame)))
    missing = frame.assign(job=pd.Categorical([None] * len(frame), categories=["cook"]))
    np.testing.assert_array_equal(fitted.predict_proba(unknown), fitted.predict_proba(missing))
    with pytest.raises(InputError, match="X must be a DataFrame"):
        fitted.predict(np.zeros((2, 4)))


def test_catboost_takes_numbers_alone() -> None:
    frame, y = mixed_frame()
    with pytest.raises(InputError, match="encode the categories of job"):
        CatBoostLossClassifier().fit(frame.astype({"job": "category"}), y)


@each
def test_columns_that_cannot_be_split_give_the_class_shares(model: Any) -> None:
    y = np.array([0, 0, 0, 1])
    fitted = model(**SMALL).fit(np.ones((4, 2)), y)
    np.testing.assert_allclose(fitted.predict_proba(np.ones((1, 2))), [[0.75, 0.25]], atol=1e-6)
    assert fitted.feature_importances_.shape == (2,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_estimators": 0}, "n_estimators must be an integer >= 1; got 0"),
        ({"early_stopping_rounds": 5}, "set validation_fraction"),
        ({"validation_fraction": 1.0}, "validation_fraction must be > 0 and < 1; got 1.0"),
        ({"booster_params": {"objective": "binary"}}, "must not hold objective"),
        ({"booster_params": {"learning_rate": 0.2}}, "must not hold learning_rate"),
        ({"record": "brier_loss"}, "record must be None or a sequence of losses"),
        ({"record": ["cumulative_link_log_loss"]}, "record: .* needs one decision score"),
        ({"loss": "entropy"}, "is no loss of labels"),
        ({"loss": "hinge_loss"}, "is for two classes; there are 3"),
        ({"loss": "categorical_hinge", "record": ["brier_loss"]}, "record: .* needs probabilities"),
        ({"hessian_factor": 0.0}, "hessian_factor must be > 0"),
        ({"class_weight": "even"}, "class_weight must be 'balanced'"),
    ],
)
@each
def test_bad_parameters_are_told_in_one_sentence(model: Any, options: Any, message: str) -> None:
    X, y, _ = table(3, 60)
    with pytest.raises(InputError, match=message):
        model(**options).fit(X, y)


@each
def test_a_missing_booster_says_what_to_install(model: Any, monkeypatch: Any) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(objectives.boosting, "import_module", missing)
    X, y, _ = table(2, 60)
    with pytest.raises(InputError, match=r"pip install 'xentexp\[boosters\]'"):
        model().fit(X, y)


@each
def test_a_booster_gets_its_further_parameters(model: Any) -> None:
    X, y, _ = table(2, 100)
    name = {"lightgbm": "feature_fraction", "xgboost": "colsample_bytree", "catboost": "rsm"}
    drawn = model(booster_params={name[model.module]: 0.3}, **SMALL).fit(X, y)
    whole = model(**SMALL).fit(X, y)
    assert np.abs(drawn.predict_proba(X) - whole.predict_proba(X)).max() > 1e-3


def test_no_booster_is_imported_before_it_is_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, xentexp.estimators.lightgbm, xentexp.estimators.xgboost, "
        "xentexp.estimators.catboost, xentexp.objectives.catboost; "
        "print([m for m in ('lightgbm', 'xgboost', 'catboost') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
