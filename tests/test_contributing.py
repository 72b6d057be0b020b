"""The skeletons of CONTRIBUTING.md: copied into a copy of the repository, they work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"^```(?:python|yaml)\n# (?P<file>\S+?)(?:: (?P<place>[^\n]+))?\n(?P<code>.*?)^```$",
    re.M | re.S,
)

pytestmark = pytest.mark.slow


def add(path: Path, place: str | None, code: str) -> None:
    """Put the code of a block where its first line says."""
    if place is None:
        assert not path.exists()
        path.write_text(code)
        return
    text = path.read_text()
    if place == "append":
        path.write_text(f"{text}\n\n{code}")
        return
    lines = text.splitlines()
    if place == "imports":
        first = code.splitlines()[0]
        number = next(
            n for n, line in enumerate(lines) if line.startswith("from x") and line > first
        )
    else:
        table = place.removeprefix("entry of ")
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{table}:"))
        number = next(n for n, line in enumerate(lines) if n > start and line == "}")
        number -= lines[number - 1] == "    )"  # of the tuple that a comprehension reads
    path.write_text("\n".join([*lines[:number], *code.splitlines(), *lines[number:], ""]))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every skeleton in it."""
    copy = tmp_path_factory.mktemp("contributing") / "repository"
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "mlruns", "shared")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
    for block in BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text()):
        add(copy / block["file"], block["place"], block["code"])
    run(copy, "scripts/build_metrics_stub.py")
    return copy


def run(copy: Path, *arguments: str, folder: Path | None = None) -> str:
    """Output of Python on the copy."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder or copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_there_is_a_skeleton_of_each_kind() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = [block["file"] for block in BLOCK.finditer(text)]
    for kind in ("losses/", "metrics/", "conf/models/", "datasets/", "conf/experiment/"):
        assert any(kind in file for file in files)
    assert len(files) == len(re.findall(r"^```(python|yaml)$", text, re.MULTILINE))


def test_all_general_tests_include_the_new_loss_and_metric(copy: Path) -> None:
    tests = ["tests/losses", "tests/metrics", "tests/scorers", "tests/objectives"]
    chosen = ["-k", "missed_power or youden_index or MissedPower", "-m", "not slow"]
    output = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *chosen)
    passed = int(re.search(r"(\d+) passed", output)[1])
    assert passed > 50


@pytest.mark.parametrize("files", [
    ["tests/losses/test_losses.py", "tests/metrics/test_stub.py"],
    ["tests/metrics/test_evaluation.py"],
    ["tests/experiments/test_models.py", "tests/experiments/config"],
    ["tests/experiments/datasets", "-k", "coin or card or every"],
])  # fmt: skip
def test_tests_of_the_tables_pass(copy: Path, files: list[str]) -> None:
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *files)


def test_the_style_is_kept(copy: Path) -> None:
    run(copy, "-m", "ruff", "check", ".")
    run(copy, "-m", "ruff", "format", "--check", ".")
    run(copy, "-m", "mypy")


def test_the_command_finds_all_of_them(copy: Path, tmp_path: Path) -> None:
    assert "(1 - p_y)^power" in run(
        copy, "-m", "xentexp", "losses", "missed_power", folder=tmp_path
    )
    assert "Youden" in run(copy, "-m", "xentexp", "losses", "youden_index", folder=tmp_path)
    assert "biased coin" in run(copy, "-m", "xentexp", "datasets", "coin", folder=tmp_path)
    board = run(
        copy, "-m", "xentexp", "run", "experiment=quick", "metrics=[youden_index]", folder=tmp_path
    )
    assert "Tosses of a biased coin: 1,000 rows" in board
    assert "missed_power" in board
    assert "stump" in board
