"""Threads for blocks of rows: how many, and results in the order of the tasks."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from xentexp._inputs.options import check_n_jobs

Result = TypeVar("Result")


def n_threads(n_jobs: int | None) -> int:
    """Number of threads for `n_jobs`: 1 in a worker of another parallel call."""
    if n_jobs is None and "joblib" not in sys.modules:  # the usual case
        return 1
    check_n_jobs(n_jobs)
    if _in_worker():
        return 1
    if n_jobs is None:
        n_jobs = _configured()
    return n_jobs if n_jobs > 0 else max(1, _n_cpus() + 1 + n_jobs)


# A context or a worker of joblib or Dask exists only if their module is imported. The module itself
# is not imported here, because it would take longer than the computation.


def _in_worker() -> bool:
    """Whether this is a worker of joblib or Dask."""
    if "distributed" in sys.modules:
        try:
            sys.modules["distributed"].get_worker()
            return True
        except ValueError:  # there is none
            pass
    if "joblib" not in sys.modules:
        return False
    backend, _ = sys.modules["joblib.parallel"].get_active_backend()
    return bool(backend.nesting_level)


def _configured() -> int:
    """`n_jobs` of the context ``joblib.parallel_config``, 1 without one."""
    backend, n_jobs = sys.modules["joblib.parallel"].get_active_backend()
    # The jobs of a cluster's backend do not run on this machine.
    local = type(backend).__module__.startswith("joblib._parallel_backends")
    return int(n_jobs) if local and n_jobs is not None else 1


def _n_cpus() -> int:
    if "joblib" in sys.modules:
        return int(sys.modules["joblib"].cpu_count())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(tasks: Iterable[Callable[[], Result]], n_workers: int) -> Iterator[Result]:
    """Results of tasks that run on several threads, in the order of the tasks."""
    # The first error in this order is raised, as without threads. Few tasks wait at a time, so that
    # their results need little memory.
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            for task in tasks:
                # np.errstate of the caller applies in the threads too.
                pending.append(pool.submit(copy_context().run, task))
                if len(pending) > 2 * n_workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
