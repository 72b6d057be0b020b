"""xentexp checks."""

from __future__ import annotations

import json

import pytest

from tests.support.pages import ROOT
from xentexp.experiments._cli import main
from xentexp.experiments._run_checks import CHECKS


def test_the_list_has_all_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks"]) == 0
    printed = capsys.readouterr().out
    assert all(code in printed for code in CHECKS)


def test_one_check_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks", "X205"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    check = CHECKS["X205"]
    for text in (check.name, check.tests, check.method, check.simulated, "docs/checks.md#x205"):
        assert text in printed


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks", "--json"]) == 0
    assert [row["code"] for row in json.loads(capsys.readouterr().out)] == list(CHECKS)
    assert main(["checks", "X205", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["false_alarm_rate"] == CHECKS["X205"].false_alarm_rate
    assert row["kind"] == "test"


def test_unknown_codes_have_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks", "X2O5"]) == 2
    assert "unknown check 'X2O5'; did you mean 'X205'" in capsys.readouterr().err


def test_the_page_describes_each_check_with_its_rate() -> None:
    sections = (ROOT / "docs" / "checks.md").read_text().split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(CHECKS)
    for section, check in zip(sections, CHECKS.values(), strict=True):
        words = " ".join(section.split())
        assert f"**{check.name}**" in words
        for text in (check.tests, check.method, check.remedy):
            assert " ".join(text.split()) in words
        if check.false_alarm_rate is not None:
            first = next(line for line in section.splitlines() if line.endswith("% |"))
            assert f"| {check.false_alarms()} |" in first
