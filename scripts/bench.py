"""Compare the speed and memory of xentexp with other libraries (peers), and with fixed bounds.

Each row of the table is one task that xentexp and its peers compute on one thread, in turn; the
table shows ratios of median processor times. Processor time does not depend on other programs. All
results of a row are checked for equality before they are timed. Peers that are not installed are
listed. With --against, this checkout is compared with another checkout of xentexp instead.
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
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="run only rows whose name contains TEXT"
    )
    parser.add_argument("--quick", action="store_true", help="skip long rows; 3 repeats")
    parser.add_argument("--repeats", type=int, default=9, help="repeats of each task (default: 9)")
    parser.add_argument(
        "--against", type=Path, metavar="PATH", help="compare with the checkout of xentexp in PATH"
    )
    parser.add_argument(
        "--pairs", type=int, default=15, help="timed pairs of each row with --against (default: 15)"
    )
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
    selected = [
        row for row in rows() if options.only in row.name and not (options.quick and row.long)
    ]
    for row in selected:
        console.print(f"[dim]{row.name} ...[/dim]", highlight=False)
        if isinstance(row, Row):
            time_row(row, 3 if options.quick else options.repeats, report)
        else:
            measured, within_bound = row.measure()
            report.add(row.name, "", measured, row.bound, not within_bound)
    table = Table(title="time of each peer divided by ours (above 1: xentexp is faster)")
    for name in ("task", "ours, ms", "peers", "at least", ""):
        table.add_column(name, justify="right" if name == "ours, ms" else "left")
    for line in report.lines:
        table.add_row(*line)
    console.print(table)
    if report.missing:
        console.print(f"not compared, because not installed: {', '.join(sorted(report.missing))}")
    console.print(f"bounds that are not met: {'; '.join(report.short) or 'none'}", highlight=False)


if __name__ == "__main__":
    main()
