"""Checks of a plain configuration: keys, sections, whole numbers, lists of names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from xentexp.errors import InputError, unknown_name


def known_keys(
    kind: str, given: Mapping[str, Any], known: Collection[str], optional: Collection[str] = ()
) -> None:
    """Refuse keys that are not known, and miss none that are not optional.

    Parameters
    ----------
    kind : str
        What the keys are, for the message.
    given : mapping
        As configured.
    known : collection of str
        All keys.
    optional : collection of str
        Those of them that may be left out.

    Raises
    ------
    InputError
        With the nearest name.
    """
    for key in given:
        if key not in known:
            raise unknown_name(kind, key, known)
    missing = sorted(set(known).difference(given, optional))
    if missing:
        raise InputError(f"{kind} {', '.join(missing)} is missing")


def section(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A part of the configuration that has keys of its own.

    Parameters
    ----------
    config : mapping
        The whole.
    key : str
        Which part.

    Returns
    -------
    dict
        A copy.

    Raises
    ------
    InputError
        Where it is a value.
    """
    value = config[key]
    if not isinstance(value, Mapping):
        raise InputError(f"{key} must be a section of its own; got {value!r}")
    return dict(value)


def whole(config: Mapping[str, Any], key: str, *, low: int, high: int) -> int:
    """A whole number of the configuration.

    Parameters
    ----------
    config : mapping
        Where it stands.
    key : str
        Under which name.
    low, high : int
        Ends of what it may be.

    Returns
    -------
    int
        The number.

    Raises
    ------
    InputError
        For anything else.
    """
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{key} must be a whole number from {low} to {high}; got {value!r}")
    return value


def name_list(key: str, names: object, name_of: Callable[[str], str]) -> tuple[str, ...] | None:
    """A list of names, each one checked; null is None, for all.

    Parameters
    ----------
    key : str
        Of the configuration.
    names : object
        What stands there.
    name_of : callable
        Proper name of a name; raises for unknown ones.

    Returns
    -------
    tuple of str or None
        Proper names.

    Raises
    ------
    InputError
        For what is no list of names.
    """
    if names is None:
        return None
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not (listed or key in ("samples", "curves")):
        null = "null" if key == "curves" else "null for all"
        raise InputError(f"{key} must be a list of names, or {null}; got {names!r}")
    return tuple(name_of(name) for name in listed)
