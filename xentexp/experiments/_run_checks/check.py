"""A check of a finished run: what it tests, how often it is wrong, and its function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xentexp.experiments._record import RunRecord
from xentexp.experiments._run_checks.issue import Issue


def always(record: RunRecord) -> bool:
    """Whether a check of every run applies."""
    return True


@dataclass(frozen=True)
class Check:
    """One check; `docs/checks.py` measures its rate of false alarms."""

    code: str  # e.g. "X201"
    name: str  # e.g. "zero_or_one"
    tests: str  # what it tests
    method: str  # the test and its level, or the rule
    find: Callable[[RunRecord], Iterable[Issue]]
    applies: Callable[[RunRecord], bool] = always
    is_test: bool = False  # of a null hypothesis; the others are rules
    remedy: str = ""  # what to do, as far as it was tried
    false_alarm_rate: float | None = None  # measured, if chance can cause what it reports
    simulated: str = ""  # number of simulations, and on which data

    @property
    def summary(self) -> str:
        """First sentence on what it tests."""
        return f"{self.tests.partition('. ')[0].rstrip('.')}."

    def false_alarms(self) -> str:
        """Measured rate of false alarms, as text."""
        return "-" if self.false_alarm_rate is None else f"{self.false_alarm_rate:.1%}"
