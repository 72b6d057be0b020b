"""XGBoostObjective and XGBoostMetric."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

import xentexp
from tests.support.boosting import table
from xentexp.objectives._objective import initial_scores
from xentexp.objectives._xgboost import XGBoostMetric, XGBoostObjective

xgboost = pytest.importorskip("xgboost")
PLAIN = {"max_depth": 4, "learning_rate": 0.1, "nthread": 1, "tree_method": "hist"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_reproduces_the_objective_of_xgboost(k: int, weighted: bool) -> None:
    # Scores, gradients and leaves are float32; rounding errors of 1e-7 add up over the rounds.
    X, y, weight = table(k, weighted=weighted)
    several = {"num_class": k} if k > 2 else {}
    theirs = xgboost.train(
        {**PLAIN, **several, "objective": "multi:softprob" if several else "binary:logistic"},
        xgboost.DMatrix(X, y, weight=weight),
        60,
    )
    objective = XGBoostObjective("categorical_crossentropy")
    start = initial_scores(objective.training(y, weight, k if several else 1))
    margin = np.repeat(start[np.newaxis], len(y), axis=0)
    data = xgboost.DMatrix(X, y, weight=weight, base_margin=margin if several else margin[:, 0])
    ours = xgboost.train({**PLAIN, **several, "base_score": 0.0}, data, 60, obj=objective)
    raw = ours.predict(data, output_margin=True)
    proba = softmax(raw, axis=1) if several else expit(raw)
    np.testing.assert_allclose(proba, theirs.predict(xgboost.DMatrix(X)), atol=1e-6)


def test_base_margin_is_not_stored_in_the_model() -> None:
    X, y, _ = table(2)
    margin = np.full(len(y), 0.7)
    data = xgboost.DMatrix(X, y, base_margin=margin)
    model = xgboost.train({**PLAIN, "base_score": 0.0}, data, 5, obj=XGBoostObjective("brier_loss"))
    without = model.predict(xgboost.DMatrix(X), output_margin=True)
    np.testing.assert_allclose(model.predict(data, output_margin=True), without + 0.7, atol=1e-6)


def test_sklearn_interface_gives_the_same_trees() -> None:
    X, y, weight = table(3, weighted=True)
    objective = XGBoostObjective("categorical_focal_crossentropy", gamma=1.0)
    native = xgboost.train(
        {**PLAIN, "num_class": 3, "base_score": 0.0},
        xgboost.DMatrix(X, y, weight=weight),
        5,
        obj=objective,
    )
    model = xgboost.XGBClassifier(
        n_estimators=5, base_score=0.0, objective=objective, max_depth=4, learning_rate=0.1,
        n_jobs=1, tree_method="hist", eval_metric=XGBoostMetric("brier_loss"),
    ).fit(
        X, y, sample_weight=weight, eval_set=[(X, y)], sample_weight_eval_set=[weight],
        verbose=False,
    )  # fmt: skip
    raw = model.predict(X, output_margin=True)
    np.testing.assert_array_equal(raw, native.predict(xgboost.DMatrix(X), output_margin=True))
    target = np.eye(3)[y]
    brier = ((softmax(raw, axis=1) - target) ** 2).sum(axis=1)
    np.testing.assert_allclose(
        model.evals_result()["validation_0"]["brier_loss"][-1],
        np.average(brier, weights=weight),
        atol=1e-6,
    )


def test_xgboost_classifier_reads_every_score_as_a_logit() -> None:
    X, y, _ = table(3)
    model = xgboost.XGBClassifier(
        n_estimators=5, base_score=0.0, n_jobs=1,
        objective=XGBoostObjective("bi_tempered_logistic_loss", t2=2.0),
    ).fit(X, y)  # fmt: skip
    raw = model.predict(X, output_margin=True)
    np.testing.assert_allclose(model.predict_proba(X), softmax(raw, axis=1), atol=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_result_has_layout_and_dtype_of_the_scores(k: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(k, size=50)
    scores = rng.normal(size=(50,) if k == 2 else (50, k)).astype(np.float32)
    actual = XGBoostObjective("categorical_crossentropy")(y, scores)
    expected = xentexp.get_loss("categorical_crossentropy").gradient_hessian(
        y, scores.astype(np.float64)
    )
    for ours, other, factor in zip(actual, expected, (1.0, 1.0 if k == 2 else 2.0), strict=True):
        assert ours.dtype == np.float32
        assert ours.flags.c_contiguous
        np.testing.assert_allclose(ours, other * factor, rtol=1e-6)


def test_metric_returns_its_name_to_the_native_interface() -> None:
    X, y, weight = table(2, weighted=True)
    history: dict[str, Any] = {}
    data = xgboost.DMatrix(X, y, weight=weight)
    model = xgboost.train(
        {**PLAIN, "base_score": 0.0, "disable_default_eval_metric": True}, data, 5,
        obj=XGBoostObjective("categorical_crossentropy"),
        custom_metric=XGBoostMetric("brier_loss"),
        evals=[(data, "train")], evals_result=history, verbose_eval=False,
    )  # fmt: skip
    p = expit(model.predict(data, output_margin=True))
    expected = np.average((p - y) ** 2, weights=weight)
    np.testing.assert_allclose(history["train"]["brier_loss"][-1], expected, atol=1e-6)


def test_objective_can_be_pickled() -> None:
    objective = pickle.loads(pickle.dumps(XGBoostObjective("brier_loss", hessian_factor=3.0)))
    y, scores = np.array([0, 1]), np.zeros(2)
    np.testing.assert_allclose(
        objective(y, scores)[1], 3.0 * XGBoostObjective("brier_loss")(y, scores)[1]
    )
