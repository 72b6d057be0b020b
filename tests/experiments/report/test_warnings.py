"""Section of the page on what the checks found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from tests.experiments.test_run_checks import record_of_predictions, rows
from xentexp.experiments._formatting import Sentence, sentence
from xentexp.experiments._report.contents import Bullets, Details, PageSection, PageTable
from xentexp.experiments._report.warnings import warnings_section
from xentexp.experiments._run_checks import CHECKS, Issue, run_checks, shown_checks


def flat(blocks: Iterable[object]) -> list[object]:
    """Blocks with those inside of details."""
    found: list[object] = []
    for block in blocks:
        found += flat(block.blocks) if isinstance(block, Details) else [block]
    return found


def numbers_of(section: PageSection) -> tuple[set[float], set[float]]:
    """Numbers of the sentences, and of the tables."""
    said: set[float] = set()
    tabled: set[float] = set()
    for block in flat(section.blocks):
        if isinstance(block, Sentence):
            said |= set(block.numbers().values())
        elif isinstance(block, Bullets):
            said |= {value for one in block.sentences for value in one.numbers().values()}
        elif isinstance(block, PageTable):
            tabled |= {cell.value for row in block.rows for cell in row}
    return said, tabled


def test_a_run_without_findings_has_the_number_of_checks_that_passed() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"true": p}, muted=("X301",))
    section = warnings_section(record, run_checks(record, record.about.muted))
    n = len(shown_checks(record, ["X301"]))
    assert str(section.blocks[0]) == f"{n} checks passed"
    said, tabled = numbers_of(section)
    assert said <= tabled


def test_three_findings_are_shown_and_the_others_are_closed() -> None:
    y, p = rows()
    bad = np.round(p)
    record = record_of_predictions(y, {"a": bad, "b": np.round(np.sqrt(p)), "true": p})
    issues = run_checks(record)
    assert len(issues) > 3
    section = warnings_section(record, issues)
    first, more, *_ = section.blocks
    assert isinstance(first, Bullets)
    assert len(first.sentences) == 3
    assert str(first.sentences[0]).startswith(f"Problem {issues[0].code}: ")
    assert isinstance(more, Details)
    assert more.summary == f"{len(issues) - 3} more findings"
    said, tabled = numbers_of(section)
    assert said <= tabled
    assert len(said) > 10


@pytest.mark.parametrize(("value", "word"), [(math.inf, "infinite"), (math.nan, "undefined")])
def test_values_that_are_not_finite_are_words(value: float, word: str) -> None:
    y, p = rows(200)
    record = record_of_predictions(y, {"true": p})
    issue = Issue("X204", True, sentence("a: loss is {value}.", value=value), ("a",))
    section = warnings_section(record, [issue])
    cells = [
        c.text for b in flat(section.blocks) if isinstance(b, PageTable) for r in b.rows for c in r
    ]
    assert word in cells


def test_checks_that_do_not_apply_are_counted() -> None:
    y, p = rows(200)
    record = record_of_predictions(y, {"true": p})
    counts = {
        row[0].text: row[1].value
        for block in flat(warnings_section(replace(record), []).blocks)
        if isinstance(block, PageTable) and block.headers == ("Checks", "Number")
        for row in block.rows
    }
    assert sum(counts.values()) == len(CHECKS)
