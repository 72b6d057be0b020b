"""Engine on a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import sklearn

from xentexp._inputs.options import check_integer
from xentexp.errors import InputError, import_extra, plain_errors
from xentexp.experiments._engines.base import (
    Arguments,
    Engine,
    Lost,
    Passed,
    Results,
    call,
    check_address,
)
from xentexp.experiments.datasets import Dataset

_ATTEMPTS = 3  # for a fit whose data are lost with the last worker that had them
_SECONDS = 10.0
"""How long the scheduler of an address may take to answer."""

# A worker must have the same number of threads of BLAS and OpenMP as a fit without Dask, which sets
# its own: Dask would set 1 in each process.
_THREADS: dict[str, Any] = {"distributed.nanny.pre-spawn-environ": {}}


class DaskEngine(Engine):
    """Fits on a Dask cluster, for ``run_experiment(engine=...)``.

    The data set is sent to each worker once. If a worker ends, the fits that it had not completed
    run again on the others. A fit that ends four workers is recorded as failed.

    Parameters
    ----------
    address : str, default=None
        Address of the scheduler, such as ``"tcp://192.0.2.1:8786"``. By default worker processes
        are started on this computer, and ended after the experiment; the calling script then needs
        ``if __name__ == "__main__":``.
    n_workers : int, default=None
        Number of worker processes to start on this computer; by default 2. Not allowed with
        `address`.

    Raises
    ------
    InputError
        If distributed is not installed, or the scheduler or its workers do not answer within ten
        seconds.

    See Also
    --------
    RayEngine : Fits on a Ray cluster.

    Notes
    -----
    Fits are submitted to Dask's client directly. joblib's Dask backend waits forever for a task
    that Dask gives up, and sends short fits in batches, all of which a killed worker costs.

    Examples
    --------
    >>> from xentexp.experiments import DaskEngine
    >>> engine = DaskEngine("tcp://127.0.0.1:8786")
    """

    name = "dask"

    def __init__(self, address: str | None = None, n_workers: int | None = None) -> None:
        super().__init__()
        check_address("dask", address, "tcp://HOST:PORT")
        if n_workers is not None:
            check_integer("n_workers", n_workers, 1)
            if address is not None:
                raise InputError(
                    f"n_workers is for workers on this computer; got n_workers={n_workers} with "
                    f"address={address}; leave one of them out"
                )
        self.address = address
        self.n_workers = n_workers
        self._client: Any = None

    @property
    def client(self) -> Any:
        """`distributed.Client` of the cluster, while the engine is open."""
        return self._client

    def _connect(self) -> None:
        """Connect to the scheduler, or start workers on this computer."""
        client = _dask_client(self.address, self.n_workers or 2)
        self._client = self.until_closed.enter_context(client)

    def _share(self, dataset: Dataset) -> Any:
        """Future of the data set on all workers."""
        return self._client.scatter(Passed(dataset), broadcast=True, hash=False)

    def run(
        self,
        function: Callable[..., Any],
        calls: Mapping[int, Arguments],
        dataset: Dataset,
        *,
        n_jobs: int | None,
        threads: int,
    ) -> Results:
        """Run the calls on the workers, at most `n_jobs` of them at once."""
        with plain_errors("the Dask cluster does not answer any more", OSError, "distributed"):
            yield from self._submitted(function, calls, dataset, n_jobs, threads)

    def _submitted(
        self,
        function: Callable[..., Any],
        calls: Mapping[int, Arguments],
        dataset: Dataset,
        n_jobs: int | None,
        threads: int,
    ) -> Results:
        distributed = import_extra("distributed", "engine=dask")
        shared = self._share(dataset)
        config = sklearn.get_config()
        waiting = list(calls)[::-1]
        attempts = dict.fromkeys(calls, 0)
        running: dict[Any, int] = {}
        completed = distributed.as_completed(loop=self._client.loop)
        at_once = self._at_once(n_jobs) or len(calls)

        def submit(number: int) -> None:
            attempts[number] += 1
            future = self._client.submit(
                *(call, number, function, shared, calls[number], threads, config),
                nested=True,
                key=f"fit-{number}-{uuid4().hex}",
                pure=False,
            )
            running[future] = number
            completed.add(future)

        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    submit(waiting.pop())
                future = next(completed)
                number = running.pop(future)
                if future.status == "finished":
                    yield future.result()
                elif future.status == "error":
                    error = future.exception()
                    if not isinstance(error, distributed.scheduler.KilledWorker):
                        raise _cannot_run(error)
                    yield number, Lost("the processes of the fit ended: out of memory, or a crash")
                elif attempts[number] < _ATTEMPTS:
                    if shared.status != "finished":
                        shared = self._share(dataset)
                    waiting.append(number)
                else:
                    yield number, Lost("the Dask cluster lost the fit, as often as it was sent")
        finally:
            self._client.cancel([shared, *running])

    def _at_once(self, n_jobs: int | None) -> int | None:
        """Number of fits that may run at once; None for as many as the workers have threads."""
        if n_jobs is None or n_jobs == -1:
            return None
        if n_jobs > 0:
            return n_jobs
        places = sum(self._client.nthreads().values())
        return max(1, int(places) + 1 + n_jobs)


def _cannot_run(error: BaseException) -> InputError:
    """Error for a call that did not start on its worker, or whose result cannot be sent."""
    reason = (str(error).strip().splitlines() or [""])[0]
    return InputError(
        f"each worker of the Dask cluster must be able to run the fits; got "
        f"{type(error).__name__}: {reason}; install xentexp and the packages of the models there, "
        f"in the versions of this process"
    )


@contextlib.contextmanager
def _dask_client(address: str | None, n_workers: int) -> Iterator[Any]:
    """`distributed.Client` of the scheduler at an address, or of `n_workers` local processes."""
    distributed = import_extra("distributed", "engine=dask")
    import dask

    with (
        tempfile.TemporaryDirectory(prefix="xentexp-dask-", ignore_cleanup_errors=True) as folder,
        dask.config.set({**_THREADS, "temporary-directory": folder}),
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
                    silence_logs=logging.CRITICAL,
                )
            )
            yield stack.enter_context(distributed.Client(cluster))
            return
        try:
            client = stack.enter_context(distributed.Client(address, timeout=_SECONDS))
        except (OSError, TimeoutError, ValueError, TypeError) as error:  # TypeError: no TLS key
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
