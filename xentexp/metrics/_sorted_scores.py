"""Scores of any number of rows, sorted on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.temporary import TemporaryArray
from xentexp._numerics import FloatArray

_IN_MEMORY = 1 << 20  # groups in memory at once
_LEAST = 256  # groups that are read at once from each sorted run


class ScoreGroups(NamedTuple):
    """Distinct scores, from highest to lowest, and the weights of their rows."""

    score: FloatArray
    of_class: FloatArray  # of the rows of one class
    of_rest: FloatArray  # of all other rows

    @classmethod
    def of(cls, score: FloatArray, of_class: FloatArray, of_rest: FloatArray) -> ScoreGroups:
        """Sort scores, and add up the weights of equal ones."""
        order = np.argsort(-score, kind="stable")
        score = score[order]
        starts = np.flatnonzero(np.append(True, score[1:] != score[:-1]))
        return cls(
            score[starts],
            np.add.reduceat(of_class[order], starts),
            np.add.reduceat(of_rest[order], starts),
        )

    def rows(self, rows: slice) -> ScoreGroups:
        """Some of the groups."""
        return ScoreGroups(*(values[rows] for values in self))


class SortedScores:
    """Groups of equal scores, in temporary files: sorted in runs, which are then merged."""

    def __init__(
        self, pieces: Iterable[tuple[FloatArray, NDArray[np.bool_], FloatArray | None]]
    ) -> None:
        # `pieces`: scores, whether the rows have the class, and their weights.
        runs = _File()
        starts = [0]
        for score, true, weight in pieces:
            mass = np.ones(len(score)) if weight is None else weight
            runs.append(ScoreGroups.of(score, mass * true, mass * ~true))
            starts.append(len(runs))
        self._groups = _File()
        for merged in _merged(runs, starts):
            self._groups.append(merged)

    def __iter__(self) -> Iterator[ScoreGroups]:
        """Pieces of all groups, from the highest score to the lowest."""
        for start in range(0, len(self._groups), _IN_MEMORY):
            yield self._groups.read(start, min(start + _IN_MEMORY, len(self._groups)))


class _File:
    """Groups in a temporary file."""

    def __init__(self) -> None:
        self._values = TemporaryArray(np.float64, (3,))

    def __len__(self) -> int:
        return len(self._values)

    def append(self, groups: ScoreGroups) -> None:
        self._values.append(np.column_stack(groups))

    def read(self, start: int, stop: int) -> ScoreGroups:
        return ScoreGroups(*self._values.read(start, stop).T)


def _merged(runs: _File, starts: list[int]) -> Iterator[ScoreGroups]:
    """Merge sorted runs, of which `starts` has the first groups and the end of the last."""
    n_read = max(_LEAST, _IN_MEMORY // max(1, len(starts) - 1))
    places, ends = starts[:-1], starts[1:]
    buffers: list[ScoreGroups | None] = [None] * len(places)
    while True:
        for run, buffer in enumerate(buffers):
            if buffer is None and places[run] < ends[run]:
                stop = min(places[run] + n_read, ends[run])
                buffers[run] = runs.read(places[run], stop)
                places[run] = stop
        held = [(run, buffer) for run, buffer in enumerate(buffers) if buffer is not None]
        if not held:
            return
        # All groups with at least this score are in memory: no run has another one on disk.
        unread = [buffer.score[-1] for run, buffer in held if places[run] < ends[run]]
        lowest = max(unread, default=-np.inf)
        taken = []
        for run, buffer in held:
            n_taken = int(np.searchsorted(-buffer.score, -lowest, side="right"))
            taken.append(buffer.rows(slice(0, n_taken)))
            buffers[run] = (
                None if n_taken == len(buffer.score) else buffer.rows(slice(n_taken, None))
            )
        yield ScoreGroups.of(*(np.concatenate(values) for values in zip(*taken, strict=True)))
