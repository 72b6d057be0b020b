"""The section `published`: numbers that a run has to reproduce."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.analysis.replication import Published
from xentexp.experiments.config.checks import known_keys


def read_published(
    section: object, models: Collection[str], name_of: Callable[[str], str]
) -> tuple[Published, ...]:
    """Published numbers of a configuration.

    Parameters
    ----------
    section : object
        Model -> loss or metric -> ``{value: NUMBER, within: NUMBER}``; None for none.
    models : collection of str
        Candidates of the run; published models that are not among them are left out, because
        ``models=[...]`` chooses.
    name_of : callable
        Proper name of a loss or metric; raises for unknown ones.

    Returns
    -------
    tuple of Published
        In the order of the section.

    Raises
    ------
    InputError
        For anything else, and where none of the models is there.
    """
    if section is None:
        return ()
    numbers = []
    for model, measures in _mapping("published", section).items():
        for measure, entry in _mapping(f"published.{model}", measures).items():
            where = f"published.{model}.{measure}"
            known_keys(f"key of {where}", _mapping(where, entry), ("value", "within"))
            value, within = (_number(f"{where}.{key}", entry[key]) for key in ("value", "within"))
            if within < 0:
                raise InputError(f"{where}.within must be >= 0; got {within}")
            numbers.append(Published(str(model), name_of(str(measure)), value, within))
    chosen = tuple(number for number in numbers if number.model in models)
    if not chosen:
        raise unknown_name("model of published numbers", ", ".join(models), _models(numbers))
    return chosen


def _models(numbers: list[Published]) -> list[str]:
    return list(dict.fromkeys(number.model for number in numbers))


def _mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise InputError(f"{where} must be a section of its own; got {value!r}")
    return value


def _number(where: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{where} must be a finite number; got {value!r}")
    return float(value)
