"""Submission file: predictions of the best model, fitted on all rows, for the test rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import clone

from xentexp.errors import InputError
from xentexp.experiments._fitting import fit
from xentexp.experiments._folds import Fold, rows_of_all
from xentexp.experiments._formatting import harmless
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._new_files import FileOption, write_new
from xentexp.experiments._results import Candidate
from xentexp.experiments.datasets import Dataset
from xentexp.scorers import predict

SUBMISSION = FileOption("submission", "set overwrite=true")


def submit(
    file: Path,
    board: Leaderboard,
    candidates: Sequence[Candidate],
    dataset: Dataset,
    folds: Sequence[Fold],
    *,
    overwrite: bool = False,
) -> str:
    """Refit the best model on all rows, write its probabilities for the test rows; its name."""
    best = board.best()
    if best is None:
        raise InputError(
            f"submission needs a model with a value of {board.primary}; no model has one"
        )
    assert dataset.test is not None
    assert dataset.test.index is not None
    candidate = next(c for c in candidates if c.name == best.model)
    try:
        model = fit(clone(candidate.estimator), dataset, *rows_of_all(dataset, folds))
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
    frame = pd.DataFrame(proba, columns=list(map(harmless, dataset.test.columns)))
    index = [harmless(value) for value in dataset.test.index.to_numpy()]
    frame.insert(0, harmless(dataset.test.index_name), index)
    # Checked again: the fits take time.
    write_new(file, lambda path: frame.to_csv(path, index=False), SUBMISSION, overwrite=overwrite)
    return candidate.name
