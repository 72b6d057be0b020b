"""The mathematics: one definition of each loss, and the one table of them."""

from __future__ import annotations

from dataclasses import fields, replace

from xentexp.errors import unknown_name
from xentexp.losses.base import Facts, Loss
from xentexp.losses.block import Block
from xentexp.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CrossEntropy,
    Entropy,
    KLDivergence,
    SparseCategoricalCrossentropy,
)
from xentexp.losses.margin import (
    CategoricalHinge,
    HingeLoss,
    SquaredHingeLoss,
    WestonWatkinsHinge,
)
from xentexp.losses.quadratic import AbsoluteError, BrierLoss, SquaredError, ZeroOneLoss

_TABLE: tuple[Loss, ...] = (
    BinaryCrossentropy(),
    CategoricalCrossentropy(),
    SparseCategoricalCrossentropy(),
    BrierLoss(),
    SquaredError(),
    AbsoluteError(),
    ZeroOneLoss(),
    HingeLoss(),
    SquaredHingeLoss(),
    CategoricalHinge(),
    WestonWatkinsHinge(),
    Entropy(),
    CrossEntropy(),
    KLDivergence(),
)
LOSSES: dict[str, Loss] = {loss.name: loss for loss in _TABLE}
"""Every loss by name, with its default parameters."""


def get_loss(name: str | Loss, **parameters: object) -> Loss:
    """Loss by name, with other parameters than the default where they are given.

    Parameters
    ----------
    name : str or Loss
        A key of `LOSSES`, or a loss itself.
    **parameters : object
        Fields of the loss, e.g. ``over_classes="sum"``.

    Returns
    -------
    Loss
        A frozen value; equal parameters make equal losses.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest ones, and for a bad value.

    Examples
    --------
    >>> get_loss("squared_error", over_classes="half_sum")
    SquaredError(over_classes='half_sum')
    """
    if isinstance(name, Loss):
        loss = name
    elif isinstance(name, str) and name in LOSSES:
        loss = LOSSES[name]
    else:
        raise unknown_name("loss", name, LOSSES)
    known = [field.name for field in fields(loss)]
    for parameter in parameters:
        if parameter not in known:
            raise unknown_name(f"parameter of {loss.name}", parameter, known)
    return replace(loss, **parameters)


__all__ = ["LOSSES", "Block", "Facts", "Loss", "get_loss"]
