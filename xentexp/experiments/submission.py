"""A submission file: the best model, fitted on all rows, predicts the data set's test rows."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
from sklearn.base import clone

from xentexp.errors import InputError
from xentexp.experiments.fitting import fit_grouped
from xentexp.scorers import predict


def submit(study: Any, best: Any) -> None:
    """Refit the best candidate on all rows and write its probabilities for the test rows.

    Parameters
    ----------
    study : Study
        With the file's name.
    best : Row or None
        Of the leaderboard.

    Raises
    ------
    InputError
        Where the model cannot, or the file cannot be written.
    """
    if best is None:
        raise InputError(f"submission needs a model with {study.primary}; none has it")
    dataset = study.dataset
    candidate = next(c for c in study.candidates if c.name == best.model)
    try:
        groups = dataset.groups if study.config["cv"]["kind"] == "grouped" else None
        model = fit_grouped(clone(candidate.estimator), dataset.X, dataset.y, groups)
        proba, _ = predict(model, dataset.test.X, dataset.classes)
    except Exception as error:
        raise InputError(f"submission: {best.model} failed on all rows: {error}") from error
    if proba is None:
        raise InputError(f"submission needs probabilities, which {best.model} has not")
    frame = pd.DataFrame(proba, columns=list(dataset.test.columns))
    frame.insert(0, dataset.test.index_name, dataset.test.index.to_numpy())
    partial = study.submission.with_name(f".{study.submission.name}.{os.getpid()}")
    try:
        frame.to_csv(partial, index=False)
        partial.replace(study.submission)
    except OSError as error:
        raise InputError(f"submission {study.submission}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
