"""Objective and metric for users who call LightGBM themselves."""

from __future__ import annotations

from typing import Any

from xentexp.objectives._boosting import BoosterLoss, CallableObjective


def lightgbm_factor(n_scores: int) -> float:
    """K/(K-1) of several classes, as ``MulticlassSoftmax`` in ``multiclass_objective.hpp``."""
    return 1.0 if n_scores == 1 else n_scores / (n_scores - 1.0)


class LightGBMObjective(CallableObjective):
    """Objective for ``LGBMClassifier(objective=...)`` or ``lightgbm.train({"objective": ...})``.

    One object serves both interfaces: it is called with ``(y_true, y_pred, weight)`` or with
    ``(scores, Dataset)``. LightGBM starts a custom objective at 0 and predicts raw scores under
    it: pass ``init_score`` and add it to the predictions, or use
    `xentexp.estimators.LightGBMLossClassifier`.

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
        Factor of the curvatures; by default that of LightGBM's own objectives: K/(K-1) for K > 2
        classes, else 1.
    **loss_params : object
        Parameters of the loss, where it is a name.

    Raises
    ------
    InputError
        For a loss that cannot be trained on, for unknown parameters and for bad values.

    See Also
    --------
    LightGBMMetric : The value of the loss, to watch on held-out rows.

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
    """Metric for ``LGBMClassifier.fit(eval_metric=...)`` or ``lightgbm.train(feval=...)``.

    It reads raw scores, which LightGBM passes to metrics under a custom objective.

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
    LightGBMObjective : The objective that trains on the loss.

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
        """Name of the loss, its value, and that higher is not better."""
        return self.loss.name, self.value(y_true, y_pred, sample_weight), False
