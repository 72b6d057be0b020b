"""The inner folds of a search: what some settings are worth on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class InnerFolds:
    """Rows that a search may look at, split.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fit.
    X : array-like
        Rows.
    y : ndarray of shape (n,)
        Their labels.
    weight : ndarray of shape (n,) or None
        Their weights, in fits and scores.
    splits : tuple of (train, test)
        Numbers of rows.
    scorer : callable
        ``scorer(model, X, y, weight)``.
    sign : int
        1 where scores are the values, -1 where they are negative losses.
    """

    estimator: Any
    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None
    splits: tuple[tuple[Rows, Rows], ...]
    scorer: Callable[..., float]
    sign: int

    def values(self, settings: Mapping[str, Any]) -> list[float]:
        """Loss or metric of the settings on each fold."""
        return [self._value(train, test, settings) for train, test in self.splits]

    def _value(self, train: Rows, test: Rows, settings: Mapping[str, Any]) -> float:
        model = with_settings(self.estimator, settings)
        X_train, y_train = _safe_split(model, self.X, self.y, train)
        X_test, y_test = _safe_split(model, self.X, self.y, test, train)
        of_train = None if self.weight is None else self.weight[train]
        of_test = None if self.weight is None else self.weight[test]
        model.fit(X_train, y_train, **fit_weights(model, of_train))
        return self.sign * float(self.scorer(model, X_test, y_test, of_test))


def with_settings(estimator: Any, settings: Mapping[str, Any]) -> Any:
    """Copy of an estimator with other settings, of which estimators are copied too.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    settings : mapping
        By parameter.

    Returns
    -------
    estimator
        Unfitted.
    """
    copies = {name: clone(value, safe=False) for name, value in settings.items()}
    return clone(estimator).set_params(**copies)


def fit_weights(estimator: Any, weight: NDArray[Any] | None) -> dict[str, Any]:
    """Argument of `fit` for the weights: a pipeline's last step gets them.

    Parameters
    ----------
    estimator : estimator
        To be fitted.
    weight : ndarray of shape (n,) or None
        Of the rows.

    Returns
    -------
    dict
        Empty without weights.
    """
    if weight is None:
        return {}
    step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    return {f"{step}sample_weight": weight}
