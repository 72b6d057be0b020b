"""LightGBMObjective and LightGBMMetric."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

import xentexp
from tests.support.boosting import table
from xentexp.errors import InputError
from xentexp.objectives._lightgbm import LightGBMMetric, LightGBMObjective
from xentexp.objectives._objective import initial_scores

lightgbm = pytest.importorskip("lightgbm")
QUIET = {"verbosity": -1, "num_threads": 1, "num_leaves": 15, "learning_rate": 0.1}


def probabilities(raw: Any) -> Any:
    return softmax(raw, axis=1) if raw.ndim == 2 else expit(raw)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_reproduces_the_objective_of_lightgbm(k: int, weighted: bool) -> None:
    X, y, weight = table(k, weighted=weighted)
    several = {"num_class": k} if k > 2 else {}
    theirs = lightgbm.train(
        {**QUIET, **several, "objective": "multiclass" if several else "binary"},
        lightgbm.Dataset(X, y, weight=weight),
        60,
    )
    objective = LightGBMObjective("categorical_crossentropy")
    start = initial_scores(objective.training(y, weight, k if several else 1))
    data = lightgbm.Dataset(X, y, weight=weight, init_score=np.repeat(start, len(y)))
    ours = lightgbm.train({**QUIET, **several, "objective": objective}, data, 60)
    raw = ours.predict(X) + (start if several else start[0])
    np.testing.assert_allclose(probabilities(raw), theirs.predict(X), atol=1e-6)
    assert ours.num_trees() == theirs.num_trees()


def test_model_differs_without_initial_score_or_factor() -> None:
    X, y, _ = table(3)
    settings = {"n_estimators": 20, "verbosity": -1, "n_jobs": 1}
    theirs = lightgbm.LGBMClassifier(**settings).fit(X, y).predict_proba(X)
    shares = np.log(np.bincount(y) / len(y))
    for start, factor, same in [
        (shares, None, True),
        (0.0 * shares, None, False),
        (shares, 1.0, False),
    ]:
        objective = LightGBMObjective("categorical_crossentropy", hessian_factor=factor)
        model = lightgbm.LGBMClassifier(**settings, objective=objective)
        model.fit(X, y, init_score=np.tile(start, (len(y), 1)))
        proba = softmax(model.predict(X, raw_score=True) + start, axis=1)
        assert (np.abs(proba - theirs).max() < 1e-6) == same


def test_sklearn_interface_passes_sample_weights() -> None:
    # LightGBM inspects the number of arguments: it does not pass weights to a function of two.
    objective = LightGBMObjective("categorical_crossentropy")
    assert list(inspect.signature(objective).parameters) == ["y_true", "y_pred", "sample_weight"]
    X, y, weight = table(2, weighted=True)
    model = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1, objective=objective)
    plain = model.fit(X, y).predict(X, raw_score=True)
    weighted = model.fit(X, y, sample_weight=weight).predict(X, raw_score=True)
    assert np.abs(plain - weighted).max() > 0.01


def test_lightgbm_predicts_raw_scores_under_a_custom_objective() -> None:
    X, y, _ = table(3)
    model = lightgbm.LGBMClassifier(
        n_estimators=5, verbosity=-1, n_jobs=1, objective=LightGBMObjective("brier_loss")
    ).fit(X, y)
    with pytest.warns(UserWarning, match="customized objective"):
        predicted = model.predict_proba(X)
    np.testing.assert_array_equal(predicted, model.predict(X, raw_score=True))
    assert predicted.min() < 0.0


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_result_has_layout_and_dtype_of_the_scores(k: int, dtype: Any, order: Any) -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.integers(k, size=50), rng.uniform(0.5, 2.0, 50)
    shape = (50,) if k == 2 else (50, k)
    scores = np.asarray(rng.normal(size=shape), dtype=dtype, order=order)
    actual = LightGBMObjective("categorical_crossentropy")(y.astype(np.float32), scores, weight)
    expected = xentexp.get_loss("categorical_crossentropy").gradient_hessian(
        y, scores.astype(np.float64), sample_weight=weight
    )
    for ours, other, factor in zip(actual, expected, (1.0, 1.0 if k == 2 else 1.5), strict=True):
        assert ours.dtype == dtype
        assert ours.strides == scores.strides
        np.testing.assert_allclose(
            ours, other * factor, rtol=1e-6 if dtype == np.float32 else 1e-12
        )


def test_class_weight_smoothing_and_parameters_reach_the_loss() -> None:
    y, scores = np.array([0, 1, 2, 2]), np.random.default_rng(0).normal(size=(4, 3))
    options = {"class_weight": {0: 2.0, 2: 0.5}, "label_smoothing": 0.1}
    objective = LightGBMObjective("categorical_focal_crossentropy", gamma=1.0, **options)
    expected = xentexp.get_loss("categorical_focal_crossentropy", gamma=1.0).gradient(
        y, scores, **options
    )
    np.testing.assert_allclose(objective(y, scores, None)[0], expected)
    metric = LightGBMMetric("categorical_focal_crossentropy", gamma=1.0, **options)
    values = xentexp.get_loss("categorical_focal_crossentropy", gamma=1.0).per_sample(
        y, scores, from_logits=True, **options
    )
    name, value, higher = metric(y, scores)
    assert (name, higher) == ("categorical_focal_crossentropy", False)
    np.testing.assert_allclose(value, values.sum() / (2.0 + 1.0 + 0.5 + 0.5))


def test_metric_works_with_early_stopping() -> None:
    X, y, weight = table(2, weighted=True)
    data = lightgbm.Dataset(X[:400], y[:400], weight=weight[:400])
    held_out = lightgbm.Dataset(X[400:], y[400:], weight=weight[400:], reference=data)
    history: dict[str, Any] = {}
    model = lightgbm.train(
        {**QUIET, "learning_rate": 0.3, "objective": LightGBMObjective("brier_loss")},
        data,
        300,
        valid_sets=[held_out],
        feval=LightGBMMetric("brier_loss"),
        callbacks=[
            lightgbm.early_stopping(5, verbose=False),
            lightgbm.record_evaluation(history),
        ],
    )
    curve = history["valid_0"]["brier_loss"]
    assert len(curve) < 300
    best = np.average((expit(model.predict(X[400:])) - y[400:]) ** 2, weights=weight[400:])
    np.testing.assert_allclose(min(curve), best, rtol=1e-6)


def test_rows_that_change_in_place_are_not_cached() -> None:
    objective = LightGBMObjective("categorical_crossentropy")
    y, scores = np.array([0.0, 1.0]), np.zeros(2)
    objective(y, scores, None)
    y[0] = 1.0
    np.testing.assert_allclose(objective(y, scores, None)[0], [-0.5, -0.5])


def test_objective_can_be_pickled_and_cloned_in_an_estimator() -> None:
    from sklearn.base import clone

    objective = LightGBMObjective("categorical_focal_crossentropy", gamma=1)
    scores = np.array([0.3, -0.2])
    expected = objective(np.array([0, 1]), scores, None)
    again = pickle.loads(pickle.dumps(objective))
    assert again._last is None
    np.testing.assert_array_equal(again(np.array([0, 1]), scores, None), expected)
    model = clone(lightgbm.LGBMClassifier(objective=objective))
    np.testing.assert_array_equal(model.objective(np.array([0, 1]), scores, None), expected)


def test_invalid_input_raises_input_error() -> None:
    with pytest.raises(InputError, match="loss must have a gradient; got"):
        LightGBMObjective("zero_one_loss")
    with pytest.raises(InputError, match="hessian_factor must be > 0"):
        LightGBMObjective("brier_loss", hessian_factor=0)
    with pytest.raises(InputError, match="unknown parameter of brier_loss"):
        LightGBMObjective("brier_loss", gama=2)
    with pytest.raises(InputError, match="pass n_classes="):
        LightGBMObjective("cumulative_link_log_loss")
    with pytest.raises(InputError, match="labels must be class numbers 0 to 1"):
        LightGBMObjective("brier_loss")(np.array([1, 2]), np.zeros(2), None)
    with pytest.raises(InputError, match="is for two classes; there are 3"):
        LightGBMObjective("hinge_loss")(np.array([1, 2]), np.zeros((2, 3)), None)


def test_latent_score_loss_uses_n_classes() -> None:
    objective = LightGBMObjective("cumulative_link_log_loss", n_classes=3)
    gradient, curvature = objective(np.array([0, 1, 2]), np.zeros(3), None)
    expected = xentexp.get_loss("cumulative_link_log_loss").gradient_hessian(
        [0, 1, 2], np.zeros(3), labels=[0, 1, 2]
    )
    np.testing.assert_allclose(gradient, expected[0])
    np.testing.assert_allclose(curvature, expected[1])


def test_different_numbers_of_labels_weights_and_scores_raise_an_error():
    objective = LightGBMObjective("brier_loss")
    y = np.array([0, 1, 0])
    with pytest.raises(InputError, match="scores must have one entry for each of 3 labels; got 5"):
        objective(y, np.zeros(5), None)
    with pytest.raises(
        InputError, match="sample_weight must have one number for each of 3 rows; got 2"
    ):
        objective(y, np.zeros(3), np.ones(2))
