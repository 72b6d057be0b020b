"""A data set in a temporary file that all processes of a computer map into their memory."""

from __future__ import annotations

import contextlib
import io
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.experiments.datasets import Dataset

LEAST_BYTES = 1_000_000
"""Smaller arrays are sent to each process, which is as fast."""

PREFIX = "xentexp-data-"
"""Start of the names of the temporary folders."""

_ALIGNMENT = 64
Order = Literal["C", "F"]
Place = tuple[int, int, str, tuple[int, ...], Order]  # offset, bytes, dtype, shape, order
_MAPPED: WeakValueDictionary[int, pd.DataFrame] = WeakValueDictionary()  # features, by their id


@contextlib.contextmanager
def memory_mapped(dataset: Dataset) -> Iterator[Dataset]:
    """Data set whose large arrays are read-only in a temporary file, which is deleted on exit."""
    # joblib sends the name of the file instead of an array that is mapped from one, so that the
    # processes share its memory. This process can use the data set after the exit too.
    if id(dataset.X) in _MAPPED or not _is_large(dataset):
        yield dataset
        return
    # Windows cannot delete a file that is mapped.
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        mapped = _mapped(dataset, Path(folder) / "arrays")
        del dataset  # its memory is free if the caller keeps only the other one
        _MAPPED[id(mapped.X)] = mapped.X
        try:
            yield mapped
        finally:
            _MAPPED.pop(id(mapped.X), None)


def _mapped(dataset: Dataset, path: Path) -> Dataset:
    structure = io.BytesIO()
    try:
        with path.open("wb") as arrays:
            _Writer(structure, arrays).dump(dataset)
    except OSError as error:
        raise InputError(
            f"the folder for temporary files must have room for the table, which the processes of "
            f"the fits share; got {error} in {path.parent.parent}; set TMPDIR to a folder with "
            f"more room, or set n_jobs=1"
        ) from error
    if path.stat().st_size == 0:  # many columns, none of them large
        return dataset
    structure.seek(0)
    mapped: Dataset = _Reader(structure, np.memmap(path, np.uint8, mode="r")).load()
    return mapped


def _is_large(dataset: Dataset) -> bool:
    return int(dataset.X.memory_usage(index=False).sum()) >= LEAST_BYTES


class _Writer(pickle.Pickler):
    """Pickle of a data set without its large arrays, which are written to a file."""

    def __init__(self, stream: BinaryIO, arrays: BinaryIO) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self.arrays = arrays
        self.written: dict[int, Place] = {}  # by id of the array, which the data set keeps alive

    def persistent_id(self, obj: Any) -> Place | None:
        if type(obj) is not np.ndarray or obj.nbytes < LEAST_BYTES or obj.dtype.hasobject:
            return None
        if id(obj) not in self.written:
            order: Order = "C"
            if not obj.flags.c_contiguous and obj.flags.f_contiguous:
                order = "F"
            offset = -(-self.arrays.tell() // _ALIGNMENT) * _ALIGNMENT
            self.arrays.seek(offset)
            self.arrays.write(np.ascontiguousarray(obj.T if order == "F" else obj).data)
            self.written[id(obj)] = (offset, obj.nbytes, obj.dtype.str, obj.shape, order)
        return self.written[id(obj)]


class _Reader(pickle.Unpickler):
    """Data set whose large arrays are in a mapped file."""

    def __init__(self, stream: BinaryIO, arrays: np.memmap[Any, Any]) -> None:
        super().__init__(stream)
        self.arrays = arrays

    def persistent_load(self, place: Place) -> NDArray[Any]:
        offset, n_bytes, dtype, shape, order = place
        cells = self.arrays[offset : offset + n_bytes].view(np.ndarray).view(dtype)
        return cells.reshape(shape, order=order)
