"""Submission file: predictions of the best model, fitted on all rows, for the test rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments._formatting import harmless
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._new_files import FileOption, write_new
from xentexp.experiments._serving.refit import Refits
from xentexp.experiments.datasets import Dataset
from xentexp.scorers import predict

SUBMISSION = FileOption("submission", "set overwrite=true")


def submit(
    file: Path,
    board: Leaderboard,
    refits: Refits,
    dataset: Dataset,
    *,
    overwrite: bool = False,
) -> str:
    """Write probabilities of the best model, fitted on all rows, for the test rows; its name."""
    best = board.best()
    if best is None:
        raise InputError(
            f"submission needs a model with a value of {board.primary}; no model has one"
        )
    assert dataset.test is not None
    assert dataset.test.index is not None
    refit = refits.of([best.model])[best.model]
    if refit.error is not None:
        raise InputError(
            f"submission: {best.model} failed when it was fitted on all rows: {refit.error}"
        )
    try:
        proba, _ = predict(refit.model, dataset.test.X, dataset.classes)
    except Exception as error:
        raise InputError(
            f"submission: {best.model} failed when it predicted the test rows: {error}"
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
    return best.model
