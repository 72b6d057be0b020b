"""ReliabilityDisplay: the curve is scikit-learn's isotonic regression; panels, histogram, words."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from xentexp.displays import ReliabilityDisplay
from xentexp.errors import InputError


@pytest.fixture
def pyplot() -> Iterator[None]:
    import matplotlib.pyplot as plt

    backend = mpl.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def axes() -> Axes:
    return Figure().add_subplot()


def sample(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.random(n)
    return (rng.random(n) < p).astype(int), p


def three_classes(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), n)
    return np.array(["a", "b", "c"])[[rng.choice(3, p=row) for row in p]], p


def test_the_curve_is_the_isotonic_regression() -> None:
    y, p = sample()
    display = ReliabilityDisplay.from_predictions(y, p, n_draws=5, ax=axes())
    curve = display.ax_.lines[1].get_xydata()
    expected = IsotonicRegression(y_min=0, y_max=1).fit(p, y).predict(curve[:, 0])
    assert curve[:, 1] == pytest.approx(expected)


def test_the_text_is_the_share_outside_the_band() -> None:
    y, p = sample(2000)
    sharpened = p**2 / (p**2 + (1 - p) ** 2)
    for q, wide in ((p, False), (sharpened, True)):
        display = ReliabilityDisplay.from_predictions(y, q, ax=axes())
        outside = display.panels[0].band.outside
        assert (outside > 0.5) == wide
        assert display.ax_.texts[0].get_text() == f"{outside:.0%} of rows\noutside the band"


def test_the_histogram_has_all_rows_with_their_weights() -> None:
    y, p = sample()
    weight = np.arange(400.0)
    display = ReliabilityDisplay.from_predictions(
        y, p, sample_weight=weight, n_draws=5, max_rows=100, ax=axes()
    )
    counts = np.asarray(display.panels[0].counts)
    assert counts.sum() == pytest.approx(weight.sum())
    # A bin is 1/40 wide.
    assert counts[0] == pytest.approx(weight[p < 0.025].sum())
    assert display.panels[0].band.n_rows == 100


def test_more_classes_have_a_panel_each_against_the_rest() -> None:
    y, p = three_classes()
    display = ReliabilityDisplay.from_predictions(
        y, {"tree": p, "line": p}, n_draws=5, ax=Figure().subplots(2, 3)
    )
    assert [(panel.name, panel.label) for panel in display.panels] == [
        (name, label) for name in ("tree", "line") for label in "abc"
    ]
    panel = display.panels[1]
    expected = IsotonicRegression(y_min=0, y_max=1).fit(p[:, 1], y == "b")
    assert panel.band.observed == pytest.approx(expected.predict(panel.band.predicted))
    assert [own.get_title(loc="left") for own in display.axes_][:2] == ["tree: a", "tree: b"]
    assert display.ax_.get_ylabel() == "frequency of the class"


@pytest.mark.usefixtures("pyplot")
@pytest.mark.parametrize(("n_models", "rows", "columns"), [(1, 1, 1), (4, 2, 3), (2, 1, 2)])
def test_without_axes_there_is_a_grid(n_models: int, rows: int, columns: int) -> None:
    y, p = sample(60)
    models = {f"model {i}": p for i in range(n_models)}
    display = ReliabilityDisplay.from_predictions(y, models, n_draws=5)
    shape = display.ax_.get_gridspec().get_geometry()
    assert shape == (rows, columns)
    assert len(display.figure_.axes) == n_models


@pytest.mark.usefixtures("pyplot")
def test_without_axes_each_model_of_more_classes_has_a_row() -> None:
    y, p = three_classes(60)
    display = ReliabilityDisplay.from_predictions(y, {"tree": p, "line": p}, n_draws=5)
    assert display.ax_.get_gridspec().get_geometry() == (2, 3)


def test_a_constant_prediction_is_a_dot() -> None:
    display = ReliabilityDisplay.from_predictions([0, 1, 1], [0.5] * 3, n_draws=5, ax=axes())
    curve = display.ax_.lines[1]
    assert curve.get_xydata().tolist() == [[0.5, pytest.approx(2 / 3)]]
    assert curve.get_marker() == "o"


def test_a_classifier() -> None:
    X, y = np.arange(8.0)[:, None], np.array(list("nnyynyyy"))
    display = ReliabilityDisplay.from_estimator(
        LogisticRegression().fit(X, y), X, y, n_draws=5, ax=axes()
    )
    assert display.ax_.get_ylabel() == "frequency of y"


def test_bad_arguments() -> None:
    y, p = sample(40)
    with pytest.raises(InputError, match="one of the axes for each of the 2 panels; got 1"):
        ReliabilityDisplay.from_predictions(y, {"tree": p, "line": p}, n_draws=5, ax=axes())
    with pytest.raises(InputError, match="panels must have at least one"):
        ReliabilityDisplay([])
    with pytest.raises(InputError, match="got distributions"):
        ReliabilityDisplay.from_predictions([[0.5, 0.5]], [0.5], ax=axes())
    with pytest.raises(InputError, match="name must be None if y_pred is a mapping; got 'tree'"):
        ReliabilityDisplay.from_predictions(y, {"tree": p}, name="tree", ax=axes())
    with pytest.raises(InputError, match=r"y_pred must be .* mapping of texts .* keys \[1\]"):
        ReliabilityDisplay.from_predictions(y, {1: p}, ax=axes())


def test_bad_estimators() -> None:
    from sklearn.svm import LinearSVC

    X, y = np.arange(8.0)[:, None], np.array([0, 0, 1, 1, 0, 1, 1, 1])
    line = LogisticRegression().fit(X, y)
    with pytest.raises(InputError, match="estimator must have predict_proba; got LinearSVC"):
        ReliabilityDisplay.from_estimator(LinearSVC().fit(X, y), X, y)
    other = LogisticRegression().fit(X, np.array(list("nnyynyyy")))
    with pytest.raises(InputError, match="classifiers of the same classes"):
        ReliabilityDisplay.from_estimator({"line": line, "other": other}, X, y)
