"""Targets: labels, one-hot or soft, as columns of the true class or as distributions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xentexp.errors import InputError
from xentexp.losses.block import IntArray
from xentexp.losses.links import FloatArray
from xentexp.validation.arrays import (
    Array,
    Rows,
    column_names,
    is_missing,
    row_sum_tolerance,
    show,
    to_array,
    to_classes,
    to_numbers,
)


@dataclass(frozen=True)
class Labels:
    """Labels ``(n,)`` of `classes`, turned into column numbers block by block."""

    values: Array
    classes: tuple[Any, ...]

    @cached_property
    def _first(self) -> int | None:
        """The first class where the classes are consecutive whole numbers, else None."""
        if self.values.dtype.kind not in "biuf":
            return None
        if not all(isinstance(label, (int, float)) for label in self.classes):
            return None
        steps = [label - self.classes[0] for label in self.classes]
        if any(abs(label) >= 2**62 for label in self.classes):  # beyond what an index can hold
            return None
        whole = float(self.classes[0]).is_integer() and steps == list(range(len(steps)))
        return int(self.classes[0]) if whole else None

    @cached_property
    def _lookup(self) -> dict[Any, int]:
        return {label: column for column, label in enumerate(self.classes)}

    def index(self, rows: Rows) -> IntArray:
        """Columns of the labels of some rows."""
        values = rows.of(self.values)
        if self._first is not None:
            with np.errstate(invalid="ignore"):
                index = values.astype(np.intp, copy=False)
            if self._first:
                index = index - self._first
            fits = index.min() >= 0 and index.max() < len(self.classes)
            if fits and (values.dtype.kind != "f" or bool(np.all(index + self._first == values))):
                return index
        found = (self._lookup.get(label, -1) for label in values.tolist())
        index = np.fromiter(found, dtype=np.intp, count=len(values))
        if index.min() < 0:
            bad = int(np.argmin(index))
            label, row = values[bad : bad + 1].tolist()[0], rows.number(bad)
            if is_missing(label):
                raise InputError(f"y_true holds a missing value ({label}) at row {row}")
            raise InputError(
                f"y_true holds {label!r} at row {row}, which is not among the classes "
                f"{show(self.classes)}; pass labels= with every class, in the order of the columns"
            )
        return index


def infer_classes(y_true: Array, n_columns: int) -> tuple[Any, ...]:
    """Classes of `n_columns` columns, from labels alone.

    Whole numbers from 0 up to less than `n_columns` are column numbers; any other labels are
    taken in sorted order, as scikit-learn does, and must be as many as there are columns.
    A negative one is taken for a mark of rows without a label, unless the labels are -1 and 1.
    """
    if y_true.dtype.kind == "b":
        return (False, True)
    if y_true.dtype.kind in "iu" and y_true.min() >= 0 and y_true.max() < n_columns:
        return tuple(range(n_columns))
    found = set(y_true.tolist())
    if any(is_missing(label) for label in found):
        row, label = next((i, v) for i, v in enumerate(y_true.tolist()) if is_missing(v))
        raise InputError(f"y_true holds a missing value ({label}) at row {row}")
    if y_true.dtype.kind == "f" and not np.isfinite(y_true).all():
        row = int(np.isinf(y_true).argmax())
        raise InputError(f"y_true holds {y_true[row]} at row {row}; labels must be finite")
    if all(isinstance(label, (int, float)) for label in found) and (found <= set(range(n_columns))):
        return tuple(range(n_columns))
    numbers = [label for label in found if isinstance(label, (int, float))]
    if numbers and min(numbers) < 0 and found != {-1, 1}:
        row = y_true.tolist().index(min(numbers))
        raise InputError(
            f"y_true holds {min(numbers)!r} at row {row}; labels are not negative, save -1 against "
            f"1: pass ignore_label={min(numbers)!r} to leave such rows out, or labels= with every "
            f"class if it is one"
        )
    if len(found) != n_columns:
        shown = show(sorted(found, key=str))
        raise InputError(
            f"y_true holds {len(found)} different labels ({shown}) but y_pred speaks of "
            f"{n_columns} classes; pass labels= with every class, in the order of the columns"
        )
    try:
        return tuple(sorted(found))
    except TypeError:
        raise InputError(
            f"y_true mixes labels of several types ({show(list(found))}), which have no order; "
            f"pass labels="
        ) from None


def fractional(y_true: Array) -> bool:
    """Whether floats in [0, 1] lie between 0 and 1: targets of two classes, not labels."""
    if y_true.dtype.kind != "f" or not (y_true.min() >= 0.0 and y_true.max() <= 1.0):
        return False
    return bool(((y_true > 0.0) & (y_true < 1.0)).any())


@dataclass(frozen=True)
class Distributions:
    """Target distributions: ``(n, k)`` in the order of the classes, or ``(n,)`` of the second."""

    values: Array
    order: IntArray | None = None
    name: str = "y_true"

    def soft(self, rows: slice) -> FloatArray:
        """Checked target distribution of some rows, (n, k)."""
        block = self.values[rows].astype(np.float64, copy=False)
        if block.ndim == 1:
            return np.stack([1.0 - block, block], axis=1)
        if not (block.min() >= 0.0 and block.max() <= 1.0):
            bad = ~((block >= 0.0) & (block <= 1.0))
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"targets in columns must lie in [0, 1]; row {rows.start + int(row)}, "
                f"column {int(column)} of {self.name} has {block[row, column]}"
            )
        off = np.abs(block @ np.ones(block.shape[1]) - 1.0)
        if off.max() > row_sum_tolerance(self.values):
            row = int(off.argmax())
            raise InputError(
                f"rows of {self.name} must sum to 1; row {rows.start + row} sums to "
                f"{block[row].sum():.9g}"
            )
        return block if self.order is None else block[:, self.order]

    def one_hot(self, step: int) -> bool:
        """Whether every row has one class of target 1."""
        starts = range(0, len(self.values), step)
        parts = (self.soft(slice(start, start + step)) for start in starts)
        return all(as_index(part) is not None for part in parts)


def as_index(soft: FloatArray) -> IntArray | None:
    """Column of the 1 in each row where all rows are one-hot, else None."""
    # Entries of [0, 1] in rows of sum 1 have squares that add up to n only if they are one-hot.
    flat = np.ascontiguousarray(soft).reshape(-1)
    if float(flat @ flat) != len(soft):
        return None
    index = soft @ np.arange(soft.shape[1], dtype=np.float64)
    rounded = index.astype(np.intp)
    return rounded if bool(np.all(soft[np.arange(len(soft)), rounded] == 1.0)) else None


def read_targets(
    y_true: object,
    n_columns: int,
    classes: tuple[Any, ...] | None,
    name: str = "y_true",
) -> tuple[Labels | Distributions, tuple[Any, ...]]:
    """Targets and classes from labels, one-hot or soft targets.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        As the user gave it.
    n_columns : int
        Number of classes that the predictions speak of.
    classes : tuple or None
        The classes in the order of the columns, where they are known.
    name : str
        What to call `y_true` in a message.

    Returns
    -------
    targets : Labels or Distributions
        Still to be checked, block by block.
    classes : tuple
        In the order of the columns.
    """
    array = to_array(y_true, name)
    if array.ndim == 1:
        if n_columns == 2 and classes in (None, (0, 1)) and fractional(array):
            return Distributions(array), (0, 1)
        classes = infer_classes(array, n_columns) if classes is None else classes
        return Labels(array, classes), classes
    order = None
    if array.shape[1] != n_columns:
        raise InputError(
            f"{name} has {array.shape[1]} columns but y_pred speaks of {n_columns} classes"
        )
    names = column_names(y_true)
    if names is not None:
        classes = to_classes(names, f"column names of {name}") if classes is None else classes
        order = match_columns(names, classes, name)
    return Distributions(to_numbers(array, name), order, name), classes or tuple(range(n_columns))


def named_classes(names: tuple[Any, ...], y_true: Array) -> tuple[Any, ...]:
    """Classes as the columns name them, with the labels of `y_true` where only the type differs.

    A CSV file gives the columns ``"0"``, ``"1"`` to labels 0 and 1.
    """
    found = {label for label in y_true.tolist() if not is_missing(label)}
    if found <= set(names):
        return names
    by_text = {plain_text(label): label for label in found}
    if len(by_text) == len(found) and set(by_text) <= {plain_text(name) for name in names}:
        return tuple(by_text.get(plain_text(name), name) for name in names)
    raise InputError(
        f"the columns of y_pred are named {show(names)}, which are not the labels "
        f"{show(sorted(found, key=str))} of y_true; rename them, or pass y_pred.to_numpy() to "
        f"take them by position"
    )


def plain_text(label: object) -> str:
    """A label as a file or a terminal shows it: 1.0 is 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def match_columns(names: list[object], classes: tuple[Any, ...], what: str) -> IntArray | None:
    """Position of each class among named columns; None where they stand in order already."""
    for key in (lambda label: label, plain_text):
        position = {key(name): i for i, name in enumerate(names)}
        wanted = [key(label) for label in classes]
        if len(position) == len(wanted) and set(position) == set(wanted):
            order = np.array([position[label] for label in wanted], dtype=np.intp)
            return None if bool(np.all(order == np.arange(len(order)))) else order
    if names == list(range(len(names))) and len(names) == len(classes):
        return None  # a frame whose columns have no names
    raise InputError(
        f"the columns of {what} are named {show(names)}, which are not the classes "
        f"{show(classes)}; rename them, or pass {what}.to_numpy() to take them by position"
    )
