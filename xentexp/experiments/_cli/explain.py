"""Errors of Hydra as one sentence, with the nearest names."""

from __future__ import annotations

import re
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig

from xentexp.errors import unknown_name
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
        return f"{unknown_name(group, name, known)} (and files of --config-dir)"
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
                return f"{key} cannot be set because {above} is null{_experiments_with(above)}"
            kind = f"key of {above}" if above else "configuration key"
            known = map(str, node) if isinstance(node, DictConfig) else ()
            return str(unknown_key(kind, part, known))
        node = node[part]
    return f"{key} cannot be set"


def _experiments_with(section: str) -> str:
    """Advice to use an experiment that sets the section."""
    files = sorted((conf_folder() / "experiment").glob("*.yaml"))
    names = [
        f"experiment={path.stem}"
        for path in files
        if any(line.startswith(f"{section}:") for line in path.read_text().splitlines())
    ]
    return f"; add {' or '.join(names)}, which sets it" if names else ""
