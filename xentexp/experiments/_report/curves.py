"""Learning curves: losses by iteration, on the training and on the validation part."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray, IntArray
from xentexp.displays._style import INK, OTHER, label_ends, new_figure, style
from xentexp.experiments._formatting import number, sentence, spaced
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Cell,
    Columns,
    Details,
    PageSection,
    PageTable,
    figure_block,
)

_PARTS = {"train": ("training", OTHER), "valid": ("validation", INK)}
_POINTS, _POINTS_OF_FOLD = 200, 60


def curves_section(record: RunRecord) -> PageSection | None:
    """Learning curves of each model that recorded some; None without any."""
    # A variant with corrected probabilities has the curves of the fit that it shares.
    models = [model for model in record.models if model.curves is not None and not model.corrected]
    if not models:
        return None
    rows = [row for model in models for row in _lowest(model)]
    intro = sentence(
        "{models} recorded learning curves: the mean loss by iteration, over the folds.",
        models=f"{len(models)} models" if len(models) > 1 else models[0].name,
    )
    table = PageTable(
        ("Model", "Loss", "Part", "Iterations", "First", "Lowest", "At iteration", "Last"),
        tuple(rows),
        n_text=3,
    )
    details = [
        Details(f"Learning curves of {model.name}", tuple(_figures(model, f"curves-{place}")))
        for place, model in enumerate(models, 1)
    ]
    return PageSection("curves", "Learning curves", (intro, table, *details))


def _lowest(model: ModelRecord) -> Iterator[tuple[Cell, ...]]:
    """Rows of the table: the loss that the model is trained on, which is recorded first."""
    assert model.curves is not None
    loss = str(model.curves["loss"].iloc[0])
    for part, (name, _) in _PARTS.items():
        mean = mean_curve(model.curves, part, loss)
        if not mean.size:
            continue
        finite = np.isfinite(mean).any()
        lowest = int(np.nanargmin(mean)) if finite else 0
        yield (
            Cell(model.name),
            Cell(loss),
            Cell(name),
            Cell(f"{len(mean):,}", len(mean)),
            Cell(number(float(mean[0])), float(mean[0])),
            Cell(number(float(mean[lowest])), float(mean[lowest]), strong=part == "valid"),
            Cell(f"{lowest + 1:,}" if finite else "undefined", lowest + 1),
            Cell(number(float(mean[-1])), float(mean[-1])),
        )


def _figures(model: ModelRecord, name: str) -> Iterator[Block]:
    assert model.curves is not None
    figures = []
    for place, loss in enumerate(model.curves["loss"].unique(), 1):
        data = _data(model.curves, loss)
        if not data.rows:
            continue
        figures.append(
            figure_block(
                curve_figure(model.curves, loss),
                sentence("{loss} by iteration", loss=spaced(loss)),
                "Thin: folds. Thick: their mean, to the end of the shortest fold.",
                data,
                name=f"{name}-{place}",
            )
        )
    yield Columns(tuple(figures)) if len(figures) > 1 else figures[0]


def folds_of(curves: pd.DataFrame, part: str, loss: str) -> list[FloatArray]:
    """Curve of each fold; folds that recorded nothing are left out."""
    chosen = curves[(curves["part"] == part) & (curves["loss"] == loss)]
    return [
        fold.sort_values("step")["value"].to_numpy(dtype=np.float64)
        for _, fold in chosen.groupby("fold", sort=True)
    ]


def mean_curve(curves: pd.DataFrame, part: str, loss: str) -> FloatArray:
    """Mean over the folds, to the end of the shortest fold: early stopping may end some early."""
    folds = folds_of(curves, part, loss)
    shared = min(map(len, folds), default=0)
    return np.mean([fold[:shared] for fold in folds], axis=0) if shared else np.empty(0)


def curve_figure(curves: pd.DataFrame, loss: str) -> Figure:
    """Curves of one loss on both parts: thin lines are folds, thick ones their mean."""
    with style(loss):
        figure = new_figure(340, 190)
        axes = figure.add_axes((0.15, 0.2, 0.61, 0.76))
        ends: dict[str, float] = {}
        for part in _PARTS:
            folds, mean = folds_of(curves, part, loss), mean_curve(curves, part, loss)
            if mean.size:
                _draw(axes, folds, mean, part)
                if math.isfinite(mean[-1]):
                    ends[part] = float(mean[-1])
        axes.set_xlabel("iteration")
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.locator_params(axis="y", nbins=5)
        axes.margins(x=0.02)
        _zoom(axes, curves, loss)
        names = {_PARTS[part][0]: end for part, end in ends.items()}
        label_ends(axes, names, dict(_PARTS.values()))
    return figure


def _draw(axes: Axes, folds: list[FloatArray], mean: FloatArray, part: str) -> None:
    colour = _PARTS[part][1]
    for values in folds if len(folds) > 1 else ():
        steps = _thinned(len(values), _POINTS_OF_FOLD)
        axes.plot(steps + 1, values[steps], color=colour, linewidth=0.6, alpha=0.35)
    steps = _thinned(len(mean), _POINTS)
    marker = "o" if len(mean) == 1 else ""
    axes.plot(steps + 1, mean[steps], color=colour, linewidth=1.6, marker=marker, markersize=3)
    if part == "valid" and np.isfinite(mean).any():
        lowest = int(np.nanargmin(mean))
        axes.plot(lowest + 1, mean[lowest], "o", color=colour, markersize=4)


def _thinned(length: int, most: int) -> IntArray:
    """At most `most` positions, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.int64))


def _zoom(axes: Axes, curves: pd.DataFrame, loss: str) -> None:
    """Limit the y-axis if a few high first steps would flatten the rest of the curves."""
    values = curves.loc[curves["loss"] == loss, "value"].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 20:
        return
    low, high = float(values.min()), float(values.max())
    usual = float(np.quantile(values, 0.97))
    if high - low > 4.0 * (usual - low) > 0.0:
        axes.set_ylim(low - 0.08 * (usual - low), usual + 0.25 * (usual - low))


def _data(curves: pd.DataFrame, loss: str) -> PageTable:
    """Values of the means at ten iterations."""
    means = {part: mean_curve(curves, part, loss) for part in _PARTS}
    known = {part: mean for part, mean in means.items() if mean.size}
    steps = _thinned(max(map(len, known.values()), default=0), 10).tolist()
    rows = [
        (
            Cell(f"{step + 1:,}", step + 1),
            *(
                Cell(number(float(mean[step])), float(mean[step])) if step < len(mean) else Cell("")
                for mean in known.values()
            ),
        )
        for step in steps
    ]
    return PageTable(("Iteration", *(_PARTS[part][0] for part in known)), tuple(rows), n_text=0)
