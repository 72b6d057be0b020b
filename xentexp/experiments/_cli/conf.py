"""The folder of the configuration."""

from __future__ import annotations

from pathlib import Path


def conf_folder() -> Path:
    """Absolute path of conf/: the one in the package, else the repository's."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"
