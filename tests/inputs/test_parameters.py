"""Switches and numbers of another type are refused in one sentence by everything that has them."""

import inspect

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from xentexp import evaluate, get_loss
from xentexp.errors import InputError
from xentexp.estimators import LinearLossClassifier, NetworkLossClassifier
from xentexp.experiments import Card, CrossValidation, make_dataset, run_experiment
from xentexp.inference import compare_paired
from xentexp.losses import LOSSES
from xentexp.metrics import DATASET_METRICS, get_metric
from xentexp.objectives import (
    CatBoostMetric,
    CatBoostObjective,
    LightGBMMetric,
    LightGBMObjective,
    TrainingObjective,
    XGBoostMetric,
    XGBoostObjective,
    get_training_loss,
)
from xentexp.scorers import MetricScorers, get_scorer, predict
from xentexp.tuning import Range, TunedClassifier

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 2)), np.arange(30) % 2
HUGE = 10**400  # beyond float64
NOT_SWITCHES = ["no", "True", 1, 0.0, None, np.array([True, False]), [True]]
NOT_NUMBERS = [True, np.True_, "x", "0.1", [0.1], np.array([0.1, 0.2]), 1j, float("nan"), HUGE]
SETS = [{0, 1}, frozenset([0, 1])]


def boosted():
    from xentexp.estimators import (
        CatBoostLossClassifier,
        LightGBMLossClassifier,
        XGBoostLossClassifier,
    )

    return {
        LightGBMLossClassifier: "lightgbm",
        XGBoostLossClassifier: "xgboost",
        CatBoostLossClassifier: "catboost",
    }


def refuses(compute, name):
    with pytest.raises(InputError) as error:
        compute()
    message = str(error.value)
    assert name in message
    assert "\n" not in message


@pytest.mark.parametrize("name", [*LOSSES, *DATASET_METRICS])
def test_parameters_of_losses_and_metrics(name):
    metric = get_metric(name)
    for parameter in inspect.signature(type(metric)).parameters.values():
        default = getattr(metric, parameter.name)
        if isinstance(default, bool):
            wrong = NOT_SWITCHES
        elif isinstance(default, (int, float)):
            wrong = [True, "x", "0.1", 1j, float("nan"), HUGE]
        elif isinstance(default, str) and parameter.name != "loss":
            wrong = ["?", ["mean"], np.array(["mean", "sum"]), b"mean"]
        else:
            continue
        for value in wrong:
            with pytest.raises(InputError):
                get_metric(type(metric)(), **{parameter.name: value})


@pytest.mark.parametrize("value", NOT_SWITCHES)
def test_switches(value):
    model = LogisticRegression().fit(X, Y)
    loss = get_loss("brier_loss")
    p = np.full(30, 0.5)
    for name in ("from_logits", "numbers"):
        for method in (loss, loss.per_sample, loss.gradient, loss.gradient_hessian):
            refuses(lambda m=method, name=name: m(Y, p, **{name: value}), name)
    for name in ("ordered", "per_sample"):
        refuses(lambda name=name: evaluate(Y, p, **{name: value}), name)
    for name in ("proba", "decision"):
        refuses(lambda name=name: predict(model, X, [0, 1], **{name: value}), name)
    for name in ("whole", "log"):
        refuses(lambda name=name: Range(1, 10, **{name: value}), name)
    refuses(lambda: Card("loans", ordered=value), "ordered")
    for name in ("fit_intercept", "warm_start", "correct_probabilities"):
        refuses(lambda name=name: LinearLossClassifier(**{name: value}).fit(X, Y), name)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: f"{value!r:.9}")
def test_numbers(value):
    for kind in (
        CatBoostMetric,
        CatBoostObjective,
        LightGBMMetric,
        LightGBMObjective,
        XGBoostMetric,
        XGBoostObjective,
    ):
        refuses(lambda kind=kind: kind("log_loss", label_smoothing=value), "label_smoothing")
        if value is not HUGE:
            refuses(lambda kind=kind: kind("log_loss", n_classes=value), "n_classes")
    loss = get_training_loss("log_loss")
    refuses(lambda: TrainingObjective(loss, Y, 2, label_smoothing=value), "label_smoothing")
    for name in ("C", "tol", "max_iter", "label_smoothing", "validation_fraction"):
        if value is not HUGE or name in ("label_smoothing", "tol"):
            refuses(lambda name=name: LinearLossClassifier(**{name: value}).fit(X, Y), name)
    a, b = [1.0, 2.0], [2.0, 1.0]
    refuses(lambda: compare_paired(a, b, test_train_ratio=0.1, confidence=value), "confidence")
    for name in ("low", "high"):
        refuses(lambda name=name: Range(**{"low": 1, "high": 10, name: value}), name)
    if value is not HUGE:
        for name in ("n_splits", "n_repeats", "seed"):
            refuses(lambda name=name: CrossValidation("repeated", **{name: value}), name)


@pytest.mark.parametrize("value", [True, "x", 0, 1.5, float("nan"), [1], np.array([1, 2])])
def test_number_of_jobs(value):
    data = make_dataset(pd.DataFrame(X), Y, Card("made"))
    model = LogisticRegression()
    refuses(lambda: run_experiment(data, {"model": model}, n_jobs=value), "n_jobs")
    for kind, package in boosted().items():
        pytest.importorskip(package)
        refuses(lambda kind=kind: kind(n_jobs=value).fit(X, Y), "n_jobs")
    pytest.importorskip("torch")
    refuses(lambda: NetworkLossClassifier(n_jobs=value).fit(X, Y), "n_jobs")


@pytest.mark.parametrize("value", [True, np.True_, "x", float("nan"), np.array([1, 2])])
def test_numbers_of_boosters_and_searches(value):
    for kind, package in boosted().items():
        pytest.importorskip(package)
        parameters = inspect.signature(kind).parameters
        for name in ("max_depth", "reg_lambda", "num_leaves", "min_child_samples"):
            if name in parameters:
                refuses(lambda kind=kind, name=name: kind(**{name: value}).fit(X, Y), name)
    pytest.importorskip("optuna")
    model, space = LogisticRegression(), {"C": Range(0.1, 1.0)}
    for name in ("n_trials", "cv"):
        refuses(lambda name=name: TunedClassifier(model, space, **{name: value}).fit(X, Y), name)


def test_numbers_and_switches_of_numpy_are_accepted():
    p = np.full(30, 0.5)
    loss = get_loss("binary_focal_crossentropy", gamma=np.float32(2.0), alpha=np.float64(0.5))
    assert loss(Y, p, from_logits=np.False_) == get_loss(
        "binary_focal_crossentropy", gamma=2.0, alpha=0.5
    )(Y, p)
    cv = CrossValidation("repeated", n_splits=np.int64(3), n_repeats=np.int32(2))
    assert cv == CrossValidation("repeated", n_splits=3, n_repeats=2)
    assert type(cv.n_splits) is int
    LinearLossClassifier(C=np.float32(1.0), max_iter=np.int64(100), fit_intercept=np.True_).fit(
        X, Y
    )


@pytest.mark.parametrize("values", SETS)
def test_sets_are_refused(values):
    model = LogisticRegression().fit(X, Y)
    data = make_dataset(pd.DataFrame(X), Y, Card("made"))
    loss = get_training_loss("log_loss")
    refuses(lambda: get_scorer("neg_brier_loss", labels=values)(model, X, Y), "labels")
    refuses(lambda: MetricScorers(labels=values)(model, X, Y), "labels")
    refuses(lambda: predict(model, X, values), "classes")
    refuses(lambda: get_scorer("neg_brier_loss")(model, X, values), "y must be")
    refuses(lambda: LinearLossClassifier().fit(X, values), "y must be")
    refuses(lambda: LinearLossClassifier().fit(X, Y, sample_weight=values), "sample_weight")
    refuses(lambda: LinearLossClassifier(class_weight=values).fit(X, Y), "class_weight")
    refuses(lambda: TrainingObjective(loss, Y, 2, class_weight=values), "class_weight")
    refuses(lambda: LightGBMObjective("log_loss", class_weight=values), "class_weight")
    refuses(lambda: make_dataset(pd.DataFrame(X), values, Card("made")), "y must be")
    refuses(lambda: make_dataset(pd.DataFrame(X), Y, Card("made"), groups=values), "groups")
    refuses(lambda: run_experiment(data, {"m": model}, losses={"log_loss", "brier_loss"}), "losses")
    refuses(lambda: compare_paired(values, values, test_train_ratio=0.1), "first")
    refuses(lambda: get_loss("cumulative_link_log_loss", thresholds=values), "thresholds")
    refuses(lambda: get_loss("categorical_focal_crossentropy", alpha=values), "alpha")


@pytest.mark.parametrize(
    "y",
    [
        np.array([*Y[:-1], pd.NA], dtype=object),
        pd.Series([*map(str, Y[:-1]), None], dtype="string"),
        pd.Series([*Y[:-1], None], dtype="Int64"),
    ],
)
def test_missing_labels_are_refused_by_classifiers(y):
    pytest.importorskip("optuna")
    tuned = TunedClassifier(LogisticRegression(), {"C": Range(0.1, 1.0)})
    for model in (LinearLossClassifier(), tuned):
        refuses(lambda model=model: model.fit(X, y), "in row 29")
