"""Losses after each round of training, on the training rows and on the held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.checked import PlannedInput
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.estimators._link import ScoreLink
from xentexp.losses import Loss
from xentexp.metrics._evaluation import evaluate
from xentexp.metrics._registry import get_loss
from xentexp.objectives import TrainingObjective


class PartLosses:
    """Mean losses of one part: the trained one as in training, others by sample weight."""

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
        """The trained loss of scores ``(n_scores, n)``, then the others."""
        values = [self.trained.mean_loss(scores)]
        if self.others:
            evaluation = evaluate(
                self.trained.index,
                self.link.proba(scores) if self.link.has_proba() else None,
                self.others,
                decision=scores[0] if len(scores) == 1 else scores.T,
                labels=list(range(self.trained.n_classes)),
                sample_weight=self.sample_weight,
                ordered=True,
            )
            values += [evaluation.mean[loss.name] for loss in self.others]
        return values


class History:
    """What was recorded so far, and whether it is time to stop."""

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
        """Add the losses of a part's scores ``(n_scores, n)`` after a round."""
        values = self.parts[part](scores)
        for line, value in zip(self.curve[part].values(), values, strict=True):
            line.append(value)

    def best_round(self) -> int:
        """Round, from 1, of the least trained loss on ``"valid"``; the first of those that tie."""
        return int(np.argmin(self.curve["valid"][self._watched])) + 1

    def is_over(self) -> bool:
        """Whether `patience` rounds have passed since the best one."""
        if self.patience is None:
            return False
        return len(self.curve["valid"][self._watched]) - self.best_round() >= self.patience


def recorded_losses(record: object, link: ScoreLink) -> list[Loss]:
    """Losses of `record`, without the trained one."""
    trained = link.loss
    if isinstance(record, str) or not isinstance(record, Sequence):
        raise InputError(f"record must be None or a sequence of losses; got {record!r}")
    losses = [get_loss(loss) for loss in record]
    for loss in losses:
        reason = loss.why_not(
            PlannedInput(
                link.n_classes,
                has_proba=link.has_proba(),
                latent=trained.properties.response == "latent" or link.n_classes == 2,
            )
        )
        if reason is not None:
            raise InputError(f"record: {loss.name} {reason}")
    known = {trained.name: trained}
    for loss in losses:
        if known.setdefault(loss.name, loss) != loss:
            raise InputError(
                f"record: {loss.name} goes by its name, which {known[loss.name]} has already; "
                f"record one of the two"
            )
    return list(known.values())[1:]
