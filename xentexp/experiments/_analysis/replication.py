"""Compare published numbers with those of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from xentexp.experiments._formatting import finite_or_none
from xentexp.experiments._results import ExperimentResult


@dataclass(frozen=True)
class Published:
    """A number that was published of a model."""

    model: str
    measure: str
    value: float
    within: float


@dataclass(frozen=True)
class Reproduced:
    """A published number beside ours."""

    published: Published
    ours: float

    @property
    def difference(self) -> float:
        """Ours less the published number."""
        return self.ours - self.published.value

    @property
    def met(self) -> bool:
        """Whether the difference is within the tolerance; False without a number."""
        return abs(self.difference) <= self.published.within

    def to_record(self) -> dict[str, object]:
        """Plain values, JSON-able."""
        return {
            **asdict(self.published),
            "ours": finite_or_none(self.ours),
            "difference": finite_or_none(self.difference),
            "met": self.met,
        }


def compare(published: Sequence[Published], result: ExperimentResult) -> list[Reproduced]:
    """Published numbers beside those of a run."""
    means = {
        candidate_result.candidate.name: candidate_result.mean()
        for candidate_result in result.candidate_results
    }
    return [
        Reproduced(number, means.get(number.model, {}).get(number.measure, math.nan))
        for number in published
    ]
