"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable

from xentexp.cli.findings.finding import Finding
from xentexp.cli.findings.leak import tell_leak
from xentexp.cli.findings.loss_matrix import find_matrix
from xentexp.cli.findings.published import find_published
from xentexp.cli.findings.tuning import find_tuning
from xentexp.configuration import Study
from xentexp.outcome import Result

_FINDERS: tuple[Callable[[Study, Result], Finding | None], ...] = (
    find_matrix,
    tell_leak,
    find_tuning,
    find_published,
)


def findings(study: Study, result: Result) -> list[Finding]:
    """All that a study asks for.

    Parameters
    ----------
    study : Study
        The run.
    result : Result
        What its candidates did.

    Returns
    -------
    list of Finding
        In the order in which they are told.
    """
    found = [find(study, result) for find in _FINDERS]
    return [finding for finding in found if finding is not None]
