"""Dask: a client of a cluster by its address, or of a local cluster of separate processes."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from typing import Any

from xentexp.errors import InputError, import_extra

_SECONDS = 10.0
"""How long the scheduler of an address may take to answer."""

# A worker must have the same number of threads of BLAS and OpenMP as a fit without Dask, which sets
# its own: Dask would set 1 in each process.
_THREADS: dict[str, Any] = {"distributed.nanny.pre-spawn-environ": {}}


@contextlib.contextmanager
def dask_client(address: str | None, n_workers: int) -> Iterator[Any]:
    """`distributed.Client` of the scheduler at an address, or of `n_workers` local processes."""
    distributed = import_extra("distributed", "engine dask")
    import dask

    with (
        dask.config.set({**_THREADS, "temporary-directory": tempfile.gettempdir()}),
        contextlib.ExitStack() as stack,
    ):
        if address is None:
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=n_workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # else port 8787 of all interfaces
                    silence_logs=logging.ERROR,
                )
            )
            yield stack.enter_context(distributed.Client(cluster))
            return
        try:
            client = stack.enter_context(distributed.Client(address, timeout=_SECONDS))
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(
                f"the address must be that of a Dask scheduler that answers within "
                f"{_SECONDS:g} seconds; got {address!r} ({reason}); write it as dask scheduler "
                f"prints it, e.g. tcp://127.0.0.1:8786"
            ) from error
        try:
            client.wait_for_workers(1, timeout=_SECONDS)
        except TimeoutError:
            raise InputError(
                f"the Dask scheduler {address} must have a worker; got none within {_SECONDS:g} "
                f"seconds; start one with dask worker {address}"
            ) from None
        yield client
