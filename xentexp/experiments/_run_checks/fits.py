"""Checks of the fits and of the search of hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._formatting import dotted, sentence
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._run_checks.data import as_sentence
from xentexp.experiments._run_checks.issue import Issue

EDGE = 0.01
"""Part of a range that is its edge."""


def failed(record: RunRecord) -> Iterator[Issue]:
    """Models without a result."""
    for model in record.models:
        if model.error is not None:
            text = "{model} failed and is not compared: {error}"
            error = as_sentence(model.error)
            yield Issue("X401", True, sentence(text, model=model.name, error=error), (model.name,))


def fit_warnings(record: RunRecord) -> Iterator[Issue]:
    """Warnings of other libraries in the fits."""
    for model in record.models:
        for warning in dict.fromkeys(model.warnings):
            yield Issue(
                "X402",
                False,
                sentence("{model}: {warning}", model=model.name, warning=as_sentence(warning)),
                (model.name,),
            )


def has_search(record: RunRecord) -> bool:
    """Whether hyperparameters of some model were searched in a known space."""
    return any(model.trials is not None and model.space for model in record.models)


def search_edge(record: RunRecord) -> Iterator[Issue]:
    """Chosen hyperparameters at the edge of the range that was searched."""
    for model in record.models:
        if model.trials is None or not model.space:
            continue
        for name, dimension in model.space.items():
            if isinstance(dimension, Mapping) and {"low", "high"} <= set(dimension):
                yield from _at_edge(model, model.trials, dotted(name), dimension)


def _at_edge(
    model: ModelRecord, trials: pd.DataFrame, name: str, dimension: Mapping[str, Any]
) -> Iterator[Issue]:
    """One parameter that more than half of the folds chose at the same end of its range."""
    if name not in trials or "chosen" not in trials:
        return
    chosen = pd.to_numeric(trials.loc[trials["chosen"].astype(bool), name], errors="coerce")
    low, high = float(dimension["low"]), float(dimension["high"])
    for end, limit in (("low", low), ("high", high)):
        n = sum(_is_at(value, limit, low, high, dimension) for value in chosen)
        if 2 * n > len(chosen):
            yield Issue(
                "X403",
                False,
                sentence(
                    "{model}: the chosen {name} is at the {end} end {limit:.6g} of its range in "
                    "{folds_at_end} of {folds} folds; a wider range may give a lower loss, unless "
                    "{limit:.6g} is the limit of this parameter.",
                    model=model.name,
                    name=name.removeprefix("classifier."),
                    end=end,
                    limit=limit,
                    folds_at_end=n,
                    folds=len(chosen),
                ),
                (model.name,),
            )


def _is_at(
    value: float, limit: float, low: float, high: float, dimension: Mapping[str, Any]
) -> bool:
    """Whether a value is within 1% of the range from one of its ends."""
    if dimension.get("log"):
        value, limit, low, high = (math.log(x) for x in (value, limit, low, high))
    return bool(np.isfinite(value)) and abs(value - limit) <= EDGE * (high - low)
