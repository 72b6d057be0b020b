"""Class probabilities from the raw scores of a model that was trained on any loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.losses._inverse import on_simplex


class ScoreLink:
    """From raw scores to class probabilities, by the link of a loss.

    Without correction they are what the loss itself saw: the softmax of the scores, the tempered
    one of the bi-tempered loss, the thresholds of one latent score. Scores of margins, for which
    a loss has no probabilities, are read as logits too.

    A loss that is not proper (focal, exponential, ...), smoothed labels and class weights shift
    them away from the truth. Corrected, they are the class distribution for which the scores
    minimize the expected loss: a model that minimizes it perfectly then gives true
    probabilities, and of two classes the order of the rows stays. One that stops short of the
    minimum, as after few rounds of boosting, is corrected too far or not far enough.

    Parameters
    ----------
    loss : Loss
        What the model was trained on.
    n_classes : int
        Number of classes, 2 or more.
    class_weight : ndarray of shape (k,), optional
        What the rows of each class were weighted by.
    label_smoothing : float
        Share of the target that was spread evenly over the classes.
    correct : bool
        Whether to undo what loss, smoothing and class weights shift.

    Raises
    ------
    InputError
        With `correct`, where the minimizer does not tell the distribution.

    References
    ----------
    Zhang, T. (2004). Statistical behavior and consistency of classification methods based on
    convex risk minimization. Ann. Stat. 32, 56-85. Reid, M. D., Williamson, R. C. (2010).
    Composite binary losses. JMLR 11, 2387-2422. Charoenphakdee, N. et al. (2021). On focal loss
    for class-posterior probability estimation. CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.metrics import get_loss
    >>> scores = np.array([[0.0, 1.0]])  # of the second of two classes
    >>> ScoreLink(get_loss("exponential_loss"), 2).proba(scores)
    array([[0.5       , 0.5       ],
           [0.2689..., 0.7310...]])
    >>> ScoreLink(get_loss("exponential_loss"), 2, correct=True).proba(scores)
    array([[0.5       , 0.5       ],
           [0.1192..., 0.8807...]])
    """

    def __init__(
        self,
        loss: Loss,
        n_classes: int,
        class_weight: FloatArray | None = None,
        label_smoothing: float = 0.0,
        correct: bool = False,
    ) -> None:
        check_number("label_smoothing", label_smoothing, 0.0, 1.0)
        self.loss = loss
        self.n_classes = n_classes
        self.class_weight = class_weight
        self.label_smoothing = float(label_smoothing)
        self.correct = bool(correct)
        if not self.correct:
            return
        if not loss.invertible(n_classes, self.label_smoothing):
            smoothed = f", label_smoothing={label_smoothing:g}" if label_smoothing else ""
            raise InputError(
                f"correct_probabilities=True needs a loss whose minimizer tells the true "
                f"probabilities; that of {loss.name} ({n_classes} classes{smoothed}) does "
                f"not: leave it out, calibrate the scores (CalibratedClassifierCV), or train on "
                f"another loss"
            )
        if class_weight is not None and not np.all(class_weight > 0.0):
            raise InputError(
                f"correct_probabilities=True needs positive class weights; got "
                f"{np.asarray(class_weight).tolist()}: a class of weight 0 is not learned"
            )

    def corrected(self, correct: bool) -> ScoreLink:
        """The same link, corrected or not."""
        if bool(correct) == self.correct:
            return self
        return ScoreLink(
            self.loss, self.n_classes, self.class_weight, self.label_smoothing, correct
        )

    def has_proba(self) -> bool:
        """Whether the scores give probabilities; those of a hinge loss do not."""
        return self.loss.properties.response != "decision_function" or self.loss.invertible(
            self.n_classes
        )

    def has_correction(self) -> bool:
        """Whether `correct` may be set, with this smoothing and these class weights."""
        weight = self.class_weight
        return self.loss.invertible(self.n_classes, self.label_smoothing) and (
            weight is None or bool(np.all(weight > 0.0))
        )

    def proba(self, scores: NDArray[np.floating]) -> FloatArray:
        """Class probabilities.

        Parameters
        ----------
        scores : ndarray of shape (k, n) or (1, n)
            Raw scores by class; one row for two classes is that of the second, with the first at
            0, and for losses of one latent score.

        Returns
        -------
        ndarray of shape (n, k)
            Rows sum to 1.

        Raises
        ------
        InputError
            For a loss whose scores are no probabilities, see `has_proba`.
        """
        if not self.has_proba():
            raise InputError(
                f"scores of {self.loss.name} are no probabilities; use decision_function"
            )
        by_class = np.asarray(scores, dtype=np.float64)
        if len(by_class) == 1 and self.loss.properties.response != "latent":
            by_class = np.concatenate([np.zeros_like(by_class), by_class])
        if not self.correct:
            proba = self.loss.probabilities(by_class, self.n_classes)
        else:
            proba = self.loss.true_distribution(by_class, self.n_classes, self.label_smoothing)
            if self.class_weight is not None:
                # A row counts by the weight of its label, before that was smoothed.
                proba = on_simplex(proba / self.class_weight[:, np.newaxis])
        return np.ascontiguousarray(proba.T)
