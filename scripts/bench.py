"""Speed and memory of xentexp against its peers, measured in one run, beside the bounds.

Every piece of work runs on one thread; the pieces of a row take turns, and their medians are
compared. What counts is the processor time of the process: other work on the machine does not.
The values of all pieces are compared before any is timed. Peers that are not installed are named.
With ``--against PATH`` this tree is compared with another checkout of xentexp instead.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy is imported
os.environ.setdefault("KERAS_BACKEND", "torch")

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="no long rows, three repeats")
    parser.add_argument("--repeats", type=int, default=9, help="of each piece of work (9)")
    parser.add_argument("--against", type=Path, help="another checkout, timed in pairs with this")
    parser.add_argument("--pairs", type=int, default=15, help="of each row with --against (15)")
    options = parser.parse_args()
    console = Console(width=150)
    if options.against is not None:
        from bench_pairs import compare

        compare(options.against, options.only, options.pairs, console)
    else:
        against_peers(options, console)


def against_peers(options: argparse.Namespace, console: Console) -> None:
    from bench_rows import rows
    from bench_timing import Report, Row, time_row

    report = Report()
    wanted = [
        row for row in rows() if options.only in row.name and not (options.quick and row.long)
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
    main()
