"""Submission file: predictions of the best model, fitted on all rows, for the test rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import clone

from xentexp.errors import InputError
from xentexp.experiments._fitting import fit
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._results import Candidate
from xentexp.experiments.datasets import Dataset
from xentexp.scorers import predict


def submit(
    file: Path,
    board: Leaderboard,
    candidates: Sequence[Candidate],
    dataset: Dataset,
    *,
    grouped: bool,
) -> None:
    """Refit the best candidate on all rows and write its probabilities for the test rows."""
    best = board.best()
    if best is None:
        raise InputError(
            f"submission needs a model with a value of {board.primary}; no model has one"
        )
    assert dataset.test is not None
    assert dataset.test.index is not None
    candidate = next(c for c in candidates if c.name == best.model)
    try:
        groups = dataset.groups if grouped else None
        model = fit(clone(candidate.estimator), dataset, slice(None), groups)
        proba, _ = predict(model, dataset.test.X, dataset.classes)
    except Exception as error:
        raise InputError(
            f"submission: {best.model} failed when it was fitted on all rows: {error}"
        ) from error
    if proba is None:
        raise InputError(
            f"submission needs probabilities, but {best.model} does not provide them; choose a "
            f"primary that needs probabilities, or leave the model out"
        )
    frame = pd.DataFrame(proba, columns=list(dataset.test.columns))
    frame.insert(0, dataset.test.index_name, dataset.test.index.to_numpy())
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        frame.to_csv(partial, index=False)
        partial.replace(file)
    except OSError as error:
        raise InputError(
            f"submission: {file} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
