"""What a search may set, in plain data: ranges of numbers and lists of choices."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xentexp.errors import InputError, unknown_name

_KEYS = ("low", "high", "log", "type")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
        Ends.
    whole : bool
        Whether only whole numbers are drawn.
    log : bool
        Whether they are drawn evenly in their logarithms.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.tuning import Range, read_space
    >>> read_space({"C": {"low": 0.01, "high": 10.0, "log": True}}, LogisticRegression())
    {'C': Range(low=0.01, high=10.0, whole=False, log=True)}
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def distribution(self) -> Any:
        """Distribution of Optuna."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def to_stored(self, value: object) -> object | None:
        """A setting as Optuna stores it; None where it is outside."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return None
        return int(value) if self.whole else float(value)

    def from_stored(self, stored: Any) -> Any:
        """The setting that Optuna stores as `stored`."""
        return stored


@dataclass(frozen=True)
class Choices:
    """Any of some values, in no order.

    Parameters
    ----------
    values : tuple
        What is chosen from.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.tuning import Choices, read_space
    >>> read_space({"C": [0.1, 1.0, 10.0]}, LogisticRegression())
    {'C': Choices(values=(0.1, 1.0, 10.0))}
    """

    values: tuple[Any, ...]

    def distribution(self) -> Any:
        """Distribution of Optuna."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([_label(value) for value in self.values])

    def to_stored(self, value: object) -> object | None:
        """A setting as Optuna stores it; None where it is not among the choices."""
        label = _label(value)
        return label if label in map(_label, self.values) else None

    def from_stored(self, stored: Any) -> Any:
        """The setting that Optuna stores as `stored`."""
        return next(value for value in self.values if _label(value) == stored)


Space = dict[str, Range | Choices]


def _label(value: object) -> str:
    """Text of a choice: Optuna keeps no lists, and takes 1 and True for the same."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=repr)


def read_space(space: object, estimator: Any) -> Space:
    """A space that was shown to fit an estimator.

    Parameters
    ----------
    space : mapping
        By parameter (``step__parameter`` within a pipeline): a list of choices, or a mapping
        with ``low`` and ``high``, and if wanted ``log: true`` and ``type``, ``int`` or
        ``float``. It may be left out where an end is no whole number.
    estimator : estimator
        Whose parameters they are.

    Returns
    -------
    dict
        `Range` or `Choices` by parameter.

    Raises
    ------
    InputError
        For unknown parameters, and for ranges and choices that are none.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> read_space({"C": {"low": 1e-3, "high": 100, "log": True}}, LogisticRegression())
    {'C': Range(low=0.001, high=100, whole=False, log=True)}
    """
    if not isinstance(space, Mapping) or not space:
        raise InputError(
            f"space must be a mapping from a parameter at least to a list or to low and high; got "
            f"{space!r}"
        )
    known = estimator.get_params(deep=True)
    for name in space:
        if name not in known:
            raise unknown_name(f"parameter of {type(estimator).__name__}", name, known)
    return {str(name): _dimension(name, spec) for name, spec in space.items()}


def _dimension(name: str, spec: object) -> Range | Choices:
    if isinstance(spec, (Range, Choices)):
        return spec
    if isinstance(spec, (list, tuple)):
        labels = [_label(value) for value in spec]
        if not labels or len(set(labels)) < len(labels):
            raise InputError(f"space of {name} must list different choices; got {list(spec)!r}")
        return Choices(tuple(spec))
    if not isinstance(spec, Mapping):
        raise InputError(
            f"space of {name} must be a list of choices, or a mapping with low and high; got "
            f"{spec!r}"
        )
    for key in spec:
        if key not in _KEYS:
            raise unknown_name(f"key of the space of {name}", key, _KEYS)
    return _range(name, spec)


def _range(name: str, spec: Mapping[str, Any]) -> Range:
    ends = [spec.get("low"), spec.get("high")]
    for key, value in zip(("low", "high"), ends, strict=True):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):  # type: ignore[arg-type]
            raise InputError(f"space of {name}: {key} must be a number; got {value!r}")
    low, high = ends
    if not low < high:  # type: ignore[operator]
        raise InputError(f"space of {name}: low must be below high; got {low!r} and {high!r}")
    log = spec.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"space of {name}: log must be true or false; got {log!r}")
    kind = spec.get("type")
    whole_ends = all(float(end) == int(end) for end in ends)  # type: ignore[arg-type]
    if kind is None and whole_ends:
        raise InputError(
            f"space of {name}: low {low!r} and high {high!r} may be ends of whole numbers or of "
            f"any; say which by type: int or type: float"
        )
    if kind not in (None, "int", "float", int, float):
        raise InputError(f"space of {name}: type must be int or float; got {kind!r}")
    whole = kind in ("int", int)
    if whole and not whole_ends:
        raise InputError(
            f"space of {name}: low and high must be whole for type int; got {low!r} and {high!r}"
        )
    if log and not low >= (1 if whole else math.ulp(0.0)):  # type: ignore[operator]
        raise InputError(
            f"space of {name}: low must be {'1 or more' if whole else 'above 0'} where log is "
            f"true; got {low!r}"
        )
    return Range(low, high, whole, log)  # type: ignore[arg-type]
