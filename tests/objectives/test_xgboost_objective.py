"""XGBoostObjective and XGBoostMetric."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import brier_score_loss

import xentexp
from tests.support.boosting import table
from xentexp.errors import InputError
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


# -- base score and settings that XGBoost ignores ------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("way", ["train", "train with objective", "XGBClassifier"])
def test_every_way_of_training_gives_the_model_that_starts_from_0(way: str, k: int) -> None:
    X, y, weight = table(k, 300, weighted=True)
    several = {"num_class": k} if k > 2 else {}
    data = xgboost.DMatrix(X, y, weight=weight)
    objective = XGBoostObjective("brier_loss")
    expected = xgboost.train({**PLAIN, **several, "base_score": 0}, data, 10, obj=objective)
    neutral = 0.5 if k == 2 and way != "train" else 0.0  # a probability for binary:logistic
    if way == "XGBClassifier":
        model = xgboost.XGBClassifier(
            objective=objective, base_score=neutral, n_estimators=10, **PLAIN
        )
        booster = model.fit(X, y, sample_weight=weight).get_booster()
        raw = expected.predict(data, output_margin=True)
        proba = np.column_stack([expit(-raw), expit(raw)]) if k == 2 else softmax(raw, axis=1)
        np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-6)
    else:
        name = {"objective": "multi:softprob" if several else "binary:logistic"}
        settings = {**PLAIN, **several, "base_score": neutral, **(name if "with" in way else {})}
        booster = xgboost.train(settings, data, 10, obj=objective)
    np.testing.assert_allclose(
        booster.predict(data, output_margin=True),
        expected.predict(data, output_margin=True),
        atol=1e-6,
    )


def test_base_score_of_xgb_classifier_is_a_probability() -> None:
    # XGBoost's own objective starts from the mean of the labels.
    X, y, _ = table(2)
    settings = {"n_estimators": 20, "n_jobs": 1}
    ours = xgboost.XGBClassifier(
        objective=XGBoostObjective("categorical_crossentropy"), base_score=y.mean(), **settings
    )
    theirs = xgboost.XGBClassifier(**settings)
    np.testing.assert_allclose(
        ours.fit(X, y).predict_proba(X), theirs.fit(X, y).predict_proba(X), atol=1e-6
    )


@pytest.mark.parametrize("base_score", [0, 1])
def test_infinite_start_raises_an_error(base_score: float) -> None:
    X, y, _ = table(2, 60)
    objective = XGBoostObjective("brier_loss")
    # XGBoost before 3.1 raises an error of its own.
    errors = (InputError, xgboost.core.XGBoostError)
    with pytest.raises(errors, match="base_score must be"):
        xgboost.XGBClassifier(objective=objective, base_score=base_score, n_jobs=1).fit(X, y)
    settings = {**PLAIN, "objective": "binary:logistic", "base_score": base_score}
    with pytest.raises(errors, match="base_score must be"):
        xgboost.train(settings, xgboost.DMatrix(X, y), 2, obj=objective)


def test_scale_pos_weight_with_a_custom_objective_raises_an_error() -> None:
    X, y, _ = table(2, 60)
    model = xgboost.XGBClassifier(
        objective=XGBoostObjective("brier_loss"), scale_pos_weight=3.0, n_estimators=2, n_jobs=1
    )
    with pytest.raises(InputError, match=r"scale_pos_weight must not be set .* got 3"):
        model.fit(X, y)
    model.set_params(scale_pos_weight=1.0).fit(X, y)


# -- metric beside the objectives of XGBoost -----------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("k", "objective"), [(2, "binary:logistic"), (2, "binary:logitraw"), (3, "multi:softprob")]
)
@pytest.mark.parametrize("interface", ["train", "cv", "XGBClassifier"])
def test_metric_beside_a_built_in_objective(
    interface: str, k: int, objective: str, weighted: bool
) -> None:
    X, y, weight = table(k, 300, weighted=weighted)
    metric = XGBoostMetric("brier_loss")
    if interface == "XGBClassifier":
        model = xgboost.XGBClassifier(
            objective=objective, n_estimators=5, eval_metric=metric, n_jobs=1
        ).fit(
            X, y, sample_weight=weight, eval_set=[(X, y)], sample_weight_eval_set=[weight],
            verbose=False,
        )  # fmt: skip
        actual = model.evals_result()["validation_0"]["brier_loss"][-1]
        raw = model.predict(X, output_margin=True)
    else:
        settings = {**PLAIN, "objective": objective, **({"num_class": k} if k > 2 else {})}
        data = xgboost.DMatrix(X, y, weight=weight)
        if interface == "cv":
            rows = np.arange(len(y))
            result = xgboost.cv(
                settings, data, 5, folds=[(rows, rows)], custom_metric=metric, as_pandas=False
            )
            actual = result["test-brier_loss-mean"][-1]
        history: dict[str, Any] = {}
        model = xgboost.train(
            settings, data, 5, evals=[(data, "train")], custom_metric=metric,
            evals_result=history, verbose_eval=False,
        )  # fmt: skip
        actual = history["train"]["brier_loss"][-1] if interface == "train" else actual
        raw = model.predict(data, output_margin=True)
    proba = expit(raw) if k == 2 else softmax(raw, axis=1)
    expected = brier_score_loss(y, proba, sample_weight=weight)  # scikit-learn's
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize(("k", "objective"), [(2, "reg:squarederror"), (3, "multi:softmax")])
def test_metric_refuses_predictions_that_are_not_probabilities(k: int, objective: str) -> None:
    X, y, _ = table(k, 60)
    model = xgboost.XGBClassifier(
        objective=objective, n_estimators=2, eval_metric=XGBoostMetric("brier_loss"), n_jobs=1
    )
    with pytest.raises(InputError, match=f"objective must be .* got '{objective}'"):
        model.fit(X, y, eval_set=[(X, y)], verbose=False)


class OwnBooster(xgboost.Booster):
    """Booster of a user's own class."""


@pytest.mark.parametrize("kind", [xgboost.Booster, OwnBooster])
@pytest.mark.parametrize("output_margin", [False, True])
def test_metric_in_a_loop_over_update(kind: Any, output_margin: bool) -> None:
    X, y, _ = table(2, 200)
    data = xgboost.DMatrix(X, y)
    booster = kind({**PLAIN, "objective": "binary:logistic"}, [data])
    metric, seen = XGBoostMetric("brier_loss"), []

    def objective(scores: Any, data: Any) -> Any:
        seen.append((metric(scores, data)[1], brier_score_loss(y, expit(scores))))
        return XGBoostObjective("brier_loss")(scores, data)

    for iteration in range(5):
        booster.update(data, iteration, fobj=objective)
    np.testing.assert_allclose(*np.transpose(seen), rtol=1e-6)
    message = booster.eval_set([(data, "train")], 5, metric, output_margin)
    expected = brier_score_loss(y, booster.predict(data))
    np.testing.assert_allclose(float(message.rpartition(":")[2]), expected, atol=1e-6)


def test_metric_of_decision_scores_beside_a_built_in_objective_raises_an_error() -> None:
    X, y, _ = table(2, 60)
    model = xgboost.XGBClassifier(n_estimators=2, eval_metric=XGBoostMetric("hinge_loss"), n_jobs=1)
    with pytest.raises(InputError, match=r"loss must be a loss of prob.* got hinge_loss"):
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
