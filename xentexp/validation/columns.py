"""Columns that are no classes: plain numbers, or several labels in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xentexp.errors import InputError
from xentexp.validation.arrays import Array, Rows, as_array, to_numbers

ColumnKind = Literal["multilabel", "real", "counts", "above -1"]


@dataclass(frozen=True)
class Columns:
    """Targets or predictions ``(n,)``, one column, or ``(n, k)``."""

    values: Array
    kind: Literal["proba", "logits"]
    low: float
    high: float
    rule: str
    name: str

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return 1 if self.values.ndim == 1 else int(self.values.shape[1])

    def block(self, rows: Rows) -> Any:
        """Checked values of some rows, (n, k) of float64."""
        values = rows.of(self.values).astype(np.float64, copy=False)
        if not (values.min() >= self.low and values.max() <= self.high):
            bad = ~((values >= self.low) & (values <= self.high))
            row = int(bad.reshape(len(bad), -1).any(axis=1).argmax())
            raise InputError(
                f"{self.name} must hold {self.rule}; row {rows.number(row)} has "
                f"{values[row].tolist()}"
            )
        return values if values.ndim == 2 else values[:, np.newaxis]


_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.nextafter(0.0, 1.0))
_ABOVE = float(np.nextafter(-1.0, 0.0))
# Least and largest value, of targets and of predictions, and the rule in words.
_DOMAINS: dict[str, tuple[tuple[float, float, str], tuple[float, float, str]]] = {
    "multilabel": (
        (0.0, 1.0, "a yes or no (or its probability, in [0, 1]) in each column"),
        (0.0, 1.0, "probabilities in [0, 1] (pass raw scores with from_logits=True)"),
    ),
    "real": ((-_LARGEST, _LARGEST, "finite numbers"), (-_LARGEST, _LARGEST, "finite numbers")),
    "counts": (
        (0.0, _LARGEST, "finite numbers >= 0"),
        (_SMALLEST, _LARGEST, "finite numbers > 0"),
    ),
    "above -1": ((_ABOVE, _LARGEST, "finite numbers > -1"),) * 2,
}


def to_columns(values: object, kind: ColumnKind, name: str, *, logits: bool = False) -> Columns:
    """Columns of a kind, whose values are still to be checked.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, k)
        As the user gave them.
    kind : str
        What they are.
    name : str
        What to call them in a message.
    logits : bool
        Whether they are raw scores.

    Returns
    -------
    Columns
        One column for shape (n, 1) too.
    """
    if getattr(values, "shape", ())[1:] == (1,):
        values = as_array(values, name)[:, 0]
    array = to_numbers(values, name)
    targets, predictions = _DOMAINS[kind]
    low, high, rule = targets if name == "y_true" else predictions
    if logits:
        low, high, rule = -_LARGEST, _LARGEST, "finite raw scores"
    return Columns(array, "logits" if logits else "proba", low, high, rule, name)
