"""Where boosting starts: the scores that are best known before the first tree."""

from __future__ import annotations

import numpy as np

from xentexp.losses.links import FloatArray, tempered_log
from xentexp.objectives.training import Training

SMALLEST_SHARE = 1e-15
"""Share of a class without weight, as LightGBM has it."""

_HALF = ("exponential_loss",)
_LOGARITHM = ("logistic_margin_loss",)
_STRAIGHT = ("squared_hinge_loss", "modified_huber_loss")


def initial_scores(training: Training) -> FloatArray:
    """Raw scores whose probabilities are the shares of the classes in the training part.

    They are what the boosters' own objectives start from (``boost_from_average`` of LightGBM,
    the estimated ``base_score`` of XGBoost): logarithms of the weighted shares, smoothed and
    weighted by class as the targets are; the logit of the second of two classes.

    Parameters
    ----------
    training : Training
        Targets and weights.

    Returns
    -------
    ndarray of shape (n_scores,)
        Half the logarithms for the exponential loss, twice the share less 1 for the squared
        hinge and the modified Huber loss, tempered logarithms for the tempered softmax, the
        best constant for a latent score; 0 for margin losses whose scores have no
        probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import find_loss
    >>> y = np.array([0, 0, 0, 1])
    >>> initial_scores(Training(find_loss("categorical_crossentropy"), y, 2))  # log(1 / 3)
    array([-1.0986...])
    >>> initial_scores(Training(find_loss("exponential_loss"), y, 2))
    array([-0.5493...])
    """
    loss = training.definition
    if loss.facts.needs == "latent":
        return _best_constant(training)
    shares = np.clip(training.class_shares(), SMALLEST_SHARE, 1.0)
    if loss.name in _STRAIGHT:
        return np.asarray(2.0 * shares[1:] - 1.0)
    scores = np.log(shares)
    if loss.facts.link == "tempered softmax":
        scores = tempered_log(scores, loss.t2)  # type: ignore[attr-defined]
    elif loss.name in _HALF:
        scores *= 0.5
    elif loss.facts.link == "identity" and loss.name not in _LOGARITHM:
        scores = np.zeros_like(scores)
    return scores[1:] - scores[0] if training.n_scores == 1 else scores


def _best_constant(training: Training) -> FloatArray:
    """Newton's steps on the loss of one score for all rows, each of at most 1."""
    shares = training.class_shares()
    k = len(shares)
    of_classes = Training(
        training.definition,
        np.arange(k),
        k,
        sample_weight=shares,
        label_smoothing=0.0,
    )
    score = np.zeros((1, k))
    for _ in range(100):
        gradient, hessian = of_classes.gradient_hessian(score)
        step = np.clip(gradient.sum() / max(hessian.sum(), 1e-15), -1.0, 1.0)
        score -= step
        if abs(step) < 1e-12:
            break
    return score[:, 0]
