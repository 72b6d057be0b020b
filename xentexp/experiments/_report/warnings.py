"""What the checks of a run found, on its page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xentexp.experiments._formatting import Sentence, counted, sentence, spaced
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Details,
    PageSection,
    PageTable,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._run_checks import CHECKS, Check, Issue, run_checks, shown_checks

SHOWN = 3
"""Issues on the page; the others are in the details."""


@once
def issues_of(record: RunRecord) -> Sequence[Issue]:
    """What the checks found, problems first."""
    return run_checks(record, record.about.muted)


def warnings_section(record: RunRecord, issues: Sequence[Issue]) -> PageSection:
    """The three most serious issues as sentences, the others closed; or how many checks passed."""
    checks = shown_checks(record, record.about.muted)
    codes = {issue.code for issue in issues}
    n_passed = sum(check.code not in codes for check in checks)
    passed = sentence("{n} checks passed", n=n_passed)
    blocks: list[Block] = []
    if issues:
        blocks.append(_bullets(record, issues[:SHOWN]))
        if more := issues[SHOWN:]:
            blocks.append(Details(counted(len(more), "more finding"), (_bullets(record, more),)))
    else:
        blocks.append(passed)
    counts = {
        "passed": n_passed,
        "found something": len(codes),
        "muted": len(set(record.about.muted)),
        "do not apply to this run": len(CHECKS) - len(checks) - len(set(record.about.muted)),
    }
    table = PageTable(
        ("Checks", "Number"),
        tuple((Cell(name), Cell(f"{count}", count)) for name, count in counts.items()),
    )
    summary = f"All checks: {passed}, {len(codes)} found something"
    blocks.append(Details(summary, (table, checks_table(record, checks, issues))))
    if issues:
        numbers = Details("Numbers of the findings", (numbers_table(issues),), data=True)
        blocks.append(numbers)
    return PageSection("checks", "Checks", tuple(blocks))


def _bullets(record: RunRecord, issues: Sequence[Issue]) -> Bullets:
    """Findings with links to what their checks test."""
    links = [(f"What {issue.code} tests", _anchor(record, issue.code)) for issue in issues]
    return Bullets(tuple(map(labelled, issues)), tuple(links))


def _anchor(record: RunRecord, code: str) -> str:
    return f"check-{record.run_id[:8]}-{code}"


def checks_table(record: RunRecord, checks: Sequence[Check], issues: Sequence[Issue]) -> PageTable:
    """The checks that apply, with their rates of false alarms."""
    rows = [
        (
            Cell(f"{check.code} {check.name}", anchor=_anchor(record, check.code)),
            Cell("test" if check.is_test else "rule"),
            Cell(_found(check.code, issues)),
            Cell(check.summary),
            Cell(check.false_alarms(), math.nan if (r := check.false_alarm_rate) is None else r),
        )
        for check in checks
    ]
    return PageTable(
        ("Check", "Kind", "Found", "What it tests", "False alarms"), tuple(rows), n_text=4
    )


def labelled(issue: Issue) -> Sentence:
    """Sentence of an issue after its kind and code."""
    text = issue.sentence
    return sentence(
        f"{{kind}} {{code}}: {text.template}", **text.values, kind=kind_of(issue), code=issue.code
    )


def kind_of(issue: Issue) -> str:
    """Problem or Note."""
    return "Problem" if issue.serious else "Note"


def _found(code: str, issues: Sequence[Issue]) -> str:
    n = sum(issue.code == code for issue in issues)
    return "passed" if not n else counted(n, "finding")


def numbers_table(issues: Sequence[Issue]) -> PageTable:
    """The numbers of all sentences, one per row."""
    rows = [
        (
            Cell(f"{issue.code} {CHECKS[issue.code].name}"),
            Cell(", ".join(issue.models)),
            Cell(spaced(name)),
            Cell(str(sentence("{value:.6g}", value=value)), value),
        )
        for issue in issues
        for name, value in issue.sentence.numbers().items()
    ]
    return PageTable(("Check", "Models", "Quantity", "Value"), tuple(rows), n_text=3)
