"""Settings of a process that belong to all of its threads, while models are fitted in several."""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from threadpoolctl import ThreadpoolController

_LOCK = threading.Lock()


class _OfAllThreads:
    """Threads of BLAS and torch, which the last of several contexts restores."""

    def __init__(self) -> None:
        self.active = 0
        self.before: dict[str, tuple[Callable[[int], None], int]] = {}  # setter and number by file


_of_all_threads = _OfAllThreads()


@contextlib.contextmanager
def library_threads(number: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and torch to a number of threads; may be used in parallel threads."""
    libraries = ThreadpoolController()  # not kept: a fit may load further ones
    torch: Any = sys.modules.get("torch")
    state = _of_all_threads
    # Each thread has its own limit of OpenMP. Not limit(user_api="openmp"), whose end restores the
    # limit of BLAS too.
    with libraries.select(user_api="openmp").limit(limits=number):
        with _LOCK:
            state.active += 1
            for library in libraries.select(user_api="blas").lib_controllers:
                if library.filepath not in state.before:
                    state.before[library.filepath] = (_setter(library), library.num_threads)
                    _setter(library)(number)
            # hasattr: not while another thread imports torch. Once: a network sets its own number.
            if hasattr(torch, "set_num_threads") and "torch" not in state.before:
                state.before["torch"] = (torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(number)
        try:
            yield
        finally:
            with _LOCK:
                state.active -= 1
                if state.active == 0:
                    for setter, before in state.before.values():
                        setter(before)
                    state.before.clear()


def _setter(library: Any) -> Callable[[int], None]:
    # threadpoolctl 3.8 ignores all threads but the first that has set the number of OpenBLAS.
    release = getattr(library, "clear_controlling_thread", None)

    def set_number(number: int) -> None:
        if release is not None:
            release(force=True)
        library.set_num_threads(number)
        if release is not None:
            release(force=True)

    return set_number


class _Recorder:
    """Warnings by thread: `warnings.catch_warnings` would mix those of fits in parallel threads."""

    def __init__(self) -> None:
        self.caught: dict[int, list[list[warnings.WarningMessage]]] = {}
        self.outer: Any = None
        self.show: Any = None

    def start(self) -> list[warnings.WarningMessage]:
        with _LOCK:
            if not self.caught:
                self.outer = warnings.catch_warnings()
                self.outer.__enter__()
                self.show = warnings.showwarning
            # Each time, because a library may have restored others in another thread.
            warnings.showwarning = self.record
            warnings.simplefilter("always")
            of_thread = self.caught.setdefault(threading.get_ident(), [])
            of_thread.append([])
            return of_thread[-1]

    def stop(self) -> None:
        with _LOCK:
            of_thread = self.caught[threading.get_ident()]
            of_thread.pop()
            if not of_thread:
                del self.caught[threading.get_ident()]
            if not self.caught:
                self.outer.__exit__(None, None, None)

    def record(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        of_thread = self.caught.get(threading.get_ident())
        if of_thread is None and len(self.caught) == 1:  # a thread that the only fit has started
            [of_thread] = self.caught.values()
        if of_thread is None:
            self.show(message, category, filename, lineno, file, line)
        else:
            caught = warnings.WarningMessage(message, category, filename, lineno, file, line)
            of_thread[-1].append(caught)


_recorder = _Recorder()


@contextlib.contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of this thread; may be used in parallel threads."""
    caught = _recorder.start()
    try:
        yield caught
    finally:
        _recorder.stop()


class _Autologging:
    """MLflow's autologging, which would start a run for each fit, if the caller turned it on."""

    def __init__(self) -> None:
        self.active = 0
        self.disabled: Any = None

    def stop(self) -> None:
        autologging = sys.modules.get("mlflow.utils.autologging_utils")
        with _LOCK:
            self.active += 1
            if self.disabled is None and autologging is not None:
                self.disabled = autologging.disable_autologging()
                self.disabled.__enter__()

    def start(self) -> None:
        with _LOCK:
            self.active -= 1
            if self.active == 0 and self.disabled is not None:
                self.disabled.__exit__(None, None, None)
                self.disabled = None


_autologging = _Autologging()


@contextlib.contextmanager
def no_autologging() -> Iterator[None]:
    """Turn MLflow's autologging off; may be used in parallel threads."""
    _autologging.stop()
    try:
        yield
    finally:
        _autologging.start()
