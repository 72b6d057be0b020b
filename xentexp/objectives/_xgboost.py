"""Objective and metric for users who call XGBoost themselves."""

from __future__ import annotations

from typing import Any

from xentexp.objectives._boosting import BoosterLoss, CallableObjective


def xgboost_factor(n_scores: int) -> float:
    """2 of several classes, as ``SoftmaxMultiClassObj`` in XGBoost's ``multiclass_obj.cu``."""
    return 1.0 if n_scores == 1 else 2.0


class XGBoostObjective(CallableObjective):
    """Objective for ``XGBClassifier(objective=...)`` or ``xgboost.train(obj=...)``.

    One object serves both interfaces: it is called with ``(y_true, y_pred, sample_weight)`` or
    with ``(scores, DMatrix)``. Set ``base_score=0``, which XGBoost adds to every score, and for
    several classes ``num_class``. Start from ``base_margin``, or use
    `xentexp.estimators.XGBoostLossClassifier`.

    Parameters
    ----------
    loss : str or Loss
        Any loss of classes that has a gradient: its name, a peer's name for it, or an object of
        `xentexp.get_loss`.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; only needed for losses of one latent score.
    hessian_factor : float, optional
        Factor of the curvatures; by default that of XGBoost's own objectives: 2 for several
        classes, 1 for two.
    **loss_params : object
        Parameters of the loss, where it is a name.

    Raises
    ------
    InputError
        For a loss that cannot be trained on, for unknown parameters and for bad values.

    See Also
    --------
    XGBoostMetric : The value of the loss, to watch on held-out rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import XGBoostObjective
    >>> objective = XGBoostObjective("categorical_crossentropy")
    >>> gradient, curvature = objective(np.array([0, 1, 1]), np.zeros((3, 3), np.float32))
    >>> gradient.dtype, curvature[0]
    (dtype('float32'), array([0.444..., 0.444..., 0.444...], dtype=float32))
    """

    default_factor = staticmethod(xgboost_factor)


class XGBoostMetric(BoosterLoss):
    """Metric for ``XGBClassifier(eval_metric=...)`` or ``xgboost.train(custom_metric=...)``.

    It reads raw scores, which XGBoost passes to metrics under a custom objective. XGBoost keeps
    six decimals of a metric.

    Parameters
    ----------
    loss : str or Loss
        Any loss of classes that has a gradient: its name, a peer's name for it, or an object of
        `xentexp.get_loss`.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class 0, 1, ...
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    n_classes : int, optional
        Number of classes; only needed for losses of one latent score.
    **loss_params : object
        Parameters of the loss, where it is a name.

    Raises
    ------
    InputError
        For a loss that cannot be trained on, for unknown parameters and for bad values.

    See Also
    --------
    XGBoostObjective : The objective that trains on the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import XGBoostMetric
    >>> metric = XGBoostMetric("brier_loss")
    >>> metric(np.array([0, 1]), np.zeros(2))
    0.25
    """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Value of the loss, with its name if ``xgboost.train`` calls."""
        value = self.value(y_true, y_pred, sample_weight)
        return (self.loss.name, value) if hasattr(y_pred, "get_label") else value
