"""Fits of estimators on folds, several at once; a fit that fails is reported, not raised."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter, time
from typing import Any

import joblib
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from xentexp._numerics import FloatArray
from xentexp.experiments._folds import Fold
from xentexp.scorers import predict
from xentexp.tuning import TunedClassifier

Settings = Mapping[str, Mapping[str, object]]
Job = tuple[Any, Fold, Settings]
Curve = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class FoldPrediction:
    """What one fit gave: predictions of the test rows, times, warnings; or why it failed."""

    fold: Fold
    proba: FloatArray | None = None
    decision: FloatArray | None = None
    started: float = 0.0
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    traceback: str | None = None
    curve: Curve | None = None
    variants: Mapping[str, FoldPrediction] = field(default_factory=dict)
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
    """Fit each estimator on its fold and predict the test rows."""
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
        joblib.delayed(_fit_predict)(number, job, X, y, classes) for number, job in jobs.items()
    )
    try:
        yield from fits
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib tells of fits that an interrupt left over
            fits.close()


def _fit_predict(
    number: int, job: Job, X: pd.DataFrame, y: pd.Series[Any], classes: Sequence[Any]
) -> tuple[int, FoldPrediction]:
    estimator, fold, settings = job
    started = time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = None
        try:
            model = clone(estimator)
            start = perf_counter()
            fit_grouped(model, X.iloc[fold.train], y.iloc[fold.train], fold.groups)
            fit_seconds = perf_counter() - start

            def told() -> FoldPrediction:
                start = perf_counter()
                proba, decision = predict(model, X.iloc[fold.test], classes)
                seconds = perf_counter() - start
                return FoldPrediction(fold, proba, decision, started, fit_seconds, seconds)

            first = told()
            curve = getattr(_last(model), "learning_curve_", None)
            variants = {}
            for name, changed in settings.items():
                model.set_params(**changed)
                variants[name] = told()
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
    told_of = tuple(sorted(messages))
    whole = replace(first, warnings=told_of, curve=curve, variants=variants)
    if isinstance(model, TunedClassifier):
        whole = replace(whole, trials=tuple(model.trials_), best_trial=model.best_index_)
    return number, whole


def fit_grouped(model: Any, X: pd.DataFrame, y: pd.Series[Any], groups: Any) -> Any:
    """Fit a model, which hears of the groups where it splits the rows itself."""
    if groups is not None and isinstance(model, TunedClassifier):
        return model.fit(X, y, groups=groups)
    return model.fit(X, y)


def _last(model: Any) -> Any:
    """The classifier: what a search chose, and what ends a pipeline."""
    model = getattr(model, "best_estimator_", model)
    return model[-1] if isinstance(model, Pipeline) else model
