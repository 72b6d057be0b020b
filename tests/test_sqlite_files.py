"""A file that is made aside appears complete, replaces nothing, and leaves nothing behind."""

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


def test_a_finished_file_takes_the_name(folder: Path) -> None:
    path = folder / "a.db"
    with new_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert [file.name for file in folder.iterdir()] == ["a.db"]
    assert path.read_text() == "whole"


def test_a_file_that_another_process_made_first_is_kept(folder: Path) -> None:
    path = folder / "a.db"
    with new_file(path) as partial:
        partial.write_text("second")
        path.write_text("first")
    assert path.read_text() == "first"
    assert [file.name for file in folder.iterdir()] == ["a.db"]


def test_an_interrupted_file_leaves_nothing(folder: Path) -> None:
    def interrupted() -> None:
        with new_file(folder / "a.db") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(folder.iterdir()) == []
