"""`xentexp checks`."""

from __future__ import annotations

import argparse
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.experiments._cli.terminal import console, print_json
from xentexp.experiments._run_checks import CHECKS, Check, check_of


def checks(options: argparse.Namespace) -> int:
    """`xentexp checks [CODE]`."""
    chosen = list(CHECKS.values()) if options.code is None else [check_of(options.code)]
    if options.json:
        rows = [properties_row(check) for check in chosen]
        print_json(rows if options.code is None else rows[0])
        return 0
    out = console()
    if options.code is None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for header in ("code", "name", "kind", "false alarms", "what it tests"):
            table.add_column(header, overflow="fold")
        for check in chosen:
            cells = (check.code, check.name, kind(check), check.false_alarms(), check.summary)
            table.add_row(*map(Text, cells))
        out.print(table)
        out.print(
            Text(
                "false alarms: share of simulated runs in which a check reports something by "
                "chance (-: it reports a fact of the run). Full description: xentexp "
                "checks CODE, and docs/checks.md. "
                "report.mute=[CODE,...] hides checks on the page of a run.",
                style="dim",
            )
        )
        return 0
    [check] = chosen
    rate = check.false_alarms() + (f" ({check.simulated})" if check.simulated else "")
    for label, text in (
        ("code", check.code),
        ("name", check.name),
        ("kind", kind(check)),
        ("what it tests", check.tests),
        ("method", check.method),
        ("false alarms", rate),
        (
            "what to do",
            check.remedy or "It depends on the cause; xentexp has not tested any advice.",
        ),
        ("more", f"docs/checks.md#{check.code.lower()}"),
    ):
        out.print(Text.assemble((f"{label:<15}", "bold"), text))
    return 0


def kind(check: Check) -> str:
    """Whether a check tests a null hypothesis."""
    return "test" if check.is_test else "rule"


def properties_row(check: Check) -> dict[str, Any]:
    """A check for `--json`."""
    return {
        "code": check.code,
        "name": check.name,
        "kind": kind(check),
        "tests": check.tests,
        "method": check.method,
        "false_alarm_rate": check.false_alarm_rate,
        "simulated": check.simulated,
        "remedy": check.remedy,
    }
