"""Texts of a run and of a model in Markdown: what the checks found, and the card of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xentexp.experiments._board_tables import columns_of, difference_text
from xentexp.experiments._formatting import (
    Sentence,
    counted,
    escaped,
    markdown_table,
    signed,
)
from xentexp.experiments._leaderboard import best_is
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.models import context
from xentexp.experiments._report.reliability import calibration, outside_of_band
from xentexp.experiments._report.segments import described, is_sure, segments_of
from xentexp.experiments._report.warnings import issues_of, labelled
from xentexp.experiments._run_checks import Issue, shown_checks

_SEGMENTS = 3


def run_checks_text(record: RunRecord) -> str:
    """Findings of the checks of a run."""
    return _checks_text(record, issues_of(record), "the run")


def model_checks(record: RunRecord, name: str) -> str:
    """Findings of the checks that are about a model."""
    return _checks_text(record, _issues_with(record, name), name)


def _issues_with(record: RunRecord, name: str) -> list[Issue]:
    return [issue for issue in issues_of(record) if name in issue.models]


def _checks_text(record: RunRecord, found: Sequence[Issue], subject: str) -> str:
    codes = {issue.code for issue in found}
    n_others = len(shown_checks(record, record.about.muted)) - len(codes)
    lines = [f"# Checks of {escaped(subject)}", ""]
    lines += [f"- {escaped(str(labelled(issue)))}" for issue in found]
    lines += [""] if found else []
    others = counted(n_others, "other check" if found else "check")
    lines.append(f"{others} found nothing. `xentexp checks CODE` explains a check.")
    return "\n".join(lines) + "\n"


def card(record: RunRecord, name: str) -> str:
    """Card of a model: what it is, how good, how sure, where it fails, and its limits."""
    parts = {
        f"Model card: {escaped(name)}": _what(record, name),
        "Data and folds": _data(record),
        "How good": _values(record, name),
        "Can its probabilities be believed": _calibration(record, name),
        "Where it fails": _failures(record, name),
        "How to use it": _use(),
        "Limits": _limits(record),
    }
    sections = []
    for place, (heading, lines) in enumerate(parts.items()):
        body = "\n".join(lines)
        if body:
            sections.append(f"{'##' if place else '#'} {heading}\n\n{body}")
    return "\n\n".join(sections) + "\n"


def _what(record: RunRecord, name: str) -> Iterator[str]:
    model = record.model(name)
    assert model is not None
    standing = record.board.standing(record.about.primary)
    if name in standing.levels:
        level = standing.levels[name]
        value = signed(level.mean, standing.decimals)
        text = f"{record.about.primary} {value}"
        if level.reason is None:
            low, high = (signed(x, standing.decimals) for x in (level.low, level.high))
            text += f" ({level.confidence:.0%} interval {low} to {high})"
        difference = difference_text(standing, name)
        if difference == "best":
            text += ", the best model of the run"
        elif difference != "-":
            text += f", {difference} compared with {standing.best}"
        yield f"{escaped(text)}.\n"
    if model.trained_on:
        yield f"Trained on {escaped(model.trained_on)}.\n"
    if model.parameters:
        rows = [(escaped(key), escaped(value)) for key, value in model.parameters.items()]
        yield markdown_table(("parameter", "value"), rows, n_text_columns=2)


def _data(record: RunRecord) -> Iterator[str]:
    about = record.about
    yield from (f"{escaped(str(line))}\n" for line in context(record))
    seed = "" if about.seed is None else f" Seed {about.seed}."
    yield escaped(f"Source: {about.source}. Digest of the data: {about.digest}.{seed}")


def _values(record: RunRecord, name: str) -> Iterator[str]:
    row = next((row for row in record.board.ranked() if row.model == name), None)
    if row is None:
        return
    rows, confidence = [], 0.95
    for column in columns_of(record.board):
        standing = record.board.standing(column)
        level = standing.levels.get(name)
        if level is None:
            continue
        interval = "none"
        if level.reason is None:
            low, high = (signed(x, standing.decimals) for x in (level.low, level.high))
            interval, confidence = f"{low} to {high}", level.confidence
        value = signed(level.mean, standing.decimals)
        rows.append((column, best_is(column), value, interval))
    if rows:
        yield "Means over the folds, on rows that the model was not trained on.\n"
        headers = ("loss or metric", "best", "value", f"{confidence:.0%} interval")
        yield markdown_table(headers, rows, n_text_columns=2)


def _calibration(record: RunRecord, name: str) -> Iterator[str]:
    model = record.model(name)
    if model not in record.with_probabilities():
        yield "It predicts no probabilities."
        return
    own = calibration(record, name)
    band = own.panels[0].band
    yield escaped(
        f"{outside_of_band(own, own.panels[0])}; {1.0 - band.confidence:.0%} is usual for a "
        f"calibrated model."
    )


def _failures(record: RunRecord, name: str) -> Iterator[str]:
    found = segments_of(record, name)
    sure = [segment for segment in found or () if is_sure(segment)]
    lines: list[Sentence] = [described("", name, segment) for segment in sure[:_SEGMENTS]]
    lines += [labelled(issue) for issue in _issues_with(record, name)]
    yield from (f"- {escaped(str(line))}" for line in lines)
    if found is None:
        yield "Segments of rows were not computed for this model."
    elif not lines:
        yield "No segment is shown to have a biased mean prediction, and no check found anything."


def _use() -> Iterator[str]:
    yield "If the model is stored, the tag `xentexp.model` of this run has its address:\n"
    yield "```\nxentexp predict ADDRESS rows.csv --out predictions.csv\n```"


def _limits(record: RunRecord) -> Iterator[str]:
    about = record.about
    yield (
        "- The values hold for rows like those of the data above; on other rows, or later, the "
        "model may be worse."
    )
    yield "- The values are of models fitted to the training parts of the folds."
    if about.leak:
        yield f"- {escaped(about.leak)}"
    yield from (f"- {escaped(note)}" for note in about.notes)
    yield from (f"- {escaped(str(finding))}" for finding in about.findings)
