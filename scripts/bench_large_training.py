"""Peak memory and time of `xentexp run` on a large table, phase by phase.

The command is run in a process of its own on a Parquet file that this script makes. The memory is
the proportional set size (PSS) of all of its processes together, in which a page that several
processes share counts once; it is sampled five times a second. The bound is three times the table
plus one training part for each worker.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any

MEGABYTE = 1e6
INTERVAL = 0.2
EVENTS = "XENTEXP_BENCH_EVENTS"
MODELS = "models=[logistic,hist_gradient_boosting,lightgbm_loss]"
_TICKS = os.sysconf("SC_CLK_TCK")


# --- the command, with a line in a file when a phase begins or ends


def run_command(arguments: list[str]) -> int:
    """Run the command in this process and note the times of its phases."""
    from xentexp.experiments import _cli

    run = _cli._dispatch

    def dispatch(words: list[str]) -> int:
        with Path(os.environ[EVENTS]).open("a", buffering=1) as stream:
            note_phases(partial(print, file=stream))
            return run(words)

    _cli._dispatch = dispatch
    return _cli.main(["run", *arguments])


def note_phases(write: Callable[[str], None]) -> None:
    """Wrap the functions that are phases of a run."""
    from xentexp.experiments import _compare
    from xentexp.experiments._cli import job, outputs
    from xentexp.experiments._config import study
    from xentexp.experiments._serving.refit import Refits
    from xentexp.experiments._tracking import runs
    from xentexp.experiments.datasets import _base, _prepare, _table

    def phase(owner: Any, name: str, title: str) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            write(json.dumps([time.time(), "begin", title]))
            try:
                return original(*args, **kwargs)
            finally:
                write(json.dumps([time.time(), "end", title]))

        setattr(owner, name, noted)

    def fits(*args: Any, **kwargs: Any) -> Iterator[Any]:
        write(json.dumps([time.time(), "begin", "fits"]))
        yield from fit_all(*args, **kwargs)
        write(json.dumps([time.time(), "end", "fits"]))

    fit_all, _compare.fit_all = _compare.fit_all, fits
    phase(_table, "read_file", "read the file")
    phase(_table, "_with_days", "look for dates")
    phase(_table, "make_dataset", "make the data set")
    phase(_prepare, "_digest", "digest")
    phase(_table, "row_numbers_to_leave_out", "row numbers")
    phase(_base, "check_table", "checks of the table")
    phase(_base, "search_entities", "search for entities")
    phase(_base, "find_duplicates", "duplicates")
    phase(_base.Dataset, "describe", "data card")
    phase(study, "_folds", "folds")
    phase(study, "_load", "load the data")
    phase(_compare, "make_plan", "plan of explanations")
    phase(_compare, "_score", "scores of a model")
    phase(runs, "log_candidate", "log a model")
    phase(Refits, "of", "fit on all rows")
    phase(job, "build", "build the study")
    for output in outputs._ALL:
        phase(_Frozen(output), "log", output.name)


class _Frozen:
    """Access to an attribute of a frozen dataclass that can be set."""

    def __init__(self, instance: object) -> None:
        self.__dict__["instance"] = instance

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["instance"], name)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self.__dict__["instance"], name, value)


# --- measurement


@dataclass
class Phase:
    """Largest memory and seconds while a phase was the innermost one."""

    peak: float = 0.0
    seconds: float = 0.0
    processes: list[float] = field(default_factory=list)  # memory of each at the peak


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    found, parents = [root], [root]
    while parents:
        children: list[int] = []
        for parent in parents:
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{parent}/task").iterdir():
                    children += map(int, (task / "children").read_text().split())
        found += children
        parents = children
    return found


def pss(process: int) -> float:
    """Proportional set size of a process in MB; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
    return 0.0


def processor_seconds(process: int) -> float:
    """Processor time of a process and of its children that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def measure(arguments: list[str], folder: Path) -> tuple[dict[str, Phase], Phase]:
    """Phases of the command, and the whole."""
    events = folder / "events"
    events.touch()
    environment = {**os.environ, EVENTS: str(events)}
    command = [sys.executable, __file__, "--command", *arguments]
    log = (folder / "log").open("w")
    samples: list[tuple[float, list[float]]] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
    ) as process:
        seconds = 0.0
        try:
            while process.poll() is None:
                processes = tree(process.pid)
                samples.append((time.time(), [pss(number) for number in processes]))
                seconds = max(seconds, sum(map(processor_seconds, processes)))
                time.sleep(INTERVAL)
        finally:
            process.terminate()
    log.close()
    if process.returncode != 0:
        print((folder / "log").read_text()[-3000:])
        raise SystemExit(f"the command ended with exit code {process.returncode}")
    phases: dict[str, Phase] = {}
    whole = Phase(seconds=seconds)
    for title, start, end in intervals(events, samples[0][0], samples[-1][0]):
        phases.setdefault(title, Phase()).seconds += end - start
        for moment, memory in samples:
            if start <= moment < end and sum(memory) > phases[title].peak:
                phases[title].peak, phases[title].processes = sum(memory), memory
    for _, memory in samples:
        if sum(memory) > whole.peak:
            whole.peak, whole.processes = sum(memory), memory
    return phases, whole


def intervals(events: Path, start: float, end: float) -> Iterator[tuple[str, float, float]]:
    """Intervals of time with the title of the innermost phase."""
    stack = ["other steps"]
    last = start
    for line in events.read_text().splitlines():
        moment, kind, title = json.loads(line)
        yield stack[-1], last, moment
        last = moment
        if kind == "begin":
            stack.append(title)
        else:
            stack.remove(title)
    yield stack[-1], last, end


# --- data


def make_table(path: Path, n_rows: int, n_columns: int, n_categories: int) -> None:
    """Write a table of two classes; the last columns are categories."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    weights = rng.normal(size=n_columns) / n_columns**0.5
    columns: dict[str, Any] = {}
    score = np.zeros(n_rows)
    for i in range(n_columns):
        values = rng.normal(size=n_rows)
        score += weights[i] * values
        if i < n_columns - n_categories:
            columns[f"x{i}"] = values
        else:
            codes = np.searchsorted([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5], values)
            texts = pa.array([f"level {j}" for j in range(8)])
            columns[f"c{i}"] = pa.DictionaryArray.from_arrays(codes.astype(np.int8), texts)
    columns["y"] = (score + rng.logistic(size=n_rows) > 1.0).astype(np.int64)
    pq.write_table(pa.table(columns), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows (default: 1000000)")
    parser.add_argument("--columns", type=int, default=50, help="features (default: 50)")
    parser.add_argument("--categories", type=int, default=0, help="features that are categories")
    parser.add_argument("--workers", type=int, default=2, help="fits in parallel (default: 2)")
    parser.add_argument("--models", default=MODELS, help=f"default: {MODELS}")
    parser.add_argument("overrides", nargs="*", help="more overrides, such as explain=null")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "large.parquet"
        # In a process of its own, so that this one stays small.
        make = f"from bench_large_training import *; make_table(Path({str(file)!r}), "
        make += f"{options.rows}, {options.columns}, {options.categories})"
        subprocess.run([sys.executable, "-c", make], cwd=Path(__file__).parent, check=True)
        store = f"tracking.uri=sqlite:///{folder / 'store.db'}"
        data = ["dataset=table", f"dataset.path={file}", "dataset.target=y"]
        arguments = [*data, options.models, f"n_jobs={options.workers}", store, *options.overrides]
        phases, whole = measure(arguments, folder)
    table = 8 * options.rows * options.columns / MEGABYTE
    part = table * 4 / 5
    bound = 3 * table + options.workers * part
    print(f"{'phase':26}{'peak, MB':>10}{'seconds':>9}  processes at the peak, MB")
    for title, phase in phases.items():
        each = ", ".join(f"{memory:.0f}" for memory in phase.processes if memory >= 1)
        print(f"{title:26}{phase.peak:10.0f}{phase.seconds:9.1f}  {each}")
    print(f"table {table:.0f} MB, training part of five folds {part:.0f} MB")
    print(f"processor time {whole.seconds:.0f} s")
    print(f"peak {whole.peak:.0f} MB, bound {bound:.0f} MB, ratio {whole.peak / bound:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--command"]:
        raise SystemExit(run_command(sys.argv[2:]))
    main()
