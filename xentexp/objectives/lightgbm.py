"""LightGBM trained on any loss, for those who call LightGBM themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.losses import Loss
from xentexp.objectives.boosting import BoosterLoss, by_class, newton_like, rows_of


def lightgbm_factor(n_scores: int) -> float:
    """What LightGBM's own objectives multiply the hessian by: K/(K-1) of several classes.

    Parameters
    ----------
    n_scores : int
        Score columns.

    Returns
    -------
    float
        See ``MulticlassSoftmax`` in LightGBM's ``multiclass_objective.hpp``.

    Examples
    --------
    >>> lightgbm_factor(1), lightgbm_factor(3)
    (1.0, 1.5)
    """
    return 1.0 if n_scores == 1 else n_scores / (n_scores - 1.0)


class LightGBMObjective(BoosterLoss):
    """Gradients and curvatures of a loss, as LightGBM calls for them; see `lightgbm_objective`."""

    def __call__(
        self, y_true: Any, y_pred: Any, weight: Any = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Gradients and curvatures of the rows.

        Parameters
        ----------
        y_true : ndarray of shape (n,), or the scores
            Numbers of the classes. ``lightgbm.train`` gives the scores here.
        y_pred : ndarray of shape (n,) or (n, k), or lightgbm.Dataset
            Raw scores, or the data with labels and weights.
        weight : ndarray of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        gradient, curvature : ndarray
            In the layout and dtype of the scores.
        """
        labels, scores, weight = rows_of(y_true, y_pred, weight)
        n_scores = len(by_class(scores))
        factor = self.hessian_factor or lightgbm_factor(n_scores)
        return newton_like(self.training(labels, weight, n_scores), scores, factor)


class LightGBMMetric(BoosterLoss):
    """Value of a loss, as LightGBM calls for it; see `lightgbm_metric`."""

    def __call__(self, y_true: Any, y_pred: Any, weight: Any = None) -> tuple[str, float, bool]:
        """Name, value, and that higher is not better.

        Parameters
        ----------
        y_true, y_pred, weight
            As for `LightGBMObjective`.

        Returns
        -------
        tuple of str, float and bool
            As LightGBM takes it.
        """
        labels, scores, weight = rows_of(y_true, y_pred, weight)
        scores = by_class(scores)
        training = self.training(labels, weight, len(scores))
        return self.definition.name, training.loss(scores), False


def lightgbm_objective(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    hessian_factor: float | None = None,
    **parameters: object,
) -> LightGBMObjective:
    """Objective for ``LGBMClassifier(objective=...)`` or ``lightgbm.train({"objective": ...})``.

    One object serves both interfaces: it takes ``(y_true, y_pred, weight)`` and
    ``(scores, Dataset)``. LightGBM starts a custom objective at 0 and returns raw scores under
    it: pass ``init_score`` and add it to the predictions, or use
    `xentexp.estimators.lightgbm.LightGBMLossClassifier`.

    Parameters
    ----------
    loss : str or Loss
        Name, a peer's name, or a loss.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; needed for losses of one latent score alone.
    hessian_factor : float, optional
        What curvatures are multiplied by; LightGBM's own by default: K/(K-1) of K > 2 classes,
        else 1.
    **parameters : object
        Parameters of the loss.

    Returns
    -------
    LightGBMObjective
        A callable that can be pickled.

    Raises
    ------
    InputError
        For a loss that is not trained on, unknown parameters and bad values.

    Examples
    --------
    >>> import numpy as np
    >>> objective = lightgbm_objective("categorical_focal_crossentropy", gamma=2)
    >>> gradient, curvature = objective(np.array([0, 1]), np.zeros(2), None)
    >>> gradient, curvature
    (array([ 0.2982..., -0.2982...]), array([0.3991..., 0.3991...]))
    """
    return LightGBMObjective(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
        hessian_factor=hessian_factor,
    )


def lightgbm_metric(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    **parameters: object,
) -> LightGBMMetric:
    """Metric for ``LGBMClassifier.fit(eval_metric=...)`` or ``lightgbm.train(feval=...)``.

    It reads raw scores, which is what LightGBM hands to metrics under a custom objective.

    Parameters
    ----------
    loss, class_weight, label_smoothing, n_classes, **parameters
        As for `lightgbm_objective`.

    Returns
    -------
    LightGBMMetric
        A callable that gives name, value and False.

    Raises
    ------
    InputError
        As `lightgbm_objective`.

    Examples
    --------
    >>> import numpy as np
    >>> lightgbm_metric("brier_loss")(np.array([0, 1]), np.zeros(2))
    ('brier_loss', 0.25, False)
    """
    return LightGBMMetric(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
    )
