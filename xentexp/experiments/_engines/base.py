"""Base of the engines, and how one call runs where an engine has sent it."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import joblib
import sklearn

from xentexp.errors import InputError
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


def check_address(engine: str, address: str | None, form: str) -> None:
    """Raise an InputError unless an address is None or HOST:PORT, perhaps with a protocol."""
    if address is None:
        return
    found = re.fullmatch(r"(\w+://)?([\w.-]+|\[[0-9a-f:]+\]):(\d{1,5})", address)
    if found is None or int(found[3]) > 65535:
        raise InputError(
            f"the address of the {engine.capitalize()} cluster must be {form}, without a user name "
            f"or password; got another one, which is not shown because it may contain a password"
        )


class Engine(ABC):
    """Where fits run; open from the first ``with`` to the end of the last."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._opened = 0
        self.until_closed = contextlib.ExitStack()
        """What was started or stored for the fits; it ends when the engine is closed."""

    def __enter__(self) -> Self:
        self._opened += 1
        if self._opened == 1:
            try:
                self._connect()
            except BaseException:
                self.__exit__(None, None, None)
                raise
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
    def _connect(self) -> None:
        """Start or find what runs the fits."""

    def in_local_processes(self, n_jobs: int | None) -> bool:
        """Whether calls run in several processes of this computer."""
        del n_jobs
        return False

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
