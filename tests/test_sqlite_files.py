"""new_file creates a file atomically and does not replace existing files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xentexp._sqlite_files import new_file


@pytest.fixture(params=["hard links", "no hard links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", refuse)
    return tmp_path


def test_finished_file_is_moved_to_its_path(folder: Path) -> None:
    path = folder / "a.db"
    with new_file(path) as partial:
        partial.write_text("complete")
        assert not path.exists()
    assert [file.name for file in folder.iterdir()] == ["a.db"]
    assert path.read_text() == "complete"


def test_existing_file_of_another_process_is_not_replaced(folder: Path) -> None:
    path = folder / "a.db"
    with new_file(path) as partial:
        partial.write_text("second")
        path.write_text("first")
    assert path.read_text() == "first"
    assert [file.name for file in folder.iterdir()] == ["a.db"]


def test_interrupt_removes_the_temporary_file(folder: Path) -> None:
    def interrupted() -> None:
        with new_file(folder / "a.db") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(folder.iterdir()) == []
