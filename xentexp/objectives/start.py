"""Where boosting starts: the scores that are best known before the first tree."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from xentexp.numerics import FloatArray, tempered_log
from xentexp.objectives.training import Training

SMALLEST_SHARE = 1e-15
"""Share of a class without weight, as LightGBM has it."""


def initial_scores(training: Training) -> FloatArray:
    """Raw scores whose probabilities are the shares of the classes in the training part.

    They are what the boosters' own objectives start from (``boost_from_average`` of LightGBM,
    the estimated ``base_score`` of XGBoost): logarithms of the weighted shares, smoothed and
    weighted by class as the targets are; the logit of the second of two classes. Margins and a
    latent score start at the best constant of their loss.

    Parameters
    ----------
    training : Training
        Targets and weights.

    Returns
    -------
    ndarray of shape (n_scores,)
        0 for margins whose best constant tells no shares, as that of a hinge.

    Notes
    -----
    The best constant of a loss that is not proper is another one. That of a saturating loss
    (generalized, symmetric cross-entropy) is nearly sure of the larger class, where its gradient
    is so flat that boosting from there ends higher.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import find_loss
    >>> y = np.array([0, 0, 0, 1])
    >>> initial_scores(Training(find_loss("categorical_crossentropy"), y, 2))  # log(1 / 3)
    array([-1.0986...])
    >>> initial_scores(Training(find_loss("exponential_loss"), y, 2))  # half of that
    array([-0.5493...])
    """
    loss = training.definition
    shares = np.clip(training.class_shares(), SMALLEST_SHARE, 1.0)
    scores = np.log(shares)
    if loss.facts.link == "tempered softmax":
        scores = tempered_log(scores, loss.t2)  # type: ignore[attr-defined]
    elif loss.facts.needs in ("scores", "latent"):
        scores = np.zeros(len(shares))
    if training.n_scores == 1:
        scores = scores[1:2] - scores[0]
    of_link = loss.facts.needs not in ("scores", "latent")
    told = loss.facts.needs == "latent" or loss.invertible(training.n_classes)
    return scores if of_link or not told else _best_constant(training, scores)


def _best_constant(training: Training, start: FloatArray) -> FloatArray:
    """Minimum of the loss over scores that are those of every row; never above the start."""
    totals = np.bincount(training.index, training.weight, minlength=training.n_classes)
    k = training.n_classes
    of_classes = Training(
        training.definition,
        np.arange(k),
        k,
        sample_weight=np.maximum(totals / totals.sum(), SMALLEST_SHARE),
        label_smoothing=training.label_smoothing,
    )

    def value(scores: FloatArray) -> tuple[float, FloatArray]:
        rows = np.repeat(scores[:, np.newaxis], k, axis=1)
        gradient, _ = of_classes.gradient_hessian(rows)
        return of_classes.loss(rows), gradient.sum(axis=1)

    found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    better = np.all(np.isfinite(found.x)) and found.fun <= value(start)[0]
    return np.asarray(found.x) if better else start
