"""Compare published numbers with those of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from xentexp.experiments._formatting import finite_or_none
from xentexp.experiments._results import ExperimentResult


@dataclass(frozen=True)
class Published:
    """Published value of one loss or metric of a model."""

    model: str  # name of the candidate
    measure: str  # name of the loss or metric
    value: float
    within: float  # largest absolute difference that counts as reproduced


@dataclass(frozen=True)
class Reproduced:
    """A published value and the value of this run."""

    published: Published
    ours: float  # NaN if the model failed or has no such value

    @property
    def difference(self) -> float:
        """Value of this run minus the published value."""
        return self.ours - self.published.value

    @property
    def met(self) -> bool:
        """Whether the difference is within the tolerance; False if this run has no value."""
        return abs(self.difference) <= self.published.within

    def to_record(self) -> dict[str, object]:
        """Values for JSON; NaN becomes None."""
        return {
            **asdict(self.published),
            "ours": finite_or_none(self.ours),
            "difference": finite_or_none(self.difference),
            "met": self.met,
        }


def compare(published: Sequence[Published], result: ExperimentResult) -> list[Reproduced]:
    """Pair each published value with the value of this run, in the same order."""
    means = {
        candidate_result.candidate.name: candidate_result.mean()
        for candidate_result in result.candidate_results
    }
    return [
        Reproduced(number, means.get(number.model, {}).get(number.measure, math.nan))
        for number in published
    ]
