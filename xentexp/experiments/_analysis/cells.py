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
    """Result of one row (loss trained on) in one column (loss scored on).

    Parameters
    ----------
    mean, std : float
        Over the folds; NaN where a fold has no value.
    regret : float
        Mean above the best of the column (below, where higher is better).
    percent : float
        Regret in percent of the best; NaN for a best of 0.
    from_diagonal : float
        Mean above that of the row trained on the column's loss; NaN without such a row.
    comparison : Comparison or None
        With the best row, over the folds; None for the best and where there is no value.
    p_adjusted : float
        Its p-value after Holm's adjustment over the table.
    best, diagonal, worse : bool
        Whether it is the column's best, up to rounding; is trained on the column's loss; is
        worse than the best beyond chance.
    reason : str or None
        Why there is no value, or no test.
    """

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
    """Row to choose for one column: the best loss to train on.

    Parameters
    ----------
    column : str
        The loss scored on.
    best : Trained or None
        Row of its best mean; the diagonal one among equals. None where no row has a value.
    cell : Cell or None
        Of that row.
    diagonal : Trained or None
        Row trained on the loss itself, if there is one.
    diagonal_cell : Cell or None
        Of that row.
    near : tuple of Trained
        Rows that do not differ significantly from the best.
    """

    column: str
    best: Trained | None
    cell: Cell | None
    diagonal: Trained | None
    diagonal_cell: Cell | None
    near: tuple[Trained, ...]


@dataclass(frozen=True)
class LossMatrix:
    """One model, trained on several losses (rows), scored on several (columns).

    Made by `build_matrices`.

    Parameters
    ----------
    model : str
        The family.
    rows : tuple of Trained
        A corrected row after the one that it corrects.
    columns : tuple of str
        Losses scored on, without those that are another one on every row.
    cells : tuple of tuple of Cell
        By row, by column.
    repeated : mapping
        Columns left out, and which column has the same values.
    n_folds : int
        Folds times repeats.
    n_tests : int
        Size of the family that Holm's adjustment is over: every cell of the table that is not
        the best of its column and has a test.
    test_train_ratio, alpha, confidence : float
        Of the tests.
    """

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
        """One number of each cell: rows trained on, columns scored on.

        Parameters
        ----------
        value : str
            ``"mean"``, ``"std"``, ``"regret"``, ``"percent"``, ``"from_diagonal"`` or
            ``"p_adjusted"``.

        Returns
        -------
        DataFrame
            NaN where a cell has no such number.

        Raises
        ------
        InputError
            For another value.
        """
        if value not in (*_NUMBERS, "p_adjusted"):
            raise unknown_name("number of a cell", value, (*_NUMBERS, "p_adjusted"))
        return pd.DataFrame(
            [[getattr(cell, value) for cell in cells] for cells in self.cells],
            index=[row.label for row in self.rows],
            columns=list(self.columns),
            dtype=np.float64,
        )


def first_best(cells: Sequence[Cell]) -> int | None:
    """Place of the best of a column; of equals the diagonal one.

    Parameters
    ----------
    cells : sequence of Cell
        By row.

    Returns
    -------
    int or None
        None where no row has a value.
    """
    places = [place for place, cell in enumerate(cells) if cell.best]
    return min(places, key=lambda place: not cells[place].diagonal, default=None)


_NUMBERS = ("mean", "std", "regret", "percent", "from_diagonal")


@dataclass(frozen=True)
class Calibration:
    """Calibration of predicted probabilities: means over the folds.

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
    """Losses of one model, trained on one loss, in each fold.

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


def calibration_of(candidate_result: CandidateResult, dataset: Dataset) -> Calibration | None:
    """Calibration of out-of-fold predictions, averaged over the folds.

    Parameters
    ----------
    candidate_result : CandidateResult
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
    """Row of a candidate of an experiment.

    Parameters
    ----------
    candidate_result : CandidateResult
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
        candidate_result.fold_values(),
        column,
        corrected,
        calibration_of(candidate_result, dataset),
        candidate_result.error,
    )
