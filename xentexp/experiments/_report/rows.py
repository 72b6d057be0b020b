"""Out-of-fold rows of the models that a section draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.experiments._analysis.calibration import loss_for
from xentexp.experiments._record import ModelRecord, Pooled, RunRecord, pooled
from xentexp.experiments._report.contents import shown_models
from xentexp.experiments._report.once import once
from xentexp.losses import Loss


class Rows:
    """Out-of-fold rows of a model, and how often each occurs."""

    def __init__(self, model: ModelRecord) -> None:
        assert model.predictions is not None
        folds = model.predictions.folds
        self.name = model.name
        self.pooled: Pooled = pooled(model.predictions)
        self.cost = model.predictions.cost
        repeats = [fold.repeat for fold in folds]
        self.n_repeats = len(set(repeats))
        self.first = np.concatenate([np.full(len(f.rows), f.repeat == repeats[0]) for f in folds])

    @property
    def groups(self) -> Any:
        """Rows that depend on each other: those of a group, and a row in several repeats."""
        known = self.pooled.groups
        return self.pooled.rows if known is None and self.n_repeats > 1 else known

    def of_class(self, column: int) -> tuple[Any, FloatArray]:
        """Whether a row has a class, and its probability."""
        return (self.pooled.codes == column).astype(int), self.pooled.proba[:, column]


def varying_rows(record: RunRecord) -> tuple[list[Rows], int]:
    """Rows of at most eight models with probabilities that are not constant, and how many more."""
    models = record.varying_models()
    shown = shown_models(models)
    return [rows_of(record, model.name) for model in shown], len(models) - len(shown)


@once
def rows_of(record: RunRecord, name: str) -> Rows:
    """Rows of a model that predicts probabilities."""
    model = record.model(name)
    assert model is not None
    return Rows(model)


def loss_of_probabilities(record: RunRecord, *, proper: bool = False) -> Loss:
    """The primary loss if it is one of probabilities that applies, else the log loss."""
    predictions = record.with_probabilities()[0].predictions
    assert predictions is not None
    return loss_for(record.about.primary, predictions, proper=proper)
