"""Checks of a finished run: each has a code, a sentence and a known rate of false alarms."""

from __future__ import annotations

from xentexp.experiments._run_checks.check import Check
from xentexp.experiments._run_checks.issue import Issue
from xentexp.experiments._run_checks.table import CHECKS, check_of, run_checks, shown_checks

__all__ = ["CHECKS", "Check", "Issue", "check_of", "run_checks", "shown_checks"]
