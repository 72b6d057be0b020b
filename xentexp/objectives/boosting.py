"""What the objectives of all boosters share: a loss, what it is weighted by, and the rows seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses.base import check_number
from xentexp.objectives.objective import TrainingObjective, find_class_weight, find_loss


class BoosterLoss:
    """A loss as a booster meets it: labels are numbers, scores come anew in every round.

    Parameters
    ----------
    loss : str or Loss
        See `find_loss`.
    parameters : mapping, optional
        Parameters of the loss.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class 0, 1, ...
    label_smoothing : float
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Needed for losses of one latent score; else as many as there are score columns.
    hessian_factor : float, optional
        What curvatures are multiplied by; the booster's own by default.
    """

    def __init__(
        self,
        loss: str | Loss,
        parameters: Mapping[str, object] | None = None,
        *,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        n_classes: int | None = None,
        hessian_factor: float | None = None,
    ) -> None:
        if hessian_factor is not None:
            check_number("hessian_factor", hessian_factor, 0.0, np.inf, low_open=True)
        self.definition = find_loss(loss, parameters)
        if self.definition.properties.needs == "latent" and n_classes is None:
            raise InputError(
                f"{self.definition.name} has one score for any number of classes; pass n_classes="
            )
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.n_classes = n_classes
        self.hessian_factor = hessian_factor
        self._seen: tuple[Any, Any, int, TrainingObjective] | None = None

    @property
    def __name__(self) -> str:
        """Name of the loss: XGBoost asks its metrics for one."""
        return self.definition.name

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the rows, which are another's."""
        return {**self.__dict__, "_seen": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.definition!r})"

    def training(
        self, labels: NDArray[Any], weight: NDArray[Any] | None, n_scores: int
    ) -> TrainingObjective:
        """The loss on these rows; made once while the rows stay the same.

        Parameters
        ----------
        labels : ndarray of shape (n,)
            Numbers of the classes.
        weight : ndarray of shape (n,) or None
            Weights of the rows.
        n_scores : int
            Score columns.

        Returns
        -------
        TrainingObjective
            See there.

        Raises
        ------
        InputError
            For labels that are no numbers of classes.
        """
        if self._seen is not None:
            seen_labels, seen_weight, seen_scores, training = self._seen
            if (
                n_scores == seen_scores
                and np.array_equal(labels, seen_labels)
                and (weight is None) == (seen_weight is None)
                and (weight is None or np.array_equal(weight, seen_weight))
            ):
                return training
        if weight is not None and len(weight) != len(labels):
            raise InputError(f"weights must be one for each of {len(labels)}; got {len(weight)}")
        k = self.n_classes or max(2, n_scores)
        index = np.asarray(labels).astype(np.intp)
        if not np.array_equal(index, labels) or index.min() < 0 or index.max() >= k:
            raise InputError(
                f"labels must be the numbers 0 to {k - 1} of {k} classes; got "
                f"{np.unique(labels)[:5].tolist()}"
            )
        weights = None if weight is None else np.asarray(weight, dtype=np.float64)
        training = TrainingObjective(
            self.definition,
            index,
            k,
            sample_weight=weights,
            class_weight=find_class_weight(self.class_weight, range(k), index, weights),
            label_smoothing=self.label_smoothing,
        )
        if training.n_scores != n_scores:
            raise InputError(
                f"{self.definition.name} of {k} classes has {training.n_scores} scores in a row; "
                f"got {n_scores}"
            )
        kept_weight = None if weight is None else np.array(weight)
        self._seen = np.array(labels), kept_weight, n_scores, training
        return training


def by_class(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scores ``(n,)`` or ``(n, k)`` of a booster as a class-major view.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, k)
        Raw scores.

    Returns
    -------
    ndarray of shape (1, n) or (k, n)
        The same memory.

    Examples
    --------
    >>> import numpy as np
    >>> by_class(np.zeros(5)).shape, by_class(np.zeros((5, 3))).shape
    ((1, 5), (3, 5))
    """
    return scores[np.newaxis] if scores.ndim == 1 else scores.T


def newton_like(
    training: TrainingObjective, scores: NDArray[np.floating], factor: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Gradients and curvatures in the layout and dtype of the scores.

    Parameters
    ----------
    training : TrainingObjective
        Of as many rows.
    scores : ndarray of shape (n,) or (n, k)
        Raw scores, C- or Fortran-ordered, float32 or float64.
    factor : float
        What curvatures are multiplied by.

    Returns
    -------
    gradient, curvature : ndarray
        As `scores` are.
    """
    gradient, curvature = np.empty_like(scores), np.empty_like(scores)
    training.newton_terms(by_class(scores), factor, (by_class(gradient), by_class(curvature)))
    return gradient, curvature


def rows_of(
    y_true: Any, y_pred: Any, weight: Any
) -> tuple[NDArray[Any], NDArray[np.floating], NDArray[Any] | None]:
    """Labels, scores and weights, whichever of the two orders a booster calls in.

    Parameters
    ----------
    y_true, y_pred : ndarray, or the scores and a data set of the booster
        The scikit-learn interfaces call ``(y_true, y_pred)``, the native ones ``(scores, data)``.
    weight : ndarray or None
        With the first of the two.

    Returns
    -------
    labels, scores, weight
        Weight None where there is none.
    """
    if hasattr(y_pred, "get_label"):
        y_true, y_pred, weight = y_pred.get_label(), y_true, y_pred.get_weight()
    if weight is not None and len(weight) == 0:  # XGBoost's way to say none
        weight = None
    return np.asarray(y_true), np.asarray(y_pred), weight
