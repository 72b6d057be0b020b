"""CatBoostObjective and CatBoostMetric."""

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
from xentexp.objectives._catboost import CatBoostMetric, CatBoostObjective

catboost = pytest.importorskip("catboost")
PLAIN = {
    "iterations": 20, "depth": 4, "learning_rate": 0.1, "thread_count": 1, "random_seed": 0,
    "verbose": False, "allow_writing_files": False, "bootstrap_type": "No",
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore:Failed to import numba", "ignore:Can't optimi")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_reproduces_the_objective_of_catboost(k: int, weighted: bool) -> None:
    # Equal up to rounding: CatBoost computes in float64, and MultiClass uses the full hessian.
    X, y, weight = table(k, 200, weighted=weighted)
    pool = catboost.Pool(X, y, weight=weight)
    theirs = catboost.CatBoost({**PLAIN, "loss_function": "MultiClass" if k > 2 else "Logloss"})
    ours = catboost.CatBoost(
        {
            **PLAIN,
            "loss_function": CatBoostObjective("categorical_crossentropy"),
            "eval_metric": CatBoostMetric("categorical_crossentropy"),
            **({"classes_count": k} if k > 2 else {}),
        }
    )
    actual, expected = (
        model.fit(pool).predict(pool, prediction_type="RawFormulaVal") for model in (ours, theirs)
    )
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_derivatives_are_those_of_the_negative_loss() -> None:
    y, scores = np.array([0.0, 1.0, 1.0]), np.array([0.3, -0.5, 2.0])
    weight = np.array([1.0, 2.0, 0.5])
    gradient, hessian = xentexp.get_loss("categorical_crossentropy").gradient_hessian(
        y, scores, sample_weight=weight
    )
    ders = CatBoostObjective("categorical_crossentropy").calc_ders_range(scores, y, weight)
    np.testing.assert_allclose(ders, -np.column_stack([gradient, hessian]))


def finite_matrix(loss: Any, y: int, scores: Any, options: Any, h: float = 1e-5) -> Any:
    """Hessian of one row by finite differences of the gradient."""
    columns = []
    for step in h * np.eye(len(scores)):
        up, down = (
            loss.gradient([y], scores[np.newaxis] + sign * step, labels=[0, 1, 2], **options)[0]
            for sign in (1.0, -1.0)
        )
        columns.append((up - down) / (2.0 * h))
    return np.array(columns)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_hessian_has_off_diagonal_terms(smoothing: float) -> None:
    scores = np.array([0.3, -1.0, 0.7])
    objective = CatBoostObjective(
        "categorical_crossentropy", class_weight={1: 2.0}, label_smoothing=smoothing
    )
    gradient, matrix = objective.calc_ders_multi(scores, 1.0, 1.5)
    loss, options = xentexp.get_loss("categorical_crossentropy"), {"label_smoothing": smoothing}
    expected = loss.gradient([1], scores[np.newaxis], labels=[0, 1, 2], **options)[0]
    np.testing.assert_allclose(gradient, -3.0 * expected)
    np.testing.assert_allclose(matrix, -3.0 * finite_matrix(loss, 1, scores, options), atol=1e-9)


@pytest.mark.parametrize("name", ["brier_loss", "categorical_hinge", "exponential_loss"])
def test_hessian_of_other_losses_is_diagonal(name: str) -> None:
    from xentexp.objectives import TrainingObjective, get_training_loss

    scores = np.array([0.3, -1.0, 0.7])
    gradient, matrix = CatBoostObjective(name).calc_ders_multi(scores, 2.0, 2.0)
    training = TrainingObjective(
        get_training_loss(name), np.array([2]), 3, sample_weight=np.array([2.0])
    )
    expected, curvature = training.newton_terms(scores[:, np.newaxis])
    np.testing.assert_allclose(gradient, -expected[:, 0])
    np.testing.assert_allclose(matrix, -np.diag(curvature[:, 0]))
    assert np.all(np.diag(matrix)[gradient != 0.0] < 0.0)


def test_metric_is_the_weighted_mean() -> None:
    rng = np.random.default_rng(0)
    y, scores, weight = rng.integers(3, size=40), rng.normal(size=(3, 40)), rng.uniform(size=40)
    metric = CatBoostMetric("brier_loss")
    assert not metric.is_max_optimal()
    pieces = [slice(0, 15), slice(15, 40)]
    sums = np.sum([metric.evaluate(scores[:, s], y[s], weight[s]) for s in pieces], axis=0)
    squares = ((softmax(scores, axis=0) - np.eye(3)[y].T) ** 2).sum(axis=0)
    np.testing.assert_allclose(metric.get_final_error(*sums), np.average(squares, weights=weight))


def test_metric_works_with_early_stopping() -> None:
    X, y, _ = table(2)
    model = catboost.CatBoost(
        {
            **PLAIN, "iterations": 500, "learning_rate": 0.5, "early_stopping_rounds": 5,
            "loss_function": CatBoostObjective("brier_loss"),
            "eval_metric": CatBoostMetric("brier_loss"),
        }
    ).fit(catboost.Pool(X[:400], y[:400]), eval_set=catboost.Pool(X[400:], y[400:]))  # fmt: skip
    assert model.tree_count_ < 500
    p = expit(model.predict(X[400:], prediction_type="RawFormulaVal"))
    best = model.get_best_score()["validation"]["CatBoostMetric"]
    np.testing.assert_allclose(best, np.mean((p - y[400:]) ** 2), rtol=1e-6)


def test_balanced_class_weight_raises_an_error() -> None:
    objective = CatBoostObjective("brier_loss", class_weight="balanced")
    with pytest.raises(InputError, match="pass the weights"):
        objective.calc_ders_range([0.0], [1.0], None)


def test_objective_and_metric_can_be_pickled() -> None:
    objective = pickle.loads(pickle.dumps(CatBoostObjective("brier_loss", hessian_factor=2.0)))
    np.testing.assert_allclose(objective.calc_ders_range([0.0], [1.0], None), [[0.25, -0.5]])


def custom(loss: str, **options: Any) -> dict[str, Any]:
    return {
        "loss_function": CatBoostObjective(loss, **options),
        "eval_metric": CatBoostMetric(loss, **options),
    }


@pytest.mark.parametrize("k", [2, 3])
def test_piece_of_rows_without_weight(k: int) -> None:
    # CatBoost passes pieces of 1000 rows: the row of weight 0 is alone in the second.
    X, y, _ = table(k, 1001 if k == 2 else 101)
    weight = np.append(np.ones(len(y) - 1), 0.0)
    pool = catboost.Pool(X, y, weight=weight)
    settings = {**PLAIN, "iterations": 3}
    theirs = {"loss_function": "MultiClass" if k > 2 else "Logloss"}
    several = {"classes_count": k} if k > 2 else {}
    actual, expected = (
        catboost.CatBoost({**settings, **options}).fit(pool).predict(pool)
        for options in ({**custom("categorical_crossentropy"), **several}, theirs)
    )
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_piece_of_a_class_without_weight() -> None:
    X, y, _ = table(2, 1100)
    order = np.argsort(y, kind="stable")[::-1]  # the last piece holds class 0 only
    options = {"class_weight": {0: 0.0}}
    model = catboost.CatBoost({**PLAIN, "iterations": 2, **custom("brier_loss", **options)})
    model.fit(X[order], y[order])
    metric = CatBoostMetric("brier_loss", **options)
    assert metric.evaluate(np.zeros((1, 2)), [0, 0], None) == (0.0, 0.0)
    assert np.all(model.predict(X) > 0.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "setting", [{"class_weights": [1.0, 5.0]}, {"auto_class_weights": "SqrtBalanced"}]
)
def test_class_weights_that_catboost_ignores_raise_an_error(setting: Any, weighted: bool) -> None:
    X, y, weight = table(2, 60, weighted=weighted)
    (name,) = setting
    model = catboost.CatBoost({**PLAIN, **custom("brier_loss"), **setting})
    with pytest.raises(catboost.CatBoostError, match=f"InputError: {name} must not be set"):
        model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("k", "setting"),
    [
        (2, {"class_weights": {0: 1.0, 1: 5.0}}),
        (2, {"class_weights": [1.0, 5.0], "classes_count": 2}),
        (2, {"class_weights": [1.0, 5.0], "class_names": [0, 1]}),
        (3, {"class_weights": [1.0, 5.0, 2.0], "classes_count": 3}),
    ],
)
def test_class_weights_that_catboost_passes_reach_the_loss(
    k: int, setting: Any, weighted: bool
) -> None:
    X, y, weight = table(k, 100, weighted=weighted)
    settings = {**PLAIN, "iterations": 3, **custom("brier_loss"), "classes_count": k}
    by_class = np.array([1.0, 5.0, 2.0])[y]
    by_row = catboost.CatBoost(settings).fit(
        X, y, sample_weight=by_class if weight is None else by_class * weight
    )
    actual = catboost.CatBoost({**PLAIN, "iterations": 3, **custom("brier_loss"), **setting})
    raw = {"prediction_type": "RawFormulaVal"}
    np.testing.assert_allclose(
        actual.fit(X, y, sample_weight=weight).predict(X, **raw),
        by_row.predict(X, **raw),
        atol=1e-6,
    )


def test_baseline_reproduces_boost_from_average() -> None:
    X, y, _ = table(2)
    settings = {**PLAIN, "leaf_estimation_iterations": 1}
    theirs = catboost.CatBoost({**settings, "loss_function": "Logloss", "boost_from_average": True})
    start = np.log(y.mean() / (1.0 - y.mean()))
    ours = catboost.CatBoost({**settings, **custom("categorical_crossentropy")})
    ours.fit(catboost.Pool(X, y, baseline=np.full(len(y), start)))
    expected = theirs.fit(X, y).predict(X, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(
        ours.predict(X, prediction_type="RawFormulaVal") + start, expected, atol=1e-9
    )


@pytest.mark.parametrize(
    ("k", "objective"), [(2, "Logloss"), (2, "CrossEntropy"), (2, "MultiClass"), (3, "MultiClass")]
)
def test_metric_beside_a_built_in_objective(k: int, objective: str) -> None:
    X, y, _ = table(k, 200)
    model = catboost.CatBoost(
        {**PLAIN, "loss_function": objective, "eval_metric": CatBoostMetric("brier_loss")}
    ).fit(X, y)
    expected = brier_score_loss(y, model.predict(X, prediction_type="Probability"))
    np.testing.assert_allclose(
        model.get_best_score()["learn"]["CatBoostMetric"], expected, rtol=1e-9
    )


@pytest.mark.parametrize("objective", ["RMSE", "MultiClassOneVsAll"])
def test_metric_refuses_scores_that_are_not_logits(objective: str) -> None:
    X, y, _ = table(3, 60)
    settings = {**PLAIN, "loss_function": objective, "eval_metric": CatBoostMetric("brier_loss")}
    with pytest.raises(catboost.CatBoostError, match=f"must be Logloss.* got '{objective}'"):
        catboost.CatBoost(settings).fit(X, y)
    with pytest.raises(catboost.CatBoostError, match=f"must be Logloss.* got '{objective}'"):
        catboost.cv(catboost.Pool(X, y), settings, fold_count=2)
