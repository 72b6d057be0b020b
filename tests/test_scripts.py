"""Shell scripts pass ShellCheck, and the team's server names what is missing."""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
from pathlib import Path
from typing import Any

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


ADMIN_PASSWORD = "adm1n-Zq9-secret"
PASSWORDS = ("MLFLOW_AUTH_ADMIN_PASSWORD", "XENTEXP_MEMBER_PASSWORD")


@pytest.fixture
def team_server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names of scripts/team_server.py, in an environment with passwords."""
    for name in PASSWORDS:
        monkeypatch.setenv(name, ADMIN_PASSWORD)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    return runpy.run_path(str(ROOT / "scripts" / "team_server.py"))


def refused(
    team_server: dict[str, Any], words: list[str], capsys: pytest.CaptureFixture[str]
) -> str:
    """Message of the script, which must be one line."""
    assert team_server["main"](words) == 2
    message = capsys.readouterr().err
    assert message.startswith("team-server: error: ")
    assert message.count("\n") == 1
    assert ADMIN_PASSWORD[:4] not in message
    return message


@pytest.mark.parametrize("password", ["", ADMIN_PASSWORD[:11]])
@pytest.mark.parametrize(
    ("words", "name"), [([], PASSWORDS[0]), (["--add-user", "a"], PASSWORDS[1])]
)
def test_a_team_server_needs_long_passwords(
    words: list[str],
    name: str,
    password: str,
    team_server: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, password)
    message = refused(team_server, words, capsys)
    assert f"{name} must have a password of at least 12 characters; got " in message


def test_a_team_server_names_what_is_missing(
    team_server: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--folder", str(tmp_path / "data")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = refused(team_server, [*folder, "--port", port], capsys)
        assert f"127.0.0.1:{port} cannot be used" in message
    assert "--workers must be at least 1; got 0" in refused(team_server, ["--workers", "0"], capsys)
    assert not (tmp_path / "data").exists()
    # A database of a version that is not installed.
    (tmp_path / "data" / "postgresql").mkdir(parents=True)
    (tmp_path / "data" / "postgresql" / "PG_VERSION").write_text("7\n")
    message = refused(team_server, folder, capsys)
    assert "PostgreSQL 7 must be installed in " in message
    assert message.endswith("; run apt-get install postgresql-7\n")


@pytest.mark.parametrize("inside", ["", "data"])
def test_a_team_server_needs_a_folder(
    inside: str, team_server: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    message = refused(team_server, ["--folder", str(file / inside)], capsys)
    assert f"--folder must be a folder that can be written to, or a new one; got {file}" in message


def test_a_team_server_keeps_the_permissions_of_a_folder(
    team_server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for mode in (0o1777, 0o700):
        tmp_path.chmod(mode)
        team_server["make"](tmp_path)
        assert tmp_path.stat().st_mode & 0o7777 == mode
    team_server["make"](tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o711


def test_users_are_added_to_a_server_only(
    team_server: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(team_server, ["--add-user", "anna"], capsys)
    assert "MLFLOW_TRACKING_URI must be the address of an MLflow server with users" in message


@pytest.mark.parametrize("name", ["", " ", "a:b", "a\nb"])
def test_users_have_names_that_can_log_in(
    name: str,
    team_server: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    message = refused(team_server, ["--add-user", name], capsys)
    assert "--add-user must have the name of a user, without colons and" in message
    assert f"; got {name!r};" in message
