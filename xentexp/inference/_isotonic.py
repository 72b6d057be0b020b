"""Isotonic recalibration of two classes on pooled rows: equal predictions share one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray, IntArray, weigh
from xentexp.losses import Loss
from xentexp.losses._base import row_values


@dataclass(frozen=True)
class PooledRows:
    """Rows sorted by the predicted probability of the second class, pooled where it is equal."""

    proba: FloatArray  # distinct predictions, ascending
    weight: FloatArray  # total weight of the rows of each prediction
    second: FloatArray  # weight of those rows that are of the second class
    row_proba: FloatArray  # prediction of each row, ascending
    row_weight: FloatArray | None  # None if all are 1
    start: IntArray | None  # first row of each distinct prediction; None if all differ

    def draws(self, n_draws: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Weight of the second class at each prediction, for labels drawn from the predictions."""
        for _ in range(n_draws):
            hit = (rng.random(len(self.row_proba)) < self.row_proba).astype(np.float64)
            if self.row_weight is not None:
                hit *= self.row_weight
            yield hit if self.start is None else np.add.reduceat(hit, self.start)


@dataclass(frozen=True)
class IsotonicCurve:
    """Blocks of distinct predictions that share one recalibrated probability."""

    start: IntArray  # position of the first distinct prediction of each block
    weight: FloatArray  # total weight of each block
    second: FloatArray  # weight of the second class in each block

    @property
    def value(self) -> FloatArray:
        """Recalibrated probability of each block: the frequency of the second class."""
        return self.second / self.weight

    def at_predictions(self, n: int) -> FloatArray:
        """Recalibrated probability at each of the n distinct predictions."""
        return np.repeat(self.value, np.diff(self.start, append=n))


def pool(proba: FloatArray, index: IntArray, weight: FloatArray | None) -> PooledRows:
    """Sort rows of positive weight by prediction and pool those with equal predictions."""
    order = np.argsort(proba, kind="stable")
    proba, second = proba[order], index[order].astype(np.float64)
    row_weight = None if weight is None else weight[order]
    if row_weight is not None:
        second *= row_weight
    total = np.ones(len(proba)) if row_weight is None else row_weight
    first = np.flatnonzero(np.diff(proba, prepend=-1.0))
    if len(first) == len(proba):
        return PooledRows(proba, total, second, proba, row_weight, None)
    weight_of, second_of = (np.add.reduceat(values, first) for values in (total, second))
    return PooledRows(proba[first], weight_of, second_of, proba, row_weight, first)


def fit_isotonic(second: FloatArray, weight: FloatArray) -> IsotonicCurve:
    """Weighted isotonic regression of the frequency of the second class, by pooled violators."""
    from scipy.optimize import isotonic_regression

    start = isotonic_regression(second / weight, weights=weight).blocks[:-1]
    return IsotonicCurve(start, np.add.reduceat(weight, start), np.add.reduceat(second, start))


def losses_of_both(loss: Loss, proba: FloatArray, clip: float) -> FloatArray:
    """Loss at each probability of the second class if the first, or the second, is true: (2, n)."""
    labels = (np.full(len(proba), label, dtype=np.intp) for label in (0, 1))
    return np.stack(
        [row_values(loss, Block(n_classes=2, index=y, proba=proba, clip=clip)) for y in labels]
    )


def mean_loss(losses: FloatArray, second: FloatArray, weight: FloatArray) -> float:
    """Weighted mean; an infinite loss of a class without weight counts as 0."""
    first = np.maximum(weight - second, 0.0)
    total = weigh(losses[1], second).sum() + weigh(losses[0], first).sum()
    return float(total / weight.sum())


def isotonic_loss(loss: Loss, second: FloatArray, weight: FloatArray) -> float:
    """Mean loss of the isotonically recalibrated predictions, on the rows of the fit."""
    # A block of one class has the probability 0 or 1 and is not clipped: its loss is that of a
    # sure and right prediction.
    curve = fit_isotonic(second, weight)
    return mean_loss(losses_of_both(loss, curve.value, 0.0), curve.second, curve.weight)
