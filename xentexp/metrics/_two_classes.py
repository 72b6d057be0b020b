"""Rows of two classes, and what they add up to from the highest score to the lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.columns import to_weight
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.metrics._metric_input import MetricInput


@dataclass(frozen=True, eq=False)
class TwoClasses:
    """Rows of two classes whose weight is above 0; the second class is the event."""

    n_read: int  # rows that were passed
    kept: NDArray[np.intp]  # rows of positive weight
    event: NDArray[np.bool_]
    score: FloatArray  # probability of the event
    weight: FloatArray | None  # None if all rows count the same
    classes: tuple[Any, ...]

    @property
    def weights(self) -> FloatArray:
        """Weight of each row, also if all are 1."""
        return np.ones(len(self.event)) if self.weight is None else self.weight

    def check_both_occur(self) -> None:
        """Refuse rows of one class, of which a share is undefined."""
        for label, own in zip(self.classes, (~self.event, self.event), strict=True):
            if not own.any():
                raise InputError(
                    f"y_true must have rows of both classes; got none of class {label!r}; shares "
                    f"of its rows cannot be drawn"
                )

    def ranked(self, *amounts: FloatArray) -> Ranked:
        """Sums from the highest score down; `amounts` are added up too."""
        weight = self.weights
        order = np.argsort(-self.score, kind="stable")
        score = self.score[order]
        last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
        columns = (weight, weight * self.event, *amounts)
        sums = tuple(np.cumsum(column[order])[last] for column in columns)
        return Ranked(score[last], sums[0], sums[1], sums[2:])


@dataclass(frozen=True, eq=False)
class Ranked:
    """Sums over all rows with at least a score, for each distinct score, highest first."""

    score: FloatArray
    rows: FloatArray  # sums of weights
    events: FloatArray
    amounts: tuple[FloatArray, ...] = ()


def two_classes(
    function: str,
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    sample_weight: Any = None,
    name: str = "y_pred",
) -> TwoClasses:
    """Check the arguments of a function that is defined for two classes."""
    names = ("y_true", name)
    checked = read(y_true, y_pred, labels=labels, sample_weight=sample_weight, names=names)
    if y_true is None or not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions or None; pass labels "
            "or one-hot rows"
        )
    if checked.n_classes != 2:
        raise InputError(
            f"{function} is for two classes; there are {checked.n_classes}; pass the probability "
            f"of one class and labels of whether a row has it"
        )
    data = MetricInput(checked)
    weight = data.weight
    kept = np.arange(len(data.index)) if weight is None else np.flatnonzero(weight > 0.0)
    return TwoClasses(
        n_read=len(data.index),
        kept=kept,
        event=data.index[kept] == 1,
        score=data.proba_by_class[1][kept],
        weight=None if weight is None else weight[kept],
        classes=data.classes,
    )


def named_weight(values: object, n_rows: int, name: str) -> FloatArray:
    """Weights of rows that are not called sample_weight: finite, at least 0, not all 0."""
    try:
        return to_weight(values, n_rows).astype(np.float64)
    except InputError as error:
        raise InputError(str(error).replace("sample_weight", name)) from None
