"""The shell scripts: no mistake that ShellCheck knows."""

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
def test_shellcheck_finds_nothing() -> None:
    assert SCRIPTS
    done = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
