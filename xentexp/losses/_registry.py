"""`register_loss` and the table of losses, which finds them by name or by a name of a peer."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from importlib.metadata import entry_points
from inspect import isabstract
from typing import Any, Protocol, TypeVar

from xentexp._inputs.options import OPTIONS
from xentexp.errors import InputError
from xentexp.losses._base import Loss, MetricProperties, Properties
from xentexp.losses._definition import has_default, missing_defaults

LOSSES: dict[str, Loss] = {}
"""Every loss by name, with its default parameters."""

ALIASES: dict[str, str] = {
    "brier": "brier_loss",
    "mae": "absolute_error",
    "mse": "squared_error",
    "nll": "categorical_crossentropy",
    "rps": "ranked_probability_score",
}
"""Common short names."""

TAKEN: set[str] = set(ALIASES)
"""Names that a loss must not have: aliases, and (added there) the names in `xentexp.metrics`."""
TAKEN_PREFIXES: set[str] = {"neg_"}
"""Prefixes that the name of a loss must not have: of scorers, and of metrics of a loss."""

ENTRY_POINTS = "xentexp.losses"
_ARGUMENTS = ("y_true", "y_pred", "convention")

_LossClass = TypeVar("_LossClass", bound=type[Loss])


def register_loss(loss: _LossClass) -> _LossClass:
    """Class decorator that makes a loss available by name.

    The loss gets a function ``xentexp.metrics.<name>`` and a scorer ``neg_<name>``; `evaluate`,
    `get_loss`, the estimators and experiments find it. A package that lists the class among its
    entry points of group ``xentexp.losses`` also adds it to the command line.

    Parameters
    ----------
    loss : type
        Class derived from `Loss`, with ``@dataclass(frozen=True)``, a `name`, `properties`, and
        a default for every parameter. A description of each parameter in the numpydoc section
        "Parameters" of its docstring is copied to the docstring of the function. To register a
        class of the same name in the same module again replaces it, as in a notebook.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        If the class is not a complete loss, if its name belongs to another loss or metric, or if
        one of its `peers` is a name by which another loss is found. The message names the class and
        what is missing.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from xentexp import Properties, Loss, register_loss
    >>> @register_loss
    ... @dataclass(frozen=True)
    ... class SquaredMiss(Loss):
    ...     name = "squared_miss"
    ...     properties = Properties(
    ...         summary="Squared difference of 1 and the probability of the true class.",
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
    _check_class(loss)
    _check_name(loss)
    _check_properties(loss)
    distributions = ("p", "q") if loss.properties.distributions else ()
    check_parameters(loss, ("name", "properties"), *distributions)
    _check_methods(loss)
    try:
        LOSSES[loss.name] = loss()
    except TypeError as error:
        raise InputError(f"{loss.__name__}() must create the default loss; {error}") from error
    return loss


def _check_class(loss: object) -> None:
    if not (isinstance(loss, type) and issubclass(loss, Loss)):
        raise InputError(
            f"a loss must be a class derived from xentexp.Loss, with @dataclass(frozen=True); got "
            f"{loss!r}"
        )
    if "__dataclass_params__" not in vars(loss):  # not inherited: the class itself
        raise InputError(
            f"{loss.__name__} must be a dataclass; write @dataclass(frozen=True) between "
            f"@register_loss and the class"
        )
    name = getattr(loss, "name", None)
    if not (isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)):
        raise InputError(
            f"{loss.__name__} must have a name that is a Python identifier, e.g. "
            f"name = 'my_loss'; got {name!r}"
        )


def _check_properties(loss: type[Loss]) -> None:
    name, properties = loss.name, getattr(loss, "properties", None)
    if not isinstance(properties, Properties):
        raise InputError(
            f"{loss.__name__} must have properties, as in properties = Properties(...); got "
            f"{properties!r}"
        )
    check_example(loss, name, properties.example)
    if properties.direction not in ("lower", "none"):
        raise InputError(
            f"direction of {loss.__name__} must be 'lower' or 'none', because lower values of a "
            f"loss are better; got {properties.direction!r}; negate the value, or define a "
            f"DatasetMetric"
        )
    check_peers(loss, name, properties.peers, LOSSES.values())


class _Named(Protocol):
    """A loss, or a metric of the whole data set."""

    @property
    def name(self) -> str: ...

    @property
    def properties(self) -> MetricProperties: ...


def check_peers(cls: type, name: str, peers: Iterable[str], others: Iterable[_Named]) -> None:
    """Raise an InputError if another loss or metric has a peer that is found by the same name."""
    # Otherwise the name becomes ambiguous for all users.
    known = [other for other in others if other.name != name]
    for peer in peers:
        for other in known:
            if peer.rpartition(".")[2] in {p.rpartition(".")[2] for p in other.properties.peers}:
                raise InputError(
                    f"peers of {cls.__name__} must be names by which no other loss or metric is "
                    f"found; {peer!r} is a name of {other.name}; leave it out"
                )


def check_example(cls: type, function: str, example: str) -> None:
    """Raise an InputError if the example does not call the function of the loss or metric."""
    if f"{function}(" not in example:
        raise InputError(
            f"the example of {cls.__name__} must call its function {function}(...); got {example!r}"
        )


def check_parameters(cls: type[Any], described: Iterable[str], *arguments: str) -> None:
    """Check that the fields of a loss or metric are parameters with defaults and free names."""
    reserved = {*OPTIONS, *_ARGUMENTS, *arguments}
    for field in fields(cls):
        if field.name in described:
            raise InputError(
                f"{field.name} of {cls.__name__} must not be a parameter; write "
                f"{field.name}: ClassVar, or leave out the annotation"
            )
        if field.name in reserved:
            raise InputError(
                f"{cls.__name__} must not have a parameter {field.name}, because its function has "
                f"an argument of that name; choose another name"
            )
    missing = [field.name for field in fields(cls) if field.init and not has_default(field)]
    if missing:
        raise missing_defaults(cls, missing)


def _check_methods(loss: type[Loss]) -> None:
    if isabstract(loss):
        missing = ", ".join(sorted(loss.__abstractmethods__))
        raise InputError(f"{loss.__name__} must define {missing}")
    gradient = loss.properties.gradient
    if gradient != "none" and loss.block_gradient_hessian is Loss.block_gradient_hessian:
        raise InputError(
            f"{loss.__name__} must define block_gradient_hessian, because its properties have "
            f"gradient={gradient!r}; define it, or write gradient='none'"
        )


def _check_name(loss: type[Loss]) -> None:
    name = loss.name
    holder = type(LOSSES[name]) if name in LOSSES else loss
    # The same class again, e.g. when a cell of a notebook runs twice, replaces the earlier one.
    if (holder.__module__, holder.__qualname__) != (loss.__module__, loss.__qualname__):
        raise InputError(
            f"the name {name} is taken by {holder.__module__}.{holder.__qualname__}; choose another"
        )
    if name in TAKEN or name.startswith(tuple(TAKEN_PREFIXES)):
        raise InputError(f"the name {name} is taken by another loss or metric; choose another")


@cache
def load_plugins() -> None:
    """Register the losses of installed packages: entry points of group ``xentexp.losses``.

    The functions that look up names and list losses call it; later calls do nothing.

    Raises
    ------
    InputError
        If an entry point cannot be loaded, or its class is not a complete loss.

    Examples
    --------
    >>> load_plugins()
    >>> "brier_loss" in LOSSES
    True
    """
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register_loss(entry.load())
        except Exception as error:  # the code of another package can raise anything
            raise InputError(
                f"entry point {entry.name} = {entry.value} of group {ENTRY_POINTS} cannot be "
                f"loaded: {error}; fix or uninstall its package"
            ) from error


def matching_losses(name: str) -> set[str]:
    """Names of the losses that have a given name, alias or name in another library."""
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
