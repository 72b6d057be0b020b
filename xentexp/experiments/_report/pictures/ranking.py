"""ROC and precision-recall curves of a model: mean and range over the folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray
from xentexp.displays._style import AXIS, SMALL, SOFT, placed, shortened, style
from xentexp.experiments._predictions import PredictedFold
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.details import FIRST_ROWS, finish_precision_recall
from xentexp.experiments._report.once import once

_GRID = np.linspace(0.0, 1.0, 101)
_BAND = 0.19
_NAME = 16  # letters beside the curves


@dataclass(frozen=True, eq=False)
class FoldCurves:
    """Curve of each fold at the same places, and its area."""

    places: FloatArray
    values: FloatArray  # (n_folds, len(places))
    areas: FloatArray  # (n_folds,)

    @property
    def area(self) -> float:
        """Mean of the areas."""
        return float(self.areas.mean())


@dataclass(frozen=True)
class Ranking:
    """Curves of a class against the rest."""

    column: int
    label: str
    roc: FoldCurves
    precision_recall: FoldCurves
    rate: float  # of the class


@once
def rankings(record: RunRecord, name: str) -> tuple[Ranking, ...]:
    """Curves of the second of two classes, or of each class, the worst first."""
    # Folds without rows of a class, or with no others, have no curve of it.
    model = record.model(name)
    if model is None or model.predictions is None:
        return ()
    classes = record.about.classes
    found = []
    for column in [1] if len(classes) == 2 else range(len(classes)):
        curves = [
            curve
            for fold in model.predictions.folds
            if (curve := _of_fold(fold, column, classes)) is not None
        ]
        if not curves:
            continue
        roc = FoldCurves(_GRID, *map(np.array, zip(*(c[0] for c in curves), strict=True)))
        first = max(c[1][0] for c in curves)
        at = _GRID[min(first, 1.0) - 1e-12 <= _GRID]
        values = np.array([_at(at, *c[1][1:3]) for c in curves])
        areas = np.array([c[1][3] for c in curves])
        rate = float(np.mean([c[2] for c in curves]))
        own = FoldCurves(at, values, areas)
        found.append(Ranking(column, str(classes[column]), roc, own, rate))
    return tuple(sorted(found, key=lambda ranking: ranking.roc.area))


def _of_fold(
    fold: PredictedFold, column: int, classes: tuple[object, ...]
) -> tuple[tuple[FloatArray, float], tuple[float, FloatArray, FloatArray, float], float] | None:
    from sklearn.metrics import auc, precision_recall_curve, roc_curve

    score = _score(fold, column)
    event = fold.y == classes[column]
    weight = fold.weights()
    present = event[weight > 0.0]
    if score is None or present.all() or not present.any():
        return None
    false_rate, true_rate, _ = roc_curve(event, score, sample_weight=fold.sample_weight)
    roc = np.interp(_GRID, false_rate, true_rate)
    roc[0] = 0.0
    precision, recall, threshold = precision_recall_curve(
        event, score, sample_weight=fold.sample_weight
    )
    area = float(-np.sum(np.diff(recall) * precision[:-1]))
    n_above = len(score) - np.searchsorted(np.sort(score), threshold, side="left")
    kept = np.flatnonzero(n_above >= min(FIRST_ROWS, len(score)))
    first = float(recall[kept].min())
    pr = (first, recall[kept], precision[kept], area)
    return (roc, float(auc(false_rate, true_rate))), pr, float(np.average(event, weights=weight))


def _score(fold: PredictedFold, column: int) -> FloatArray | None:
    """Probability of a class, or its decision score."""
    if fold.proba is not None:
        return fold.proba[:, column] if fold.proba.ndim == 2 else fold.proba
    if fold.decision is None:
        return None
    return fold.decision[:, column] if fold.decision.ndim == 2 else fold.decision


def _at(at: FloatArray, recall: FloatArray, precision: FloatArray) -> FloatArray:
    """Precision of the smallest selection that reaches each recall."""
    order = np.argsort(recall, kind="stable")
    place = np.searchsorted(recall[order], at - 1e-12, side="left")
    # Of equal recalls the smallest selection, which has the highest precision, is last in the
    # arrays of scikit-learn: recall falls with the threshold.
    reached = recall[order][np.minimum(place, len(order) - 1)]
    last = np.searchsorted(recall[order], reached, side="right") - 1
    return np.asarray(precision[order][last], dtype=np.float64)


def roc_figure(
    shown: Ranking, name: str, colour: str, side: int, reference: tuple[str, Ranking] | None
) -> Figure:
    """ROC curve of one model; the reference is drawn in grey behind it."""

    def finish(axes: Axes) -> None:
        axes.plot([0.0, 1.0], [0.0, 1.0], color=AXIS, linewidth=0.8, zorder=1)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")

    behind = None if reference is None else (reference[0], reference[1].roc)
    figure = _figure(shown.roc, name, colour, side, behind, "area", top=False)
    finish(figure.axes[0])
    return figure


def precision_figure(
    shown: Ranking, name: str, colour: str, side: int, reference: tuple[str, Ranking] | None
) -> Figure:
    """Precision-recall curve of one model; the reference is drawn in grey behind it."""
    behind = None if reference is None else (reference[0], reference[1].precision_recall)
    top = shown.rate < 0.5
    figure = _figure(shown.precision_recall, name, colour, side, behind, "average", top=top)
    finish_precision_recall(figure.axes[0], shown.rate)
    return figure


def _figure(
    curves: FoldCurves,
    name: str,
    colour: str,
    side: int,
    reference: tuple[str, FoldCurves] | None,
    area: str,
    *,
    top: bool,
) -> Figure:
    with style("ranking"):
        figure, axes = placed(side, side, left=52, right=14, top=16, bottom=44)
        lines = [(f"{shortened(name, _NAME)} {curves.area:.3f}", colour)]
        if reference is not None:
            best, behind = reference
            axes.plot(behind.places, behind.values.mean(axis=0), color=AXIS, linewidth=1.4)
            lines.append((f"{shortened(best, _NAME)} {behind.area:.3f}", SOFT))
        low, high = curves.values.min(axis=0), curves.values.max(axis=0)
        axes.fill_between(curves.places, low, high, color=colour, alpha=_BAND, linewidth=0.0)
        mean = curves.values.mean(axis=0)
        axes.plot(curves.places, mean, color=colour, linewidth=1.6, clip_on=False)
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), box_aspect=1.0)
        for side_ in (axes.set_xticks, axes.set_yticks):
            side_([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        lines.insert(0, ("mean area" if area == "area" else "mean average precision", SOFT))
        for place, (text, own) in enumerate(lines if top else lines[::-1]):
            axes.annotate(
                text,
                (0.98, 0.98 if top else 0.04),
                xycoords="axes fraction",
                xytext=(0, 11 * place * (-1 if top else 1)),
                textcoords="offset points",
                ha="right",
                va="top" if top else "bottom",
                color=own,
                fontsize=SMALL,
            )
    return figure
