"""Losses and metrics of an experiment, and their values on the predictions of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xentexp._inputs.checked import PlannedInput
from xentexp._inputs.read import ascending, read
from xentexp.errors import InputError
from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments.datasets import Dataset
from xentexp.losses import LOSSES, Loss
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._evaluation import Evaluation, evaluate, evaluate_checked, losses_for
from xentexp.metrics._registry import DEFAULT_METRICS, get_loss, get_metric, refuse_duplicates


@dataclass(frozen=True)
class Measures:
    """What candidates are compared by; None for every loss that applies."""

    losses: tuple[Loss, ...] | None
    metrics: tuple[DatasetMetric, ...]


def choose_measures(
    dataset: Dataset,
    losses: str | Loss | Sequence[str | Loss] | None,
    metrics: str | DatasetMetric | Sequence[str | DatasetMetric] | None,
    primary: str,
) -> Measures:
    """Losses and metrics by name, checked to apply to the data set; `primary` is one of them."""
    losses = [losses] if isinstance(losses, (str, Loss)) else losses
    metrics = [metrics] if isinstance(metrics, (str, DatasetMetric)) else metrics
    chosen = None if losses is None else [get_loss(loss) for loss in losses]
    if chosen is not None:
        refuse_duplicates(chosen, "losses")
        if not chosen:
            raise InputError("losses must name one loss at least; got none")
    wanted = [_dataset_metric(name) for name in (DEFAULT_METRICS if metrics is None else metrics)]
    refuse_duplicates(wanted, "metrics")
    first, planned = get_metric(primary), _planned(dataset)
    for metric in [*(chosen or ()), *(() if metrics is None else wanted), first]:
        if reason := metric.why_not(planned):
            raise InputError(f"{metric.name} {reason} in data set {dataset.name}")
    if isinstance(first, Loss):
        if first.higher_is_better is None:
            raise InputError(f"primary must be a loss that ranks; {primary} describes")
        if chosen is None and first.properties.ordered > dataset.card.ordered:
            raise InputError(
                f"{first.name} is for ordered classes; set dataset.ordered=true where the data set "
                f"has that parameter, or name it among losses"
            )
    wanted = [metric for metric in wanted if metric.why_not(planned) is None]
    among = list(LOSSES) if chosen is None else [loss.name for loss in chosen]
    if not isinstance(first, Loss):
        among = [metric.name for metric in wanted]
    if first.name not in among:
        raise InputError(
            f"primary must be one of the losses and metrics that are computed; add {first.name} to "
            f"{'losses' if isinstance(first, Loss) else 'metrics'}, or choose one of "
            f"{', '.join(among[:20])}"
        )
    return Measures(None if chosen is None else tuple(chosen), tuple(wanted))


def _dataset_metric(name: str | DatasetMetric) -> DatasetMetric:
    metric = get_metric(name)
    if not isinstance(metric, DatasetMetric):
        raise InputError(
            f"metrics must name metrics of the whole data set; {metric.name} is a loss: name it "
            f"among losses"
        )
    return metric


def _planned(dataset: Dataset) -> PlannedInput:
    """The predictions that a classifier will make."""
    k = len(dataset.classes)
    return PlannedInput(k, latent=k == 2, ordered=ascending(dataset.classes))


def score_fold(prediction: FoldPrediction, dataset: Dataset, measures: Measures) -> Evaluation:
    """Losses and metrics of what one fit predicted; NaN where the fold has no such value."""
    y = dataset.y.to_numpy()
    checked = read(
        y[prediction.fold.test],
        prediction.proba,
        decision=prediction.decision,
        labels=dataset.classes,
    )
    losses: Sequence[Metric]
    if measures.losses is None:
        losses = losses_for(checked, ordered=dataset.card.ordered)
    else:
        losses = [loss for loss in measures.losses if loss.why_not(checked) is None]
        if not losses:
            names = [loss.name for loss in measures.losses]
            raise InputError(f"none of the losses {names} applies")
    metrics = [metric for metric in measures.metrics if metric.why_not(checked) is None]
    train = y[prediction.fold.train]
    prior = [float(np.mean(train == label)) for label in dataset.classes]
    return evaluate_checked(checked, [*losses, *metrics], prior=prior, undefined="nan")


def regret_of(
    prediction: FoldPrediction, dataset: Dataset, losses: tuple[Loss, ...] | None
) -> dict[str, float]:
    """Expected loss under the true class probabilities, less that of predicting those."""
    if dataset.true_proba is None or prediction.proba is None:
        return {}
    truth = dataset.true_proba[prediction.fold.test]
    proper = [
        loss
        for loss in (losses if losses is not None else LOSSES.values())
        if loss.properties.properness in ("proper", "strictly proper")
        and loss.properties.targets == "soft"
        and not loss.properties.distributions  # whose value is no expectation over labels
        and not (loss.properties.binary_only and len(dataset.classes) > 2)
        and (dataset.card.ordered or not loss.properties.ordered)
    ]
    if not proper:
        return {}
    reached = evaluate(truth, prediction.proba, proper, labels=dataset.classes).mean
    best = evaluate(truth, truth, proper, labels=dataset.classes).mean
    return {name: reached[name] - best[name] for name in reached}
