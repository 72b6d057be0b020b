"""The page of a run in the store, as a browser shows it: its numbers are those of MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tests.support.browser import opened, screen_problems
from tests.support.stores import runs
from xentexp.experiments._cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.debian("chromium", "chromium"), pytest.mark.slow]

TABLE = """() => [...document.querySelectorAll('#models table')][0].rows.length &&
  [...document.querySelectorAll('#models table')[0].rows].map(
    row => [...row.cells].map(cell => cell.textContent.trim()))"""


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").rstrip("%"))


def test_the_numbers_that_the_browser_shows_are_those_of_the_store(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    y = (x[:, 0] + rng.normal(size=500) > 0).astype(int)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv("made.csv", index=False)
    run = ["run", "--quiet", "dataset=table", "dataset.path=made.csv", "dataset.target=y"]
    assert main([*run, "models=[prior,logistic,random_forest]"]) == 0
    [parent] = runs("comparison")
    artifacts = tmp_path / "mlartifacts" / parent.info.run_id / "artifacts"
    with opened(browser, artifacts / "report.html", 514) as found:
        assert screen_problems(found) == []
        headline = found.page.locator("h1").inner_text()
        headers, *rows = found.page.evaluate(TABLE)
    assert parent.data.tags["xentexp.answer"].startswith(headline.removesuffix(")."))
    stored = {run.info.run_name: run.data.metrics for run in runs()}
    columns = {
        "categorical_crossentropy": "cv/categorical_crossentropy",
        "brier_loss": "cv/brier_loss",
        "roc_auc": "cv/roc_auc",
    }
    places = {
        name: headers.index(header) for name in columns for header in headers if name in header
    }
    assert set(places) == set(columns)
    assert len(rows) == len(stored)
    for row in rows:
        metrics = stored[row[0].split(" ")[0]]
        for name, key in columns.items():
            assert number(row[places[name]]) == pytest.approx(metrics[key], abs=5.1e-5)
        if row[0].startswith("random_forest"):
            difference = number(row[places["categorical_crossentropy"] + 1].split(" ")[0])
            assert difference == pytest.approx(metrics["diff/categorical_crossentropy"], abs=5.1e-5)
