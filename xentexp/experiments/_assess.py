"""Compare models by their predictions of the same rows: intervals, differences and the answer.

The centre of every interval is the value that tables show: the mean over the folds. Each row of a
fold counts with its share of the weight of the fold, so that the mean over the rows of all folds is
the mean over the folds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.options import check_number
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.experiments._predictions import PredictedFold, Predictions
from xentexp.experiments._ranking import better, distance
from xentexp.experiments._sentences import (
    FEW_EVENTS,
    NEARLY_EQUAL,
    Standing,
    answer_of,
    rule_of,
)
from xentexp.experiments._uncertainty import (
    CONSTANT,
    ModelUncertainty,
    Uncertainty,
    place_of,
    practical,
    standing_of,
)
from xentexp.inference import (
    Comparison,
    Difference,
    Interval,
    compare_paired,
    mean_interval,
    metric_difference,
    metric_interval,
    paired_difference,
    split_ratio,
)
from xentexp.metrics._base import Metric
from xentexp.metrics._calibration import ExpectedCalibrationError, MaximumCalibrationError
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._ranking import KsStatistic
from xentexp.metrics._registry import get_metric
from xentexp.metrics._skill import D2Score

_ROUNDING = 4.0 * float(np.finfo(np.float32).eps)


def assess(
    predictions: Mapping[str, Predictions],
    metrics: Sequence[str | Metric],
    primary: str | Metric,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    failed: Sequence[str] = (),
    reference: str | None = None,
) -> Uncertainty:
    """Compare models by their predictions of the same rows."""
    # `margin` is the margin of practical equivalence in units of the primary loss or metric; None
    # is 1% of the best value. `failed` are models without predictions, named in a warning. A model
    # `reference` takes the place of the best: all others are compared with it.
    check_number("confidence", confidence, 0.5, 0.9999)
    if margin is not None:
        check_number("margin", margin, 0.0, math.inf)
    measures = {metric.name: metric for metric in map(get_metric, [primary, *metrics])}
    name = next(iter(measures))
    missing = [f"{model} failed and is not compared." for model in failed]
    if not predictions:
        answer = f"No model has a value of {name}."
        return Uncertainty(name, (), {}, {}, math.nan, None, answer, "", tuple(missing))
    sample = _Sample(predictions, confidence)
    scored = sample.scored(measures.values())
    levels = {
        m.name: {n: sample.level(m, x) for n, x in measures.items() if m.has(n)} for m in scored
    }
    constant = frozenset(model.name for model in scored if model.constant)
    candidates = {model: levels[model] for model in predictions}
    best = {n: b for n in measures if (b := _best(n, candidates, constant)) is not None}
    if reference is not None:
        best = {n: reference for n in best if n in levels[reference]}
    by_name = {model.name: model for model in scored}
    differences = {
        model.name: {
            n: sample.difference(model, by_name[b], measures[n])
            for n, b in best.items()
            if b != model.name and model.has(n) and (better(n) or ("none",))[0] != "nearest"
        }
        for model in scored
    }
    standings = {n: standing_of(n, levels, differences, best.get(n), constant) for n in measures}
    standing = standings[name]
    correlations = sample.correlations(standing, by_name)
    default = margin is None
    margin, equivalent = practical(standing, margin)
    return Uncertainty(
        primary=name,
        models=tuple(
            ModelUncertainty(m, levels[m], differences[m], m in constant, by_name[m].undefined)
            for m in sorted(by_name, key=lambda model: place_of(standing, model))
        ),
        best=best,
        tied={n: standing.tied for n, standing in standings.items()},
        margin=margin,
        equivalence=equivalent,
        answer=answer_of(standing, equivalent, default_margin=default),
        rule=rule_of(standing),
        warnings=(*missing, *sample.warnings(standing, correlations)),
        correlations=correlations,
    )


@dataclass(frozen=True)
class _Scored:
    """Losses of the rows and metrics of the folds of one model."""

    name: str
    constant: bool
    rows: Mapping[str, FloatArray]  # losses of the rows of all folds
    folds: Mapping[str, FloatArray]  # metrics of the whole data set in each fold
    proba: FloatArray | None  # of the rows of all folds
    undefined: Mapping[str, str]

    def has(self, name: str) -> bool:
        return name in self.rows or name in self.folds


class _Sample:
    """Rows of all folds, which the models share."""

    def __init__(self, predictions: Mapping[str, Predictions], confidence: float) -> None:
        (first, reference), *others = predictions.items()
        for model, predicted in others:
            if reason := reference.same_rows(predicted):
                raise InputError(
                    f"models must have predictions of the same rows; got {first} and {model}: "
                    f"{reason}"
                )
        self.predictions = predictions
        self.reference = reference
        self.confidence = confidence
        folds = reference.folds
        weights = [_shares(fold) for fold in folds]
        self.kept = np.concatenate(weights) > 0.0
        weight = self._all(weights) * self.kept.sum() / len(folds)
        self.y = self._all([fold.y for fold in folds])
        self.weighted = any(fold.sample_weight is not None for fold in folds)
        self.design: dict[str, Any] = {"confidence": confidence}
        if not np.allclose(weight, 1.0, rtol=1e-12):
            self.design["sample_weight"] = weight
        if len(folds) > 1:
            self.design["folds"] = self._all([np.full(len(f.rows), f.number) for f in folds])
        if any(fold.repeat for fold in folds):
            self.design["repeats"] = self._all([np.full(len(f.rows), f.repeat) for f in folds])
        for key, arrays in (
            ("groups", [fold.groups for fold in folds]),
            ("time", [fold.time for fold in folds]),
        ):
            known = [values for values in arrays if values is not None]
            if len(known) == len(folds):
                self.design[key] = self._all(known)
        sizes = [(fold.n_train, len(fold.rows)) for fold in folds]
        self.ratio = split_ratio(sizes) if all(n_train for n_train, _ in sizes) else None

    def _all(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Values of the rows of all folds that have a weight."""
        return np.concatenate(arrays)[self.kept]

    def scored(self, measures: Iterable[Metric]) -> list[_Scored]:
        """Losses and metrics of each model, and of the class frequencies if none is constant."""
        measures = list(measures)
        scored = [self._score(*item, measures) for item in self.predictions.items()]
        if any(model.constant for model in scored) or any(
            fold.prior is None for fold in self.reference.folds
        ):
            return scored
        name = CONSTANT if CONSTANT not in self.predictions else f"{CONSTANT} (class frequencies)"
        folds = tuple(
            dataclasses.replace(
                fold, proba=np.tile(np.asarray(fold.prior), (len(fold.rows), 1)), decision=None
            )
            for fold in self.reference.folds
        )
        return [
            *scored,
            self._score(name, dataclasses.replace(self.reference, folds=folds), measures),
        ]

    def _score(self, name: str, predicted: Predictions, measures: Sequence[Metric]) -> _Scored:
        rows: dict[str, list[FloatArray]] = {}
        folds: dict[str, list[float]] = {}
        undefined: dict[str, str] = {}
        proba = [fold.proba for fold in predicted.folds]
        for fold in predicted.folds:
            checked = predicted.checked(fold)
            applying = []
            for measure in measures:
                if reason := measure.why_not(checked):
                    undefined[measure.name] = reason
                else:
                    applying.append(measure)
            result = evaluate_checked(
                checked, applying, prior=fold.prior, per_sample=True, undefined="nan"
            )
            for loss, values in (result.per_sample or {}).items():
                rows.setdefault(loss, []).append(values)
            for metric, value in result.metrics.items():
                folds.setdefault(metric, []).append(value)
                if math.isnan(value) and metric not in undefined:
                    measure = next(m for m in applying if m.name == metric)
                    undefined[metric] = _why_undefined(measure, checked, fold)
        return _Scored(
            name,
            all(map(_is_constant, predicted.folds)),
            {loss: self._all(values) for loss, values in rows.items()},
            {
                metric: np.array(values)
                for metric, values in folds.items()
                if metric not in undefined
            },
            None
            if any(p is None for p in proba)
            else self._all([p for p in proba if p is not None]),
            undefined,
        )

    def level(self, model: _Scored, measure: Metric) -> Interval:
        """Value of a model, the mean over the folds, with its interval."""
        if measure.name in model.rows:
            level = mean_interval(model.rows[measure.name], **self.design)
            return dataclasses.replace(level, notes=self._notes(level.notes))
        reason = self._why_no_rows(measure, model)
        if model.proba is not None and reason is None:
            level = metric_interval(self.y, model.proba, measure, **self._of_metric(measure))
        else:
            nan = math.nan
            level = Interval(
                nan, nan, nan, nan, nan, "models", "", self.confidence, len(self.y), reason=reason
            )
        mean = float(model.folds[measure.name].mean())
        reason = None if level.reason is None else level.reason.removeprefix("no interval: ")
        return dataclasses.replace(level, mean=mean, notes=self._notes(level.notes), reason=reason)

    def _why_no_rows(self, measure: Metric, *models: _Scored) -> str | None:
        """Why rows give no interval of a metric of the whole data set."""
        if "time" in self.design:
            return f"no interval of {measure.name} is known for rows in time order"
        if isinstance(measure, KsStatistic):
            return "its interval takes long; metric_interval of xentexp.inference computes it"
        if any(model.proba is None for model in models):
            return "it needs probabilities"
        return None

    def _of_metric(self, measure: Metric) -> dict[str, Any]:
        """Arguments of intervals of metrics of the whole data set."""
        options = {"labels": self.reference.classes, **self.design}
        if isinstance(measure, D2Score):
            priors = [np.tile(np.asarray(f.prior), (len(f.rows), 1)) for f in self.reference.folds]
            options["prior"] = self._all(priors)
        return options

    def _notes(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """Notes without those on weights that only stand for folds of different sizes."""
        return notes if self.weighted else tuple(n for n in notes if "weights" not in n)

    def difference(self, model: _Scored, best: _Scored, measure: Metric) -> Difference:
        """Value of a model minus that of the best."""
        name = measure.name
        if name in model.rows:
            rows = paired_difference(
                model.rows[name], best.rows[name], test_train_ratio=self.ratio, **self.design
            )
            return dataclasses.replace(rows, notes=self._notes(rows.notes))
        if isinstance(measure, (ExpectedCalibrationError, MaximumCalibrationError)):
            reason = f"differences of {name} are biased"
            return self._between(model, best, name, None, reason)
        folds = compare_paired(
            model.folds[name],
            best.folds[name],
            test_train_ratio=self.ratio or 0.0,
            confidence=self.confidence,
        )
        why_not = self._why_no_rows(measure, model, best)
        if model.proba is None or best.proba is None or why_not is not None:
            return self._between(model, best, name, folds, folds.reason)
        rows = metric_difference(
            self.y, model.proba, best.proba, measure, **self._of_metric(measure)
        )
        if rows.reason is not None:
            return self._between(model, best, name, folds, folds.reason)
        rows = dataclasses.replace(rows, notes=self._notes(rows.notes))
        if folds.reason is not None or folds.high - folds.low <= rows.high - rows.low:
            return dataclasses.replace(rows, by_folds=folds)
        over_folds = self._between(model, best, name, folds, None)
        return dataclasses.replace(over_folds, by_rows=rows.by_rows, notes=rows.notes)

    def _between(
        self, model: _Scored, best: _Scored, name: str, folds: Comparison | None, reason: str | None
    ) -> Difference:
        """Difference of a metric of the whole data set over the folds, or without interval."""
        nan = math.nan
        tested = folds if folds is not None and reason is None else None
        return Difference(
            float(model.folds[name].mean() - best.folds[name].mean()),
            nan if tested is None else tested.standard_error,
            nan if tested is None else tested.low,
            nan if tested is None else tested.high,
            nan if tested is None else tested.statistic,
            nan if tested is None else tested.df,
            nan if tested is None else tested.p,
            "algorithm",
            "" if tested is None else "corrected t over folds",
            self.confidence,
            by_folds=folds,
            reason=reason,
        )

    def correlations(self, standing: Standing, models: Mapping[str, _Scored]) -> dict[str, float]:
        """Correlation of the losses of each model over the rows with those of the best."""
        if standing.best is None:
            return {}
        best = models[standing.best]
        found = {m: self._correlation(best, models[m], standing.name) for m in standing.rivals()}
        return {model: value for model, value in found.items() if not math.isnan(value)}

    def warnings(self, standing: Standing, correlations: Mapping[str, float]) -> Iterator[str]:
        """What makes the intervals less reliable, and what the answer does not say."""
        best = standing.best
        if best is None:
            return
        for model, share in correlations.items():
            if share >= NEARLY_EQUAL:
                consequence = (
                    "intervals over only the rows are too narrow for such models"
                    if "folds" in self.design
                    else "the interval says little about the same models fitted to other rows"
                )
                yield (
                    f"{best} and {model} are nearly equal (correlation {share:.4f} of their losses "
                    f"over the rows): {consequence}."
                )
        yield from standing.below_constant()
        first = [fold.y for fold in self.reference.folds if not fold.repeat]
        labels, counts = np.unique(np.concatenate(first), return_counts=True)
        if counts.min() < FEW_EVENTS:
            yield (
                f"few events: {counts.min():,} rows of class {labels[counts.argmin()]}; intervals "
                f"are too narrow below about {FEW_EVENTS}."
            )
        notes = [standing.levels[best].notes]
        notes += [difference.notes for difference in standing.differences.values()]
        yield from dict.fromkeys(note for of_one in notes for note in of_one)

    def _correlation(self, first: _Scored, second: _Scored, name: str) -> float:
        """Correlation of the losses of two models over the rows; NaN if it is not defined."""
        shared = [
            loss for loss in (name, *first.rows) if loss in first.rows and loss in second.rows
        ]
        if not shared:
            return math.nan
        losses = np.array([first.rows[shared[0]], second.rows[shared[0]]])
        if not np.isfinite(losses).all() or (np.ptp(losses, axis=1) == 0.0).any():
            return math.nan
        return float(np.corrcoef(losses)[0, 1])


def _shares(fold: PredictedFold) -> FloatArray:
    """Share of each row in the weight of its fold."""
    weight = fold.weights()
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _is_constant(fold: PredictedFold) -> bool:
    scores = fold.decision if fold.proba is None else fold.proba
    if scores is None or not np.isfinite(scores).all():
        return False
    return bool((np.ptp(scores, axis=0) <= _ROUNDING * np.abs(scores).max(axis=0)).all())


def _why_undefined(metric: Metric, checked: CheckedInput, fold: PredictedFold) -> str:
    try:
        evaluate_checked(checked, [metric], prior=fold.prior)
    except UndefinedError as error:
        return str(error).split(" is undefined: ")[-1]
    return "it is undefined in a fold"


def _best(
    name: str, levels: Mapping[str, Mapping[str, Interval]], constant: frozenset[str]
) -> str | None:
    """Best model that is not constant, or the best constant one; None without a finite value."""
    if better(name) is None:
        return None
    values = {
        model: distance(name, of_model[name].mean)
        for model, of_model in levels.items()
        if name in of_model and math.isfinite(of_model[name].mean)
    }
    varying = [model for model in values if model not in constant]
    return min(varying or values, key=lambda model: values[model], default=None)
