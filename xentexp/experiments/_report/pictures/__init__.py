"""Pictures and tables of a run and of each model, as files and images among their artifacts."""

from xentexp.experiments._report.pictures.files import Artifacts
from xentexp.experiments._report.pictures.of_model import (
    checks_only,
    model_artifacts,
    pictured,
)
from xentexp.experiments._report.pictures.of_run import run_artifacts

__all__ = ["Artifacts", "checks_only", "model_artifacts", "pictured", "run_artifacts"]
