"""Log runs from several processes at once, and the same runs to a local store for comparison.

Usage: many_runs.py LOCAL SERVER PROCESSES RUNS WORD...

Each process runs `xentexp run WORD...` with the seeds 0 and 1 in turn, the local store gets one run
of each. The packages are imported once, because starting the processes takes as long as their runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from xentexp.experiments._cli import main

SEEDS = (0, 1)


def run_all(words: list[str], store: str, seeds: Sequence[int]) -> int:
    codes = [main(["run", *words, f"tracking.uri={store}", f"seed={seed}"]) for seed in seeds]
    return max(codes)


def fork_runs(words: list[str], store: str, seeds: Sequence[int], processes: int) -> int:
    """Largest exit code of the processes."""
    started = []
    for _ in range(processes):
        process = os.fork()
        if process == 0:
            code = 70
            try:
                code = run_all(words, store, seeds)
            finally:
                os._exit(code)
        started.append(process)
    return max(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in started)


if __name__ == "__main__":
    local, server, processes, runs, *words = sys.argv[1:]
    seeds = [SEEDS[i % len(SEEDS)] for i in range(int(runs))]
    sys.exit(run_all(words, local, SEEDS) or fork_runs(words, server, seeds, int(processes)))
