"""Losses of each round of boosting, on the rows that are trained on and on those held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.estimators.link import ScoreLink
from xentexp.inputs.checked import PlannedInput
from xentexp.losses import Loss
from xentexp.metrics.evaluation import evaluate
from xentexp.metrics.registry import get_loss
from xentexp.numerics import FloatArray
from xentexp.objectives import TrainingObjective


class PartLosses:
    """Mean losses of raw scores on one part of the rows.

    Parameters
    ----------
    trained : TrainingObjective
        What is trained on, with these rows: weighted and smoothed as it is.
    others : sequence of Loss
        Further losses, weighted by `sample_weight` alone: those of probabilities see the
        probabilities that the model gives, those of margins its raw scores.
    link : ScoreLink
        From raw scores to probabilities.
    sample_weight : ndarray of shape (n,), optional
        Weights of the rows.
    """

    def __init__(
        self,
        trained: TrainingObjective,
        others: Sequence[Loss],
        link: ScoreLink,
        sample_weight: FloatArray | None,
    ) -> None:
        self.trained = trained
        self.others = list(others)
        self.link = link
        self.sample_weight = sample_weight

    def __call__(self, scores: NDArray[np.floating]) -> list[float]:
        """Values in the order: what is trained on, the others.

        Parameters
        ----------
        scores : ndarray of shape (n_scores, n)
            Raw scores.

        Returns
        -------
        list of float
            Weighted means.
        """
        values = [self.trained.loss(scores)]
        if self.others:
            found = evaluate(
                self.trained.index,
                self.link.proba(scores) if self.link.has_proba() else None,
                self.others,
                decision=scores[0] if len(scores) == 1 else scores.T,
                labels=list(range(self.trained.n_classes)),
                sample_weight=self.sample_weight,
                ordered=True,
            )
            values += [found.mean[loss.name] for loss in self.others]
        return values


class History:
    """What was recorded so far, and whether it is time to stop.

    Parameters
    ----------
    names : sequence of str
        Losses, that which is trained on first.
    parts : mapping
        ``"train"`` and ``"valid"``, or one of them.
    patience : int, optional
        Rounds without a new best of the first loss on ``"valid"``, after which to stop.

    Attributes
    ----------
    curve : dict
        Part -> loss -> values, one for each round.

    Examples
    --------
    >>> progress = History(["loss"], {"valid": lambda scores: [scores]}, patience=2)
    >>> for value in [3.0, 1.0, 2.0, 2.0]:
    ...     progress.record("valid", value)
    ...     print(progress.is_over(), progress.best_round())
    False 1
    False 2
    False 2
    True 2
    """

    def __init__(
        self, names: Sequence[str], parts: Mapping[str, PartLosses], patience: int | None = None
    ) -> None:
        self.parts = parts
        self.patience = patience
        self.curve: dict[str, dict[str, list[float]]] = {
            part: {name: [] for name in names} for part in parts
        }
        self._watched = names[0]

    def record(self, part: str, scores: NDArray[np.floating]) -> None:
        """Note the losses of a part after a round.

        Parameters
        ----------
        part : str
            Of `parts`.
        scores : ndarray of shape (n_scores, n)
            Raw scores of its rows.
        """
        values = self.parts[part](scores)
        for line, value in zip(self.curve[part].values(), values, strict=True):
            line.append(value)

    def best_round(self) -> int:
        """Number of rounds with the least loss on ``"valid"``, the first of those that tie.

        Returns
        -------
        int
            From 1.
        """
        return int(np.argmin(self.curve["valid"][self._watched])) + 1

    def is_over(self) -> bool:
        """Whether the patience is at its end.

        Returns
        -------
        bool
            Never without a patience.
        """
        if self.patience is None:
            return False
        return len(self.curve["valid"][self._watched]) - self.best_round() >= self.patience


def find_recorded(record: object, trained: Loss, link: ScoreLink, n_classes: int) -> list[Loss]:
    """Losses that are to be recorded beside the one that is trained on.

    Parameters
    ----------
    record : sequence of str or Loss
        As the user gave it.
    trained : Loss
        Which is recorded anyway.
    link : ScoreLink
        Whether there are probabilities.
    n_classes : int
        Number of classes.

    Returns
    -------
    list of Loss
        Without `trained`.

    Raises
    ------
    InputError
        For what is no loss, and for losses that the model's predictions have no room for.
    """
    if isinstance(record, str) or not isinstance(record, Sequence):
        raise InputError(f"record must be None or a sequence of losses; got {record!r}")
    found = [get_loss(loss) for loss in record]
    for loss in found:
        reason = loss.why_not(
            PlannedInput(
                n_classes,
                has_proba=link.has_proba(),
                latent=trained.properties.needs == "latent" or n_classes == 2,
            )
        )
        if reason is not None:
            raise InputError(f"record: {loss.name} {reason}")
    known = {trained.name: trained}
    for loss in found:
        if known.setdefault(loss.name, loss) != loss:
            raise InputError(
                f"record: {loss.name} goes by its name, which {known[loss.name]} has already; "
                f"record one of the two"
            )
    return list(known.values())[1:]
