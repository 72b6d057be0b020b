"""The one table of losses: found by name or by a peer's name, and open to losses from outside."""

from __future__ import annotations

import keyword
from dataclasses import fields
from functools import cache
from importlib.metadata import entry_points
from inspect import isabstract
from typing import TypeVar

from xentexp._inputs.options import OPTIONS
from xentexp.errors import InputError
from xentexp.losses._base import Loss, Properties

LOSSES: dict[str, Loss] = {}
"""Every loss by name, with its default parameters."""

ALIASES: dict[str, str] = {
    "brier": "brier_loss",
    "mae": "absolute_error",
    "mse": "squared_error",
    "nll": "categorical_crossentropy",
    "rps": "ranked_probability_score",
}
"""Everyday names."""

TAKEN: set[str] = set(ALIASES)
"""Names that a loss cannot have: aliases, and what `xentexp.metrics` has once it exists."""
TAKEN_PREFIXES: set[str] = {"neg_"}
"""Beginnings of names that a loss cannot have: those of scorers, and of metrics of a loss."""

ENTRY_POINTS = "xentexp.losses"
_ARGUMENTS = ("y_true", "y_pred", "convention")

_LossClass = TypeVar("_LossClass", bound=type[Loss])


def register_loss(loss: _LossClass) -> _LossClass:
    """Put a loss into the table: a class decorator.

    From then on it has a function ``xentexp.metrics.<name>``, a scorer, a place in `evaluate`, its
    derivatives, and a place in experiments. A package that names the class among its entry
    points of group ``xentexp.losses`` brings it to the command line as well.

    Parameters
    ----------
    loss : type
        A frozen dataclass derived from `Loss`, with `name` and `properties`, whose parameters all
        have defaults.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        For a class that is no such thing, and for a name that is taken by another.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from xentexp import Properties, Loss, register_loss
    >>> @register_loss
    ... @dataclass(frozen=True)
    ... class SquaredMiss(Loss):
    ...     name = "squared_miss"
    ...     properties = Properties(
    ...         summary="Squared missing probability of the true class.",
    ...         formula="(1 - p_y)^2", range="[0, 1]", properness="improper",
    ...         response="predict_proba", targets="one-hot", gradient="none",
    ...         reference="an example", example=">>> squared_miss([1], [0.5])")
    ...     def block_values(self, block):
    ...         return block.true_miss ** 2
    >>> from xentexp.metrics import squared_miss
    >>> squared_miss([1, 0], [0.5, 0.0])
    0.125
    >>> del LOSSES["squared_miss"]
    """
    derived = isinstance(loss, type) and issubclass(loss, Loss)
    if not (derived and "__dataclass_params__" in vars(loss)):  # its own, not one inherited
        raise InputError(
            f"a loss is a class derived from xentexp.Loss, with @dataclass(frozen=True); "
            f"got {loss!r}"
        )
    name, properties = getattr(loss, "name", None), getattr(loss, "properties", None)
    good = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    if not (good and isinstance(name, str) and isinstance(properties, Properties)):
        raise InputError(
            f"{loss.__name__} must have a name (an identifier) and properties: Properties(...)"
        )
    for field in fields(loss):
        if field.name in ("name", "properties"):
            raise InputError(
                f"name and properties of {loss.__name__} must not be parameters: leave out the "
                f"annotation, or write ClassVar"
            )
        if field.name in (*OPTIONS, *_ARGUMENTS, *(("p", "q") if properties.distributions else ())):
            raise InputError(
                f"{field.name} cannot be a parameter of {name}: every function has an option or "
                f"argument of that name"
            )
    if isabstract(loss):
        raise InputError(
            f"{loss.__name__} must define {', '.join(sorted(loss.__abstractmethods__))}"
        )
    if properties.gradient != "none" and loss.block_gradient_hessian is Loss.block_gradient_hessian:
        raise InputError(
            f"the properties of {name} have the gradient {properties.gradient!r}, but it "
            f"defines no block_gradient_hessian; define it, or state gradient='none'"
        )
    try:
        default = loss()
    except TypeError as error:
        raise InputError(f"parameters of {name} must have defaults: {error}") from None
    holder = type(LOSSES.get(name, default))
    # The same class again, as when a cell of a notebook is run twice, takes its own place.
    if (holder.__module__, holder.__qualname__) != (loss.__module__, loss.__qualname__):
        raise InputError(
            f"the name {name} is taken by {holder.__module__}.{holder.__qualname__}; choose another"
        )
    if name in TAKEN or name.startswith(tuple(TAKEN_PREFIXES)):
        raise InputError(f"the name {name} is taken by another loss or metric; choose another")
    LOSSES[name] = default
    return loss


@cache
def load_plugins() -> None:
    """Bring in the losses of installed packages: entry points of group ``xentexp.losses``.

    Raises
    ------
    InputError
        For one that cannot be loaded.

    Examples
    --------
    >>> load_plugins()
    >>> "brier_loss" in LOSSES
    True
    """
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register_loss(entry.load())
        except Exception as error:  # whatever another package's code may raise
            raise InputError(
                f"entry point {entry.name} = {entry.value} of group {ENTRY_POINTS} cannot be "
                f"loaded: {error}; mend or uninstall its package"
            ) from error


def matching_losses(name: str) -> set[str]:
    """Names of the losses that a name, an alias or a peer's name stands for."""
    name = ALIASES.get(name, name)
    if name not in LOSSES:
        load_plugins()
    if name in LOSSES:
        return {name}
    return {
        loss.name
        for loss in LOSSES.values()
        for peer in loss.properties.peers
        if name in (peer, peer.rpartition(".")[2])
    }
