"""Records of small runs, for tests of checks and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from xentexp.experiments import Candidate, Card, CrossValidation, make_dataset, run_experiment
from xentexp.experiments._analysis import Trained
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import About, RunRecord, record_of
from xentexp.experiments.datasets import Dataset

MODELS: dict[str, Any] = {
    "prior": DummyClassifier(),
    "logistic": LogisticRegression(),
    "tree": DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
}


def credit_data(n_samples: int = 1000, n_classes: int = 2, seed: int = 0) -> Dataset:
    """Rows whose first two features decide the class, beside a category."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_samples, 4)), columns=["income", "debt", "age", "limit"])
    X["job"] = pd.Categorical.from_codes(rng.integers(0, 3, n_samples), ["clerk", "nurse", "none"])
    score = X["debt"] - X["income"] + rng.logistic(size=n_samples)
    y = pd.Series(pd.cut(score.rank(pct=True), n_classes, labels=False))
    return make_dataset(X, y, Card("credit", title="Simulated credits", source="Simulated"))


def numeric(dataset: Dataset) -> Dataset:
    """Data set without its categories, for classifiers that need numbers."""
    return make_dataset(dataset.X.drop(columns="job"), dataset.y, dataset.card)


def example_record(
    dataset: Dataset | None = None,
    models: Mapping[str, Any] | Sequence[Candidate] = MODELS,
    **options: Any,
) -> RunRecord:
    """Record of a small run; `options` are those of run_experiment."""
    dataset = numeric(credit_data()) if dataset is None else dataset
    result = run_experiment(dataset, models, **options)
    return record_of(result, about(dataset, primary=result.primary))


def predictions_of(record: RunRecord, name: str) -> Predictions:
    """Out-of-fold predictions of a model that has them."""
    model = record.model(name)
    assert model is not None
    assert model.predictions is not None
    return model.predictions


def about(dataset: Dataset, **changes: Any) -> About:
    """What a run of a data set is about."""
    known: dict[str, Any] = {
        "title": dataset.card.title,
        "source": dataset.card.source,
        "dataset": dataset.name,
        "digest": dataset.digest,
        "n_rows": len(dataset.y),
        "n_features": dataset.X.shape[1],
        "classes": dataset.classes,
        "folds": "5 folds (stratified)",
        "kind": "stratified",
        "seed": 0,
        "primary": "categorical_crossentropy",
    }
    return About(**{**known, **changes})


def matrix_record(rows: Sequence[Trained], curves: pd.DataFrame | None = None) -> RunRecord:
    """Run of a constant model and of the rows of a matrix."""
    folds = len(next(iter(rows[0].fold_values.values())))
    cv = folds if folds > 1 else CrossValidation("holdout", n_test=30)
    made = example_record(numeric(credit_data(90)), {"prior": DummyClassifier()}, cv=cv)
    predictions = made.models[0].predictions
    models = [
        replace(
            made.models[0],
            name=f"{row.model}[{row.loss}]" + " corrected" * row.corrected,
            predictions=None if row.error else predictions,
            fold_values=row.fold_values,
            family=row.model,
            trained_on=row.loss,
            trained_column=row.column,
            corrected=row.corrected,
            error=row.error,
            curves=curves,
        )
        for row in rows
    ]
    return replace(made, models=(*made.models, *models))
