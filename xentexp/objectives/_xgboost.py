"""Objective and metric for code that calls XGBoost directly."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np

from xentexp.errors import InputError
from xentexp.objectives._boosting import (
    BoosterLoss,
    CallableObjective,
    Response,
    booster_frame,
)

MODULE = "xgboost"
_LOGISTIC = ("binary:logistic", "reg:logistic", "binary:logitraw")
_PROBABILITIES = ("binary:logistic", "reg:logistic", "multi:softprob")


def check_scale_pos_weight(value: Any) -> None:
    """Raise an error for a setting that XGBoost ignores with a custom objective."""
    if value not in (None, 1):
        raise InputError(
            f"scale_pos_weight must not be set with a custom objective, because XGBoost ignores it "
            f"then; got {value!r}; pass class_weight= instead"
        )


def _learner(booster: Any) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def _response() -> Response:
    """What XGBoost passes to a metric; raw scores if the metric is not called by XGBoost."""
    frame = booster_frame(MODULE)
    if frame is None or frame.f_code.co_name in ("update", "boost"):  # which call objectives
        return "raw"
    if frame.f_locals["output_margin"]:
        return "raw"
    name = _learner(frame.f_locals["self"])["objective"]["name"]
    if name == "binary:logitraw":
        return "raw"
    if name in _PROBABILITIES:
        return "probabilities"
    raise InputError(
        f"objective must be binary:logistic, binary:logitraw, multi:softprob or a custom one for "
        f"XGBoostMetric, because the predictions of others are not class probabilities; got "
        f"{name!r}"
    )


def xgboost_factor(n_scores: int) -> float:
    """Factor of the hessian in XGBoost's own objectives: 2 for more than two classes, else 1."""
    # SoftmaxMultiClassObj in XGBoost's multiclass_obj.cu.
    return 1.0 if n_scores == 1 else 2.0


class XGBoostObjective(CallableObjective):
    """Custom objective for XGBoost that trains on any loss.

    Pass it as ``XGBClassifier(objective=...)`` or as ``xgboost.train(obj=...)``. The same object
    works with both interfaces: XGBoost calls it as ``(y_true, y_pred, sample_weight)`` or as
    ``(scores, DMatrix)``.

    XGBoost adds an intercept to every raw score, which it computes from ``base_score``. To start
    from the raw score 0, set ``base_score=0`` in ``xgboost.train`` and, for more than two classes,
    in ``XGBClassifier``. For two classes leave ``base_score`` of ``XGBClassifier`` unset or set it
    to 0.5: there it is a probability, and 0 or 1, which stand for infinite raw scores, raise an
    error. In ``xgboost.train`` the same holds with ``"objective": "binary:logistic"`` beside
    ``obj=``, and for more than two classes set ``num_class``. To start from other scores, pass
    ``base_margin``. `xentexp.estimators.XGBoostLossClassifier` does all this and returns class
    probabilities.

    XGBoost ignores ``scale_pos_weight`` with a custom objective; setting it raises an error.
    ``XGBClassifier`` also monitors a metric of its own; set ``disable_default_eval_metric=True`` to
    monitor only the metrics of ``eval_metric=...``.

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

    module: ClassVar[str] = MODULE
    default_factor = staticmethod(xgboost_factor)

    @staticmethod
    def _check_settings(booster: Any) -> None:
        """Raise an error for settings that do not fit a custom objective."""
        learner = _learner(booster)
        objective = learner["objective"]
        check_scale_pos_weight(
            float(objective.get("reg_loss_param", {}).get("scale_pos_weight", 1.0))
        )
        # A number in XGBoost 2 and a list from 3.1 on.
        base_score = np.atleast_1d(json.loads(learner["learner_model_param"]["base_score"]))
        if objective["name"] in _LOGISTIC and not np.all((base_score > 0.0) & (base_score < 1.0)):
            raise InputError(
                f"base_score must be > 0 and < 1 with {objective['name']}, the objective that "
                f"XGBClassifier sets for two classes, because it is a probability there; got "
                f"{base_score[0]:g}; leave it unset, or set 0.5 to start from the raw score 0"
            )


class XGBoostMetric(BoosterLoss):
    """Evaluation metric for XGBoost that computes any loss from raw scores.

    Pass it as ``XGBClassifier(eval_metric=...)`` or as ``xgboost.train(custom_metric=...)``. The
    value is the weighted mean of the loss; lower is better. XGBoost rounds it to six decimals.

    With a custom objective XGBoost passes raw scores to the metric, with its objectives
    ``binary:logistic`` and ``multi:softprob`` probabilities. The metric asks the XGBoost model that
    calls it for its objective; other objectives, except ``binary:logitraw``, raise an error.
    If you call the metric yourself, it reads raw scores; for probabilities use the function of the
    loss in `xentexp.metrics`.

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
            Class numbers 0 to k - 1. ``xgboost.train`` passes the predictions here.
        y_pred : ndarray of shape (n,) or (n, k), or xgboost.DMatrix
            Raw scores, or probabilities if XGBoost calls the metric beside an objective of its own.
            ``xgboost.train`` passes the data here, with labels and weights.
        sample_weight : ndarray of shape (n,), default=None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        float, or tuple of str and float
            Weighted mean of the loss; preceded by the name of the loss if `y_pred` is a DMatrix.
        """
        value = self.value(y_true, y_pred, sample_weight, _response())
        return (self.loss.name, value) if hasattr(y_pred, "get_label") else value
