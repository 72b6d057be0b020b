"""What a check of a finished run found."""

from __future__ import annotations

from dataclasses import dataclass

from xentexp.experiments._formatting import Sentence


@dataclass(frozen=True)
class Issue:
    """Result of a check: what, where, how much, and what to do."""

    code: str  # e.g. "X101"
    serious: bool  # a problem, or a note
    sentence: Sentence
    models: tuple[str, ...] = ()
