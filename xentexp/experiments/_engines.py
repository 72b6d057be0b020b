"""Engines that run fits in parallel: joblib's backends, and Dask in `_dask_engine`."""

from __future__ import annotations

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import joblib
import sklearn
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._process_settings import library_threads
from xentexp.experiments.datasets import Dataset

Arguments = tuple[Any, ...]
Results = Generator[tuple[int, Any]]


@dataclass(frozen=True)
class Lost:
    """Result of a call that did not end, such as one whose process was killed."""

    reason: str


class Shared(Protocol):
    """A data set on its way to the process of a fit."""

    def get(self) -> Dataset:
        """Data set, in the process of the fit."""


@dataclass(frozen=True)
class Passed:
    """A data set that is passed along with each call."""

    dataset: Dataset

    def get(self) -> Dataset:
        """Return the data set."""
        return self.dataset


class Engine(ABC):
    """Where fits run; open from the first ``with`` to the end of the last."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._opened = 0
        self.until_closed = contextlib.ExitStack()
        """What was started or stored for the fits; it ends when the engine is closed."""

    def __enter__(self) -> Self:
        self._opened += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened -= 1
        if self._opened == 0:
            self.until_closed.close()

    @abstractmethod
    def run(
        self,
        function: Callable[..., Any],
        calls: Mapping[int, Arguments],
        dataset: Dataset,
        *,
        n_jobs: int | None,
        threads: int,
    ) -> Results:
        """Yield number and result of ``function(dataset, *arguments)`` of each call, in any order.

        A result may be `Lost`; exceptions of the function are raised.
        """


class JoblibEngine(Engine):
    """A backend of joblib: the active one, or one by name."""

    backend: ClassVar[str | None] = None
    name = "joblib"

    def _share(self, dataset: Dataset) -> Shared:
        return Passed(dataset)

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
        shared = self._share(dataset)
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
        chosen = contextlib.nullcontext()
        if self.backend is not None:
            chosen = joblib.parallel_config(backend=self.backend)
        config = sklearn.get_config()
        with chosen:
            active, _ = get_active_backend()
            workers = joblib.effective_n_jobs(n_jobs)
            # Two, because joblib would run a single call in this process, which it may crash.
            workers = min(workers, max(len(calls), 1 if workers == 1 else 2))
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
            yield from results
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


def call(
    number: int,
    function: Callable[..., Any],
    shared: Shared,
    arguments: Arguments,
    threads: int,
    config: Mapping[str, Any],
    *,
    nested: bool,
) -> tuple[int, Any]:
    """Run one call with the number of threads and scikit-learn's configuration."""
    # Parallel parts of a fit: threads, and only if its estimator has n_jobs. Some backends would
    # distribute them over the whole cluster.
    inner = joblib.parallel_config("threading", n_jobs=1) if nested else contextlib.nullcontext()
    with inner, sklearn.config_context(**config), library_threads(threads):
        return number, function(shared.get(), *arguments)


_ENGINES: dict[str, Callable[[], Engine]] = {"local": LocalEngine, "threads": ThreadsEngine}


def as_engine(engine: str | Engine | None) -> Engine:
    """Engine by name; None is the active backend of joblib."""
    if engine is None:
        return JoblibEngine()
    if isinstance(engine, Engine):
        return engine
    if not isinstance(engine, str):
        raise InputError(
            f"engine must be one of {', '.join(_ENGINES)}, an engine or None; got {engine!r}"
        )
    if engine not in _ENGINES:
        raise unknown_name("engine", engine, _ENGINES)
    return _ENGINES[engine]()
