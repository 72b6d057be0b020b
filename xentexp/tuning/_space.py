"""Search spaces: ranges of numbers and lists of choices."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xentexp._inputs.options import check_bool, check_number
from xentexp.errors import InputError, unknown_name

_KEYS = ("low", "high", "log", "type")


@dataclass(frozen=True)
class Range:
    """Range of numbers in a search space, from `low` to `high`, both included.

    `read_space` creates it from a mapping and checks it.

    Parameters
    ----------
    low : float
        Smallest value.
    high : float
        Largest value; it must be above `low`.
    whole : bool, default=False
        If True, only integers are sampled.
    log : bool, default=False
        If True, values are sampled uniformly on a logarithmic scale; `low` must then be above 0,
        or at least 1 for integers.

    See Also
    --------
    Choices : List of values in a search space.
    read_space : Create and check a search space.

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

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            check_number(name, getattr(self, name), -math.inf, math.inf)
        for name in ("whole", "log"):
            check_bool(name, getattr(self, name))

    def distribution(self) -> Any:
        """Return the equivalent distribution of Optuna.

        Returns
        -------
        optuna.distributions.IntDistribution or optuna.distributions.FloatDistribution
            An IntDistribution if `whole` is True.
        """
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def to_stored(self, value: object) -> object | None:
        """Convert a parameter value to the form in which Optuna stores it.

        Parameters
        ----------
        value : object
            Value of the parameter.

        Returns
        -------
        int, float or None
            The number; None if the value is not in the range.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return None
        return int(value) if self.whole else float(value)

    def from_stored(self, stored: Any) -> Any:
        """Convert a value that Optuna stores to the value of the parameter.

        Parameters
        ----------
        stored : int or float
            Value from Optuna.

        Returns
        -------
        int or float
            The same number.
        """
        return stored


@dataclass(frozen=True)
class Choices:
    """List of values in a search space, without an order.

    `read_space` creates it from a list and checks it.

    Parameters
    ----------
    values : tuple
        Different values of any type, also lists, truth values and estimators.

    See Also
    --------
    Range : Range of numbers in a search space.
    read_space : Create and check a search space.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.tuning import Choices, read_space
    >>> read_space({"C": [0.1, 1.0, 10.0]}, LogisticRegression())
    {'C': Choices(values=(0.1, 1.0, 10.0))}
    """

    values: tuple[Any, ...]

    def distribution(self) -> Any:
        """Return the equivalent distribution of Optuna.

        Returns
        -------
        optuna.distributions.IntDistribution or optuna.distributions.FloatDistribution
            An IntDistribution if `whole` is True.
        """
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([_label(value) for value in self.values])

    def to_stored(self, value: object) -> object | None:
        """Convert a parameter value to the form in which Optuna stores it.

        Parameters
        ----------
        value : object
            Value of the parameter.

        Returns
        -------
        str or None
            Text of the choice; None if the value is not among the choices.
        """
        label = _label(value)
        return label if label in map(_label, self.values) else None

    def from_stored(self, stored: Any) -> Any:
        """Convert a text that Optuna stores to the value of the parameter.

        Parameters
        ----------
        stored : str
            Text of a choice, from Optuna.

        Returns
        -------
        object
            The choice with this text.
        """
        return next(value for value in self.values if _label(value) == stored)


Space = dict[str, Range | Choices]


def _label(value: object) -> str:
    """Text of a choice: Optuna does not store lists, and does not distinguish 1 from True."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=repr)


def read_space(space: object, estimator: Any) -> Space:
    """Check a search space and convert it to `Range` and `Choices` objects.

    Parameters
    ----------
    space : mapping
        Parameter name (in a pipeline ``step__parameter``) -> dimension. A dimension is

        - a list of different choices, for example ``["gini", "entropy"]``;
        - a mapping with the numbers ``low`` and ``high``, both included, and optionally ``log``
          (True samples on a logarithmic scale; default False) and ``type`` (``"int"`` or
          ``"float"``). ``type`` is required if both ends are integers, otherwise it is
          ``"float"`` by default;
        - a `Range` or `Choices` object, which is used unchanged.
    estimator : estimator object
        Estimator whose parameters are searched.

    Returns
    -------
    dict
        Parameter name -> `Range` or `Choices`.

    Raises
    ------
    InputError
        If the space is empty, if the estimator does not have a parameter, or if a list or a range
        is not valid.

    See Also
    --------
    TunedClassifier : Classifier that searches the space.

    Examples
    --------
    >>> from xentexp.tuning import read_space
    >>> from sklearn.linear_model import LogisticRegression
    >>> read_space({"C": {"low": 1e-3, "high": 100, "log": True}}, LogisticRegression())
    {'C': Range(low=0.001, high=100, whole=False, log=True)}
    """
    if not isinstance(space, Mapping) or not space:
        raise InputError(
            f"space must be a mapping from at least one parameter to a list of choices or to low "
            f"and high; got {space!r}; e.g. {{'C': {{'low': 0.01, 'high': 100.0, 'log': True}}}}"
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
            raise InputError(
                f"space of {name} must be a list of different choices; got {list(spec)!r}"
            )
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
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):  # type: ignore[arg-type]
            raise InputError(f"{key} of the space of {name} must be a finite number; got {value!r}")
    low, high = ends
    if not low < high:  # type: ignore[operator]
        raise InputError(
            f"low of the space of {name} must be below high; got low={low!r} and high={high!r}"
        )
    log = spec.get("log", False)
    check_bool(f"log of the space of {name}", log)
    kind = spec.get("type")
    ends_are_whole = all(float(end) == int(end) for end in ends)  # type: ignore[arg-type]
    if kind is None and ends_are_whole:
        raise InputError(
            f"type of the space of {name} must be set if low and high are integers; got "
            f"low={low!r} and high={high!r}; add type: int or type: float"
        )
    if kind not in (None, "int", "float", int, float):
        raise InputError(f"type of the space of {name} must be int or float; got {kind!r}")
    whole = kind in ("int", int)
    if whole and not ends_are_whole:
        raise InputError(
            f"low and high of the space of {name} must be integers for type int; got "
            f"low={low!r} and high={high!r}"
        )
    if log and not low >= (1 if whole else math.ulp(0.0)):  # type: ignore[operator]
        raise InputError(
            f"low of the space of {name} must be {'>= 1' if whole else '> 0'} if log is True; got "
            f"{low!r}"
        )
    return Range(low, high, whole, log)  # type: ignore[arg-type]
