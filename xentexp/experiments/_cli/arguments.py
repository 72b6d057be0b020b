"""Check the arguments of `xentexp run` before Hydra parses them."""

from __future__ import annotations

import re
from pathlib import Path

from xentexp.errors import InputError
from xentexp.experiments._folds import CV_OPTIONS
from xentexp.experiments.datasets._files import SUFFIXES

WITH_VALUE = {
    *("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp"),
    *("--cfg", "-c", "--package", "-p", "--experimental-rerun"),
}
"""Options of Hydra that are followed by a value."""

_INFO = {"--info", "-i"}  # a value may follow
_OPTIONS = {
    *WITH_VALUE,
    *_INFO,
    *("--hydra-help", "--resolve", "--run", "-r", "--multirun", "-m", "--shell-completion", "-sc"),
}


def check_arguments(words: list[str]) -> None:
    """Raise an InputError for the first argument that is neither KEY=VALUE nor an option."""
    position = 0
    while position < len(words):
        word, following = words[position], words[position + 1 : position + 2]
        if word.startswith("-"):
            _check_option(word, following)
            has_value = word in WITH_VALUE or (word in _INFO and "=" not in "".join(following))
            position += 2 if has_value else 1
            continue
        if _is_open(word):
            raise InputError(f"{word} must be a complete list; {_joined(words[position:])}")
        _check_override(word)
        position += 1


def _check_option(word: str, following: list[str]) -> None:
    name, _, value = word.partition("=")
    if name in _OPTIONS:
        return
    if not value and following and not re.match(r"-|.*=", following[0]):
        value = following[0]
    key = name.lstrip("-").replace("-", "_") or "KEY"
    raise InputError(
        f"{name} is not an option of xentexp run; for a key of the configuration, write "
        f"{key}={value or 'VALUE'}; see xentexp run --help"
    )


def _check_override(word: str) -> None:
    key, equals, value = word.partition("=")
    if not equals and not word.startswith("~"):
        form = f"arguments must have the form KEY=VALUE; got {word!r}"
        if is_file(word):
            raise InputError(f"{form}; for a file, write {own_file(word)}")
        raise InputError(f"{form}; see xentexp run --help")
    if key == "cv" and re.fullmatch(r"\d+", value):
        raise InputError(
            f"cv must be a kind of folds ({', '.join(CV_OPTIONS)}); got {value}; for {value} folds "
            f"set cv.n_splits={value}"
        )
    if key in ("cv", "dataset") and re.fullmatch(r"null|true|false|-?[\d.]+", value, re.IGNORECASE):
        raise InputError(f"{key} must be a name; got {value}; see xentexp run --help for the names")


def is_file(word: str) -> bool:
    """Whether an argument looks like a table of the user."""
    return word.lower().endswith(SUFFIXES) or Path(word).is_file()


def own_file(path: str) -> str:
    """Arguments that choose a table of the user."""
    return f"dataset=table dataset.path={path} dataset.target=COLUMN"


def _is_open(word: str) -> bool:
    """Whether a list or mapping begins in the word but does not end in it."""
    value = word.partition("=")[2]
    quoted = re.search(r"['\"\\]", value)
    return value[:1] in ("[", "{") and not quoted and _depth(value) > 0


def _depth(text: str) -> int:
    return sum(text.count(bracket) for bracket in "[{") - sum(text.count(b) for b in "]}")


def _joined(words: list[str]) -> str:
    """Advice with the list that starts in the first word, without spaces."""
    text = ""
    for word in words:
        text += word
        if _depth(text) == 0:
            return f"write it without spaces: {text}"
    return "close the bracket, and write the list without spaces"
