"""Fits of estimators on folds, several at once; one that fails, or dies, is told and not raised."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any

import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.typing import NDArray
from sklearn.base import clone

from xentexp.folds import Fold
from xentexp.scorers import predict
from xentexp.tuning import TunedClassifier

FloatArray = NDArray[np.float64]
Job = tuple[Any, Fold]


@dataclass(frozen=True)
class FoldPrediction:
    """What one fit gave: predictions of the test rows, times, warnings; or why it failed.

    `trials` are those of a search of settings, see `TunedClassifier`, and `best_trial` the one
    whose settings it took.
    """

    fold: Fold
    proba: FloatArray | None = None
    decision: FloatArray | None = None
    started: float = 0.0
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    traceback: str | None = None
    trials: tuple[dict[str, Any], ...] = ()
    best_trial: int | None = None


def fit_all(
    jobs: Sequence[Job],
    X: pd.DataFrame,
    y: pd.Series[Any],
    classes: Sequence[Any],
    *,
    n_jobs: int,
) -> Generator[tuple[int, FoldPrediction]]:
    """Fit each estimator on its fold and predict the test rows.

    Parameters
    ----------
    jobs : sequence of (estimator, Fold)
        What is fitted on what; estimators are cloned.
    X : DataFrame
        All rows.
    y : Series
        Their labels.
    classes : sequence
        Every class, in order.
    n_jobs : int
        Processes; -1 for as many as there are cores.

    Yields
    ------
    number : int
        Place of the job.
    prediction : FoldPrediction
        As it is done; not in order.
    """
    left = dict(enumerate(jobs))
    try:
        for number, prediction in _parallel(dict(left), X, y, classes, n_jobs):
            del left[number]
            yield number, prediction
        return
    except TerminatedWorkerError:
        pass
    # Which fit took its process down is not known: each that is left gets one of its own.
    for number, job in list(left.items()):
        try:
            yield from _parallel({number: job}, X, y, classes, 2)
        except TerminatedWorkerError:
            yield (
                number,
                FoldPrediction(job[1], error="its process died: out of memory, or a crash"),
            )


def _parallel(
    jobs: dict[int, Job], X: pd.DataFrame, y: pd.Series[Any], classes: Sequence[Any], n_jobs: int
) -> Generator[tuple[int, FoldPrediction]]:
    workers = min(joblib.effective_n_jobs(n_jobs), max(len(jobs), 1 if n_jobs == 1 else 2))
    fits = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", max_nbytes=None)(
        joblib.delayed(_fit_predict)(number, estimator, X, y, classes, fold)
        for number, (estimator, fold) in jobs.items()
    )
    try:
        yield from fits
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib tells of fits that an interrupt left over
            fits.close()


def _fit_predict(
    number: int,
    estimator: Any,
    X: pd.DataFrame,
    y: pd.Series[Any],
    classes: Sequence[Any],
    fold: Fold,
) -> tuple[int, FoldPrediction]:
    started = time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = None
        try:
            model = clone(estimator)
            start = perf_counter()
            fit_grouped(model, X.iloc[fold.train], y.iloc[fold.train], fold.groups)
            fitted = perf_counter()
            proba, decision = predict(model, X.iloc[fold.test], classes)
            predicted = perf_counter()
        except Exception as error:  # a candidate may fail in any way; it is reported as such
            message = f"{type(error).__name__}: {error}".strip().split("\n")[0]
            return number, FoldPrediction(
                fold,
                started=started,
                error=message,
                traceback=traceback.format_exc(),
                trials=tuple(getattr(model, "trials_", ())),
            )
    messages = {f"{w.category.__name__}: {str(w.message).strip().splitlines()[0]}" for w in caught}
    return number, FoldPrediction(
        fold,
        proba,
        decision,
        started,
        fitted - start,
        predicted - fitted,
        tuple(sorted(messages)),
        trials=tuple(model.trials_) if isinstance(model, TunedClassifier) else (),
        best_trial=model.best_index_ if isinstance(model, TunedClassifier) else None,
    )


def fit_grouped(model: Any, X: pd.DataFrame, y: pd.Series[Any], groups: Any) -> Any:
    """Fit a model, which hears of the groups where it splits the rows itself.

    Parameters
    ----------
    model : estimator
        Unfitted.
    X : DataFrame
        Training rows.
    y : Series
        Their labels.
    groups : array-like of shape (n,) or None
        Rows of a group belong together.

    Returns
    -------
    estimator
        The same, fitted.
    """
    if groups is not None and isinstance(model, TunedClassifier):
        return model.fit(X, y, groups=groups)
    return model.fit(X, y)
