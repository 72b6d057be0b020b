"""Speed and memory of xentexp against its peers, measured in one run, beside the bounds.

Every piece of work runs on one thread; the pieces of a row take turns, and their medians are
compared. What counts is the processor time of the process: other work on the machine does not.
The values of all pieces are compared before any is timed. Peers that are not installed are named.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy is imported
os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

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
    """A measure that is no ratio of times: what was found, and whether it is within its bound."""

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="no long rows, three repeats")
    parser.add_argument("--repeats", type=int, default=9, help="of each piece of work (9)")
    options = parser.parse_args()

    import bench_rows  # here: after the environment is set

    console, report = Console(width=150), Report()
    wanted = [
        row
        for row in bench_rows.rows()
        if options.only in row.name and not (options.quick and row.long)
    ]
    for row in wanted:
        console.print(f"[dim]{row.name} ...[/dim]", highlight=False)
        if isinstance(row, Row):
            time_row(row, 3 if options.quick else options.repeats, report)
        else:
            found, within = row.measure()
            report.add(row.name, "", found, row.bound, not within)
    table = Table(title="time of each peer over ours: more than 1 is faster")
    for name in ("work", "ours, ms", "peers", "at least", ""):
        table.add_column(name, justify="right" if name == "ours, ms" else "left")
    for line in report.lines:
        table.add_row(*line)
    console.print(table)
    if report.missing:
        console.print(f"not installed, so not compared: {', '.join(sorted(report.missing))}")
    console.print(f"short of the bound: {'; '.join(report.short) or 'none'}", highlight=False)


if __name__ == "__main__":
    import sys

    sys.modules["bench"] = sys.modules["__main__"]  # the rows are made of the classes above
    main()
