"""Checks and codes of arguments that several functions of this package have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.asarray import as_array
from xentexp._inputs.options import check_integer, real_number, refuse_unordered
from xentexp._numerics import IntArray
from xentexp.errors import InputError

Rows = NDArray[np.intp]


def check_confidence(value: object, low: float = 0.0) -> None:
    """Raise an InputError unless the confidence level lies between `low` and 1."""
    number = real_number(value)
    if number is None or not low < number < 1.0:
        raise InputError(f"confidence must be between {low:g} and 1; got {value!r}")


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
            import pandas as pd

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
