"""Page of one run or of several: contents, then HTML or Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xentexp import __version__
from xentexp._inputs.options import refuse_unordered
from xentexp._safe_text import environment_read_once, printable
from xentexp.errors import InputError
from xentexp.experiments._formatting import (
    DASH,
    Sentence,
    counted,
    escaped,
    markdown_table,
    plain,
    signed,
)
from xentexp.experiments._record import RunRecord, about_data, record_of
from xentexp.experiments._report.calibration import calibration_section
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Columns,
    PageFigure,
    PageSection,
    PageTable,
)
from xentexp.experiments._report.costs import threshold_section
from xentexp.experiments._report.curves import curves_section
from xentexp.experiments._report.details import curves_details
from xentexp.experiments._report.differences import differences_section
from xentexp.experiments._report.gains import gains_section
from xentexp.experiments._report.importance import importance_section
from xentexp.experiments._report.matrix import matrix_section
from xentexp.experiments._report.methods import methods_section, parameters_details
from xentexp.experiments._report.models import context, headline, models_section
from xentexp.experiments._report.murphy import murphy_section
from xentexp.experiments._report.reliability import reliability_section
from xentexp.experiments._report.segments import segments_section
from xentexp.experiments._report.stability import stability_section
from xentexp.experiments._report.tuning import tuning_section
from xentexp.experiments._report.warnings import issues_of, warnings_section
from xentexp.experiments._results import ExperimentResult

MARKDOWN_LINES = 60


@dataclass(frozen=True)
class Chapter:
    """Contents of the page of one run."""

    name: str
    headline: Sentence
    lead: tuple[Sentence, ...]
    context: tuple[Sentence, ...]
    sections: tuple[PageSection, ...]
    foot: str


def chapter(record: RunRecord) -> Chapter:
    """Contents of the page of a run."""
    first, others = headline(record)
    if record.incomplete:
        others = (plain(f"This run is incomplete: {record.incomplete}."), *others)
    sections = [section for section in _sections(record) if section is not None and section.blocks]
    return Chapter(
        f"run-{record.run_id[:8]}", first, others, context(record), tuple(sections), _foot(record)
    )


def _sections(record: RunRecord) -> Iterator[PageSection | None]:
    yield warnings_section(record, issues_of(record))
    yield models_section(record)
    yield _beside("differences", "Who wins, and where", record, differences_section, murphy_section)
    yield reliability_section(record)
    yield calibration_section(record)
    yield gains_section(record)
    yield threshold_section(record)
    yield segments_section(record)
    yield importance_section(record)
    yield stability_section(record)
    yield from matrix_section(record)
    yield tuning_section(record)
    yield curves_section(record)
    yield _details_section(record)
    yield methods_section(record)


def _beside(
    name: str,
    heading: str,
    record: RunRecord,
    *builders: Callable[[RunRecord], PageSection | None],
) -> PageSection:
    """One section of several: their figures beside each other, then the other blocks."""
    blocks = [b for build in builders if (part := build(record)) is not None for b in part.blocks]
    figures = tuple(block for block in blocks if isinstance(block, PageFigure))
    others = [block for block in blocks if not isinstance(block, PageFigure)]
    return PageSection(name, heading, (*([Columns(figures)] if figures else []), *others))


def _details_section(record: RunRecord) -> PageSection:
    curves = curves_details(record)
    blocks = [*([] if curves is None else [curves]), *parameters_details(record)]
    return PageSection("details", "Details", tuple(blocks))


def _foot(record: RunRecord) -> str:
    day = f"{datetime.fromtimestamp(record.started):%Y-%m-%d %H:%M}"
    run = f" Run {record.run_id} in {record.store}." if record.run_id else ""
    return f"xentexp {__version__}, {day}.{run}"


def report_page(result: ExperimentResult, *, mute: Sequence[str] = ()) -> str:
    """Make the page of a result: which model is best, how sure, why, and where it fails.

    The command ``xentexp run`` logs the same page to MLflow as ``report.html``. With
    ``run_experiment(..., explain=Explain())`` it also shows the importance of the features and the
    segments of rows where the models are wrong.

    Parameters
    ----------
    result : ExperimentResult
        Result of `run_experiment`.
    mute : sequence of str, default=()
        Codes of checks that the page does not show, such as ``"X205"``. ``xentexp checks`` lists
        them.

    Returns
    -------
    str
        HTML document without scripts and without other files.

    Raises
    ------
    InputError
        If `result` is not an ExperimentResult, or a code is unknown.

    See Also
    --------
    run_experiment : Makes the result.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, report_page, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> page = report_page(run_experiment(data, {"prior": DummyClassifier()}, cv=3))
    >>> page.startswith("<!doctype html>")
    True
    """
    if not isinstance(result, ExperimentResult):
        raise InputError(
            f"result must be an ExperimentResult; got {type(result).__name__}; pass what "
            f"run_experiment returned"
        )
    refuse_unordered("mute", mute)
    if isinstance(mute, str) or not isinstance(mute, Sequence):
        raise InputError(f"mute must be a list of codes of checks, e.g. ['X205']; got {mute!r}")
    about = about_data(result.dataset, result.folds, result.primary)
    return run_page(record_of(result, replace(about, muted=tuple(mute))))


def run_page(*records: RunRecord) -> str:
    """HTML page of the results of one run or of several, without external files or scripts."""
    chapters = [chapter(record) for record in records]
    title = str(chapters[0].headline)
    if len(chapters) > 1:
        title = f"{counted(len(chapters), 'run')} of xentexp"
    template = _environment().get_template("page.html.j2")
    with environment_read_once():
        return template.render(
            title=title, chapters=chapters, overview=_overview(records), style=Markup(_style())
        )


def _overview(records: Sequence[RunRecord]) -> PageTable:
    """One line for each run: its data, its best model, and how good that is."""
    rows = []
    for record in records:
        standing = record.board.standing(record.board.primary)
        best = standing.best
        level = Cell(DASH)
        if best is not None:
            value = standing.levels[best].mean
            level = Cell(signed(value, standing.decimals), value)
        rows.append(
            (
                Cell(record.run_id[:8]),
                Cell(f"{record.about.title}, {record.about.folds}"),
                Cell(best or DASH, strong=True),
                Cell(record.board.primary),
                level,
            )
        )
    headers = ("run", "data and folds", "best model", "loss or metric", "value")
    caption = plain(
        "Each run is a chapter below. Values of runs on other data or folds are not comparable; "
        "`xentexp compare` compares models of several runs on the same rows."
    )
    return PageTable(headers, tuple(rows), caption, n_text=4)


@cache
def _style() -> str:
    return files("xentexp.experiments._report").joinpath("templates/page.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("xentexp.experiments._report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "breakable": _breakable,
        "kind": lambda block: type(block).__name__,
        "svg": _svg,
    }
    return environment


def _printable(value: object) -> object:
    """Text without secrets and control characters; markup of this module is unchanged."""
    return (
        printable(str(value))
        if isinstance(value, (str, Sentence)) and not isinstance(value, Markup)
        else value
    )


def _svg(drawn: str, prefix: str = "") -> Markup:
    """SVG of matplotlib, which escapes texts, with a prefix of its ids."""
    if prefix:
        drawn = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}", drawn)
    return Markup(drawn)


def _breakable(name: str) -> Markup:
    """Name with optional line breaks after underscores."""
    return Markup("_<wbr>").join(printable(name).split("_"))


def run_markdown(*records: RunRecord) -> str:
    """The page as Markdown of at most 60 lines a run, without figures and details."""
    return "\n".join("\n".join(_markdown(chapter(record))) for record in records)


def _markdown(part: Chapter) -> list[str]:
    lines = [f"# {escaped(str(part.headline))}", ""]
    for text in (*part.lead, *part.context):
        lines += [escaped(str(text)), ""]
    for section in part.sections:
        found = [text for block in section.blocks for text in _lines(block)]
        if found and len(lines) + len(found) + 4 <= MARKDOWN_LINES:
            lines += [f"## {section.heading}", "", *found, ""]
    lines.append(escaped(part.foot))
    return [printable(line) for line in lines]


def _lines(block: Block) -> list[str]:
    """Lines of Markdown of a block; figures are their findings."""
    if isinstance(block, Sentence):
        return [f"- {escaped(str(block))}"]
    if isinstance(block, Bullets):
        return [f"- {escaped(str(line))}" for line in block.sentences]
    if isinstance(block, PageFigure):
        return [f"- {escaped(str(block.finding))}"]
    if isinstance(block, Columns):
        return [line for inner in block.blocks for line in _lines(inner)]
    if isinstance(block, PageTable):
        rows = [[_markdown_cell(cell) for cell in row] for row in block.rows]
        headers = [escaped(header) for header in block.headers]
        return ["", *markdown_table(headers, rows, n_text_columns=block.n_text).split("\n"), ""]
    return []


def _markdown_cell(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"**{text}**" if cell.strong else text
