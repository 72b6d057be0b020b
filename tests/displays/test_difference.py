"""DifferenceDisplay: what is drawn is what the inference functions return."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from xentexp.displays import DifferenceDisplay
from xentexp.displays._style import OTHER, to_svg
from xentexp.errors import InputError
from xentexp.inference import compare_paired, paired_difference

Y = np.array([0, 1, 1, 0, 1, 0, 0, 1])
FOLDS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
PREDICTIONS: Mapping[str, np.ndarray] = {
    "tree": np.array([0.4, 0.6, 0.8, 0.1, 0.7, 0.3, 0.2, 0.6]),
    "line": np.array([0.2, 0.6, 0.9, 0.1, 0.7, 0.2, 0.3, 0.8]),
    "even": np.full(8, 0.5),
}


def axes() -> Axes:
    return Figure().add_subplot()


def ticks(ax: Axes) -> list[list[float]]:
    """Places of the ticks of the folds in each row."""
    return [[s[0][0] for s in lines.get_segments()] for lines in ax.collections]


def test_the_reference_is_the_best_and_the_others_follow_in_order() -> None:
    display = DifferenceDisplay.from_predictions(Y, PREDICTIONS, ax=axes())
    losses = {name: log_loss(Y, p) for name, p in PREDICTIONS.items()}  # scikit-learn
    assert [display.reference, *display.differences] == sorted(losses, key=losses.__getitem__)
    for name, difference in display.differences.items():
        assert difference.difference == pytest.approx(losses[name] - losses["line"])


def test_ticks_are_the_differences_of_the_losses_of_folds() -> None:
    weight = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0])
    display = DifferenceDisplay.from_predictions(
        Y, PREDICTIONS, folds=FOLDS, sample_weight=weight, ax=axes()
    )
    for name, drawn in zip(display.differences, ticks(display.ax_), strict=True):
        expected = [
            log_loss(Y[own], PREDICTIONS[name][own], sample_weight=weight[own])
            - log_loss(Y[own], PREDICTIONS["line"][own], sample_weight=weight[own])
            for own in (FOLDS == 0, FOLDS == 1)
        ]
        assert drawn == pytest.approx(expected)


def test_the_line_is_the_interval_and_the_dot_the_difference() -> None:
    display = DifferenceDisplay.from_predictions(
        Y, PREDICTIONS, loss="brier_loss", folds=FOLDS, confidence=0.9, ax=axes()
    )
    squares = {name: (Y - p) ** 2 for name, p in PREDICTIONS.items()}
    lines = display.ax_.lines
    for row, name in enumerate(display.differences):
        means = [[squares[m][f == FOLDS].mean() for f in (0, 1)] for m in (name, "line")]
        # The interval over two folds is wider than that over the rows.
        expected = compare_paired(*means, test_train_ratio=1.0, confidence=0.9)
        dot, line = lines[2 * row], lines[2 * row + 1]
        assert dot.get_xydata()[0].tolist() == pytest.approx([expected.difference, row])
        assert line.get_xdata() == pytest.approx([expected.low, expected.high])


def test_another_reference_and_groups() -> None:
    groups = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    display = DifferenceDisplay.from_predictions(
        Y, PREDICTIONS, reference="even", groups=groups, ax=axes()
    )
    assert set(display.differences) == {"tree", "line"}
    found = display.differences["line"]
    assert found.difference < 0.0
    assert found.by_rows is not None
    assert found.by_rows.n_groups == 4


def test_classifiers_are_compared_by_their_probabilities() -> None:
    X = np.arange(8.0)[:, None]
    y = np.array(["no", "no", "yes", "no", "yes", "no", "yes", "yes"])
    models = {"prior": DummyClassifier().fit(X, y), "line": LogisticRegression().fit(X, y)}
    display = DifferenceDisplay.from_estimator(models, X, y, ax=axes())
    expected = log_loss(y, models["prior"].predict_proba(X)) - log_loss(
        y, models["line"].predict_proba(X)
    )
    assert display.differences["prior"].difference == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "words"),
    [([np.inf, 1.0, 2.0], "infinite"), ([np.nan, 1.0, 2.0], "undefined"), ([1.0], "no interval")],
)
def test_what_cannot_be_drawn_is_said(first: list[float], words: str) -> None:
    difference = paired_difference(first, np.zeros(len(first)))
    display = DifferenceDisplay({"tree": difference}, reference="line", loss="brier_loss")
    display.plot(axes())
    assert any(words in text.get_text() for text in display.ax_.texts)


def test_models_keep_the_colours_of_the_page_and_a_dollar_is_no_mathematics() -> None:
    name = "tree of $5 and $6, " + 60 * "x"
    difference = paired_difference([0.2, 0.5, 0.1], [0.1, 0.3, 0.1])
    display = DifferenceDisplay({name: difference}, reference="line", loss="brier_loss")
    display.plot(axes(), colours={name: OTHER, "line": "#0072b2"})
    (label,) = display.ax_.get_yticklabels()
    assert label.get_color() == OTHER
    assert len(label.get_text()) <= 24
    assert "tree of $5 a" in to_svg(display.figure_, "differences")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_pred": PREDICTIONS["tree"]}, "y_pred must be a mapping of at least two names"),
        ({"y_pred": {"tree": PREDICTIONS["tree"]}}, r"at least two names .* got \['tree'\]"),
        ({"reference": "forest"}, r"reference must be one of \['tree', 'line', 'even'\]"),
        ({"loss": "no_such_loss"}, "no_such_loss"),
        ({"folds": FOLDS[1:]}, "folds must have one entry for each of the 8 rows"),
        ({"sample_weight": -np.ones(8)}, "sample_weight must be finite and not negative"),
    ],
)
def test_bad_arguments(changes: dict[str, object], message: str) -> None:
    arguments = {"y_true": Y, "y_pred": PREDICTIONS, "ax": axes(), **changes}
    with pytest.raises(InputError, match=message):
        DifferenceDisplay.from_predictions(**arguments)
