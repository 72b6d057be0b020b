"""Pages of runs in Chromium: layout, contrast, access, print, and no request or error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import (
    A4,
    n_printed_pages,
    opened,
    print_problems,
    screen_problems,
)
from tests.support.runs import run
from xentexp.experiments._report import run_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.debian("chromium", "chromium"), pytest.mark.slow]

SHOWN = (
    "three models",
    "one split",
    "one model",
    "twenty models",
    "ten classes",
    "long names",
    "segment without positives",
    "groups",
    "weights",
    "certain",
    "amounts",
    "training losses and curves",
    "calibrated",
)


@pytest.fixture(scope="module", params=SHOWN)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(run_page(run(request.param)), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (514, "dark"), (1280, "light")])
def test_the_page_has_no_problem_on_a_screen(
    browser: Browser, page: Path, width: int, theme: str
) -> None:
    with opened(browser, page, width, theme=theme) as found:
        assert screen_problems(found) == []


def test_print_cuts_and_hides_nothing(browser: Browser, page: Path) -> None:
    with opened(browser, page, A4, media="print") as found:
        assert print_problems(found) == []
        assert 1 <= n_printed_pages(found.page) <= 25
