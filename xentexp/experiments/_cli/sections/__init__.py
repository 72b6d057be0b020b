"""Sections of a report that the configuration adds to the leaderboard."""

from __future__ import annotations

from xentexp.experiments._cli.sections.calibration import calibration_section
from xentexp.experiments._cli.sections.leakage import leak_section
from xentexp.experiments._cli.sections.loss_matrix import matrix_section
from xentexp.experiments._cli.sections.replication import published_section
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.sections.tuning import tuning_section
from xentexp.experiments._config.study import Study
from xentexp.experiments._results import ExperimentResult


def build_sections(study: Study, result: ExperimentResult) -> list[Section]:
    """Sections of a run, in the order in which they are printed."""
    builders = (
        matrix_section,
        leak_section,
        tuning_section,
        calibration_section,
        published_section,
    )
    sections = (build(study, result) for build in builders)
    return [section for section in sections if section is not None]
