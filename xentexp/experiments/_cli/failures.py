"""Error of a run without any result."""

from __future__ import annotations

from xentexp.errors import NothingToShowError


class AllModelsFailedError(NothingToShowError):
    """All models of a run failed; the exit code is 1, as if one of several failed."""
