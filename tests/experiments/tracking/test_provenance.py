"""Installed packages that a run records."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

import pytest

from xentexp.experiments._tracking.provenance import installed

FIELDS = "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: Name: of a summary\n"


def write_package(folder: Path, file: str, text: str) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_installed_packages_are_those_of_importlib() -> None:
    expected = {package.metadata["Name"]: package.version for package in distributions()}
    lines = installed().splitlines()
    assert dict(line.split("==") for line in lines) == expected
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0].lower())


def test_name_and_version_are_read_from_the_fields_and_not_from_the_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = "\nName: other\nVersion: 9\n"
    write_package(tmp_path, "b-2.dist-info/METADATA", FIELDS.format("Beta", "2.0") + description)
    write_package(tmp_path, "a-1.egg-info/PKG-INFO", FIELDS.format("alpha", "1.0rc1"))
    write_package(tmp_path, "c-3.dist-info/METADATA", "Name:\nVersion: 3\n" + description)
    write_package(tmp_path, "d-4.dist-info/RECORD", "")
    write_package(tmp_path, "e-5.egg-info", FIELDS.format("epsilon", "5"))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert installed() == "alpha==1.0rc1\nBeta==2.0\nepsilon==5\n"
