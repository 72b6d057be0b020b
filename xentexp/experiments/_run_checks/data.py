"""Checks of the data that were made before any fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xentexp.experiments._formatting import plain
from xentexp.experiments._record import RunRecord
from xentexp.experiments._run_checks.issue import Issue


def finding(code: str, name: str) -> Callable[[RunRecord], Iterator[Issue]]:
    """Check that reports the findings of one name."""

    def find(record: RunRecord) -> Iterator[Issue]:
        for found in record.about.findings:
            if found.name == name:
                yield Issue(code, found.leak, plain(as_sentence(str(found))))

    return find


def as_sentence(text: str) -> str:
    """Text with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def has_random_folds(record: RunRecord) -> bool:
    """Whether the folds can share entities."""
    return record.about.kind in ("stratified", "repeated", "holdout")


def shared_entities(record: RunRecord) -> Iterator[Issue]:
    """Entities with rows in both the training and the test part of a fold."""
    if record.about.leak is not None:
        yield Issue("X103", True, plain(as_sentence(record.about.leak)))
