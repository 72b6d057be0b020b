"""Open pages in Chromium and list what is wrong with them.

Each function returns sentences, one for each problem, so that a test compares with an empty list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
"""Debian's Chromium: Playwright's own browsers are not on a package index."""

SECONDS = 180
"""What a step in MLflow's dashboard may take on a busy machine; Playwright counts milliseconds."""

CARDS = "[data-testid='experiment-view-compare-runs-card']"
"""Charts of a page of the dashboard."""

A4 = 718
"""Width in CSS pixels of the printed area of an A4 page with margins of 10 mm."""


@dataclass
class Opened:
    """A page in the browser, and what happened while it was read."""

    page: Page
    messages: list[str] = field(default_factory=list)  # of the console, and errors of scripts
    requests: list[str] = field(default_factory=list)  # other than the page itself


@contextmanager
def opened(
    browser: Browser, path: Path, width: int, *, theme: str = "light", media: str = "screen"
) -> Iterator[Opened]:
    """Open an HTML file at a width, in a theme; all requests but the file itself are refused."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        offline=True,
    )
    page = context.new_page()
    page.emulate_media(media=media, color_scheme=theme)
    found = Opened(page)
    page.on("console", lambda message: found.messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.messages.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: (
            None if request.url == path.as_uri() else found.requests.append(request.url[:200])
        ),
    )
    try:
        page.goto(path.as_uri())
        yield found
    finally:
        context.close()


@contextmanager
def opened_dashboard(
    browser: Browser, address: str, *, panel: bool = False, theme: str = "light", **options: Any
) -> Iterator[Page]:
    """Page of MLflow's dashboard at 1280 pixels, with the assistant's panel open or closed."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=theme, **options
    )
    context.set_default_timeout(SECONDS * 1000)
    state = "true" if panel else "false"
    context.add_init_script(
        "try { localStorage.setItem('mlflow.workflowType_v1', '\"machine_learning\"');"
        f" localStorage.setItem('mlflow.assistant.panelOpen_v1', '{state}'); }} catch {{}}"
    )
    page = context.new_page()
    try:
        page.goto(address)
        if not panel:  # at the first visit it is open whatever the setting is
            page.wait_for_selector("text=MLflow Assistant")
            # Not a reload: the page adds the view's filter to its address before it keeps the
            # charts, and does not open the view of an address with a filter.
            page.goto("about:blank")
            page.goto(address)
        yield page
    finally:
        context.close()


def open_details(page: Page) -> None:
    """Open all parts of a page that are closed at first."""
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")


def screen_problems(opened: Opened) -> list[str]:
    """All problems of a page as it stands on the screen, with all its parts open."""
    open_details(opened.page)
    return [
        *opened.messages,
        *(f"request of {url}" for url in opened.requests),
        *sideways_scroll(opened.page),
        *accessibility(opened.page),
        *small_text(opened.page),
        *cut_text(opened.page),
        *overlapping_labels(opened.page),
        *faint_labels(opened.page),
    ]


def print_problems(opened: Opened) -> list[str]:
    """All problems of a page in print: what is cut, hidden or too wide for the paper."""
    # The numbers of figures are left out of print: their class is "data". A heat map of twelve
    # columns is as wide as the paper with texts of six pixels.
    page = opened.page
    return [
        *opened.messages,
        *sideways_scroll(page),
        *page.evaluate(_HIDDEN),
        *(f"scrolls in print: {text}" for text in page.evaluate(_SCROLLED)),
        *cut_text(page),
        *small_text(page, 5.9),
    ]


def n_printed_pages(page: Page) -> int:
    """Number of A4 pages that a print of the page takes."""
    data = page.pdf(format="A4", print_background=True, prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", data))


def sideways_scroll(page: Page) -> list[str]:
    """Elements that make the whole page wider than the window."""
    return page.evaluate(_SIDEWAYS)


def accessibility(page: Page) -> list[str]:
    """Serious and critical findings of axe, contrast included."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"axe {violation['id']} ({violation['impact']}): {violation['help']}: {node['html'][:160]}"
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]


def small_text(page: Page, least: float = 10.95) -> list[str]:
    """Visible texts, also of figures, that are smaller than a size in pixels."""
    return page.evaluate(_SMALL, least)


def cut_text(page: Page) -> list[str]:
    """Texts beyond the edge of their figure, and elements that hide a part of their content."""
    return page.evaluate(_CUT)


def overlapping_labels(page: Page) -> list[str]:
    """Pairs of texts of one figure that lie on one another."""
    return page.evaluate(_OVERLAPPING)


def faint_labels(page: Page, least: float = 4.5) -> list[str]:
    """Texts of figures, which axe does not read, with too little contrast to what is behind."""
    return page.evaluate(_FAINT, least)


# What all scripts share: visible texts of the page and of its figures.
_SHARED = """
const short = text => text.trim().replace(/\\s+/g, ' ').slice(0, 60);
const visible = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true});
const labels = svg => [...svg.querySelectorAll('text')].filter(
  t => visible(t) && t.textContent.trim());
const figures = [...document.querySelectorAll('svg')].filter(visible);
"""

_SIDEWAYS = f"""() => {{ {_SHARED}
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const scrolled = e => {{
    for (let p = e.parentElement; p; p = p.parentElement)
      if (p !== document.body && getComputedStyle(p).overflowX !== 'visible') return true;
    return false;
  }};
  const wide = [...document.querySelectorAll('body *')].filter(
    e => e.getBoundingClientRect().left + Math.max(e.scrollWidth, e.offsetWidth) > width + 0.5
      && !scrolled(e));
  const name = e => `${{e.tagName.toLowerCase()}} "${{short(e.textContent)}}"`;
  return [`the page is ${{document.documentElement.scrollWidth}} px wide in a window of `
    + `${{width}} px: ${{wide.slice(0, 3).map(name).join(', ')}}`];
}}"""

_SMALL = f"""least => {{ {_SHARED}
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {{
    const text = walker.currentNode, e = text.parentElement;
    if (!text.data.trim() || !visible(e) || ['STYLE', 'SCRIPT'].includes(e.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    if (!range.getClientRects().length) continue;
    let size = parseFloat(getComputedStyle(e).fontSize);
    if (e instanceof SVGElement && e.getScreenCTM) {{
      const m = e.getScreenCTM();
      size *= Math.sqrt(Math.abs(m.a * m.d - m.b * m.c));
    }}
    if (size < least) found.push(`text of ${{size.toFixed(1)}} px: "${{short(text.data)}}"`);
  }}
  return found;
}}"""

_CUT = f"""() => {{ {_SHARED}
  const found = [];
  for (const svg of figures) {{
    const box = svg.getBoundingClientRect();
    for (const t of labels(svg)) {{
      const b = t.getBoundingClientRect();
      const beyond = Math.max(
        box.left - b.left, b.right - box.right, box.top - b.top, b.bottom - box.bottom);
      if (beyond > 1.5)
        found.push(`${{beyond.toFixed(0)}} px beyond its figure: "${{short(t.textContent)}}"`);
    }}
  }}
  for (const e of document.querySelectorAll('body *:not(svg *):not(svg)')) {{
    const css = getComputedStyle(e);
    // Content for screen readers only is one pixel large.
    if (!visible(e) || e.clientWidth < 2) continue;
    const hides = o => o === 'hidden' || o === 'clip';
    if (hides(css.overflowX) && e.scrollWidth > e.clientWidth + 1
        || hides(css.overflowY) && e.scrollHeight > e.clientHeight + 1)
      found.push(`cut: "${{short(e.textContent)}}"`);
  }}
  return found;
}}"""

_OVERLAPPING = f"""() => {{ {_SHARED}
  const found = [];
  for (const svg of figures) {{
    const boxes = labels(svg).map(t => [short(t.textContent), t.getBoundingClientRect()]);
    boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {{
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // The box of a line is a few pixels higher than its letters.
      if (across > 1.5 && down > 4.5) found.push(`"${{one}}" lies on "${{other}}"`);
    }}));
  }}
  return found;
}}"""

_FAINT = f"""least => {{ {_SHARED}
  const canvas = document.createElement('canvas').getContext('2d', {{willReadFrequently: true}});
  const rgba = (colour, alpha) => {{
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255 * alpha];
  }};
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const luminance = c => {{
    const [r, g, b] = c.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }};
  const opacity = e => {{
    let product = 1;
    for (let p = e; p; p = p.parentElement) product *= parseFloat(getComputedStyle(p).opacity);
    return product;
  }};
  const painted = e => {{
    const css = getComputedStyle(e);
    if (!(e instanceof SVGElement) || e.tagName === 'svg') return rgba(css.backgroundColor, 1);
    if (css.fill === 'none' || e.tagName === 'text' || e.tagName === 'tspan') return [0, 0, 0, 0];
    return rgba(css.fill, parseFloat(css.fillOpacity) * opacity(e));
  }};
  const found = [];
  for (const svg of figures) for (const t of labels(svg)) {{
    t.scrollIntoView({{block: 'center', inline: 'center', behavior: 'instant'}});
    const b = t.getBoundingClientRect();
    const stack = document.elementsFromPoint((b.left + b.right) / 2, (b.top + b.bottom) / 2);
    const behind = stack.filter(e => e !== t && !t.contains(e)).reverse().reduce(
      (below, e) => over(painted(e), below), [255, 255, 255]);
    const css = getComputedStyle(t);
    const ink = over(rgba(css.fill, parseFloat(css.fillOpacity) * opacity(t)), behind);
    const [high, low] = [luminance(ink), luminance(behind)].sort((x, y) => y - x);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < least - 0.05)
      found.push(`contrast ${{contrast.toFixed(1)}} of "${{short(t.textContent)}}"`);
  }}
  return found;
}}"""

_HIDDEN = f"""() => {{ {_SHARED}
  return [...document.querySelectorAll('details:not(.data)')].flatMap(d =>
    [...d.children].filter(e => !e.matches('summary, details.data') && e.textContent.trim())
      .filter(e => !visible(e) || e.getBoundingClientRect().height === 0)
      .map(e => `hidden in print: "${{short(e.textContent)}}"`));
}}"""

_SCROLLED = f"""() => {{ {_SHARED}
  const scrolls = o => o === 'auto' || o === 'scroll';
  return [...document.querySelectorAll('body *')].filter(e => {{
    const css = getComputedStyle(e);
    return visible(e) && (scrolls(css.overflowX) && e.scrollWidth > e.clientWidth + 1
      || scrolls(css.overflowY) && e.scrollHeight > e.clientHeight + 1);
  }}).map(e => `${{e.tagName.toLowerCase()}} "${{short(e.textContent)}}"`);
}}"""
