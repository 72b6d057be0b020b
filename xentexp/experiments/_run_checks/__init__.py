"""Checks of a finished run: each has a code, a sentence and a known rate of false alarms."""

from __future__ import annotations

from xentexp.experiments._run_checks.issue import Issue

__all__ = ["Issue"]
