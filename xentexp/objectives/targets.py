"""Targets of one batch: class numbers or distributions, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.inputs.columns import row_sum_tolerance
from xentexp.numerics import Array, FloatArray, IntArray


@dataclass(frozen=True)
class Targets:
    """What a batch should have been: `index` (n,), or `soft` (n, k); rows that are not `kept`."""

    n_classes: int
    index: IntArray | None = None
    soft: FloatArray | None = None
    kept: NDArray[np.bool_] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows, ignored ones too."""
        given = self.soft if self.index is None else self.index
        assert given is not None
        return len(given)


def of_shape(values: Array, shape: tuple[int, ...], name: str = "target") -> Array:
    """Array of a shape, or with a last axis of 1 more.

    Parameters
    ----------
    values : ndarray
        What was given.
    shape : tuple of int
        What it must have.
    name : str
        For the message.

    Returns
    -------
    ndarray
        Of that shape.

    Raises
    ------
    InputError
        For any other.
    """
    if values.shape == (*shape, 1):
        values = values[..., 0]
    if values.shape != shape:
        raise InputError(f"{name} must have shape {shape}, that of the input; got {values.shape}")
    return values


def within_unit(values: Array, name: str) -> FloatArray:
    """Numbers of [0, 1], as float64.

    Parameters
    ----------
    values : ndarray
        What was given.
    name : str
        For the message.

    Returns
    -------
    ndarray
        Of the same shape.

    Raises
    ------
    InputError
        For others, and for NaN.
    """
    if not (values.min() >= 0.0 and values.max() <= 1.0):
        strange = values[~((values >= 0.0) & (values <= 1.0))]
        raise InputError(f"{name} must lie in [0, 1]; got {strange.flat[0]}")
    return np.asarray(values, dtype=np.float64)


def distributions(target: Array, as_given: bool) -> Targets:
    """Targets with a column for each class: their class, where each row has one alone.

    Parameters
    ----------
    target : ndarray of shape (n, k)
        One-hot or soft.
    as_given : bool
        Whether one-hot rows stay distributions.

    Returns
    -------
    Targets
        Of k classes.

    Raises
    ------
    InputError
        For rows that are no distributions.
    """
    soft = within_unit(target, "target")
    off = np.abs(soft.sum(axis=1) - 1.0)
    # Integers and halves are sums of few digits: the bound of float32 is for rounded shares.
    if off.max() > row_sum_tolerance(np.dtype(np.float32)):
        raise InputError(
            f"rows of target must sum to 1; row {off.argmax()} is {target[off.argmax()].tolist()}"
        )
    if not as_given and (soft.max(axis=1) == 1.0).all():
        return Targets(soft.shape[1], index=soft.argmax(axis=1))
    return Targets(soft.shape[1], soft=soft)
