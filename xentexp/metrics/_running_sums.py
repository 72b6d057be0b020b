"""Sums over rows, by loss: they add up exactly, and give means and standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xentexp._inputs.checked import CheckedInput, Part
from xentexp._numerics import FloatArray, weigh
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import row_values


@dataclass
class LossState:
    """Sums over the rows seen so far, for some losses; the states of two parts add up.

    Merging the states of any partition of a data set (folds, files, workers) gives the state
    of the whole, up to rounding.

    Parameters
    ----------
    losses : tuple of Loss
        In the order of the rows of the sums.
    classes : tuple
        Classes, in the order of the columns of the sums per class.

    Attributes
    ----------
    n_rows, n_ignored, n_clipped : int
        Rows counted, left out because of their label, touched by the clip.
    n_infinite : ndarray of shape (L,)
        Rows of positive weight and infinite value, for each loss.
    weight, weight_squared : float
        Sums of the weights and of their squares.
    total : ndarray of shape (L,)
        ``sum w l``.
    m2, m1 : ndarray of shape (L,)
        Central moments ``sum w^2 (l - m)^2`` and ``sum w^2 (l - m)`` about the mean ``m`` so far,
        for the standard error: about zero they would lose the digits of a large mean.
    class_weight_sum : ndarray of shape (k,)
        Weight of each true class.
    class_loss_sum : ndarray of shape (L, k)
        ``sum w l`` over each true class.
    """

    losses: tuple[Loss, ...]
    classes: tuple[Any, ...]
    n_rows: int = 0
    n_ignored: int = 0
    n_clipped: int = 0
    n_infinite: FloatArray = field(init=False)
    weight: float = 0.0
    weight_squared: float = 0.0
    total: FloatArray = field(init=False)
    m2: FloatArray = field(init=False)
    m1: FloatArray = field(init=False)
    class_weight_sum: FloatArray = field(init=False)
    class_loss_sum: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        n_losses, n_classes = len(self.losses), len(self.classes)
        self.n_infinite = np.zeros(n_losses)
        self.total = np.zeros(n_losses)
        self.m2 = np.zeros(n_losses)
        self.m1 = np.zeros(n_losses)
        self.class_weight_sum = np.zeros(n_classes)
        self.class_loss_sum = np.zeros((n_losses, n_classes))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the losses."""
        return tuple(loss.name for loss in self.losses)

    def add(self, values: FloatArray, part: Part) -> None:
        """Take in the per-sample values, of shape (L, n), of one part.

        Parameters
        ----------
        values : ndarray of shape (L, n)
            Value of each loss on each row that is not ignored.
        part : Part
            The rows.
        """
        state = LossState(self.losses, self.classes)
        state.n_rows = values.shape[1]
        state.n_clipped = part.block.clipped_rows
        weight = part.weight
        weighted = values if weight is None else weigh(values, weight)
        state.weight = float(state.n_rows if weight is None else weight.sum())
        state.weight_squared = float(state.n_rows if weight is None else weight @ weight)
        state.total = weighted.sum(axis=1)
        finite = bool(np.isfinite(state.total).all())
        if not finite:
            state.n_infinite = np.isinf(weighted).sum(axis=1).astype(np.float64)
        if state.weight:
            with np.errstate(invalid="ignore", over="ignore"):
                if weight is None:
                    state.m2 = _sum_of_squares(values, state.mean())
                    state.m1 = 0.0 * state.total  # deviations from a mean cancel
                else:
                    off = values - state.mean()[:, np.newaxis]
                    state.m1 = weigh(off, weight**2).sum(axis=1)
                    state.m2 = weigh(off * off, weight**2).sum(axis=1)
        if part.block.index is not None or part.block.soft is not None:
            target = part.unsmoothed.target_by_class
            state.class_weight_sum = target @ (np.ones(state.n_rows) if weight is None else weight)
            if finite:
                state.class_loss_sum = _products(weighted, target)
            else:
                with np.errstate(invalid="ignore"):
                    products = weighted[:, np.newaxis, :] * target
                state.class_loss_sum = np.where(target > 0, products, 0.0).sum(axis=2)
        self._take(state)

    def _take(self, other: LossState) -> None:
        """Add another state to this one."""
        if other.weight and not self.weight:
            self.m2, self.m1 = other.m2, other.m1
        elif other.weight:
            mean = (self.total + other.total) / (self.weight + other.weight)
            (m2, m1), (more, further) = self._about(mean), other._about(mean)
            self.m2, self.m1 = m2 + more, m1 + further
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def _about(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`m2` and `m1` about another mean."""
        with np.errstate(invalid="ignore"):
            shift = self.mean() - mean
            move = shift * self.weight_squared
            return self.m2 + shift * (2.0 * self.m1 + move), self.m1 + move

    def __add__(self, other: LossState) -> LossState:
        """State of both parts together."""
        if self.losses != other.losses or self.classes != other.classes:
            raise InputError(
                f"states of the same losses and classes add up; these differ: "
                f"{list(self.losses)} of {self.classes}, {list(other.losses)} of {other.classes}"
            )
        both = LossState(self.losses, self.classes)
        both._take(self)
        both._take(other)
        return both

    def mean(self) -> FloatArray:
        """Weighted mean of each loss, of shape (L,)."""
        return self.total / self.weight if self.weight else np.full(len(self.losses), np.nan)

    def standard_error(self) -> FloatArray:
        """Standard error of each mean, of shape (L,); NaN for one row or an infinite mean.

        ``sqrt(n / (n - 1) * sum w^2 (l - mean)^2) / sum w``: rows are independent, weights
        are importances.
        """
        if self.n_rows < 2 or not self.weight:
            return np.full(len(self.losses), np.nan)
        correction = self.n_rows / (self.n_rows - 1)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(correction * np.maximum(self.m2, 0.0)) / self.weight
        return np.where(np.isfinite(self.total), error, np.nan)

    def class_mean(self) -> FloatArray:
        """Mean of each loss over the rows of each true class, (L, k); NaN for no row."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.class_loss_sum / self.class_weight_sum)


_SUMS = (
    "n_rows",
    "n_ignored",
    "n_clipped",
    "n_infinite",
    "weight",
    "weight_squared",
    "total",
    "class_weight_sum",
    "class_loss_sum",
)


def _sum_of_squares(values: FloatArray, mean: FloatArray) -> FloatArray:
    """``sum (l - mean)^2`` of each row of values; `mean` is their mean."""
    squares: FloatArray = np.vecdot(values, values)
    m2: FloatArray = squares - values.shape[1] * mean * mean
    # A difference of large numbers loses digits: those rows are centred, which takes longer.
    lost = ~(squares < 1024.0 * m2)
    if lost.any():
        off = values[lost] - mean[lost, np.newaxis]
        m2[lost] = np.vecdot(off, off)
    return m2


def _products(values: FloatArray, target: FloatArray) -> FloatArray:
    """``values @ target.T``, in slices that BLAS has a quicker way for."""
    n_losses, n_classes = len(values), len(target)
    step = max(256, 900_000 // max(1, n_losses * n_classes))
    if values.shape[1] <= step:
        return np.asarray(values @ target.T)
    total = np.zeros((n_losses, n_classes))
    for start in range(0, values.shape[1], step):
        some = slice(start, start + step)
        total += values[:, some] @ target[:, some].T
    return total


def sum_losses(
    checked: CheckedInput, losses: Sequence[Loss], *, per_sample: bool = False
) -> tuple[LossState, dict[str, FloatArray] | None]:
    """Sums of losses that apply, in one pass over the blocks, and their rows where wanted."""
    state = LossState(tuple(losses), checked.classes)
    rows = np.full((len(losses), checked.n_rows), np.nan) if per_sample else None
    hard = next((loss.name for loss in losses if loss.properties.targets == "one-hot"), None)
    values = np.empty((len(losses), 0))
    for part in checked.parts(hard=hard):
        if values.shape[1] != part.block.n_rows:
            values = np.empty((len(losses), part.block.n_rows))
        for row, loss in zip(values, losses, strict=True):
            row[:] = row_values(loss, part.block)
        state.add(values, part)
        if rows is not None:
            part.rows.put(rows, values)
    state.n_ignored = checked.n_rows - state.n_rows
    if state.weight == 0.0:
        raise InputError("sample_weight is zero for every row that is not ignored")
    return state, None if rows is None else dict(zip(state.names, rows, strict=True))
