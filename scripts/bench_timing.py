"""Pieces of work that take turns, and the table of their medians."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """Work of ours and of the peers, and how many times slower each peer should be at least."""

    name: str
    make: Callable[[], dict[str, Work]]
    bounds: dict[str, float]
    at_most: float | None = None  # microseconds of ours
    calls: int = 1  # timed together, where one is short
    long: bool = False


@dataclass(frozen=True)
class Fact:
    """A measure other than a ratio of times, and whether it is within its bound."""

    name: str
    bound: str
    measure: Callable[[], tuple[str, bool]]
    long: bool = False


@dataclass
class Report:
    """Lines of the table, and the names of the rows that fall short."""

    lines: list[list[str]] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def add(self, name: str, ours: str, peers: str, bound: str, fails: bool) -> None:
        self.lines.append([name, ours, peers, bound, "SHORT" if fails else "ok"])
        if fails:
            self.short.append(name)


def interleaved(works: dict[str, Work], repeats: int, calls: int = 1) -> dict[str, float]:
    """Median seconds of each piece of work; they take turns, so that noise hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        for _ in range(min(calls, 20)):
            work()
    for _ in range(repeats):
        for name, work in works.items():
            start = time.process_time()
            for _ in range(calls):
                work()
            seconds[name].append((time.process_time() - start) / calls)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def time_row(row: Row, repeats: int, report: Report) -> None:
    works = row.make()
    value = works["ours"]()
    for name, work in works.items():  # a comparison of different numbers means nothing
        np.testing.assert_allclose(work(), value, rtol=1e-9, err_msg=f"{row.name}: {name}")
    seconds = interleaved(works, repeats, row.calls)
    ours = seconds.pop("ours")
    ratios = {name: value / ours for name, value in seconds.items()}
    report.missing |= set(row.bounds) - set(ratios)
    fails = any(ratios[name] < least for name, least in row.bounds.items() if name in ratios)
    bound = [f"{name} {least:g}" for name, least in row.bounds.items()]
    if row.at_most is not None:
        fails = fails or ours * 1e6 > row.at_most
        bound.append(f"{row.at_most:g} us")
    report.add(
        row.name,
        f"{ours * 1e3:.3f}",
        ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items()),
        ", ".join(bound),
        fails,
    )
