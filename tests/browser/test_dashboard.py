"""MLflow's dashboard on a run, as a browser shows it: the saved view, notes, pictures, report."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.support.browser import CARDS, SECONDS, opened_dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.debian("chromium", "chromium"), pytest.mark.slow]


class Dashboard:
    """A served store with one run, and how to open its pages."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self.browser, self.address = browser, address
        self.base = address.partition("#")[0]
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(ids)
        kinds = {run.info.run_id: run.data.tags["xentexp.kind"] for run in runs}
        [self.parent] = [run for run in runs if kinds[run.info.run_id] == "comparison"]
        self.children: dict[str, Run] = {
            run.info.run_name: run for run in runs if kinds[run.info.run_id] == "candidate"
        }

    @contextmanager
    def opened(self, address: str, *, panel: bool = False, theme: str = "light") -> Iterator[Page]:
        """Page at 1280 pixels, with the assistant's panel open or closed."""
        with opened_dashboard(self.browser, address, panel=panel, theme=theme) as page:
            yield page

    def run_page(self, run: Run, tab: str = "") -> str:
        return f"{self.base}#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{tab}"


@pytest.fixture(scope="module")
def dashboard(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv(folder / "made.csv", index=False)
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    command = [sys.executable, "-m", "xentexp"]
    run = ["run", "--quiet", "dataset=table", "dataset.path=made.csv", "dataset.target=y"]
    run += ["models=[prior,logistic]", "cv.n_splits=3", "n_jobs=1"]
    subprocess.run([*command, *run], cwd=folder, env=environment, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["ui", "--no-browser", "--port", str(port)]
    with subprocess.Popen(
        [*command, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        try:
            line = served.stdout.readline()
            assert line.startswith("MLflow dashboard: http://127.0.0.1:")
            yield Dashboard(browser, line.removeprefix("MLflow dashboard: ").strip(), folder)
        finally:
            served.terminate()
            served.wait()


def until(condition: Callable[[], bool], page: Page) -> None:
    """Wait until a condition holds."""
    for _ in range(SECONDS * 2):
        if condition():
            return
        page.wait_for_timeout(500)
    assert condition()


def texts(page: Page, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def test_the_link_opens_the_losses_of_the_run_the_primary_first(dashboard: Dashboard) -> None:
    assert "viewStateShareKey=xentexp-" in urlsplit(dashboard.address).fragment
    with dashboard.opened(dashboard.address) as page:
        page.wait_for_selector("svg.main-svg")
        cards = texts(page, CARDS)
        assert cards[0].startswith("cv/categorical_crossentropy")
        assert cards[1].startswith("diff/categorical_crossentropy")
        assert cards[2].startswith("cv/brier_loss")
        text = page.locator("body").inner_text()
        assert "Leaderboard" in text
        assert "2 matching runs" in text  # the models, without the run that compares them
        # The note of the experiment is the answer of its latest run.
        assert "logistic" in text.partition("shared view")[0]
        names = texts(page, ".ag-row a")
        assert names.index("logistic") < names.index("prior")  # the best first


def test_the_charts_show_the_pictures_of_each_model(dashboard: Dashboard) -> None:
    with dashboard.opened(dashboard.address) as page:
        page.wait_for_selector("svg.main-svg")
        page.get_by_text("Pictures of each model").scroll_into_view_if_needed()
        image = page.locator(f"{CARDS} img").first
        image.wait_for()
        until(lambda: bool(image.evaluate("image => image.naturalWidth")), page)
        box = image.bounding_box()
        assert box is not None
        assert box["width"] > 200  # so that its text can be read
        [first, *_] = texts(page, f"{CARDS}:has(img)")
        assert first.startswith("reliability")
        assert "logistic" in first
        assert "prior" not in first  # a constant model, of which a picture says little


def test_the_run_table_has_the_columns_of_the_leaderboard(dashboard: Dashboard) -> None:
    with dashboard.opened(dashboard.address.replace("=CHART", "=TABLE")) as page:
        page.wait_for_selector(".ag-row")
        until(lambda: page.locator(".ag-header-cell[col-id*='metrics.']").count() >= 3, page)
        shown = page.locator(".ag-header-cell[col-id*='metrics.']").evaluate_all(
            "cells => cells.sort((a, b) => a.getBoundingClientRect().left"
            " - b.getBoundingClientRect().left).map(cell => cell.getAttribute('col-id'))"
        )
        assert shown[:3] == [
            "metrics.`cv/categorical_crossentropy`",
            "metrics.`diff/categorical_crossentropy`",
            "metrics.`cv/brier_loss`",
        ]


@pytest.mark.parametrize("panel", [False, True])
def test_the_page_of_a_run_shows_the_first_lines_of_its_note(
    dashboard: Dashboard, panel: bool
) -> None:
    with dashboard.opened(dashboard.run_page(dashboard.parent), panel=panel) as page:
        page.wait_for_selector("text=Show more")
        headline = dashboard.parent.data.tags["mlflow.note.content"].partition("  \n")[0]
        shown = page.get_by_text(headline[:40])
        shown.first.wait_for()
        more = page.get_by_text("Show more").first.bounding_box()
        box = shown.first.bounding_box()
        assert box is not None
        assert more is not None
        assert box["y"] < more["y"]
        if not panel:  # with it, the page puts the description below all tags
            assert more["y"] < 450  # without scrolling
        link = page.locator("a[href*='report.html']")
        page.get_by_text("Show more").first.click()
        link.first.wait_for()
        address = link.first.get_attribute("href")
        assert address is not None
        page_of_run = f"runs/{dashboard.parent.info.run_id}"
        training = "?workflowType=machine_learning"
        assert address.endswith(f"{page_of_run}/artifacts/report.html{training}")


def test_the_page_of_a_model_shows_its_value_and_rank(dashboard: Dashboard) -> None:
    with dashboard.opened(dashboard.run_page(dashboard.children["logistic"])) as page:
        page.get_by_text("number 1 of 1 model").first.wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_report_fits_its_frame_beside_the_panel(dashboard: Dashboard, theme: str) -> None:
    address = dashboard.run_page(dashboard.parent, "/artifacts/report.html")
    with dashboard.opened(address, panel=True, theme=theme) as page:
        page.wait_for_selector("iframe")
        until(lambda: len(page.frames) > 1 and page.frames[-1].locator("h1").count() > 0, page)
        frame = page.frames[-1]
        width, scroll = frame.evaluate(
            "() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
        )
        assert scroll <= width
        assert width < 800
        assert "logistic" in frame.locator("h1").inner_text()
        background = frame.evaluate("() => getComputedStyle(document.body).backgroundColor")
        red = int(background.partition("(")[2].partition(",")[0])
        assert (red < 64) == (theme == "dark")
