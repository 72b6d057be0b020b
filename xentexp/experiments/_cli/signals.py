"""Signals that end a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Signals of Ctrl-C, a termination request and a closed terminal."""


class Interrupted(SystemExit):
    """End by a signal after the results of a run are logged, with a sentence on what is missing."""

    def __init__(self, code: object, sentence: str) -> None:
        super().__init__(code)
        self.sentence = sentence

    def __reduce__(self) -> tuple[type[Interrupted], tuple[object, str]]:  # a launcher pickles it
        return Interrupted, (self.code, self.sentence)


@contextmanager
def terminable() -> Iterator[None]:
    """End by an exception on SIGTERM and SIGHUP, as on Ctrl-C: incomplete files are removed."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    # A signal that is ignored, as SIGHUP is by nohup, stays ignored.
    ours = [n for n in STOPPING if in_main and signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
