"""Experiments: several variants of one fit, and learning curves."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from xentexp.errors import InputError
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._folds import CrossValidation
from xentexp.experiments._results import Candidate, all_curves
from xentexp.experiments._tracking.items import LoggedMetric, Parquet, candidate_items
from xentexp.experiments.datasets import Dataset, load_dataset


class Stepwise(ClassifierMixin, BaseEstimator):
    """Predict class proportions to the power `power`, normalized, and count the fits."""

    fits = 0

    def __init__(self, power: float = 1.0, steps: int = 3, fails: bool = False) -> None:
        self.power = power
        self.steps = steps
        self.fails = fails

    def fit(self, X: Any, y: Any) -> Self:
        type(self).fits += 1
        if self.fails:
            raise ValueError("no")
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        values = [1.0 / (step + 1) + len(y) / 1e6 for step in range(self.steps + len(y) % 2)]
        self.learning_curve_ = {
            "train": {"brier_loss": values},
            "valid": {"brier_loss": [2 * value for value in values]},
        }
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        sharp = self.shares_**self.power
        return np.tile(sharp / sharp.sum(), (len(X), 1))

    def predict(self, X: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("simulated_delinquency", n_samples=301)


def test_a_variant_is_a_result_of_the_same_fit(data: Dataset) -> None:
    Stepwise.fits = 0
    folds = CrossValidation(n_splits=3).folds(data)
    candidate = Candidate("plain", Stepwise(), variants={"sharp": {"power": 2.0}})
    names: list[str] = []
    result = run_experiment(
        data,
        [candidate],
        folds,
        on_result=lambda candidate_result: names.append(candidate_result.candidate.name),
    )
    assert Stepwise.fits == 3
    assert names == ["plain", "sharp"]
    plain, sharp = result.candidate_results
    assert sharp.candidate.variant_of == "plain"
    assert sharp.candidate.parameters == {"power": 2.0}
    separate = run_experiment(
        data, [Candidate("separate", Stepwise(power=2.0))], folds
    ).candidate_results[0]
    assert sharp.mean() == pytest.approx(separate.mean(), rel=0, abs=0, nan_ok=True)
    assert plain.mean()["brier_loss"] != separate.mean()["brier_loss"]


def test_a_failed_candidate_has_a_single_result(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    candidate = Candidate("bad", Stepwise(fails=True), variants={"sharp": {"power": 2.0}})
    (candidate_result,) = run_experiment(data, [candidate], folds).candidate_results
    assert candidate_result.error is not None


def test_names_of_variants_must_be_unique(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    both = [Candidate("a", Stepwise(), variants={"b": {"power": 2.0}}), Candidate("b", Stepwise())]
    with pytest.raises(InputError, match="must be unique; duplicates: b"):
        run_experiment(data, both, folds)


def test_learning_curves_are_means_over_folds_up_to_the_shortest(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)  # 200, 201 and 201 training rows
    (candidate_result,) = run_experiment(
        data, [Candidate("steps", Stepwise())], folds
    ).candidate_results
    extra = np.mean([200, 201, 201]) / 1e6
    expected = [1 + extra, 1 / 2 + extra, 1 / 3 + extra]
    curves = candidate_result.curves()
    assert curves["train/brier_loss"] == pytest.approx(expected)
    assert curves["valid/brier_loss"] == pytest.approx([2 * value for value in expected])
    items = list(candidate_items(candidate_result, {}))
    steps = [
        item for item in items if isinstance(item, LoggedMetric) and item.key == "train/brier_loss"
    ]
    assert [(item.step, item.value) for item in steps] == list(
        enumerate(curves["train/brier_loss"])
    )
    tables = {item.path: item for item in items if isinstance(item, Parquet)}
    table = tables["curves/curves.parquet"]
    assert len(table.frame) == 2 * (3 + 4 + 4)  # all steps of the longer folds
    assert len(all_curves(candidate_result)) == len(table.frame)
