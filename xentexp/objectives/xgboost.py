"""XGBoost trained on any loss, for those who call XGBoost themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.losses import Loss
from xentexp.objectives.boosting import BoosterLoss, by_class, newton_like, rows_of


def xgboost_factor(n_scores: int) -> float:
    """What XGBoost's own objectives multiply the hessian by: 2 of several classes.

    Parameters
    ----------
    n_scores : int
        Score columns.

    Returns
    -------
    float
        See ``SoftmaxMultiClassObj`` in XGBoost's ``multiclass_obj.cu``.

    Examples
    --------
    >>> xgboost_factor(1), xgboost_factor(3)
    (1.0, 2.0)
    """
    return 1.0 if n_scores == 1 else 2.0


class XGBoostObjective(BoosterLoss):
    """Gradients and curvatures of a loss, as XGBoost calls for them; see `xgboost_objective`."""

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Gradients and curvatures of the rows.

        Parameters
        ----------
        y_true : ndarray of shape (n,), or the scores
            Numbers of the classes. ``xgboost.train`` gives the scores here.
        y_pred : ndarray of shape (n,) or (n, k), or xgboost.DMatrix
            Raw scores, or the data with labels and weights.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        gradient, curvature : ndarray
            In the layout and dtype of the scores.
        """
        labels, scores, weight = rows_of(y_true, y_pred, sample_weight)
        n_scores = len(by_class(scores))
        factor = self.hessian_factor or xgboost_factor(n_scores)
        return newton_like(self.training(labels, weight, n_scores), scores, factor)


class XGBoostMetric(BoosterLoss):
    """Value of a loss, as XGBoost calls for it; see `xgboost_metric`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Value of the loss, with its name where ``xgboost.train`` calls.

        Parameters
        ----------
        y_true, y_pred, sample_weight
            As for `XGBoostObjective`.

        Returns
        -------
        float, or tuple of str and float
            As each interface takes it.
        """
        native = hasattr(y_pred, "get_label")
        labels, scores, weight = rows_of(y_true, y_pred, sample_weight)
        scores = by_class(scores)
        value = self.training(labels, weight, len(scores)).loss(scores)
        return (self.definition.name, value) if native else value


def xgboost_objective(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    hessian_factor: float | None = None,
    **parameters: object,
) -> XGBoostObjective:
    """Objective for ``xgboost.train(obj=...)`` or ``XGBClassifier(objective=...)``.

    One object serves both interfaces: it takes ``(scores, DMatrix)`` and ``(y_true, y_pred,
    sample_weight)``. Set ``base_score=0``, which XGBoost adds to every score, and, of several
    classes, ``num_class``; start from ``base_margin`` or use
    `xentexp.estimators.xgboost.XGBoostLossClassifier`.

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
        What curvatures are multiplied by; XGBoost's own by default: 2 of several classes, 1 of
        two.
    **parameters : object
        Parameters of the loss.

    Returns
    -------
    XGBoostObjective
        A callable that can be pickled.

    Raises
    ------
    InputError
        For a loss that is not trained on, unknown parameters and bad values.

    Examples
    --------
    >>> import numpy as np
    >>> objective = xgboost_objective("categorical_crossentropy")
    >>> gradient, curvature = objective(np.array([0, 1, 1]), np.zeros((3, 3), np.float32))
    >>> gradient.dtype, curvature[0]
    (dtype('float32'), array([0.444..., 0.444..., 0.444...], dtype=float32))
    """
    return XGBoostObjective(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
        hessian_factor=hessian_factor,
    )


def xgboost_metric(
    loss: str | Loss,
    *,
    class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
    label_smoothing: float = 0.0,
    n_classes: int | None = None,
    **parameters: object,
) -> XGBoostMetric:
    """Metric for ``xgboost.train(custom_metric=...)`` or ``XGBClassifier(eval_metric=...)``.

    It reads raw scores, which is what XGBoost hands to metrics under a custom objective. XGBoost
    keeps six decimals of a metric.

    Parameters
    ----------
    loss, class_weight, label_smoothing, n_classes, **parameters
        As for `xgboost_objective`.

    Returns
    -------
    XGBoostMetric
        A callable; XGBoost takes its name from it.

    Raises
    ------
    InputError
        As `xgboost_objective`.

    Examples
    --------
    >>> import numpy as np
    >>> xgboost_metric("brier_loss")(np.array([0, 1]), np.zeros(2))
    0.25
    """
    return XGBoostMetric(
        loss,
        parameters,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        n_classes=n_classes,
    )
