"""Check the arguments of `xentexp run`, and quote names for Hydra's parser."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from os.path import expanduser
from pathlib import Path
from typing import TYPE_CHECKING

from xentexp.errors import InputError
from xentexp.experiments._cli.parser import FLAGS

if TYPE_CHECKING:  # importing Hydra takes time
    from hydra.core.override_parser.types import Override

_WITH_VALUE = {
    "--config-dir": "--config-dir",
    "-cd": "--config-dir",
    "--config-name": "--config-name",
    "-cn": "--config-name",
    "--cfg": "--cfg",
    "-c": "--cfg",
    "--package": "--package",
    "-p": "--package",
    "--trust": "--trust",
}
_OF_HYDRA = {"--run", "-r", "--info", "-i", "--hydra-help", "--config-path", "-cp"} | {
    *("--shell-completion", "-sc", "--experimental-rerun"),
}
"""Options of Hydra that xentexp does not have."""
_OF_MULTIRUN = r"hydra/(launcher|sweeper(/sampler)?)|(\+\+?)?hydra\.(launcher|sweeper)\.[\w.]+"
_OF_MULTIRUN += r"|hydra\.sweep\.(dir|subdir)"
_OF_HYDRA_KEYS = re.compile(rf"{_OF_MULTIRUN}|hydra\.run\.dir|hydra\.job\.name")
_SWITCHES = {"--multirun": "--multirun", "-m": "--multirun", "--resolve": "--resolve"}


@dataclass
class Arguments:
    """Options and overrides of one command."""

    overrides: list[str] = field(default_factory=list)  # KEY=VALUE as typed
    config_dir: Path | None = None
    config_name: str = "run"
    cfg: bool = False
    package: str | None = None
    resolve: bool = False
    multirun: bool = False
    trust: list[str] = field(default_factory=list)


def read_arguments(words: list[str]) -> Arguments:
    """Options and overrides; raise an InputError for the first invalid argument."""
    read = Arguments()
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            if name not in _WITH_VALUE:
                _check_switch(word, words[position : position + 1])
                setattr(read, _SWITCHES[name].lstrip("-"), True)
                continue
            if not equals:
                if position == len(words):
                    raise InputError(f"{name} needs a value; write {name} VALUE")
                value = words[position]
                position += 1
            _set_option(read, _WITH_VALUE[name], value)
            continue
        if _is_open(word):
            raise InputError(f"{word} must be a complete list; {_joined(words[position - 1 :])}")
        _check_override(word)
        read.overrides.append(word)
    for word in read.overrides:
        if not read.multirun and re.fullmatch(_OF_MULTIRUN, word.partition("=")[0]):
            raise InputError(f"{word} is only used with several jobs; add -m")
    if (read.resolve or read.package) and not read.cfg:
        raise InputError("--resolve and --package are only used with --cfg job; add --cfg job")
    return read


def _set_option(read: Arguments, name: str, value: str) -> None:
    if name == "--config-dir":
        read.config_dir = Path(expanduser(value)).absolute()
        if not read.config_dir.is_dir():
            raise InputError(f"--config-dir must be a folder; got {value!r}, which does not exist")
    elif name == "--config-name":
        if not value or ".." in Path(value).parts or Path(value).is_absolute():
            raise InputError(unknown_config(value))
        read.config_name = value.removesuffix(".yaml")
    elif name == "--package":
        read.package = value
    elif name == "--trust":
        if not all(part.isidentifier() for part in value.split(".")):
            raise InputError(f"--trust must be the name of a Python package; got {value!r}")
        read.trust.append(value)
    elif value != "job":
        raise InputError(f"--cfg must be job; got {value!r}; write --cfg job")
    else:
        read.cfg = True


def unknown_config(name: str) -> str:
    """Error for a value of --config-name."""
    return (
        f"--config-name must be the name of a file of --config-dir without .yaml, e.g. study; got "
        f"{name!r}"
    )


def _check_switch(word: str, following: list[str]) -> None:
    name, equals, value = word.partition("=")
    if name in _SWITCHES and not equals:
        return
    if name in _OF_HYDRA:
        advice = "use --config-dir and --config-name; " if name in ("--config-path", "-cp") else ""
        raise InputError(
            f"{name} is an option of Hydra that xentexp run does not have; {advice}see xentexp run "
            f"--help"
        )
    known = [*_WITH_VALUE, *_SWITCHES, *FLAGS, "--help", "--version"]
    near = difflib.get_close_matches(name, [k for k in known if k.startswith("--")], 1, 0.7)
    if name in known:
        raise InputError(f"{name} does not have a value; got {word!r}; write {name}")
    if near:
        raise InputError(
            f"{name} is not an option of xentexp run; did you mean {near[0]}? See xentexp run "
            f"--help"
        )
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
    if re.match(r"hydra\b", key.lstrip("+~")) and not _OF_HYDRA_KEYS.fullmatch(key):
        raise InputError(
            f"{word} cannot be set: of Hydra's own keys, only hydra/launcher, hydra/sweeper, "
            f"hydra.launcher.*, hydra.sweeper.*, hydra.sweep.*, hydra.run.dir and hydra.job.name "
            f"can be, because others could run code"
        )
    if key == "cv" and re.fullmatch(r"\d+", value):
        from xentexp.experiments._folds import CV_OPTIONS

        raise InputError(
            f"cv must be a kind of folds ({', '.join(CV_OPTIONS)}); got {value}; for {value} folds "
            f"set cv.n_splits={value}"
        )
    if key in ("cv", "dataset", "report", "engine") and re.fullmatch(
        r"null|true|false|-?[\d.]+", value, re.IGNORECASE
    ):
        raise InputError(f"{key} must be a name; got {value}; see xentexp run --help for the names")


def is_file(word: str) -> bool:
    """Whether an argument looks like a table of the user."""
    from xentexp.experiments.datasets._files import SUFFIXES

    return word.lower().endswith(SUFFIXES) or Path(word).is_file()


def own_file(path: str) -> str:
    """Arguments that choose a table of the user."""
    return f"dataset=table dataset.path={path} dataset.target=COLUMN"


def _is_open(word: str) -> bool:
    """Whether a list or mapping begins in the word but does not end in it."""
    key, _, value = word.partition("=")
    quoted = re.search(r"['\"\\]", value)
    if key.lstrip("+") in _TEXT:
        return False
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


# -- names that Hydra's grammar cannot read ----------------------------------------------------

_OF_DATASET = ("path", "target", "test", "weight", "encoding", "separator", "decimal", "data_name")
_TEXT = {
    *(f"dataset.{key}" for key in _OF_DATASET),
    *("cv.time_column", "submission", "tracking.uri", "tracking.experiment", "tune.storage"),
}
"""Keys of one text: a file, a column, an address. Their value is taken as typed."""
_COLUMNS = {"dataset.drop", "dataset.keep", "dataset.group", "cv.groups", "leakage.key"}
"""Keys of a column or a list of columns."""


def for_hydra(word: str, *, multirun: bool) -> str:
    """Override with names in quotes, so that Hydra's parser reads e.g. ``train (1).csv``."""
    key, equals, value = word.partition("=")
    name = key.lstrip("+")
    of_dataset = name.startswith("dataset.")
    if not equals or value == "" or not (name in _TEXT or name in _COLUMNS or of_dataset):
        return word
    if re.fullmatch(r"\s*(\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'|null)\s*", value, re.IGNORECASE):
        return word
    parsed = parse(word)
    if parsed is not None and (
        "${" in value
        or not (name in _TEXT or name in _COLUMNS)  # a number or a flag of a loader
        or (multirun and parsed.is_sweep_override())
        or (isinstance(parsed._value, list) and not of_dataset and name != "cv.time_column")
    ):
        return word
    if parsed is not None and name in _COLUMNS and isinstance(parsed._value, (int, float)):
        return word
    if name in _COLUMNS and value.startswith("[") and value.endswith("]"):
        listed = None if parsed is None else parsed.value()
        if isinstance(listed, list) and all(isinstance(item, str) for item in listed):
            return word
        items = re.findall(r"\s*(\"[^\"]*\"|'[^']*'|[^,]+)\s*(?:,|$)", value[1:-1])
        return f"{key}=[{','.join(quoted(item.strip()) for item in items)}]"
    return f"{key}={quoted(value)}"


def parse(word: str) -> Override | None:
    """Override as Hydra reads it; None if it cannot."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def is_sweep(word: str) -> bool:
    """Whether an override has several values with -m."""
    parsed = parse(for_hydra(word, multirun=True))
    return parsed is not None and parsed.is_sweep_override()


def quoted(value: str) -> str:
    """Text as a quoted string of Hydra's grammar, without interpolations."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if re.fullmatch(r"\"[^\"]*\"|'[^']*'", value):
        return value
    return QuotedString(value.replace("${", r"\${"), Quote.single).with_quotes()
