"""`Block`: targets and predictions of some rows, with the quantities that losses share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import (
    LOWEST_LOG,
    FloatArray,
    IntArray,
    flat_view,
    log_softmax,
    positive_part,
    row_positions,
    running_sums,
    scores_by_class,
    softplus,
    sums_of_others,
)

if sys.version_info >= (3, 12):
    from functools import cached_property
else:
    Value = TypeVar("Value")

    class cached_property(Generic[Value]):  # noqa: N801
        """`functools.cached_property` without its lock, which cost 3 to 5% before Python 3.12."""

        def __init__(self, compute: Callable[[Any], Value]) -> None:
            self.compute, self.name = compute, compute.__name__
            self.__doc__ = compute.__doc__

        def __get__(self, instance: Any, owner: type) -> Value:
            value = instance.__dict__[self.name] = self.compute(instance)
            return value


class Block:
    """Checked targets and predictions of some rows, and the quantities that losses share.

    The shared quantities are cached properties, so that twenty losses compute a logarithm once.
    They must not be modified in place. Matrices whose names end in ``_by_class`` have shape (k, n),
    one contiguous row per class, because NumPy reduces over the first axis several times faster
    than over a short last axis. "True class" means the class of the target.

    Parameters
    ----------
    n_classes : int
        Number of classes ``k``, at least 2.
    index : ndarray of shape (n,), default=None
        Column number of the true class of each row, from 0 to ``k - 1``.
    soft : ndarray of shape (n, k), default=None
        Target distribution of each row. A block has either `index` or `soft`; a block of a loss
        without targets has neither.
    proba : ndarray of shape (n,) or (n, k), default=None
        Predicted probabilities. Shape (n,) holds the probability of the second of two classes.
    logits : ndarray of shape (n,) or (n, k), default=None
        Raw scores whose softmax gives the probabilities, instead of `proba`. Shape (n,) holds the
        score of the second of two classes; the score of the first is 0.
    decision : ndarray of shape (n,) or (n, k), default=None
        Decision scores, for margins. Shape (n,) is as for `logits`.
    clip : float
        Lower limit of the probabilities inside logarithms; 0 for none. It applies to `proba`;
        raw scores are never clipped.

    Examples
    --------
    >>> import numpy as np
    >>> block = Block(n_classes=2, index=np.array([0, 1]), proba=np.array([0.25, 0.5]))
    >>> block.true_miss
    array([0.25, 0.5 ])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        index: IntArray | None = None,
        soft: FloatArray | None = None,
        proba: NDArray[np.floating] | None = None,
        logits: NDArray[np.floating] | None = None,
        decision: NDArray[np.floating] | None = None,
        clip: float = 0.0,
    ) -> None:
        self.n_classes = n_classes
        self.index = index
        self.soft = soft
        self.proba = proba
        self.logits = logits
        self.decision = decision
        self.clip = clip

    @cached_property
    def n_rows(self) -> int:
        """Number of rows."""
        for array in (self.proba, self.logits, self.decision):
            if array is not None:
                return len(array)
        raise AssertionError("a block has predictions")

    @cached_property
    def rows(self) -> IntArray:
        """Row numbers within the block, (n,), read-only."""
        return row_positions(self.n_rows, 1)

    @cached_property
    def _true(self) -> IntArray:
        """Position of the true class of each row in a flattened (k, n) matrix."""
        assert self.index is not None
        place = self.index * self.n_rows
        place += self.rows
        return place

    @cached_property
    def _true_by_row(self) -> IntArray:
        """Position of the true class of each row in a flattened (n, k) matrix."""
        assert self.index is not None
        return row_positions(self.n_rows, self.n_classes) + self.index

    def of_true(self, by_class: FloatArray) -> FloatArray:
        """Select the value of the true class of each row.

        Parameters
        ----------
        by_class : ndarray of shape (k, n)
            A value for each class and row, C-contiguous.

        Returns
        -------
        ndarray of shape (n,)
            A new array. The block must have `index`.
        """
        # Several times faster than by_class[index, rows].
        return by_class.reshape(-1).take(self._true)

    def put_true(self, by_class: FloatArray, values: FloatArray | float) -> FloatArray:
        """Set the value of the true class of each row.

        Parameters
        ----------
        by_class : ndarray of shape (k, n)
            C-contiguous array, which is modified.
        values : ndarray of shape (n,) or float
            New values of the true classes. The block must have `index`.

        Returns
        -------
        ndarray of shape (k, n)
            `by_class`.
        """
        by_class.reshape(-1)[self._true] = values
        return by_class

    # -- targets ---------------------------------------------------------------------------

    @cached_property
    def target_by_class(self) -> FloatArray:
        """Target distribution, (k, n)."""
        if self.soft is not None:
            return np.ascontiguousarray(self.soft.T)
        target = np.zeros((self.n_classes, self.n_rows))
        target.reshape(-1)[self._true] = 1.0
        return target

    def expected(self, by_class: FloatArray) -> FloatArray:
        """Expectation under the target of a value for each class.

        Parameters
        ----------
        by_class : ndarray of shape (k, n)
            A value for each class and row.

        Returns
        -------
        ndarray of shape (n,)
            The value of the true class, or its mean under a target distribution, where classes
            of target 0 add 0 even if their value is infinite.
        """
        if self.index is not None:
            return self.of_true(by_class)
        target = self.target_by_class
        with np.errstate(invalid="ignore"):
            value: FloatArray = np.einsum("ji,ji->i", target, by_class)
        if not np.isfinite(value).all():  # perhaps 0 times infinity, which is checked more slowly
            product = np.multiply(target, by_class, where=target > 0, out=np.zeros_like(target))
            value = product.sum(axis=0)
        return value

    @cached_property
    def log_target_by_class(self) -> FloatArray:
        """Logarithms of the targets, 0 for a target of 0, (k, n)."""
        target = self.target_by_class
        return np.log(np.where(target > 0, target, 1.0))

    # -- probabilities ---------------------------------------------------------------------

    @cached_property
    def _against_true(self) -> tuple[FloatArray, FloatArray] | None:
        """``exp(z_j - z_y)`` for the wrong classes (0 for the true one), and their sum."""
        # With the true class as reference, the cross-entropy is log1p(sum): there is no maximum to
        # compute, and small losses keep full accuracy. None if the exponential would overflow.
        assert self.logits is not None
        assert self.index is not None
        # Share the exponentials with the margins if these are of the same scores.
        shared = self.decision is self.logits
        negative_margins = (
            self.negative_margins if shared else self._negative_margins_of(self.logits)
        )
        if negative_margins.max() > 700.0:
            return None
        odds = self.margin_odds if shared else self._odds_of(negative_margins)
        return odds, odds.sum(axis=0)

    def _odds_of(self, negative_margins: FloatArray) -> FloatArray:
        """Exponential of negative margins, 0 for the true class, in place."""
        # exp takes three times as long if there are values whose exponential is 0.
        odds = self.put_true(negative_margins, 0.0)
        return self.put_true(np.exp(odds, out=odds), 0.0)

    def _negative_margins_of(self, scores: NDArray[np.floating]) -> FloatArray:
        if scores.ndim == 1:
            scores = scores_by_class(scores).T
        true = self._gathered(scores)
        with np.errstate(over="ignore", invalid="ignore"):
            negative_margins = np.empty(scores.shape[::-1])
            np.subtract(scores.T, true, out=negative_margins)
        if true.min() == -np.inf:  # -inf minus -inf: a masked wrong class
            negative_margins[np.isnan(negative_margins)] = -np.inf
        negative_margins.reshape(-1)[self._true] = -np.inf
        return negative_margins

    @cached_property
    def _odds_by_row(self) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """``exp(z_j)`` for the wrong classes (0 for the true one), ``exp(z_y)``, and wrong sum."""
        # No transpose and no subtraction first: the cross-entropy is log1p(sum / exp(z_y)).
        # None if a number leaves the range in which this is exact to rounding.
        assert self.logits is not None
        if self.logits.ndim == 1 or not self.logits.flags.c_contiguous:
            return None
        with np.errstate(over="ignore", under="ignore"):
            odds = np.exp(self.logits, dtype=np.float64)
        flat = odds.reshape(-1)
        true = flat.take(self._true_by_row)
        flat[self._true_by_row] = 0.0
        with np.errstate(over="ignore"):
            wrong = odds @ np.ones(self.n_classes)
        exact = true.min() > 1e-150 and true.max() < 1e150
        exact = exact and wrong.min() > 1e-290 and wrong.max() < 1e150
        return (odds, true, wrong) if exact else None

    @cached_property
    def _softmax(self) -> tuple[FloatArray, FloatArray]:
        assert self.logits is not None
        return log_softmax(scores_by_class(self.logits))

    @cached_property
    def proba_by_class(self) -> FloatArray:
        """Predicted probabilities, (k, n)."""
        if self.proba is None:
            return self._softmax[1] if self.index is None else self._softmax_of_true()
        if self.proba.ndim == 2:
            return np.ascontiguousarray(self.proba.T, dtype=np.float64)
        both = np.empty((2, self.n_rows))
        both[1] = self.proba
        np.subtract(1.0, both[1], out=both[0])
        return both

    def _softmax_of_true(self) -> FloatArray:
        if self._odds_by_row is not None:
            by_row, true, wrong = self._odds_by_row
            scale = 1.0 / (true + wrong)
            proba = np.multiply(by_row.T, scale, order="C")
            true_proba = true * scale
        elif self._against_true is not None:
            odds, total = self._against_true
            true_proba = 1.0 / (1.0 + total)
            proba = odds * true_proba
        else:
            return self._softmax[1]
        proba.reshape(-1)[self._true] = true_proba
        return proba

    @cached_property
    def true_proba(self) -> FloatArray:
        """Predicted probability of the true class, (n,); needs `index`."""
        assert self.index is not None
        if self.proba is None:
            return self.of_true(self.proba_by_class)
        if self.proba.ndim == 2:
            return self._gathered(self.proba)
        # |p - (1 - y)| is p for the second class and 1 - p for the first, without np.where.
        proba = self.index.astype(np.float64)
        np.subtract(1.0, proba, out=proba)
        proba -= self.proba
        return np.abs(proba, out=proba)

    def _gathered(self, matrix: NDArray[np.floating]) -> FloatArray:
        """Value of the true class, (n, k) -> (n,), as float64."""
        assert self.index is not None
        if matrix.flags.c_contiguous:
            value = matrix.reshape(-1).take(self._true_by_row)
        elif (flat := flat_view(matrix)) is not None:
            rows, columns = (stride // matrix.itemsize for stride in matrix.strides)
            place = self.index * columns
            place += row_positions(self.n_rows, rows)
            value = flat.take(place)
        else:
            value = matrix[self.rows, self.index]
        return value.astype(np.float64, copy=False)

    @cached_property
    def log_proba_by_class(self) -> FloatArray:
        """Logarithms of the (clipped) probabilities, (k, n)."""
        if self.logits is not None:
            if self.index is None:
                return self._softmax[0]
            if self._odds_by_row is None and self._against_true is None:
                return self._softmax[0]
            scores = scores_by_class(self.logits)
            scores -= self.of_true(scores)
            scores -= self.cross_entropy  # separately: z_y + CE would lose digits of CE
            return np.minimum(scores, 0.0, out=scores)
        return self.clipped_log(self.proba_by_class)

    @cached_property
    def unclipped_log_by_class(self) -> FloatArray:
        """Logarithms of the probabilities without `clip`, (k, n), for functions finite at 0."""
        if self.proba is None or self.proba_by_class.min() >= self.clip:
            return self.log_proba_by_class
        with np.errstate(divide="ignore"):
            return np.log(self.proba_by_class)

    @cached_property
    def unclipped_true_log(self) -> FloatArray:
        """Logarithm of the probability of the true class without `clip`, (n,); needs `index`."""
        if self.clipped_rows == 0:
            return np.negative(self.cross_entropy)
        with np.errstate(divide="ignore"):
            return np.log(self.true_proba)

    @cached_property
    def cross_entropy(self) -> FloatArray:
        """``-sum_j t_j log p_j``, (n,)."""
        if self.index is None:
            return 0.0 - self.expected(self.log_proba_by_class)
        if self.logits is None:
            logarithm = self.clipped_log(self.true_proba)
            return np.subtract(0.0, logarithm, out=logarithm)  # 0.0 - 0.0 is 0.0, not -0.0
        if self.logits.ndim == 1:
            return softplus(self._score_of_wrong(self.logits))
        if self._odds_by_row is not None:
            _, true, wrong = self._odds_by_row
            ratio = wrong / true
            return np.log1p(ratio, out=ratio)
        if self._against_true is not None:
            return np.log1p(self._against_true[1])
        return 0.0 - self.of_true(self.log_proba_by_class)

    def _score_of_wrong(self, scores: NDArray[np.floating]) -> FloatArray:
        """Score of the wrong class, the true one at 0, from scores (n,) of the second class."""
        assert self.index is not None
        signed = self.index.astype(np.float64)
        signed *= -2.0
        signed += 1.0
        signed *= scores
        return signed

    @cached_property
    def clipped_rows(self) -> int:
        """Number of rows whose cross-entropy `clip` changes."""
        if self.proba is None or self.clip == 0.0:
            return 0
        if self.index is not None:
            return int(np.count_nonzero(self.true_proba < self.clip))
        clipped = (self.target_by_class > 0) & (self.proba_by_class < self.clip)
        return int(np.count_nonzero(clipped.any(axis=0)))

    def clipped_log(self, proba: FloatArray) -> FloatArray:
        """Logarithm of probabilities, with `clip` as lower limit.

        Parameters
        ----------
        proba : ndarray
            Probabilities of any shape.

        Returns
        -------
        ndarray
            A new array; -inf for 0 if `clip` is 0.
        """
        if self.clip > 0.0:
            if proba.min() >= self.clip:  # the minimum is faster than clipping
                return np.log(proba)
            logarithm = np.maximum(proba, self.clip)
            return np.log(logarithm, out=logarithm)
        with np.errstate(divide="ignore"):
            return np.log(proba)

    @cached_property
    def entropy(self) -> FloatArray:
        """Entropy of the predicted distribution, (n,), with ``0 log 0 = 0``."""
        logarithm = self.log_proba_by_class
        if self.proba is None or self.clip == 0.0:  # it may be -inf
            logarithm = np.maximum(logarithm, LOWEST_LOG)
        value: FloatArray = np.einsum("ji,ji->i", self.proba_by_class, logarithm)
        np.subtract(0.0, value, out=value)
        return positive_part(value)  # rounding may leave -1e-14

    @cached_property
    def residual_by_class(self) -> FloatArray:
        """Predicted minus target distribution, (k, n)."""
        if self.index is None:
            return self.proba_by_class - self.target_by_class
        return self.put_true(self.proba_by_class.copy(), -self.true_miss)

    @cached_property
    def _wrong(self) -> FloatArray:
        """Probability of the wrong one of two classes, from predictions ``(n,)``."""
        assert self.index is not None
        assert self.proba is not None
        wrong = self.index.astype(np.float64)
        wrong -= self.proba
        return np.abs(wrong, out=wrong)

    @property
    def _is_one_number(self) -> bool:
        return self.proba is not None and self.proba.ndim == 1

    @cached_property
    def squared_distance(self) -> FloatArray:
        """``sum_j (p_j - t_j)^2``, (n,)."""
        if self.index is not None and self._is_one_number:
            return 2.0 * np.square(self._wrong)
        value: FloatArray = np.einsum("ji,ji->i", self.residual_by_class, self.residual_by_class)
        return value

    @cached_property
    def wrong_sum(self) -> FloatArray:
        """Sum of the probabilities of the wrong classes, (n,); needs `index`."""
        if self._is_one_number:
            return self._wrong
        # The residuals of the wrong classes are their probabilities.
        value: FloatArray = np.ones(self.n_classes) @ self.residual_by_class
        value += self.true_miss
        return value

    @cached_property
    def absolute_distance(self) -> FloatArray:
        """``sum_j |p_j - t_j|``, (n,)."""
        if self.index is not None:
            return 2.0 * self._wrong if self._is_one_number else self.wrong_sum + self.true_miss
        value: FloatArray = np.abs(self.residual_by_class).sum(axis=0)
        return value

    @cached_property
    def squared_norm(self) -> FloatArray:
        """``sum_j p_j^2``, (n,)."""
        value: FloatArray = np.einsum("ji,ji->i", self.proba_by_class, self.proba_by_class)
        return value

    @cached_property
    def _power_sums(self) -> dict[float, FloatArray]:
        return {}

    def power_sum(self, exponent: float) -> FloatArray:
        """Sum of a power of the probabilities, computed once for each exponent.

        Parameters
        ----------
        exponent : float
            Exponent of at least 1.

        Returns
        -------
        ndarray of shape (n,)
            ``sum_j p_j^exponent``.
        """
        if exponent == 2.0:
            return self.squared_norm
        if exponent not in self._power_sums:
            proba = self.proba_by_class
            value: FloatArray
            if exponent == 3.0:
                value = np.einsum("ji,ji->i", np.square(proba), proba)
            elif exponent < 2.0:
                # A third of the time of proba**exponent, and the logarithm is shared. Its rounding
                # error grows with the exponent.
                powers = exponent * self.unclipped_log_by_class
                value = np.exp(powers, out=powers).sum(axis=0)
            else:
                value = (proba**exponent).sum(axis=0)
            self._power_sums[exponent] = value
        return self._power_sums[exponent]

    @cached_property
    def true_miss(self) -> FloatArray:
        """``1 - p`` of the true class, (n,), without cancellation from raw scores."""
        if self.proba is None:
            return -np.expm1(-self.cross_entropy)
        return 1.0 - self.true_proba

    @cached_property
    def miss_by_class(self) -> FloatArray:
        """``1 - p`` of each class, (k, n), without cancellation from raw scores."""
        if self.proba is not None:
            return 1.0 - self.proba_by_class
        return sums_of_others(self.proba_by_class)

    def crossentropy_gradient(self) -> FloatArray:
        """Gradient of the cross-entropy in raw scores.

        Returns
        -------
        ndarray of shape (k, n)
            ``p - t`` of each class, a new array.
        """
        if self.logits is None or self.index is None:
            return self._residual_of_sure()
        proba = self._plain_softmax(self.logits)
        return self.put_true(proba, -self.of_true(sums_of_others(proba)))

    def crossentropy_derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Gradient and diagonal of the hessian of the cross-entropy in raw scores.

        Returns
        -------
        gradient, hessian : ndarray of shape (k, n)
            ``p - t`` and ``p (1 - p)`` of each class, new arrays.
        """
        if self.logits is None or self.index is None:
            return self._residual_of_sure(), self.proba_by_class * self.miss_by_class
        proba = self._plain_softmax(self.logits)
        others = sums_of_others(proba)
        hessian = proba * others
        return self.put_true(proba, -self.of_true(others)), hessian

    def _residual_of_sure(self) -> FloatArray:
        """`residual_by_class` as a new array, without cancellation where a target is 1."""
        if self.index is None and (sure := self.target_by_class == 1.0).any():
            return np.where(sure, -self.miss_by_class, self.residual_by_class)
        return self.residual_by_class.copy()

    @staticmethod
    def _plain_softmax(scores: NDArray[np.floating]) -> FloatArray:
        """Probabilities in a new array: the fast path of training, which needs no logarithms."""
        proba = scores_by_class(scores)
        proba -= proba.max(axis=0)
        np.exp(proba, out=proba)
        proba *= 1.0 / proba.sum(axis=0)
        return proba

    @cached_property
    def cumulative(self) -> tuple[FloatArray, FloatArray]:
        """``P(class <= m)`` of predictions and of targets, each (k - 1, n), for ordered classes."""
        predicted = running_sums(self.proba_by_class[:-1])
        if self.index is None:
            return predicted, running_sums(self.target_by_class[:-1])
        grades = np.arange(self.n_classes - 1)[:, np.newaxis]
        return predicted, (self.index <= grades).astype(np.float64)

    @cached_property
    def ranked_score(self) -> FloatArray:
        """Sum of the squared differences of the two arrays of `cumulative`, (n,)."""
        gap = running_sums(self.residual_by_class[:-1])
        value: FloatArray = np.einsum("ji,ji->i", gap, gap)
        return value

    # -- decisions -------------------------------------------------------------------------

    @cached_property
    def _ranking(self) -> FloatArray:
        """Probabilities or scores, (k, n), whose largest value gives the predicted class."""
        if self.proba is not None:
            return self.proba_by_class
        raw = self.logits if self.logits is not None else self.decision
        assert raw is not None
        return scores_by_class(raw)

    @cached_property
    def predicted(self) -> IntArray:
        """Column of the most probable class, (n,); the first one in a tie."""
        value: IntArray = self._ranking.argmax(axis=0)
        return value

    @cached_property
    def misclassified(self) -> NDArray[np.bool_]:
        """Whether the predicted class is not the true class, (n,)."""
        true: FloatArray | float
        if self._is_one_number:
            wrong, true = self._wrong, self.true_proba
        elif self.proba is not None:
            wrong, true = self.residual_by_class.max(axis=0), self.true_proba
        elif self.decision is not None and (self.logits is None or self.logits is self.decision):
            wrong, true = self.largest_negative_margin, 0.0
        else:
            return np.asarray(self.predicted != self.index)
        if (wrong == true).any():  # ties need the order of the classes
            return np.asarray(self.predicted != self.index)
        value: NDArray[np.bool_] = wrong > true
        return value

    @cached_property
    def negative_margins(self) -> FloatArray:
        """Score of each class minus the score of the true class (there -inf), (k, n)."""
        assert self.decision is not None
        return self._negative_margins_of(self.decision)

    @cached_property
    def _hinge_sums(self) -> dict[float, FloatArray]:
        return {}

    @cached_property
    def margin_odds(self) -> FloatArray:
        """Exponential of `negative_margins`, 0 for the true class, (k, n); it may overflow."""
        with np.errstate(over="ignore"):
            return self._odds_of(self.negative_margins.copy())

    def hinge_sum(self, margin: float) -> FloatArray:
        """Sum of the hinge losses of all wrong classes, computed once for each margin.

        Parameters
        ----------
        margin : float
            Margin of the hinge losses.

        Returns
        -------
        ndarray of shape (n,)
            ``sum_{j != y} max(0, margin + d_j - d_y)`` of the decision scores.
        """
        if margin not in self._hinge_sums:
            self._hinge_sums[margin] = positive_part(self.negative_margins + margin).sum(axis=0)
        return self._hinge_sums[margin]

    @cached_property
    def top_wrong_class(self) -> IntArray:
        """Column of the largest score of a wrong class, (n,); the first one in a tie."""
        assert self.index is not None
        value: IntArray = 1 - self.index
        return value if self.n_classes == 2 else self.negative_margins.argmax(axis=0)

    @cached_property
    def largest_negative_margin(self) -> FloatArray:
        """Largest score of a wrong class minus the score of the true class, (n,)."""
        assert self.decision is not None
        assert self.index is not None
        if self.decision.ndim == 1:
            return self._score_of_wrong(self.decision)
        value: FloatArray = self.negative_margins.max(axis=0)
        return value
