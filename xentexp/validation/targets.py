"""Targets: labels, one-hot or soft, as columns of the true class or as distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from xentexp.errors import InputError
from xentexp.losses.layout import IntArray
from xentexp.losses.links import FloatArray
from xentexp.validation.arrays import (
    Array,
    Rows,
    all_below,
    float_type,
    is_missing,
    pieces,
    row_sum_tolerance,
    row_sums,
    show,
    to_classes,
    to_numbers,
    within_unit,
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
            index = _whole(values)
            if self._first:
                index = index - self._first
            if all_below(index, len(self.classes)) and (
                values.dtype.kind != "f" or bool(np.all(index + self._first == values))
            ):
                return index
        found = map(self._lookup.get, values.tolist(), repeat(-1))
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


def _whole(values: Array) -> IntArray:
    if values.dtype.kind != "f":
        return np.ascontiguousarray(values, dtype=np.intp)
    with np.errstate(invalid="ignore"):  # NaN and what an integer cannot hold are found later
        return np.ascontiguousarray(values.astype(np.intp))


def _are_columns(labels: Array, n_columns: int) -> bool:
    """Whether some labels are whole numbers from 0 up to less than `n_columns`."""
    if labels.dtype.kind not in "iuf":
        numbers = labels.tolist()
        return all(isinstance(label, (int, float)) for label in numbers) and set(numbers) <= set(
            range(n_columns)
        )
    if labels.dtype.kind == "u":
        return bool(labels.max() < n_columns)
    index = _whole(labels)
    same = labels.dtype.kind == "i" or bool(np.all(index == labels))
    return same and all_below(index, n_columns)


def infer_classes(y_true: Array, n_columns: int, ignore_label: object = None) -> tuple[Any, ...]:
    """Classes of `n_columns` columns, from labels alone.

    Whole numbers from 0 up to less than `n_columns` are column numbers; any other labels are
    taken in sorted order, as scikit-learn does, and must be as many as there are columns.
    A negative one is taken for a mark of rows without a label, unless the labels are -1 and 1.
    """
    if y_true.dtype.kind == "b":
        return (False, True)
    if all(_are_columns(piece, n_columns) for _, piece in pieces(y_true, ignore_label)):
        return tuple(range(n_columns))
    found = distinct(y_true, ignore_label)
    if any(is_missing(label) for label in found):
        row, label = _first(y_true, is_missing, ignore_label)
        raise InputError(f"y_true holds a missing value ({label}) at row {row}")
    if any(isinstance(label, float) and np.isinf(label) for label in found):
        row, label = _first(y_true, lambda v: v in (np.inf, -np.inf), ignore_label)
        raise InputError(f"y_true holds {label} at row {row}; labels must be finite")
    numbers = [label for label in found if isinstance(label, (int, float))]
    if numbers and min(numbers) < 0 and found != {-1, 1}:
        row, _ = _first(y_true, lambda v: v == min(numbers), ignore_label)
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


def distinct(y_true: Array, ignore_label: object = None) -> set[Any]:
    """The different labels."""
    found: set[Any] = set()
    for _, piece in pieces(y_true, ignore_label):
        low = int(piece.min()) if piece.dtype.kind in "iu" else 0
        if piece.dtype.kind in "iu" and int(piece.max()) - low < 1000:  # much quicker than a set
            there = np.bincount(_whole(piece) - low).nonzero()[0] + low
            found.update(there.tolist())
        else:
            found.update(piece.tolist())
    return found


def _first(
    y_true: Array, wanted: Callable[[Any], bool], ignore_label: object = None
) -> tuple[int, Any]:
    """Row and value of the first label of a kind that is known to occur."""
    return next(
        (rows.number(position), label)
        for rows, piece in pieces(y_true, ignore_label)
        for position, label in enumerate(piece.tolist())
        if wanted(label)
    )


def fractional(y_true: Array, ignore_label: object = None) -> bool:
    """Whether floats in [0, 1] lie between 0 and 1: targets of two classes, not labels."""
    if y_true.dtype.kind != "f":
        return False
    between = False
    for _, piece in pieces(y_true, ignore_label):
        if not (piece.min() >= 0.0 and piece.max() <= 1.0):
            return False
        between = between or bool(((piece > 0.0) & (piece < 1.0)).any())
    return between


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
        if not within_unit(block):
            bad = ~((block >= 0.0) & (block <= 1.0))
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"targets in columns must lie in [0, 1]; row {rows.start + int(row)}, "
                f"column {int(column)} of {self.name} has {block[row, column]}"
            )
        sums, tolerance = row_sums(block), row_sum_tolerance(float_type(self.values))
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            row = int(np.abs(sums - 1.0).argmax())
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

    def positive(self, step: int) -> bool:
        """Whether no class of any row has target 0."""
        starts = range(0, len(self.values), step)
        return all(bool((self.soft(slice(start, start + step)) > 0).all()) for start in starts)


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
    y_true: Array,
    n_columns: int,
    classes: tuple[Any, ...] | None,
    *,
    columns: list[object] | None = None,
    ignore_label: object = None,
    name: str = "y_true",
) -> tuple[Labels | Distributions, tuple[Any, ...]]:
    """Targets and classes from labels, one-hot or soft targets.

    Parameters
    ----------
    y_true : ndarray of shape (n,) or (n, k)
        Of any type.
    n_columns : int
        Number of classes that the predictions speak of.
    classes : tuple or None
        The classes in the order of the columns, where they are known.
    columns : list or None
        Names of the columns of `y_true`, where it has any.
    ignore_label : object
        Label that is no class.
    name : str
        What to call `y_true` in a message.

    Returns
    -------
    targets : Labels or Distributions
        Still to be checked, block by block.
    classes : tuple
        In the order of the columns.
    """
    if y_true.ndim == 1:
        if n_columns == 2 and classes in (None, (0, 1)) and fractional(y_true, ignore_label):
            return Distributions(y_true), (0, 1)
        classes = infer_classes(y_true, n_columns, ignore_label) if classes is None else classes
        return Labels(y_true, classes), classes
    order = None
    if y_true.shape[1] != n_columns:
        raise InputError(
            f"{name} has {y_true.shape[1]} columns but y_pred speaks of {n_columns} classes"
        )
    if columns is not None:
        classes = to_classes(columns, f"column names of {name}") if classes is None else classes
        order = match_columns(columns, classes, name)
    return Distributions(to_numbers(y_true, name), order, name), classes or tuple(range(n_columns))


def named_classes(
    names: tuple[Any, ...], y_true: Array, ignore_label: object = None
) -> tuple[Any, ...]:
    """Classes as the columns name them, with the labels of `y_true` where only the type differs.

    A CSV file gives the columns ``"0"``, ``"1"`` to labels 0 and 1.
    """
    found = {label for label in distinct(y_true, ignore_label) if not is_missing(label)}
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
