"""A finished run whose results are logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from xentexp.experiments._config.study import Study
from xentexp.experiments._record import About, RunRecord, record_of

if TYPE_CHECKING:
    from xentexp.experiments._results import ExperimentResult
    from xentexp.experiments._run_checks import Issue
    from xentexp.experiments._serving.refit import Refits
    from xentexp.experiments._tracking.models import LoggedModel
    from xentexp.experiments._tracking.store import Store


@dataclass(frozen=True)
class Finished:
    """Results of a run, and where they are logged."""

    study: Study
    result: ExperimentResult
    about: About
    store: Store
    run_id: str
    children: Mapping[str, str]  # run id of each model, by name
    refits: Refits
    notes: tuple[str, ...] = ()  # Markdown for the note: of sections, and how the data were read
    with_board: bool = True  # whether the leaderboard is the answer, not a section
    models: dict[str, LoggedModel] = field(default_factory=dict)  # filled by the step log_model

    @cached_property
    def issues(self) -> list[Issue]:
        """What the checks found."""
        from xentexp.experiments._run_checks import run_checks

        return run_checks(self.record, self.about.muted)

    @cached_property
    def record(self) -> RunRecord:
        """The run as plain data."""
        from xentexp.experiments._tracking.connect import store_errors

        with store_errors(self.store.uri):
            started = self.store.client.get_run(self.run_id).info.start_time / 1000
        return record_of(
            self.result, self.about, run_id=self.run_id, store=self.store.uri, started=started
        )
