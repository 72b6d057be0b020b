"""Choose the losses and metrics of an experiment, and evaluate them on one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xentexp._inputs.checked import PlannedInput
from xentexp._inputs.options import refuse_unordered
from xentexp._inputs.read import ascending
from xentexp.errors import InputError
from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._folds import rows_of_test
from xentexp.experiments._predictions import PredictedFold, Predictions
from xentexp.experiments.datasets import Dataset
from xentexp.losses import LOSSES, Loss
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._evaluation import Evaluation, evaluate, evaluate_checked, losses_for
from xentexp.metrics._registry import DEFAULT_METRICS, get_loss, get_metric, refuse_duplicates


@dataclass(frozen=True)
class Measures:
    """Losses and metrics that are computed."""

    losses: tuple[Loss, ...] | None  # None for all losses that apply
    metrics: tuple[DatasetMetric, ...]


def choose_measures(
    dataset: Dataset,
    losses: str | Loss | Sequence[str | Loss] | None,
    metrics: str | DatasetMetric | Sequence[str | DatasetMetric] | None,
    primary: str,
) -> Measures:
    """Look up losses and metrics; check that they apply to the data set and include `primary`."""
    refuse_unordered("losses", losses)
    refuse_unordered("metrics", metrics)
    losses = [losses] if isinstance(losses, (str, Loss)) else losses
    metrics = [metrics] if isinstance(metrics, (str, DatasetMetric)) else metrics
    chosen = None if losses is None else [_loss(loss) for loss in losses]
    if chosen is not None:
        refuse_duplicates(chosen, "losses")
        if not chosen:
            raise InputError("losses must contain at least one loss; got none")
    requested = [
        _dataset_metric(name) for name in (DEFAULT_METRICS if metrics is None else metrics)
    ]
    refuse_duplicates(requested, "metrics")
    ranking, planned = get_metric(primary), _planned(dataset)
    for metric in [*(chosen or ()), *(() if metrics is None else requested), ranking]:
        if reason := metric.why_not(planned):
            raise InputError(f"{metric.name} {reason} in data set {dataset.name}")
    if isinstance(ranking, Loss):
        if ranking.higher_is_better is None:
            raise InputError(
                f"primary must be a loss or metric that ranks models; {primary} does not"
            )
        if chosen is None and ranking.properties.ordered > dataset.card.ordered:
            raise InputError(
                f"primary must be one of the computed losses; {ranking.name} is for ordered "
                f"classes and data set {dataset.name} is not marked as ordered; add it to "
                f"losses, or load the data set with its parameter ordered set to True"
            )
    requested = [metric for metric in requested if metric.why_not(planned) is None]
    computed = list(LOSSES) if chosen is None else [loss.name for loss in chosen]
    if not isinstance(ranking, Loss):
        computed = [metric.name for metric in requested]
    if ranking.name not in computed:
        raise InputError(
            f"primary must be one of the computed losses and metrics; got {ranking.name}; add it "
            f"to {'losses' if isinstance(ranking, Loss) else 'metrics'}, or choose one of "
            f"{', '.join(computed[:20])}"
        )
    return Measures(None if chosen is None else tuple(chosen), tuple(requested))


def _loss(loss: str | Loss) -> Loss:
    try:
        return get_loss(loss)
    except InputError as error:
        try:
            metric = get_metric(loss).name
        except InputError:
            raise error from None
        raise InputError(
            f"{metric} is a metric of the whole data set; pass it in metrics="
        ) from None


def _dataset_metric(name: str | DatasetMetric) -> DatasetMetric:
    metric = get_metric(name)
    if not isinstance(metric, DatasetMetric):
        raise InputError(
            f"metrics must contain metrics of the whole data set; {metric.name} is a loss; add it "
            f"to losses instead"
        )
    return metric


def _planned(dataset: Dataset) -> PlannedInput:
    """Input as a classifier will predict it, to check metrics before any fit."""
    k = len(dataset.classes)
    return PlannedInput(k, latent=k == 2, ordered=ascending(dataset.classes))


def score_fold(fold: PredictedFold, predictions: Predictions, measures: Measures) -> Evaluation:
    """Losses and metrics of one fold that apply to its predictions; NaN if undefined."""
    checked = predictions.checked(fold)
    losses: Sequence[Metric]
    if measures.losses is None:
        losses = losses_for(checked, ordered=predictions.ordered)
    else:
        losses = [loss for loss in measures.losses if loss.why_not(checked) is None]
        if not losses:
            names = [loss.name for loss in measures.losses]
            raise InputError(
                f"none of the losses {', '.join(names)} applies to the predictions of this model"
            )
    metrics = [metric for metric in measures.metrics if metric.why_not(checked) is None]
    return evaluate_checked(checked, [*losses, *metrics], prior=fold.prior, undefined="nan")


def regret_of(
    prediction: FoldPrediction, dataset: Dataset, losses: tuple[Loss, ...] | None
) -> dict[str, float]:
    """Regret: expected loss under the true probabilities minus that of predicting the truth."""
    # Only a proper loss is minimal in expectation for the true probabilities.
    if dataset.true_proba is None or prediction.proba is None:
        return {}
    truth = dataset.true_proba[prediction.fold.test]
    proper = [
        loss
        for loss in (losses if losses is not None else LOSSES.values())
        if loss.properties.properness in ("proper", "strictly proper")
        and loss.properties.targets == "soft"
        and not loss.properties.distributions  # not an expectation over labels
        and not (loss.properties.binary_only and len(dataset.classes) > 2)
        and (dataset.card.ordered or not loss.properties.ordered)
    ]
    if not proper:
        return {}
    _, weight = rows_of_test(prediction.fold, dataset)
    reached, best = (
        evaluate(truth, proba, proper, labels=dataset.classes, sample_weight=weight).mean
        for proba in (prediction.proba, truth)
    )
    return {name: reached[name] - best[name] for name in reached}
