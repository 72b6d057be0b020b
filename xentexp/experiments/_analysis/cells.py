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
from xentexp.experiments._results import CandidateResult
from xentexp.experiments.datasets import Dataset
from xentexp.inference._comparison import Comparison
from xentexp.metrics import expected_calibration_error


@dataclass(frozen=True)
class Cell:
    """Result of one row (loss trained on) in one column (loss scored on)."""

    mean: float
    std: float
    regret: float = math.nan
    percent: float = math.nan
    from_diagonal: float = math.nan
    comparison: Comparison | None = None
    p_adjusted: float = math.nan
    best: bool = False
    diagonal: bool = False
    worse: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class BestRow:
    """Row to choose for one column: the best loss to train on."""

    column: str
    best: Trained | None
    cell: Cell | None
    diagonal: Trained | None
    diagonal_cell: Cell | None
    near: tuple[Trained, ...]


@dataclass(frozen=True)
class LossMatrix:
    """One model, trained on several losses (rows), scored on several (columns)."""

    model: str
    rows: tuple[Trained, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    repeated: Mapping[str, str]
    n_folds: int
    n_tests: int
    test_train_ratio: float
    alpha: float
    confidence: float

    def column(self, name: str) -> list[Cell]:
        """Cells of a column, by row."""
        place = self.columns.index(name)
        return [cells[place] for cells in self.cells]

    def pairs(self) -> list[tuple[int, int]]:
        """Places of the rows before and after the inverse link."""
        plain = {row.loss: place for place, row in enumerate(self.rows) if not row.corrected}
        return [
            (plain[row.loss], place)
            for place, row in enumerate(self.rows)
            if row.corrected and row.loss in plain
        ]

    def choices(self) -> list[BestRow]:
        """What to train on, for each column."""
        return [self._choice(name) for name in self.columns]

    def _choice(self, name: str) -> BestRow:
        cells = self.column(name)
        best = first_best(cells)
        own = [place for place, cell in enumerate(cells) if cell.diagonal]
        own.sort(key=lambda place: math.inf if (r := cells[place].regret) != r else r)
        near = [
            row
            for row, cell in zip(self.rows, cells, strict=True)
            if cell.best or cell.p_adjusted >= self.alpha
        ]
        return BestRow(
            name,
            None if best is None else self.rows[best],
            None if best is None else cells[best],
            self.rows[own[0]] if own else None,
            cells[own[0]] if own else None,
            tuple(row for row in near if best is not None and row is not self.rows[best]),
        )

    def to_records(self) -> list[dict[str, Any]]:
        """JSON-able cells, row by row; NaN and infinite values are None."""
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
        """JSON-able calibration of each row that has probabilities."""
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
        """One number of each cell: rows trained on, columns scored on."""
        if value not in (*_NUMBERS, "p_adjusted"):
            raise unknown_name("number of a cell", value, (*_NUMBERS, "p_adjusted"))
        return pd.DataFrame(
            [[getattr(cell, value) for cell in cells] for cells in self.cells],
            index=[row.label for row in self.rows],
            columns=list(self.columns),
            dtype=np.float64,
        )


def first_best(cells: Sequence[Cell]) -> int | None:
    """Place of the best of a column; of equals the diagonal one."""
    places = [place for place, cell in enumerate(cells) if cell.best]
    return min(places, key=lambda place: not cells[place].diagonal, default=None)


_NUMBERS = ("mean", "std", "regret", "percent", "from_diagonal")


@dataclass(frozen=True)
class Calibration:
    """Calibration of predicted probabilities: means over the folds."""

    shift: tuple[float, ...]
    ece: float

    @property
    def headline(self) -> float:
        """Shift of the second of two classes; of more, the one furthest from 0."""
        return self.shift[1] if len(self.shift) == 2 else max(self.shift, key=abs)


@dataclass(frozen=True)
class Trained:
    """Losses of one model, trained on one loss, in each fold."""

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


def calibration_of(candidate_result: CandidateResult, dataset: Dataset) -> Calibration | None:
    """Calibration of out-of-fold predictions, averaged over the folds."""
    y = dataset.y.to_numpy()
    shifts, errors = [], []
    for prediction in candidate_result.predictions:
        if prediction.proba is None:
            return None
        true = y[prediction.fold.test]
        rates = [float(np.mean(true == label)) for label in dataset.classes]
        shifts.append(prediction.proba.mean(axis=0) - rates)
        error = expected_calibration_error(true, prediction.proba, labels=dataset.classes)
        errors.append(float(error))
    if not shifts or candidate_result.error is not None:
        return None
    return Calibration(tuple(np.mean(shifts, axis=0).tolist()), float(np.mean(errors)))


def trained_from(
    candidate_result: CandidateResult,
    dataset: Dataset,
    *,
    model: str,
    loss: str,
    column: str | None = None,
    corrected: bool = False,
) -> Trained:
    """Row of a candidate of an experiment."""
    return Trained(
        model,
        loss,
        candidate_result.fold_values(),
        column,
        corrected,
        calibration_of(candidate_result, dataset),
        candidate_result.error,
    )
