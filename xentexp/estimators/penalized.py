"""What a linear model minimizes: the mean loss of its scores, and a penalty on its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from xentexp.numerics import FloatArray
from xentexp.objectives import Training
from xentexp.objectives.start import initial_scores

_HUGE = 1e100


def scores_of(X: Any, coef: FloatArray, intercept: FloatArray) -> FloatArray:
    """Raw scores of a linear model.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
        Rows.
    coef : ndarray of shape (m, n_features)
        Coefficients.
    intercept : ndarray of shape (m,)
        Constants.

    Returns
    -------
    ndarray of shape (m, n)
        New.

    Examples
    --------
    >>> import numpy as np
    >>> scores_of(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 10.0]]), np.array([0.5]))
    array([[21.5, 10.5]])
    """
    scores = (X @ coef[0])[np.newaxis] if len(coef) == 1 else np.ascontiguousarray((X @ coef.T).T)
    scores += intercept[:, np.newaxis]
    return np.asarray(scores)


def unpacked(
    point: FloatArray, n_features: int, fit_intercept: bool
) -> tuple[FloatArray, FloatArray]:
    """Coefficients and constants from a vector of both.

    Parameters
    ----------
    point : ndarray of shape (n_parameters,)
        Parameters, one score after the other, its constant last.
    n_features : int
        Number of columns.
    fit_intercept : bool
        Whether there are constants; they are 0 otherwise.

    Returns
    -------
    coef : ndarray of shape (m, n_features)
        Coefficients.
    intercept : ndarray of shape (m,)
        Constants.

    Examples
    --------
    >>> import numpy as np
    >>> unpacked(np.array([1.0, 2.0, 0.5]), 2, True)
    (array([[1., 2.]]), array([0.5]))
    """
    table = point.reshape(-1, n_features + fit_intercept)
    coef = np.ascontiguousarray(table[:, :n_features])
    return coef, table[:, n_features].copy() if fit_intercept else np.zeros(len(table))


class PenalizedLoss:
    """Mean loss plus ``||coef||^2 / (2 C W)``, ``W`` the sum of the weights, and its gradient.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
        Training rows.
    training : Training
        The loss on them.
    C : float
        Inverse strength of the penalty; ``inf`` for none.
    fit_intercept : bool
        Whether scores have constants, which are not penalized.
    """

    def __init__(self, X: Any, training: Training, C: float, fit_intercept: bool) -> None:
        self.X = X
        self.training = training
        self.fit_intercept = fit_intercept
        self.n_features = X.shape[1]
        self.n_parameters = training.n_scores * (self.n_features + fit_intercept)
        self._penalty = 1.0 / (C * training.total_weight)
        shape = (training.n_scores, training.n_rows)
        self._derivatives = (np.empty(shape), np.empty(shape))  # written anew at every point

    def __call__(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient.

        Parameters
        ----------
        point : ndarray of shape (n_parameters,)
            Parameters.

        Returns
        -------
        value : float
            At most 1e100.
        gradient : ndarray of shape (n_parameters,)
            A subgradient at a kink.
        """
        coef, intercept = unpacked(point, self.n_features, self.fit_intercept)
        scores = scores_of(self.X, coef, intercept)
        value = self.training.loss(scores) + 0.5 * self._penalty * float(np.vdot(coef, coef))
        if not value < _HUGE:  # a step too far: the line search comes back
            return _HUGE, np.zeros(self.n_parameters)
        slopes, _ = self.training.gradient_hessian(scores, out=self._derivatives)
        slopes /= self.training.total_weight
        by_coef = slopes @ self.X if isinstance(self.X, np.ndarray) else (self.X.T @ slopes.T).T
        return value, self.packed(by_coef + self._penalty * coef, slopes.sum(axis=1))

    def scores(self, point: FloatArray, X: Any) -> FloatArray:
        """Raw scores of other rows.

        Parameters
        ----------
        point : ndarray of shape (n_parameters,)
            Parameters.
        X : ndarray or sparse matrix of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (m, n)
            New.
        """
        return scores_of(X, *unpacked(point, self.n_features, self.fit_intercept))

    def packed(self, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """One vector of coefficients and constants.

        Parameters
        ----------
        coef : ndarray of shape (m, n_features)
            Coefficients.
        intercept : ndarray of shape (m,)
            Constants, left out where there are none.

        Returns
        -------
        ndarray of shape (n_parameters,)
            See `unpacked`.
        """
        if not self.fit_intercept:
            return coef.ravel()
        return np.column_stack([coef, intercept]).ravel()

    def prior(self) -> FloatArray:
        """Coefficients of 0, and the constants that suit the shares of the classes.

        Returns
        -------
        ndarray of shape (n_parameters,)
            A start.
        """
        constants = initial_scores(self.training)
        if len(constants) > 1:
            constants = constants - constants.mean()  # as they stay, the penalty being even
        return self.packed(np.zeros((len(constants), self.n_features)), constants)
