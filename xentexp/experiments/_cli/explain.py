"""What Hydra complains of, in one sentence and with the nearest names."""

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
    """Hydra's message in one sentence, with the nearest names instead of advice to append."""
    own, cause = (" ".join(str(e).split()) for e in (error, error.__cause__ or error))
    key = re.search(r"Could not override '([^']+)'", own)
    if key:
        return _unknown_key(key.group(1), choices)
    choice = re.search(r"Could not (?:find|load) '([^'/]+)/([^']+)'", own)
    if choice:
        group, name = choice.groups()
        known = [path.stem for path in (conf_folder() / group).glob("*.yaml")]
        return f"{unknown_name(group, name, known)} (and those of --config-dir)"
    advice = (
        r" (Set the environment variable|To append to your config use|full_key:|object_type=).*"
    )
    return re.sub(advice, "", cause)


def _unknown_key(key: str, choices: list[str] | None) -> str:
    """Which part of a dotted key does not exist, and what stands there instead."""
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        try:
            node: Any = hydra.compose("run", choices)
        except HydraException:  # choices of a sweep, or of --config-dir
            node = hydra.compose("run")
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(node, DictConfig) or part not in node:
            above = ".".join(parts[:depth])
            if node is None:
                return f"{above} is null here, so there is no {key} to set{_bringing(above)}"
            kind = f"key of {above}" if above else "configuration key"
            known = map(str, node) if isinstance(node, DictConfig) else ()
            return str(unknown_key(kind, part, known))
        node = node[part]
    return f"{key} cannot be set"


def _bringing(section: str) -> str:
    """Which experiments have the section."""
    files = sorted((conf_folder() / "experiment").glob("*.yaml"))
    names = [
        f"experiment={path.stem}"
        for path in files
        if any(line.startswith(f"{section}:") for line in path.read_text().splitlines())
    ]
    return f"; {' or '.join(names)} brings it" if names else ""
