"""Files that a command writes: completely or not at all, and never over another by accident."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from xentexp.errors import InputError


@dataclass(frozen=True)
class FileOption:
    """How the user names a file, and how to allow that it is replaced."""

    name: str  # e.g. "--out"
    replacing: str  # e.g. "pass --overwrite"


def check_place(file: Path, option: FileOption) -> None:
    """Refuse a place where no file can be."""
    if file.is_dir():
        raise InputError(f"{option.name} must be a file; got the folder {file}")
    if not file.parent.is_dir():
        raise InputError(f"{option.name}: the folder {file.parent} does not exist; create it first")


def check_new(file: Path, option: FileOption, *, overwrite: bool) -> None:
    """Refuse to replace a file, unless the user allows it, and anything that is not a file."""
    check_place(file, option)
    if not overwrite and os.path.lexists(file):
        raise InputError(
            f"{option.name} must be a new file; {file} exists; choose another name, or "
            f"{option.replacing} to replace it"
        )
    if file.exists() and not file.is_file():
        raise InputError(f"{option.name} must be a file; got the device {file}")
    if file.exists() and not os.access(file, os.W_OK):
        raise InputError(f"{option.name}: {file} is read-only; choose another name")


def check_not_read(file: Path, inputs: Iterable[Path], option: FileOption) -> None:
    """Refuse to replace a file that the command reads, also by another name (a link)."""
    for path in inputs:
        if path.is_dir() and file.suffix.lower() == ".parquet":
            if path.resolve() in file.resolve().parents:
                raise InputError(
                    f"{option.name} must not be in the folder that the command reads; got {file} "
                    f"in {path}; choose another folder"
                )
            links = (entry for entry in path.rglob("*") if entry.is_symlink())
            check_not_read(file, [entry for entry in links if entry.is_file()], option)
        elif file.exists() and path.exists() and file.samefile(path):
            raise InputError(
                f"{option.name} must not be a file that the command reads; {file} is {path}; "
                f"choose another name"
            )


def write_new(
    file: Path, write: Callable[[Path], object], option: FileOption, *, overwrite: bool
) -> None:
    """Write a file under another name, and rename it when it is complete."""
    partial = file.with_name(f".{uuid.uuid4().hex[:12]}.partial")
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
