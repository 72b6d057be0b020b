"""Losses after each training round, on the training rows and the held-out rows."""

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
    """Mean losses of one part of the rows, as a function of the raw scores."""

    def __init__(
        self,
        trained: TrainingObjective,  # with class weights and label smoothing
        further_losses: Sequence[Loss],  # with sample weights only
        link: ScoreLink,
        sample_weight: FloatArray | None,
    ) -> None:
        self.trained = trained
        self.further_losses = list(further_losses)
        self.link = link
        self.sample_weight = sample_weight

    def __call__(self, scores: NDArray[np.floating]) -> list[float]:
        """Mean of the trained loss, then of the further losses; scores (n_scores, n)."""
        values = [self.trained.mean_loss(scores)]
        if self.further_losses:
            evaluation = evaluate(
                self.trained.index,
                self.link.proba(scores) if self.link.has_proba() else None,
                self.further_losses,
                decision=scores[0] if len(scores) == 1 else scores.T,
                labels=list(range(self.trained.n_classes)),
                sample_weight=self.sample_weight,
                ordered=True,
            )
            values += [evaluation.mean[loss.name] for loss in self.further_losses]
        return values


class History:
    """Learning curves, and the early stopping rule."""

    def __init__(
        self, names: Sequence[str], parts: Mapping[str, PartLosses], patience: int | None = None
    ) -> None:
        # `names` starts with the loss that is trained on; `parts` has "train", "valid" or both.
        self.parts = parts
        self.patience = patience  # rounds without a lower trained loss on "valid"
        # part -> loss -> one value for each round
        self.curve: dict[str, dict[str, list[float]]] = {
            part: {name: [] for name in names} for part in parts
        }
        self._trained = names[0]

    def record(self, part: str, scores: NDArray[np.floating]) -> None:
        """Append the losses of one part after a round; scores (n_scores, n)."""
        values = self.parts[part](scores)
        for curve, value in zip(self.curve[part].values(), values, strict=True):
            curve.append(value)

    def best_round(self) -> int:
        """Round, counted from 1, with the lowest trained loss on "valid"; the first if tied."""
        return int(np.argmin(self.curve["valid"][self._trained])) + 1

    def should_stop(self) -> bool:
        """Whether `patience` rounds have passed since the best round."""
        if self.patience is None:
            return False
        return len(self.curve["valid"][self._trained]) - self.best_round() >= self.patience


def recorded_losses(record: object, link: ScoreLink) -> list[Loss]:
    """Losses in `record` without the loss that is trained on, checked."""
    trained = link.loss
    if isinstance(record, str) or not isinstance(record, Sequence):
        raise InputError(
            f"record must be None or a sequence of losses; got {record!r}; pass a list of names"
        )
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
            raise InputError(f"record must hold losses that fit the model; {loss.name} {reason}")
    known = {trained.name: trained}
    for loss in losses:
        if known.setdefault(loss.name, loss) != loss:
            raise InputError(
                f"record must not hold two different losses with the same name; got {loss!r} and "
                f"{known[loss.name]!r}; record one of them"
            )
    return list(known.values())[1:]
