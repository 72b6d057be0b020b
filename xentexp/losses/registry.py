"""The one table of losses: found by name or by a peer's name, and open to losses from outside."""

from __future__ import annotations

import keyword
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import entry_points
from inspect import isabstract
from typing import TypeVar

from xentexp.errors import InputError, unknown_name
from xentexp.inputs.options import OPTIONS
from xentexp.losses.base import Loss, Properties

LOSSES: dict[str, Loss] = {}
"""Every loss by name, with its default parameters."""

ENTRY_POINTS = "xentexp.losses"
_ARGUMENTS = ("y_true", "y_pred", "raw", "convention")

_LossClass = TypeVar("_LossClass", bound=type[Loss])


def register_loss(loss: _LossClass) -> _LossClass:
    """Put a loss into the table: a class decorator.

    From then on it has every face: ``xentexp.metrics.<name>``, a scorer, `evaluate`, its
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
    ...         needs="probabilities", targets="one-hot", gradient="none",
    ...         reference="an example", example=">>> squared_miss([1], [0.5])")
    ...     def per_sample(self, block):
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
    if properties.gradient != "none" and loss.gradient_hessian is Loss.gradient_hessian:
        raise InputError(
            f"the properties of {name} have the gradient {properties.gradient!r}, but it "
            f"defines no gradient_hessian; define it, or state gradient='none'"
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
    LOSSES[name] = default
    return loss


@cache
def load_plugins() -> None:
    """Bring in the losses of installed packages: entry points of group ``xentexp.losses``.

    Raises
    ------
    InputError
        For one that cannot be loaded.
    """
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register_loss(entry.load())
        except Exception as error:  # whatever another package's code may raise
            raise InputError(
                f"entry point {entry.name} = {entry.value} of group {ENTRY_POINTS} cannot be "
                f"loaded: {error}; mend or uninstall its package"
            ) from error


def get_loss(name: str | Loss, **parameters: object) -> Loss:
    """Loss by name, with other parameters than the default where they are given.

    Parameters
    ----------
    name : str or Loss
        A key of `LOSSES`; what a peer calls it, in full (``"torch.nn.CrossEntropyLoss"``) or
        the last part alone where that is one loss (``"BCEWithLogitsLoss"``); or a loss.
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
    >>> get_loss("torch.nn.CrossEntropyLoss")
    CategoricalCrossentropy()
    """
    loss = name if isinstance(name, Loss) else getattr(name, "definition", None)
    if not isinstance(loss, Loss):
        loss = _find(name)
    known = [field.name for field in fields(loss)]
    for parameter in parameters:
        if parameter not in known:
            raise unknown_name(f"parameter of {loss.name}", parameter, known)
    return replace(loss, **parameters)


def _find(name: object) -> Loss:
    if not isinstance(name, str):
        raise unknown_name("loss", name, LOSSES)
    if name not in LOSSES:
        load_plugins()
    if name in LOSSES:
        return LOSSES[name]
    found = {
        loss.name
        for loss in LOSSES.values()
        for peer in loss.properties.peers
        if name in (peer, peer.rpartition(".")[2])
    }
    if len(found) == 1:
        return LOSSES[found.pop()]
    if found:
        raise InputError(f"{name!r} may be {' or '.join(sorted(found))}; name the one you mean")
    peers = [peer for loss in LOSSES.values() for peer in loss.properties.peers]
    short = [peer.rpartition(".")[2] for peer in peers]
    raise unknown_name("loss", name, [*LOSSES, *peers, *short], shown=LOSSES)
