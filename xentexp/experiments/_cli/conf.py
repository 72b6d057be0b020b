"""Location of the configuration files."""

from __future__ import annotations

from pathlib import Path


def conf_folder() -> Path:
    """Absolute path of conf/, in the installed package or in the repository."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"
