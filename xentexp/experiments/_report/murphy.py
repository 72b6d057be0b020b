"""Section on where the best model gains: extra cost of the other models at every threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray
from xentexp.displays import MurphyDifferenceDisplay
from xentexp.displays._style import OTHER, laid_out, style
from xentexp.experiments._formatting import Sentence, and_list, counted, plain, sentence, signed
from xentexp.experiments._record import ModelRecord, Pooled, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Details,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    figure_block,
    named_cells,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import rows_of
from xentexp.inference import MurphyDifference, murphy_difference
from xentexp.inference._distributions import critical_value

_MOST_MODELS = 7  # of the figure; the best model is its zero
_MOST_OF_CLASS = 3  # the same with more than two classes
_MOST_CLASSES = 3  # on the page; the others are in details
_PER = 1000.0
_SMALL = 1.0
"""Extra cost per 1,000 rows that is called small."""

_LEAST = 0.05
"""Smallest saving of another model that has a sentence: less is 0.0 when it is rounded."""

_GRID = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Thresholds of the table."""


@dataclass(frozen=True)
class _Gain:
    """Where a model costs more than the best one; costs are per 1,000 rows."""

    most: float
    low: float
    high: float
    at: float  # threshold
    sure: bool  # after the adjustment for the number of thresholds
    half_low: float  # thresholds around it with at least half of the extra cost
    half_high: float
    small_above: float  # the extra or saved cost is small above this threshold
    less: float  # most that the model costs less than the best one, where that is sure; else NaN
    less_at: float


@once
def murphy_section(record: RunRecord) -> PageSection | None:
    """Costs of the other models minus those of the best one; None without models to compare."""
    best, others = _compared(record)
    if best is None or not others:
        return None
    classes = record.about.classes
    if len(classes) == 2:
        shown = others[:_MOST_MODELS]
        blocks = _of_class(record, best, shown, 1)
        if len(others) > len(shown):
            more = counted(len(others) - len(shown), "more model")
            blocks.append(plain(f"{more} not shown."))
        return PageSection("costs", "Where it wins", tuple(blocks))
    shown = others[:_MOST_OF_CLASS]
    by_class = [_of_class(record, best, shown, column) for column in range(len(classes))]
    order = sorted(range(len(classes)), key=lambda i: -_largest(by_class[i]))
    blocks = [plain("The classes with the largest differences come first.")]
    blocks += [block for i in order[:_MOST_CLASSES] for block in by_class[i]]
    if order[_MOST_CLASSES:]:
        rest = tuple(block for i in order[_MOST_CLASSES:] for block in by_class[i])
        blocks.append(Details("Other classes", rest))
    return PageSection("costs", "Where it wins", tuple(blocks))


def _compared(record: RunRecord) -> tuple[ModelRecord | None, list[ModelRecord]]:
    """Best model, and those with predictions of the same rows that are not constant."""
    models = record.with_probabilities()
    known = record.uncertainty
    wanted = None if known is None else known.best.get(known.primary)
    best = next((m for m in models if m.name == wanted), models[0] if models else None)
    if best is None or best.predictions is None:
        return None, []
    constant = record.constant_models()
    others = [
        m
        for m in models
        if m is not best
        and m.predictions is not None
        and m.predictions.same_rows(best.predictions) is None
    ]
    return best, [m for m in others if m.name not in constant] or others


def _of_class(
    record: RunRecord, best: ModelRecord, others: Sequence[ModelRecord], column: int
) -> list[Block]:
    """Figure and sentences on one class against all others."""
    differences = {
        model.name: _difference(record, model.name, best.name, column) for model in others
    }
    gains = {name: _gain(difference) for name, difference in differences.items()}
    classes = record.about.classes
    label = str(classes[column]) if len(classes) > 2 else None
    blocks: list[Block] = [_figure(record, best.name, differences, gains, column, label)]
    lines = []
    start = "" if label is None else "Class {label}: "
    for name, gain in gains.items():
        known: dict[str, object] = {"name": name, "best": best.name, "label": label}
        known["level"] = f"{differences[name].confidence:.0%}"
        if gain.sure:
            template = (
                "{name} costs {most:.1f} more than {best} per 1,000 rows at the threshold {at:.3f} "
                "({level} interval {low:.1f} to {high:.1f})."
            )
            values = {"most": gain.most, "at": gain.at, "low": gain.low, "high": gain.high}
            lines.append(sentence(start + template, **values, **known))
        if gain.less >= _LEAST:
            template = (
                "{name} costs {less:.1f} less than {best} per 1,000 rows at the threshold {at:.3f}."
            )
            lines.append(sentence(start + template, less=gain.less, at=gain.less_at, **known))
    return [*blocks, Bullets(tuple(lines))] if lines else blocks


@once
def _difference(record: RunRecord, name: str, best: str, column: int) -> MurphyDifference:
    model = record.model(name)
    assert model is not None
    assert model.predictions is not None
    rows, reference = rows_of(record, name).pooled, rows_of(record, best).pooled
    repeats = np.concatenate(
        [np.full(len(fold.rows), fold.repeat) for fold in model.predictions.folds]
    )
    return murphy_difference(
        (rows.codes == column).astype(np.intp),
        _scores(rows, column),
        _scores(reference, column),
        labels=[0, 1],
        sample_weight=rows.sample_weight,
        groups=rows.groups,
        folds=rows.folds if len(model.predictions.folds) > 1 else None,
        repeats=repeats,
    )


def _scores(rows: Pooled, column: int) -> FloatArray:
    # Sums of rounded probabilities may exceed 1 by the precision of their type.
    return np.asarray(np.clip(rows.proba[:, column], 0.0, 1.0), dtype=np.float64)


def _gain(difference: MurphyDifference) -> _Gain:
    at, costs = difference.thresholds, difference.difference * _PER
    place = int(costs.argmax())
    # Each threshold is a test (Bonferroni).
    level = 1.0 - (1.0 - difference.confidence) / len(at)
    margin = critical_value(math.inf, level) * difference.standard_error * _PER
    with np.errstate(invalid="ignore"):
        less = np.where(costs + margin < 0.0, -costs, np.nan)
    half = costs >= costs[place] / 2.0
    first = place - int(np.argmin(np.append(half[place::-1], False))) + 1
    last = place + int(np.argmin(np.append(half[place:], False))) - 1
    large = np.flatnonzero(np.abs(costs) >= _SMALL)
    some = not np.isnan(less).all()
    return _Gain(
        most=float(costs[place]),
        low=float(difference.low[place] * _PER),
        high=float(difference.high[place] * _PER),
        at=float(at[place]),
        sure=bool(costs[place] - margin[place] > 0.0),
        half_low=float(at[first]),
        half_high=float(at[last]),
        small_above=float(at[large[-1]]) if len(large) else 0.0,
        less=float(np.nanmax(less)) if some else math.nan,
        less_at=float(at[np.nanargmax(less)]) if some else math.nan,
    )


def _largest(blocks: Sequence[Block]) -> float:
    """Largest extra cost in the table of a figure."""
    figure = next(block for block in blocks if isinstance(block, PageFigure))
    return max(row[1].value for row in figure.data.rows)


def _figure(
    record: RunRecord,
    best: str,
    differences: Mapping[str, MurphyDifference],
    gains: Mapping[str, _Gain],
    column: int,
    label: str | None,
) -> PageFigure:
    height = 200 if len(differences) <= 3 else 250
    figure = _draw(record, best, differences, 340, height)
    first = next(iter(differences.values()))
    unit = "rows" if first.n_groups is None else "entities"
    bands = f"bands: {first.confidence:.0%} intervals at each threshold, {unit} as independent"
    if first.reason is not None:
        bands = f"no intervals: {first.reason}"
    known = colours(record)
    grey = [name for name in differences if known.get(name, OTHER) == OTHER]
    greys = f" Grey: {and_list(grey)}." if grey else ""
    finding = _finding(best, gains)
    against = "" if label is None else f"Decisions between class {label} and the others. "
    if label is not None:
        finding = sentence(f"Class {{label}}: {finding.template}", **finding.values, label=label)
    return figure_block(
        figure,
        finding,
        f"{against}Cost of the decisions minus that of {best}, if a false alarm costs the "
        f"threshold and a miss 1 minus the threshold; {bands}.{greys}",
        _table(record, best, differences, gains),
        name=f"costs {column} {record.run_id}",
    )


def _draw(
    record: RunRecord,
    best: str,
    differences: Mapping[str, MurphyDifference],
    width: int,
    height: int,
) -> Figure:
    with style("costs"):
        figure, axes = laid_out(width, height)
        display = MurphyDifferenceDisplay(differences, reference=best)
        display.plot(axes, colours=colours(record))
    return figure


def murphy_figure(record: RunRecord, side: int) -> Figure | None:
    """The first figure of the section as a square; None without models to compare."""
    best, others = _compared(record)
    if best is None or not others:
        return None
    two = len(record.about.classes) == 2
    names = [model.name for model in others[: _MOST_MODELS if two else _MOST_OF_CLASS]]
    by_class = [
        {name: _difference(record, name, best.name, column) for name in names}
        for column in ([1] if two else range(len(record.about.classes)))
    ]
    shown = max(by_class, key=lambda found: max(_gain(d).most for d in found.values()))
    return _draw(record, best.name, shown, side, side)


def _finding(best: str, gains: Mapping[str, _Gain]) -> Sentence:
    """Where the best model gains, as far as the gain is sure for all models."""
    if not all(gain.sure for gain in gains.values()):
        unsure = [name for name, gain in gains.items() if not gain.sure]
        if len(unsure) == len(gains):
            return sentence(
                "No threshold shows that {best} costs less than {names}",
                best=best,
                names=and_list(unsure, most=4),
            )
        return sentence(
            "{best} costs less than {names}; no threshold shows this for {unsure}",
            best=best,
            names=and_list([name for name in gains if name not in unsure], most=4),
            unsure=and_list(unsure, most=4),
        )
    name, gain = max(gains.items(), key=lambda item: item[1].most)
    small = max(gain.small_above for gain in gains.values())
    template = (
        "{best} saves most at thresholds of {low:.3f} to {high:.3f}: up to {most:.1f} per 1,000 "
        "rows compared with {name}"
    )
    if small < 1.0 - 1.0 / 20.0:
        template += "; above {small:.3f} it saves less than 1"
    return sentence(
        template,
        best=best,
        name=name,
        low=gain.half_low,
        high=gain.half_high,
        most=gain.most,
        small=small,
    )


def _table(
    record: RunRecord,
    best: str,
    differences: Mapping[str, MurphyDifference],
    gains: Mapping[str, _Gain],
) -> PageTable:
    """Largest extra cost of each model, and its extra costs at a few thresholds."""
    names = named_cells(record, list(differences))
    rows = []
    for name, difference in differences.items():
        gain = gains[name]
        at = [_number(v, 1) for v in (gain.most, gain.low, gain.high)]
        places = [_number(v, 3) for v in (gain.at, gain.half_low, gain.half_high, gain.small_above)]
        less = [_number(gain.less, 1), _number(gain.less_at, 3)]
        costs = np.interp(_GRID, difference.thresholds, difference.difference * _PER)
        rows.append((names[name], *at, *places, *less, *(_number(v, 1) for v in costs)))
    headers = (
        "model",
        "largest extra cost per 1,000 rows",
        "low",
        "high",
        "at threshold",
        "half of it from",
        "to",
        "less than 1 above",
        "largest saving",
        "at threshold",
        *(f"extra cost at {t:g}" for t in _GRID),
    )
    method = plain(f"Intervals: {next(iter(differences.values())).method}.")
    return PageTable(headers, tuple(rows), method)


def _number(value: float, decimals: int) -> Cell:
    text = "none" if math.isnan(value) else signed(float(value), decimals)
    return Cell(text, float(value))
