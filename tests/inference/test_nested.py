"""Nested cross-validation: by hand, against its definition, and at its limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression

from xentexp.errors import InputError
from xentexp.inference import nested_cross_validation
from xentexp.inference._nested import _interval


def squared(y: Any, prediction: Any) -> Any:
    return (y - prediction) ** 2


def test_one_repeat_by_the_definition() -> None:
    # Bates et al., algorithm 1, written for the model that predicts the mean of its training rows
    rng = np.random.default_rng(3)
    y, k = rng.normal(size=20), 4
    n = len(y)
    seed = np.random.SeedSequence(7).spawn(1)[0]
    fold = np.random.default_rng(seed).permutation(n) % k
    terms, inner_losses, outer_losses = [], [], []
    for j in range(k):
        inside = [
            squared(y[fold == i], y[(fold != i) & (fold != j)].mean()) for i in range(k) if i != j
        ]
        outer = squared(y[fold == j], y[fold != j].mean())
        inner = np.concatenate(inside)
        terms.append((inner.mean() - outer.mean()) ** 2 - outer.var(ddof=1) / len(outer))
        inner_losses.append(inner)
        outer_losses.append(outer)
    inner, outer = np.concatenate(inner_losses), np.concatenate(outer_losses)
    least = inner.std(ddof=1) / math.sqrt(n)
    error = np.clip(math.sqrt(max(np.mean(terms), 0) * 3 / 4), least, 2 * least)
    for name, factor in (("bates", 1 + 0.5**1.5), ("benchmark", 1.5)):
        result = nested_cross_validation(
            DummyRegressor(), np.zeros((n, 1)), y, squared, n_splits=k, n_repeats=1,
            random_state=7, bias_factor=name,
        )  # fmt: skip
        bias = factor * (inner.mean() - outer.mean())
        assert result.mean == pytest.approx(inner.mean() - bias, rel=1e-12)
        assert result.standard_error == pytest.approx(error, rel=1e-12)
        assert result.high - result.mean == pytest.approx(1.959963984540054 * error, rel=1e-12)
        assert f"({name})" in result.method


def test_the_standard_error_between_its_limits_by_hand() -> None:
    # Inner losses 0 and 2 in equal numbers: s^2 = 4/3 of 4 values; n = 12, k = 3: the squared
    # standard error is mse * 2/3, at least 1/9, at most 1/3.
    inner, outer = [np.array([0.0, 2.0, 0.0, 2.0])], [np.array([1.0, 1.0])]
    for mse, expected in ((0.3, 0.2), (0.01, 1 / 9), (-1.0, 1 / 9), (9.0, 1 / 3)):
        result = _interval([(np.array([mse]), inner, outer)], 12, 3, "bates", 0.95)
        assert result.standard_error**2 == pytest.approx(expected)
        assert result.mean == 1.0


@pytest.mark.long
def test_a_classifier_with_a_loss_of_this_package() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    y = np.where(X[:, 0] + rng.normal(size=150) > 0, "yes", "no")
    options: dict[str, Any] = {"n_splits": 5, "n_repeats": 4, "random_state": 1}
    result = nested_cross_validation(LogisticRegression(), X, y, "log_loss", **options)
    assert result == nested_cross_validation(
        LogisticRegression(), X, y, "log_loss", n_jobs=2, **options
    )
    fresh = rng.normal(size=(20_000, 3))
    labels = np.where(fresh[:, 0] + rng.normal(size=20_000) > 0, "yes", "no")
    proba = LogisticRegression().fit(X, y).predict_proba(fresh)
    truth = -np.log(proba[np.arange(20_000), (labels == "yes").astype(int)]).mean()
    assert abs(result.mean - truth) < 4 * result.standard_error
    assert (result.target, result.df, result.n_rows) == ("algorithm", math.inf, 150)


def test_infinite_losses_give_no_interval() -> None:
    def infinite(y: Any, prediction: Any) -> Any:
        return np.full(len(y), math.inf)

    result = nested_cross_validation(
        DummyRegressor(), np.zeros((9, 1)), np.arange(9.0), infinite, n_splits=3, n_repeats=1
    )
    assert result.reason == "a row has no finite loss"
    assert math.isnan(result.low)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"n_splits": 2}, "n_splits must be an integer >= 3; got 2"),
        ({"n_repeats": 0}, "n_repeats must be an integer >= 1"),
        ({"bias_factor": "none"}, "bias_factor must be one of 'bates', 'benchmark'"),
        ({"y": [0, 1] * 2}, "at least 6 rows, two for each fold"),
        ({"y": [0] * 11 + [1]}, "every class in the training rows of each fold; got 1 of 2"),
        ({"loss": lambda y, p: 0.0}, r"loss must return one value per row; got shape \(\)"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
        ({"n_jobs": 0}, "n_jobs must be"),
    ],
)
def test_invalid_input_raises(change: dict[str, Any], rule: str) -> None:
    options: dict[str, Any] = {"y": [0, 1] * 6, "loss": "log_loss", "n_splits": 3, "n_repeats": 1}
    options |= {"random_state": 0, **change}
    y = options.pop("y")
    from sklearn.dummy import DummyClassifier

    with pytest.raises(InputError, match=rule):
        nested_cross_validation(DummyClassifier(), np.zeros((len(y), 1)), y, **options)
