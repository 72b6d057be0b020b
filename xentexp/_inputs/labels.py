"""Targets: labels, one-hot or soft, as columns of the true class or as distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import plain, to_numbers
from xentexp._inputs.columns import all_below
from xentexp._inputs.rows import Rows, pieces
from xentexp._numerics import Array, FloatArray, IntArray
from xentexp.errors import InputError


@dataclass(frozen=True)
class KnownTargets:
    """Checked targets: the class of each row, or a distribution, or (`columns`) several labels."""

    true_class: IntArray | None = None
    distribution: FloatArray | None = None
    columns: bool = False

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        given = self.distribution if self.true_class is None else self.true_class
        assert given is not None
        return len(given)

    def of(self, rows: slice) -> tuple[IntArray | None, FloatArray | None]:
        """Column of the true class of some rows, or their distributions."""
        if self.true_class is not None:
            return self.true_class[rows], None
        assert self.distribution is not None
        return None, self.distribution[rows]


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
    """Classes of `n_columns` columns, from labels alone."""
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
            f"y_true holds {min(numbers)!r} at row {row}; only the pair -1 and 1 may be "
            f"negative: pass ignore_label={min(numbers)!r} to leave such rows out, or labels= with "
            f"every class if it is one"
        )
    if len(found) != n_columns:
        shown = show(sorted(found, key=str))
        raise InputError(
            f"y_true holds {len(found)} different labels ({shown}) but y_pred is for "
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


def named_classes(
    names: tuple[Any, ...], y_true: Array, ignore_label: object = None
) -> tuple[Any, ...]:
    """Classes as the columns name them, with the labels of `y_true` where only the type differs."""
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


def to_class_weight(
    values: object, classes: tuple[Any, ...], totals: Callable[[], Array] | None = None
) -> NDArray[np.float64] | None:
    """Weight of each class in their order, or None; "balanced" asks for the weight of the rows."""
    if values is None:
        return None
    if isinstance(values, str):
        if values != "balanced" or totals is None:
            raise InputError(
                f"class_weight must be 'balanced', a mapping or one number for each class; got "
                f"{values!r}"
            )
        return balanced_weight(totals())
    if type(values).__name__ == "Series" and hasattr(values, "to_dict"):
        values = values.to_dict()  # of pandas: by its index, whatever the order
    if isinstance(values, Mapping):
        strange = [label for label in values if label not in classes]
        if strange:
            raise InputError(
                f"class_weight names {show(strange)}, not among the classes {show(classes)}"
            )
        values = [values.get(label, 1.0) for label in classes]
    weight = to_numbers(values, "class_weight").astype(np.float64, copy=False)
    if weight.shape != (len(classes),):
        raise InputError(
            f"class_weight must have one number for each of {len(classes)} classes; got shape "
            f"{weight.shape}"
        )
    if not (weight.min() >= 0.0 and weight.max() < np.inf and weight.any()):
        raise InputError(
            f"class_weight must be finite, not negative and not all zero; got {weight.tolist()}"
        )
    return weight


def balanced_weight(totals: Array) -> NDArray[np.float64]:
    """Class weights that give each class with rows the same total; 0 for the others."""
    share = totals / totals.sum() * np.count_nonzero(totals)
    return np.asarray(np.divide(1.0, share, out=np.zeros_like(share), where=share > 0))


def to_classes(labels: object, name: str = "labels") -> tuple[Any, ...]:
    """Class list: two or more distinct labels, none missing."""
    array = np.asarray(labels, dtype=object) if isinstance(labels, (list, tuple)) else labels
    array = np.asarray(array)
    if array.ndim != 1:
        raise InputError(f"{name} must be one-dimensional; its shape is {array.shape}")
    classes = tuple(plain(label) for label in array)
    for label in classes:
        if is_missing(label):
            raise InputError(f"{name} must not hold a missing value; got {list(classes)}")
    if len(set(classes)) != len(classes):
        raise InputError(f"{name} must be distinct; got {list(classes)}")
    if len(classes) < 2:
        raise InputError(f"{name} must name two classes at least; got {list(classes)}")
    return classes


def is_missing(label: object) -> bool:
    """Whether a label is None, NaN, NaT or pandas' NA."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float) and label != label


def show(labels: tuple[Any, ...] | list[Any]) -> str:
    """Labels for a message, at most ten."""
    shown = ", ".join(map(repr, labels[:10]))
    return shown if len(labels) <= 10 else f"{shown}, ... ({len(labels)} in all)"
