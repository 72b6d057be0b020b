"""What a run finds beyond its leaderboard, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable

from xentexp.experiments.cli.sections.leakage import tell_leak
from xentexp.experiments.cli.sections.loss_matrix import find_matrix
from xentexp.experiments.cli.sections.replication import find_published
from xentexp.experiments.cli.sections.section import Section
from xentexp.experiments.cli.sections.tuning import find_tuning
from xentexp.experiments.config import Study
from xentexp.experiments.results import ExperimentResult

_FINDERS: tuple[Callable[[Study, ExperimentResult], Section | None], ...] = (
    find_matrix,
    tell_leak,
    find_tuning,
    find_published,
)


def findings(study: Study, result: ExperimentResult) -> list[Section]:
    """All that a study asks for.

    Parameters
    ----------
    study : Study
        The run.
    result : ExperimentResult
        What its candidates did.

    Returns
    -------
    list of Section
        In the order in which they are told.
    """
    found = [find(study, result) for find in _FINDERS]
    return [finding for finding in found if finding is not None]
