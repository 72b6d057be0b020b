"""All that xentexp uses of the private interface of scikit-learn's scorers.

Searches forward sample weights to a scorer in a dictionary, share predictions among the scorers of
a dictionary, and tune thresholds only if a scorer derives from `_BaseScorer` and has its private
attributes. `tests/scorers/test_sklearn_tools.py` fails if a version changes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer
from sklearn.utils.metadata_routing import UNCHANGED

from xentexp._numerics import Array
from xentexp.metrics._base import Metric

Predict = Callable[[Any, str, Any], Any]
"""Predictions of an estimator, the name of its method, and X."""


def call_method(estimator: Any, method: str, X: Any) -> Any:
    """Predictions that are not shared with other scorers."""
    return getattr(estimator, method)(X)


class SklearnScorer(BaseEstimator, _BaseScorer):  # type: ignore[misc]  # scikit-learn has no types
    """Base class of a scorer that the tools of scikit-learn treat as one of their own."""

    # `_kwargs` are the arguments that a scorer adds to those of `_score_func`.
    _kwargs: dict[str, Any] = {}  # noqa: RUF012

    def _metric(self) -> Metric:
        """The loss or metric."""
        raise NotImplementedError

    def _value_of_classes(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Value of the metric for predicted classes."""
        raise NotImplementedError

    def _score_with(
        self, predict: Predict, estimator: Any, X: Any, y: Any, sample_weight: Any
    ) -> float:
        """Score of an estimator, with predictions from `predict`."""
        raise NotImplementedError

    @property
    def __name__(self) -> str:
        """Name of the score, for the axis of a display."""
        metric = self._metric()
        return metric.name if self._sign > 0 else f"neg_{metric.name}"

    @property
    def _score_func(self) -> Callable[..., float]:
        return self._value_of_classes

    @property
    def _sign(self) -> int:
        return 1 if self._metric().higher_is_better else -1

    @property
    def _response_method(self) -> tuple[str, ...]:
        # With "predict" scikit-learn raises no error of its own if the estimator lacks the others.
        method = {"predict_proba": ("predict_proba",), "either": _BOTH}
        return (*method.get(self._metric().response, ("decision_function",)), "predict")

    def _score(
        self, method_caller: Any, estimator: Any, X: Any, y: Any, sample_weight: Any = None
    ) -> float:
        """Score in a dictionary of scorers."""
        caller = sys._getframe(1).f_locals.get("self")
        predict = call_method
        if isinstance(caller, _MultimetricScorer):
            predict = partial(_shared, caller, method_caller)
        return self._score_with(predict, estimator, X, y, sample_weight)

    def _get_metadata_request(self) -> Any:
        # That of BaseEstimator, which reads the signature of `score`.
        return super(_BaseScorer, self)._get_metadata_request()

    def set_score_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Any:
        """Set whether a tool of scikit-learn passes `sample_weight` to the scorer.

        Only if metadata routing is enabled: ``sklearn.set_config(enable_metadata_routing=True)``.

        Parameters
        ----------
        sample_weight : bool, str or None
            True: the weights are passed. False: they are not. None: the tool raises an error if
            it gets weights. str: the name under which the tool gets them.

        Returns
        -------
        object
            The scorer itself.
        """
        return super().set_score_request(sample_weight=sample_weight)


_BOTH = ("predict_proba", "decision_function")


def _shared(
    scorers: _MultimetricScorer, method_caller: Any, estimator: Any, method: str, X: Any
) -> Any:
    """Predictions that the scorers of a dictionary share, with all columns."""
    classes = np.asarray(estimator.classes_)
    known = hasattr(estimator, "__sklearn_tags__") and is_classifier(estimator)
    if not known or len(classes) < 2:
        return call_method(estimator, method, X)
    # scikit-learn keeps one prediction by name of the method. For two classes it is that of the
    # positive class of the first scorer, which may be the first class.
    of_last_class = all(
        scorer._get_pos_label() in (None, classes.tolist()[-1])
        for scorer in scorers._scorers.values()
        if isinstance(scorer, _BaseScorer) and method in np.atleast_1d(scorer._response_method)
    )
    predictions = method_caller(
        _Arrays(estimator), method if of_last_class else (method,), X, pos_label=None
    )
    if method == "predict_proba" and np.ndim(predictions) == 1:
        return _both_columns(predictions)
    return predictions


class _Arrays(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose predictions are NumPy arrays, as scikit-learn needs them."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.classes_ = np.asarray(estimator.classes_)

    def predict_proba(self, X: Any) -> Array:
        return np.asarray(self.estimator.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        return np.asarray(self.estimator.decision_function(X))


def _both_columns(second: Array) -> Array:
    """Probabilities of both classes, from the column of the second one."""
    # The column is a view of the prediction, whose first column may be more accurate than 1 - p.
    whole = second.base
    for table in () if whole is None else (whole, whole.T):
        if table.shape == (len(second), 2) and _is_same(table[:, 1], second):
            return np.asarray(table)
    return np.stack([1 - second, second], axis=1)


def _is_same(one: Array, other: Array) -> bool:
    """Whether two arrays are the same memory."""
    return bool(one.__array_interface__ == other.__array_interface__)
