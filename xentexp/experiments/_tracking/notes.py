"""Notes of runs, which the dashboard shows as Markdown: their first three lines are the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xentexp.experiments._board_tables import (
    MOST_COLUMNS,
    columns_of,
    difference_text,
    losses_table,
    models_table,
    n_fixed,
    sentences,
)
from xentexp.experiments._formatting import (
    LONGEST_TAG,
    and_list,
    counted,
    escaped,
    signed,
)
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._sentences import Standing, compact_answer, short_answer, short_verdict
from xentexp.experiments._tracking.names import TRAINING

if TYPE_CHECKING:
    from xentexp.experiments._record import RunRecord
    from xentexp.experiments._run_checks import Issue

MOST_ROWS = 12
"""Models in the table of a note."""

LONGEST_LINE = 300
"""Characters of each of the first lines, of which the dashboard shows about three."""

_MOST_DIFFERENCES = 2  # so that the dashboard shows the line after them
_BELOW_CONSTANT, _ORDER_IS_OPEN = "X203", "X302"  # codes of checks
_CUT = "(cut here: leaderboard.md among the artifacts has the rest)"

ARTIFACTS: Mapping[str, str] = {
    "report.html": "why this model, where it fails, what it costs: the whole report on one page",
    "1_leaderboard.json": "all losses and metrics of all models, as a table",
    "leaderboard.json": "all losses and metrics of all models, as a table",
    "2_differences.svg": "each model minus the best, with intervals",
    "3_murphy.svg": "at which thresholds the models differ",
    "4_reliability.svg": "predicted probabilities against rates",
    "1_reliability.svg": "predicted probabilities against rates",
    "2_cost.svg": "cost by threshold",
    "3_loss.svg": "losses of the rows",
    "4_roc_pr.svg": "ROC and precision-recall curves",
    "5_segments.svg": "groups of rows where the probabilities are wrong",
    "6_importance.svg": "features that the model uses",
    "card.md": "model card",
    "checks.md": "all checks",
    "predictions": "predictions of each row by models that were not trained on it",
    "config": "the configuration that was run",
}
"""What the artifacts of runs are, in the order of notes."""


def parent_note(
    record: RunRecord,
    issues: Sequence[Issue],
    more: Sequence[str] = (),
    *,
    with_board: bool = True,
    artifacts: Sequence[str] = (),
    page: str = "",
    stored: bool = False,
) -> str:
    """Note of a run: the answer, the differences, the worst finding, then table and artifacts."""
    # `more` is Markdown for the end; `artifacts` are names of files and folders; `page` is the
    # address of the artifacts in the dashboard; `stored` says whether the best model is stored.
    board = record.board
    lines, others = answer_lines(record, issues)
    end = f"Data: {escaped(record.about.title)}"
    known = _artifacts(artifacts, page)
    if not with_board:  # a section is the answer, such as a table of training losses
        return _joined([*more, escaped(lines[-1]), known, end])
    if board.best() is None:
        return _joined([_top(lines), _failures(board), known, *more, end])
    parts = [_top(lines), escaped(others), _main_table(board), known, _use(record.run_id, stored)]
    rest = losses_table(board, _columns(board))
    parts.append(rest.to_markdown() if rest.rows else "")
    parts.append("\n".join(f"- {escaped(note)}" for note in sentences(board)[1:]))
    return _joined([*parts, _failures(board), *more, end])


def _artifacts(names: Sequence[str], page: str) -> str:
    """What the artifacts of a run are, as a list."""
    listed = [
        f"- {_link(name, page)}: {about}" for name, about in ARTIFACTS.items() if name in names
    ]
    return "\n".join(["Artifacts:", "", *listed]) if listed else ""


def answer_lines(record: RunRecord, issues: Sequence[Issue]) -> tuple[list[str], str]:
    """Headline, differences and worst finding of a run, and the other sentences of the answer."""
    found = _finding(record, issues)
    known = record.uncertainty
    if record.board.best() is None:
        reasons = [f"{row.model}: {row.reason}" for row in record.board.rows if row.reason]
        return ["All models failed.", *(f"The first error: {line}" for line in reasons[:1])], ""
    if known is None or not known.models:
        return [*sentences(record.board)[:1], found], ""
    standing = known.standing(known.primary)
    first, *others = short_answer(standing, known.equivalence)
    first = f"{first} {short_verdict(standing, known.equivalence)}".rstrip()
    second = next(standing.below_constant(), None) or _differences(standing)
    more = list(others)
    if not second:  # a single model, which is compared with a constant one
        about = [line for line in others if not line.startswith("The interval is for")]
        second = about[0] if about else ""
        more = [line for line in others if line != second]
    return [line for line in (first, second, found) if line], " ".join(more)


def child_note(
    record: RunRecord,
    model: str,
    issues: Sequence[Issue],
    *,
    artifacts: Sequence[str] = (),
    page: str = "",
    uri: str | None = None,
    caution: str = "",
    run_id: str = "",
) -> str:
    """Note of a model: value and rank, difference to the best, worst finding, how to use it."""
    # `uri` is the address of the stored model, if it is stored, and `caution` says whom to trust.
    row = next(row for row in record.board.rows if row.model == model)
    if row.reason is not None:
        return _joined([f"Failed: {escaped(row.reason)}"])
    own = [issue for issue in issues if model in issue.models]
    new = _new_findings(record, own)
    finding = _with_count(_sentence_of(new[0]), len(own) - 1) if new else ""
    if not own:
        finding = "No check found anything in this model."
    parts = [_top([*_standing_lines(record, model), finding])]
    if uri is not None:
        parts.append(
            f"Predict: `xentexp predict {run_id[:8]} FILE --out FILE`\n\n"
            f'From Python: `mlflow.pyfunc.load_model("{uri}").predict(rows)`'
        )
        parts.append(escaped(caution))
    parts.append(_artifacts(artifacts, page))
    parts.append(f"Data: {escaped(record.about.title)}; {escaped(record.about.folds)}")
    return _joined(parts)


def latest_answer(record: RunRecord, experiment_id: str) -> str:
    """First line of the note of an experiment: the answer of its latest run, and a link to it."""
    lines, _ = answer_lines(record, ())
    known = record.uncertainty
    if known is not None and known.models and record.board.best() is not None:
        lines = [compact_answer(known.standing(known.primary), known.equivalence)]
    page = f"#/experiments/{experiment_id}/runs/{record.run_id}?{TRAINING}"
    return f"{escaped(_shortened(lines[0]))} [Latest run]({page})"


def artifacts_page(experiment_id: str, run_id: str) -> str:
    """Address of the artifacts of a run in the dashboard, relative to its own."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts"


def board_note(
    board: Leaderboard, title: str, more: Sequence[str] = (), *, with_board: bool = True
) -> str:
    """Note of a run that has not finished yet: the leaderboard, then `more`, then the data."""
    first = [board.to_markdown()] if with_board else []
    return "\n\n".join([*first, *more, f"Data: {escaped(title)}"]) + "\n"


def cut(note: str, most: int = LONGEST_TAG) -> str:
    """Note as a tag can hold it: the whole, or its beginning, cut at the end of a line."""
    if len(note) <= most:
        return note
    kept = note[: most - len(_CUT) - 3]
    return f"{kept[: kept.rfind(chr(10))].rstrip()}\n\n{_CUT}\n"


def _joined(parts: Sequence[str]) -> str:
    return cut("\n\n".join(part for part in parts if part) + "\n")


def _top(lines: Sequence[str]) -> str:
    """First lines of a note, which Markdown would join without the spaces at their ends."""
    return "  \n".join(escaped(_shortened(line)) for line in lines if line)


def _shortened(line: str, most: int = LONGEST_LINE) -> str:
    return line if len(line) <= most else f"{line[: most - 3].rstrip()}..."


def _differences(standing: Standing) -> str:
    """Differences of the closest models to the best one, with intervals."""
    rivals = standing.rivals()
    shown = [f"{model} {difference_text(standing, model)}" for model in rivals[:_MOST_DIFFERENCES]]
    if not shown:
        return ""
    if left := len(rivals) - len(shown):
        shown.append(f"{left} more")
    return f"Minus the best: {', '.join(shown)}."


def _finding(record: RunRecord, issues: Sequence[Issue]) -> str:
    """The worst finding about the best model or problem of the whole run, else another one."""
    from xentexp.experiments._run_checks import shown_checks

    best = record.board.best()
    name = "" if best is None else best.model
    own = [i for i in issues if name in i.models or (i.serious and not i.models)]
    if new := _new_findings(record, own, _BELOW_CONSTANT):
        return _with_count(_sentence_of(new[0]), len(issues) - 1)
    others = sorted((issue for issue in issues if issue not in own), key=lambda i: not i.serious)
    if not others:
        if own:
            return "The checks found nothing else."
        return f"{counted(len(shown_checks(record, record.about.muted)), 'check')} passed."
    start = f"The checks found nothing {'else ' if own else ''}about {name}."
    return _with_count(f"{start} {_sentence_of(others[0])}", len(issues) - 1)


def _new_findings(record: RunRecord, issues: Sequence[Issue], *said: str) -> list[Issue]:
    """Findings apart from those that the lines before say, the serious ones first."""
    if record.board.standing(record.board.primary).tied:
        said = (*said, _ORDER_IS_OPEN)
    new = [issue for issue in issues if issue.code not in said]
    return sorted(new, key=lambda issue: not issue.serious)


def _with_count(line: str, n: int) -> str:
    """Line with the number of further findings, both within the length of a line."""
    more = f" ({counted(n, 'more finding')})" if n else ""
    return f"{_shortened(line, LONGEST_LINE - len(more))}{more}"


def _sentence_of(issue: Issue) -> str:
    return f"{'Problem' if issue.serious else 'Note'} {issue.code}: {issue.sentence}"


def _standing_lines(record: RunRecord, model: str) -> list[str]:
    """Value of a model with its interval and rank, and its difference to the best."""
    board = record.board
    standing = board.standing(board.primary)
    if model not in standing.levels:
        return _without_primary(board, model)
    first = _value_line(standing, model)
    known = record.uncertainty
    verdict = short_verdict(standing, None if known is None else known.equivalence)
    if standing.best is None:
        return [first]
    if model != standing.best:
        same = ", not told apart from it" if model in standing.tied else ""
        second = f"Minus the best, {standing.best}: {difference_text(standing, model)}{same}."
        return [first, f"{second} {verdict}".rstrip() if model == standing.rival() else second]
    if standing.tied:
        return [first, f"The best, but not told apart from {and_list(standing.tied, most=4)}."]
    rival = standing.rival()
    if rival is None:
        constant = next(iter(standing.constant_rivals()), None)
        if constant is None:
            return [first, "The only model with a value of it."]
        text = difference_text(standing, constant)
        return [first, f"The only model that is not constant; {constant} minus it: {text}."]
    second = f"The best; {rival} minus it: {difference_text(standing, rival)}."
    return [first, f"{second} {verdict}".rstrip()]


def _value_line(standing: Standing, model: str) -> str:
    """Value of a model with its interval and rank."""
    level = standing.levels[model]
    value = f"{standing.name} {signed(level.mean, standing.decimals)}"
    if level.reason is None:
        low, high = (signed(limit, standing.decimals) for limit in (level.low, level.high))
        value += f" ({level.confidence:.0%} interval {low} to {high})"
    if model in standing.constant:
        return f"{value}; constant, for comparison."
    order = [name for name in standing.levels if name not in standing.constant]
    return f"{value}, number {order.index(model) + 1} of {counted(len(order), 'model')}."


def _without_primary(board: Leaderboard, model: str) -> list[str]:
    """Why a model has no value of the primary loss, and its value of the first loss that it has."""
    known = () if board.uncertainty is None else board.uncertainty.models
    reasons = [own.undefined.get(board.primary) for own in known if own.model == model]
    why = next((f": {reason}" for reason in reasons if reason), "")
    lines = [f"No {board.primary}{why}."]
    standings = (board.standing(name) for name in columns_of(board))
    other = next((standing for standing in standings if model in standing.levels), None)
    return [*lines, _value_line(other, model)] if other is not None else lines


def _columns(board: Leaderboard) -> list[str]:
    # One less than on the terminal, so that an interval fits into two lines.
    return columns_of(board)[: MOST_COLUMNS - 1 - n_fixed(board)]


def _main_table(board: Leaderboard) -> str:
    table = models_table(board, _columns(board))
    lines = table.to_markdown().split("\n")
    left = len(lines) - 2 - MOST_ROWS
    if left <= 0:
        return "\n".join(lines)
    return "\n".join([*lines[: MOST_ROWS + 2], "", f"and {counted(left, 'more model')}."])


def _failures(board: Leaderboard) -> str:
    return "\n\n".join(
        f"Failed: **{escaped(row.model)}**: {escaped(row.reason)}"
        for row in board.ranked()
        if row.reason is not None
    )


def _use(run_id: str, stored: bool) -> str:
    uses = [
        f"`xentexp report {run_id[:8]}` writes the report again",
        f"`xentexp compare {run_id[:8]}` compares the models",
    ]
    if stored:
        predict = f"`xentexp predict {run_id[:8]} FILE --out FILE`"
        uses.insert(0, f"{predict} predicts new rows with the best model")
    return f"On the command line: {', '.join(uses)}."


def _link(name: str, page: str) -> str:
    return f"[{name}]({page}/{name}?{TRAINING})" if page else f"`{name}`"
