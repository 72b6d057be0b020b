"""Objective and metric for code that calls XGBoost directly."""

from __future__ import annotations

from typing import Any

from xentexp.objectives._boosting import BoosterLoss, CallableObjective


def xgboost_factor(n_scores: int) -> float:
    """Factor of the hessian in XGBoost's own objectives: 2 for more than two classes, else 1."""
    # SoftmaxMultiClassObj in XGBoost's multiclass_obj.cu.
    return 1.0 if n_scores == 1 else 2.0


class XGBoostObjective(CallableObjective):
    """Custom objective for XGBoost that trains on any loss.

    Pass it as ``XGBClassifier(objective=...)`` or as ``xgboost.train(obj=...)``. The same object
    works with both interfaces: XGBoost calls it as ``(y_true, y_pred, sample_weight)`` or as
    ``(scores, DMatrix)``.

    Set ``base_score=0``, because XGBoost adds ``base_score`` to every raw score, and for more than
    two classes set ``num_class``. To start from other scores than 0, pass ``base_margin``.
    `xentexp.estimators.XGBoostLossClassifier` does all this and returns class probabilities.

    Parameters
    ----------
    loss : str or Loss
        Loss to train on: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    class_weight : dict, array-like of shape (k,), "balanced" or None, default=None
        Weight of each class number 0, 1, ..., k - 1. A mapping may omit classes; their weight is
        1. ``"balanced"`` gives all classes the same total weight,
        ``n / (k * np.bincount(y))``. Class weights multiply the sample weights. None gives every
        class the weight 1.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the k classes. 0 uses
        the labels unchanged.
    n_classes : int, default=None
        Number of classes. It is required for losses of one latent score, such as
        ``"cumulative_link_log_loss"``; for other losses None takes it from the scores.
    hessian_factor : float, default=None
        Positive factor that multiplies the curvatures. None uses the factor of XGBoost's
        own objectives: 2 for more than two classes, 1 for two classes.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If the loss has no gradient or is not a loss of class labels, if a parameter is unknown or
        out of range, or, when called, if labels, weights and scores do not match.

    See Also
    --------
    XGBoostMetric : Value of the loss on held-out rows, for example for early stopping.
    xentexp.estimators.XGBoostLossClassifier : Classifier that trains XGBoost on any loss.

    Notes
    -----
    The gradients are exact. The curvatures are the diagonal of the hessian for smooth convex
    losses. For losses that are not convex a curvature is at least the absolute gradient, so that
    no single row asks for a step larger than 1; for convex losses with kinks, such as hinge
    losses, it is at least 1. All derivatives are multiplied by the row weights.

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
    """Evaluation metric for XGBoost that computes any loss from raw scores.

    Pass it as ``XGBClassifier(eval_metric=...)`` or as ``xgboost.train(custom_metric=...)``,
    together with a custom objective: only then does XGBoost pass raw scores to the metric. The
    value is the weighted mean of the loss; lower is better. XGBoost rounds it to six decimals.

    Parameters
    ----------
    loss : str or Loss
        Loss to compute: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    class_weight : dict, array-like of shape (k,), "balanced" or None, default=None
        Weight of each class number 0, 1, ..., k - 1. A mapping may omit classes; their weight is
        1. ``"balanced"`` gives all classes the same total weight,
        ``n / (k * np.bincount(y))``. Class weights multiply the sample weights. None gives every
        class the weight 1.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the k classes. 0 uses
        the labels unchanged.
    n_classes : int, default=None
        Number of classes. It is required for losses of one latent score, such as
        ``"cumulative_link_log_loss"``; for other losses None takes it from the scores.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If the loss has no gradient or is not a loss of class labels, if a parameter is unknown or
        out of range, or, when called, if labels, weights and scores do not match.

    See Also
    --------
    XGBoostObjective : Objective that trains on the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import XGBoostMetric
    >>> metric = XGBoostMetric("brier_loss")
    >>> metric(np.array([0, 1]), np.zeros(2))
    0.25
    """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss in the form that XGBoost expects.

        Parameters
        ----------
        y_true : ndarray of shape (n,)
            Class numbers 0 to k - 1. ``xgboost.train`` passes the raw scores here.
        y_pred : ndarray of shape (n,) or (n, k), or xgboost.DMatrix
            Raw scores. ``xgboost.train`` passes the data here, with labels and weights.
        sample_weight : ndarray of shape (n,), default=None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        float, or tuple of str and float
            Weighted mean of the loss; preceded by the name of the loss if `y_pred` is a DMatrix.
        """
        value = self.value(y_true, y_pred, sample_weight)
        return (self.loss.name, value) if hasattr(y_pred, "get_label") else value
