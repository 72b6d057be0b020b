"""README and guides as blocks of code, each with the environment that its page names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

ENVIRONMENT = re.compile(r"^Environment: `pip install (?:\.|'\.\[([a-z,]+)\]')`$")
_FENCE = re.compile(r"^```(\w*)$")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    extras: tuple[str, ...] | None  # of the last environment line above; None if there is none


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    found: list[Block] = []
    extras: tuple[str, ...] | None = None
    opened: tuple[int, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is not None:
            if line == "```":
                found.append(Block(name(path), *opened, "\n".join(lines) + "\n", extras))
                opened, lines = None, []
            else:
                lines.append(line)
        elif fence:
            opened = number, fence.group(1)
        elif environment := ENVIRONMENT.match(line):
            extras = tuple(environment.group(1).split(",")) if environment.group(1) else ()
    assert opened is None, f"{path} has an open code block"
    return found


def prose(path: Path) -> str:
    """Text of a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def inline_code(path: Path) -> Iterator[str]:
    """Code spans of the running text."""
    for span in _INLINE.findall(prose(path)):
        yield " ".join(span.split())


def _distribution(requirement: str) -> str:
    return re.split(r"[<>=!~\[; ]", requirement)[0].lower()


@cache
def _modules() -> dict[str, set[str]]:
    """Modules of each installed distribution."""
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            if not module.startswith("_"):
                modules.setdefault(distribution.lower().replace("_", "-"), set()).add(module)
    return modules


@cache
def optional_modules(extras: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """Modules of the extras, and modules of all other extras, which their environment lacks."""
    modules = _modules()

    def of(names: set[str]) -> set[str]:
        distributions = {_distribution(line) for extra in names for line in EXTRAS[extra]}
        return {
            module
            for distribution in distributions
            for module in modules.get(distribution, {distribution.replace("-", "_")})
        }

    base = {_distribution(line) for line in PROJECT["dependencies"]}
    given = of(set(extras))
    kept = {module for one in base for module in modules.get(one, ())} | given
    return given, {module for module in of(set(EXTRAS)) - kept if module.isidentifier()}
