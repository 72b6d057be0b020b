"""Boosted classifiers in use: learning curves, early stopping, categories, labels, bad input."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.utils import get_tags

import xentexp
from tests.support.boosting import MODELS, SMALL, TREES, table
from xentexp import get_loss, metrics, objectives
from xentexp.errors import InputError
from xentexp.estimators import LinearLossClassifier, NetworkLossClassifier
from xentexp.estimators._catboost import CatBoostLossClassifier
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier
from xentexp.experiments._models import tabular_pipeline

for _name in ("lightgbm", "xgboost", "catboost"):
    pytest.importorskip(_name)
each = pytest.mark.parametrize("model", MODELS)


# -- learning curves, early stopping -----------------------------------------------------------


@each
def test_learning_curve_is_empty_by_default(model: Any) -> None:
    X, y, _ = table(2, 100)
    assert model(**SMALL).fit(X, y).learning_curve_ == {}
    watched = model(validation_fraction=0.3, **SMALL).fit(X, y).learning_curve_
    assert list(watched) == ["valid"]


@each
@pytest.mark.parametrize("k", [2, 3])
def test_learning_curves_have_each_loss_after_each_round(model: Any, k: int) -> None:
    X, y, weight = table(k, 200, weighted=True)
    further_losses = ["brier_loss", "zero_one_loss", "categorical_hinge"]
    fitted = model("categorical_focal_crossentropy", record=further_losses, **SMALL)
    curve = fitted.fit(X, y, sample_weight=weight).learning_curve_["train"]
    assert list(curve) == ["categorical_focal_crossentropy", *further_losses]
    assert {len(values) for values in curve.values()} == {10}
    p, raw = fitted.predict_proba(X), fitted.decision_function(X)
    for name, values in curve.items():
        predicted = raw if name == "categorical_hinge" else p
        expected = getattr(metrics, name)(y, predicted, sample_weight=weight)
        np.testing.assert_allclose(values[-1], expected, rtol=1e-5)


def test_patience_counts_rounds_after_the_best_one() -> None:
    history = History(["loss"], {"valid": lambda value: [value]}, patience=2)  # type: ignore[dict-item]
    states = []
    for value in (3.0, 1.0, 2.0, 1.0):
        history.record("valid", np.array(value))
        states.append((history.should_stop(), history.best_round()))
    assert states == [(False, 1), (False, 2), (False, 2), (True, 2)]


@each
def test_early_stopping_uses_the_best_round(model: Any) -> None:
    X, y, _ = table(2, 300)
    fitted = model(
        "brier_loss", n_estimators=200, learning_rate=0.5, early_stopping_rounds=4,
        validation_fraction=0.3, record=(), random_state=0,
    ).fit(X, y)  # fmt: skip
    curve = fitted.learning_curve_["valid"]["brier_loss"]
    assert len(fitted.learning_curve_["train"]["brier_loss"]) == len(curve) == fitted.n_iter_ < 200
    assert fitted.best_iteration_ == np.argmin(curve) + 1 == fitted.n_iter_ - 4
    training = objectives.TrainingObjective(get_loss("brier_loss"), y, 2)
    held_out = split_parts(TrainingRows(X, training, None), 0.3, 0)["valid"]
    p = fitted.predict_proba(held_out.X)[:, 1]
    np.testing.assert_allclose(np.mean((p - held_out.training.index) ** 2), min(curve), rtol=1e-5)


@each
def test_class_with_one_row_stays_in_the_training_part(model: Any) -> None:
    X, y, _ = table(2, 100)
    fitted = model(validation_fraction=0.2, **SMALL).fit(X, np.append(y[:-1], 2))
    assert fitted.predict_proba(X).shape == (100, 3)


@each
def test_binary_loss_with_three_classes_raises_an_error(model: Any) -> None:
    X, y, _ = table(3, 100)
    with pytest.raises(InputError, match="y must hold two classes for hinge_loss; got 3"):
        model("hinge_loss", **SMALL).fit(X, y)
    assert not get_tags(model("hinge_loss")).classifier_tags.multi_class


@each
def test_recording_does_not_change_the_model(model: Any) -> None:
    X, y, _ = table(2, 200)
    plain, watched = model(**SMALL), model(record=["brier_loss"], **SMALL)
    np.testing.assert_array_equal(
        plain.fit(X, y).decision_function(X), watched.fit(X, y).decision_function(X)
    )


# -- use with scikit-learn ---------------------------------------------------------------------


@each
def test_text_labels_pickle_and_clone(model: Any) -> None:
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
def test_loss_object(model: Any) -> None:
    X, y, _ = table(2, 100)
    by_name = model("categorical_focal_crossentropy", loss_params={"gamma": 1.0}, **SMALL)
    by_object = model(xentexp.get_loss("categorical_focal_crossentropy", gamma=1.0), **SMALL)
    np.testing.assert_array_equal(
        by_name.fit(X, y).predict_proba(X), by_object.fit(X, y).predict_proba(X)
    )


def mixed_frame(n: int = 240) -> tuple[pd.DataFrame, Any]:
    """Numbers and categories with missing values; boosters do not accept the column names."""
    X, y, _ = table(2, n)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X[:, :3], columns=["income [EUR]", "age, years", '"debt" < 1'])
    frame["job"] = pd.Series(np.where(y == 1, "cook", rng.choice(["clerk", "pilot"], n)))
    frame.loc[::9, "job"] = None
    frame.loc[::7, "age, years"] = np.nan
    return frame, y


@each
def test_pipeline_in_two_processes(model: Any) -> None:
    frame, y = mixed_frame()
    native = "native" if model.supports_categories else "ordinal"
    pipeline = tabular_pipeline(model("brier_loss", **SMALL), native)
    results = cross_validate(
        pipeline, frame, y, cv=3, n_jobs=2, scoring="roc_auc", error_score="raise"
    )
    assert results["test_score"].min() > 0.9


@pytest.mark.parametrize("model", TREES)
def test_categories_are_matched_by_name_and_not_by_order(model: Any) -> None:
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


def test_catboost_with_categories_raises_an_error() -> None:
    frame, y = mixed_frame()
    with pytest.raises(InputError, match="got categories in job; encode the categories"):
        CatBoostLossClassifier().fit(frame.astype({"job": "category"}), y)


@each
def test_constant_columns_give_class_proportions(model: Any) -> None:
    y = np.array([0, 0, 0, 1])
    fitted = model(**SMALL).fit(np.ones((4, 2)), y)
    np.testing.assert_allclose(fitted.predict_proba(np.ones((1, 2))), [[0.75, 0.25]], atol=1e-6)
    assert fitted.feature_importances_.shape == (2,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_estimators": 0}, "n_estimators must be an integer >= 1; got 0"),
        ({"early_stopping_rounds": 5}, "set validation_fraction"),
        ({"validation_fraction": 1.0}, "validation_fraction must be > 0 and < 1, or None; got 1.0"),
        ({"validation_fraction": "half"}, "must be > 0 and < 1, or None; got 'half'"),
        ({"booster_params": 5}, "booster_params must be a dict .*or None; got 5"),
        ({"booster_params": {1: 2}}, "booster_params must be a dict with names as keys"),
        (
            {"booster_params": {"objective": "binary"}},
            "booster_params must not hold .* got objective",
        ),
        (
            {"booster_params": {"learning_rate": 0.2}},
            "booster_params must not hold .* got learning_rate",
        ),
        ({"record": "brier_loss"}, "record must be None or a sequence of losses"),
        (
            {"record": ["cumulative_link_log_loss"]},
            "record must hold .*cumulative_link_log_loss needs",
        ),
        ({"loss": "entropy"}, "loss must be a loss of class labels; got entropy"),
        ({"loss": "hinge_loss"}, "y must hold two classes for hinge_loss; got 3"),
        (
            {"loss": "categorical_hinge", "record": ["brier_loss"]},
            "record must hold .*brier_loss needs",
        ),
        ({"hessian_factor": 0.0}, "hessian_factor must be > 0"),
        ({"class_weight": "even"}, "class_weight must be 'balanced'"),
    ],
)
@each
def test_invalid_parameters_raise_input_error(model: Any, options: Any, message: str) -> None:
    X, y, _ = table(3, 60)
    with pytest.raises(InputError, match=message):
        model(**options).fit(X, y)


@each
@pytest.mark.parametrize("params", [{"learning_rate": "fast"}, {"booster_params": {"bogus": 1}}])
def test_errors_of_the_booster_become_input_errors(model: Any, params: Any) -> None:
    X, y, _ = table(2, 60)
    rules = (
        f"{model.module} raised an error",
        "unknown parameter",
        "learning_rate",
        "booster_params must not hold parameters that XGBoost does not use; got bogus",
    )
    with pytest.raises(InputError, match=f"^{'|^'.join(rules)}"):
        model(**params).fit(X, y)


@each
def test_missing_booster_names_the_pip_command(model: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, model.module, None)
    X, y, _ = table(2, 60)
    with pytest.raises(InputError, match=r"pip install 'xentexp\[boosters\]'"):
        model().fit(X, y)


@each
def test_booster_params_reach_the_booster(model: Any) -> None:
    X, y, _ = table(2, 100)
    name = {"lightgbm": "feature_fraction", "xgboost": "colsample_bytree", "catboost": "rsm"}
    subsampled = model(booster_params={name[model.module]: 0.3}, **SMALL).fit(X, y)
    all_columns = model(**SMALL).fit(X, y)
    assert np.abs(subsampled.predict_proba(X) - all_columns.predict_proba(X)).max() > 1e-3


@pytest.mark.long
def test_boosters_are_imported_only_when_used() -> None:
    code = (
        "import sys, xentexp.estimators._lightgbm, xentexp.estimators._xgboost, "
        "xentexp.estimators._catboost, xentexp.objectives._catboost; "
        "print([m for m in ('lightgbm', 'xgboost', 'catboost') if m in sys.modules])"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", MODELS)
def test_boost_from_average_must_be_true_or_false(kind):
    X, y, _ = table(2, 40)
    with pytest.raises(InputError, match="boost_from_average must be True or False; got 'no'"):
        kind(boost_from_average="no").fit(X, y)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, "fast"])
@pytest.mark.parametrize("kind", MODELS)
def test_invalid_learning_rates_raise_input_error(kind, rate):
    X, y, _ = table(2, 40)
    with pytest.raises(InputError, match="learning_rate must be > 0"):
        kind(learning_rate=rate).fit(X, y)


# -- settings without effect ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (LightGBMLossClassifier, {"is_unbalance": True}),
        (LightGBMLossClassifier, {"unbalanced_sets": True}),
        (LightGBMLossClassifier, {"scale_pos_weight": 3.0}),
        (LightGBMLossClassifier, {"sigmoid": 2.0}),
        (LightGBMLossClassifier, {"neg_bagging": 0.5}),
        (LightGBMLossClassifier, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        (LightGBMLossClassifier, {"alpha": 0.5}),
        (LightGBMLossClassifier, {"early_stopping_min_delta": 0.1}),
        (LightGBMLossClassifier, {"weight": 0}),
        (XGBoostLossClassifier, {"scale_pos_weight": 3.0}),
        (XGBoostLossClassifier, {"rate_drop": 0.1}),
        (XGBoostLossClassifier, {"bogus": 1, "verbosity": 0}),
        (XGBoostLossClassifier, {"scale_pos_weight": "three"}),
        (XGBoostLossClassifier, {"booster": "gblinear"}),
        (XGBoostLossClassifier, {"validate_parameters": False, "bogus": 1}),
        (CatBoostLossClassifier, {"scale_pos_weight": 3.0}),
        (CatBoostLossClassifier, {"class_weights": [1.0, 3.0]}),
        (CatBoostLossClassifier, {"model_shrink_rate": 0.1}),
        (CatBoostLossClassifier, {"metric_period": 5}),
        (CatBoostLossClassifier, {"eval_fraction": 0.5}),
    ],
)
def test_settings_without_effect_raise_an_error(model: Any, params: Any) -> None:
    X, y, _ = table(2, 60)
    name = next(iter(params))
    with pytest.raises(
        InputError, match=f"must not (be|hold|be set).*{name}|^{name} must (not|be)"
    ):
        model(booster_params=params, **SMALL).fit(X, y)


COLUMNS = ["age", "income [EUR]", "c", "d", "e<", "f"]
"""Names of which XGBoost and LightGBM do not accept all."""


@pytest.mark.parametrize(
    ("model", "by_name", "by_number"),
    [
        (LightGBMLossClassifier, {"categorical_feature": ["d", "f"]}, {"cat_feature": [3, 5]}),
        (LightGBMLossClassifier, {"monotone_constraints": {"d": 1}}, {"mc": [0, 0, 0, 1, 0, 0]}),
        (
            LightGBMLossClassifier,
            {"interaction_constraints": [["age", "d"], ["f"]]},
            {"interaction_constraints": "[0,3],[5]"},
        ),
        (
            XGBoostLossClassifier,
            {"monotone_constraints": {"d": 1}},
            {"monotone_constraints": "(0,0,0,1,0,0)"},
        ),
        (
            XGBoostLossClassifier,
            {"interaction_constraints": [["age", "d"], ["f"]]},
            {"interaction_constraints": "[[0,3],[5]]"},
        ),
        (
            CatBoostLossClassifier,
            {"monotone_constraints": {"d": 1}},
            {"monotone_constraints": {3: 1}},
        ),
        (CatBoostLossClassifier, {"feature_weights": {"d": 0.01}}, {"feature_weights": {3: 0.01}}),
        (CatBoostLossClassifier, {"ignored_features": ["d"]}, {"ignored_features": [3]}),
    ],
)
def test_columns_in_booster_params_by_name(model: Any, by_name: Any, by_number: Any) -> None:
    X, y, _ = table(2, 300)
    frame = pd.DataFrame(np.round(2.0 * np.abs(X[:, 2:])), columns=COLUMNS)
    named, numbered, without = (
        model(booster_params=params, **SMALL).fit(frame, y).predict_proba(frame)
        for params in (by_name, by_number, {})
    )
    np.testing.assert_array_equal(named, numbered)
    assert np.abs(named - without).max() > 1e-3


@pytest.mark.parametrize("categories", [False, True])
def test_categorical_feature_equals_that_of_lgbm_classifier(categories: bool) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    X, y, _ = table(2, 300)
    frame = pd.DataFrame(np.round(2.0 * np.abs(X[:, 2:])), columns=list("abcdef"))
    if categories:
        frame["e"] = pd.Categorical(np.where(X[:, 0] > 0.0, "u", "v"))
    ours = LightGBMLossClassifier(booster_params={"categorical_feature": ["a", "c"]})
    theirs = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1).fit(
        frame, y, categorical_feature=["a", "c", *(["e"] if categories else [])]
    )
    np.testing.assert_allclose(
        ours.fit(frame, y).predict_proba(frame), theirs.predict_proba(frame), atol=1e-12
    )


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (LightGBMLossClassifier, {"categorical_feature": ["zip"]}),
        (LightGBMLossClassifier, {"categorical_feature": "0"}),
        (LightGBMLossClassifier, {"interaction_constraints": [0, 1]}),
        (XGBoostLossClassifier, {"monotone_constraints": {"zip": 1}}),
        (XGBoostLossClassifier, {"interaction_constraints": [[[0]]]}),
        (CatBoostLossClassifier, {"ignored_features": [9]}),
    ],
)
def test_unknown_columns_in_booster_params_raise_an_error(model: Any, params: Any) -> None:
    X, y, _ = table(2, 60)
    with pytest.raises(InputError, match="columns in booster_params must be"):
        model(booster_params=params).fit(X, y)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("tree_method", ["approx", "exact", "hist"])
def test_tree_methods_equal_those_of_xgb_classifier(k: int, tree_method: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    X, y, weight = table(k, 300, weighted=True)
    ours = XGBoostLossClassifier(n_estimators=10, booster_params={"tree_method": tree_method})
    theirs = xgboost.XGBClassifier(n_estimators=10, n_jobs=1, tree_method=tree_method)
    np.testing.assert_allclose(
        ours.fit(X, y, weight).predict_proba(X),
        theirs.fit(X, y, sample_weight=weight).predict_proba(X),
        atol=1e-6,
    )


@pytest.mark.parametrize("k", [2, 3])
def test_dart_equals_that_of_xgb_classifier(k: int) -> None:
    xgboost = pytest.importorskip("xgboost")
    X, y, _ = table(k, 300)
    dart = {"booster": "dart", "rate_drop": 0.3}
    ours = XGBoostLossClassifier(n_estimators=10, random_state=0, booster_params=dart)
    theirs = xgboost.XGBClassifier(n_estimators=10, random_state=0, n_jobs=1, **dart)
    np.testing.assert_allclose(
        ours.fit(X, y).predict_proba(X), theirs.fit(X, y).predict_proba(X), atol=1e-6
    )
    ours.set_params(validation_fraction=0.3, early_stopping_rounds=2)
    with pytest.raises(InputError, match="early_stopping_rounds must be None for dart"):
        ours.fit(X, y)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (XGBoostLossClassifier, {"scale_pos_weight": 1}),
        (XGBoostLossClassifier, {"scale_pos_weight": None, "booster": "gbtree"}),
        (CatBoostLossClassifier, {"verbose": 0}),
        (CatBoostLossClassifier, {"logging_level": "Silent"}),
        (CatBoostLossClassifier, {"silent": True}),
    ],
)
def test_settings_that_change_nothing_are_accepted(model: Any, params: Any) -> None:
    X, y, _ = table(2, 60)
    np.testing.assert_array_equal(
        model(booster_params=params, **SMALL).fit(X, y).predict_proba(X),
        model(**SMALL).fit(X, y).predict_proba(X),
    )


@pytest.mark.parametrize("name", ["boosting", "boosting_type", "boost"])
def test_dart_refuses_what_changes_or_outlives_its_trees(name: str) -> None:
    # Recording the training rows changes the model in LightGBM; later rounds change the best one.
    X, y, _ = table(2, 100)
    dart = LightGBMLossClassifier(booster_params={name: "dart"}, validation_fraction=0.3, **SMALL)
    with pytest.raises(InputError, match="early_stopping_rounds must be None for dart"):
        clone(dart).set_params(early_stopping_rounds=3).fit(X, y)
    with pytest.raises(InputError, match="record must be None with boosting='dart'"):
        clone(dart).set_params(record=()).fit(X, y)
    fitted = dart.fit(X, y)
    training = objectives.TrainingObjective(get_loss("categorical_crossentropy"), y, 2)
    held_out = split_parts(TrainingRows(X, training, None), 0.3, 0)["valid"]
    np.testing.assert_allclose(
        held_out.training.mean_loss(fitted.decision_function(held_out.X)[np.newaxis]),
        fitted.learning_curve_["valid"]["categorical_crossentropy"][-1],
    )


# -- rows of weight 0, sparse rows, repeated names -----------------------------------------------

QUICK: list[Any] = [
    *(model(**SMALL) for model in MODELS),
    NetworkLossClassifier(max_epochs=3, random_state=0),
    LinearLossClassifier(),
]
each_classifier = pytest.mark.parametrize("model", QUICK, ids=lambda model: type(model).__name__)


@each_classifier
@pytest.mark.parametrize("held_out", [None, 0.3])
def test_rows_of_weight_0_have_no_effect(model: Any, held_out: Any) -> None:
    X, y, weight = table(3, 200, weighted=True)
    weight[np.random.default_rng(0).random(200) < 0.4] = 0.0
    kept = weight > 0.0
    model = clone(model).set_params(validation_fraction=held_out, record=())
    weighted = clone(model).set_params(random_state=0).fit(X, y, sample_weight=weight)
    without = clone(model).set_params(random_state=0).fit(X[kept], y[kept], weight[kept])
    np.testing.assert_array_equal(weighted.predict_proba(X), without.predict_proba(X))


@each_classifier
def test_class_of_weight_0_keeps_its_column(model: Any) -> None:
    X, y, _ = table(2, 100)
    proba = clone(model).fit(X, y, sample_weight=y.astype(float)).predict_proba(X)
    np.testing.assert_allclose(proba, np.broadcast_to([0.0, 1.0], proba.shape), atol=1e-6)


def sparse_table(k: int) -> tuple[Any, Any]:
    X, y, _ = table(k, 200)
    return np.where(np.random.default_rng(0).random(X.shape) < 0.6, 0.0, X), y


CONTAINERS = [
    scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.csc_array,
    scipy.sparse.coo_matrix, scipy.sparse.lil_array,
]  # fmt: skip


@each_classifier
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("k", [2, 3])
def test_sparse_rows(model: Any, container: Any, k: int) -> None:
    X, y = sparse_table(k)
    fitted = clone(model).set_params(validation_fraction=0.3, record=["brier_loss"], random_state=0)
    # XGBoost reads zeros that are not stored as missing values.
    unstored = np.nan if isinstance(model, XGBoostLossClassifier) else 0.0
    dense = np.where(X == 0.0, unstored, X)
    expected = clone(fitted).fit(dense, y).predict_proba(dense)
    actual = fitted.fit(container(X), y).predict_proba(container(X))
    np.testing.assert_allclose(actual, expected, atol=1e-9)


@each_classifier
def test_entries_that_a_sparse_matrix_stores_twice_are_added(model: Any) -> None:
    X, y, _ = table(2, 100)
    # Each row stores two parts of its first value and its second value.
    columns = np.tile([0, 0, 1], 100)
    values = np.column_stack([X[:, 0] - 1.0, np.ones(100), X[:, 1]]).ravel()
    twice = scipy.sparse.csr_array((values, columns, np.arange(0, 301, 3)), shape=(100, 2))
    stored = twice.nnz
    fitted = clone(model).set_params(random_state=0)
    expected = clone(fitted).fit(X[:, :2], y).predict_proba(X[:, :2])
    np.testing.assert_allclose(fitted.fit(twice, y).predict_proba(twice), expected, atol=1e-6)
    assert twice.nnz == stored  # the caller's matrix is not changed


@each_classifier
@pytest.mark.parametrize("weight", [[np.nan], [np.inf], [-1.0], [0.0], ["a"], [None]])
def test_weights_that_are_not_valid_raise_an_error(model: Any, weight: Any) -> None:
    X, y, _ = table(2, 60)
    with pytest.raises(InputError, match="sample_weight is not valid: "):
        clone(model).fit(X, y, sample_weight=weight * 60)


@pytest.mark.parametrize("k", [2, 3])
def test_sparse_rows_equal_those_of_xgb_classifier(k: int) -> None:
    xgboost = pytest.importorskip("xgboost")
    X, y = sparse_table(k)
    rows = scipy.sparse.csr_array(X)
    theirs = xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(rows, y)
    ours = XGBoostLossClassifier(n_estimators=10).fit(rows, y)
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("model", [*MODELS, NetworkLossClassifier, LinearLossClassifier])
def test_sparse_columns_of_a_frame_equal_dense_columns(model: Any) -> None:
    X, y = sparse_table(2)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    sparse = frame.astype({name: pd.SparseDtype(float, 0.0) for name in "abcde"})
    fitted = model(random_state=0).set_params(
        **({"max_epochs": 2} if model is NetworkLossClassifier else {})
    )
    expected = fitted.fit(frame, y).predict_proba(frame)
    for columns in (sparse, *(frame.astype(pd.SparseDtype(float, fill)) for fill in (1.0, np.nan))):
        np.testing.assert_array_equal(fitted.fit(columns, y).predict_proba(columns), expected)
    columns = frame.astype(pd.SparseDtype(float, 0.0))
    np.testing.assert_allclose(
        fitted.fit(columns, y).predict_proba(columns), expected, rtol=0, atol=1e-6
    )
    expected = fitted.fit(frame > 0, y).predict_proba(frame > 0)
    columns = (frame > 0).astype(pd.SparseDtype(bool, False))
    np.testing.assert_array_equal(fitted.fit(columns, y).predict_proba(columns), expected)


@pytest.mark.parametrize("model", [*MODELS, NetworkLossClassifier, LinearLossClassifier])
def test_pandas_na_among_objects_is_a_missing_value(model: Any) -> None:
    X, y = sparse_table(2)
    frame = pd.DataFrame(X)
    objects = frame.astype(object).mask(frame > 1, pd.NA)
    if model in (NetworkLossClassifier, LinearLossClassifier):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            model().fit(objects, y)
        return
    expected = model(random_state=0).fit(frame.mask(frame > 1), y).predict_proba(X)
    np.testing.assert_array_equal(model(random_state=0).fit(objects, y).predict_proba(X), expected)


@pytest.mark.parametrize("model", [*MODELS, NetworkLossClassifier, LinearLossClassifier])
@pytest.mark.parametrize("categories", [False, True])
def test_repeated_column_names_raise_an_error(model: Any, categories: bool) -> None:
    X, y, _ = table(2, 60)
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "a"])
    if categories:
        frame["c"] = pd.Categorical(["u", "v"] * 30)
    with pytest.raises(InputError, match="X must have unique column names; got 'a' more than once"):
        model().fit(frame, y)
