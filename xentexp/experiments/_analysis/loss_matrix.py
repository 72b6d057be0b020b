"""Build loss matrices: excess over the best row of each column, and tests against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._analysis.cells import (
    Cell,
    Change,
    LossMatrix,
    Trained,
    first_best,
    trained_from,
)
from xentexp.experiments._leaderboard import better
from xentexp.experiments._record import ModelRecord
from xentexp.inference._comparison import Comparison, compare_paired, holm, split_ratio
from xentexp.losses import LOSSES

_TIE = 1e-12


def matrices_of(
    models: Sequence[ModelRecord], shown: Sequence[str] | None = None
) -> list[LossMatrix]:
    """Matrix of each family of a run; none unless models are trained on at least two losses."""
    # Columns are the training losses and those `shown`; None for all that were computed.
    rows = [trained_from(model) for model in models if model.trained_on is not None]
    known = {name for row in rows for name in row.fold_values}
    trained = {row.column for row in rows}
    columns = [
        name
        for name in LOSSES
        if name in known
        and (better(name) or ("none",))[0] in ("lower", "higher")
        and (shown is None or name in trained or name in shown)
    ]
    sizes = next(
        (
            [(fold.n_train, len(fold.rows)) for fold in model.predictions.folds]
            for model in models
            if model.predictions is not None
        ),
        [],
    )
    if len({row.loss for row in rows}) < 2 or not columns or not all(n for n, _ in sizes):
        return []
    # Rows in the order of the columns, so that the trained losses form a diagonal.
    names = [*columns, *(name for name in LOSSES if name not in columns)]
    place = {name: i for i, name in enumerate(names)}

    def order(row: Trained) -> tuple[bool, int, str]:
        return row.column is None, place.get(row.loss.split(" ")[0], len(place)), row.loss

    diagonal = {(row.model, row.loss): order(row) for row in rows if not row.corrected}
    rows.sort(key=lambda row: diagonal.get((row.model, row.loss), order(row)))
    return build_matrices(rows, test_train_ratio=split_ratio(sizes), columns=columns)


def build_matrices(
    rows: Sequence[Trained],
    *,
    test_train_ratio: float,
    columns: Sequence[str] | None = None,
    alpha: float = 0.05,
    confidence: float = 0.95,
) -> list[LossMatrix]:
    """Matrix of each model family: each cell is compared with the best cell of its column."""
    # The best row is chosen on the same folds that test it, which favours significant results.
    if not rows:
        raise InputError("rows must contain at least one row; got none")
    if not 0.0 < alpha < 1.0:
        raise InputError(f"alpha must be between 0 and 1; got {alpha}")
    names = [(row.model, row.label) for row in rows]
    if len(set(names)) < len(names):
        raise InputError(f"labels of rows must be unique within a model; got {names}")
    counts = {len(values) for row in rows for values in row.fold_values.values()}
    if len(counts) > 1:
        raise InputError(f"rows must have the same number of folds; got {sorted(counts)}")
    known = {name: None for row in rows for name in row.fold_values}
    if columns is None:
        chosen = [name for name in LOSSES if name in known and better(name) is not None]
    else:
        chosen = list(dict.fromkeys(columns))
    for name in chosen:
        if name not in known:
            raise unknown_name("loss to score on", name, known)
        if (better(name) or ("none",))[0] not in ("lower", "higher"):
            raise InputError(f"{name} does not rank models; leave it out of the columns")
    if not chosen:
        raise InputError("columns must name at least one loss that some row has; got none")
    return [
        _build(
            model,
            [row for row in rows if row.model == model],
            chosen,
            max(counts),
            test_train_ratio,
            alpha,
            confidence,
        )
        for model in dict.fromkeys(row.model for row in rows)
    ]


def _build(
    model: str,
    rows: list[Trained],
    columns: list[str],
    n_folds: int,
    ratio: float,
    alpha: float,
    confidence: float,
) -> LossMatrix:
    losses = list(dict.fromkeys(row.loss for row in rows))
    rows = sorted(rows, key=lambda row: (losses.index(row.loss), row.corrected))
    repeated = _repeated(rows, columns)
    distinct = [name for name in columns if name not in repeated]
    table = [_column(rows, name, repeated, ratio, confidence) for name in distinct]
    tests = [
        (j, i)
        for j, cells in enumerate(table)
        for i, cell in enumerate(cells)
        if cell.comparison is not None and cell.comparison.reason is None
    ]
    p = [test.p for j, i in tests if (test := table[j][i].comparison) is not None]
    for (j, i), value in zip(tests, holm(p).tolist(), strict=True):
        table[j][i] = replace(table[j][i], p_adjusted=value, worse=value < alpha)
    return LossMatrix(
        model,
        tuple(rows),
        tuple(distinct),
        tuple(zip(*table, strict=True)),
        _changes(rows, distinct, ratio, alpha),
        repeated,
        n_folds,
        len(tests),
        ratio,
        alpha,
        confidence,
    )


def _changes(
    rows: Sequence[Trained], columns: Sequence[str], ratio: float, alpha: float
) -> dict[int, tuple[Change, ...]]:
    """Effect of corrected probabilities on each column, by corrected row."""
    found: dict[int, list[tuple[str, Comparison]]] = {}
    for after, row in enumerate(rows):
        before = next((r for r in rows if r.loss == row.loss and not r.corrected), None)
        if not row.corrected or before is None:
            continue
        found[after] = [
            (
                name,
                compare_paired(
                    _sign(name) * np.array(row.fold_values[name]),
                    _sign(name) * np.array(before.fold_values[name]),
                    test_train_ratio=ratio,
                ),
            )
            for name in columns
            if math.isfinite(row.mean(name)) and math.isfinite(before.mean(name))
        ]
    tested = [test for pairs in found.values() for _, test in pairs if test.reason is None]
    adjusted = dict(zip(map(id, tested), holm([t.p for t in tested]).tolist(), strict=True))
    return {
        after: tuple(
            Change(
                name,
                _rounded(test.difference, rows[after].mean(name)),
                p := adjusted.get(id(test), math.nan),
                p < alpha,
            )
            for name, test in pairs
        )
        for after, pairs in found.items()
    }


def _rounded(difference: float, mean: float) -> float:
    """Difference that is 0 if it is a rounding error."""
    return 0.0 if abs(difference) <= _TIE * abs(mean) else difference


def _sign(name: str) -> float:
    """Factor that makes lower values better."""
    return -1.0 if (better(name) or ("",))[0] == "higher" else 1.0


def _repeated(rows: Sequence[Trained], columns: Sequence[str]) -> dict[str, str]:
    """Columns that equal an earlier one up to rounding, as some losses do on two classes."""
    first: dict[tuple[Any, ...], str] = {}
    repeated: dict[str, str] = {}
    for name in columns:
        values = [tuple(f"{value:.11g}" for value in row.fold_values.get(name, ())) for row in rows]
        if any(values):
            original = first.setdefault((better(name), *values), name)
            if original != name:
                repeated[name] = original
    return repeated


def _column(
    rows: Sequence[Trained],
    name: str,
    repeated: Mapping[str, str],
    ratio: float,
    confidence: float,
) -> list[Cell]:
    sign = _sign(name)
    means = np.array([sign * row.mean(name) for row in rows])
    finite = np.isfinite(means)
    low = float(means[finite].min()) if finite.any() else math.nan
    best = finite & (means <= low + _TIE * abs(low))
    diagonal = [not row.corrected and _training_column(row, repeated) == name for row in rows]
    diagonal_mean = min(
        (means[i] for i in range(len(rows)) if diagonal[i] and finite[i]), default=math.nan
    )
    cells = []
    for i, row in enumerate(rows):
        values = row.fold_values.get(name, ())
        std = float(np.std(values, ddof=1)) if len(values) > 1 and finite[i] else math.nan
        cell = Cell(
            sign * float(means[i]),
            std,
            best=bool(best[i]),
            diagonal=diagonal[i],
            reason=None if finite[i] else _reason(row, name),
        )
        if finite[i]:
            excess = 0.0 if best[i] else float(means[i]) - low
            percent = 100.0 * excess / abs(low) if low else math.nan
            from_diagonal = float(means[i] - diagonal_mean)
            cell = replace(cell, excess=excess, percent=percent, from_diagonal=from_diagonal)
        cells.append(cell)
    reference = first_best(cells)
    for i, cell in enumerate(cells):
        if reference is None or cell.best or not finite[i]:
            continue
        comparison = compare_paired(
            sign * np.array(rows[i].fold_values[name]),
            sign * np.array(rows[reference].fold_values[name]),
            test_train_ratio=ratio,
            confidence=confidence,
        )
        cells[i] = replace(cell, comparison=comparison, reason=comparison.reason)
    return cells


def _training_column(row: Trained, repeated: Mapping[str, str]) -> str | None:
    return None if row.column is None else repeated.get(row.column, row.column)


def _reason(row: Trained, name: str) -> str:
    if row.error is not None:
        return f"failed: {row.error}"
    values = row.fold_values.get(name)
    if values is None:
        response = LOSSES[name].properties.response if name in LOSSES else "predict_proba"
        if row.calibration is None and response == "predict_proba":
            return "the model does not predict probabilities"
        return "does not apply to this model"
    fold = next(i for i, value in enumerate(values) if not math.isfinite(value))
    return f"fold {fold + 1} of {len(values)} has no finite value"
