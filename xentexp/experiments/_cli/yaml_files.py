"""Check configuration files before Hydra reads them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import yaml

from xentexp.errors import InputError

LARGEST = 100_000
"""Largest number of values in a file with aliases, each alias counted with all its values."""


def check_file(file: Path) -> None:
    """Refuse a pipe or device, which would not end, and aliases that expand without bound."""
    if not file.is_file():
        if file.exists() and not file.is_dir():
            raise InputError(f"--config-dir must have only files and folders; got {file}")
        return
    content = file.read_bytes()
    if b"*" not in content:
        return
    with contextlib.suppress(yaml.YAMLError, RecursionError):  # Hydra reports it if it is read
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        if root is not None and _number(root, {}) > LARGEST:
            raise InputError(
                f"the aliases of {file} must stand for at most {LARGEST} values; remove some"
            )


def _number(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values of a node, those of its aliases included."""
    if id(node) not in known:
        known[id(node)] = 1
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        pairs = [part if isinstance(part, tuple) else (part,) for part in parts]
        known[id(node)] += sum(_number(part, known) for pair in pairs for part in pair)
    return known[id(node)]
