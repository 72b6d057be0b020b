"""All texts that users and contributors read, with file and line.

``python -m tests.support.texts`` lists the messages of all errors.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _text_of(node: ast.expr) -> str | None:
    """A string literal, the values of an f-string as ``{...}``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            piece.value if isinstance(piece, ast.Constant) else f"{{{ast.unparse(piece.value)}}}"
            for piece in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text_of(node.left), _text_of(node.right)]
        return None if all(part is None for part in parts) else "".join(p or "{}" for p in parts)
    return None


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string of a Python file, docstrings among them."""

    def walk(node: ast.AST) -> Iterator[tuple[int, str]]:
        for child in ast.iter_child_nodes(node):
            text = _text_of(child) if isinstance(child, ast.expr) else None
            if text is None:
                yield from walk(child)
            else:
                yield child.lineno, text

    return walk(ast.parse(path.read_text()))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """First line and text of each comment of a Python file; lines that follow are one text."""
    start, text = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            words = token.string.removeprefix("#")
            if text and alone and token.start[0] == start + text.count("\n") + 1:
                text += f"\n{words}"
                continue
            if text:
                yield start, text
            start, text = token.start[0], words
    if text:
        yield start, text


def paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """First line and text of each paragraph of a page or configuration file."""
    text = (
        re.sub(r"(?m)^ *# ?", "", path.read_text()) if path.suffix == ".yaml" else path.read_text()
    )
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.strip():
            yield line, paragraph
        line += paragraph.count("\n")


def errors(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each message of an error that a Python file makes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name.endswith(("Error", "unknown_name", "Warning", "warn")):
                texts = [text for argument in node.args if (text := _text_of(argument)) is not None]
                if texts:
                    yield node.lineno, " | ".join(texts)


@cache
def texts() -> tuple[tuple[Path, int, str], ...]:
    """Path, line and text of all that users and contributors read; blanks are single spaces."""
    read: list[tuple[Path, int, str]] = []
    for path in sorted((ROOT / "xentexp").rglob("*.py")):
        read += [(path, *text) for text in (*strings(path), *comments(path))]
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("conf/**/*.yaml")]
    for path in sorted([*pages, *(ROOT / "xentexp").rglob("*.j2")]):
        read += [(path, *text) for text in paragraphs(path)]
    parity = ROOT / "tests" / "metrics" / "compat" / "parity_rows.py"  # a guide sends users there
    read += [(parity, *text) for text in (*strings(parity), *comments(parity))]
    return tuple((path, line, " ".join(text.split())) for path, line, text in read)


if __name__ == "__main__":  # the messages of all errors and warnings, for a review
    for source in sorted((ROOT / "xentexp").rglob("*.py")):
        for number, message in errors(source):
            print(f"{source.relative_to(ROOT)}:{number}: {message}")
