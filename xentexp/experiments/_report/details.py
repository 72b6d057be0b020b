"""Details on the models: ROC and precision-recall curves, and the distribution of losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray
from xentexp.displays import LossDistribution, LossDistributionDisplay
from xentexp.displays._loss_distribution import WORST, distributions_of
from xentexp.displays._style import AXIS, SMALL, SOFT, laid_out, placed, shortened, style
from xentexp.experiments._formatting import Sentence, and_list, plain, sentence
from xentexp.experiments._record import Pooled, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageFigure,
    PageTable,
    colours,
    count_cell,
    figure_block,
    named_cells,
    shown_models,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import loss_of_probabilities, rows_of

FIRST_ROWS = 20  # of precision-recall curves that are too noisy to draw
_POINTS = 200
_MOST_CLASSES = 3
_LOSS_MODELS = 3

Curve = tuple[FloatArray, FloatArray, float]
"""Values on both axes, and the area that tables show."""


def curves_details(record: RunRecord) -> Details | None:
    """Curves of all models, closed at first; None if no model predicts probabilities."""
    models = record.varying_models()
    rows = {model.name: rows_of(record, model.name).pooled for model in shown_models(models)}
    if not rows:
        return None
    blocks: list[Block] = []
    for column in hardest_classes(record, rows):
        figures = (_roc_figure(record, rows, column), _pr_figure(record, rows, column))
        blocks.append(Columns(figures))
    blocks.append(_loss_figure(record, rows))
    return Details("ROC and precision-recall curves, distribution of losses", tuple(blocks))


def hardest_classes(record: RunRecord, rows: Mapping[str, Pooled]) -> list[int]:
    """Classes that are drawn: the second of two, or those that the best model ranks worst."""
    first = next(iter(rows.values()))
    present = [c for c in range(len(record.about.classes)) if (first.codes == c).sum() > 0]
    if len(present) < 2:
        return []
    if len(record.about.classes) == 2:
        return [1]
    return sorted(present, key=lambda c: _roc(first, c)[2])[:_MOST_CLASSES]


# -- ROC and precision-recall -----------------------------------------------------------------


def _roc(rows: Pooled, column: int) -> Curve:
    """False and true positive rates of a class against the rest, and the area below."""
    from sklearn.metrics import auc, roc_curve

    false_rate, true_rate, _ = roc_curve(
        rows.codes == column, rows.proba[:, column], sample_weight=rows.sample_weight
    )
    area = float(auc(false_rate, true_rate))
    return (*_thinned(false_rate, true_rate), area)


def _precision_recall(rows: Pooled, column: int) -> Curve:
    """Recall and precision of a class without the first rows, and the average precision."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, threshold = precision_recall_curve(
        rows.codes == column, rows.proba[:, column], sample_weight=rows.sample_weight
    )
    area = float(-np.sum(np.diff(recall) * precision[:-1]))
    scores = np.sort(rows.proba[:, column])
    n_above = len(scores) - np.searchsorted(scores, threshold, side="left")
    drawn = np.flatnonzero(n_above >= min(FIRST_ROWS, len(scores)))
    return (*_thinned(recall[drawn], precision[drawn]), area)


def _thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most 200 points of a curve, at equal distances along it."""
    if len(x) <= _POINTS:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.searchsorted(length, np.linspace(0.0, length[-1], _POINTS - 1), side="left")
    kept = np.unique(np.append(np.minimum(kept, len(x) - 1), [0, len(x) - 1]))
    return x[kept], y[kept]


def _roc_figure(record: RunRecord, rows: Mapping[str, Pooled], column: int) -> PageFigure:
    def finish(axes: Axes) -> None:
        axes.plot([0.0, 1.0], [0.0, 1.0], color=AXIS, linewidth=0.8, zorder=1)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")

    return _curves_figure(record, rows, column, _roc, finish, "area under the ROC curve", 0.05)


def finish_precision_recall(axes: Axes, rate: float) -> None:
    """Add the base rate and the labels of the axes to precision-recall curves."""
    axes.axhline(rate, color=AXIS, linewidth=0.8, zorder=1)
    # Below the line, where no curve of a useful model is, unless there is no space.
    below = rate > 0.1
    axes.annotate(
        f"base rate {rate:.1%}",
        (0.02, rate),
        xytext=(0, -3 if below else 3),
        textcoords="offset points",
        va="top" if below else "bottom",
        color=SOFT,
        fontsize=SMALL,
    )
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")


def _pr_figure(record: RunRecord, rows: Mapping[str, Pooled], column: int) -> PageFigure:
    first = next(iter(rows.values()))
    rate = float(np.average(first.codes == column, weights=first.sample_weight))

    def finish(axes: Axes) -> None:
        finish_precision_recall(axes, rate)

    place = 0.98 if rate < 0.5 else 0.05
    return _curves_figure(
        record, rows, column, _precision_recall, finish, "average precision", place
    )


def _curves_figure(
    record: RunRecord,
    rows: Mapping[str, Pooled],
    column: int,
    curve_of: Callable[[Pooled, int], Curve],
    finish: Callable[[Axes], None],
    area: str,
    place: float,
) -> PageFigure:
    """Curves of all models in one figure, with the names and areas in a free corner."""
    label = record.about.classes[column]
    name = f"{area} {label} {record.run_id}"
    known = colours(record)
    curves = {model: curve_of(of_model, column) for model, of_model in rows.items()}
    with style(name):
        figure, axes = placed(280, 280, left=52, right=10, top=10, bottom=44)
        for model, (x, y, _) in reversed(curves.items()):
            axes.plot(x, y, color=known[model], linewidth=1.4, clip_on=False)
        finish(axes)
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), box_aspect=1.0)
        for side in (axes.set_xticks, axes.set_yticks):
            side([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        for line, (model, (_, _, value)) in enumerate(curves.items()):
            from_end = line if place > 0.5 else len(curves) - 1 - line
            axes.annotate(
                f"{shortened(model)} {value:.3f}",
                (0.98, place),
                xycoords="axes fraction",
                xytext=(0, 10 * from_end * (-1 if place > 0.5 else 1)),
                textcoords="offset points",
                ha="right",
                va="top" if place > 0.5 else "bottom",
                color=known[model],
                fontsize=SMALL,
            )
    names = named_cells(record, list(curves))
    table = PageTable(
        ("model", area),
        tuple(
            (names[model], Cell(f"{value:.4f}", value)) for model, (_, _, value) in curves.items()
        ),
    )
    of_class = "" if len(record.about.classes) == 2 else f" of class {label}"
    return figure_block(
        figure,
        _largest(curves, f"{area}{of_class}"),
        f"Class {label} against the rest; out-of-fold rows of all folds together. The number "
        f"beside a name is the {area}.",
        table,
        name=name,
    )


def _largest(curves: Mapping[str, Curve], area: str) -> Sentence:
    """Models with the largest area; equal ones are all named."""
    values = {model: value for model, (_, _, value) in curves.items()}
    most = max(values.values())
    best = [model for model, value in values.items() if f"{value:.4f}" == f"{most:.4f}"]
    if len(best) == len(values) > 1:
        return sentence("All models have the {area} {most:.4f}", area=area, most=most)
    if len(values) == 1:
        return sentence("The {area} of {model} is {most:.4f}", area=area, model=best[0], most=most)
    return sentence(
        "{best} {verb} the largest {area}, {most:.4f}",
        best=and_list(best, most=4),
        verb="have" if len(best) > 1 else "has",
        area=area,
        most=most,
    )


# -- losses -----------------------------------------------------------------------------------


def _loss_figure(record: RunRecord, rows: Mapping[str, Pooled]) -> PageFigure:
    """Histogram of the losses of the rows of the best models; numbers of all."""
    loss = loss_of_probabilities(record)
    found = loss_distributions(record, list(rows))
    drawn = dict(list(found.items())[:_LOSS_MODELS])
    name = f"losses {record.run_id}"
    figure = losses_figure(drawn, loss.name, colours(record), 340, 200 + 15 * len(drawn))
    names = named_cells(record, list(found))
    table = PageTable(
        ("model", f"share of the loss in the worst {WORST:.0%}", "rows of infinite loss", "rows"),
        tuple(
            (
                names[model],
                Cell(_share(own), own.worst_share),
                count_cell(own.n_infinite),
                count_cell(own.n_rows),
            )
            for model, own in found.items()
        ),
    )
    return figure_block(
        figure,
        worst_share(found),
        losses_drawn(loss.name),
        table,
        name=name,
    )


def loss_distributions(record: RunRecord, names: Sequence[str]) -> dict[str, LossDistribution]:
    """Distributions of the losses of the rows of some models, in the same bins."""
    rows = rows_of(record, names[0]).pooled
    weight = np.ones(len(rows.y)) if rows.sample_weight is None else rows.sample_weight
    losses = {name: _row_losses(record, name) for name in names}
    return distributions_of(losses, weight, n_bins=40)


@once
def _row_losses(record: RunRecord, name: str) -> FloatArray:
    rows, loss = rows_of(record, name).pooled, loss_of_probabilities(record)
    # Infinite losses are counted.
    options: dict[str, Any] = {"clip": 0.0} if loss.properties.clip else {}
    return loss.per_sample(rows.y, rows.proba, labels=record.about.classes, **options)


def losses_figure(
    found: Mapping[str, LossDistribution],
    loss: str,
    known: Mapping[str, str],
    width: int,
    height: int,
) -> Figure:
    """Histograms of the losses of rows."""
    with style("losses"):
        figure, axes = laid_out(width, height)
        LossDistributionDisplay(found, loss=loss).plot(axes, colours=known)
    return figure


def losses_drawn(loss: str) -> str:
    """What the histograms show."""
    return (
        f"How many rows have each {loss}, on a logarithmic axis; out-of-fold rows of all folds "
        f"together."
    )


def _share(found: LossDistribution) -> str:
    return "undefined" if math.isnan(found.worst_share) else f"{found.worst_share:.0%}"


def worst_share(found: Mapping[str, LossDistribution]) -> Sentence:
    """The model with the most infinite losses, or the share of the worst rows."""
    model = max(found, key=lambda name: found[name].n_infinite)
    if found[model].n_infinite:
        return sentence(
            "{model} has an infinite loss in {infinite:,} of {n:,} rows",
            model=model,
            infinite=found[model].n_infinite,
            n=found[model].n_rows,
        )
    shares = [own.worst_share for own in found.values() if not math.isnan(own.worst_share)]
    if not shares:
        return plain("Losses of the rows")
    if f"{min(shares):.0%}" == f"{max(shares):.0%}":
        return sentence(
            "The worst {worst} of rows has {share:.0%} of the loss",
            worst=f"{WORST:.0%}",
            share=shares[0],
        )
    return sentence(
        "The worst {worst} of rows has {low:.0%} to {high:.0%} of the loss",
        worst=f"{WORST:.0%}",
        low=min(shares),
        high=max(shares),
    )
