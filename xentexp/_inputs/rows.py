"""Consecutive rows of arrays, and memory-mapped files of any size, whose read pages are freed."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from xentexp._numerics import Array

# Modes whose pages are shared with the file. A private page (mode "c") may have values that are not
# in the file.
_SHARED = ("r", "r+", "w+")
_BYTES_PER_CALL = 1 << 24  # how much is read between two system calls


class ReadPages:
    """Frees the pages of memory-mapped arrays whose rows were read, from first to last."""

    # Arrays in memory are not changed. The system may keep freed pages in its file cache, and a
    # later read loads them again: no value changes.

    def __init__(self, *arrays: NDArray[Any] | None) -> None:
        self._mapped = [
            (array, *mapping)
            for array in arrays
            if array is not None and (mapping := _mapping(array)) is not None
        ]
        self._n_freed = 0
        row_bytes = sum(array.nbytes // max(len(array), 1) for array, _, _ in self._mapped)
        self._step = _BYTES_PER_CALL // max(row_bytes, 1)

    @property
    def mapped(self) -> bool:
        """Whether there is a memory-mapped array."""
        return bool(self._mapped)

    def up_to(self, row: int) -> None:
        """Free the pages of the rows before `row`, if there are enough of them."""
        if not self._mapped or row - self._n_freed < self._step:
            return
        for array, mapping, address in self._mapped:
            for low, high in _bounds(array[self._n_freed : row]):
                start = (low - address) // mmap.PAGESIZE * mmap.PAGESIZE
                if high - address > start:
                    mapping.madvise(mmap.MADV_DONTNEED, start, high - address - start)
        self._n_freed = row


def _mapping(array: NDArray[Any]) -> tuple[mmap.mmap, int] | None:
    """Shared memory map behind an array and its address, or None."""
    if not hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        return None
    root: Any = array
    while isinstance(root, np.ndarray):
        if isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap):
            if root.mode not in _SHARED:
                return None
            before = root.offset % mmap.ALLOCATIONGRANULARITY
            return root.base, int(root.__array_interface__["data"][0]) - before
        root = root.base
    return None


def _bounds(rows: NDArray[Any]) -> list[tuple[int, int]]:
    """Address ranges of some rows: one range, or one per column of a column-major array."""
    if rows.ndim == 2 and abs(rows.strides[0]) < abs(rows.strides[1]):
        return [byte_bounds(column) for column in rows.T]
    return [byte_bounds(rows)]


PIECE = 65536  # numbers per piece: they fit into the cache


class Rows(NamedTuple):
    """Consecutive rows, without the ignored ones."""

    span: slice
    keep: NDArray[np.bool_] | None = None  # which rows of the span; None for all of them

    def of(self, values: Array) -> Array:
        """Select these rows of an array."""
        return values[self.span] if self.keep is None else values[self.span][self.keep]

    def put(self, out: Array, values: Array) -> None:
        """Write the values of these rows (last axis) into an array of all rows."""
        if self.keep is None:
            out[..., self.span] = values
        else:
            out[..., self.span][..., self.keep] = values

    def number(self, position: int) -> int:
        """Convert a position among these rows to the number of the row in the whole array."""
        within = position if self.keep is None else int(np.flatnonzero(self.keep)[position])
        return int(self.span.start) + within


def differs(labels: Array, label: object) -> NDArray[np.bool_]:
    """Which labels differ from a single label."""
    try:
        return np.asarray(labels != label, dtype=np.bool_)
    except (TypeError, ValueError):  # e.g. pandas.NA, which is equal to nothing
        different = [value is not label and not _equal(value, label) for value in labels.tolist()]
        return np.array(different, dtype=np.bool_)


def _equal(value: object, label: object) -> bool:
    try:
        return bool(value == label)
    except (TypeError, ValueError):
        return False


def pieces(values: Array, ignore_label: object = None) -> Iterator[tuple[Rows, Array]]:
    """Split an array into pieces without ignored labels, so that a scan needs little memory."""
    if ignore_label is None and 0 < values.size <= PIECE:  # for speed
        yield Rows(slice(0, len(values))), values
        return
    read = ReadPages(values)
    step = max(1, PIECE // (1 if values.ndim == 1 else values.shape[1]))
    for start in range(0, len(values), step):
        rows = Rows(slice(start, min(start + step, len(values))))
        piece = values[rows.span]
        if ignore_label is not None:
            keep = differs(piece, ignore_label)
            if not keep.all():
                rows, piece = Rows(rows.span, keep), piece[keep]
        if len(piece):
            yield rows, piece
        read.up_to(rows.span.stop)
