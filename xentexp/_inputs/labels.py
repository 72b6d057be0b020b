"""Labels: the classes they stand for, their column numbers, and the weights of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array, plain, refuse_collection, to_array, to_numbers
from xentexp._inputs.columns import all_below
from xentexp._inputs.rows import Rows, pieces
from xentexp._numerics import Array, FloatArray, IntArray
from xentexp.errors import InputError


@dataclass(frozen=True)
class KnownTargets:
    """Checked targets of training: the true class of each row, or its distribution."""

    true_class: IntArray | None = None
    distribution: FloatArray | None = None
    columns: bool = (
        False  # whether each column of `distribution` is a label of a multilabel problem
    )

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        targets = self.distribution if self.true_class is None else self.true_class
        assert targets is not None
        return len(targets)

    def of(self, rows: slice) -> tuple[IntArray | None, FloatArray | None]:
        """Column of the true class of some rows, or their distributions."""
        if self.true_class is not None:
            return self.true_class[rows], None
        assert self.distribution is not None
        return None, self.distribution[rows]


def to_labels(values: object, name: str) -> Array:
    """Convert labels, (n,), or target distributions, (n, k): one type for each kind of label."""
    # Labels of Python in an array of objects get the type that NumPy gives to a list of them.
    array = to_array(values, name)
    if array.ndim > 1:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        return array.astype(np.int64 if array.max() <= _MAX_INT64 else object)
    if array.dtype.kind in "cV":
        raise InputError(
            f"{name} must have labels that are numbers, text or other single values; got "
            f"{array.dtype}"
        )
    if array.dtype.kind != "O":
        return array
    labels = array.tolist()
    if set(map(type, labels)) <= {str}:
        return array
    labels = [plain(label) for label in labels]
    try:
        kinds = set(map(type, set(labels)))
    except TypeError:
        row, label = next((i, label) for i, label in enumerate(labels) if not _is_single(label))
        raise InputError(
            f"labels must be single values such as numbers or text; got {label!r} in row {row} of "
            f"{name}"
        ) from None
    if kinds <= {bool} or kinds <= {float}:
        return np.array(labels)
    if kinds == {int} and -_MAX_INT64 <= min(labels) <= max(labels) <= _MAX_INT64:
        return np.array(labels)
    return array


_MAX_INT64 = 2**63 - 1


def _is_single(label: object) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def refuse_missing_labels(y: object) -> None:
    """Raise an InputError for labels in a set, and for pandas.NA and None among labels."""
    # scikit-learn checks the rest; its checks fail without a message for pandas.NA.
    if y is None or (type(y) is np.ndarray and y.dtype.kind != "O"):
        return
    refuse_collection(y, "y")
    labels = as_array(y, "y")
    if labels.dtype.kind != "O" or labels.ndim != 1:
        return
    row = next((i for i, label in enumerate(labels) if is_missing(label)), None)
    if row is not None and not isinstance(labels[row], float):
        raise InputError(
            f"y must not have missing values; got {labels[row]} in row {row}; remove the row"
        )


def check_ignore_label(label: object, y_true: Array) -> None:
    """Raise an InputError unless it is one label that is not missing."""
    if not _is_single(label) or np.ndim(label) > 0:  # type: ignore[arg-type]
        raise InputError(f"ignore_label must be a single label; got {label!r}")
    if is_missing(plain(label)):
        raise InputError(
            f"ignore_label must not be {label}, a missing value; mark the rows with another "
            f"label, e.g. -1, and pass it"
        )
    if isinstance(label, (bool, np.bool_)) and y_true.dtype.kind in "iuf":
        raise InputError(
            f"ignore_label must be a number, as the labels of y_true; got {label!r}; pass "
            f"{int(label)} to ignore the rows with this label"
        )


@dataclass(frozen=True)
class Labels:
    """Labels (n,) of `classes`, converted to column numbers block by block."""

    values: Array
    classes: tuple[Any, ...]
    columns: bool = False  # whether all labels are known to be column numbers

    @cached_property
    def _first(self) -> int | None:
        """The first class if the classes are consecutive integers, else None."""
        if self.values.dtype.kind not in "biuf":
            return None
        if not all(isinstance(label, (int, float)) for label in self.classes):
            return None
        steps = [label - self.classes[0] for label in self.classes]
        if any(abs(label) >= 2**62 for label in self.classes):  # too large for an index
            return None
        whole = float(self.classes[0]).is_integer() and steps == list(range(len(steps)))
        return int(self.classes[0]) if whole else None

    @cached_property
    def _lookup(self) -> dict[Any, int]:
        return {label: column for column, label in enumerate(self.classes)}

    def index(self, rows: Rows) -> IntArray:
        """Column numbers of the labels of some rows."""
        values = rows.of(self.values)
        if self.columns:
            return _to_integers(values)
        if self._first is not None:
            index = _to_integers(values)
            if self._first:
                index = index - self._first
            if all_below(index, len(self.classes)) and (
                values.dtype.kind != "f" or bool(np.all(index + self._first == values))
            ):
                return index
        columns = map(self._lookup.get, values.tolist(), repeat(-1))
        index = np.fromiter(columns, dtype=np.intp, count=len(values))
        if index.min() < 0:
            bad = int(np.argmin(index))
            label, row = values[bad : bad + 1].tolist()[0], rows.number(bad)
            if is_missing(label):
                raise _missing_label(label, row)
            raise InputError(
                f"y_true must contain only the classes {show(self.classes)}; got {show([label])} "
                f"in row {row}; pass labels= with all classes, in the order of the columns"
            )
        return index


def _missing_label(label: object, row: int) -> InputError:
    return InputError(
        f"y_true must not have missing values; got {label} in row {row}; remove the row, or use a "
        f"label instead and pass it as ignore_label="
    )


def _to_integers(values: Array) -> IntArray:
    if values.dtype.kind != "f":
        return np.ascontiguousarray(values, dtype=np.intp)
    with np.errstate(invalid="ignore"):  # the callers find NaN and numbers that do not fit
        return np.ascontiguousarray(values.astype(np.intp))


def _are_columns(labels: Array, n_columns: int) -> bool:
    """Whether all labels are integers from 0 to ``n_columns - 1``."""
    if labels.dtype.kind not in "iuf":
        numbers = labels.tolist()
        return all(isinstance(label, (int, float)) for label in numbers) and set(numbers) <= set(
            range(n_columns)
        )
    if labels.dtype.kind == "u":
        return bool(labels.max() < n_columns)
    index = _to_integers(labels)
    same = labels.dtype.kind == "i" or bool(np.all(index == labels))
    return same and all_below(index, n_columns)


def infer_classes(y_true: Array, n_columns: int, ignore_label: object = None) -> tuple[Any, ...]:
    """Classes of `n_columns` columns, inferred from the labels."""
    # Integers from 0 to n_columns - 1 are column numbers, even if some do not occur, as in Keras
    # and torch. Other labels are sorted, as in scikit-learn, and must be as many as the columns. A
    # negative label usually marks rows without a label, so that it is refused, except in the pair
    # -1 and 1.
    if y_true.dtype.kind == "b":
        refuse_bool(y_true, n_columns)
        return (False, True)
    if all(_are_columns(piece, n_columns) for _, piece in pieces(y_true, ignore_label)):
        return tuple(range(n_columns))
    labels = distinct(y_true, ignore_label)
    if any(is_missing(label) for label in labels):
        row, label = _first(y_true, is_missing, ignore_label)
        raise _missing_label(label, row)
    if any(isinstance(label, float) and np.isinf(label) for label in labels):
        row, label = _first(y_true, lambda v: v in (np.inf, -np.inf), ignore_label)
        raise InputError(f"labels must be finite; got {label} in row {row} of y_true")
    numbers = [label for label in labels if isinstance(label, (int, float))]
    if numbers and min(numbers) < 0 and labels != {-1, 1}:
        row, _ = _first(y_true, lambda v: v == min(numbers), ignore_label)
        raise InputError(
            f"labels must not be negative, except for the pair -1 and 1; got {min(numbers)!r} in "
            f"row {row} of y_true; pass ignore_label={min(numbers)!r} to ignore such rows, or "
            f"labels= with all classes if {min(numbers)!r} is a class"
        )
    if len(labels) != n_columns:
        shown = show(sorted(labels, key=str))
        several = f"{len(labels)} different labels ({shown})"
        raise InputError(
            f"y_true has {f'only the label {shown}' if len(labels) == 1 else several}, but y_pred "
            f"has {n_columns} classes; pass labels= with all classes, in the order of the columns"
        )
    try:
        return tuple(sorted(labels))
    except TypeError:
        raise InputError(
            f"labels must have one type that can be sorted; got {show(list(labels))} in y_true; "
            f"pass labels= with all classes, in the order of the columns"
        ) from None


def refuse_bool(y_true: Array, n_classes: int) -> None:
    """Raise an InputError for labels True and False of more than two classes."""
    if y_true.dtype.kind == "b" and n_classes != 2:
        raise InputError(
            f"y_true has the labels False and True, but y_pred has {n_classes} classes; pass "
            f"labels= with all classes, in the order of the columns"
        )


def infer_categories(
    categories: list[Any], y_true: Array, n_columns: int, ignore_label: object = None
) -> tuple[Any, ...]:
    """Classes inferred from labels of a categorical type, whose categories need not all occur."""
    categories = [label for label in categories if label != ignore_label]
    if len(categories) == n_columns:
        return infer_classes(to_labels(categories, "categories of y_true"), n_columns)
    classes = infer_classes(y_true, n_columns, ignore_label)
    labels = distinct(y_true, ignore_label)
    if set(categories) <= set(classes) or len(labels) == n_columns:
        return classes
    raise InputError(
        f"y_true must have as many categories as y_pred has classes, {n_columns}; got "
        f"{len(categories)} categories ({show(categories)}); pass labels= with all classes, in the "
        f"order of the columns"
    )


def distinct(y_true: Array, ignore_label: object = None) -> set[Any]:
    """Set of the labels that occur."""
    labels: set[Any] = set()
    for _, piece in pieces(y_true, ignore_label):
        low = int(piece.min()) if piece.dtype.kind in "iu" else 0
        if piece.dtype.kind in "iu" and int(piece.max()) - low < 1000:  # much faster than a set
            present = np.bincount(_to_integers(piece) - low).nonzero()[0] + low
            labels.update(present.tolist())
        else:
            labels.update(piece.tolist())
    return labels


def _first(
    y_true: Array, condition: Callable[[Any], bool], ignore_label: object = None
) -> tuple[int, Any]:
    """Row and value of the first label that meets a condition; at least one must."""
    return next(
        (rows.number(position), label)
        for rows, piece in pieces(y_true, ignore_label)
        for position, label in enumerate(piece.tolist())
        if condition(label)
    )


def fractional(y_true: Array, ignore_label: object = None) -> bool:
    """Whether these are soft targets of two classes: floats in [0, 1], some neither 0 nor 1."""
    if y_true.dtype.kind != "f":
        return False
    fraction = False
    for _, piece in pieces(y_true, ignore_label):
        if not (piece.min() >= 0.0 and piece.max() <= 1.0):
            return False
        fraction = fraction or bool(((piece > 0.0) & (piece < 1.0)).any())
    return fraction


def named_classes(
    names: tuple[Any, ...], y_true: Array, ignore_label: object = None
) -> tuple[Any, ...]:
    """Classes from column names, with the type of the labels in `y_true` if only it differs."""
    # A CSV file has the column names "0" and "1" for the labels 0 and 1.
    labels = {label for label in distinct(y_true, ignore_label) if not is_missing(label)}
    if labels <= set(names):
        return names
    by_text = {plain_text(label): label for label in labels}
    if len(by_text) == len(labels) and set(by_text) <= {plain_text(name) for name in names}:
        return tuple(by_text.get(plain_text(name), name) for name in names)
    raise InputError(
        f"column names of y_pred must be the labels of y_true, {show(sorted(labels, key=str))}; "
        f"got {show(names)}; rename the columns, or pass y_pred.to_numpy() to match them by "
        f"position"
    )


def plain_text(label: object) -> str:
    """Convert a label to text as in a file or a terminal: 1.0 becomes ``"1"``."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def match_columns(names: list[object], classes: tuple[Any, ...], array: str) -> IntArray | None:
    """Position of each class among the column names; None if the columns are in order."""
    for key in (lambda label: label, plain_text):
        position = {key(name): i for i, name in enumerate(names)}
        keys = [key(label) for label in classes]
        if len(position) == len(keys) and set(position) == set(keys):
            order = np.array([position[label] for label in keys], dtype=np.intp)
            return None if bool(np.all(order == np.arange(len(order)))) else order
    if names == list(range(len(names))) and len(names) == len(classes):
        return None  # a data frame without column names
    raise InputError(
        f"column names of {array} must be the classes {show(classes)}; got {show(names)}; rename "
        f"the columns, or pass {array}.to_numpy() to match them by position"
    )


def to_class_weight(
    values: object, classes: tuple[Any, ...], totals: Callable[[], Array] | None = None
) -> NDArray[np.float64] | None:
    """Weight of each class in the order of `classes`, or None."""
    # `totals` computes the sum of the sample weights of each class, for "balanced".
    if values is None:
        return None
    if isinstance(values, str):
        if values != "balanced" or totals is None:
            raise InputError(
                f"class_weight must be 'balanced', a dict, or one number per class; got {values!r}"
            )
        return balanced_weight(totals())
    if type(values).__name__ == "Series" and hasattr(values, "to_dict"):
        values = values.to_dict()  # pandas: matched by the index, not by position
    if isinstance(values, Mapping):
        unknown_labels = [label for label in values if label not in classes]
        if unknown_labels:
            raise InputError(
                f"labels of class_weight must be among the classes {show(classes)}; got "
                f"{show(unknown_labels)}"
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
    """Class weights that give all classes with rows the same total; 0 for classes without rows."""
    relative = totals / totals.sum() * np.count_nonzero(totals)
    return np.asarray(np.divide(1.0, relative, out=np.zeros_like(relative), where=relative > 0))


def to_classes(labels: object, name: str = "labels") -> tuple[Any, ...]:
    """Convert `labels` to a tuple of at least two distinct classes without missing values."""
    if isinstance(labels, (list, tuple)):
        array = np.empty(len(labels), dtype=object)  # keeps each label as it is
        array[:] = labels
    else:
        array = as_array(labels, name)
    if array.ndim != 1:
        raise InputError(f"{name} must be one-dimensional; got shape {array.shape}")
    classes = tuple(plain(label) for label in array)
    if (bad := next((label for label in classes if not _is_single(label)), None)) is not None:
        raise InputError(f"{name} must be one-dimensional, with single values; got {bad!r}")
    for label in classes:
        if is_missing(label):
            raise InputError(f"{name} must not have missing values; got {list(classes)}")
    if len(set(classes)) != len(classes):
        raise InputError(f"{name} must be distinct; got {list(classes)}")
    if len(classes) < 2:
        raise InputError(f"{name} must have at least two classes; got {list(classes)}")
    return classes


def is_missing(label: object) -> bool:
    """Whether a label is None, NaN, NaT or pandas' NA."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float) and label != label


def _text(label: object) -> str:
    try:
        return repr(label)
    except ValueError:  # Python does not print integers of more than 4,300 digits
        return f"an {type(label).__name__} of more than 4,300 digits"


def show(labels: tuple[Any, ...] | list[Any]) -> str:
    """Format labels for a message: at most ten."""
    shown = ", ".join(map(_text, labels[:10]))
    return shown if len(labels) <= 10 else f"{shown}, ... ({len(labels)} in all)"
