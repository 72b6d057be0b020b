"""Scores of a large Parquet file: CPU time over a query in Polars, and the largest memory.

    python scripts/bench_files.py [--rows 20000000] [--classes 3] [--default]

Each measurement is a process of its own with one thread. The memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
BLOCK = 1_000_000
REPEATS = 5


def write(path: Path, n_rows: int, n_classes: int) -> None:
    """Labels and probabilities, which are not rounded, so that they do not compress."""
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(n_classes)]
    schema = pa.schema([("y", pa.int64()), *((name, pa.float64()) for name in names)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n_rows, BLOCK):
            n = min(BLOCK, n_rows - start)
            p = rng.dirichlet(np.ones(n_classes), n)
            y = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, n_classes - 1)
            writer.write_table(pa.table([y, *p.T.copy()], schema=schema))


def columns(path: Path) -> list[str]:
    return [name for name in pq.read_schema(path).names if name != "y"]


def by_polars(path: Path) -> float:
    """Mean log loss, by the streaming engine."""
    import polars as pl

    names = columns(path)
    true = pl.lit(None, dtype=pl.Float64)
    for place, name in enumerate(names):
        true = pl.when(pl.col("y") == place).then(pl.col(name)).otherwise(true)
    eps = float(np.finfo(np.float64).eps)
    query = pl.scan_parquet(path).select(loss=(-true.clip(eps, 1.0).log()).mean())
    return float(query.collect(engine="streaming")["loss"][0])


def by_xentexp(path: Path, losses: str | None = "log_loss") -> float:
    from xentexp.experiments._cli import main

    words = ["score", str(path), "--target", "y", "--proba", ",".join(columns(path)), "--json"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main([*words, *([] if losses is None else ["--losses", losses])])
    assert code == 0
    return float(json.loads(out.getvalue())["losses"]["categorical_crossentropy"]["mean"])


def measure(what: str, path: Path) -> None:
    """Print results of one process: CPU times, the loss and the largest memory in MB."""
    if what == "time":
        works = {"xentexp": by_xentexp, "polars": by_polars}
        values = {name: work(path) for name, work in works.items()}  # also imports
        assert abs(values["xentexp"] / values["polars"] - 1.0) < 1e-9, values
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(REPEATS):
            for name, work in works.items():
                start = time.process_time()
                work(path)
                times[name].append(time.process_time() - start)
        print(json.dumps({name: statistics.median(found) for name, found in times.items()}))
        return
    by_xentexp(path, None if what == "all" else "log_loss")
    # Not ru_maxrss, which begins with the memory of the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(json.dumps(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6))


def in_process(what: str, path: Path) -> object:
    command = [sys.executable, __file__, "--measure", what, str(path)]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--default", action="store_true", help="memory of all losses and metrics")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scored.parquet"
        write(path, options.rows, options.classes)
        print(f"{options.rows:,} x {options.classes}, {path.stat().st_size / 1e6:,.0f} MB Parquet")
        times = in_process("time", path)
        assert isinstance(times, dict)
        ratio = times["xentexp"] / times["polars"]
        print(f"one loss, CPU over that of Polars: {ratio:.2f} (at most 2)")
        print(f"one loss, largest memory: {in_process('memory', path):.0f} MB (at most 400)")
        if options.default:
            print(f"all losses and metrics: {in_process('all', path):.0f} MB (at most 400)")


if __name__ == "__main__":
    main()
