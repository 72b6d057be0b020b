"""Runs of every kind that a page must show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.support.matrices import large
from tests.support.records import MODELS, credit_data, example_record, matrix_record, numeric
from xentexp.experiments import Candidate, Card, CrossValidation, Explain, make_dataset
from xentexp.experiments._config.calibration import calibrated_candidates
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import RunRecord
from xentexp.experiments.datasets import Dataset

FIVE_TO_ONE = ((0.0, 1.0), (5.0, 0.0))

LOG_LOSS: dict[str, Any] = {"losses": ["categorical_crossentropy"], "metrics": []}
"""Options of runs that need no other loss."""


def explained(
    dataset: Dataset | None = None, models: dict[str, Any] | None = None, **options: Any
) -> RunRecord:
    """Record of a small run with segments and importances."""
    dataset = numeric(credit_data(400)) if dataset is None else dataset
    models = {**MODELS, "bayes": GaussianNB()} if models is None else models
    return example_record(dataset, models, explain=Explain(n_rows=200), **{"cv": 3, **options})


def twenty_models() -> RunRecord:
    models: dict[str, Any] = {
        f"logistic_{i}": LogisticRegression(C=10.0 ** (-i / 4.0)) for i in range(19)
    }
    return explained(numeric(credit_data(200)), {"prior": DummyClassifier(), **models})


def long_names() -> RunRecord:
    """Names of 60 letters, with and without places where a line may end."""
    names = (
        "logisticregressionofallcolumnswithastrongpenaltyofallweights",
        "naive_bayes_with_normal_distributions_of_all_numeric_columns",
        "the shares of the classes in the training rows, for all rows",
    )
    columns = (
        "incomeofthelastyearbeforetaxesinthousandsofdollarsroundedoff",
        "all_debts_of_the_household_at_the_time_of_the_application_in",
    )
    assert {len(name) for name in (*names, *columns)} == {60}
    models = (LogisticRegression(), GaussianNB(), DummyClassifier())
    data = numeric(credit_data(400))
    X = data.X.rename(columns=dict(zip(["income", "debt"], columns, strict=True)))
    named = make_dataset(X, data.y, Card(names[1], title=names[2], source=names[0]))
    return explained(named, dict(zip(names, models, strict=True)))


def segment_without_positives() -> RunRecord:
    data = credit_data(600)
    X = data.X.assign(job=data.X["job"].cat.codes)
    y = data.y.where(X["job"] != 0, 0)
    return explained(make_dataset(X.astype({"job": "category"}), y, data.card), MODELS)


def groups() -> RunRecord:
    data = numeric(credit_data(400))
    people = pd.Series(np.arange(400) // 4)
    grouped = make_dataset(data.X, data.y, data.card, groups=people)
    return explained(grouped, cv=CrossValidation("grouped", n_splits=3))


def weights() -> RunRecord:
    data = numeric(credit_data(400))
    weight = np.random.default_rng(0).uniform(0.5, 5.0, 400)
    return explained(make_dataset(data.X, data.y, data.card, sample_weight=weight))


def certain() -> RunRecord:
    """A tree that predicts 0 and 1 only, so that its log loss is infinite without a clip."""
    return explained(models={**MODELS, "certain": DecisionTreeClassifier(random_state=0)})


def training_losses_and_curves() -> RunRecord:
    steps = range(300)
    curves = pd.DataFrame(
        {
            "fold": np.repeat([0, 1], 600),
            "part": np.tile(np.repeat(["train", "valid"], 300), 2),
            "loss": "brier_loss",
            "step": [*steps] * 4,
            "value": [0.2 + 0.8 / (1 + step) + 0.1 * place for place in range(4) for step in steps],
        }
    )
    made = matrix_record(large(folds=5)[:4], curves)
    trials = pd.DataFrame(
        {
            "repeat": 0,
            "fold": np.repeat(range(5), 6),
            "trial": [*range(6)] * 5,
            "chosen": [trial == 5 for trial in range(6)] * 5,
            "tune/brier_loss": [0.3 / (1 + trial) for trial in range(6)] * 5,
            "C": ["0.123457"] * 30,
        }
    )
    prior, first, *others = (
        made.models[0],
        *(replace(m, predictions=_varied(m.predictions, i)) for i, m in enumerate(made.models[1:])),
    )
    first = replace(first, trials=trials, space={"C": {"low": 0.1, "high": 1.0}})
    return replace(made, models=(prior, first, *others))


def _varied(predictions: Predictions | None, seed: int) -> Predictions:
    """Predictions that differ between models, better or worse ones."""
    assert predictions is not None
    rng = np.random.default_rng(seed)
    folds = []
    for fold in predictions.folds:
        score = (fold.y - 0.5) * (1.0 - 0.2 * seed) + rng.normal(size=len(fold.y))
        p = 1.0 / (1.0 + np.exp(-score))
        folds.append(replace(fold, proba=np.column_stack([1.0 - p, p])))
    return replace(predictions, folds=tuple(folds))


def with_cost(dataset: Dataset, cost: Any = FIVE_TO_ONE, amount: Any = None) -> Dataset:
    return replace(dataset, cost=cost, amount=amount)


def long_labels() -> RunRecord:
    data, name = (
        numeric(credit_data(400)),
        "a_name_of_sixty_letters_that_says_how_the_model_was_made_xyz",
    )
    y = data.y.map({0: f"no {name}", 1: f"yes {name}"})
    models = {name: LogisticRegression(), f"{name}_2": LogisticRegression(C=0.01)}
    return example_record(make_dataset(data.X, y, data.card), models, cv=3)


def weighted_people() -> Dataset:
    """Rows with weights, three of each person, and costs."""
    data, people = numeric(credit_data(300)), pd.Series(np.arange(300) // 3)
    weight = np.arange(300) % 3 + 0.5
    return with_cost(make_dataset(data.X, data.y, data.card, groups=people, sample_weight=weight))


def separated() -> Dataset:
    """One column separates the classes; errors have costs."""
    X = pd.DataFrame({"x": np.repeat([-5.0, 5.0], 100) + np.tile(np.arange(100) / 100, 2)})
    return make_dataset(X, np.repeat(["good", "bad"], 100)[::-1], Card("perfect"), cost=FIVE_TO_ONE)


def ten_models() -> RunRecord:
    name = "model_with_a_name_of_sixty_letters_that_no_column_can_hold_"
    models = {f"{name}{i:02}": LogisticRegression(C=10.0**-i) for i in range(10)}
    return example_record(with_cost(numeric(credit_data(150))), models, cv=2, **LOG_LOSS)


def without_events() -> RunRecord:
    """Record in which all rows are of the first class."""
    made = example_record(numeric(credit_data(300)), **LOG_LOSS)
    models = tuple(
        replace(
            model,
            predictions=replace(
                model.predictions,
                folds=tuple(
                    replace(fold, y=np.zeros_like(fold.y)) for fold in model.predictions.folds
                ),
            ),
        )
        for model in made.models
        if model.predictions is not None
    )
    return replace(made, models=models)


def calibrated() -> RunRecord:
    """Models with each calibration, one of them without probabilities before it."""
    models = {"prior": DummyClassifier(), "bayes": GaussianNB(), "svm": LinearSVC()}
    candidates = calibrated_candidates(
        [Candidate(name, make_pipeline(StandardScaler(), m)) for name, m in models.items()],
        ["sigmoid", "isotonic", "temperature"],
        cv_kind="stratified",
        seed=0,
    )
    data = numeric(credit_data(400))
    return example_record(
        data, candidates, cv=3, losses=["categorical_crossentropy", "zero_one_loss"]
    )


CASES: dict[str, Callable[[], RunRecord]] = {
    "three models": explained,
    "one model": lambda: explained(models={"logistic": LogisticRegression()}),
    "only a constant": lambda: example_record(models={"prior": DummyClassifier()}, cv=3),
    "one split": lambda: explained(cv=CrossValidation("holdout", n_test=120)),
    "twenty models": twenty_models,
    "three classes": lambda: explained(numeric(credit_data(600, n_classes=3)), MODELS),
    "ten classes": lambda: explained(numeric(credit_data(400, n_classes=10))),
    "long names": long_names,
    "long labels": long_labels,
    "segment without positives": segment_without_positives,
    "groups": groups,
    "weights": weights,
    "repeats": lambda: example_record(
        with_cost(numeric(credit_data(300))),
        cv=CrossValidation("repeated", n_splits=3, n_repeats=2),
        **LOG_LOSS,
    ),
    "decision scores only": lambda: example_record(
        numeric(credit_data(400)),
        {"svm": LinearSVC(), "prior": DummyClassifier()},
        cv=3,
        primary="zero_one_loss",
    ),
    "primary is a metric": lambda: example_record(
        numeric(credit_data(400)), cv=3, primary="roc_auc"
    ),
    "certain": certain,
    "costs": lambda: example_record(with_cost(numeric(credit_data())), **LOG_LOSS),
    "amounts": lambda: example_record(
        with_cost(numeric(credit_data(300)), amount=np.arange(300) % 50 * 1000.0), **LOG_LOSS
    ),
    "cost matrix": lambda: example_record(
        with_cost(numeric(credit_data(400, 3)), ((0, 1, 2), (1, 0, 1), (4, 2, 0))), **LOG_LOSS
    ),
    "training losses and curves": training_losses_and_curves,
    "calibrated": calibrated,
}


@cache
def run(name: str) -> RunRecord:
    """Record of a case, fitted once for all tests of a process."""
    return CASES[name]()
