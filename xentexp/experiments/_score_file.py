"""Losses and metrics of the predictions in a file, which may be larger than memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from xentexp._inputs.asarray import float_type, precision
from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.columns import printed_tolerance, row_sum_tolerance, row_sums
from xentexp._inputs.read import read
from xentexp._inputs.temporary import TemporaryArray
from xentexp._numerics import Array
from xentexp.errors import InputError, plain_errors
from xentexp.experiments._file_columns import Arrays, ArrowColumns, FileColumns, missing_rows
from xentexp.experiments._process_settings import library_threads
from xentexp.losses import Loss
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._evaluation import (
    Evaluation,
    check_applies,
    evaluate_checked,
    evaluate_state,
    losses_for,
)
from xentexp.metrics._registry import DEFAULT_METRICS, get_metric
from xentexp.metrics._running_sums import LossState, sum_losses
from xentexp.metrics._skill import losses_of


@dataclass(frozen=True)
class ScoredColumns:
    """Which columns of a file have the labels, predictions and weights, and how to read them."""

    target: str
    proba: tuple[str, ...] = ()
    decision: tuple[str, ...] = ()
    weight: str | None = None
    labels: tuple[Any, ...] | None = None
    from_logits: bool = False
    normalize: bool = False
    label_type: str = "O"  # of labels that are objects, in a file

    @property
    def names(self) -> list[str]:
        """All columns, each one once."""
        weight = [] if self.weight is None else [self.weight]
        return list(dict.fromkeys([self.target, *self.proba, *self.decision, *weight]))

    def check(self, arrays: Arrays, tolerance: float = 0.0) -> CheckedInput:
        """Checked input of the rows of some arrays."""
        return read(
            arrays["target"],
            arrays.get("proba"),
            decision=arrays.get("decision"),
            from_logits=self.from_logits,
            labels=self.labels,
            sample_weight=arrays.get("weight"),
            normalize=self.normalize,
            tolerance=tolerance,
        )

    def arrays(self, columns: Arrays, before: Arrays | None = None) -> Arrays:
        """Targets, predictions and weights of the rows with a label."""
        # `before`: matrices of the batch before, whose memory is used again.
        target = columns[self.target]
        found = {"target": target}
        for kind, names in (("proba", self.proba), ("decision", self.decision)):
            if names:
                found[kind] = _matrix([columns[name] for name in names], kind, before)
        if self.weight is not None:
            found["weight"] = columns[self.weight]
        missing = missing_rows(target)
        if missing is None:
            return found
        return {kind: array[~missing] for kind, array in found.items()}


def _matrix(columns: Sequence[Array], kind: str, before: Arrays | None) -> Array:
    """One column as a vector, several as a matrix."""
    if len(columns) == 1:
        return columns[0]
    if before is None:
        return np.column_stack(columns)
    dtype, n_rows = np.result_type(*columns), len(columns[0])
    if kind not in before or len(before[kind]) < n_rows or before[kind].dtype != dtype:
        before[kind] = np.empty((n_rows, len(columns)), dtype)
    return np.stack(columns, axis=1, out=before[kind][:n_rows])


class Scored(NamedTuple):
    """Values of the losses and metrics of a file."""

    n_rows: int
    classes: tuple[Any, ...]
    evaluation: Evaluation


def score_columns(
    file: FileColumns,
    columns: ScoredColumns,
    metrics: Sequence[Metric] | None,
    *,
    ordered: bool = False,
) -> Scored:
    """Values of some losses and metrics, or by default of all that apply."""
    if file.large and metrics is not None and (losses := needed_losses(metrics)) is not None:
        try:
            return score_batches(file, columns, metrics, losses)
        except InputError:
            # Some rules are about all rows, e.g. the tolerance of sums of printed probabilities.
            # The message is that for all rows, too.
            pass
    checked = _all_rows(file, columns)
    if metrics is None:
        chosen = [*losses_for(checked, ordered=ordered), *default_metrics(checked)]
        result = evaluate_checked(checked, chosen, undefined="nan")
    else:
        check_applies(checked, metrics)
        result = evaluate_checked(checked, metrics)
    return Scored(checked.n_rows, checked.classes, result)


def default_metrics(checked: CheckedInput) -> list[Metric]:
    """Default metrics that apply, except those that need class frequencies of training data."""
    metrics = map(get_metric, DEFAULT_METRICS)
    return [m for m in metrics if not m.properties.prior and m.why_not(checked) is None]


def _all_rows(file: FileColumns, columns: ScoredColumns) -> CheckedInput:
    """Checked input of all rows, which are in temporary files if the file is large."""
    batches = (columns.arrays(batch) for batch in file.batches(columns.names))
    if file.large:
        stored: dict[str, TemporaryArray] = {}
        for arrays in batches:
            for kind, array in arrays.items():
                if kind not in stored:
                    dtype = columns.label_type if array.dtype.kind == "O" else array.dtype
                    stored[kind] = TemporaryArray(dtype, array.shape[1:])
                stored[kind].append(array)
        arrays = {kind: array.mapped() for kind, array in stored.items()}
    else:
        [arrays] = batches
    proba = arrays.get("proba")
    return columns.check(arrays, 0.0 if proba is None else printed_tolerance(proba))


# -- sums over batches -------------------------------------------------------------------------


def needed_losses(metrics: Sequence[Metric]) -> list[Loss] | None:
    """Losses whose sums give all values; None if a metric needs the rows."""
    losses = [metric for metric in metrics if isinstance(metric, Loss)]
    for metric in metrics:
        if isinstance(metric, DatasetMetric):
            needed = losses_of(metric)
            if needed is None:
                return None
            losses += [loss for loss in needed if loss not in losses]
    return losses


def score_batches(
    file: FileColumns, columns: ScoredColumns, metrics: Sequence[Metric], losses: Sequence[Loss]
) -> Scored:
    """Values from sums over the rows, of which one batch at a time is in memory."""
    checked = first_rows(file, columns)
    check_applies(checked, metrics)
    states = [sum_part(file, columns, losses, part) for part in range(len(file.parts))]
    return of_states(checked, states, metrics)


def first_rows(file: FileColumns, columns: ScoredColumns) -> CheckedInput:
    """Checked input of the first batch that has labels."""
    with contextlib.closing(file.batches(columns.names)) as batches:
        arrays = (columns.arrays(batch) for batch in batches)
        return columns.check(next(found for found in arrays if len(found["target"])))


def of_states(
    checked: CheckedInput,
    states: Sequence[LossState | None],
    metrics: Sequence[Metric],
    *,
    undefined: Literal["raise", "nan"] = "raise",
) -> Scored:
    """Values from the sums of each part, in the order of the parts."""
    known = [state for state in states if state is not None]
    total = sum(known[1:], known[0])
    return Scored(
        total.n_rows, checked.classes, evaluate_state(checked, total, metrics, undefined=undefined)
    )


def sum_part(
    file: FileColumns, columns: ScoredColumns, losses: Sequence[Loss], part: int
) -> LossState | None:
    """Sums of losses over the rows of one part; None if no row has a label."""
    total: LossState | None = None
    before: Arrays = {}
    # BLAS adds up in another order with another number of threads.
    with library_threads(1), contextlib.closing(file.batches(columns.names, part)) as batches:
        for batch in batches:
            arrays = columns.arrays(batch, before)
            if len(arrays["target"]) == 0:
                continue
            checked = columns.check(arrays)
            if "proba" in arrays and not (columns.from_logits or columns.normalize):
                _check_sums(arrays["proba"])
            state, _ = sum_losses(checked, losses)
            total = state if total is None else total + state
    return total


def _check_sums(proba: Array) -> None:
    """Raise an InputError for row sums that only the precision of all rows can allow."""
    if proba.ndim == 2:
        sums = row_sums(proba.astype(float_type(proba), copy=False))
        tolerance = row_sum_tolerance(precision(proba, proba))
        if not (sums.min() >= 1.0 - tolerance and sums.max() <= 1.0 + tolerance):
            raise InputError("rows must sum to 1")


# -- on a cluster ------------------------------------------------------------------------------


def score_on_dask(
    file: ArrowColumns,
    columns: ScoredColumns,
    metrics: Sequence[Metric] | None,
    address: str | None,
    *,
    ordered: bool = False,
) -> tuple[Scored, list[str]]:
    """Values from sums that Dask workers compute, and names of the metrics that are left out."""
    from xentexp.experiments._engines.by_dask import DaskEngine

    checked = first_rows(file, columns)
    left_out: list[str] = []
    undefined: Literal["raise", "nan"] = "raise"
    if metrics is None:
        metrics = [*losses_for(checked, ordered=ordered), *default_metrics(checked)]
        left_out = [m.name for m in metrics if needed_losses([m]) is None]
        metrics = [metric for metric in metrics if metric.name not in left_out]
        undefined = "nan"
    check_applies(checked, metrics)
    for metric in metrics:
        if needed_losses([metric]) is None:
            raise InputError(
                f"--engine dask is for losses and for metrics that follow from their means; got "
                f"{metric.name}, which needs all rows in one place; leave it out of --losses, or "
                f"leave out --engine"
            )
    losses = needed_losses(metrics) or []
    with DaskEngine(address) as engine:
        futures = [
            engine.client.submit(_sum_file, file.only(part), columns, losses, pure=False)
            for part in range(len(file.parts))
        ]
        with plain_errors("Dask did not complete the sums of all files", OSError, "distributed"):
            results = engine.client.gather(futures)
    states = []
    for result in results:
        if isinstance(result, Path):
            raise InputError(
                f"the workers of Dask must see the files, at the same path; a worker does not see "
                f"{result}; use a folder that all machines share"
            )
        if isinstance(result, InputError):
            # The message for all rows, if they are invalid.
            for _ in _all_rows(file, columns).parts():
                pass
            raise InputError(
                f"the files must be such that each can be checked without the others ({result}); "
                f"leave out --engine"
            ) from result
        states.append(result)
    return of_states(checked, states, metrics, undefined=undefined), left_out


def _sum_file(
    file: ArrowColumns, columns: ScoredColumns, losses: Sequence[Loss]
) -> LossState | InputError | Path | None:
    """Sums over the rows of one file, on a worker; or the error, or the file if it is missing."""
    missing = file.missing_file()
    if missing is not None:
        return missing
    try:
        return sum_part(file, columns, losses, 0)
    except InputError as error:
        return error  # not raised, because the worker would print a traceback
