"""Learning curves: losses by iteration, on the training and on the validation part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from xentexp.displays._style import MODELS, RULE, SOFT, style
from xentexp.errors import InputError
from xentexp.experiments._formatting import wrapped

Curves = Mapping[str, Mapping[str, Sequence[float]]]
"""Curves of one fit: ``{"train": {loss: values}, "valid": {loss: values}}``; valid is optional."""

_PARTS = (("train", MODELS[0]), ("valid", MODELS[1]))
_PER_ROW, _WIDE, _HIGH = 4, 2.9, 2.15


def recorded(fold: Curves) -> dict[str, None]:
    """Names of the recorded losses of a fit; boosters may record only the valid part."""
    return dict.fromkeys(name for part, _ in _PARTS for name in fold.get(part, {}))


def curves_by_loss(folds: Sequence[Curves], title: str) -> Figure:
    """Learning curves of one candidate, a panel per loss; thin lines are folds, thick the mean."""
    names = dict.fromkeys(name for fold in folds for name in recorded(fold))
    return _panels({name: (folds, name) for name in names}, title)


def curves_by_row(rows: Mapping[str, Sequence[Curves]], title: str) -> Figure:
    """Learning curves of several candidates, a panel per candidate with its training loss."""
    # The training loss is recorded first.
    panels = {
        label: (folds, next(iter(recorded(folds[0]))))
        for label, folds in rows.items()
        if folds and recorded(folds[0])
    }
    return _panels(panels, title)


def _panels(panels: Mapping[str, tuple[Sequence[Curves], str]], title: str) -> Figure:
    if not panels:
        raise InputError(f"{title}: no learning curve was recorded; nothing can be plotted")
    columns = min(_PER_ROW, len(panels))
    rows = -(-len(panels) // columns)
    width, height = max(columns * _WIDE, 6.0), rows * _HIGH + 0.7
    below = ConstrainedLayoutEngine(rect=(0.01, 0.0, 0.98, 1.0 - 0.65 / height), hspace=0.08)
    with style(title):
        figure = Figure(figsize=(width, height), facecolor="white", layout=below)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.ravel()[len(panels) :]:
            axes.axis("off")
        for axes, (label, (folds, loss)) in zip(grid.ravel(), panels.items(), strict=False):
            _draw(axes, folds, loss)
            axes.set_title(wrapped(label, 32), fontsize=8.2, loc="left")
        for axes in grid[-1]:
            axes.set_xlabel("iteration", fontsize=7.5)
        place = 1.0 - 0.2 / height
        figure.text(0.12 / width, place, title, fontsize=11, fontweight="bold", va="center")
        valid = any("valid" in fold for folds, _ in panels.values() for fold in folds)
        _draw_legend(figure, height, valid)
    return figure


def _draw(axes: Axes, folds: Sequence[Curves], loss: str) -> None:
    for part, colour in _PARTS:
        lines = [list(fold[part][loss]) for fold in folds if loss in fold.get(part, {})]
        lines = [line for line in lines if line]
        if not lines:
            continue
        for line in lines if len(lines) > 1 else ():
            axes.plot(range(1, len(line) + 1), line, color=colour, linewidth=0.6, alpha=0.35)
        shared = min(map(len, lines))  # early stopping leaves folds of different lengths
        mean = np.mean([line[:shared] for line in lines], axis=0)
        steps = np.arange(1, shared + 1)
        marker = "o" if shared == 1 else ""
        axes.plot(steps, mean, color=colour, linewidth=1.6, marker=marker, markersize=3)
        if part == "valid" and np.isfinite(mean).any():
            lowest = int(np.nanargmin(mean))
            axes.plot(steps[lowest], mean[lowest], "o", color=colour, markersize=4)
            axes.annotate(
                f"{mean[lowest]:.4g} at {steps[lowest]}",
                (float(steps[lowest]), float(mean[lowest])),
                xytext=(0, 6),
                textcoords="offset points",
                ha="right" if lowest > shared / 2 else "left",
                fontsize=7.2,
                color=colour,
            )
    _zoom(axes, folds, loss)
    axes.grid(axis="y", color=RULE, linewidth=0.5)
    axes.tick_params(labelsize=7.2, length=2)


def _zoom(axes: Axes, folds: Sequence[Curves], loss: str) -> None:
    """Limit the y-axis if a few high first steps would flatten the rest of the curves."""
    values = [
        value
        for fold in folds
        for part, _ in _PARTS
        for value in fold.get(part, {}).get(loss, ())
        if math.isfinite(value)
    ]
    if len(values) < 20:
        return
    low, high = min(values), max(values)
    usual = float(np.quantile(values, 0.97))
    if high - low > 4.0 * (usual - low) > 0.0:
        axes.set_ylim(low - 0.08 * (usual - low), usual + 0.25 * (usual - low))


def _draw_legend(figure: Figure, height: float, valid: bool) -> None:
    labels = ["training part", "validation part, lowest mean marked"][: 1 + valid]
    figure.legend(
        [Line2D([], [], color=colour, linewidth=1.6) for _, colour in _PARTS[: 1 + valid]],
        labels,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0 - 0.34 / height),
        borderaxespad=0.0,
        ncols=2,
        frameon=False,
        fontsize=7.8,
        labelcolor=SOFT,
    )
