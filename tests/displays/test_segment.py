"""SegmentDisplay: dots, lines and texts are those of the segments."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from xentexp.displays import SegmentDisplay
from xentexp.displays._style import laid_out, style
from xentexp.errors import InputError
from xentexp.inference import segment_bias

RNG = np.random.default_rng(0)
X = pd.DataFrame({"late": RNG.integers(0, 3, 600), "job": RNG.choice(["a", "b"], 600)})
Y = (RNG.random(600) < np.array([0.1, 0.3, 0.8])[X["late"]]).astype(int)
P = np.full(600, 0.4)


def test_rows_are_ordered_by_what_a_shift_would_save() -> None:
    display = SegmentDisplay.from_predictions(Y, P, X, ax=Figure().add_subplot())
    assert {s.name for s in display.segments} == {s.name for s in segment_bias(Y, P, X)}
    saved = []
    for segment in display.segments:
        column, _, label = segment.name.partition(" = ")
        rows = X[column].astype(str) == label
        shifted = P[rows] - P[rows].mean() + Y[rows].mean()
        saved.append(((P[rows] - Y[rows]) ** 2).sum() - ((shifted - Y[rows]) ** 2).sum())
    assert saved == sorted(saved, reverse=True)
    first = display.segments[0]
    dots = [dot.get_offsets()[0] for dot in display.ax_.collections]
    np.testing.assert_allclose(dots[0], [100 * first.bias, 0.0])
    np.testing.assert_allclose(
        display.ax_.lines[0].get_xdata(), [100 * first.low, 100 * first.high]
    )
    areas = [dot.get_sizes()[0] for dot in display.ax_.collections]
    np.testing.assert_allclose(
        np.divide(areas, areas[0]),
        [s.n_rows / first.n_rows for s in display.segments],
    )
    rows = X["late"] == 2
    assert display.ax_.texts[0].get_text() == f"40.0% / {Y[rows].mean():.1%}, {rows.sum()}"


def test_several_models_and_most() -> None:
    display = SegmentDisplay.from_predictions(
        Y, {"low": np.full(600, 0.1), "high": np.full(600, 0.9)}, X, most=3, columns=["late"],
        ax=Figure().add_subplot(),
    )  # fmt: skip
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["high, late = 0", "low, late = 2", "high, late = 1"]
    assert display.models == ("high", "low", "high")


def test_a_classifier() -> None:
    features = X[["late"]]
    model = LogisticRegression().fit(features, Y)
    display = SegmentDisplay.from_estimator(model, features, Y, ax=Figure().add_subplot())
    expected = segment_bias(Y, model.predict_proba(features), features)
    assert sorted(s.bias for s in display.segments) == sorted(s.bias for s in expected)


def test_no_interval_no_events_and_no_segments() -> None:
    segment = dataclasses.replace(
        segment_bias(Y, P, X)[0], low=math.nan, high=math.nan, events=0, observed=0.0
    )
    display = SegmentDisplay([segment]).plot(Figure().add_subplot())
    assert len(display.ax_.lines) == 1  # the one at 0
    assert "/ 0.0%" in display.ax_.texts[0].get_text()
    assert SegmentDisplay([]).plot(Figure().add_subplot()).segments == ()


def test_long_names_leave_space_for_the_dots() -> None:
    long = dataclasses.replace(
        segment_bias(Y, P, X)[0], column="c" * 60, label="v" * 60, class_label="k" * 60
    )
    other = dataclasses.replace(long, class_label="b" * 60)
    with style("segments"):
        figure, ax = laid_out(480, 120)
        display = SegmentDisplay([long, other], models=["m" * 60, "w" * 60]).plot(ax)
    figure.draw_without_rendering()  # warns, which is an error here, if nothing is left
    assert ax.get_window_extent().width / figure.dpi * 96.0 > 70.0
    label = display.ax_.get_yticklabels()[0].get_text()
    assert len(label) <= 32
    assert label.startswith("mmmmmm")


def test_bad_input() -> None:
    with pytest.raises(InputError, match="models must have a name for each of the 1 segments"):
        SegmentDisplay(segment_bias(Y, P, X)[:1], models=["a", "b"])
