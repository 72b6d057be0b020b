"""LightGBMObjective and LightGBMMetric."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import brier_score_loss

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


# -- settings that LightGBM ignores with a custom objective --------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"is_unbalance": True},
        {"unbalance": "true"},
        {"scale_pos_weight": 3},
        {"sigmoid": 2.0},
        {"boost_from_average": True},
        {"pos_bagging_fraction": 0.5},
        {"neg_subsample": 0.5},
    ],
)
@pytest.mark.parametrize("interface", ["train", "LGBMClassifier"])
def test_settings_without_effect_raise_an_error(setting: Any, interface: str) -> None:
    X, y, _ = table(2, 60)
    settings = {"objective": LightGBMObjective("brier_loss"), "verbosity": -1, **setting}
    (name,) = setting

    def fit() -> Any:
        if interface == "train":
            return lightgbm.train(settings, lightgbm.Dataset(X, y), 2)
        return lightgbm.LGBMClassifier(**settings).fit(X, y)

    with pytest.raises(InputError, match=f"{name} must not be set with a custom objective"):
        fit()


def test_neutral_settings_and_class_weights_of_lightgbm_are_accepted() -> None:
    X, y, _ = table(2, 200)
    settings = {"objective": LightGBMObjective("brier_loss"), "verbosity": -1, "n_jobs": 1}
    neutral = {"is_unbalance": False, "scale_pos_weight": 1.0, "boost_from_average": False}
    weighted = lightgbm.LGBMClassifier(class_weight={0: 1.0, 1: 4.0}, **settings, **neutral)
    by_row = lightgbm.LGBMClassifier(**settings).fit(X, y, sample_weight=np.where(y == 1, 4.0, 1.0))
    np.testing.assert_array_equal(
        weighted.fit(X, y).predict(X, raw_score=True), by_row.predict(X, raw_score=True)
    )


# -- metric beside the objectives of LightGBM ----------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("k", "setting"),
    [
        (2, {"objective": "binary"}),
        (2, {"objective": "binary", "sigmoid": 2.0}),
        (2, {"objective": "cross_entropy"}),
        (2, {"objective": "multiclass", "num_class": 2}),
        (3, {"objective": "softmax", "num_class": 3}),
    ],
)
def test_metric_beside_a_built_in_objective(k: int, setting: Any, weighted: bool) -> None:
    X, y, weight = table(k, 300, weighted=weighted)
    data = lightgbm.Dataset(X, y, weight=weight)
    # Training before with a custom objective on the same data set changes its parameters.
    custom = {"objective": lambda scores, _: (0.0 * scores, np.ones_like(scores))}
    lightgbm.train({**QUIET, **setting, **custom}, data, 1)
    history: dict[str, Any] = {}
    model = lightgbm.train(
        {**QUIET, **setting}, data, 5, valid_sets=[data], feval=LightGBMMetric("brier_loss"),
        callbacks=[lightgbm.record_evaluation(history)],
    )  # fmt: skip
    stored = data.get_weight()  # float32
    expected = brier_score_loss(y, model.predict(X), sample_weight=stored)  # scikit-learn's
    np.testing.assert_allclose(history["training"]["brier_loss"][-1], expected, rtol=1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_metric_beside_the_objective_of_lgbm_classifier(k: int) -> None:
    X, y, _ = table(k, 300)
    X_valid, y_valid = X[:90], y[:90]
    model = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1).fit(
        X, y, eval_X=X_valid, eval_y=y_valid, eval_metric=LightGBMMetric("brier_loss")
    )
    np.testing.assert_allclose(
        model.evals_result_["valid_0"]["brier_loss"][-1],
        brier_score_loss(y_valid, model.predict_proba(X_valid)),
        rtol=1e-9,
    )


@pytest.mark.parametrize("objective", ["regression", "multiclassova"])
def test_metric_refuses_predictions_that_are_not_probabilities(objective: str) -> None:
    X, y, _ = table(2, 60)
    data = lightgbm.Dataset(X, y)
    several = {"num_class": 2} if objective == "multiclassova" else {}
    with pytest.raises(InputError, match=f"objective must be binary.* got '{objective}'"):
        lightgbm.train(
            {**QUIET, **several, "objective": objective}, data, 2, valid_sets=[data],
            feval=LightGBMMetric("brier_loss"),
        )  # fmt: skip


def test_metric_refuses_the_default_objective() -> None:
    X, y, _ = table(2, 60)
    data = lightgbm.Dataset(X, y)
    with pytest.raises(InputError, match=r"objective must be binary.* got 'regression'"):
        lightgbm.train(QUIET, data, 2, valid_sets=[data], feval=LightGBMMetric("brier_loss"))


class OwnBooster(lightgbm.Booster):
    """Booster of a user's own class."""


@pytest.mark.parametrize("kind", [lightgbm.Booster, OwnBooster])
@pytest.mark.parametrize("custom", [False, True])
def test_metric_in_a_loop_over_update(kind: Any, custom: bool) -> None:
    X, y, _ = table(2, 200)
    booster = kind({**QUIET, "objective": "binary"}, lightgbm.Dataset(X, y))
    for _ in range(5):
        booster.update(fobj=LightGBMObjective("brier_loss") if custom else None)
    raw = booster.predict(X, raw_score=True)
    ours = {name: value for _, name, value, *_ in booster.eval_train(LightGBMMetric("brier_loss"))}
    np.testing.assert_allclose(ours["brier_loss"], brier_score_loss(y, expit(raw)), rtol=1e-9)


def test_ignored_setting_of_a_booster_of_an_own_class_raises_an_error() -> None:
    X, y, _ = table(2, 60)
    booster = OwnBooster({**QUIET, "scale_pos_weight": 3.0}, lightgbm.Dataset(X, y))
    with pytest.raises(InputError, match="scale_pos_weight must not be set"):
        booster.update(fobj=LightGBMObjective("brier_loss"))


def test_metric_refuses_training_rows_with_dart() -> None:
    # LightGBM drops trees when a metric asks for the predictions of the training rows.
    X, y, _ = table(2, 60)
    data = lightgbm.Dataset(X, y)
    settings = {**QUIET, "boosting_type": "dart", "objective": LightGBMObjective("brier_loss")}
    metric = LightGBMMetric("brier_loss")
    with pytest.raises(InputError, match="valid_sets must not hold the training rows"):
        lightgbm.train(settings, data, 2, valid_sets=[data], feval=metric)
    lightgbm.train(settings, data, 2, valid_sets=[lightgbm.Dataset(X, y)], feval=metric)


def test_early_stopping_of_lgbm_classifier_watches_only_the_metric() -> None:
    X, y, _ = table(3)
    model = lightgbm.LGBMClassifier(
        objective=LightGBMObjective("brier_loss"), metric="None", n_estimators=200,
        learning_rate=0.3, verbosity=-1, n_jobs=1,
    ).fit(
        X[:400], y[:400], eval_X=X[400:], eval_y=y[400:], eval_metric=LightGBMMetric("brier_loss"),
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
    )  # fmt: skip
    curve = model.evals_result_["valid_0"]
    assert list(curve) == ["brier_loss"]
    assert model.best_iteration_ == np.argmin(curve["brier_loss"]) + 1 < 200
