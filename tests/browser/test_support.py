"""The checks of pages in a browser find what they look for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import (
    A4,
    accessibility,
    cut_text,
    faint_labels,
    n_printed_pages,
    opened,
    overlapping_labels,
    print_problems,
    screen_problems,
    sideways_scroll,
    small_text,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.debian("chromium", "chromium")

HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title></head>'


@pytest.fixture
def written(tmp_path: Path):
    def write(body: str) -> Path:
        path = tmp_path / "page.html"
        path.write_text(f"{HEAD}<body><main><h1>Page</h1>{body}</main></body></html>")
        return path

    return write


def figure(content: str, width: int = 200) -> str:
    return (
        f'<svg role="img" aria-label="Figure" width="{width}" height="100" viewBox="0 0 200 100">'
        f"{content}</svg>"
    )


GOOD = (
    "<p>Text</p>"
    + figure(
        '<text x="9" y="20" font-size="12">one</text><text x="9" y="60" font-size="12">two</text>'
    )
    + '<div style="overflow-x: auto" tabindex="0"><div style="width: 2000px">wide</div></div>'
    + "<details><summary>More</summary><p>Closed at first</p></details>"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_good_page_has_no_problem(browser: Browser, written, theme: str) -> None:
    with opened(browser, written(GOOD), 390, theme=theme) as found:
        assert screen_problems(found) == []


def test_problems_are_found(browser: Browser, written) -> None:
    with opened(browser, written('<p style="width: 500px">Wide</p>'), 390) as found:
        [problem] = sideways_scroll(found.page)
        assert "in a window of 390 px" in problem
        assert 'p "Wide"' in problem
    faint = '<p style="color: #aaa">Faint</p>'
    with opened(
        browser, written(faint + figure("").replace(' aria-label="Figure"', "")), 390
    ) as found:
        assert {line.split()[1] for line in accessibility(found.page)} == {
            "color-contrast",
            "svg-img-alt",
        }
    # Twelve units in a figure that is drawn at half its size are six pixels.
    body = '<p style="font-size: 10px">ten</p>' + figure(
        '<text y="50" font-size="12">half</text>', 100
    )
    with opened(browser, written(body), 390) as found:
        assert small_text(found.page) == ['text of 10.0 px: "ten"', 'text of 6.0 px: "half"']


def test_problems_of_figures_are_found(browser: Browser, written) -> None:
    texts = '<text x="{}" y="{}" font-size="12">{}</text>'
    beyond = texts.format(180, 50, "beyond the edge")
    with opened(browser, written(figure(beyond)), 390) as found:
        [problem] = cut_text(found.page)
        assert problem.endswith('px beyond its figure: "beyond the edge"')
    pair = texts.format(10, 50, "one") + texts.format(15, 52, "other")
    with opened(browser, written(figure(pair)), 390) as found:
        assert overlapping_labels(found.page) == ['"one" lies on "other"']
    # Grey on grey: 0.2159 and 0.0513 are the luminances of #808080 and #404040 (WCAG 2.2), so that
    # the contrast is (0.2159 + 0.05) / (0.0513 + 0.05) = 2.6.
    grey = '<rect width="200" height="100" fill="#404040"/><text y="50" fill="#808080">grey</text>'
    with opened(browser, written(figure(grey)), 390) as found:
        assert faint_labels(found.page) == ['contrast 2.6 of "grey"']


def test_messages_and_requests_are_found(browser: Browser, written) -> None:
    body = '<img alt="" src="http://example.invalid/a.png"><script>nothing()</script>'
    with opened(browser, written(body), 390) as found:
        assert found.requests == ["http://example.invalid/a.png"]
        assert any("nothing is not defined" in message for message in found.messages)


def test_problems_of_print_are_found(browser: Browser, written) -> None:
    with opened(browser, written(GOOD), A4, media="print") as found:
        assert print_problems(found) == [
            'hidden in print: "Closed at first"',
            'scrolls in print: div "wide"',
        ]
        assert n_printed_pages(found.page) == 1
    with opened(browser, written('<p style="height: 2500px">Long</p>'), A4, media="print") as found:
        assert n_printed_pages(found.page) == 3
