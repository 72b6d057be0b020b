"""What a classifier predicts, from the raw scores of whatever model it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from xentexp.derivatives import CheckedLoss
from xentexp.errors import InputError
from xentexp.estimators.probabilities import ScoreLink
from xentexp.losses import Loss
from xentexp.numerics import FloatArray
from xentexp.objectives import find_loss


def _has_probabilities(self: ScorePredictor) -> bool:
    if hasattr(self, "link_"):
        return bool(self.link_.has_proba())
    try:
        return ScoreLink(find_loss(self.loss, self.loss_params), 2).has_proba()
    except InputError:  # which fit will tell
        return False


class ScorePredictor(ClassifierMixin):  # type: ignore[misc]
    """A classifier that was trained on a loss, and gives raw scores.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels.
    link_ : ScoreLink
        From raw scores to probabilities, as it was at the fit; `correct_probabilities` may be
        changed afterwards, which costs no fit.
    """

    loss: str | Loss | CheckedLoss
    loss_params: Mapping[str, object] | None
    correct_probabilities: bool
    classes_: NDArray[Any]
    link_: ScoreLink

    @abstractmethod
    def _scores(self, X: Any) -> FloatArray:
        """Raw scores of checked rows, (n_scores, n)."""

    def _reading(self) -> ScoreLink:
        return self.link_.corrected(self.correct_probabilities)

    def decision_function(self, X: Any) -> FloatArray:
        """Raw scores.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            ``(n,)`` for two classes, that of the second, and for losses of a latent score.
        """
        scores = self._scores(X)
        return scores[0] if len(scores) == 1 else np.ascontiguousarray(scores.T)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> FloatArray:
        """Class probabilities, by the link of the loss.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n, k)
            In the order of `classes_`.
        """
        scores = self._scores(X)
        return self._reading().proba(scores)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> FloatArray:
        """Logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n, k)
            In the order of `classes_`; -inf for a probability of 0.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class; that of the largest score where there are no probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        scores = self._scores(X)
        if self.link_.has_proba():
            chosen = self._reading().proba(scores).argmax(axis=1)
        elif len(scores) == 1:
            chosen = (scores[0] > 0.0).astype(np.intp)
        else:
            chosen = scores.argmax(axis=0)
        labels: NDArray[Any] = self.classes_[chosen]
        return labels
