"""Text that is shown or stored: without passwords, and with control characters escaped."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

_HIDDEN = "***"
# One slash is left of two where an address is shown as a path. The parts have limits, so that the
# time is linear in the length of the text.
_USER = r"(?P<before>[a-z][\w+.-]{1,30}:/{1,2}[^\s:/@'\"]*)"
_PORT = r"\d+(?:[/?#\s'\",]|$)"
_PASSWORD = re.compile(rf"{_USER}:(?!{_PORT})(?P<password>[^\s'\"]{{0,2000}})@", re.IGNORECASE)
_TOKEN_AS_USER = re.compile(r"(https?:/{1,2})[^\s:/?#@'\"]+@", re.IGNORECASE)
_WORDS = (
    r"token|passw(?:or)?d|pwd|secret|api_?key|access_?key|credential|signature"
    r"|\bsig\b|\bauth\b|\bkey\b"
)
_PARAMETER = re.compile(
    rf"((?:[?&;=]|%3B|%3D)[\w.-]{{0,50}}?(?:{_WORDS})[\w.-]{{0,50}}(?:=|%3D))[^&\s'\"#]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\b(?:Bearer|Basic) )[\w.~+/=-]{8,}")
_SECRET_VARIABLE = re.compile(
    r"TOKEN|PASSW(OR)?D|SECRET|CREDENTIAL|API_?KEY|ACCESS_KEY", re.IGNORECASE
)
_SHORTEST = 4
"""Shorter values are not replaced: they would occur by chance in other words."""

_values: dict[str, str] = {}  # secret -> what is shown instead
_snapshot: dict[str, str] | None = None  # the same, of the environment


def remember(value: str, shown: str = _HIDDEN) -> None:
    """Replace this value in all text from now on, e.g. a value of ``${oc.env:NAME}``."""
    if len(value) >= _SHORTEST and not _is_plain(value):
        _values[value] = shown


def remember_password(uri: str) -> None:
    """Replace the password of an address even where it is shown without the address."""
    if found := _PASSWORD.search(uri):
        remember(found["password"])
        remember(unquote(found["password"]))


def forget() -> None:
    """Forget all values, at the start of a command."""
    _values.clear()


def without_secrets(text: str) -> str:
    """Text with *** instead of passwords of addresses, tokens and remembered values."""
    text = _PASSWORD.sub(rf"\g<before>:{_HIDDEN}@", text)
    text = _TOKEN_AS_USER.sub(rf"\1{_HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\1{_HIDDEN}", text)
    text = _BEARER.sub(rf"\1{_HIDDEN}", text)
    known = (_of_environment() if _snapshot is None else _snapshot) | _values
    for value in sorted(known, key=len, reverse=True):  # a secret may contain another
        text = text.replace(value, known[value])
    return text


def _of_environment() -> dict[str, str]:
    return {
        value: _HIDDEN
        for name, value in os.environ.items()
        if _SECRET_VARIABLE.search(name) and len(value) >= 6 and not _is_plain(value)
    }


@contextmanager
def environment_read_once() -> Iterator[None]:
    """Read the secrets of the environment once, for the thousands of texts of a page."""
    global _snapshot
    before, _snapshot = _snapshot, _of_environment()
    try:
        yield
    finally:
        _snapshot = before


def _is_plain(value: str) -> bool:
    """Whether a value is a number or a word of the configuration, which is not hidden."""
    return bool(re.fullmatch(r"[-+]?[\d.]{1,7}(e-?\d+)?|true|false|null|none", value.lower()))


_INVISIBLE = re.compile(
    # control characters; marks that change the direction of text or have no width; separators of
    # lines; halves of surrogate pairs, which cannot be encoded
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str, *, one_line: bool = False) -> str:
    """Text without secrets, with control characters escaped as in Python."""
    text = _INVISIBLE.sub(_escaped, without_secrets(text))
    return re.sub("[\n\t]", _escaped, text) if one_line else text


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
