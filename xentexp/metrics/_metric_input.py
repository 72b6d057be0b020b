"""`MetricInput`: all rows of checked input, with results that several metrics share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import precision, to_numbers
from xentexp._inputs.block import Block
from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.columns import less_precise_tolerance, row_sum_tolerance
from xentexp._numerics import FloatArray, IntArray, log_softmax
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.metrics._running_sums import LossState, sum_losses
from xentexp.metrics._sorted_scores import SortedScores

PIECE_NUMBERS = 1 << 20
"""Predictions of a memory-mapped array that a metric reads at once."""


class MetricInput:
    """Checked targets and predictions of all rows: the argument of `DatasetMetric.value`.

    Functions and `evaluate` build it, so a metric only reads it. Below, n is the number of rows
    (without ignored rows) and k the number of classes. Arrays whose name ends in ``_by_class``
    have one row for each class. Results are computed on first use and kept, so that several
    metrics share them.

    Parameters
    ----------
    checked : CheckedInput
        Validated targets, predictions and weights. Ignored rows are left out.
    prior : mapping or array-like of shape (k,), default=None
        Proportion of each class, by label or in the order of the classes, that a null model
        predicts, e.g. the proportions among the training rows. By default there is none.
    state : LossState, default=None
        Sums of losses that were already computed for the same input, which `loss` reuses. By
        default every loss is computed when `loss` is called.

    Raises
    ------
    InputError
        If `prior` is not a distribution over the classes.

    Examples
    --------
    A metric that shows some of what it receives:

    >>> from dataclasses import dataclass
    >>> from xentexp.metrics import DatasetMetric, MetricProperties, evaluate
    >>> @dataclass(frozen=True)
    ... class Shown(DatasetMetric):
    ...     function = "shown"
    ...     properties = MetricProperties(
    ...         summary="Number of rows.", formula="n", range="[1, inf)", optimum=1.0,
    ...         response="predict_proba", reference="an example", example="")
    ...     def value(self, data):
    ...         print(data.classes, data.index, data.weight, data.predicted)
    ...         print(data.proba_by_class)
    ...         return float(len(data.index))
    >>> result = evaluate(["no", "yes", "yes"], [0.25, 0.75, 0.5], [Shown()])
    ('no', 'yes') [0 1 1] None [0 1 0]
    [[0.75 0.25 0.5 ]
     [0.25 0.75 0.5 ]]
    """

    def __init__(
        self, checked: CheckedInput, *, prior: object = None, state: LossState | None = None
    ) -> None:
        self.checked = checked
        self.prior = None if prior is None else _to_prior(prior, checked.classes)
        self._states = [] if state is None else [state]
        self._curves: dict[int, tuple[FloatArray, FloatArray]] = {}
        self._areas: dict[int, float] = {}
        self._sorted: tuple[int, SortedScores] | None = None

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels of the classes, in the order of the columns of the predictions."""
        return self.checked.classes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.checked.n_classes

    # -- losses ----------------------------------------------------------------------------

    def loss(self, loss: Loss) -> tuple[float, FloatArray, FloatArray]:
        """Mean of a loss over all rows and over the rows of each true class.

        Parameters
        ----------
        loss : Loss
            A loss that is defined for the input.

        Returns
        -------
        mean : float
            Weighted mean over all rows.
        class_mean : ndarray of shape (k,)
            Weighted mean over the rows of each true class; NaN for a class without weight.
        class_weight_sum : ndarray of shape (k,)
            Sum of the weights of the rows of each true class.

        Raises
        ------
        InputError
            If the loss is not defined for the input.
        """
        for state in self._states:
            if loss in state.losses:
                break
        else:
            loss.check_applies(self.checked)
            state, _ = sum_losses(self.checked, [loss])
            self._states.append(state)
        row = state.losses.index(loss)
        return float(state.mean()[row]), state.class_mean()[row], state.class_weight_sum

    # -- rows of memory-mapped arrays, which may not fit in memory ------------------------

    @cached_property
    def large(self) -> bool:
        """Whether the rows are in memory-mapped arrays and too many to be read at once."""
        return self.checked.mapped and self.checked.n_rows > self._piece_rows

    @property
    def _piece_rows(self) -> int:
        return max(64, PIECE_NUMBERS // self.n_classes)

    def pieces(self) -> Iterator[MetricInput]:
        """Yield the rows in pieces that fit in memory.

        A metric that adds up its pieces can be computed for memory-mapped arrays of any size.

        Yields
        ------
        MetricInput
            All rows at once, except for memory-mapped arrays with many rows.
        """
        if not self.large:
            yield self
            return
        yield from map(MetricInput, self.checked.pieces(self._piece_rows))

    def roc_pieces(self, column: int) -> Iterator[tuple[FloatArray, FloatArray]]:
        """ROC curve of one class against the rest, in pieces that fit in memory.

        Parameters
        ----------
        column : int
            Column of the class, from 0 to k - 1.

        Yields
        ------
        false_rate, true_rate : ndarray
            As from `roc`: the whole curve, except for memory-mapped arrays with many rows. There,
            each piece begins at the last point of the piece before it.
        """
        if not self.large:
            yield self.roc(column)
            return
        if self._sorted is None or self._sorted[0] != column:
            rows = (
                (piece.ranking(column), piece.index == column, piece.weight)
                for piece in self.pieces()
            )
            self._sorted = column, SortedScores(rows)
        positive = self.class_weight_sum[column]
        negative = self.class_weight_sum.sum() - positive
        false, true = 0.0, 0.0
        for groups in self._sorted[1]:
            falses = np.cumsum(np.append(false, groups.of_rest))
            trues = np.cumsum(np.append(true, groups.of_class))
            false, true = falses[-1], trues[-1]
            yield falses / negative, trues / positive

    def roc_area(self, column: int) -> float:
        """Area under the ROC curve of one class against the rest.

        Parameters
        ----------
        column : int
            Column of the class, from 0 to k - 1.

        Returns
        -------
        float
            The area, by the trapezoidal rule.
        """
        if column not in self._areas:
            pieces = self.roc_pieces(column)
            self._areas[column] = float(sum(np.trapezoid(true, false) for false, true in pieces))
        return self._areas[column]

    # -- rows ------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> tuple[str, IntArray, FloatArray | None, FloatArray]:
        """Kind of predictions, true classes, weights, and the predictions, of shape (k, n)."""
        index, weight, values = [], [], []
        for part in self.checked.parts():
            block = part.unsmoothed  # label smoothing is for losses only
            assert block.index is not None
            index.append(block.index)
            weight.append(part.weight)
            kind, predicted = _predicted(block)
            values.append(predicted)
        weights = (
            None if weight[0] is None else np.concatenate([w for w in weight if w is not None])
        )
        return kind, np.concatenate(index), weights, np.concatenate(values, axis=1)

    @property
    def index(self) -> IntArray:
        """Column of the true class of each row, of shape (n,)."""
        return self._rows[1]

    @property
    def weight(self) -> FloatArray | None:
        """Weight of each row, of shape (n,); None if all rows have the same weight."""
        return self._rows[2]

    @cached_property
    def class_weight_sum(self) -> FloatArray:
        """Sum of the weights of the rows of each true class, of shape (k,)."""
        counted = [
            np.bincount(piece.index, weights=piece.weight, minlength=self.n_classes)
            for piece in self.pieces()
        ]
        return np.asarray(np.sum(counted, axis=0, dtype=np.float64))

    @cached_property
    def _log_softmax(self) -> tuple[FloatArray, FloatArray]:
        return log_softmax(self._rows[3])

    @cached_property
    def proba_by_class(self) -> FloatArray:
        """Predicted probabilities, of shape (k, n); the softmax of raw scores."""
        return self._rows[3] if self._rows[0] == "proba" else self._log_softmax[1]

    @cached_property
    def predicted(self) -> IntArray:
        """Column of the largest probability or score (the first if tied) of each row."""
        return np.asarray(self._rows[3].argmax(axis=0))

    def log_odds(self, column: int) -> FloatArray:
        """Log-odds ``log p - log(1 - p)`` of one class against the rest, in nats.

        Parameters
        ----------
        column : int
            Column of the class, from 0 to k - 1.

        Returns
        -------
        ndarray of shape (n,)
            Log-odds of the clipped probabilities, or of raw scores without a clip. They can be
            infinite only with ``clip=0`` or a raw score of ``-inf``.
        """
        kind, _, _, values = self._rows
        if kind == "logits":
            with np.errstate(over="ignore"):
                if self.n_classes == 2:
                    return np.asarray(values[column] - values[1 - column])
                others = np.delete(values, column, axis=0)
                highest = others.max(axis=0)
                finite = np.where(np.isinf(highest), 0.0, highest)  # all others may be masked
                with np.errstate(divide="ignore"):
                    rest = finite + np.log(np.exp(others - finite).sum(axis=0))
                return np.asarray(values[column] - rest)
        clip = self.checked.clip
        p = np.clip(self.proba_by_class[column], clip, 1.0 - clip)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p) - np.log1p(-p))

    def ranking(self, column: int) -> FloatArray:
        """Scores by which rows are ranked for one class.

        Parameters
        ----------
        column : int
            Column of the class, from 0 to k - 1.

        Returns
        -------
        ndarray of shape (n,)
            Probabilities of the class, log-probabilities or differences of raw scores, or
            decision scores. Higher values mean that the class is more likely.
        """
        # Raw scores have no ties that come from the rounding of probabilities.
        kind, _, _, values = self._rows
        if kind == "proba":
            return np.asarray(values[column])
        if self.n_classes == 2:
            with np.errstate(over="ignore"):
                scores = values[column] - values[1 - column]
        else:
            scores = self._log_softmax[0][column] if kind == "logits" else values[column]
        limit = np.finfo(np.float64).max  # curves of scikit-learn need finite scores
        return np.asarray(np.clip(scores, -limit, limit))

    def roc(self, column: int) -> tuple[FloatArray, FloatArray]:
        """ROC curve of one class against the rest.

        Parameters
        ----------
        column : int
            Column of the class, from 0 to k - 1.

        Returns
        -------
        false_rate, true_rate : ndarray
            False positive rate and true positive rate at each threshold, from the highest
            score to the lowest. Both increase from 0 to 1.
        """
        if column not in self._curves:
            self._curves[column] = roc(self.index == column, self.ranking(column), self.weight)
        return self._curves[column]


def roc(
    positive: NDArray[np.bool_], scores: FloatArray, weight: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """False and true positive rates, each from 0 to 1, from the highest score to the lowest."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(
        positive, scores, sample_weight=weight, drop_intermediate=False
    )
    return false_rate, true_rate


def _predicted(block: Block) -> tuple[str, FloatArray]:
    """Kind of the predictions of a block, and the predictions, of shape (k, n)."""
    kind = "proba" if block.proba is not None else "logits" if block.logits is not None else "score"
    values = next(v for v in (block.proba, block.logits, block.decision) if v is not None)
    if values.ndim == 2:
        return kind, np.asarray(values.T, dtype=np.float64)
    second = values.astype(np.float64)
    return kind, np.stack([1.0 - second if kind == "proba" else np.zeros_like(second), second])


def _to_prior(prior: object, classes: tuple[Any, ...]) -> FloatArray:
    if type(prior).__name__ == "Series" and hasattr(prior, "to_dict"):
        prior = prior.to_dict()  # a pandas Series is matched by its index, not by position
    if isinstance(prior, Mapping):
        unknown_labels = [label for label in prior if label not in classes]
        if unknown_labels:
            raise InputError(
                f"prior must have labels among the classes {list(classes)}; got {unknown_labels}"
            )
        prior = [prior.get(label, 0.0) for label in classes]
    numbers = to_numbers(prior, "prior")
    proportions = numbers.astype(np.float64)
    if proportions.shape != (len(classes),):
        raise InputError(
            f"prior must have a number for each of {len(classes)} classes; its shape is "
            f"{proportions.shape}"
        )
    tolerance = row_sum_tolerance(precision(prior, numbers))
    tolerance = max(tolerance, less_precise_tolerance(numbers[np.newaxis]))
    if not (proportions.min() >= 0.0 and abs(proportions.sum() - 1.0) <= tolerance):
        raise InputError(
            f"prior must have numbers of at least 0 that sum to 1; got {proportions.tolist()}"
        )
    return proportions
