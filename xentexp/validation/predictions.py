"""Predictions: probabilities or raw scores, checked block by block while they are in cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xentexp.errors import InputError
from xentexp.losses.block import IntArray
from xentexp.validation.arrays import Array, row_sum_tolerance


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

    def block(self, rows: slice) -> Array:
        """Checked predictions of some rows, in the order of the classes."""
        values = self.values[rows]
        if self.kind == "proba":
            values = self._check_proba(values, rows.start)
        elif not (values.min() > -np.inf and values.max() < np.inf):
            row = _first_bad(np.isfinite(values))
            raise InputError(
                f"raw scores must be finite; row {rows.start + row} of {self.name} has "
                f"{values[row].tolist()}"
            )
        return values if self.order is None else values[:, self.order]

    def _check_proba(self, values: Array, start: int) -> Array:
        divide = self.normalize is True and values.ndim == 2
        low, high = values.min(), values.max()
        if not (low >= 0.0 and (high <= 1.0 or (divide and high < np.inf))):
            if divide:
                row = _first_bad((values >= 0.0) & np.isfinite(values))
                raise InputError(
                    f"normalize=True takes finite numbers that are not negative; row "
                    f"{start + row} of {self.name} has {values[row].tolist()}"
                )
            row = _first_bad((values >= 0.0) & (values <= 1.0))
            raise InputError(
                f"probabilities must lie in [0, 1]; row {start + row} of {self.name} has "
                f"{values[row].tolist()} (pass raw scores with from_logits=True where there is "
                f"such an option)"
            )
        if values.ndim == 1 or self.normalize is None:
            return values
        sums = _row_sums(values)
        if divide:
            if not sums.min() > 0.0:
                row = int(sums.argmin())
                raise InputError(
                    f"normalize=True divides rows by their sums; row {start + row} of "
                    f"{self.name} sums to 0"
                )
            return values / sums[:, np.newaxis]
        tolerance = row_sum_tolerance(values)
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            self._complain_of_sums(tolerance)
        return values

    def _complain_of_sums(self, tolerance: float) -> None:
        sums = _row_sums(self.values)
        off = np.abs(sums - 1.0)
        row = int(np.nanargmax(off))
        count = int(np.count_nonzero(off > tolerance))
        raise InputError(
            f"rows of {self.name} must sum to 1; {count} of {len(sums)} do not, the worst is row "
            f"{row} with {sums[row]:.9g}; pass normalize=True to divide each row by its sum, or "
            f"normalize=None to take them as they are"
        )


def _row_sums(values: Array) -> Array:
    if values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    return values @ np.ones(values.shape[1], dtype=values.dtype)


def _first_bad(good: Array) -> int:
    bad = ~good if good.ndim == 1 else ~good.all(axis=1)
    return int(np.flatnonzero(bad)[0])
