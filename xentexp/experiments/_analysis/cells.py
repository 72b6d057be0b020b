"""Loss matrix: its cells, the best row of each column, records and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xentexp.errors import unknown_name
from xentexp.experiments._formatting import finite_or_none
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import ModelRecord
from xentexp.inference._comparison import Comparison
from xentexp.metrics import expected_calibration_error


@dataclass(frozen=True)
class Cell:
    """Result of one row (loss trained on) in one column (loss scored on)."""

    mean: float  # over the folds; NaN if a fold has no value
    std: float
    excess: float = math.nan  # mean minus the column's best mean; >= 0 in either direction
    percent: float = math.nan  # excess in percent of the best; NaN if the best is 0
    from_diagonal: float = math.nan  # mean minus the diagonal mean; NaN without a diagonal row
    comparison: Comparison | None = None  # with the best row; None for the best and without a value
    p_adjusted: float = math.nan  # p-value after Holm's adjustment over the matrix
    best: bool = False  # best of its column, up to rounding
    diagonal: bool = False  # trained on the column's loss
    worse: bool = False  # significantly worse than the best of its column
    reason: str | None = None  # why there is no value, or no test


@dataclass(frozen=True)
class BestRow:
    """Row to choose for one column: the best loss to train on."""

    column: str  # the loss scored on
    best: Trained | None  # row of the best mean, the diagonal row if tied; None without any value
    cell: Cell | None
    diagonal: Trained | None  # row trained on the column's loss
    diagonal_cell: Cell | None
    near: tuple[Trained, ...]  # rows that are not significantly worse than the best, best first

    @property
    def diagonal_worse(self) -> bool:
        """Whether the row trained on the column's loss is significantly worse than the best."""
        return self.diagonal_cell is not None and self.diagonal_cell.worse


@dataclass(frozen=True)
class Change:
    """Difference of one column between a row with corrected probabilities and the same without."""

    column: str
    difference: float  # of the excess over the best; below 0 if the corrected row is better
    p_adjusted: float  # p-value after Holm's adjustment over all changes of the matrix
    significant: bool


@dataclass(frozen=True)
class LossMatrix:
    """One model, trained on several losses (rows), scored on several (columns)."""

    model: str  # family name
    rows: tuple[Trained, ...]  # a corrected row follows the row that it corrects
    columns: tuple[str, ...]  # losses scored on, without `repeated`
    cells: tuple[tuple[Cell, ...], ...]  # by row, then by column
    changes: Mapping[int, tuple[Change, ...]]  # by corrected row: columns with values in both rows
    repeated: Mapping[str, str]  # omitted column -> column with the same values
    n_folds: int  # folds times repeats
    n_tests: int  # family of Holm's adjustment: all tested cells of the matrix
    test_train_ratio: float
    alpha: float
    confidence: float

    def column(self, name: str) -> list[Cell]:
        """Cells of a column, by row."""
        place = self.columns.index(name)
        return [cells[place] for cells in self.cells]

    def pairs(self) -> list[tuple[int, int]]:
        """Row indices of uncorrected and corrected probabilities of the same fits."""
        plain = {row.loss: place for place, row in enumerate(self.rows) if not row.corrected}
        return [
            (plain[row.loss], place)
            for place, row in enumerate(self.rows)
            if row.corrected and row.loss in plain
        ]

    def choices(self) -> list[BestRow]:
        """Best row of each column."""
        return [self._choice(name) for name in self.columns]

    def _choice(self, name: str) -> BestRow:
        cells = self.column(name)
        best = first_best(cells)
        diagonal = [place for place, cell in enumerate(cells) if cell.diagonal]
        diagonal.sort(key=lambda place: math.inf if (x := cells[place].excess) != x else x)
        near = [
            place
            for place, cell in enumerate(cells)
            if place != best and (cell.best or cell.p_adjusted >= self.alpha)
        ]
        near.sort(key=lambda place: cells[place].excess)
        return BestRow(
            name,
            None if best is None else self.rows[best],
            None if best is None else cells[best],
            self.rows[diagonal[0]] if diagonal else None,
            cells[diagonal[0]] if diagonal else None,
            tuple(self.rows[place] for place in near),
        )

    def to_records(self) -> list[dict[str, Any]]:
        """Cells for JSON, row by row; NaN and infinite values become None."""
        return [
            {
                "model": self.model,
                "trained_on": row.loss,
                "corrected": row.corrected,
                "scored_on": name,
                **{key: finite_or_none(getattr(cell, key)) for key in _NUMBERS},
                **{
                    key: None
                    if cell.comparison is None
                    else finite_or_none(getattr(cell.comparison, key))
                    for key in ("p", "low", "high")
                },
                "p_adjusted": finite_or_none(cell.p_adjusted),
                **{key: getattr(cell, key) for key in ("best", "diagonal", "worse", "reason")},
            }
            for row, cells in zip(self.rows, self.cells, strict=True)
            for name, cell in zip(self.columns, cells, strict=True)
        ]

    def calibration_records(self) -> list[dict[str, Any]]:
        """Calibration for JSON of each row that has probabilities."""
        return [
            {
                "model": self.model,
                "trained_on": row.loss,
                "corrected": row.corrected,
                "shift": row.calibration.headline,
                "shift_by_class": list(row.calibration.shift),
                "expected_calibration_error": row.calibration.ece,
            }
            for row in self.rows
            if row.calibration is not None
        ]

    def to_frame(self, value: str = "mean") -> pd.DataFrame:
        """Table of one field of the cells: rows trained on, columns scored on."""
        if value not in (*_NUMBERS, "p_adjusted"):
            raise unknown_name("field of a cell", value, (*_NUMBERS, "p_adjusted"))
        return pd.DataFrame(
            [[getattr(cell, value) for cell in cells] for cells in self.cells],
            index=[row.label for row in self.rows],
            columns=list(self.columns),
            dtype=np.float64,
        )


def first_best(cells: Sequence[Cell]) -> int | None:
    """Row index of the best cell of a column, the diagonal one if tied."""
    places = [place for place, cell in enumerate(cells) if cell.best]
    return min(places, key=lambda place: not cells[place].diagonal, default=None)


_NUMBERS = ("mean", "std", "excess", "percent", "from_diagonal")


@dataclass(frozen=True)
class Calibration:
    """Calibration of predicted probabilities: means over the folds."""

    shift: tuple[float, ...]  # by class: mean predicted probability minus class frequency
    ece: float  # expected calibration error

    @property
    def headline(self) -> float:
        """Shift of class 1 if there are two classes, else the largest in absolute value."""
        return self.shift[1] if len(self.shift) == 2 else max(self.shift, key=abs)


@dataclass(frozen=True)
class Trained:
    """Losses of one model, trained on one loss, in each fold."""

    model: str  # family name; each family has its own matrix
    loss: str  # label of the training loss: name, parameters, weights, smoothing
    # Values of each scored loss by fold, NaN if undefined; losses that do not apply are absent.
    fold_values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    # Scored loss that equals the training loss: default parameters, no weights, no smoothing.
    column: str | None = None
    corrected: bool = False  # corrected probabilities; never a diagonal row
    calibration: Calibration | None = None  # None without probabilities
    error: str | None = None

    @property
    def label(self) -> str:
        """Name of the row: the loss, and "(corrected)" if it is corrected."""
        return f"{self.loss} (corrected)" if self.corrected else self.loss

    def mean(self, column: str) -> float:
        """Mean of a loss over the folds; NaN if any fold has no value."""
        values = self.fold_values.get(column)
        return math.nan if values is None else float(np.mean(values))


def calibration_of(predictions: Predictions | None) -> Calibration | None:
    """Calibration of out-of-fold predictions; None for decision scores and failed models."""
    if predictions is None:
        return None
    shifts, errors = [], []
    for fold in predictions.folds:
        if fold.proba is None:
            return None
        weight = fold.sample_weight
        proba = fold.proba
        if proba.ndim == 1:
            proba = np.column_stack([1.0 - proba, proba])
        rates = [
            float(np.average(fold.y == label, weights=weight)) for label in predictions.classes
        ]
        shifts.append(np.average(proba, axis=0, weights=weight) - rates)
        error = expected_calibration_error(
            fold.y, proba, labels=predictions.classes, sample_weight=weight
        )
        errors.append(float(error))
    return Calibration(tuple(np.mean(shifts, axis=0).tolist()), float(np.mean(errors)))


def trained_from(model: ModelRecord) -> Trained:
    """Row of a matrix from a model that is trained on one of several losses."""
    # A failed model has no values.
    return Trained(
        model.family or model.name,
        model.trained_on or model.name,
        model.fold_values,
        None if model.corrected else model.trained_column,
        model.corrected,
        calibration_of(model.predictions),
        model.error,
    )
