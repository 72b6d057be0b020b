"""Arrays in temporary files, for rows that do not fit in memory."""

from __future__ import annotations

import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xentexp.errors import InputError


class TemporaryArray:
    """Array in a temporary file, to which rows are appended."""

    # The file has no name (on Windows: it is deleted when it is closed), so that it never outlives
    # the process, however that ends.

    def __init__(self, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self.dtype, self._row_shape = np.dtype(dtype), row_shape
        self._row_bytes = self.dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
        self._n_rows = 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise InputError(
                f"there must be a folder of temporary files for the rows that do not fit in "
                f"memory; got an error ({error.strerror}); set the environment variable TMPDIR to "
                f"a folder in which you may write"
            ) from error
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return self._n_rows

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows behind those that are in the file."""
        data = np.ascontiguousarray(rows, dtype=self.dtype)
        left = data.reshape(-1).view(np.uint8).data
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise InputError(
                f"the folder of temporary files, {tempfile.gettempdir()}, must have room for the "
                f"rows that do not fit in memory; writing stopped after "
                f"{self._n_rows * self._row_bytes / 1e6:,.0f} MB ({error.strerror}); set the "
                f"environment variable TMPDIR to a folder on a larger disk"
            ) from error
        self._n_rows += len(data)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows from `start` to before `stop`, in memory."""
        rows = np.empty((stop - start, *self._row_shape), dtype=self.dtype)
        left = rows.reshape(-1).view(np.uint8).data
        self._file.seek(start * self._row_bytes)
        while left:
            left = left[self._file.readinto(left) :]
        return rows

    def mapped(self) -> NDArray[Any]:
        """All rows as a memory-mapped array, which can be read only."""
        shape = (self._n_rows, *self._row_shape)
        return np.memmap(self._file, dtype=self.dtype, mode="r", shape=shape)
