"""MurphyDisplay and MurphyDifferenceDisplay: lines, bands and names."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from xentexp.displays import MurphyDifferenceDisplay, MurphyDisplay
from xentexp.displays._style import MODELS, OTHER, laid_out
from xentexp.errors import InputError
from xentexp.inference import murphy_curve, murphy_difference

Y, P, Q = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.2, 0.3, 0.6, 0.7]


def axes() -> Axes:
    return Figure().add_subplot()


def names(ax: Axes) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_curves_are_costs_per_1000_rows() -> None:
    display = MurphyDisplay.from_predictions(
        Y, {"tree": P, "line": Q}, thresholds=[0.2, 0.5], ax=axes()
    )
    # by hand, see the example of murphy_curve: .2 and .5 of four rows; Q is correct at .5 and has
    # two false alarms at .2 (.2 is an alarm at .2)
    drawn = [line.get_ydata() for line in display.ax_.lines]
    np.testing.assert_allclose(drawn, [[50.0, 125.0], [100.0, 0.0]], atol=1e-12)
    assert names(display.ax_) == {"tree", "line"}


def test_one_model_and_a_classifier() -> None:
    display = MurphyDisplay.from_predictions(Y, P, name="tree", ax=axes())
    np.testing.assert_array_equal(display.curves["tree"].costs, murphy_curve(Y, P).costs)
    X = np.arange(4.0)[:, None]
    model = LogisticRegression().fit(X, Y)
    display = MurphyDisplay.from_estimator(model, X, Y, ax=axes())
    expected = murphy_curve(Y, model.predict_proba(X)).costs
    np.testing.assert_array_equal(display.curves["LogisticRegression"].costs, expected)


def test_differences_are_to_the_best_and_have_bands() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(int)
    others = {str(i): np.clip(p + rng.normal(0.0, 0.1 * i, 300), 0.0, 1.0) for i in range(1, 5)}
    display = MurphyDifferenceDisplay.from_predictions(
        y, {**others, "true": p}, groups=np.arange(300) // 3, ax=axes()
    )
    assert display.reference == "true"
    expected = murphy_difference(y, others["2"], p, groups=np.arange(300) // 3)
    np.testing.assert_array_equal(display.differences["2"].high, expected.high)
    lines = display.ax_.lines
    np.testing.assert_allclose(lines[1].get_ydata(), expected.difference * 1000.0)
    assert [line.get_color() for line in lines[:4]] == [*MODELS[1:], OTHER, OTHER]
    bands = [c for c in display.ax_.collections if isinstance(c, PolyCollection)]
    assert [to_hex(band.get_facecolor()[0]) for band in bands] == list(MODELS[1:])
    assert names(display.ax_) == {"true", "1", "2", "3", "4"}
    chosen = MurphyDifferenceDisplay.from_predictions(
        y, {**others, "true": p}, reference="1", ax=axes()
    )
    assert list(chosen.differences) == ["2", "3", "4", "true"]


def test_classifiers_and_colours() -> None:
    X = np.arange(8.0)[:, None]
    y = np.array([0, 0, 1, 0, 1, 0, 1, 1])
    models = {"weak": LogisticRegression(C=0.001).fit(X, y), "line": LogisticRegression().fit(X, y)}
    display = MurphyDifferenceDisplay.from_estimator(models, X, y, ax=axes())
    assert display.reference == "line"
    again = display.plot(axes(), colours={"weak": "#123456"})
    assert again.ax_.lines[0].get_color() == "#123456"


@pytest.mark.parametrize("n_models", [0, 1, 7])
def test_long_names_and_equal_models_stay_inside_the_axes(n_models: int) -> None:
    same = murphy_difference(Y, P, P)
    display = MurphyDifferenceDisplay(
        {f"{i}{'x' * 60}": same for i in range(n_models)}, reference="r" * 60
    ).plot(axes())
    texts = [text for text in display.ax_.texts if text.get_transform() == display.ax_.transData]
    assert len(texts) >= min(n_models, 2) + 1  # those with a colour
    low, high = display.ax_.get_ylim()
    assert low < 0.0 < high
    for text in texts:
        assert len(text.get_text()) <= 24
        assert low <= text.get_position()[1] <= high


def test_grey_curves_whose_names_do_not_fit_are_counted() -> None:
    rng = np.random.default_rng(0)
    flat = murphy_difference(Y, P, P)
    waves = {
        f"model number {i}": dataclasses.replace(flat, difference=rng.uniform(-1.0, 1.0, 199))
        for i in range(7)
    }
    display = MurphyDifferenceDisplay(waves, reference="best")
    display.plot(laid_out(340, 150)[1])
    shown = names(display.ax_)
    assert {"best", "model number 0", "model number 1"} <= shown
    (counted,) = (text for text in shown if text.startswith("grey: "))
    assert int(counted.split()[1]) + len(shown) - 1 == 8


def test_a_new_figure_is_made_without_axes() -> None:
    import matplotlib.pyplot as plt

    display = MurphyDisplay({"tree": murphy_curve(Y, P)}).plot()
    assert display.figure_ is plt.gcf()
    plt.close(display.figure_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_pred": P}, "y_pred must be a mapping of at least two names to predictions; got list"),
        ({"y_pred": {"tree": P}}, "y_pred must be a mapping of at least two names"),
        ({"reference": "forest"}, r"reference must be one of \['tree', 'line'\]; got 'forest'"),
    ],
)
def test_bad_input(arguments: dict[str, Any], message: str) -> None:
    known: dict[str, Any] = {"y_true": Y, "y_pred": {"tree": P, "line": Q}, "ax": axes()}
    with pytest.raises(InputError, match=message):
        MurphyDifferenceDisplay.from_predictions(**{**known, **arguments})
