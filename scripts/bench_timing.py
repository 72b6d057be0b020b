"""Time tasks in turn, and collect the medians in a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A task of xentexp and its peers, and the minimum ratio of their times for each peer."""

    name: str
    make: Callable[[], dict[str, Work]]
    bounds: dict[str, float]
    at_most: float | None = None  # bound on our time, in microseconds
    calls: int = 1  # number of calls that are timed together
    long: bool = False


@dataclass(frozen=True)
class Fact:
    """A measurement other than a ratio of times; returns its text and whether the bound is met."""

    name: str
    bound: str
    measure: Callable[[], tuple[str, bool]]
    long: bool = False


@dataclass
class Report:
    """Lines of the table, rows whose bound is not met, and peers that are not installed."""

    lines: list[list[str]] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def add(self, name: str, ours: str, peers: str, bound: str, fails: bool) -> None:
        self.lines.append([name, ours, peers, bound, "SHORT" if fails else "ok"])
        if fails:
            self.short.append(name)


def interleaved(works: dict[str, Work], repeats: int, calls: int = 1) -> dict[str, float]:
    """Median seconds of each task; the tasks run in turn, so that noise affects all equally."""
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
    for name, work in works.items():  # times are comparable only if the results are equal
        np.testing.assert_allclose(work(), value, rtol=1e-9, err_msg=f"{row.name}: {name}")
    seconds = interleaved(works, repeats, row.calls)
    ours = seconds.pop("ours")
    ratios = {name: value / ours for name, value in seconds.items()}
    report.missing |= set(row.bounds) - set(ratios)
    fails = any(ratios[name] < least for name, least in row.bounds.items() if name in ratios)
    bound = [f"{name} {least:.3g}" for name, least in row.bounds.items()]
    if row.at_most is not None:
        fails = fails or ours * 1e6 > row.at_most
        bound.append(f"{row.at_most:g} us")
    report.add(
        row.name,
        f"{ours * 1e3:.3f}",
        ", ".join(f"{name} {ratio:.3g}" for name, ratio in ratios.items()),
        ", ".join(bound),
        fails,
    )
