"""Fit estimators on folds in parallel; errors of a fit are recorded, not raised."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter, time
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.experiments._engines.base import Engine, Lost
from xentexp.experiments._explain import Explanation, Plan, explain_fold, explain_variant
from xentexp.experiments._folds import Fold, Rows
from xentexp.experiments._process_settings import no_autologging, recorded_warnings
from xentexp.experiments.datasets import Dataset
from xentexp.scorers import predict
from xentexp.tuning import TunedClassifier
from xentexp.tuning._weights import fit_arguments

Settings = Mapping[str, Mapping[str, object]]  # variant name -> parameters to set
Job = tuple[Any, Fold, Settings]  # estimator (cloned before the fit), fold, variants
_THREADS_OF = {"lightgbm": "n_jobs", "xgboost": "n_jobs", "catboost": "thread_count"}
Curve = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class FoldPrediction:
    """Result of one fit: predictions of the test rows, times and warnings, or the error."""

    fold: Fold
    proba: FloatArray | None = None
    decision: FloatArray | None = None
    started: float = 0.0  # seconds since the epoch
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    traceback: str | None = None
    curve: Curve | None = None  # learning curve: part ("train", "valid") -> loss -> values
    variants: Mapping[str, FoldPrediction] = field(default_factory=dict)  # of the same fit, by name
    trials: tuple[dict[str, Any], ...] = ()  # `trials_` of a TunedClassifier
    best_trial: int | None = None
    explanation: Explanation | None = None

    @property
    def explain_seconds(self) -> float:
        """Time of the explanation."""
        return 0.0 if self.explanation is None else self.explanation.seconds


def fit_all(
    jobs: Sequence[Job],
    dataset: Dataset,
    *,
    engine: Engine,
    n_jobs: int | None,
    threads: int = 1,
    plan: Plan | None = None,
) -> Generator[tuple[int, FoldPrediction]]:
    """Run each job; yield its index and result as soon as it is complete, in any order."""
    calls = {number: (job, plan, threads) for number, job in enumerate(jobs)}
    results = engine.run(_fit_predict, calls, dataset, n_jobs=n_jobs, threads=threads)
    try:
        for number, prediction in results:
            if isinstance(prediction, Lost):
                prediction = FoldPrediction(jobs[number][1], error=prediction.reason)
            yield number, prediction
    finally:
        results.close()


def _fit_predict(dataset: Dataset, job: Job, plan: Plan | None, threads: int) -> FoldPrediction:
    estimator, fold, settings = job
    X = dataset.X
    if fold.of_test_set:
        assert dataset.test is not None
        X, plan = dataset.test.X, None
    started = time()
    with recorded_warnings() as caught:
        model = None
        try:
            model = with_threads(clone(estimator), threads)
            start = perf_counter()
            fit(model, dataset, fold.train, fold.groups)
            fit_seconds = perf_counter() - start

            def predict_test_part() -> FoldPrediction:
                start = perf_counter()
                proba, decision = predict(model, X.iloc[fold.test], dataset.classes)
                seconds = perf_counter() - start
                return FoldPrediction(fold, proba, decision, started, fit_seconds, seconds)

            prediction = predict_test_part()
            if plan is not None:
                scores = (prediction.proba, prediction.decision)
                explanation = explain_fold(model, fold, dataset, scores, plan)
                prediction = replace(prediction, explanation=explanation)
            curve = getattr(_final_classifier(model), "learning_curve_", None)
            variants = {}
            for name, parameters in settings.items():
                model.set_params(**parameters)
                variant = predict_test_part()
                if plan is not None:
                    scores = (variant.proba, variant.decision)
                    explanation = explain_variant(fold, dataset, scores, plan)
                    variant = replace(variant, explanation=explanation)
                variants[name] = variant
        except (Exception, SystemExit) as error:  # a candidate may fail in any way
            if isinstance(error, SystemExit) and _of_signal(error):
                raise
            kind = "" if type(error) is InputError else f"{type(error).__name__}: "
            message = f"{kind}{error}".strip().split("\n")[0]
            return FoldPrediction(
                fold,
                started=started,
                error=message,
                traceback=traceback.format_exc(),
                trials=tuple(getattr(model, "trials_", ())),
            )
    messages = {f"{w.category.__name__}: {str(w.message).strip().splitlines()[0]}" for w in caught}
    if prediction.explanation is not None:
        messages.update(prediction.explanation.errors)
    prediction = replace(
        prediction, warnings=tuple(sorted(messages)), curve=curve, variants=variants
    )
    if isinstance(model, TunedClassifier):
        prediction = replace(prediction, trials=tuple(model.trials_), best_trial=model.best_index_)
    return prediction


def _of_signal(error: SystemExit) -> bool:
    """Whether a signal ends the process, as `xentexp run` does; models may exit themselves."""
    return isinstance(error.code, int) and error.code > 128


def fit(model: Any, dataset: Dataset, rows: Rows, groups: Any) -> Any:
    """Fit a model with the weights; one that splits its rows again gets the groups too."""
    weight = None if dataset.sample_weight is None else dataset.sample_weight[rows]
    arguments = fit_arguments(model, weight, groups)
    with no_autologging():
        return model.fit(dataset.X.iloc[rows], dataset.y.iloc[rows], **arguments)


def with_threads(model: Any, threads: int) -> Any:
    """Set the threads of boosters that have no number of their own: they take all cores then."""
    parts = [model, *model.get_params(deep=True).values()] if hasattr(model, "get_params") else []
    for part in parts:
        package = type(part).__module__.partition(".")[0]
        parameter = _THREADS_OF.get(package)
        if parameter is None or isinstance(part, type) or not hasattr(part, "get_params"):
            continue
        if part.get_params(deep=False).get(parameter) is None:
            part.set_params(**{parameter: threads})
    return model


def _final_classifier(model: Any) -> Any:
    """Last step of a pipeline, or of the pipeline that a search selected."""
    model = getattr(model, "best_estimator_", model)
    return model[-1] if isinstance(model, Pipeline) else model
