"""Files that a command writes: completely or not at all, and never over another by accident."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xentexp.errors import InputError


@dataclass(frozen=True)
class FileOption:
    """How the user names a file, and how to allow that it is replaced."""

    name: str  # e.g. "--out"
    replacing: str  # e.g. "pass --overwrite"


def check_new(file: Path, option: FileOption, *, overwrite: bool) -> None:
    """Refuse to replace a file, unless the user allows it."""
    if not overwrite and os.path.lexists(file):
        raise InputError(
            f"{option.name} must be a new file; {file} exists; choose another name, or "
            f"{option.replacing} to replace it"
        )


def write_new(
    file: Path, write: Callable[[Path], object], option: FileOption, *, overwrite: bool
) -> None:
    """Write a file under another name, and rename it when it is complete."""
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        write(partial)
        check_new(file, option, overwrite=overwrite)
        partial.replace(file)
    except OSError as error:
        raise InputError(
            f"{option.name}: {file} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
