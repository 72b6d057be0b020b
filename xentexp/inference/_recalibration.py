"""Parametric recalibration maps of class probabilities, fitted by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xentexp._inputs.block import Block
from xentexp._numerics import FloatArray, IntArray, log_softmax
from xentexp.losses import LOSSES, Loss
from xentexp.losses._base import row_values

FAMILIES = ("logit_line", "temperature", "temperature_biases", "vector")
"""Names of the parametric families; all contain the identity."""

_LOG_LOSS = LOSSES["categorical_crossentropy"]
_RANK = 1e-13
"""Directions whose variance is a smaller part of their mean square are constant up to rounding."""
_TOLERANCE = 1e-9
_MOST_NUMBERS = 3_000_000
"""Rows times squared number of classes for the second derivatives of a loss."""


@dataclass(frozen=True)
class Rows:
    """Predictions, true classes and weights of rows with weight; arrays by class are (k, n)."""

    log_proba: FloatArray  # logarithms of the clipped probabilities
    index: IntArray
    weight: FloatArray  # sums to 1

    def __len__(self) -> int:
        return len(self.index)

    def only(self, chosen: IntArray) -> Rows:
        """Some of the rows."""
        weight = self.weight[chosen]
        return Rows(self.log_proba[:, chosen], self.index[chosen], weight / weight.sum())


@dataclass(frozen=True)
class Map:
    """``softmax(scales * log p + biases)`` with its parameters as ``origin + basis @ x``."""

    origin: FloatArray  # (2k,): scales and biases of the identity
    basis: FloatArray  # (2k, r): directions in which the family can move
    x: FloatArray  # (r,)
    converged: bool = True

    @property
    def scales(self) -> FloatArray:
        """Factor of the log-probability of each class."""
        return np.split(self.origin + self.basis @ self.x, 2)[0]

    @property
    def biases(self) -> FloatArray:
        """Number that is added for each class; 0 for the first class."""
        return np.split(self.origin + self.basis @ self.x, 2)[1]

    @property
    def df(self) -> int:
        """Number of parameters that these predictions can determine."""
        return len(self.x)

    def apply(self, log_proba: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Recalibrated log-probabilities and probabilities, (k, n)."""
        scores = self.scales[:, np.newaxis] * log_proba
        scores += self.biases[:, np.newaxis]
        return log_softmax(scores)

    def per_row(self, by_score: FloatArray, log_proba: FloatArray) -> FloatArray:
        """Derivatives in x of each row, (r, n), from derivatives in the scores, (k, n)."""
        return self.basis.T @ np.vstack([by_score * log_proba, by_score])


def identity(family: str, rows: Rows) -> Map:
    """The identity with the directions of a family, without those that do not change these rows."""
    k = len(rows.log_proba)
    zeros, biases = np.zeros((k, k - 1)), np.eye(k)[:, 1:]
    common, each = np.ones((k, 1)), np.eye(k)
    scales = each if family == "vector" else common
    directions = np.vstack([scales, np.zeros((k, scales.shape[1]))])
    if family != "temperature":
        directions = np.hstack([directions, np.vstack([zeros, biases])])
    start = Map(np.repeat([1.0, 0.0], k), directions, np.zeros(directions.shape[1]))
    # Probabilities halfway to uniform ones have information even if all predictions are 0 or 1.
    halfway = (np.exp(rows.log_proba) + 1.0 / k) / 2.0
    total, between = moments(start, rows, halfway / halfway.sum(axis=0))
    # Constant predictions do not tell a scale from biases: such directions are left out. The others
    # are scaled so that their information is the identity matrix.
    size = np.sqrt(np.diag(total))
    size[size == 0.0] = 1.0
    variances, vectors = np.linalg.eigh((total - between) / np.outer(size, size))
    kept = variances > _RANK
    basis = directions @ (vectors[:, kept] / np.sqrt(variances[kept]) / size[:, np.newaxis])
    return replace(start, basis=basis, x=np.zeros(int(kept.sum())))


def moments(at: Map, rows: Rows, proba: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Second moments in x of the derivatives of the scores, and those of their row means."""
    k, log_proba, weighted = len(proba), rows.log_proba, proba * rows.weight
    features = np.vstack([proba * log_proba, proba])
    between = (features * rows.weight) @ features.T
    total = np.zeros_like(between)
    scale, bias = np.arange(k), np.arange(k, 2 * k)
    product = weighted * log_proba
    total[scale, scale] = (product * log_proba).sum(axis=1)
    total[bias, bias] = weighted.sum(axis=1)
    total[scale, bias] = total[bias, scale] = product.sum(axis=1)
    return at.basis.T @ total @ at.basis, at.basis.T @ between @ at.basis


def information(at: Map, rows: Rows, proba: FloatArray) -> FloatArray:
    """Expected second derivative in x of the mean log loss, (r, r), under probabilities (k, n)."""
    total, between = moments(at, rows, proba)
    return total - between


def residual(proba: FloatArray, index: IntArray) -> FloatArray:
    """Derivative of the log loss in the scores: probability minus target, (k, n)."""
    out = proba.copy()
    out[index, np.arange(len(index))] -= 1.0
    return out


class _Likelihood:
    """Mean log loss of the recalibrated rows as a function of x, with two derivatives."""

    def __init__(self, start: Map, rows: Rows) -> None:
        self.start, self.rows = start, rows
        self._last: tuple[bytes, FloatArray, FloatArray] | None = None

    def _at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._last is None or self._last[0] != x.tobytes():
            self._last = (x.tobytes(), *replace(self.start, x=x).apply(self.rows.log_proba))
        return self._last[1:]

    def value(self, x: FloatArray) -> float:
        log_q, _ = self._at(x)
        log_true = log_q[self.rows.index, np.arange(len(self.rows))]
        return float(-(self.rows.weight * log_true).sum())

    def gradient(self, x: FloatArray) -> FloatArray:
        by_score = residual(self._at(x)[1], self.rows.index) * self.rows.weight
        full = np.concatenate([(by_score * self.rows.log_proba).sum(axis=1), by_score.sum(axis=1)])
        return np.asarray(self.start.basis.T @ full)

    def hessian(self, x: FloatArray) -> FloatArray:
        return information(self.start, self.rows, self._at(x)[1])


def fit_map(start: Map, rows: Rows) -> Map:
    """Map of maximum likelihood; the log loss is convex in x."""
    from scipy.optimize import minimize

    if not start.df:
        return start
    likelihood = _Likelihood(start, rows)
    found = minimize(
        likelihood.value,
        start.x,
        method="trust-exact",
        jac=likelihood.gradient,
        hess=likelihood.hessian,
        options={"gtol": _TOLERANCE, "maxiter": 200, "max_trust_radius": 1e6},
    )
    gradient = float(np.abs(found.jac).max())
    return replace(start, x=np.asarray(found.x), converged=gradient <= 1e-6)


def values(loss: Loss, proba: FloatArray, index: IntArray, clip: float) -> FloatArray:
    """Loss of each row for probabilities by class, (k, n)."""
    block = Block(n_classes=len(proba), index=index, proba=np.ascontiguousarray(proba.T), clip=clip)
    return row_values(loss, block)


def effective_df(
    loss: Loss, fitted: Map, rows: Rows, proba: FloatArray, own: FloatArray, seed: int
) -> float:
    """Twice the number of rows times the expected optimism of the in-sample gain of a loss."""
    # At the true map, a second-order expansion of the mean of a proper loss S gives
    # trace(H^-1 J) / (2n) with H and J the expected second derivatives of log loss and S in x.
    # J is also the covariance of the first derivatives of S and of the log loss, because the
    # expected derivative of S is 0 under every distribution of the family. For the log loss
    # J = H, and the trace is the number of parameters.
    log_loss = values(_LOG_LOSS, np.exp(rows.log_proba), rows.index, 0.0)
    if np.allclose(own, log_loss, rtol=1e-9, atol=1e-12):
        return float(fitted.df)
    k, n = proba.shape
    if n > (most := max(1_000, _MOST_NUMBERS // k**2)):  # its sampling error is a few percent
        chosen = np.random.default_rng(seed).choice(n, most, replace=False)
        rows, proba, n = rows.only(chosen), proba[:, chosen], most
    covariance = np.zeros((fitted.df, fitted.df))
    by_row, classes = np.ascontiguousarray(proba.T), list(range(k))
    for label in range(k):
        index = np.full(n, label, dtype=np.intp)
        slope = loss.gradient(index, by_row, from_logits=False, labels=classes).T
        by_score = proba * (slope - (proba * slope).sum(axis=0))
        of_loss = fitted.per_row(by_score, rows.log_proba)
        of_log = fitted.per_row(residual(proba, index), rows.log_proba)
        covariance += (of_loss * (rows.weight * proba[label])) @ of_log.T
    inverse = np.linalg.pinv(information(fitted, rows, proba), rcond=1e-10, hermitian=True)
    return float(np.trace(inverse @ covariance))


def group_sums(by_row: FloatArray, weight: FloatArray, codes: IntArray) -> FloatArray:
    """Weighted sum of each group, (G, r), of values by row, (r, n)."""
    return np.stack([np.bincount(codes, row * weight) for row in by_row], axis=1)


def clustered_size(fitted: Map, rows: Rows, proba: FloatArray, codes: IntArray) -> float:
    """Number of independent rows whose scores would vary as much as those of the groups."""
    by_row = fitted.per_row(residual(proba, rows.index), rows.log_proba)
    sums = group_sums(by_row, rows.weight, codes)
    n_groups = len(sums)
    variance = n_groups / (n_groups - 1.0) * sums.T @ sums
    inverse = np.linalg.pinv(information(fitted, rows, proba), rcond=1e-10, hermitian=True)
    trace = float(np.trace(inverse @ variance))
    return fitted.df / trace if trace > 0.0 else np.inf


def score_test(start: Map, rows: Rows, codes: IntArray) -> float:
    """P-value of the identity: robust score test with the sums of the groups."""
    from scipy.special import chdtrc

    _, proba = start.apply(rows.log_proba)
    by_row = start.per_row(residual(proba, rows.index), rows.log_proba)
    sums = group_sums(by_row, rows.weight, codes)
    squares = np.sqrt((sums**2).sum(axis=0))
    if not (squares > 0.0).all():
        return np.nan
    # The sums of squares are not centred: with few groups, this test rejects less often than
    # Hotelling's, which rejects too often.
    standard = sums / squares
    total = standard.sum(axis=0)
    statistic = float(total @ np.linalg.pinv(standard.T @ standard, hermitian=True) @ total)
    return float(chdtrc(start.df, statistic))


def cross_fitted(start: Map, rows: Rows, codes: IntArray | None, seed: int) -> FloatArray:
    """Recalibrated probabilities of each row, (k, n), by maps fitted on other rows or groups."""
    codes = np.arange(len(rows)) if codes is None else codes
    n_units = int(codes.max()) + 1
    n_folds = min(5, n_units)
    fold = np.random.default_rng(seed).permutation(n_units)[codes] % n_folds
    out = np.empty_like(rows.log_proba)
    for number in range(n_folds):
        test = np.flatnonzero(fold == number)
        fitted = fit_map(start, rows.only(np.flatnonzero(fold != number)))
        out[:, test] = fitted.apply(rows.log_proba[:, test])[1]
    return out
