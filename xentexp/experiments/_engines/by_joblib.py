"""Engines by joblib's backends: processes, threads, Ray, and any that the caller has chosen."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import joblib
import sklearn
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import LokyBackend, MultiprocessingBackend, get_active_backend

from xentexp.errors import InputError, import_extra, plain_errors
from xentexp.experiments._engines.base import (
    Arguments,
    Engine,
    Lost,
    Passed,
    Results,
    Shared,
    call,
    check_address,
)
from xentexp.experiments._shared_data import memory_mapped
from xentexp.experiments.datasets import Dataset


class JoblibEngine(Engine):
    """A backend of joblib: the active one, or one by name."""

    backend: ClassVar[str | None] = None
    most: ClassVar[int | None] = None
    """Number of jobs if the caller sets none; None for the one of `parallel_config`, or 1."""
    name = "joblib"

    def _connect(self) -> None:
        """Do nothing: joblib starts what it needs."""

    def _share(self, dataset: Dataset, n_jobs: int | None) -> Shared:
        if self.in_local_processes(n_jobs):
            dataset = self.until_closed.enter_context(memory_mapped(dataset))
        return Passed(dataset)

    def in_local_processes(self, n_jobs: int | None) -> bool:
        """Whether calls run in several processes of this computer."""
        with self._chosen():
            backend, _ = get_active_backend()
            of_processes = isinstance(backend, (LokyBackend, MultiprocessingBackend))
            return of_processes and self._workers(n_jobs) > 1

    def _chosen(self) -> contextlib.AbstractContextManager[object]:
        """Context in which the backend is the active one."""
        if self.backend is None:
            return contextlib.nullcontext()
        chosen: contextlib.AbstractContextManager[object] = joblib.parallel_config(self.backend)
        return chosen

    def _workers(self, n_jobs: int | None) -> int:
        """Number of jobs of the active backend."""
        return int(joblib.effective_n_jobs(self.most if n_jobs is None else n_jobs))

    def run(
        self,
        function: Callable[..., Any],
        calls: Mapping[int, Arguments],
        dataset: Dataset,
        *,
        n_jobs: int | None,
        threads: int,
    ) -> Results:
        """Run the calls; if one ends its process, run each remaining one in its own process."""
        shared = self._share(dataset, n_jobs)
        remaining = dict(calls)
        try:
            for number, result in self._parallel(function, dict(calls), shared, n_jobs, threads):
                del remaining[number]
                yield number, result
            return
        except TerminatedWorkerError:
            pass
        # It is unknown which call crashed the process.
        for number, arguments in remaining.items():
            try:
                yield from self._parallel(function, {number: arguments}, shared, 2, threads)
            except TerminatedWorkerError:
                yield number, Lost("the process of the fit ended: out of memory, or a crash")

    def _parallel(
        self,
        function: Callable[..., Any],
        calls: Mapping[int, Arguments],
        shared: Shared,
        n_jobs: int | None,
        threads: int,
    ) -> Results:
        config = sklearn.get_config()
        with self._chosen():
            active, _ = get_active_backend()
            workers = self._workers(n_jobs)
            if workers > 1:
                # Two, because joblib would run a single call in this process, which it may crash.
                workers = max(2, min(workers, len(calls)))
            unordered = getattr(active, "supports_return_generator", False)
            parallel = joblib.Parallel(
                n_jobs=workers,
                return_as="generator_unordered" if unordered else "list",
                max_nbytes=None,
            )
        results = parallel(
            joblib.delayed(call)(
                number, function, shared, arguments, threads, config, nested=workers > 1
            )
            for number, arguments in calls.items()
        )
        if isinstance(results, list):
            yield from results
            return
        try:
            while (result := next(results, None)) is not None:
                yield result  # `yield from` would close the results before `finally`
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # joblib warns of calls that an interrupt cancels
                results.close()


class LocalEngine(JoblibEngine):
    """Processes of this computer, by joblib's backend loky."""

    name = "local"
    backend = "loky"


class ThreadsEngine(JoblibEngine):
    """Threads of this process."""

    name = "threads"
    backend = "threading"


class RayEngine(JoblibEngine):
    """Fits on a Ray cluster, for ``run_experiment(engine=...)``.

    The data set is put into Ray's object store once. Results come when all fits are complete, as
    Ray's backend of joblib returns them.

    Parameters
    ----------
    address : str, default=None
        Address of a running cluster, such as ``"auto"`` or ``"192.0.2.1:6379"``. By default Ray is
        started on this computer, and ended after the experiment.

    Raises
    ------
    InputError
        If Ray is not installed or does not answer.

    See Also
    --------
    DaskEngine : Fits on a Dask cluster.

    Examples
    --------
    >>> from xentexp.experiments import RayEngine
    >>> engine = RayEngine("auto")
    """

    name = "ray"
    backend = "ray"
    most = -1

    def __init__(self, address: str | None = None) -> None:
        super().__init__()
        check_address("ray", None if address == "auto" else address, "auto or HOST:PORT")
        self.address = address

    def _connect(self) -> None:
        ray = import_extra("ray", "engine=ray")
        import_extra("ray.util.joblib", "engine=ray").register_ray()
        if ray.is_initialized():
            if self.address is not None:
                raise InputError(
                    f"engine.address must not be set if Ray is already connected; got "
                    f"{self.address!r}; call ray.shutdown() first, or leave it out"
                )
            return
        # Ray takes SIGTERM, at which the command keeps its results.
        before = signal.getsignal(signal.SIGTERM)
        with plain_errors("Ray did not start", ConnectionError, "ray", RuntimeError, ValueError):
            ray.init(
                address=self.address,
                include_dashboard=None if self.address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        self.until_closed.callback(ray.shutdown)
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)

    def _share(self, dataset: Dataset, n_jobs: int | None) -> Shared:
        return _Stored(import_extra("ray", "engine=ray").put(dataset))


@dataclass(frozen=True)
class _Stored:
    """A data set in Ray's object store."""

    reference: Any

    def get(self) -> Dataset:
        """Data set, whose arrays are in shared memory."""
        dataset: Dataset = import_extra("ray", "engine=ray").get(self.reference)
        return dataset
