"""Texts that users read: plain English, and docstrings that say enough and not too much."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest

from tests.support.texts import ROOT, texts
from tests.test_public_interface import public_objects
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DATASET_METRICS

DIALECT = {  # phrase that a reader has to read twice -> what to write instead
    r"stands? twice|twice or more": "duplicate",
    r"which \w+ (has|have) not\b": "but X does not provide it",
    r"\bwill do\b": "is enough; is accepted",
    r"\branks? nothing\b": "does not rank models",
    r"(?<!there )\b(is|are) no (?!longer|more|such|less|model|row|fold|file)\w+": "is not a ...",
    r"\b(is|are|was) told\b|\btells? (it|little|nothing)\b": "receives; shows",
    r"\b(not )?heard\b": "ignored; used",
    r"\bjudge[sd]?\b": "evaluate",
    r"\b(door|sink|cure|riddle)s?\b": "the thing itself",
    r"\bmend(s|ed)?\b": "fix",
    r"\balone\b": "only",
    r"\b(go|goes|going) with\b": "requires; is only used with",
    r"\bgive it another\b": "choose another name",
    r"\bfor a person to read\b": "human-readable",
    r"\bless that of\b|\bone less that\b": "minus",
    r"\bfurther in\b": "in the code below",
    r"\bcosts? nothing\b|\bcosts? no \w+": "is free; does not need",
    r"\bspeaks? of\b|\bspoken of\b": "is about; names",
    r"\bas (they|it) (comes?|stands?)\b": "unchanged",
    r"\blikewise\b": "also; repeat the statement",
    r"\b(whence|thereof|whereof|therein|wherein|naught|nought|shall)\b": "a word of today",
    r"\btakes? no\b": "does not accept",
    r"\bno use for\b": "does not use",
    r"\bof equals\b|\bthose that tie\b": "ties",
    r"\bleft the finite numbers\b": "reached infinite or NaN values",
    r"\b(to|be|is|are) watch(ed)?\b": "monitor",
    r"\bthe like\b|\band such\b": "name the things",
    r"\bsave (-?\d|for\b)": "except",
    r"\bof (a|the) user's own\b|\bof one's own\b": "your own X",
    r"\bstays? honest\b|\bhonest(ly)?\b": "unbiased; nested",
    r"\bover, whole\b|\bin one go, whole\b": "in one call",
    r"\bin a word\b|\bin short\b|\bso to speak\b": "delete it",
    r"\bpays? to\b|\bbeats? the truth\b": "has a lower expected loss",
    r"\bits? is all there is\b|\ball there is\b": "name what there is",
    r"\bas many (rows|as) (and|as there)\b": "the same number",
}


def test_the_list_of_phrases_is_long_enough() -> None:
    assert len(DIALECT) >= 30


@pytest.mark.parametrize("phrase", DIALECT)
def test_no_text_has_the_phrase(phrase: str) -> None:
    pattern = re.compile(phrase, re.IGNORECASE)
    places = [
        f"{path.relative_to(ROOT)}:{line}: {match.group()}"
        for path, line, text in texts()
        for match in pattern.finditer(text)
    ]
    assert places == [], f"write instead: {DIALECT[phrase]}"


def documented_definitions() -> set[tuple[str, str]]:
    """Module and name of all classes and functions whose docstrings users read."""
    things = {parameter.values[0] for parameter in public_objects()}
    things |= {type(metric) for metric in (*LOSSES.values(), *DATASET_METRICS.values())}
    for thing in [thing for thing in things if inspect.isclass(thing)]:
        things.update(base for base in thing.__mro__ if base.__module__.startswith("xentexp"))
    return {(thing.__module__, thing.__qualname__) for thing in things}


def long_private_docstrings() -> Iterator[str]:
    """Places of docstrings of more than one line that no user reads."""
    documented = documented_definitions()

    def walk(node: ast.AST, names: tuple[str, ...], public: bool) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield from walk(child, names, public)
                continue
            inner = (*names, child.name)
            method = public and (child.name == "__call__" or not child.name.startswith("_"))
            documents = method or (module, ".".join(inner)) in documented
            if not documents and "\n" in (ast.get_docstring(child) or ""):
                yield f"{module}.{'.'.join(inner)}"
            yield from walk(child, inner, documents)

    for path in sorted((ROOT / "xentexp").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield from walk(ast.parse(path.read_text()), (), False)


def test_a_docstring_that_no_user_reads_has_one_line() -> None:
    assert list(long_private_docstrings()) == []
