"""Clear errors for mistakes in the definition of a loss, raised where the class is defined.

`checked_on_creation` checks the fields of `Properties`, the metaclass `LossType` checks the
dataclass, and `register_loss` the rest. Without them, Python raises a TypeError that does not name
the class.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from abc import ABCMeta
from numbers import Real
from types import FrameType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from xentexp.errors import InputError, unknown_name

_Class = TypeVar("_Class", bound=type)


def checked_on_creation(cls: _Class) -> _Class:
    """Class decorator: mistakes in the fields raise an InputError, not Python's TypeError."""
    init: Any = vars(cls)["__init__"]
    title = cls.__name__

    @functools.wraps(init)
    def checked_init(self: Any, *positional: object, **values: object) -> None:
        owner = _class_being_defined(sys._getframe(1))
        described = f"{title} of {owner}" if owner else title
        if positional:
            raise InputError(
                f"{described} must have keyword arguments; got {len(positional)} without a keyword"
            )
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name in values:
            if name not in fields:
                raise unknown_name("field", name, fields, where=f" in {described}")
        required = [name for name, field in fields.items() if not has_default(field)]
        if missing := [name for name in required if name not in values]:
            raise InputError(
                f"{described} must have values for {', '.join(required)}; missing: "
                f"{', '.join(missing)}"
            )
        for name, value in values.items():
            if rule := _broken_rule(_hints(cls)[name], value):
                raise InputError(f"{name} in {described} must be {rule}; got {value!r}")
        init(self, **values)

    type.__setattr__(cls, "__init__", checked_init)
    return cls


def _class_being_defined(frame: FrameType) -> str | None:
    """Name of the class whose body runs in a frame, so that an error can name it; else None."""
    return frame.f_code.co_name if "__qualname__" in frame.f_locals else None


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _broken_rule(hint: Any, value: object) -> str | None:
    """What a value must be by its annotation, or None if it is."""
    options = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if value is None and type(None) in options:
        return None
    choices = [choice for option in options for choice in get_args(option)]
    if any(get_origin(option) is Literal for option in options):
        return None if value in choices else " or ".join(map(repr, choices))
    if get_origin(hint) is tuple:
        right = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        return None if right else "a tuple of strings"
    right = isinstance(value, Real if float in options else hint)
    return None if right else f"of type {getattr(hint, '__name__', hint)}"


class LossType(ABCMeta):
    """Metaclass of `Loss` and `DatasetMetric`: clear errors for an invalid dataclass."""

    # @dataclass stores its parameters and its fields on the class before it checks them. The errors
    # of its checks do not name the class.
    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "__dataclass_params__" and not value.frozen:
            raise InputError(f"{cls.__name__} must be frozen; write @dataclass(frozen=True)")
        if name == "__dataclass_fields__":
            # A parameter without a default may not follow one with a default, also of a base class.
            parameters = dataclasses.fields(cls)  # type: ignore[arg-type]
            positional = [field for field in parameters if field.init and not field.kw_only]
            missing = [field.name for field in positional if not has_default(field)]
            if missing and [field.name for field in positional[: len(missing)]] != missing:
                raise missing_defaults(cls, missing)


def has_default(field: dataclasses.Field[Any]) -> bool:
    """Whether a field of a dataclass has a default or a default factory."""
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def missing_defaults(cls: type, names: list[str]) -> InputError:
    """Error for parameters of a loss or metric that have no default."""
    return InputError(
        f"parameters of {cls.__name__} must have defaults; missing for {', '.join(names)}"
    )
