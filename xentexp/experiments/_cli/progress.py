"""Progress on standard error: a bar in terminals, and one line per model."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from xentexp.experiments._cli.terminal import console
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import counted, fixed
from xentexp.experiments._results import CandidateResult
from xentexp.metrics._registry import get_metric


class Progress:
    """Print the progress of a run; with `quiet`, only warnings about scores that are too good."""

    def __init__(self, study: Study, *, quiet: bool) -> None:
        self._quiet = quiet
        self._study = study
        self._console = console(stderr=True)
        names = [name for c in study.candidates for name in (c.name, *c.variants)]
        self._width = max(24, *map(len, names))
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        test = study.dataset.test
        per_candidate = len(study.folds) + len(study.grouped_folds)
        per_candidate += test is not None and test.y is not None
        fits = len(study.candidates) * per_candidate
        self._task = self._bar.add_task("fits", total=fits)

    def __enter__(self) -> Self:
        dataset = self._study.dataset
        self._say(
            f"{dataset.card.title}: {counted(len(dataset.y), 'row')}, "
            f"{counted(dataset.X.shape[1], 'feature')}, "
            f"{counted(len(self._study.candidates), 'model')}, "
            f"{counted(len(self._study.folds), 'fold')}"
        )
        for note in dataset.card.notes:
            self._say(f"note: {note}")
        for finding in self._study.findings:
            if finding.leak or not self._quiet:
                self._warn(str(finding))
        if self._study.leak is not None:
            self._warn(self._study.leak.warning())
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def fold(self, name: str) -> None:
        """Count one fit of the model `name`."""
        self._bar.update(self._task, advance=1, description=name)

    def result(self, candidate_result: CandidateResult) -> None:
        """Print the result and the warnings of one model."""
        primary = self._study.primary
        mean = candidate_result.mean()
        if candidate_result.error is not None:
            text = f"FAILED: {candidate_result.error}"
        elif primary in mean:
            text = f"{primary} {fixed(mean[primary])}"
        else:
            text = f"no {primary}: {_why_not(primary, candidate_result)}"
        name = f"{candidate_result.candidate.name:<{self._width}}"
        self._say(f"  {name} {candidate_result.fit_seconds:6.1f} s fit time   {text}")
        for message, count in candidate_result.warnings.items():
            n_folds = counted(len(candidate_result.predictions), "fold")
            self._say(f"    {message} (in {count} of {n_folds})")

    def grouped(self, candidate_result: CandidateResult) -> None:
        """Print the result of one model on grouped folds."""
        primary = self._study.primary
        text = (
            candidate_result.error
            or f"{primary} {fixed(candidate_result.mean().get(primary, math.nan))}"
        )
        self._say(f"  {candidate_result.candidate.name:<24} on grouped folds: {text}")

    def _warn(self, text: str) -> None:
        """Print a warning, even if quiet."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(line, markup=False, soft_wrap=True)


def _why_not(name: str, candidate_result: CandidateResult) -> str:
    """What a loss or metric needs and what the model provides."""
    needed = {
        "predict_proba": "probabilities",
        "decision_function": "decision scores",
        "latent": "one decision score per row",
    }.get(get_metric(name).properties.response, "probabilities or decision scores")
    prediction = candidate_result.predictions[0]
    provided = [
        kind
        for kind, values in (
            ("probabilities", prediction.proba),
            ("decision scores", prediction.decision),
        )
        if values is not None
    ]
    return f"it needs {needed}; the model only provides {' and '.join(provided) or 'labels'}"
