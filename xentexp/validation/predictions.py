"""Predictions: probabilities or raw scores, checked block by block while they are in cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xentexp.errors import InputError
from xentexp.losses.layout import IntArray
from xentexp.validation.arrays import (
    Array,
    Rows,
    float_type,
    pieces,
    row_sum_tolerance,
    row_sums,
    within_unit,
)


@dataclass(frozen=True)
class Predictions:
    """Predictions ``(n,)`` of the second of two classes, or ``(n, k)``."""

    values: Array
    kind: Literal["proba", "logits", "decision"]
    order: IntArray | None = None
    normalize: bool | None = False
    name: str = "y_pred"

    @property
    def n_classes(self) -> int:
        """Number of classes that the predictions speak of."""
        return 2 if self.values.ndim == 1 else int(self.values.shape[1])

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Type that the values are computed from."""
        return float_type(self.values)

    def block(self, rows: Rows) -> Array:
        """Checked predictions of some rows, in the order of the classes."""
        values = rows.of(self.values)
        if values.dtype != self.dtype:
            values = values.astype(self.dtype)
        if self.kind == "proba":
            values = self._check_proba(values, rows)
        elif not _finite(values):
            row = _first_bad(np.isfinite(values))
            raise InputError(
                f"raw scores must be finite; row {rows.number(row)} of {self.name} has "
                f"{values[row].tolist()}"
            )
        return values if self.order is None else values[:, self.order]

    def _check_proba(self, values: Array, rows: Rows) -> Array:
        divide = self.normalize is True and values.ndim == 2
        if not within_unit(values) and not (
            divide and 0.0 <= values.min() <= values.max() < np.inf
        ):
            if divide:
                row = _first_bad((values >= 0.0) & np.isfinite(values))
                raise InputError(
                    f"normalize=True takes finite numbers that are not negative; row "
                    f"{rows.number(row)} of {self.name} has {values[row].tolist()}"
                )
            row = _first_bad((values >= 0.0) & (values <= 1.0))
            if np.isnan(values[row]).any():
                raise InputError(
                    f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                    f"{values[row].tolist()}, a missing value"
                )
            raise InputError(
                f"probabilities must lie in [0, 1]; row {rows.number(row)} of {self.name} has "
                f"{values[row].tolist()} (pass raw scores with from_logits=True where there is "
                f"such an option)"
            )
        if values.ndim == 1 or self.normalize is None:
            return values
        sums = row_sums(values)
        if divide:
            if not sums.min() > 0.0:
                row = int(sums.argmin())
                raise InputError(
                    f"normalize=True divides rows by their sums; row {rows.number(row)} of "
                    f"{self.name} sums to 0"
                )
            return values / sums[:, np.newaxis]
        tolerance = row_sum_tolerance(self.dtype)
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            self._complain_of_sums(tolerance, rows)
        return values

    def _complain_of_sums(self, tolerance: float, rows: Rows) -> None:
        if rows.keep is None:  # the worst of all rows, none of which is ignored here
            sums = np.concatenate([row_sums(piece) for _, piece in pieces(self.values)])
            rows = Rows(slice(0, len(self.values)))
        else:
            sums = row_sums(rows.of(self.values))
        off = np.abs(sums - 1.0)
        row = int(np.nanargmax(off))
        count = int(np.count_nonzero(off > tolerance))
        raise InputError(
            f"rows of {self.name} must sum to 1; {count} of {len(sums)} do not, the worst is row "
            f"{rows.number(row)} with {sums[row]:.9g}; pass normalize=True to divide each row by "
            f"its sum, or normalize=None to take them as they are"
        )


def _finite(scores: Array) -> bool:
    if scores.dtype.itemsize >= 4 and (scores.flags.c_contiguous or scores.flags.f_contiguous):
        flat = scores.reshape(-1) if scores.flags.c_contiguous else scores.T.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.dot(flat, flat) < np.inf:  # quicker than a minimum and a maximum
                return True
    return bool(scores.min() > -np.inf and scores.max() < np.inf)


def _first_bad(good: Array) -> int:
    bad = ~good if good.ndim == 1 else ~good.all(axis=1)
    return int(np.flatnonzero(bad)[0])
