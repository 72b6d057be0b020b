"""Versions, installed packages and git commit of a run."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import distributions, version


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the results depend on."""
    packages = ("xentexp", "scikit-learn", "numpy", "pandas", "mlflow")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def installed() -> str:
    """Installed packages as a requirements file."""
    # Not `metadata`, which parses the long description of every package.
    numbers: dict[str, str] = {}
    for package in distributions():
        # The last one is a file NAME.egg-info of a system package.
        files = ("METADATA", "PKG-INFO", "")
        text = next(filter(None, map(package.read_text, files)), "")
        fields = text.partition("\n\n")[0]
        found = {
            key: re.search(rf"^{key}:[ \t]*(\S+)", fields, re.M) for key in ("Name", "Version")
        }
        if (name := found["Name"]) and (number := found["Version"]):
            numbers[name[1]] = number[1]
    return "".join(f"{name}=={numbers[name]}\n" for name in sorted(numbers, key=str.lower))


def git() -> dict[str, str]:
    """Tags for the git commit of the current folder and uncommitted changes; empty without git."""

    def output(*words: str) -> str | None:
        try:
            process = subprocess.run(
                ["git", *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return process.stdout.strip() if process.returncode == 0 else None

    commit = output("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "git_dirty": str(bool(output("status", "--porcelain"))),
    }
