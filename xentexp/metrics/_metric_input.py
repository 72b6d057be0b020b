"""All rows of checked input, and what metrics of the whole data set share, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.block import Block
from xentexp._inputs.checked import CheckedInput
from xentexp._numerics import FloatArray, IntArray, log_softmax
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.metrics._running_sums import LossState, sum_losses


class MetricInput:
    """Targets and predictions of all rows.

    Matrices that end in ``_by_class`` have one row per class, as those of a block.

    Parameters
    ----------
    checked : CheckedInput
        Targets and predictions; rows that are ignored are left out.
    prior : mapping or array-like of shape (k,), optional
        Class shares of a null model, e.g. those of the training rows.
    state : LossState, optional
        Sums of losses that were computed on the same input already.

    Raises
    ------
    InputError
        For a `prior` that is no distribution over the classes.
    """

    def __init__(
        self, checked: CheckedInput, *, prior: object = None, state: LossState | None = None
    ) -> None:
        self.checked = checked
        self.prior = None if prior is None else _to_prior(prior, checked.classes)
        self._states = [] if state is None else [state]
        self._curves: dict[int, tuple[FloatArray, FloatArray]] = {}

    @property
    def classes(self) -> tuple[Any, ...]:
        """Classes, in the order of the columns."""
        return self.checked.classes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.checked.n_classes

    # -- losses ----------------------------------------------------------------------------

    def loss(self, loss: Loss) -> tuple[float, FloatArray, FloatArray]:
        """Mean of a loss, its mean over each true class, and the weight of each class.

        Parameters
        ----------
        loss : Loss
            One that applies.

        Returns
        -------
        mean : float
            Over all rows.
        class_mean, class_weight_sum : ndarray of shape (k,)
            By true class; the mean is NaN where the weight is 0.
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

    # -- rows ------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> tuple[str, IntArray, FloatArray | None, FloatArray]:
        """Kind of the predictions, true classes, weights, and predictions (k, n)."""
        index, weight, values = [], [], []
        for part in self.checked.parts():
            block = part.unsmoothed  # these metrics are of labels as they are
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
        """Column of the true class of each row."""
        return self._rows[1]

    @property
    def weight(self) -> FloatArray | None:
        """Weight of each row; None where all count the same."""
        return self._rows[2]

    @cached_property
    def class_weight_sum(self) -> FloatArray:
        """Weight of each true class, (k,)."""
        counted = np.bincount(self.index, weights=self.weight, minlength=self.n_classes)
        return counted.astype(np.float64)

    @cached_property
    def _log_softmax(self) -> tuple[FloatArray, FloatArray]:
        return log_softmax(self._rows[3])

    @cached_property
    def proba_by_class(self) -> FloatArray:
        """Predicted probabilities, (k, n)."""
        return self._rows[3] if self._rows[0] == "proba" else self._log_softmax[1]

    @cached_property
    def predicted(self) -> IntArray:
        """Column of the most probable class of each row, or of the largest score."""
        return np.asarray(self._rows[3].argmax(axis=0))

    def log_odds(self, column: int) -> FloatArray:
        """``log p - log(1 - p)`` of a class, of the clipped probabilities.

        Parameters
        ----------
        column : int
            Of the class.

        Returns
        -------
        ndarray of shape (n,)
            Infinite only where the clip is 0.
        """
        kind, _, _, values = self._rows
        if kind == "logits":
            if self.n_classes == 2:
                return np.asarray(values[column] - values[1 - column])
            others = np.delete(values, column, axis=0)
            highest = others.max(axis=0)
            rest = highest + np.log(np.exp(others - highest).sum(axis=0))
            return np.asarray(values[column] - rest)
        clip = self.checked.clip
        p = np.clip(self.proba_by_class[column], clip, 1.0 - clip)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p) - np.log1p(-p))

    def ranking(self, column: int) -> FloatArray:
        """What a class is ranked by: its probability, or its score where there is none.

        Raw scores rank without the ties that their rounded probabilities would have.

        Parameters
        ----------
        column : int
            Of the class.

        Returns
        -------
        ndarray of shape (n,)
            Higher is more of the class.
        """
        kind, _, _, values = self._rows
        if kind == "proba":
            return np.asarray(values[column])
        if self.n_classes == 2:
            return np.asarray(values[column] - values[1 - column])
        return np.asarray(self._log_softmax[0][column] if kind == "logits" else values[column])

    def roc(self, column: int) -> tuple[FloatArray, FloatArray]:
        """False and true positive rates of a class against the rest, at every score.

        Parameters
        ----------
        column : int
            Of the class.

        Returns
        -------
        false_rate, true_rate : ndarray
            See `roc`.
        """
        if column not in self._curves:
            self._curves[column] = roc(self.index == column, self.ranking(column), self.weight)
        return self._curves[column]


def roc(
    positive: NDArray[np.bool_], scores: FloatArray, weight: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """ROC curve by scikit-learn: false and true positive rates, from the highest score down."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(
        positive, scores, sample_weight=weight, drop_intermediate=False
    )
    return false_rate, true_rate


def _predicted(block: Block) -> tuple[str, FloatArray]:
    """Kind of a block's predictions, and they as (k, n)."""
    kind = "proba" if block.proba is not None else "logits" if block.logits is not None else "score"
    values = next(v for v in (block.proba, block.logits, block.decision) if v is not None)
    if values.ndim == 2:
        return kind, np.asarray(values.T, dtype=np.float64)
    second = values.astype(np.float64)
    return kind, np.stack([1.0 - second if kind == "proba" else np.zeros_like(second), second])


def _to_prior(prior: object, classes: tuple[Any, ...]) -> FloatArray:
    if type(prior).__name__ == "Series" and hasattr(prior, "to_dict"):
        prior = prior.to_dict()  # of pandas: by its index, whatever the order
    if isinstance(prior, Mapping):
        strange = [label for label in prior if label not in classes]
        if strange:
            raise InputError(f"prior names {strange}, not among the classes {list(classes)}")
        prior = [prior.get(label, 0.0) for label in classes]
    try:
        shares = np.asarray(prior, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"prior must hold numbers, one for each class; got {prior!r}") from None
    if shares.shape != (len(classes),):
        raise InputError(
            f"prior must have one share for each of {len(classes)} classes; its shape is "
            f"{shares.shape}"
        )
    if not (shares.min() >= 0.0 and abs(shares.sum() - 1.0) <= 1e-8):
        raise InputError(f"prior must be shares that sum to 1; got {shares.tolist()}")
    return shares
