"""Memory-mapped input: pages that were read are given back, so that a file may be any size."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from xentexp._numerics import Array

# Only where a page is shared with the file: a private copy (mode "c") holds what the file lacks.
_SHARED = ("r", "r+", "w+")
_ENOUGH = 1 << 24  # bytes between two calls of the system


class ReadPages:
    """Gives back the pages of rows that were read; does nothing for arrays in memory."""

    def __init__(self, *arrays: NDArray[Any] | None) -> None:
        self._mapped = [
            (array, *found)
            for array in arrays
            if array is not None and (found := _mapping(array)) is not None
        ]
        self._given_back = 0
        row_bytes = sum(array.nbytes // max(len(array), 1) for array, _, _ in self._mapped)
        self._step = _ENOUGH // max(row_bytes, 1)

    def up_to(self, row: int) -> None:
        """Note that the rows before `row` were read."""
        if not self._mapped or row - self._given_back < self._step:
            return
        for array, mapping, address in self._mapped:
            for low, high in _bounds(array[self._given_back : row]):
                start = (low - address) // mmap.PAGESIZE * mmap.PAGESIZE
                if high - address > start:
                    mapping.madvise(mmap.MADV_DONTNEED, start, high - address - start)
        self._given_back = row


def _mapping(array: NDArray[Any]) -> tuple[mmap.mmap, int] | None:
    """The shared map that an array looks into and its address, or None."""
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
    """Ranges of addresses of some rows: one, or one for each column where those are apart."""
    if rows.ndim == 2 and abs(rows.strides[0]) < abs(rows.strides[1]):
        return [byte_bounds(column) for column in rows.T]
    return [byte_bounds(rows)]


PIECE = 65536  # numbers that are looked at together: they stay in the cache


class Rows(NamedTuple):
    """Some consecutive rows, without those that are ignored."""

    span: slice
    keep: NDArray[np.bool_] | None = None

    def of(self, values: Array) -> Array:
        """Those rows of an array."""
        return values[self.span] if self.keep is None else values[self.span][self.keep]

    def put(self, out: Array, values: Array) -> None:
        """Write the values of those rows, the last axis, into an array of all rows."""
        if self.keep is None:
            out[..., self.span] = values
        else:
            out[..., self.span][..., self.keep] = values

    def number(self, position: int) -> int:
        """Number among all rows of the row at a position among these."""
        within = position if self.keep is None else int(np.flatnonzero(self.keep)[position])
        return int(self.span.start) + within


def pieces(values: Array, ignore_label: object = None) -> Iterator[tuple[Rows, Array]]:
    """Pieces of an array, without ignored labels: what looks at all rows needs little memory."""
    read = ReadPages(values)
    step = max(1, PIECE // (1 if values.ndim == 1 else values.shape[1]))
    for start in range(0, len(values), step):
        rows = Rows(slice(start, min(start + step, len(values))))
        piece = values[rows.span]
        if ignore_label is not None:
            keep = np.asarray(piece != ignore_label)
            if not keep.all():
                rows, piece = Rows(rows.span, keep), piece[keep]
        if len(piece):
            yield rows, piece
        read.up_to(rows.span.stop)
