"""Common base of the classifiers that are trained on a loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from xentexp._inputs.asarray import refuse_collection
from xentexp._inputs.labels import to_class_weight
from xentexp._inputs.options import check_bool, check_integer
from xentexp._inputs.read import ascending
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, plain_errors
from xentexp.estimators._history import History, PartLosses, recorded_losses
from xentexp.estimators._holdout import TrainingRows
from xentexp.estimators._link import ScoreLink
from xentexp.losses import Loss
from xentexp.objectives import TrainingObjective, get_training_loss


def _has_probabilities(self: ScorePredictor) -> bool:
    if hasattr(self, "link_"):
        link = self.link_
    else:
        try:
            link = ScoreLink(get_training_loss(self.loss, self.loss_params), 2)
        except InputError:  # fit raises this error
            return False
    if not link.has_proba():
        raise AttributeError(
            f"{type(self).__name__} has no predict_proba with loss={link.loss.name!r}, whose "
            f"scores do not determine probabilities; use decision_function"
        )
    return True


class ScorePredictor(ClassifierMixin):  # type: ignore[misc]
    """Classifier with raw scores, and probabilities if its loss determines them."""

    loss: str | Loss
    loss_params: Mapping[str, object] | None
    correct_probabilities: bool
    classes_: NDArray[Any]
    link_: ScoreLink

    @abstractmethod
    def _scores(self, X: Any) -> FloatArray:
        """Raw scores (n_scores, n); `X` is checked here."""

    def _probability_link(self) -> ScoreLink:
        # correct_probabilities may have changed since fit.
        check_bool("correct_probabilities", self.correct_probabilities)
        return self.link_.corrected(self.correct_probabilities)

    def decision_function(self, X: Any) -> FloatArray:
        """Predict raw scores (logits or decision scores, depending on the loss).

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, n_features)
            Rows with the columns of the training rows.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            For two classes the score of the second class, ``classes_[1]``. For more classes one
            column for each class in the order of `classes_`; for losses of one latent score a
            single score per row.
        """
        scores = self._scores(X)
        return scores[0] if len(scores) == 1 else np.ascontiguousarray(scores.T)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> FloatArray:
        """Predict class probabilities by the link of the loss.

        The method does not exist for losses whose scores do not determine probabilities, such as
        hinge losses. With ``correct_probabilities=True`` the probabilities are corrected, see the
        Notes of the class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, n_features)
            Rows with the columns of the training rows.

        Returns
        -------
        ndarray of shape (n, k)
            Probabilities in the order of `classes_`; every row sums to 1.
        """
        scores = self._scores(X)
        return self._probability_link().proba(scores)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> FloatArray:
        """Predict the natural logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, n_features)
            Rows with the columns of the training rows.

        Returns
        -------
        ndarray of shape (n, k)
            Logarithms in the order of `classes_`; ``-inf`` for a probability of 0.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the label of the most probable class.

        If the loss does not determine probabilities, it is the class with the largest raw score;
        for two classes the second class if its score is above 0.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, n_features)
            Rows with the columns of the training rows.

        Returns
        -------
        ndarray of shape (n,)
            Predicted labels, from `classes_`.
        """
        scores = self._scores(X)
        if self.link_.has_proba():
            column = self._probability_link().proba(scores).argmax(axis=1)
        elif len(scores) == 1:
            column = (scores[0] > 0.0).astype(np.intp)
        else:
            column = scores.argmax(axis=0)
        labels: NDArray[Any] = self.classes_[column]
        return labels


class LossClassifier(ScorePredictor, BaseEstimator):  # type: ignore[misc]
    """Base of the classifiers: labels, weights, held-out rows, recorded losses."""

    # Parameters that every derived class has.
    class_weight: Mapping[Any, float] | ArrayLike | str | None
    label_smoothing: float
    validation_fraction: float | None
    record: Sequence[str | Loss] | None

    def _read(self, loss: Loss, X: Any, y: Any, sample_weight: Any) -> TrainingRows:
        """Check labels and weights; `X` and the length of `y` must be checked before."""
        check_bool("correct_probabilities", self.correct_probabilities)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        k = len(self.classes_)
        _check_classes(loss, self.classes_)
        if k > 2 and loss.properties.binary_only:
            raise InputError(
                # scikit-learn's check_estimator expects the first sentence.
                f"Only binary classification is supported. y must hold two classes for "
                f"{loss.name}; got {k}; choose a loss for several classes"
            )
        weight = None
        if sample_weight is not None:
            refuse_collection(sample_weight, "sample_weight")
            with plain_errors("sample_weight is not valid", ValueError, TypeError):
                weight = _check_sample_weight(
                    sample_weight, X, dtype=np.float64, ensure_non_negative=True
                )
        self.class_weight_ = to_class_weight(
            self.class_weight,
            tuple(self.classes_.tolist()),
            lambda: np.bincount(index, weight, k),
        )
        self.link_ = ScoreLink(
            loss, k, self.class_weight_, self.label_smoothing, self.correct_probabilities
        )
        training = TrainingObjective(
            loss,
            index,
            k,
            sample_weight=weight,
            class_weight=self.class_weight_,
            label_smoothing=self.label_smoothing,
        )
        rows = TrainingRows(X, training, weight)
        # Rows of weight 0 would still count in min_child_samples, histograms and held-out parts.
        return rows if weight is None or np.all(weight) else rows.of(np.flatnonzero(weight))

    def _history(self, parts: Mapping[str, TrainingRows], patience: int | None = None) -> History:
        """Empty learning curves of the loss that is trained on and of the losses in `record`."""
        link = self.link_
        record = () if self.record is None else self.record
        further_losses = recorded_losses(record, link)
        names = [link.loss.name, *(loss.name for loss in further_losses)]
        losses = {
            name: PartLosses(part.training, further_losses, link, part.weight)
            for name, part in parts.items()
        }
        return History(names, losses, patience)

    def _check_fraction(self) -> None:
        fraction = self.validation_fraction
        if fraction is not None and not (
            isinstance(fraction, Real) and not isinstance(fraction, bool) and 0.0 < fraction < 1.0
        ):
            raise InputError(f"validation_fraction must be > 0 and < 1, or None; got {fraction!r}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        with suppress(InputError):  # fit raises this error
            binary_only = get_training_loss(self.loss, self.loss_params).properties.binary_only
            tags.classifier_tags.multi_class = not binary_only
        return tags


def _check_classes(loss: Loss, classes: NDArray[Any]) -> None:
    if len(classes) < 2:
        # scikit-learn's check_estimator looks for "class" in this message.
        raise InputError(f"y must hold at least 2 classes; got 1 class: {classes.tolist()}")
    labels = classes.tolist()
    if loss.properties.ordered and len(labels) > 2 and not ascending(tuple(labels)):
        raise InputError(
            f"y must hold numbers for {loss.name}, because it uses the order of the classes and "
            f"sorts other labels alphabetically; got {', '.join(map(repr, labels[:5]))}; encode "
            f"the labels as numbers in their order"
        )


def check_count(name: str, value: object, low: int = 1) -> None:
    """Raise an InputError if the value is not an integer >= `low`."""
    check_integer(name, value, low)
