"""What candidates are judged by, and the judgement of the predictions of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.datasets import Dataset
from xentexp.experiments.fitting import FoldPrediction
from xentexp.inputs.read import ascending, read
from xentexp.losses import LOSSES, Loss, get_loss
from xentexp.metrics.base import SampleMetric, UndefinedError
from xentexp.metrics.evaluation import choose, evaluate, run, why_not
from xentexp.metrics.registry import LOGGED, get_sample_metric, is_sample_metric
from xentexp.metrics.running_sums import LossState
from xentexp.metrics.sample import Sample


@dataclass(frozen=True)
class Choice:
    """What candidates are judged by: losses, None for all that apply, and metrics of a sample."""

    losses: tuple[Loss, ...] | None
    samples: tuple[SampleMetric, ...]


def choose_losses(
    dataset: Dataset,
    losses: Sequence[str | Loss] | None,
    samples: Sequence[str | SampleMetric] | None,
    primary: str,
) -> Choice:
    """Losses and metrics by name, shown to suit the data set.

    Parameters
    ----------
    dataset : Dataset
        Whose number of classes decides.
    losses : sequence of str or Loss, or None
        The choice; None for all that apply.
    samples : sequence of str or SampleMetric, or None
        Likewise, of metrics of a sample.
    primary : str
        The one that ranks, one of them.

    Returns
    -------
    Choice
        To be passed on.

    Raises
    ------
    InputError
        For unknown names and for what is not for so many classes.
    """
    judges: list[Loss | SampleMetric] = []
    if losses is not None:
        judges += _distinct("losses", [get_loss(loss) for loss in losses])
        if not judges:
            raise InputError("losses must name one loss at least; got none")
    if samples is not None:
        judges += _distinct("samples", [get_sample_metric(metric) for metric in samples])
    first = get_sample_metric(primary) if is_sample_metric(primary) else get_loss(primary)
    for judge in [*judges, first]:
        reason = _why_not(judge, dataset)
        if reason is not None:
            raise InputError(f"{_label(judge)} {reason} in data set {dataset.name}")
    if isinstance(first, Loss) and first.properties.direction != "lower":
        raise InputError(f"primary must be a loss that ranks; {primary} describes")
    if (
        losses is None
        and isinstance(first, Loss)
        and first.properties.ordered > dataset.card.ordered
    ):
        raise InputError(
            f"{first.name} is for ordered classes; set dataset.ordered=true where the data set has "
            f"that parameter, or name it among losses"
        )
    metrics = LOGGED if samples is None else [j for j in judges if isinstance(j, SampleMetric)]
    choice = Choice(
        None if losses is None else tuple(j for j in judges if isinstance(j, Loss)),
        tuple(metric for metric in metrics if _why_not(metric, dataset) is None),
    )
    among = LOSSES if choice.losses is None else [loss.name for loss in choice.losses]
    if isinstance(first, SampleMetric):
        among = [metric.label for metric in choice.samples]
    if _label(first) not in among:
        raise unknown_name("primary among losses", primary, among)
    return choice


def _label(judge: Loss | SampleMetric) -> str:
    return judge.name if isinstance(judge, Loss) else judge.label


def _distinct(what: str, judges: Sequence[Loss | SampleMetric]) -> Sequence[Loss | SampleMetric]:
    names = [_label(judge) for judge in judges]
    if len(set(names)) < len(names):
        raise InputError(f"{what} must be distinct; got {names}")
    return judges


def _why_not(judge: Loss | SampleMetric, dataset: Dataset) -> str | None:
    n_classes = len(dataset.classes)
    if isinstance(judge, Loss):
        return judge.why_not(
            n_classes=n_classes,
            soft=False,
            has_proba=True,
            has_decision=True,
            latent=n_classes == 2,
            ordered=ascending(dataset.classes),
        )
    return judge.why_not(n_classes=n_classes, one_hot=True, has_proba=True, has_decision=True)


def score_fold(
    prediction: FoldPrediction, dataset: Dataset, choice: Choice
) -> tuple[LossState, dict[str, float]]:
    """Losses and metrics of what one fit predicted.

    Parameters
    ----------
    prediction : FoldPrediction
        Of the test rows.
    dataset : Dataset
        With their labels.
    choice : Choice
        What is wanted; what the predictions do not allow is left out.

    Returns
    -------
    state : LossState
        Sums of the losses.
    values : dict
        Metrics by label; NaN where the fold has no such value.

    Raises
    ------
    InputError
        For predictions that are no probabilities, and where no loss applies.
    """
    y = dataset.y.to_numpy()
    checked = read(
        y[prediction.fold.test],
        prediction.proba,
        decision=prediction.decision,
        labels=dataset.classes,
    )
    if choice.losses is None:
        applying = choose(checked, None, ordered=dataset.card.ordered)
    else:
        # A model without probabilities, or without scores, is judged by the losses it allows.
        applying = [loss for loss in choice.losses if why_not(loss, checked) is None]
        if not applying:
            raise InputError(f"none of the losses {[loss.name for loss in choice.losses]} applies")
    state = run(checked, applying).state
    train = y[prediction.fold.train]
    prior = [float(np.mean(train == label)) for label in dataset.classes]
    sample = Sample(checked, prior=prior, state=state)
    return state, {
        metric.label: _value(metric, sample)
        for metric in choice.samples
        if metric.why_not_for(sample) is None
    }


def _value(metric: SampleMetric, sample: Sample) -> float:
    try:
        return metric.value(sample)
    except UndefinedError:
        return np.nan


def regret_of(
    prediction: FoldPrediction, dataset: Dataset, losses: tuple[Loss, ...] | None
) -> dict[str, float]:
    """Expected loss under the true class probabilities, less that of predicting those.

    Parameters
    ----------
    prediction : FoldPrediction
        Of the test rows.
    dataset : Dataset
        With its true probabilities, if they are known.
    losses : tuple of Loss or None
        The choice; None for all. Only proper ones of probabilities have a regret.

    Returns
    -------
    dict
        By loss; empty where the truth is not known.
    """
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
