"""Checks and codes of arguments that several functions of this package have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array
from xentexp._inputs.options import check_integer, real_number, refuse_unordered
from xentexp._inputs.read import read
from xentexp._numerics import IntArray
from xentexp.errors import InputError
from xentexp.metrics._metric_input import MetricInput

Rows = NDArray[np.intp]


def check_confidence(value: object, low: float = 0.0) -> None:
    """Raise an InputError unless the confidence level lies between `low` and 1."""
    number = real_number(value)
    if number is None or not low < number < 1.0:
        raise InputError(f"confidence must be between {low:g} and 1; got {value!r}")


def read_two_classes(
    function: str,
    y_true: object,
    y_pred: object,
    labels: object,
    sample_weight: object,
    *,
    predictions: str = "y_pred",
) -> MetricInput:
    """Rows with one of two true classes each; `predictions` is the name of `y_pred`."""
    checked = read(
        y_true,
        y_pred,
        labels=labels,
        sample_weight=sample_weight,
        names=("y_true", predictions),
    )
    if y_true is None or not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions or None; pass labels "
            "or one-hot rows"
        )
    if checked.n_classes != 2:
        raise InputError(
            f"{function} is for two classes; there are {checked.n_classes}; pass the "
            f"probability of one class and labels of whether a row has it"
        )
    return MetricInput(checked)


def check_names(names: Sequence[str] | None, n_models: int) -> tuple[str, ...]:
    """Names of the models, by default their numbers."""
    if names is None:
        return tuple(str(i) for i in range(n_models))
    refuse_unordered("names", names)
    labels = tuple(names) if np.iterable(names) else ()
    if (
        isinstance(names, str)
        or not all(isinstance(label, str) for label in labels)
        or len(set(labels)) != len(labels)
        or len(labels) != n_models
    ):
        raise InputError(
            f"names must be {n_models} different texts, one for each model; got {names!r}"
        )
    return labels


def random_generator(random_state: object) -> np.random.Generator:
    """Generator of a seed; a generator is returned as it is."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is not None:
        if not isinstance(random_state, (int, np.integer)) or isinstance(random_state, bool):
            raise InputError(
                f"random_state must be an integer >= 0, a numpy.random.Generator or None; got "
                f"{random_state!r}"
            )
        check_integer("random_state", random_state, 0)
    return np.random.default_rng(random_state)


def codes_of(name: str, labels: object, n_rows: int) -> IntArray:
    """Number of the label (group, fold, time ...) of each row, from 0, in the order of labels."""
    array = as_array(labels, name)
    if array.shape != (n_rows,):
        raise InputError(
            f"{name} must have one entry for each of the {n_rows} rows; got shape {array.shape}"
        )
    try:
        if array.dtype.kind == "O":  # hashing Python objects is much faster than sorting them
            codes, distinct = pd.factorize(array)
            missing = codes < 0
        else:
            missing = array != array
        if missing.any():
            row = int(missing.argmax())
            raise InputError(
                f"{name} must not have missing entries; row {row} has {array[row]}; give such rows "
                f"an entry or leave them out"
            )
        if array.dtype.kind != "O":
            return np.unique(array, return_inverse=True)[1]
        return np.unique(distinct, return_inverse=True)[1][codes]
    except TypeError:
        raise InputError(
            f"{name} must have entries of one type that can be sorted; got several types; convert "
            f"them to text"
        ) from None


def rows_by_code(codes: IntArray, rows: Rows | None = None) -> list[Rows]:
    """Split some rows, by default all, by their code; without codes that do not occur."""
    chosen = codes if rows is None else codes[rows]
    order = np.argsort(chosen, kind="stable")
    ends = np.flatnonzero(np.diff(chosen[order])) + 1
    return list(np.split(order if rows is None else rows[order], ends))
