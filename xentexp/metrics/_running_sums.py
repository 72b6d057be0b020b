"""`LossState`: sums of losses over rows, which add up, and give means and standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from operator import lt
from typing import Any, Literal

import numpy as np

from xentexp._inputs.block import Block
from xentexp._inputs.checked import CheckedInput, Part
from xentexp._inputs.labels import show
from xentexp._numerics import FloatArray, IntArray, weigh
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import block_elements, checked_values

_STATES_PER_GROUP = 64
_FEW_CLASSES, _MANY_CLASSES, _MANY_ROWS = 4, 32, 4096  # limits of the ways to add up by class


@dataclass(eq=False)
class LossState:
    """Sums of losses over rows; adding the states of two data sets gives the state of both.

    Evaluate a large data set in pieces (folds, files, workers), add the states with ``+`` or
    ``sum`` and pass the sum to `Evaluation`: means and standard errors are those of the whole data
    set, up to rounding. `evaluate` returns the state as ``evaluate(...).state``. Metrics of the
    whole data set, such as AUC, cannot be merged and are not part of a state.

    Below, L is the number of losses, k the number of classes, w the weight of a row and l the
    value of a loss on a row.

    Parameters
    ----------
    losses : tuple of Loss
        The losses, in the order of the entries of the sums.
    classes : tuple
        Labels of the classes, in the order of the columns of `class_loss_sum`.
    n_rows : int, default=0
        Number of rows that count.
    n_ignored : int, default=0
        Number of rows that are left out because of their label.
    n_clipped : int, default=0
        Number of rows whose cross-entropy was changed by the clip.
    weight : float, default=0.0
        Sum of the weights of the rows.
    weight_squared : float, default=0.0
        Sum of the squared weights of the rows.

    Attributes
    ----------
    n_infinite : ndarray of shape (L,)
        Number of rows of positive weight for which the loss is infinite.
    total : ndarray of shape (L,)
        ``sum w l``.
    m2, m1 : ndarray of shape (L,)
        Central moments ``sum w^2 (l - m)^2`` and ``sum w^2 (l - m)`` about the current mean m,
        for the standard error. Moments about zero would lose the digits of a large mean.
    class_weight_sum : ndarray of shape (k,)
        Sum of the weights of the rows of each true class.
    class_loss_sum : ndarray of shape (L, k)
        ``sum w l`` over the rows of each true class.

    See Also
    --------
    evaluate : Compute losses and their state.

    Examples
    --------
    >>> from xentexp.metrics import Evaluation, evaluate
    >>> first = evaluate([0, 1], [0.1, 0.8], ["brier_loss"], labels=[0, 1])
    >>> second = evaluate([1], [0.4], ["brier_loss"], labels=[0, 1])
    >>> both = Evaluation(first.state + second.state)
    >>> both.state.n_rows, both["brier_loss"]
    (3, 0.1366...)
    >>> evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss"])["brier_loss"]
    0.1366...
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
        """Names of the losses, in their order."""
        return tuple(loss.name for loss in self.losses)

    def add(self, values: FloatArray, part: Part) -> None:
        """Add the values of the losses on one part of the rows.

        Parameters
        ----------
        values : ndarray of shape (L, n)
            Unweighted value of each loss on each row of the part that is not ignored.
        part : Part
            Targets, predictions and weights of these rows.
        """
        state = _state_of_part(self.losses, self.classes, values, part)
        self.__dict__.update(_merged((self, state)).__dict__)

    def of(self, losses: Sequence[Loss]) -> LossState:
        """Sums of some of the losses.

        Parameters
        ----------
        losses : sequence of Loss
            Losses of this state.

        Returns
        -------
        LossState
            State of the same rows, with the sums of these losses in this order.
        """
        state = LossState(tuple(losses), self.classes)
        places = [self.losses.index(loss) for loss in losses]
        for name in (*_SUMS, "m2", "m1"):
            value = getattr(self, name)
            of_losses = name in ("n_infinite", "total", "m2", "m1", "class_loss_sum")
            setattr(state, name, value[places] if of_losses else value)
        return state

    def __add__(self, other: LossState | Literal[0]) -> LossState:
        """State of the rows of both; an InputError if the losses or the classes differ."""
        if type(other) is int and other == 0:  # the start of sum()
            other = LossState(self.losses, self.classes)
        if not isinstance(other, LossState):
            raise InputError(
                f"a state can only be added to another state, as from evaluate(...).state; got "
                f"{other!r}"
            )
        if self.losses != other.losses or self.classes != other.classes:
            raise InputError(
                f"states must have the same losses and classes to be added; got "
                f"{show(self.losses)} with classes {show(self.classes)}, and {show(other.losses)} "
                f"with classes {show(other.classes)}; pass the same losses and labels= to each "
                f"evaluate()"
            )
        return _merged((self, other))

    __radd__ = __add__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LossState):
            return NotImplemented
        return (self.losses, self.classes) == (other.losses, other.classes) and all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in (*_SUMS, "m2", "m1")
        )

    def mean(self) -> FloatArray:
        """Weighted mean of each loss.

        Returns
        -------
        ndarray of shape (L,)
            ``sum w l / sum w``; NaN for a state without weight.
        """
        return self.total / self.weight if self.weight else np.full(len(self.losses), np.nan)

    def standard_error(self) -> FloatArray:
        """Standard error of the mean of each loss.

        The formula is ``sqrt(n / (n - 1) * sum w^2 (l - mean)^2) / sum w``. It assumes that rows
        are independent and that a weight says how much a row counts, not how often it occurs.

        Returns
        -------
        ndarray of shape (L,)
            NaN for fewer than two rows and for an infinite mean.
        """
        if self.n_rows < 2 or not self.weight:
            return np.full(len(self.losses), np.nan)
        correction = self.n_rows / (self.n_rows - 1)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(correction * np.maximum(self.m2, 0.0)) / self.weight
        return np.where(np.isfinite(self.total), error, np.nan)

    def class_mean(self) -> FloatArray:
        """Weighted mean of each loss over the rows of each true class.

        Returns
        -------
        ndarray of shape (L, k)
            NaN for a class without rows.
        """
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


def _merged(states: Sequence[LossState]) -> LossState:
    """State of the rows of one or more states with the same losses and classes."""
    if len(states) == 1:
        return states[0]
    both = LossState(states[0].losses, states[0].classes)
    for name in ("n_rows", "n_ignored", "n_clipped", "weight", "weight_squared"):
        setattr(both, name, sum([getattr(state, name) for state in states]))
    weighted = [state for state in states if state.weight]
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite values
        for name in ("n_infinite", "total", "class_weight_sum", "class_loss_sum"):
            setattr(both, name, np.add.reduce([getattr(state, name) for state in states]))
        if weighted:
            weight = np.array([[state.weight] for state in weighted])
            weight_squared = np.array([[state.weight_squared] for state in weighted])
            m1 = np.array([state.m1 for state in weighted])
            # Moments about the common mean.
            shift = np.array([state.total for state in weighted]) / weight - both.mean()
            m1_change = shift * weight_squared
            both.m1 = np.add.reduce(m1 + m1_change)
            m2_change = shift * (2.0 * m1 + m1_change)
            both.m2 = np.add.reduce(np.array([state.m2 for state in weighted]) + m2_change)
    return both


def _state_of_part(
    losses: tuple[Loss, ...], classes: tuple[Any, ...], values: FloatArray, part: Part
) -> LossState:
    """State of one part, from the value of each loss on each of its rows, (L, n)."""
    state = LossState(losses, classes)
    state.n_rows = n_rows = values.shape[1]
    state.n_clipped = part.block.clipped_rows
    weight = part.weight
    if weight is None:
        weighted, state.weight, state.weight_squared = values, float(n_rows), float(n_rows)
    else:
        weighted = weigh(values, weight)
        state.weight, state.weight_squared = float(weight.sum()), float(weight @ weight)
    state.total = weighted.sum(axis=1)
    finite = all(map(isfinite, state.total.tolist()))  # faster than NumPy for few losses
    if not finite:
        state.n_infinite = np.isinf(weighted).sum(axis=1).astype(np.float64)
    if state.weight:
        mean = state.mean()
        if weight is None:
            state.m2 = _sum_of_squares(values, mean)
            state.m1 = 0.0 * state.total  # deviations from the mean sum to 0; NaN stays NaN
        else:
            state.m2, state.m1 = _weighted_moments(values, mean, weight * weight)
    target = part.unsmoothed
    if target.index is not None:
        total = state.total if finite else None
        sums = _sums_by_index(weighted, total, weight, target)
        state.class_weight_sum, state.class_loss_sum = sums
    elif target.soft is not None:
        by_class = target.target_by_class
        state.class_weight_sum = by_class @ (np.ones(n_rows) if weight is None else weight)
        if finite:
            state.class_loss_sum = _products(weighted, by_class)
        else:
            products = weighted[:, np.newaxis, :] * by_class
            state.class_loss_sum = np.where(by_class > 0, products, 0.0).sum(axis=2)
    return state


def _sum_of_squares(values: FloatArray, mean: FloatArray) -> FloatArray:
    """``sum (l - mean)^2`` of each row of `values`, whose mean is `mean`."""
    squares: FloatArray = np.vecdot(values, values)
    m2: FloatArray = squares - values.shape[1] * mean * mean
    # The difference of two large numbers is inaccurate: subtract the mean first, which is slower.
    if not all(map(lt, squares.tolist(), (1024.0 * m2).tolist())):
        inaccurate = ~(squares < 1024.0 * m2)
        deviation = values[inaccurate] - mean[inaccurate, np.newaxis]
        m2[inaccurate] = np.vecdot(deviation, deviation)
    return m2


def _weighted_moments(
    values: FloatArray, mean: FloatArray, weight_squared: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``sum w^2 (l - mean)^2`` and ``sum w^2 (l - mean)`` of each row of `values`."""
    deviation = values - mean[:, np.newaxis]
    m1: FloatArray = deviation @ weight_squared
    m2: FloatArray = (deviation * deviation) @ weight_squared
    if not np.isfinite(m2).all():  # an infinite value of weight 0 counts as 0
        m1 = weigh(deviation, weight_squared).sum(axis=1)
        m2 = weigh(deviation * deviation, weight_squared).sum(axis=1)
    return m2, m1


def _sums_by_index(
    values: FloatArray, total: FloatArray | None, weight: FloatArray | None, block: Block
) -> tuple[FloatArray, FloatArray]:
    """Sums of the weights and of weighted values over the rows of each true class."""
    # `total` has the sum of each row of `values`; None if one is infinite.
    index, k = block.index, block.n_classes
    assert index is not None
    n_losses = len(values)
    few = n_losses == 1 and k <= _FEW_CLASSES and len(index) >= _MANY_ROWS
    if few and weight is None and total is not None:
        return _sums_of_few_classes(values[0], float(total[0]), index, k)
    weights = np.bincount(index, weights=weight, minlength=k).astype(np.float64, copy=False)
    # A product with the matrix of the targets is slower for few losses or many classes.
    if n_losses <= max(1, k // 3) or k >= _MANY_CLASSES or total is None:
        sums = np.empty((n_losses, k))
        for row, of_row in zip(sums, values, strict=True):
            row[:] = np.bincount(index, weights=of_row, minlength=k)
        return weights, sums
    return weights, _products(values, block.target_by_class)


def _sums_of_few_classes(
    values: FloatArray, total: float, index: IntArray, k: int
) -> tuple[FloatArray, FloatArray]:
    """As `_sums_by_index` for one loss, about twice as fast as ``np.bincount`` for few classes."""
    counts, sums, factor = [], [], np.empty(len(index))
    for column in range(k - 1):
        rows = index == column
        counts.append(np.count_nonzero(rows))
        np.copyto(factor, rows)
        sums.append(float(values @ factor))
    last = total - sum(sums)
    if abs(last) <= 0.1 * (abs(total) + sum(map(abs, sums))):  # the difference would lose digits
        np.copyto(factor, index == k - 1)
        last = float(values @ factor)
    weights = np.array([*counts, len(index) - sum(counts)], dtype=np.float64)
    return weights, np.array([[*sums, last]])


def _products(values: FloatArray, target: FloatArray) -> FloatArray:
    """``values @ target.T``, in slices of columns, for which BLAS has a faster routine."""
    n_losses, n_classes = len(values), len(target)
    step = max(256, 900_000 // max(1, n_losses * n_classes))
    if values.shape[1] <= step:
        return np.asarray(values @ target.T)
    total = np.zeros((n_losses, n_classes))
    for start in range(0, values.shape[1], step):
        columns = slice(start, start + step)
        total += values[:, columns] @ target[:, columns].T
    return total


def sum_losses(
    checked: CheckedInput,
    losses: Sequence[Loss],
    *,
    per_sample: bool = False,
    n_jobs: int | None = None,
) -> tuple[LossState, dict[str, FloatArray] | None]:
    """Sums of losses in one pass over the blocks; with `per_sample`, also the value of each row."""
    losses, classes = tuple(losses), checked.classes
    rows = np.full((len(losses), checked.n_rows), np.nan) if per_sample else None
    hard = next((loss.name for loss in losses if loss.properties.targets == "one-hot"), None)

    def state_of(part: Part) -> LossState:
        with np.errstate(over="ignore", under="ignore"):
            values = _values(losses, part.block)
        if rows is not None:
            part.rows.put(rows, values)
        with np.errstate(over="ignore", invalid="ignore"):  # of infinite values
            return _state_of_part(losses, classes, values, part)

    states = checked.map_parts(
        state_of,
        hard=hard,
        elements=block_elements(checked, losses),
        n_jobs=n_jobs,
    )
    # Always the same groups, so that the sums are equal to the last bit for any number of threads.
    state = _merged(list(islice(states, _STATES_PER_GROUP)))
    while group := list(islice(states, _STATES_PER_GROUP)):
        state = _merged([state, *group])
    state.n_ignored = checked.n_rows - state.n_rows
    if state.weight == 0.0:
        raise InputError(
            "sample_weight must be positive for at least one row that is not ignored; "
            "got only zeros"
        )
    return state, None if rows is None else dict(zip(state.names, rows, strict=True))


def _values(losses: tuple[Loss, ...], block: Block) -> FloatArray:
    """Value of each loss on each row of a block, (L, n)."""
    if len(losses) == 1:
        return np.asarray(checked_values(losses[0], block), dtype=np.float64)[np.newaxis]
    values = np.empty((len(losses), block.n_rows))
    for row, loss in zip(values, losses, strict=True):
        row[:] = checked_values(loss, block)
    return values
