"""Objective and metric for code that calls LightGBM directly."""

from __future__ import annotations

from typing import Any, ClassVar

from xentexp.errors import InputError
from xentexp.objectives._boosting import (
    BoosterLoss,
    CallableObjective,
    Response,
    booster_frame,
)

MODULE = "lightgbm"
_WEIGHT_CLASSES = "pass class_weight= instead"
UNUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "is_unbalance": (("false", "0", "-"), _WEIGHT_CLASSES),
    "scale_pos_weight": (("1", "1.0"), _WEIGHT_CLASSES),
    "pos_bagging_fraction": (("1", "1.0"), "use bagging_fraction instead"),
    "neg_bagging_fraction": (("1", "1.0"), "use bagging_fraction instead"),
    "sigmoid": (("1", "1.0"), "scale the raw scores after training instead"),
    "boost_from_average": (("false", "0", "-"), "pass init_score instead"),
}
"""Setting that LightGBM ignores with a custom objective -> values without effect, what to do."""

_CUSTOM = ("none", "null", "custom", "na")
_PROBABILITIES = ("binary", "multiclass", "softmax", "cross_entropy", "xentropy")


def check_unused(settings: dict[str, Any]) -> None:
    """Raise an error for settings that LightGBM ignores with a custom objective."""
    for name, (neutral, remedy) in UNUSED.items():
        key, value = setting(settings, name)
        if value is not None and str(value).lower() not in neutral:
            raise InputError(
                f"{key} must not be set with a custom objective, because LightGBM ignores it then; "
                f"got {value!r}; {remedy}"
            )


def aliases_of(name: str) -> list[str]:
    """The name of a setting of LightGBM, then its other names."""
    from lightgbm.basic import _ConfigAliases

    return [name, *sorted(_ConfigAliases.get(name) - {name})]


def setting(settings: dict[str, Any], name: str) -> tuple[str, Any]:
    """Name under which a setting is given, and its value; None if it is not set."""
    given = [key for key in aliases_of(name) if key in settings]
    return (given[0], settings[given[0]]) if given else (name, None)


def boosting(settings: dict[str, Any]) -> str:
    """Kind of boosting, for example "dart"; "none" if it is not set."""
    return str(setting(settings, "boosting")[1]).lower()


def _response() -> Response:
    """What LightGBM passes to a metric; raw scores if the metric is not called by LightGBM."""
    frame = booster_frame(MODULE)
    if frame is None:
        return "raw"
    booster = frame.f_locals["self"]
    if boosting(booster.params) == "dart" and frame.f_locals.get("data_idx") == 0:
        raise InputError(
            "valid_sets must not hold the training rows with boosting='dart', because LightGBM "
            "drops trees from the model whenever a metric asks for their predictions; got the "
            "training rows; pass held-out rows only"
        )
    _, objective = setting(booster.params, "objective")
    name = "regression" if objective is None else str(objective).lower()  # LightGBM's default
    if callable(objective) or name in _CUSTOM:
        return "raw"
    if name in _PROBABILITIES:
        return "probabilities"
    raise InputError(
        f"objective must be binary, cross_entropy, multiclass or a custom one for LightGBMMetric, "
        f"because the predictions of others are not class probabilities; got {name!r}"
    )


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

    ``LGBMClassifier`` also monitors a metric of its own (``binary_logloss`` or ``multi_logloss``),
    which it computes from the raw scores as if they were probabilities; early stopping uses every
    metric that is monitored. Set ``metric="None"``, so that only the metrics of
    ``fit(eval_metric=...)`` are monitored.

    LightGBM ignores ``is_unbalance``, ``scale_pos_weight``, ``sigmoid``, ``boost_from_average``,
    ``pos_bagging_fraction`` and ``neg_bagging_fraction`` with a custom objective; setting them
    raises an error.

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

    module: ClassVar[str] = MODULE
    default_factor = staticmethod(lightgbm_factor)

    @staticmethod
    def _check_settings(booster: Any) -> None:
        """Raise an error for settings that LightGBM ignores with a custom objective."""
        check_unused(booster.params)


class LightGBMMetric(BoosterLoss):
    """Evaluation metric for LightGBM that computes any loss from raw scores.

    Pass it as ``LGBMClassifier.fit(eval_metric=...)`` or as ``lightgbm.train(feval=...)``. The
    value is the weighted mean of the loss; lower is better.

    With a custom objective LightGBM passes raw scores to the metric, with its objectives
    ``binary``, ``cross_entropy`` and ``multiclass`` probabilities. The metric asks the LightGBM
    model that calls it for its objective; other objectives raise an error. So do the training rows
    in ``valid_sets`` together with ``boosting="dart"``, because LightGBM then changes the model.
    If you call the metric yourself, it reads raw scores; for probabilities use the function of the
    loss in `xentexp.metrics`.

    ``LGBMClassifier`` also monitors a metric of its own, and early stopping uses every metric that
    is monitored. Set ``metric="None"`` to monitor only this one, as in the example.

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

    Early stopping on the Brier loss only:

    >>> import lightgbm
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from xentexp.objectives import LightGBMObjective
    >>> X, X_valid, y, y_valid = train_test_split(*load_wine(return_X_y=True), random_state=0)
    >>> model = lightgbm.LGBMClassifier(
    ...     objective=LightGBMObjective("brier_loss"), metric="None", n_jobs=1, verbose=-1
    ... )
    >>> stop = lightgbm.early_stopping(10, verbose=False)
    >>> model = model.fit(
    ...     X, y, eval_X=X_valid, eval_y=y_valid, eval_metric=metric, callbacks=[stop]
    ... )
    >>> [list(values) for values in model.evals_result_.values()]
    [['brier_loss']]
    """

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[str, float, bool]:
        """Compute the loss in the form that LightGBM expects.

        Parameters
        ----------
        y_true : ndarray of shape (n,)
            Class numbers 0 to k - 1. ``lightgbm.train`` passes the predictions here.
        y_pred : ndarray of shape (n,) or (n, k), or lightgbm.Dataset
            Raw scores, or probabilities if LightGBM calls the metric beside an objective of its
            own. ``lightgbm.train`` passes the data set here, with labels and weights.
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
        return self.loss.name, self.value(y_true, y_pred, sample_weight, _response()), False
