"""Garbage collection of a command: rare, and none of the objects that its imports make."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARE = 20_000
"""New objects after which garbage is collected; Python's own number is 700, or 2,000."""
IMPORTS = 1_000_000
"""The same while packages are imported, and data are read, before the first fit of a run."""


@contextmanager
def collection(threshold: int) -> Iterator[None]:
    """Collect garbage after this number of new objects."""
    # Imports make hundreds of thousands of objects that stay; looking through them again and again
    # takes a tenth of the time of a short command.
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(threshold, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not frozen:
            gc.unfreeze()


def end_of_imports() -> None:
    """Leave the objects of the imports out of all collections, and collect more often."""
    # Not for a second job of the same command, whose fits have made garbage.
    threshold = gc.get_threshold()
    if threshold[0] == IMPORTS:
        if not gc.get_freeze_count():  # the caller's objects would be unfrozen with ours
            gc.freeze()
        gc.set_threshold(RARE, *threshold[1:])
