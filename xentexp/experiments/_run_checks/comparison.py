"""Checks of the comparison of the models, and of the rows that it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._numerics import FloatArray
from xentexp.experiments._formatting import and_list, plain, sentence
from xentexp.experiments._ranking import higher_is_better
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._run_checks.issue import Issue
from xentexp.experiments._run_checks.rows import (
    first_repeat,
    loss_of_rows,
    of_rows,
)
from xentexp.experiments._sentences import FEW_EVENTS, NEARLY_EQUAL
from xentexp.inference import mean_interval, order_stability
from xentexp.metrics._registry import get_loss

LEVEL_OF_FOLDS = 0.01

MIN_ROWS = 50
"""Rows of a segment from which its rate is shown, as in segment_bias."""


def has_predictions(record: RunRecord) -> bool:
    """Whether some model has predictions."""
    return any(model.predictions is not None for model in record.models)


def predicted(record: RunRecord) -> list[ModelRecord]:
    """Models with predictions that are not constant; all if there are no others."""
    constant = record.constant_models()
    models = [model for model in record.models if model.predictions is not None]
    return [model for model in models if model.name not in constant] or models


def few_events(record: RunRecord) -> Iterator[Issue]:
    """Classes with few rows."""
    if not has_predictions(record):
        return
    predictions = predicted(record)[0].predictions
    assert predictions is not None
    y = np.concatenate([fold.y for fold in first_repeat(predictions).folds])
    counts = {label: int((y == label).sum()) for label in predictions.classes}
    label, n = min(counts.items(), key=lambda item: item[1])
    if n < FEW_EVENTS:
        yield Issue(
            "X301",
            False,
            sentence(
                "Few events: {rows:,} rows of class {label}; intervals are too narrow below about "
                "{limit}.",
                rows=n,
                label=str(label),
                limit=FEW_EVENTS,
            ),
        )


def has_order(record: RunRecord) -> bool:
    """Whether there are two models whose order is known."""
    known = record.uncertainty
    return known is not None and bool(known.standing(record.about.primary).rivals())


def unstable_order(record: RunRecord) -> Iterator[Issue]:
    """Whether other splits, or other rows, may change which model is best."""
    known = record.uncertainty
    if known is None or not has_order(record):
        return
    standing = known.standing(record.about.primary)
    best = standing.best
    if best is None:
        return
    by_repeat = {
        name: values
        for name in (best, *standing.rivals())
        if (values := _means_of_repeats(record, name)) is not None
    }
    if len(by_repeat) > 1 and len(next(iter(by_repeat.values()))) > 1:
        pair = order_stability(
            list(by_repeat.values()),
            names=list(by_repeat),
            higher_is_better=higher_is_better(standing.name),
        ).pairs[0]
        n = pair.wins + pair.losses + pair.ties
        if pair.wins < n:
            yield Issue(
                "X302",
                False,
                sentence(
                    "Other splits of the same rows change the order: {first} is better than "
                    "{second} in {wins} of {repeats} repeats.",
                    first=pair.better,
                    second=pair.worse,
                    wins=pair.wins,
                    repeats=n,
                ),
                (pair.better, pair.worse),
            )
            return
    if standing.tied:
        nearest = standing.tied[0]
        gap, low, high = standing.gap(nearest)
        yield Issue(
            "X302",
            False,
            sentence(
                "{models} cannot be told apart by {metric}; other rows may change their order. "
                "{best} is better than {nearest} by {difference:.4f} ({confidence:.0%} interval "
                "{low:.4f} to {high:.4f}).",
                models=and_list([best, *standing.tied], most=4),
                metric=standing.name,
                best=best,
                nearest=nearest,
                difference=gap,
                low=low,
                high=high,
                confidence=standing.differences[nearest].confidence,
            ),
            (best, *standing.tied),
        )


def _means_of_repeats(record: RunRecord, name: str) -> FloatArray | None:
    """Mean primary loss or metric of each repeat; None without finite values."""
    model = record.model(name)
    values = () if model is None else model.fold_values.get(record.about.primary, ())
    if model is None or model.predictions is None or not np.isfinite(values).all():
        return None
    repeats = np.array([fold.repeat for fold in model.predictions.folds])
    if len(values) != len(repeats):
        return None
    return np.array([np.mean(np.asarray(values)[repeats == r]) for r in np.unique(repeats)])


def nearly_equal(record: RunRecord) -> Iterator[Issue]:
    """Models whose losses are almost the same on every row as those of the best model."""
    known = record.uncertainty
    if known is None:
        return
    for name, share in known.correlations.items():
        if share >= NEARLY_EQUAL:
            best = known.best[known.primary]
            consequence = (
                "intervals over only the rows are too narrow for such models."
                if has_several_folds(record)
                else "the interval says little about the same models fitted to other rows."
            )
            yield Issue(
                "X303",
                False,
                sentence(
                    "{best} and {model} are nearly equal (correlation {correlation:.4f} of their "
                    "losses over the rows): " + consequence,
                    best=best,
                    model=name,
                    correlation=share,
                ),
                (best, name),
            )


def has_several_folds(record: RunRecord) -> bool:
    """Whether there is more than one split."""
    return any(m.predictions is not None and len(m.predictions.folds) > 1 for m in record.models)


# -- folds ------------------------------------------------------------------------------------


def has_folds(record: RunRecord) -> bool:
    """Whether there are at least three folds in a repeat, and not of periods, which differ."""
    if record.about.kind == "time_ordered" or not has_predictions(record):
        return False
    return len(_folds(predicted(record)[0])) >= 3


def _folds(model: ModelRecord) -> NDArray[Any]:
    assert model.predictions is not None
    return np.unique([fold.number for fold in model.predictions.folds])


def fold_outlier(record: RunRecord) -> Iterator[Issue]:
    """Folds whose loss differs from that of the others for all models."""
    from scipy.stats import norm

    if not has_folds(record):
        return
    models = [m for m in predicted(record) if loss_of_rows(record, m) is not None]
    names = {loss_of_rows(record, model) for model in models}
    if len(names) != 1:
        return
    loss = str(names.pop())
    parts = []
    for model in models:
        assert model.predictions is not None
        parts.append(np.concatenate(model.predictions.row_losses(get_loss(loss))))
    losses = np.array(parts)
    predictions = models[0].predictions
    assert predictions is not None
    if not np.isfinite(losses).all():
        return
    repeat = np.concatenate([np.full(len(f.rows), f.repeat) for f in predictions.folds])
    number = np.concatenate([np.full(len(f.rows), i) for i, f in enumerate(predictions.folds)])
    rows = _design(predictions)
    mean = losses.mean(axis=0)
    inside = [number == i for i in range(len(predictions.folds))]
    compared = [
        _z(mean, part, (repeat == fold.repeat) & ~part, rows)
        for part, fold in zip(inside, predictions.folds, strict=True)
    ]
    i = int(np.argmax([abs(z) for z, _, _ in compared]))
    z, of_fold, of_others = compared[i]
    fold, outside = predictions.folds[i], (repeat == predictions.folds[i].repeat) & ~inside[i]
    gaps = losses[:, inside[i]].mean(axis=1) - losses[:, outside].mean(axis=1)
    p = 2.0 * float(norm.sf(abs(z))) * len(compared)
    if p > LEVEL_OF_FOLDS or (np.sign(gaps) != np.sign(z)).any():
        return
    where = "Fold {fold}" + (" of repeat {repeat}" if repeat.any() else "")
    yield Issue(
        "X304",
        False,
        sentence(
            where
            + " differs from the other folds for all models: mean {loss} {fold_mean:.4f} ({rows:,} "
            "rows), and {mean_of_others:.4f} in the others (z = {z:.1f}).",
            fold=fold.number,
            repeat=fold.repeat,
            loss=loss,
            fold_mean=of_fold,
            mean_of_others=of_others,
            rows=int(inside[i].sum()),
            z=z,
        ),
    )


def _design(predictions: Any) -> dict[str, NDArray[Any] | None]:
    """Weights and groups of all rows, as mean_interval reads them."""
    folds = predictions.folds
    return {
        name: None
        if any(getattr(fold, key) is None for fold in folds)
        else np.concatenate([getattr(fold, key) for fold in folds])
        for name, key in (("sample_weight", "sample_weight"), ("groups", "groups"))
    }


def _z(
    values: FloatArray,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    design: dict[str, NDArray[Any] | None],
) -> tuple[float, float, float]:
    """Difference of the means in standard errors, and both means."""
    first, second = (
        mean_interval(
            values[part],
            sample_weight=of_rows(design["sample_weight"], part),
            groups=of_rows(design["groups"], part),
        )
        for part in (inside, outside)
    )
    error = math.hypot(first.standard_error, second.standard_error)
    z = (first.mean - second.mean) / error if error > 0.0 else 0.0
    return z, first.mean, second.mean


# -- segments and notes -----------------------------------------------------------------------


def has_segments(record: RunRecord) -> bool:
    """Whether segments were stored."""
    return any(model.segments is not None for model in record.models)


def small_segments(record: RunRecord) -> Iterator[Issue]:
    """Segments with few rows, or without rows of a class."""
    model = next((m for m in record.models if m.segments is not None), None)
    if model is None or model.predictions is None:
        return
    assert model.segments is not None
    sums = model.segments[model.segments["repeat"] == model.segments["repeat"].min()]
    keys = ["column", "segment", "label", "class"]
    table = sums.groupby(keys, sort=False)[["n_rows", "events"]].sum().reset_index()
    classes = model.predictions.classes
    small = table[table["n_rows"] < MIN_ROWS].drop_duplicates(["column", "segment"])
    if len(small):
        first = small.loc[small["n_rows"].idxmin()]
        yield Issue(
            "X305",
            False,
            sentence(
                "Fewer than {limit} rows: {small_segments:,} of {segments:,} segments (the "
                "smallest: {column} = {label}, {rows:,} rows). Their rates are not shown one by "
                "one.",
                small_segments=len(small),
                segments=len(table.drop_duplicates(["column", "segment"])),
                limit=MIN_ROWS,
                column=first["column"],
                label=first["label"],
                rows=int(first["n_rows"]),
            ),
        )
    large = table[table["n_rows"] >= MIN_ROWS]
    empty = large[large["events"] == 0]
    if len(empty):
        first = empty.loc[empty["n_rows"].idxmax()]
        yield Issue(
            "X305",
            False,
            sentence(
                "{column} = {label} has {rows:,} rows and none of class {event}"
                + ("; {more:,} more segments lack a class." if len(empty) > 1 else "."),
                column=first["column"],
                label=first["label"],
                rows=int(first["n_rows"]),
                event=str(classes[int(first["class"])]),
                more=len(empty) - 1,
            ),
        )


def interval_notes(record: RunRecord) -> Iterator[Issue]:
    """What makes intervals of the primary loss or metric less reliable."""
    known = record.uncertainty
    if known is None:
        return
    standing = known.standing(record.about.primary)
    best = standing.best
    notes = [] if best is None else list(standing.levels[best].notes)
    notes += [note for difference in standing.differences.values() for note in difference.notes]
    for note in dict.fromkeys(notes):
        yield Issue("X306", False, plain(f"{note[:1].upper()}{note[1:]}"))


def has_intervals(record: RunRecord) -> bool:
    """Whether intervals were computed."""
    return record.uncertainty is not None
