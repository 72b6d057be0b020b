"""Reliability curve of two classes and the band of calibrated predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from tests.inference.test_decomposition import two_classes
from xentexp.errors import InputError
from xentexp.inference import reliability_band


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_isotonic_regression(ties: bool) -> None:
    rng = np.random.default_rng(0)
    y, p = two_classes(rng, 500, ties=ties)
    weight = rng.exponential(size=500)
    band = reliability_band(y, p, sample_weight=weight)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, y, sample_weight=weight)
    np.testing.assert_allclose(band.observed, theirs.predict(band.predicted), atol=1e-12)
    # a line through the jumps is the whole curve
    np.testing.assert_allclose(
        np.interp(p, band.predicted, band.observed), theirs.predict(p), atol=1e-12
    )
    assert (np.diff(band.predicted) > 0).all()
    assert len(band.predicted) < 200


def test_the_band_against_isotonic_regression_of_drawn_labels() -> None:
    rng = np.random.default_rng(1)
    y, p = two_classes(rng, 300)
    points = np.quantile(p, [0.1, 0.3, 0.5, 0.7, 0.9])
    band = reliability_band(y, p, points=points, n_draws=500, confidence=0.8)
    curves = [IsotonicRegression().fit(p, rng.random(300) < p).predict(points) for _ in range(500)]
    low, high = np.quantile(curves, [0.1, 0.9], axis=0)
    # Monte Carlo error of a 10% quantile of 500 draws: .013 / density, and the density is about 2
    np.testing.assert_allclose(band.low, low, atol=0.03)
    np.testing.assert_allclose(band.high, high, atol=0.03)
    np.testing.assert_array_equal(band.points, points)


def test_one_prediction_by_hand() -> None:
    # Eight rows of .5: P(Binomial(8, 1/2) <= 1) = 9/256 < .1 < P(<= 2) = 37/256, so that the 10%
    # quantile of the frequency is 2/8, and the 90% quantile 6/8.
    p = [0.5] * 8
    band = reliability_band([0, 0, 0, 0, 0, 0, 1, 1], p, confidence=0.8, n_draws=1_000)
    assert (band.predicted.tolist(), band.observed.tolist()) == ([0.5], [0.25])
    assert (band.points.tolist(), band.low.tolist(), band.high.tolist()) == ([0.5], [0.25], [0.75])
    assert band.outside == 0.0
    assert reliability_band([1] * 7 + [0], p, confidence=0.8, n_draws=1_000).outside == 1.0


def test_outside_the_predictions_there_is_no_band() -> None:
    y, p = two_classes(np.random.default_rng(2), 100)
    band = reliability_band(y, p, points=[0.0, float(p.min()), 0.5, 1.0])
    assert np.isnan(band.low).tolist() == [True, False, False, True]
    assert np.isnan(band.high).tolist() == [True, False, False, True]


def test_default_points_cover_the_predictions() -> None:
    y, p = two_classes(np.random.default_rng(3), 1_000)
    band = reliability_band(y, p)
    assert (band.points[0], band.points[-1]) == (p.min(), p.max())
    assert len(band.points) == 200
    assert (band.low <= band.high).all()
    assert np.isfinite(band.low).all()


def test_large_samples_are_reduced_to_max_rows() -> None:
    y, p = two_classes(np.random.default_rng(4), 3_000)
    band = reliability_band(y, p, max_rows=500, random_state=1)
    assert band.n_rows == 500
    again = reliability_band(y, p, max_rows=500, random_state=1)
    other = reliability_band(y, p, max_rows=500, random_state=2)
    np.testing.assert_array_equal(band.observed, again.observed)
    assert len(band.observed) != len(other.observed) or (band.observed != other.observed).any()
    assert reliability_band(y, p).n_rows == 3_000
    assert reliability_band(np.tile(y, 4), np.tile(p, 4), n_draws=1).n_rows == 10_000


@pytest.mark.long
def test_a_tenth_of_calibrated_rows_is_outside_of_a_90_percent_band() -> None:
    rng = np.random.default_rng(5)
    outside = [reliability_band(*two_classes(rng, 500)).outside for _ in range(150)]
    assert np.mean(outside) == pytest.approx(0.1, abs=4 * np.std(outside) / np.sqrt(150))
    sharp = reliability_band(*two_classes(rng, 5_000, slope=2.0))
    assert sharp.outside > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.0}, "confidence must be below 1"),
        ({"confidence": 0.0}, "confidence must be > 0"),
        ({"n_draws": 0}, "n_draws must be an integer >= 1"),
        ({"max_rows": 0.5}, "max_rows must be an integer >= 1"),
        ({"random_state": -1}, "random_state must be an integer >= 0"),
        ({"points": [0.5, 1.5]}, "points must be a list of probabilities"),
        ({"points": []}, "points must be a list of probabilities"),
        ({"y_true": None}, "y_true must have one true class in each row"),
        ({"y_true": [0.5, 0.2, 1.0]}, "y_true must have one true class in each row"),
        ({"y_pred": np.full((3, 3), 1 / 3)}, "for two classes; there are 3"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments = {"y_true": [0, 1, 1], "y_pred": [0.2, 0.4, 0.7], **change}
    with pytest.raises(InputError, match=message):
        reliability_band(**arguments)
