"""KsDisplay: the gap is that of SciPy, with weights that of repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression

from xentexp.displays import KsDisplay
from xentexp.errors import InputError
from xentexp.metrics import ks_statistic


def axes() -> Axes:
    return Figure().add_subplot()


def sample(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.random(n).round(2)
    return (rng.random(n) < p).astype(int), p


def test_the_gap_is_that_of_scipy() -> None:
    y, p = sample()
    display = KsDisplay.from_predictions(y, p, ax=axes())
    expected = ks_2samp(p[y == 0], p[y == 1])
    assert display.statistic == pytest.approx(expected.statistic)
    assert display.statistic == pytest.approx(ks_statistic(y, p))
    assert display.at == expected.statistic_location
    words = f"largest gap {display.statistic:.3f}\nat {display.at:.3g}"
    assert words in [text.get_text() for text in display.ax_.texts]


def test_a_reversed_ranking_has_the_same_gap() -> None:
    y, p = sample()
    forward, backward = (KsDisplay.from_predictions(y, q, ax=axes()) for q in (p, 1 - p))
    assert backward.statistic == pytest.approx(forward.statistic)


def test_weights_count_as_repeated_rows() -> None:
    y, p = sample(50)
    weight = np.arange(50) % 4
    weighted = KsDisplay.from_predictions(y, p, sample_weight=weight, ax=axes())
    repeated = KsDisplay.from_predictions(y.repeat(weight), p.repeat(weight), ax=axes())
    assert weighted.statistic == pytest.approx(repeated.statistic)


def test_both_classes_are_named_and_the_gap_is_drawn() -> None:
    y, p = sample()
    names = np.array(["repaid", "defaulted"])[y]
    display = KsDisplay.from_predictions(
        names, p, labels=["repaid", "defaulted"], name="tree", ax=axes()
    )
    assert [text.get_text() for text in display.ax_.texts][:2] == ["repaid", "defaulted"]
    assert display.ax_.get_title(loc="left") == "tree"
    (segment,) = display.ax_.collections[0].get_segments()
    assert segment[1][1] - segment[0][1] == pytest.approx(display.statistic)


def test_a_classifier() -> None:
    X, y = np.arange(8.0)[:, None], np.array([0, 0, 1, 0, 1, 0, 1, 1])
    display = KsDisplay.from_estimator(LogisticRegression().fit(X, y), X, y, ax=axes())
    assert display.statistic == pytest.approx(ks_2samp(X[y == 0, 0], X[y == 1, 0]).statistic)
    assert display.name == "LogisticRegression"


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 0], [0.1, 0.2], "must have rows of both classes; got none of class 1"),
        ([0, 1, 2], np.eye(3), "KsDisplay is for two classes; there are 3"),
        ([[0.5, 0.5], [1.0, 0.0]], [0.1, 0.2], "got distributions"),
    ],
)
def test_bad_arguments(y: object, p: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KsDisplay.from_predictions(y, p)


def test_it_draws_one_classifier() -> None:
    with pytest.raises(InputError, match="estimator must be one classifier; got a mapping"):
        KsDisplay.from_estimator({}, [[0]], [0])
