"""Every text of the project that a user or contributor reads, with the place where it stands."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
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
    """Line and text of each comment of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def errors(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each message of an error that a Python file makes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name.endswith(("Error", "unknown_name", "Warning", "warn")):
                texts = [text for argument in node.args if (text := _text_of(argument)) is not None]
                if texts:
                    yield node.lineno, " | ".join(texts)


def texts() -> Iterator[tuple[Path, int, str]]:
    """Path, line and text of the strings and comments of the package, its files and its pages."""
    for path in sorted((ROOT / "xentexp").rglob("*.py")):
        for line, text in (*strings(path), *comments(path)):
            yield path, line, text
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("conf/**/*.yaml")]
    pages += (ROOT / "xentexp").rglob("*.j2")
    for path in sorted(pages):
        for line, text in enumerate(path.read_text().splitlines(), start=1):
            yield path, line, text
