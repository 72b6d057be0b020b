"""Out-of-fold rows of models, as checks need them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import ModelRecord, Pooled, RunRecord, pooled
from xentexp.losses import LOSSES
from xentexp.metrics._registry import get_loss
from xentexp.metrics.credit import score_bands

N_TENTHS = 10

Places = NDArray[np.intp]


def first_repeat(predictions: Predictions) -> Predictions:
    """Predictions in which each row occurs once."""
    repeat = predictions.folds[0].repeat
    folds = tuple(fold for fold in predictions.folds if fold.repeat == repeat)
    return dataclasses.replace(predictions, folds=folds)


def rows_of(model: ModelRecord) -> Pooled:
    """Rows of a model that has predictions, each of them once."""
    assert model.predictions is not None
    return pooled(first_repeat(model.predictions))


def loss_of_rows(record: RunRecord, model: ModelRecord) -> str | None:
    """The primary loss if it is a loss of rows that applies to a model, else the log loss."""
    predictions = model.predictions
    if predictions is None:
        return None
    checked = predictions.checked(predictions.folds[0])
    for name in (record.about.primary, "categorical_crossentropy"):
        try:
            if name in LOSSES and get_loss(name).why_not(checked) is None:
                return name
        except InputError:
            continue
    return None


@dataclass(frozen=True)
class Tenth:
    """Rows of neighbouring scores; number 1 has the highest scores."""

    number: int
    n_rows: int
    rate: float  # share of the class
    predicted: float  # mean probability of the class
    z: float  # of rate minus predicted; NaN if few rows of the class are expected
    place: Places  # of its rows


def tenths(rows: Pooled, k: int) -> list[Tenth]:
    """Tenths of the rows by the probability of class k; equal scores are in the same tenth."""
    p = rows.proba[:, k]
    event = (rows.codes == k).astype(np.float64)
    weight = np.ones(len(p)) if rows.sample_weight is None else rows.sample_weight
    bands = score_bands(event, p, n_bands=N_TENTHS, labels=[0, 1], sample_weight=weight)
    found, above = [], 0.0
    for band in bands.bands:
        number = int((above + band.n_rows / 2.0) / bands.n_rows * N_TENTHS) + 1
        above += band.n_rows
        place = np.flatnonzero((band.low <= p) & (p <= band.high) & (weight > 0.0))
        z = _z_of_bias(event[place], p[place], weight[place], of_rows(rows.groups, place))
        found.append(Tenth(number, len(place), band.rate, band.predicted, z, place))
    return found


MIN_EXPECTED = 5.0
"""Expected rows with and without the class from which a normal approximation is used."""


def _z_of_bias(
    event: FloatArray, p: FloatArray, weight: FloatArray, groups: NDArray[Any] | None
) -> float:
    """Sum of event minus probability in standard errors, for calibrated probabilities."""
    if min(p.sum(), (1.0 - p).sum()) < MIN_EXPECTED:
        return np.nan
    variance = float((weight**2 * p * (1.0 - p)).sum())
    if groups is not None:
        variance = max(variance, float((sums_of(weight * (event - p), groups) ** 2).sum()))
    return float((weight * (event - p)).sum() / np.sqrt(variance))


def z_of_rise(rows: Pooled, k: int, higher: Places, lower: Places) -> float:
    """Rate of class k in rows of lower scores minus that of higher ones, in standard errors."""
    place = np.concatenate([higher, lower])
    event = (rows.codes[place] == k).astype(np.float64)
    if min(event.sum(), (1.0 - event).sum()) < 2.0 * MIN_EXPECTED:
        return np.nan
    weight = np.ones(len(place)) if rows.sample_weight is None else rows.sample_weight[place]
    above = np.arange(len(place)) < len(higher)
    share = np.where(above, -weight / weight[above].sum(), weight / weight[~above].sum())
    parts = share * (event - np.average(event, weights=weight))
    variance = float((sums_of(parts, of_rows(rows.groups, place)) ** 2).sum())
    return float((share * event).sum() / np.sqrt(variance))


def of_rows(groups: NDArray[Any] | None, place: Any) -> NDArray[Any] | None:
    """Groups of some rows; None without groups."""
    return None if groups is None else groups[place]


def sums_of(values: FloatArray, groups: NDArray[Any] | None) -> FloatArray:
    """Sums over the rows of each group; the values themselves without groups."""
    if groups is None:
        return values
    _, codes = np.unique(groups, return_inverse=True)
    return np.asarray(np.bincount(codes, values), dtype=np.float64)
