"""Section on where the models fail: segments with a bias, and the rows with the largest losses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from xentexp.displays import SegmentDisplay
from xentexp.displays._segment import importance
from xentexp.displays._style import laid_out, shortened, style
from xentexp.experiments._formatting import (
    MINUS,
    Sentence,
    counted,
    decimals_for,
    plain,
    sentence,
    signed,
)
from xentexp.experiments._record import ModelRecord, RunRecord, pooled
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Details,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    count_cell,
    figure_block,
    named_cells,
    number_cell,
    reference_models,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import loss_of_probabilities
from xentexp.inference import Segment
from xentexp.inference._segments import segments_from_sums

_MOST_SEGMENTS = 12
_MOST_ROWS = 10
_LETTERS = 14  # of a label in a square figure
_LEAST_ROWS = 50
"""Segments with fewer rows are part of "other"."""


def segments_section(record: RunRecord) -> PageSection | None:
    """Segments and rows with the largest errors; None without probabilities."""
    models = record.with_probabilities()
    if not models:
        return None
    found = _found(record)
    blocks: list[Block]
    if found is None:
        blocks = [plain("Segments were not computed in this run.")]
    elif not found:
        blocks = [plain(f"No column has segments of at least {_LEAST_ROWS} rows.")]
    else:
        blocks = _segments(record, found)
    best = next((m for m in models if m.name in reference_models(record)), models[0])
    blocks += _worst_rows(record, best)
    return PageSection("segments", "Where it fails", tuple(blocks))


# -- segments ----------------------------------------------------------------------------------


def _found(record: RunRecord) -> list[tuple[str, Segment]] | None:
    """Segments of the models with a colour, the most important first; None if there are none."""
    found = {name: segments_of(record, name) for name in reference_models(record)}
    known = {name: segments for name, segments in found.items() if segments is not None}
    if not known:
        return None
    pairs = [(name, segment) for name, segments in known.items() for segment in segments]
    return sorted(pairs, key=lambda pair: -importance(pair[1]))


@once
def segments_of(record: RunRecord, name: str) -> tuple[Segment, ...] | None:
    """Segments of a model, the most important first; None if they were not computed."""
    model = record.model(name)
    if model is None or model.segments is None:
        return None
    found = segments_from_sums(model.segments, record.about.classes, min_rows=_LEAST_ROWS)
    return tuple(sorted(_parts(found), key=lambda segment: -importance(segment)))


def _parts(segments: Sequence[Segment]) -> list[Segment]:
    """Segments of the columns that have more than one: the only one would be all rows."""
    labels: dict[str, set[str]] = {}
    for segment in segments:
        labels.setdefault(segment.column, set()).add(segment.label)
    return [segment for segment in segments if len(labels[segment.column]) > 1]


def _segments(record: RunRecord, found: Sequence[tuple[str, Segment]]) -> list[Block]:
    shown = found[:_MOST_SEGMENTS]
    sure = [pair for pair in found if is_sure(pair[1])]
    several = len(record.about.classes) > 2
    blocks: list[Block] = []
    if sure:
        blocks.append(described("", *sure[0]))
        own = [pair for pair in sure if pair[0] == sure[0][0]]
        if (largest := max(own, key=lambda pair: _ratio(pair[1]))) != sure[0]:
            blocks.append(described("In proportion, its largest error: ", *largest))
            shown = [*shown, largest] if largest not in shown else shown
    blocks.append(_figure(record, shown, sure, several))
    return [*blocks, *_by_model(record, found, several)]


def _by_model(
    record: RunRecord, found: Sequence[tuple[str, Segment]], several: bool
) -> list[Block]:
    """Number of segments of each model with a bias, and the most important one."""
    names = named_cells(record, reference_models(record))
    rows, counts = [], []
    values: dict[str, object] = {}
    for i, name in enumerate(name for name in names if any(n == name for n, _ in found)):
        own = [segment for model, segment in found if model == name]
        n_sure = sum(map(is_sure, own))
        worst = [_segment_cell(own[0], several), *_rates(own[0])]
        rows.append((names[name], *worst, count_cell(n_sure), count_cell(len(own))))
        counts.append(f"{{biased{i}:,}} of {{all{i}:,}} of {{name{i}}}")
        values |= {f"name{i}": name, f"biased{i}": n_sure, f"all{i}": len(own)}
    text = sentence(
        f"Segments whose mean prediction is shown to be too high or too low: {', '.join(counts)}.",
        **values,
    )
    headers = ("model", "most important", "predicted", "observed", "rows", "biased", "segments")
    explained = plain(
        "Most important: the segment where a shift of the predictions to the observed rate would "
        "save most of the Brier loss. Biased: number of segments whose interval, simultaneous for "
        "all segments of the model, does not contain 0; related columns count the same rows again."
    )
    table = PageTable(headers, tuple(rows), n_text=2)
    return [text, Details("Segments of each model", (table, explained))]


def _segment_cell(segment: Segment, several: bool) -> Cell:
    return Cell(f"{segment.name}, class {segment.class_label}" if several else segment.name)


def _rates(segment: Segment) -> list[Cell]:
    rates = [Cell(f"{rate:.1%}", rate) for rate in (segment.predicted, segment.observed)]
    return [*rates, count_cell(segment.n_rows)]


def is_sure(segment: Segment) -> bool:
    """Whether the interval of the bias does not contain 0."""
    return segment.low > 0.0 or segment.high < 0.0


def _condition(segment: Segment) -> str:
    """The segment after "where"."""
    joint = "=" if segment.kind == "value" else "is"
    return f"{segment.column} {joint} {segment.label}"


def _ratio(segment: Segment) -> float:
    """The larger of the mean prediction and the observed rate, divided by the smaller."""
    low, high = sorted((segment.predicted, segment.observed))
    return high / low if low > 0.0 else math.inf


def described(start: str, model: str, segment: Segment) -> Sentence:
    """Predicted and observed rate of a segment, after the words of `start`."""
    return sentence(
        start
        + "{model} predicts {predicted:.1%} for class {label} where {segment}; {observed:.1%} "
        "are observed ({n:,} rows).",
        model=model,
        segment=_condition(segment),
        label=str(segment.class_label),
        predicted=segment.predicted,
        observed=segment.observed,
        n=segment.n_rows,
    )


def _figure(
    record: RunRecord,
    shown: Sequence[tuple[str, Segment]],
    sure: Sequence[tuple[str, Segment]],
    several: bool,
) -> PageFigure:
    return figure_block(
        segments_figure(shown, colours(record)),
        segments_finding(sure, several),
        segments_drawn(record, [name for name, _ in shown]),
        segments_table(record, shown, several),
        name=f"segments {record.run_id}",
    )


def _display(shown: Sequence[tuple[str, Segment]]) -> SegmentDisplay:
    return SegmentDisplay([segment for _, segment in shown], models=[name for name, _ in shown])


def segments_figure(
    shown: Sequence[tuple[str, Segment]], known: Mapping[str, str], side: int | None = None
) -> Figure:
    """Segments with their models; as a square of `side` pixels, with shorter labels."""
    display = _display(shown)
    labels = display.labels()
    width = side or min(356 + 7 * max(0, max(map(len, labels)) - 17), 480)
    with style("segments"):
        figure, axes = laid_out(width, side or 88 + 20 * len(shown))
        display.plot(axes, colours=known)
        if side is not None:
            axes.set_yticks(range(len(labels)), [shortened(label, _LETTERS) for label in labels])
    return figure


def segments_drawn(record: RunRecord, models: Sequence[str]) -> str:
    """What the figure of the segments of some models shows."""
    several = len(record.about.classes) > 2
    names = set(models)
    whose = f"Segments of {next(iter(names))}. " if len(names) == 1 else ""
    of_class = " In brackets: the class." if several else ""
    event = "the class" if several else f"class {record.about.classes[1]}"
    return (
        f"{whose}Dot: mean predicted minus observed rate of {event}, its area the number of rows; "
        f"line: 95% interval, simultaneous.{of_class} Segments of fewer than {_LEAST_ROWS} rows "
        f"are joined as “other”."
    )


def segments_finding(sure: Sequence[tuple[str, Segment]], several: bool) -> Sentence:
    """The most important segment with a bias."""
    if not sure:
        return sentence("No segment is shown to have a biased mean prediction")
    name, first = sure[0]
    of_class = " for class {label}" if several else ""
    return sentence(
        "{name} predicts too {word}" + of_class + " where {segment}: {bias:+.1f} percentage points",
        name=name,
        word="much" if first.bias > 0.0 else "little",
        label=str(first.class_label),
        segment=_condition(first),
        bias=100.0 * first.bias,
    )


def segments_table(
    record: RunRecord, shown: Sequence[tuple[str, Segment]], several: bool
) -> PageTable:
    """Predicted and observed rates of segments."""
    names = named_cells(record, [name for name, _ in shown])
    headers = ["model", "segment", "predicted", "observed", "rows", "events"]
    headers += [f"predicted {MINUS} observed", "low", "high"]
    rows = []
    for name, segment in shown:
        limits = [_points(value) for value in (segment.bias, segment.low, segment.high)]
        cells = [names[name], _segment_cell(segment, several), *_rates(segment)]
        rows.append((*cells, count_cell(segment.events), *limits))
    return PageTable(tuple(headers), tuple(rows), n_text=2)


def _points(value: float) -> Cell:
    """Percentage points."""
    if math.isnan(value):
        return Cell("no interval", value)
    return Cell(signed(100.0 * value, 1, sign="+"), 100.0 * value)


# -- rows --------------------------------------------------------------------------------------


def _worst_rows(record: RunRecord, model: ModelRecord) -> list[Block]:
    """The rows of one model with the largest losses, and their share of the total."""
    found = worst_rows(record, model, _MOST_ROWS)
    text: Sentence
    n, share = found.n, found.share
    if math.isfinite(share):
        text = sentence(
            "The {n} rows with the largest {loss} have {share:.2%} of the total of {model}.",
            n=n,
            loss=found.loss,
            share=share,
            model=model.name,
        )
    else:
        text = sentence(
            "The total {loss} of {model} is {total:.4f}: shares of it are not defined.",
            loss=found.loss,
            model=model.name,
            total=found.total,
        )
    table = found.table
    together = Cell("undefined" if math.isnan(share) else f"{share:.2%}", share)
    last = (Cell(counted(n, "row"), n), Cell(""), Cell(""), Cell(""), together)
    table = dataclasses.replace(table, rows=(*table.rows, last))
    return [text, Details("Rows with the largest losses", (table,))]


@dataclass(frozen=True)
class WorstRows:
    """Rows with the largest losses."""

    table: PageTable  # a line for each: row numbers, without features
    loss: str
    n: int
    share: float  # of the total that they have together
    total: float


def worst_rows(record: RunRecord, model: ModelRecord, most: int) -> WorstRows:
    """The rows of one model with the largest losses."""
    assert model.predictions is not None
    folds = tuple(fold for fold in model.predictions.folds if fold.repeat == 0)
    predictions = dataclasses.replace(model.predictions, folds=folds)
    rows, loss = pooled(predictions), loss_of_probabilities(record)
    losses = np.concatenate(predictions.row_losses(loss))
    weight = np.ones(len(losses)) if rows.sample_weight is None else rows.sample_weight
    weighted = np.where(weight > 0.0, losses * weight, 0.0)
    total = float(weighted.sum())
    order = np.argsort(-weighted, kind="stable")[:most]
    classes = record.about.classes
    several = len(classes) > 2
    p = rows.proba[np.arange(len(losses)), rows.codes] if several else rows.proba[:, 1]
    header = "p of its class" if several else f"p of class {classes[1]}"
    headers = ("row", header, "class", loss.name, "share of total")
    decimals = decimals_for(losses[order].tolist())
    lines = [
        (
            Cell(f"{rows.rows[i]:,}", float(rows.rows[i])),
            Cell(_probability(float(p[i])), float(p[i])),
            Cell(str(classes[rows.codes[i]])),
            number_cell(float(losses[i]), decimals),
            _share(float(weighted[i]), total),
        )
        for i in order
    ]
    together = _share(float(weighted[order].sum()), total)
    more = " First repeat." if len(folds) < len(model.predictions.folds) else ""
    caption = plain(f"Rows of the data set, counted from 0.{more}")
    table = PageTable(headers, tuple(lines), caption)
    return WorstRows(table, loss.name, len(order), together.value, total)


def _probability(p: float) -> str:
    """Four decimals, that are 0 or 1 only if the probability is."""
    if 0.0 < p < 0.00005:
        return "< 0.0001"
    return "> 0.9999" if 0.99995 <= p < 1.0 else f"{p:.4f}"


def _share(part: float, total: float) -> Cell:
    share = part / total if total > 0.0 and math.isfinite(total) else math.nan
    return Cell("undefined" if math.isnan(share) else f"{share:.2%}", share)
