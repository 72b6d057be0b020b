"""A row of a matrix: one model, trained on one loss, and what it predicted out of fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from xentexp.datasets import Dataset
from xentexp.metrics import expected_calibration_error
from xentexp.outcome import Outcome


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities lie from what came: means over the folds.

    Parameters
    ----------
    shift : tuple of float
        By class: mean predicted probability less the class's share of the rows.
    ece : float
        Expected calibration error, see `xentexp.metrics.expected_calibration_error`.
    """

    shift: tuple[float, ...]
    ece: float

    @property
    def headline(self) -> float:
        """Shift of the second of two classes; of more, the one furthest from 0."""
        return self.shift[1] if len(self.shift) == 2 else max(self.shift, key=abs)


@dataclass(frozen=True)
class Trained:
    """What one model, trained on one loss, reached in each fold.

    Parameters
    ----------
    model : str
        The family; each family has a matrix.
    loss : str
        What it was trained on, in words: name, parameters, weights, smoothing.
    fold_values : mapping
        By loss it is scored on: value in each fold; NaN where a fold has none. Losses that do
        not apply are left out.
    column : str or None
        The loss scored on that is the one trained on, with the same parameters, no weights and
        no smoothing; None where there is none.
    corrected : bool
        Whether its probabilities went through the inverse link. Such a row stands below the
        one of the same `model` and `loss` without, and is the diagonal of no column.
    calibration : Calibration or None
        None for a model without probabilities.
    error : str or None
        Why it failed, if it did.
    """

    model: str
    loss: str
    fold_values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    column: str | None = None
    corrected: bool = False
    calibration: Calibration | None = None
    error: str | None = None

    @property
    def label(self) -> str:
        """Loss, and whether it is corrected."""
        return f"{self.loss} (corrected)" if self.corrected else self.loss

    def mean(self, column: str) -> float:
        """Mean over the folds of a loss; NaN where a fold has no such value."""
        values = self.fold_values.get(column)
        return math.nan if values is None else float(np.mean(values))


def calibration_of(outcome: Outcome, dataset: Dataset) -> Calibration | None:
    """Calibration of what a candidate predicted out of fold, each fold counting the same.

    Parameters
    ----------
    outcome : Outcome
        Of a candidate.
    dataset : Dataset
        That it was run on.

    Returns
    -------
    Calibration or None
        None where the model has no probabilities, or failed.
    """
    y = dataset.y.to_numpy()
    shifts, errors = [], []
    for prediction in outcome.predictions:
        if prediction.proba is None:
            return None
        true = y[prediction.fold.test]
        rates = [float(np.mean(true == label)) for label in dataset.classes]
        shifts.append(prediction.proba.mean(axis=0) - rates)
        error = expected_calibration_error(true, prediction.proba, labels=dataset.classes)
        errors.append(float(error))
    if not shifts or outcome.error is not None:
        return None
    return Calibration(tuple(np.mean(shifts, axis=0).tolist()), float(np.mean(errors)))


def trained_from(
    outcome: Outcome,
    dataset: Dataset,
    *,
    model: str,
    loss: str,
    column: str | None = None,
    corrected: bool = False,
) -> Trained:
    """Row of a candidate of an experiment.

    Parameters
    ----------
    outcome : Outcome
        Of the candidate; a failed one becomes a row without values.
    dataset : Dataset
        That it was run on.
    model, loss, column, corrected
        See `Trained`.

    Returns
    -------
    Trained
        With each loss and metric that was computed.
    """
    return Trained(
        model,
        loss,
        outcome.fold_values(),
        column,
        corrected,
        calibration_of(outcome, dataset),
        outcome.error,
    )
