"""Fit and score candidates on folds of a data set, without printing or logging."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from xentexp._inputs.options import check_integer, check_n_jobs
from xentexp.errors import InputError
from xentexp.experiments._engines.base import Engine
from xentexp.experiments._engines.choose import as_engine
from xentexp.experiments._explain import Explain, make_plan
from xentexp.experiments._fitting import FoldPrediction, fit_all
from xentexp.experiments._folds import (
    CrossValidation,
    Fold,
    check_weights,
    fold_of_test_set,
    with_entities,
)
from xentexp.experiments._predictions import of_candidate
from xentexp.experiments._process_settings import library_threads
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
    explain: Explain | None = None,
    n_jobs: int | None = None,
    engine: str | Engine | None = None,
    threads_per_fit: int = 1,
    on_fold: Callable[[str], None] | None = None,
    on_result: Callable[[CandidateResult], None] | None = None,
) -> ExperimentResult:
    """Compare classifiers by cross-validation, with any losses and metrics.

    Each candidate is cloned and fitted on the training part of each fold. Losses and metrics are
    computed from its predictions of the test parts. All candidates use the same folds. If the data
    set has weights, they count in every fit, loss and metric. If it has a labelled test set, each
    candidate is also fitted once on all rows and scored on the test set.

    Parameters
    ----------
    dataset : Dataset
        Features and labels, from `load_dataset` or `make_dataset`.
    candidates : mapping of str to estimator, or sequence of Candidate
        Unfitted classifiers by name. They receive the columns of the data set unchanged; wrap
        an estimator that needs numeric columns without missing values in `tabular_pipeline`. If
        a candidate raises an error, or does not accept the weights of the data set, the result
        records it and the other candidates continue.
    cv : int, CrossValidation or sequence of Fold, default=5
        Number of shuffled stratified folds, a splitting strategy such as
        ``CrossValidation("grouped")``, or folds that ``CrossValidation.folds`` returned.
    losses : str, Loss or sequence of them, default=None
        Losses to compute, by name or as objects. By default all losses that apply to the
        classes and to the predictions of a candidate (probabilities or decision scores).
    metrics : str, DatasetMetric or sequence of them, default=None
        Metrics of the whole data set to compute, such as ``"roc_auc"``. By default the usual ones
        that apply: AUC, Gini, KS and H-measure, perplexity, skill (D2), balanced losses, and
        calibration errors, slope and intercept. Pass ``[]`` for none.
    primary : str, Loss or DatasetMetric, default="categorical_crossentropy"
        Loss or metric that ranks the candidates. It must be among those that are computed.
    explain : Explain, default=None
        What to compute beside each fit: the importance of the features and the bias in segments
        of the rows. It is stored as `explanation` of each prediction of a fold. By default
        nothing.
    n_jobs : int or None, default=None
        Number of fits that run in parallel; -1 for all cores, or for all workers of a cluster.
        None is 1, unless joblib's `parallel_config` sets another number, and -1 with the engines
        dask and ray. It does not change the result.
    engine : {"local", "threads", "dask", "ray"}, Engine or None, default=None
        Where the fits run: in processes of this computer, in threads of this process, or on a
        cluster. None is the active backend of joblib: processes, unless `parallel_config` sets
        another one. It does not change the result.
    threads_per_fit : int, default=1
        Number of threads of BLAS, OpenMP and torch within each fit, and of boosters whose
        ``n_jobs`` or ``thread_count`` is not set. Another number may change the last digits.
    on_fold : callable, default=None
        Function that is called with the name of the candidate after each fit.
    on_result : callable, default=None
        Function that is called with the `CandidateResult` of each candidate when it is complete.

    Returns
    -------
    ExperimentResult
        Results of all candidates; prints as a table, best candidate first. Equal arguments give
        equal values, apart from times, if parameters such as ``random_state`` of the candidates
        are integers.

    Raises
    ------
    InputError
        If a name is unknown, a loss or metric does not apply to the classes of the data set,
        `primary` is not computed or does not rank, all rows of a part of a fold have the weight 0,
        or `dataset`, `candidates` or `cv` have the wrong type.

    See Also
    --------
    CrossValidation : Ways to split the rows.
    tabular_pipeline : Preprocessing for tables of mixed columns.
    xentexp.evaluate : Losses and metrics of predictions that exist already.

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
            f"dataset must be a Dataset; got {type(dataset).__name__}; make one with "
            f"load_dataset(NAME) or make_dataset(X, y, card)"
        )
    check_n_jobs(n_jobs)
    check_integer("threads_per_fit", threads_per_fit, 1)
    opened = as_engine(engine)
    candidates = _candidates(candidates)
    folds = _folds(dataset, cv)
    names = [name for candidate in candidates for name in (candidate.name, *candidate.variants)]
    if not names:
        raise InputError("candidates must contain at least one model; got none")
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"names of candidates and variants must be unique; duplicates: {', '.join(duplicates)}"
        )
    if not folds:
        raise InputError("cv must contain at least one fold; got none")
    first = get_metric(primary).name
    measures = choose_measures(dataset, losses, metrics, first)
    check_weights(dataset, folds)
    loss = next((loss for loss in measures.losses or () if loss.name == first), get_metric(first))
    plan = make_plan(dataset, explain, loss, len(folds))
    fitted = list(folds)
    if dataset.test is not None and dataset.test.y is not None:
        fitted.append(fold_of_test_set(dataset, folds))
    jobs = [(candidate, fold) for candidate in candidates for fold in fitted]
    by_candidate: dict[str, dict[int, FoldPrediction]] = {c.name: {} for c in candidates}
    candidate_results: dict[str, list[CandidateResult]] = {}
    with opened:
        fits = fit_all(
            [(candidate.estimator, fold, candidate.variants) for candidate, fold in jobs],
            dataset,
            engine=opened,
            n_jobs=n_jobs,
            threads=threads_per_fit,
            plan=plan,
        )
        try:
            for number, prediction in fits:
                candidate = jobs[number][0]
                if on_fold is not None:
                    on_fold(candidate.name)
                predictions = by_candidate[candidate.name]
                predictions[number] = prediction
                if len(predictions) < len(fitted):
                    continue
                in_order = tuple(predictions[number] for number in sorted(predictions))
                for variant, variant_predictions in _with_variants(candidate, in_order):
                    # Fits in threads of this process would limit the threads of BLAS at times.
                    with library_threads(threads_per_fit):
                        candidate_result = _score(
                            variant, variant_predictions, len(folds), dataset, measures
                        )
                    candidate_results.setdefault(candidate.name, []).append(candidate_result)
                    if on_result is not None:
                        on_result(candidate_result)
        finally:
            fits.close()
    ordered = tuple(o for candidate in candidates for o in candidate_results[candidate.name])
    computed: tuple[Metric, ...] = (*(measures.losses or ()), *measures.metrics)
    return ExperimentResult(dataset, tuple(folds), ordered, first, measures=computed)


def _candidates(models: Mapping[str, Any] | Iterable[Candidate]) -> list[Candidate]:
    if isinstance(models, Mapping):
        candidates = [Candidate(name, estimator) for name, estimator in models.items()]
    else:
        candidates = list(models) if isinstance(models, Iterable) else [models]
    for candidate in candidates:
        if not isinstance(candidate, Candidate):
            raise InputError(
                f"candidates must be a mapping of names to estimators, or a sequence of Candidate; "
                f"got {candidate!r}"
            )
        estimator = candidate.estimator
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise InputError(
                f"candidate {candidate.name} must be a classifier object with a fit method; got "
                f"{estimator!r}"
            )
    return candidates


def _folds(dataset: Dataset, cv: int | CrossValidation | Iterable[Fold]) -> list[Fold]:
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = CrossValidation(n_splits=int(cv))
    if isinstance(cv, CrossValidation):
        folds_of_cv = cv.folds(dataset)
        if cv.kind in ("grouped", "time_ordered"):
            return folds_of_cv
        return with_entities(folds_of_cv, dataset.entities())
    folds: list[Any] = list(cv) if isinstance(cv, Iterable) and not isinstance(cv, str) else [cv]
    for fold in folds:
        if not isinstance(fold, Fold):
            raise InputError(
                f"cv must be a number of folds, a CrossValidation such as "
                f"CrossValidation('grouped'), or a sequence of Fold; got {fold!r}"
            )
    return folds


def _with_variants(
    candidate: Candidate, predictions: tuple[FoldPrediction, ...]
) -> list[tuple[Candidate, tuple[FoldPrediction, ...]]]:
    """A candidate and its variants, with the predictions of each."""
    result = [(candidate, predictions)]
    if any(p.error is not None for p in predictions if not p.fold.of_test_set):
        return result  # a failure is reported only for the candidate
    for name, settings in candidate.variants.items():
        parameters = {**candidate.parameters, **settings}
        variant = replace(
            candidate, name=name, parameters=parameters, variants={}, variant_of=candidate.name
        )
        # A failed fit on all training rows has no variants.
        result.append((variant, tuple(p.variants.get(name, p) for p in predictions)))
    return result


def _score(
    candidate: Candidate,
    predictions: tuple[FoldPrediction, ...],
    n_folds: int,
    dataset: Dataset,
    measures: Measures,
) -> CandidateResult:
    predictions, of_test_set = predictions[:n_folds], predictions[n_folds:]
    failed = next((p for p in predictions if p.error is not None), None)
    if failed is not None:
        reason = f"fold {failed.fold.number}: {failed.error}"
        return CandidateResult(candidate, predictions, error=reason, traceback=failed.traceback)
    try:
        predicted = of_candidate(predictions, dataset)
        scored = [score_fold(fold, predicted, measures) for fold in predicted.folds]
        regrets = tuple(
            regret_of(prediction, dataset, measures.losses) for prediction in predictions
        )
    except InputError as error:  # e.g. predictions that are not valid probabilities
        return CandidateResult(
            candidate, predictions, error=str(error), traceback=traceback.format_exc()
        )
    candidate_result = CandidateResult(
        candidate,
        predictions,
        tuple(fold.state for fold in scored),
        tuple(fold.metrics for fold in scored),
        regrets if dataset.true_proba is not None else (),
    )
    for prediction in of_test_set:
        candidate_result = replace(
            candidate_result, test_prediction=prediction, test_error=prediction.error
        )
        if prediction.error is None:
            try:
                predicted = of_candidate([prediction], dataset)
                test = score_fold(predicted.folds[0], predicted, measures)
                candidate_result = replace(candidate_result, test=test)
            except InputError as error:
                candidate_result = replace(candidate_result, test_error=str(error))
    return candidate_result


__all__ = ["Candidate", "run_experiment"]
