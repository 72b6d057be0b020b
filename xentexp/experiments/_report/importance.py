"""Importance of the features: the increase of the loss when their values are permuted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xentexp.displays._style import (
    AXIS,
    INK,
    SMALL,
    SOFT,
    TEXT,
    in_words,
    new_figure,
    shortened,
    style,
)
from xentexp.experiments._explain import feature_groups
from xentexp.experiments._formatting import DASH, Sentence, counted, plain, sentence, signed
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Details,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    figure_block,
    shown_models,
)
from xentexp.experiments._report.once import once
from xentexp.inference import mean_interval, paired_difference

SHOWN, _LISTED = 15, 50  # features of the figure and of its table
_DIGITS = 4
_ROW, _WIDTH, _WIDEST = 20, 340, 176  # pixels: of a row, of the figure, and of the longest name


@dataclass(frozen=True)
class Importance:
    """Mean increase of the loss when a feature, or correlated features, are permuted."""

    features: tuple[str, ...]
    column: str  # of the stored table
    increase: float
    low: float  # limits of the 95% interval over rows; NaN without one
    high: float


def importance_section(record: RunRecord) -> PageSection:
    """What the best model uses, and the other models beside it."""
    known = [m for m in record.models if m.importance is not None and m.error is None]
    heading = "Importance of the features"
    if not known:
        text = plain("The importance of the features was not computed in this run.")
        return PageSection("importance", heading, (text,))
    found = {model.name: importances_of(record, model.name) for model in shown_models(known)}
    using = [name for name, items in found.items() if any(item.increase for item in items)]
    if not using:
        text = plain("The predictions of the models do not change when features are permuted.")
        return PageSection("importance", heading, (text,))
    best = next(model for model in known if model.name == using[0])
    blocks: list[Block] = [_figure(record, best, found[best.name])]
    blocks.extend(_remarks(found[best.name]))
    if len(using) > 1:
        table = _models_table({name: found[name] for name in using}, loss_name(best))
        blocks.append(Details("Importance for each model", (table,)))
    return PageSection("importance", heading, tuple(blocks))


@once
def importances_of(record: RunRecord, name: str) -> list[Importance]:
    """Importances of a model that has stored ones, largest increase first."""
    model = record.model(name)
    return importances(None if model is None else model.importance)


def importances(table: pd.DataFrame | None) -> list[Importance]:
    """Means and intervals over rows of a stored table, largest increase first."""
    assert table is not None
    options = _rows(table)
    found = []
    for column, features in feature_groups(table).items():
        values = table[column].to_numpy(np.float64)
        if np.isfinite(values).all():
            interval = mean_interval(values, **options)
            mean, low, high = interval.mean, interval.low, interval.high
        else:
            mean, low, high = float(np.mean(values)), math.nan, math.nan
        found.append(Importance(features, column, mean, low, high))
    return sorted(found, key=lambda i: math.inf if math.isnan(i.increase) else -i.increase)


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    """Repeats, entities and weights of the rows, where they exist."""
    names = {"groups": "group", "sample_weight": "sample_weight"}
    if len(table["repeat"].unique()) > 1:
        names["repeats"] = "repeat"
    return {key: table[name].to_numpy() for key, name in names.items() if name in table}


def loss_name(model: ModelRecord) -> str:
    """Loss whose increase is the importance."""
    assert model.importance is not None
    return str(model.importance["loss_name"].iloc[0])


def _label(features: Sequence[str]) -> str:
    more = len(features) - 1
    return features[0] + (f" and {more} more" if more else "")


def _short(features: Sequence[str], letters: int) -> str:
    """Label of the figure with at most so many letters; the table has the whole name."""
    rest = _label(features)[len(features[0]) :]
    return shortened(features[0], max(letters - len(rest), 6)) + rest


def importance_finding(model: ModelRecord, items: Sequence[Importance]) -> Sentence:
    """Which features raise the loss most, as far as the intervals bear it out."""
    assert model.importance is not None
    first, word = items[0], loss_name(model)
    known: dict[str, object] = {"model": model.name, "loss": word}
    if not math.isfinite(first.increase):
        return sentence("Increase of the {loss} of {model} when features are permuted", **known)
    if not first.low > 0.0:
        return sentence(
            "No feature raises the {loss} of {model} by more than chance explains when it is "
            "permuted",
            **known,
        )
    known |= {"first": _label(first.features), "increase": first.increase}
    second = next((item for item in items[1:] if math.isfinite(item.increase)), None)
    if second is not None and not _larger(model.importance, first, second):
        return sentence(
            "The {loss} of {model} rises most when {first} ({increase:.4f}) or {second} "
            "({next_increase:.4f}) is permuted; the two cannot be told apart",
            **known,
            second=_label(second.features),
            next_increase=second.increase,
        )
    if second is None:
        return sentence(
            "The {loss} of {model} rises by {increase:.4f} when {first} is permuted", **known
        )
    return sentence(
        "{model} depends most on {first}: its {loss} rises by {increase:.4f} when {first} is "
        "permuted, by at most {next_increase:.4f} for other features",
        **known,
        next_increase=second.increase,
    )


def _larger(table: pd.DataFrame, first: Importance, second: Importance) -> bool:
    """Whether the first increase is larger for sure, by the rows that both have."""
    difference = paired_difference(
        table[first.column].to_numpy(np.float64),
        table[second.column].to_numpy(np.float64),
        **_rows(table),
    )
    return difference.low > 0.0


def _remarks(items: Sequence[Importance]) -> list[Block]:
    blocks: list[Block] = []
    groups = [item.features for item in items if len(item.features) > 1]
    if groups:
        listed = "; ".join(", ".join(names) for names in groups)
        blocks.append(
            sentence(
                "Permuted together, because their rank correlation is above 0.9 or below −0.9: "  # noqa: RUF001
                "{features}.",
                features=listed,
            )
        )
    blocks.append(
        plain(
            "A small increase does not mean that a feature carries no information: other features "
            "may carry the same."
        )
    )
    return blocks


def _figure(record: RunRecord, model: ModelRecord, items: Sequence[Importance]) -> PageFigure:
    shown = items[:SHOWN]
    figure = draw(shown, colours(record)[model.name], f"increase of {loss_name(model)}")
    return figure_block(
        figure,
        importance_finding(model, items),
        importance_drawn(model, len(items)),
        _table(items[:_LISTED]),
        name="importance",
    )


def importance_drawn(model: ModelRecord, n_features: int) -> str:
    """What the figure shows: the largest increases."""
    assert model.importance is not None
    word, more = loss_name(model), n_features > SHOWN
    n_rows = model.importance["row"].nunique()
    drawn = (
        f"Increase of the {word} when the values of a feature are permuted among "
        f"{counted(n_rows, 'row')} that the model was not trained on: mean of 3 permutations with "
        f"95% interval over rows"
    )
    if more:
        drawn += f"; the {SHOWN} largest of {n_features}"
    return drawn


def draw(items: Sequence[Importance], colour: str, xlabel: str) -> Figure:
    """Dots with intervals, a row for each feature; a bracket marks features permuted together."""
    height = _ROW * len(items) + 44
    with style("importance"):
        figure = new_figure(_WIDTH, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_ylim(len(items) - 0.5, -0.5)
        left = 16.0 + _name_rows(axes, items)
        right = _WIDTH - left - 14.0  # pixels of the axes
        axes.set_position((left / _WIDTH, 40 / height, right / _WIDTH, 1 - 44 / height))
        axes.axvline(0.0, color=AXIS, linewidth=0.8, zorder=1)
        for place, item in enumerate(items):
            if math.isfinite(item.low):
                axes.plot([item.low, item.high], [place, place], color=colour, linewidth=1.5)
            if math.isfinite(item.increase):
                axes.plot([item.increase], [place], "o", color=colour, markersize=4.5)
            else:
                axes.annotate(
                    in_words(item.increase, _DIGITS),
                    (0.0, place),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    color=SOFT,
                    fontsize=SMALL,
                )
            if len(item.features) > 1:
                x = np.array([-7.0, -4.0, -4.0, -7.0]) / right
                axes.plot(
                    x,
                    place + np.array([-0.35, -0.35, 0.35, 0.35]),
                    color=SOFT,
                    linewidth=0.8,
                    transform=axes.get_yaxis_transform(),
                    clip_on=False,
                )
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(xlabel, loc="right")  # long names extend to the left
    return figure


def _name_rows(axes: Axes, items: Sequence[Importance]) -> float:
    """Label the rows with names of at most 24 letters that fit; return the width in pixels."""
    axes.tick_params(axis="y", length=0, pad=8)
    letters, width = 24, math.inf
    while width > _WIDEST and letters > 8:
        letters = min(letters, int(letters * _WIDEST / width)) if math.isfinite(width) else letters
        labels = [_short(item.features, letters) for item in items]
        axes.set_yticks(range(len(items)), labels, color=INK, fontsize=TEXT)
        sizes = [label.get_window_extent().width for label in axes.get_yticklabels()]
        width = max(sizes) / axes.figure.dpi * 96.0
    return width


def _table(items: Sequence[Importance]) -> PageTable:
    rows = tuple(
        (
            Cell(", ".join(item.features)),
            *(_cell(value) for value in (item.increase, item.low, item.high)),
        )
        for item in items
    )
    return PageTable(("feature", "increase", "95% from", "to"), rows)


def _cell(value: float) -> Cell:
    finite = math.isfinite(value)
    return Cell(signed(value, _DIGITS, sign="+") if finite else in_words(value, _DIGITS), value)


def _models_table(found: Mapping[str, Sequence[Importance]], word: str) -> PageTable:
    """Increase for each model, of the features that matter most for any."""
    by_model = {name: {item.column: item for item in items} for name, items in found.items()}
    finite = {
        column: max(
            (
                items[column].increase
                for items in by_model.values()
                if column in items and math.isfinite(items[column].increase)
            ),
            default=-math.inf,
        )
        for items in by_model.values()
        for column in items
    }
    chosen = sorted(finite, key=lambda column: -finite[column])[:SHOWN]
    features = {item.column: item.features for items in found.values() for item in items}
    rows = tuple(
        (
            Cell(", ".join(features[column])),
            *(
                _cell(items[column].increase) if column in items else Cell(DASH)
                for items in by_model.values()
            ),
        )
        for column in chosen
    )
    caption = sentence(
        "Increase of the {loss} when features are permuted, on the same rows.", loss=word
    )
    return PageTable(("feature", *by_model), rows, caption)
