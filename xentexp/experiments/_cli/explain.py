"""Errors of Hydra as one sentence, with the nearest names."""

from __future__ import annotations

import re
import shlex
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig

from xentexp.errors import unknown_name
from xentexp.experiments._cli.arguments import is_file, own_file, unknown_config
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._config.schema import unknown_key


def explain(error: Exception, choices: list[str] | None = None) -> str:
    """One sentence for an error of Hydra; `choices` are the group choices of the command line."""
    message, cause = (" ".join(str(e).split()) for e in (error, error.__cause__ or error))
    key = re.search(r"Could not override '([^']+)'", message)
    if key:
        return _unknown_key(key.group(1), choices)
    choice = re.search(r"Could not (?:find|load) '([^'/]+)/([^']+)'", message)
    if choice:
        group, name = choice.groups()
        known = [path.stem for path in (conf_folder() / group).glob("*.yaml")]
        if group == "cv":
            from xentexp.experiments._folds import unknown_kind

            return str(unknown_kind("cv", name))
        if not known:
            return f"the configuration has no group {group!r}; got {name!r} in a defaults list"
        more = " (and files of --config-dir)"
        if group == "dataset" and is_file(name):
            more += f"; for your own file, write {own_file(name)}"
        return f"{unknown_name(group, name, known)}{more}"
    primary = re.search(r"Cannot find primary config '([^']*)'", message)
    if primary:
        return unknown_config(primary[1])
    character = re.search(r"LexerNoViableAltException: (.*?) \^", message)
    if character:
        return f"{character[1]} cannot be parsed: its key has a character that is not allowed"
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return "a configuration file is nested too deeply, or its defaults list names itself"
    syntax = re.search(r"Error parsing override '([^']*)'", message)
    if syntax:
        reason = re.sub(r" See https?://.*|Error parsing override '.*' ", "", cause)
        word, _, value = syntax.group(1).partition("=")
        in_quotes = '"' + value.replace('"', r"\"") + '"'
        return (
            f"{syntax.group(1)} cannot be parsed ({reason}); put a value with spaces or special "
            f"characters in quotes: {shlex.quote(f'{word}={in_quotes}')}"
        )
    advice = (
        r" (Set the environment variable|To append to your config use|full_key:|object_type=).*"
    )
    return re.sub(advice, "", cause)


def _unknown_key(key: str, choices: list[str] | None) -> str:
    """Error for the part of a dotted key that does not exist, with the keys that do."""
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        try:
            node: Any = hydra.compose("run", choices)
        except HydraException:  # choices of a sweep or of --config-dir
            node = hydra.compose("run")
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(node, DictConfig) or part not in node:
            above = ".".join(parts[:depth])
            if node is None:
                rest = ".".join(parts[depth:])
                how = _experiments_with(above) or f"; write '{above}={{{rest}: VALUE}}'"
                return f"{key} cannot be set because {above} is null{how}"
            kind = f"key of {above}" if above else "configuration key"
            known = list(map(str, node)) if isinstance(node, DictConfig) else []
            if above == "cv" and "kind" in known:
                return str(unknown_key(kind, part, known, where=f" with cv={node['kind']}")) + (
                    _kinds_with(part)
                )
            if above == "dataset" and "name" in known:
                where = f" with dataset={node['name']}"
                return str(unknown_key(kind, part, known, where=where)) + _own_file(part)
            return str(unknown_key(kind, part, known))
        node = node[part]
    return (
        f"{key} cannot be set; a file of --config-name must begin with defaults: [run, _self_], "
        f"which reads the packaged configuration"
    )


def _kinds_with(option: str) -> str:
    """Advice to choose a kind of folds that has the option."""
    from xentexp.experiments._folds import CV_OPTIONS

    kinds = [f"cv={kind}" for kind, options in CV_OPTIONS.items() if option in options]
    return f"; {option} is a key of {', '.join(kinds)}" if kinds else ""


def _own_file(key: str) -> str:
    """Advice to add dataset=table, if the key is one of it."""
    lines = (conf_folder() / "dataset" / "table.yaml").read_text().splitlines()
    known = any(line.startswith(f"{key}:") for line in lines)
    return "; for your own file add dataset=table" if known else ""


def _experiments_with(section: str) -> str:
    """Advice to use an experiment that sets the section."""
    files = sorted((conf_folder() / "experiment").glob("*.yaml"))
    names = [
        f"experiment={path.stem}"
        for path in files
        if any(line.startswith(f"{section}:") for line in path.read_text().splitlines())
    ]
    return f"; add {' or '.join(names)}, which sets it" if names else ""
