"""Fit and score candidates on folds of a data set; nothing here prints or stores."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from xentexp.errors import InputError
from xentexp.experiments._fitting import FoldPrediction, fit_all
from xentexp.experiments._folds import CrossValidation, Fold
from xentexp.experiments._results import Candidate, CandidateResult, ExperimentResult
from xentexp.experiments._scoring import Measures, choose_measures, regret_of, score_fold
from xentexp.experiments.datasets import Dataset
from xentexp.losses import Loss
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._registry import get_metric


def run_experiment(
    dataset: Dataset,
    candidates: Mapping[str, Any] | Sequence[Candidate],
    cv: int | CrossValidation | Sequence[Fold] = 5,
    *,
    losses: str | Loss | Sequence[str | Loss] | None = None,
    metrics: str | DatasetMetric | Sequence[str | DatasetMetric] | None = None,
    primary: str | Metric = "categorical_crossentropy",
    n_jobs: int = 1,
    on_fold: Callable[[str], None] | None = None,
    on_result: Callable[[CandidateResult], None] | None = None,
) -> ExperimentResult:
    """Fit each candidate on each fold and score what it predicts out of fold.

    Parameters
    ----------
    dataset : Dataset
        Rows and labels.
    candidates : mapping of str to estimator, or sequence of Candidate
        Unfitted classifiers by name. They get the columns of the data set as they are:
        `tabular_pipeline` puts a preprocessing before one that needs numbers without gaps. A
        candidate that fails does not stop the others.
    cv : int, CrossValidation or sequence of Fold, default=5
        Number of shuffled stratified folds, another way to split, or the folds themselves.
    losses : str, Loss or sequence of them, optional
        Which losses; all that apply to a candidate by default.
    metrics : str, DatasetMetric or sequence of them, optional
        Which metrics of the whole data set; by default those of
        ``xentexp.metrics._registry.DEFAULT_METRICS`` that apply.
    primary : str, Loss or DatasetMetric, default="categorical_crossentropy"
        Loss or metric that ranks the candidates.
    n_jobs : int, default=1
        Fits that run at once; -1 for as many as there are cores.
    on_fold : callable, optional
        Called with the name of the candidate after each fit.
    on_result : callable, optional
        Called with the CandidateResult of each candidate as soon as it is complete.

    Returns
    -------
    ExperimentResult
        Prints as a table. Identical for identical arguments.

    Raises
    ------
    InputError
        For names that do not exist or do not apply to the number of classes, and for
        candidates or folds of another type.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> result = run_experiment(data, {"prior": DummyClassifier()}, cv=3)
    >>> round(result.leaderboard().best().mean["zero_one_loss"], 2)
    0.34
    """
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"dataset must be a Dataset, from load_dataset(NAME) or make_dataset(X, y, card); got "
            f"{type(dataset).__name__}"
        )
    candidates = _candidates(candidates)
    folds = _folds(dataset, cv)
    names = [name for candidate in candidates for name in (candidate.name, *candidate.variants)]
    if not names:
        raise InputError("models must name one model at least; got none")
    if len(set(names)) < len(names):
        raise InputError(f"models must be distinct; got {names}")
    if not folds:
        raise InputError("folds must be one at least; got none")
    first = get_metric(primary).name
    measures = choose_measures(dataset, losses, metrics, first)
    jobs = [(candidate, fold) for candidate in candidates for fold in folds]
    fits = fit_all(
        [(candidate.estimator, fold, candidate.variants) for candidate, fold in jobs],
        dataset.X,
        dataset.y,
        dataset.classes,
        n_jobs=n_jobs,
    )
    done: dict[str, dict[int, FoldPrediction]] = {candidate.name: {} for candidate in candidates}
    candidate_results: dict[str, list[CandidateResult]] = {}
    try:
        for number, prediction in fits:
            candidate = jobs[number][0]
            if on_fold is not None:
                on_fold(candidate.name)
            predictions = done[candidate.name]
            predictions[number] = prediction
            if len(predictions) == len(folds):
                in_order = tuple(predictions[number] for number in sorted(predictions))
                for reading, own in _readings(candidate, in_order):
                    candidate_result = _score(reading, own, dataset, measures)
                    candidate_results.setdefault(candidate.name, []).append(candidate_result)
                    if on_result is not None:
                        on_result(candidate_result)
    finally:
        fits.close()
    ordered = tuple(o for candidate in candidates for o in candidate_results[candidate.name])
    return ExperimentResult(dataset, tuple(folds), ordered, first)


def _candidates(given: Mapping[str, Any] | Iterable[Candidate]) -> list[Candidate]:
    if isinstance(given, Mapping):
        candidates = [Candidate(name, estimator) for name, estimator in given.items()]
    else:
        candidates = list(given) if isinstance(given, Iterable) else [given]
    for candidate in candidates:
        if not isinstance(candidate, Candidate):
            raise InputError(
                f"candidates must be a mapping of names to estimators, or a sequence of Candidate; "
                f"got {candidate!r}"
            )
        estimator = candidate.estimator
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise InputError(
                f"candidate {candidate.name} must be an unfitted classifier, an object with a fit "
                f"method; got {estimator!r}"
            )
    return candidates


def _folds(dataset: Dataset, cv: int | CrossValidation | Iterable[Fold]) -> list[Fold]:
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = CrossValidation(n_splits=int(cv))
    if isinstance(cv, CrossValidation):
        return list(cv.folds(dataset))
    folds: list[Any] = list(cv) if isinstance(cv, Iterable) and not isinstance(cv, str) else [cv]
    for fold in folds:
        if not isinstance(fold, Fold):
            raise InputError(
                f"cv must be a number of folds, a CrossValidation such as "
                f"CrossValidation('grouped'), or a sequence of Fold; got {fold!r}"
            )
    return folds


def _readings(
    candidate: Candidate, predictions: tuple[FoldPrediction, ...]
) -> list[tuple[Candidate, tuple[FoldPrediction, ...]]]:
    """A candidate and its variants, with the predictions of each."""
    readings = [(candidate, predictions)]
    if any(prediction.error is not None for prediction in predictions):
        return readings  # a failure is reported once
    for name, settings in candidate.variants.items():
        parameters = {**candidate.parameters, **settings}
        variant = replace(
            candidate, name=name, parameters=parameters, variants={}, variant_of=candidate.name
        )
        readings.append((variant, tuple(p.variants[name] for p in predictions)))
    return readings


def _score(
    candidate: Candidate,
    predictions: tuple[FoldPrediction, ...],
    dataset: Dataset,
    measures: Measures,
) -> CandidateResult:
    failed = next((p for p in predictions if p.error is not None), None)
    if failed is not None:
        reason = f"fold {failed.fold.number}: {failed.error}"
        return CandidateResult(candidate, predictions, error=reason, traceback=failed.traceback)
    try:
        scored = [score_fold(prediction, dataset, measures) for prediction in predictions]
        regrets = tuple(
            regret_of(prediction, dataset, measures.losses) for prediction in predictions
        )
    except InputError as error:  # predictions that are no probabilities are the model's failure
        return CandidateResult(
            candidate, predictions, error=str(error), traceback=traceback.format_exc()
        )
    return CandidateResult(
        candidate,
        predictions,
        tuple(fold.state for fold in scored),
        tuple(fold.metrics for fold in scored),
        regrets if dataset.true_proba is not None else (),
    )


__all__ = ["Candidate", "run_experiment"]
