"""Objective and metric for code that calls LightGBM directly."""

from __future__ import annotations

from typing import Any

from xentexp.objectives._boosting import BoosterLoss, CallableObjective


def lightgbm_factor(n_scores: int) -> float:
    """Factor of the hessian in LightGBM's own objectives: k / (k - 1) for k > 2 classes, else 1."""
    # MulticlassSoftmax in LightGBM's multiclass_objective.hpp.
    return 1.0 if n_scores == 1 else n_scores / (n_scores - 1.0)


class LightGBMObjective(CallableObjective):
    """Custom objective for LightGBM that trains on any loss.

    Pass it as ``LGBMClassifier(objective=...)`` or as ``lightgbm.train({"objective": ...})``. The
    same object works with both interfaces: LightGBM calls it as ``(y_true, y_pred, weight)`` or as
    ``(scores, Dataset)``.

    With a custom objective LightGBM starts boosting from the score 0 and predicts raw scores. To
    start elsewhere, pass ``init_score`` and add it to the predictions.
    `xentexp.estimators.LightGBMLossClassifier` does this and returns class probabilities.

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
        Positive factor that multiplies the curvatures. None uses the factor of
        LightGBM's own objectives: k / (k - 1) for k > 2 classes, 1 for two classes.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If the loss has no gradient or is not a loss of class labels, if a parameter is unknown or
        out of range, or, when called, if labels, weights and scores do not match.

    See Also
    --------
    LightGBMMetric : Value of the loss on held-out rows, for example for early stopping.
    xentexp.estimators.LightGBMLossClassifier : Classifier that trains LightGBM on any loss.

    Notes
    -----
    The gradients are exact. The curvatures are the diagonal of the hessian for smooth convex
    losses. For losses that are not convex a curvature is at least the absolute gradient, so that
    no single row asks for a step larger than 1; for convex losses with kinks, such as hinge
    losses, it is at least 1. All derivatives are multiplied by the row weights.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import LightGBMObjective
    >>> objective = LightGBMObjective("categorical_focal_crossentropy", gamma=2)
    >>> gradient, curvature = objective(np.array([0, 1]), np.zeros(2))
    >>> gradient, curvature
    (array([ 0.2982..., -0.2982...]), array([0.3991..., 0.3991...]))
    """

    default_factor = staticmethod(lightgbm_factor)


class LightGBMMetric(BoosterLoss):
    """Evaluation metric for LightGBM that computes any loss from raw scores.

    Pass it as ``LGBMClassifier.fit(eval_metric=...)`` or as ``lightgbm.train(feval=...)``, together
    with a custom objective: only then does LightGBM pass raw scores to the metric. The value is
    the weighted mean of the loss; lower is better.

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
    LightGBMObjective : Objective that trains on the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import LightGBMMetric
    >>> metric = LightGBMMetric("brier_loss")
    >>> metric(np.array([0, 1]), np.zeros(2))
    ('brier_loss', 0.25, False)
    """

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[str, float, bool]:
        """Compute the loss in the form that LightGBM expects.

        Parameters
        ----------
        y_true : ndarray of shape (n,)
            Class numbers 0 to k - 1. ``lightgbm.train`` passes the raw scores here.
        y_pred : ndarray of shape (n,) or (n, k), or lightgbm.Dataset
            Raw scores. ``lightgbm.train`` passes the data set here, with labels and weights.
        sample_weight : ndarray of shape (n,), default=None
            Weight of each row; None gives every row the weight 1.

        Returns
        -------
        name : str
            Name of the loss.
        value : float
            Weighted mean of the loss.
        higher_is_better : bool
            False.
        """
        return self.loss.name, self.value(y_true, y_pred, sample_weight), False
