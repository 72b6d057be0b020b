"""Shell scripts pass ShellCheck."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path
    for path in [*ROOT.glob("scripts/*"), *ROOT.glob(".ci/*")]
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
]


@pytest.mark.debian("shellcheck", "shellcheck")
def test_shell_scripts_pass_shellcheck() -> None:
    assert SCRIPTS
    completed = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout
