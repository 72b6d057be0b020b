"""Fixtures of the tests of commands on finished runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy of the folder `finished` of a test file; it is the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    _artifact_repos_cache.clear()  # MLflow remembers the place by the id of the run
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder
