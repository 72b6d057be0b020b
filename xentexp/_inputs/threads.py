"""Threads for blocks of rows: how many, and results in the order of the tasks."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Result = TypeVar("Result")


def n_threads(n_jobs: int | None) -> int:
    """Number of threads for `n_jobs`; 1 in a worker of another parallel call."""
    # A worker or a context of joblib or Dask exists only if its module is imported. The module is
    # not imported here, because that takes longer than the computation.
    if n_jobs == 1 or _in_dask_worker():
        return 1
    joblib: Any = sys.modules.get("joblib.parallel")
    if joblib is not None:
        backend, of_context = joblib.get_active_backend()
        if backend.nesting_level:
            return 1
        # The jobs of a cluster's backend do not run on this machine.
        local = type(backend).__module__.startswith("joblib.")
        if n_jobs is None and local and not type(backend).__module__.endswith("._dask"):
            n_jobs = of_context
    if n_jobs is None:
        return 1
    return n_jobs if n_jobs > 0 else max(1, _n_cpus(joblib) + 1 + n_jobs)


def _in_dask_worker() -> bool:
    distributed: Any = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _n_cpus(joblib: Any) -> int:
    if joblib is not None:
        return int(joblib.cpu_count())
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
