"""Metrics made of a loss: perplexity, means over classes, and D2 scores against a null model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.checked import InputTraits, PlannedInput
from xentexp._inputs.columns import Predictions
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.losses import LOSSES, Block, Loss
from xentexp.losses._base import MetricProperties, Response, row_values
from xentexp.metrics._base import DatasetMetric, check_choice, parameter
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import get_loss, register_metric
from xentexp.metrics._running_sums import sum_losses

_CROSSENTROPY = "categorical_crossentropy"
_NULLS = ("training prior", "test prior", "uniform")


@register_metric
@dataclass(frozen=True)
class Perplexity(DatasetMetric):
    """Exponential of the mean cross-entropy."""

    function: ClassVar[str] = "perplexity"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Perplexity: number of equally likely classes with the same mean cross-entropy.",
        formula="exp(-mean_i sum_j t_ij log p_ij)",
        range="[1, inf)",
        direction="lower",
        optimum=1.0,
        response="predict_proba",
        targets="soft",
        clip=True,
        reference="Jelinek, F., Mercer, R. L., Bahl, L. R. & Baker, J. K. (1977). Perplexity - a "
        "measure of\nthe difficulty of speech recognition tasks. J. Acoust. Soc. Am. 62, S63.",
        notes="Here p_ij is the predicted probability of class j for row i and t_ij its target (1 "
        "for the\ntrue class and 0 for the others, or a target probability).\n\nPredictions of "
        "1 / k for each of k classes have perplexity k.",
        peers=("torchmetrics.text.Perplexity",),
        example=">>> perplexity([0, 1], [[0.5, 0.5], [0.5, 0.5]])\n2.0",
    )

    def value(self, data: MetricInput) -> float:
        with np.errstate(over="ignore"):  # infinite from a loss of 710 nats
            return float(np.exp(data.loss(LOSSES[_CROSSENTROPY])[0]))


@register_metric
@dataclass(frozen=True)
class BalancedLoss(DatasetMetric):
    """Mean over the classes of the mean loss of each class."""

    prefix: ClassVar[str] = "balanced_"
    function: ClassVar[str] = "balanced_loss"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Mean over the classes of the mean loss of each class: the macro average.",
        formula="mean_j (sum_{i in class j} w_i l_i / sum_{i in class j} w_i)",
        range="the range of the loss",
        direction="lower",
        optimum=0.0,
        response="either",
        targets="soft",
        clip=True,
        reference="Brodersen, K. H., Ong, C. S., Stephan, K. E. & Buhmann, J. M. (2010). The "
        "balanced accuracy\nand its posterior distribution. ICPR. (With the zero-one loss the "
        "value is 1 minus the\nbalanced accuracy.)",
        notes="Here l_i is the loss and w_i the weight of row i.\n\nRare classes count as much as "
        "frequent ones. With target probabilities a row counts for each\nclass with its target "
        'probability. The value is undefined if a class has no rows; pass\n``absent="skip"`` to '
        "leave such classes out, as scikit-learn's balanced accuracy does. Margin\nlosses need "
        "decision scores: pass them as `y_pred` with ``from_logits=True``.",
        example=">>> balanced_loss([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.4], loss='zero_one_loss')\n"
        "0.666...",
    )

    loss: str | Loss = parameter(  # noqa: RUF009
        _CROSSENTROPY, "str or Loss", "The loss, by name or as an object. Lower must be better."
    )
    absent: Literal["undefined", "skip"] = parameter(
        "undefined",
        '{"undefined", "skip"}',
        '"undefined": raise an `UndefinedError` if a class has no rows. "skip": leave such\n'
        "classes out of the mean.",
    )

    def __post_init__(self) -> None:
        if get_loss(self.loss).properties.direction != "lower":
            raise InputError(
                f"loss must be a loss for which lower is better; got {get_loss(self.loss).name}, "
                f"which does not rank predictions"
            )
        check_choice("absent", self.absent, ("undefined", "skip"))

    @property
    def name(self) -> str:
        """Name of the loss with the prefix ``balanced_``."""
        return f"balanced_{get_loss(self.loss).name}"

    @property
    def response(self) -> Response:
        """Kind of predictions that the loss needs."""
        return get_loss(self.loss).properties.response

    def value(self, data: MetricInput) -> float:
        _, means, weights = data.loss(get_loss(self.loss))
        missing = [data.classes[column] for column in np.flatnonzero(weights == 0.0)]
        if missing and self.absent == "undefined":
            raise UndefinedError(
                f"{self.name} is undefined: there are no rows of class {missing[0]!r}; pass "
                f"absent='skip' to leave such classes out"
            )
        return float(means[weights > 0.0].mean())

    def why_not(self, traits: InputTraits) -> str | None:
        return get_loss(self.loss).why_not(_traits_for_loss(traits))


_ROUNDING = 1e-14
"""D2 scores of the null model itself, which differ from 0 by the rounding of two sums."""


@register_metric
@dataclass(frozen=True)
class D2Score(DatasetMetric):
    """Proportion by which predictions reduce the loss of a null model."""

    prefix: ClassVar[str] = "d2_"
    function: ClassVar[str] = "d2_score"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="D2 score: proportion by which the predictions reduce the loss of a null model.",
        formula="1 - mean loss of the predictions / mean loss of the null model",
        range="(-inf, 1]",
        direction="higher",
        optimum=1.0,
        response="predict_proba",
        targets="soft",
        clip=True,
        prior=True,
        reference="Hastie, T., Tibshirani, R. & Wainwright, M. (2015). Statistical Learning with "
        "Sparsity,\neq. 3.11. It is McFadden's R2 for the log loss and the Brier skill score for "
        "the Brier loss.",
        notes="The null model predicts the same probability of each class for every row. A value "
        "of 0 means\nthat the predictions are as good as the null model; below 0 they are worse. "
        "The\nvalue is undefined if the loss of the null model is 0 or infinite.",
        peers=(
            "sklearn.metrics.d2_log_loss_score",
            "sklearn.metrics.d2_brier_score",
        ),
        example=">>> round(d2_score([0, 1, 1], [0.1, 0.8, 0.6], prior=[0.4, 0.6]), 4)\n0.5669",
    )

    loss: str | Loss = parameter(  # noqa: RUF009
        _CROSSENTROPY, "str or Loss", "A proper loss, by name or as an object."
    )
    null: Literal["training prior", "test prior", "uniform"] = parameter(
        "training prior",
        '{"training prior", "test prior", "uniform"}',
        'Probabilities that the null model predicts. "training prior": those in `prior`, which is\n'
        'then required. "test prior": the proportions of the classes among these rows, as in\n'
        'scikit-learn\'s ``d2_log_loss_score`` and ``d2_brier_score``. "uniform": 1 / k for each\n'
        "of k classes.",
    )

    def __post_init__(self) -> None:
        loss = get_loss(self.loss)
        check_choice("null", self.null, _NULLS)
        if loss.properties.properness not in ("proper", "strictly proper"):
            raise InputError(
                f"loss of d2_score must be proper, so that the class proportions are the best "
                f"constant prediction; {loss.name} is "
                f"{loss.properties.properness.replace('-', 'not a proper loss')}"
            )

    @property
    def name(self) -> str:
        """Name of the loss with the prefix ``d2_``."""
        return f"d2_{get_loss(self.loss).name}"

    def value(self, data: MetricInput) -> float:
        loss = get_loss(self.loss)
        mean, _, class_weight_sum = data.loss(loss)
        prior = self._prior(data, class_weight_sum)
        null = _null_loss(loss, prior, data, class_weight_sum)
        if not 0.0 < null < np.inf:
            raise UndefinedError(
                f"{self.name} is undefined: the null model {prior.tolist()} ({self.null}) has a "
                f"{loss.name} of {null:g}"
            )
        score = float(1.0 - mean / null)
        return 0.0 if abs(score) <= _ROUNDING else score

    def _prior(self, data: MetricInput, class_weight_sum: FloatArray) -> FloatArray:
        if self.null == "training prior":
            if data.prior is None:
                raise InputError(
                    "prior must be given for null='training prior'; pass the proportion of each "
                    "class among the training rows, or null='test prior' or null='uniform'"
                )
            return data.prior
        if data.prior is not None:
            raise InputError(
                f"prior requires null='training prior'; got null={self.null!r}; leave out prior"
            )
        if self.null == "uniform":
            return np.full(data.n_classes, 1.0 / data.n_classes)
        return np.asarray(class_weight_sum / class_weight_sum.sum())

    def why_not(self, traits: InputTraits) -> str | None:
        if not traits.has_proba:
            return "needs probabilities"
        return get_loss(self.loss).why_not(_traits_for_loss(traits))


def _null_loss(
    loss: Loss, prior: FloatArray, data: MetricInput, class_weight_sum: FloatArray
) -> float:
    """Mean loss of predicting `prior` for every row."""
    checked = data.checked
    if checked.one_hot:
        # All rows of a class have the same value, so one row for each class is enough.
        proba = np.tile(prior, (len(prior), 1))
        index = np.arange(len(prior))
        block = Block(n_classes=len(prior), index=index, proba=proba, clip=checked.clip)
        values, present = row_values(loss, block), class_weight_sum > 0.0
        return float(np.average(values[present], weights=class_weight_sum[present]))
    constant = Predictions(np.broadcast_to(prior, (checked.n_rows, len(prior))), "proba")
    state, _ = sum_losses(replace(checked, probabilities=constant, decision=None), [loss])
    return float(state.mean()[0])


def losses_of(metric: DatasetMetric) -> list[Loss] | None:
    """Losses whose means give a metric of the whole data set; None if it needs the rows."""
    if isinstance(metric, Perplexity):
        return [LOSSES[_CROSSENTROPY]]
    return [get_loss(metric.loss)] if isinstance(metric, (BalancedLoss, D2Score)) else None


def _traits_for_loss(traits: InputTraits) -> PlannedInput:
    """Traits for the `why_not` of the loss; targets are soft if any row has several classes."""
    return PlannedInput(
        traits.n_classes,
        soft=not traits.one_hot,
        has_proba=traits.has_proba,
        has_decision=traits.has_decision,
    )
