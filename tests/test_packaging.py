"""The wheel is complete and runs outside the repository; versions are consistent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import xentexp

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_wheel_runs_outside_the_repository(
    wheel: Path, tmp_path: Path, migrated_store: Path
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    work = tmp_path / "work"
    work.mkdir()
    (work / "mlflow.db").write_bytes(migrated_store.read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(site)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    where = "from xentexp.experiments._cli.conf import conf_folder as c; print(c())"
    completed = subprocess.run(
        [sys.executable, "-c", where], cwd=work, env=environment, capture_output=True, text=True
    )
    assert completed.stdout.strip() == str(site / "xentexp" / "conf")
    command = [sys.executable, "-m", "xentexp", "run", "models=[prior]", "n_jobs=1", "--quiet"]
    completed = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert "30,000 rows" in completed.stdout
    assert sorted(path.name for path in work.iterdir()) == ["mlartifacts", "mlflow.db"]


@pytest.mark.slow
def test_wheel_contains_all_files_and_only_xentexp(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"xentexp/conf/{path.relative_to(ROOT / 'conf')}" in names
    assert {"xentexp/py.typed", "xentexp/metrics/__init__.pyi"} <= names
    for path in (ROOT / "xentexp").rglob("*.j2"):
        assert str(path.relative_to(ROOT)) in names
    assert "xentexp/experiments/_report/templates/page.html.j2" in names
    assert "xentexp/experiments/datasets/data/uci_default.csv.gz" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"xentexp"}


def test_version_and_changelog_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == xentexp.__version__
    assert f"\n## {xentexp.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_is_pinned_in_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()
    }
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(item for extra in extras for item in extra)]
    for requirement in requirements:
        name = re.split(r"[\[>=]", requirement)[0].lower()
        assert name in pinned, f"{name} has no tested version in constraints.txt"
