"""Displays refuse bad input with one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from xentexp import displays
from xentexp.errors import InputError

N = 60
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 2)), columns=["a", "b"])
Y = (X["a"] + RNG.normal(size=N) > 0).astype(int).to_numpy()
P = 1 / (1 + np.exp(-X["a"].to_numpy()))
FITTED = LogisticRegression().fit(X, Y)
MORE: dict[str, dict[str, Any]] = {
    "StabilityDisplay": {"folds": np.arange(N) % 3},
    "ThresholdDisplay": {"miss": 5.0, "false_alarm": 1.0},
}
OF_SEVERAL = {"DifferenceDisplay", "MurphyDifferenceDisplay"}
NAMES = [name for name in displays.__all__ if name.endswith("Display")]


def draw(display: str, y: Any, p: Any, **options: Any) -> Any:
    """Display of predictions, or of two equal models if it is for several."""
    own = {**MORE.get(display, {}), "ax": Figure().add_subplot(), **options}
    rows = (X,) if display == "SegmentDisplay" else ()
    data = {"first": p, "second": p} if display in OF_SEVERAL else p
    return getattr(displays, display).from_predictions(y, data, *rows, **own)


def explain(name: str, estimator: Any, rows: pd.DataFrame = X) -> Any:
    own = {**MORE.get(name, {}), "ax": Figure().add_subplot()}
    data = {"first": estimator, "second": estimator} if name in OF_SEVERAL else estimator
    return getattr(displays, name).from_estimator(data, rows, Y, **own)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([], []),
        (Y[:-1], P),
        (None, P),
        (Y, None),
        (Y, np.where(np.arange(N) == 3, np.nan, P)),
        (Y, P + 1.0),
        (Y, np.zeros((N, 2, 2))),
        (Y, ["a"] * N),
        (Y, {}),
        (Y, {1: P, 2: P}),
    ],
)
def test_predictions(name: str, y: Any, p: Any) -> None:
    with pytest.raises(InputError):
        draw(name, y, p)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ax", ["ax", Figure(), np.array([1])])
def test_axes(name: str, ax: Any) -> None:
    with pytest.raises(InputError, match="ax must be Axes of matplotlib or None; got "):
        draw(name, Y, P, ax=ax if name != "ReliabilityDisplay" else [ax])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_SEVERAL])
def test_names(name: str) -> None:
    with pytest.raises(InputError, match="name must be text or None; got 3"):
        draw(name, Y, P, name=3)


@pytest.mark.parametrize("name", NAMES)
def test_estimators(name: str) -> None:
    assert explain(name, FITTED).figure_ is not None
    for unfitted in (LogisticRegression(), LogisticRegression):
        with pytest.raises(InputError, match="estimator must be fitted; got LogisticRegression"):
            explain(name, unfitted)
    with pytest.raises(InputError, match="must have predict_proba; got LinearSVC"):
        explain(name, LinearSVC().fit(X, Y))
    with pytest.raises(InputError, match="X cannot be predicted: "):
        explain(name, FITTED, X * np.nan)
