"""Skill: a loss against a null model's, averaged over classes, or as a number of choices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from xentexp._inputs.checked import InputTraits, PlannedInput
from xentexp._inputs.columns import Predictions
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.losses import LOSSES, Block, Loss
from xentexp.losses._base import MetricProperties, Response
from xentexp.metrics._base import DatasetMetric, one_of, parameter
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
        summary="Number of equally likely classes that would be as surprising.",
        formula="exp(-mean_i sum_j t_ij log p_ij)",
        range="[1, inf)",
        direction="lower",
        optimum=1.0,
        response="predict_proba",
        targets="soft",
        clip=True,
        reference="Jelinek, F., Mercer, R. L., Bahl, L. R. & Baker, J. K. (1977). Perplexity - a "
        "measure of\nthe difficulty of speech recognition tasks. J. Acoust. Soc. Am. 62, S63.",
        notes="Predictions of 1 / k everywhere have perplexity k.",
        peers=("torchmetrics.text.Perplexity",),
        example=">>> perplexity([0, 1], [[0.5, 0.5], [0.5, 0.5]])\n2.0",
    )

    def value(self, data: MetricInput) -> float:
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
        range="that of the loss",
        direction="lower",
        optimum=0.0,
        response="either",
        targets="soft",
        clip=True,
        reference="Brodersen, K. H., Ong, C. S., Stephan, K. E. & Buhmann, J. M. (2010). The "
        "balanced accuracy\nand its posterior distribution. ICPR. (With the zero-one loss it is "
        "one less that.)",
        notes="Rare classes count as much as frequent ones. Soft targets share a row among its\n"
        "classes. A class without rows has no mean: the value is undefined, or, with\n"
        "``absent='skip'``, the mean over the others, as scikit-learn's balanced accuracy has it.\n"
        "Losses of margins take decision scores, with ``from_logits=True``.",
        example=">>> balanced_loss([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.4], loss='zero_one_loss')\n"
        "0.666...",
    )

    loss: str | Loss = parameter(  # noqa: RUF009
        _CROSSENTROPY, "str or Loss", "Any loss that ranks, by name or itself."
    )
    absent: Literal["undefined", "skip"] = parameter(
        "undefined", "{'undefined', 'skip'}", "What to do with a class that has no rows."
    )

    def __post_init__(self) -> None:
        if get_loss(self.loss).properties.direction != "lower":
            raise InputError(f"{get_loss(self.loss).name} ranks nothing, so it has no balance")
        one_of("absent", self.absent, ("undefined", "skip"))

    @property
    def name(self) -> str:
        """Name of the loss, balanced."""
        return f"balanced_{get_loss(self.loss).name}"

    @property
    def response(self) -> Response:
        """What the loss takes."""
        return get_loss(self.loss).properties.response

    def value(self, data: MetricInput) -> float:
        _, means, weights = data.loss(get_loss(self.loss))
        missing = [data.classes[column] for column in np.flatnonzero(weights == 0.0)]
        if missing and self.absent == "undefined":
            raise UndefinedError(
                f"{self.name} is undefined: class {missing[0]!r} has no rows; absent='skip' "
                f"leaves it out"
            )
        return float(means[weights > 0.0].mean())

    def why_not(self, given: InputTraits) -> str | None:
        return get_loss(self.loss).why_not(_of_classes(given))


@register_metric
@dataclass(frozen=True)
class D2Score(DatasetMetric):
    """Share of a null model's loss that the predictions take away."""

    prefix: ClassVar[str] = "d2_"
    function: ClassVar[str] = "d2_score"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Share of a null model's loss that the predictions take away: a skill score.",
        formula="1 - mean loss of the predictions / mean loss of the null model",
        range="(-inf, 1]",
        direction="higher",
        optimum=1.0,
        response="predict_proba",
        targets="soft",
        clip=True,
        prior=True,
        reference="Hastie, T., Tibshirani, R. & Wainwright, M. (2015). Statistical Learning with "
        "Sparsity,\neq. 3.11. McFadden's R2 for the log loss, Brier's skill score for Brier's.",
        notes="0 is no better than the null model, which predicts the same shares for every row:\n"
        "'training prior' those of `prior`, which rows of a single class do not change; 'test\n"
        "prior' those of these rows, scikit-learn's ``d2_log_loss_score`` and\n"
        "``d2_brier_score``; 'uniform' 1 / k. Undefined where the null model's loss is 0.",
        peers=(
            "sklearn.metrics.d2_log_loss_score",
            "sklearn.metrics.d2_brier_score",
        ),
        example=">>> round(d2_score([0, 1, 1], [0.1, 0.8, 0.6], prior=[0.4, 0.6]), 4)\n0.5669",
    )

    loss: str | Loss = parameter(  # noqa: RUF009
        _CROSSENTROPY, "str or Loss", "A proper loss of probabilities, by name or itself."
    )
    null: Literal["training prior", "test prior", "uniform"] = parameter(
        "training prior",
        "{'training prior', 'test prior', 'uniform'}",
        "The null model; the first takes its shares from `prior`.",
    )

    def __post_init__(self) -> None:
        loss = get_loss(self.loss)
        one_of("null", self.null, _NULLS)
        if loss.properties.properness not in ("proper", "strictly proper"):
            raise InputError(
                f"d2_score needs a proper loss, which the best constant prediction cannot cheat; "
                f"{loss.name} is {loss.properties.properness.replace('-', 'none')}"
            )

    @property
    def name(self) -> str:
        """Name of the loss, with d2 before it."""
        return f"d2_{get_loss(self.loss).name}"

    def value(self, data: MetricInput) -> float:
        loss = get_loss(self.loss)
        reached, _, class_weight_sum = data.loss(loss)
        prior = self._shares(data, class_weight_sum)
        null = _null_loss(loss, prior, data, class_weight_sum)
        if not 0.0 < null < np.inf:
            raise UndefinedError(
                f"{self.name} is undefined: the null model {prior.tolist()} ({self.null}) has a "
                f"{loss.name} of {null:g}"
            )
        return float(1.0 - reached / null)

    def _shares(self, data: MetricInput, class_weight_sum: FloatArray) -> FloatArray:
        if self.null == "training prior":
            if data.prior is None:
                raise InputError(
                    "prior must hold the training shares of the classes for null='training "
                    "prior'; or choose null='test prior' or null='uniform'"
                )
            return data.prior
        if data.prior is not None:
            raise InputError(f"prior goes with null='training prior'; got null={self.null!r}")
        if self.null == "uniform":
            return np.full(data.n_classes, 1.0 / data.n_classes)
        return np.asarray(class_weight_sum / class_weight_sum.sum())

    def why_not(self, given: InputTraits) -> str | None:
        if not given.has_proba:
            return "needs probabilities"
        return get_loss(self.loss).why_not(_of_classes(given))


def _null_loss(
    loss: Loss, prior: FloatArray, data: MetricInput, class_weight_sum: FloatArray
) -> float:
    """Mean loss of predicting `prior` for every row."""
    checked = data.checked
    if checked.one_hot:
        # Rows of a class are all alike: one stands for each.
        everywhere = np.tile(prior, (len(prior), 1))
        index = np.arange(len(prior))
        block = Block(n_classes=len(prior), index=index, proba=everywhere, clip=checked.clip)
        values, present = loss.block_values(block), class_weight_sum > 0.0
        return float(np.average(values[present], weights=class_weight_sum[present]))
    same = Predictions(np.broadcast_to(prior, (checked.n_rows, len(prior))), "proba")
    state, _ = sum_losses(replace(checked, probabilities=same, decision=None), [loss])
    return float(state.mean()[0])


def _of_classes(given: InputTraits) -> PlannedInput:
    """Traits that decide for the loss: its targets are as good as soft where rows are mixed."""
    return PlannedInput(
        given.n_classes,
        soft=not given.one_hot,
        has_proba=given.has_proba,
        has_decision=given.has_decision,
    )
