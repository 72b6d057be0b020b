"""Many losses and metrics of one set of predictions, in one pass over the blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.options import InputOptions, refuse_unknown
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError, unknown_name
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import get_metric, get_metrics
from xentexp.metrics._running_sums import LossState, sum_losses

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Losses and metrics of one set of predictions; made by `evaluate`.

    Parameters
    ----------
    state : LossState
        The sums that the losses follow from; states of several evaluations add up.
    metrics : dict
        Value of each metric of the whole data set, by name.
    per_sample : dict or None
        Unweighted value of each row by loss, where asked for; NaN for ignored rows.
    order : tuple of str
        Names of losses and metrics as they were asked for.

    Examples
    --------
    >>> result = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss", "roc_auc"])
    >>> {name: round(value, 4) for name, value in result.values.items()}
    {'brier_loss': 0.1367, 'roc_auc': 1.0}
    """

    state: LossState
    metrics: dict[str, float] = field(default_factory=dict)
    per_sample: dict[str, FloatArray] | None = None
    order: tuple[str, ...] = ()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.6g}" for name, value in self.values.items())
        return f"Evaluation({self.state.n_rows} rows: {values})"

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(na_rep="")

    def __getitem__(self, name: str) -> float:
        """Value of a loss or metric, by its name or an everyday one."""
        values = self.values
        known = name if name in values else get_metric(name).name
        if known not in values:
            raise unknown_name("loss or metric of this evaluation", name, values)
        return values[known]

    def _by_name(self, values: FloatArray) -> dict[str, float]:
        return dict(zip(self.state.names, values.tolist(), strict=True))

    @property
    def values(self) -> dict[str, float]:
        """Mean of each loss and value of each metric, in the order in which they were named."""
        values = {**self.mean, **self.metrics}
        return {name: values[name] for name in self.order or values}

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each loss; lower is better, except for entropy, which describes."""
        return self._by_name(self.state.mean())

    @property
    def standard_error(self) -> dict[str, float]:
        """Standard error of the mean of each loss."""
        return self._by_name(self.state.standard_error())

    @property
    def infinite(self) -> dict[str, int]:
        """Number of rows of infinite value, by loss."""
        return {name: int(n) for name, n in self._by_name(self.state.n_infinite).items()}

    @property
    def clipped(self) -> int:
        """Number of rows whose cross-entropy the clip touched."""
        return self.state.n_clipped

    @property
    def class_mean(self) -> dict[str, dict[Any, float]]:
        """Mean of each loss over the rows of each true class."""
        table = self.state.class_mean().tolist()
        return {
            name: dict(zip(self.state.classes, row, strict=True))
            for name, row in zip(self.state.names, table, strict=True)
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per loss or metric.

        Returns
        -------
        DataFrame
            Columns ``value``, and of losses ``standard_error``, ``infinite``, and the mean over
            each class; NaN for metrics of the whole data set.
        """
        import pandas as pd

        table = pd.DataFrame(
            {
                "value": self.values,
                "standard_error": self.standard_error,
                "infinite": pd.Series(self.infinite, dtype="Int64"),
                **{f"class {c}": self._by_name(column) for c, column in self._class_columns()},
            }
        )
        return table.rename_axis("metric").loc[list(self.values)]

    def _class_columns(self) -> Iterable[tuple[Any, FloatArray]]:
        return zip(self.state.classes, self.state.class_mean().T, strict=True)


def evaluate(
    y_true: ArrayLike,
    y_pred: ArrayLike | None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    *,
    decision: ArrayLike | None = None,
    from_logits: bool = False,
    ordered: bool = False,
    prior: ArrayLike | None = None,
    per_sample: bool = False,
    **options: Unpack[InputOptions],
) -> Evaluation:
    """Losses and metrics of one set of predictions, in one pass.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels, one-hot or soft targets.
    y_pred : array-like of shape (n,) or (n, k), or None
        Class probabilities, or raw scores with `from_logits`; None where there are decision
        scores alone.
    metrics : str, Loss, DatasetMetric or sequence of them, optional
        Losses and metrics of the whole data set, by name or as objects; by default every loss
        that applies to the input.
    decision : array-like of shape (n,) or (n, k), optional
        Decision scores, for losses of margins.
    from_logits : bool, default=False
        Whether `y_pred` holds raw scores, which serve as decision scores too.
    ordered : bool, default=False
        Whether the classes are ordered: then the losses of ordered classes are among those
        that apply by default.
    prior : array-like of shape (k,), optional
        Share of each class among the training rows, for D2 scores.
    per_sample : bool, default=False
        Whether to keep the value of each row.
    **options
        `labels`, `sample_weight`, `class_weight`, `label_smoothing`, `normalize`, `clip` and
        `ignore_label`, as for the functions of `xentexp.metrics`. The weights of classes and the
        smoothing apply to all losses alike.

    Returns
    -------
    Evaluation
        Values by name; for losses standard errors, means per class, counts, and a state that
        merges with that of other rows.

    Raises
    ------
    InputError
        For input that does not fit, and for a named loss or metric that the input does not
        allow.
    UndefinedError
        Where a metric has no value on these data.

    Notes
    -----
    The clip holds for `cross_entropy` and `kl_divergence` too; the functions of those names in
    `xentexp.metrics`, for two distributions, have none.

    Examples
    --------
    >>> from xentexp import evaluate
    >>> result = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["nll", "brier_loss", "auc"])
    >>> result["roc_auc"], round(result["brier_loss"], 4)
    (1.0, 0.1367)
    >>> sorted(evaluate([0, 2], [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]).mean)[:3]
    ['absolute_error', 'alpha_divergence', 'bi_tempered_logistic_loss']
    """
    refuse_unknown("evaluate", options, InputOptions)
    if y_true is None:
        raise InputError("y_true must be given; got None")
    checked = read(
        y_true,
        y_pred,
        decision=decision,
        from_logits=from_logits,
        ordered=True if ordered else None,
        **options,
    )
    if metrics is None:
        chosen: Sequence[Metric] = losses_for(checked, ordered=ordered)
    else:
        chosen = get_metrics(metrics)
        check_applies(checked, chosen)
    return evaluate_checked(checked, chosen, prior=prior, per_sample=per_sample)


def losses_for(checked: CheckedInput, *, ordered: bool = False) -> list[Loss]:
    """Every loss that applies to checked input; those of ordered classes where they are ordered."""
    load_plugins()
    hard = checked.smoothing == 0.0 and checked.one_hot
    return [
        loss
        for loss in LOSSES.values()
        if loss.why_not(checked) is None
        and (hard or loss.properties.targets != "one-hot")
        and (loss.properties.targets != "positive" or checked.positive())
        and (ordered or not loss.properties.ordered)
    ]


def check_applies(checked: CheckedInput, metrics: Iterable[Metric]) -> None:
    """Raise an InputError for the first loss or metric that is not defined for checked input."""
    for metric in metrics:
        if isinstance(metric, Loss):
            metric.check_applies(checked)
        elif reason := metric.why_not(checked):
            raise InputError(f"{metric.name} {reason}")


def evaluate_checked(
    checked: CheckedInput,
    metrics: Sequence[Metric],
    *,
    prior: object = None,
    per_sample: bool = False,
    undefined: Literal["raise", "nan"] = "raise",
) -> Evaluation:
    """Losses and metrics that are known to apply to checked input."""
    losses = [metric for metric in metrics if isinstance(metric, Loss)]
    state, rows = sum_losses(checked, losses, per_sample=per_sample)
    data = MetricInput(checked, prior=prior, state=state)
    values = {}
    for metric in metrics:
        if isinstance(metric, DatasetMetric):
            try:
                values[metric.name] = metric.value(data)
            except UndefinedError:
                if undefined == "raise":
                    raise
                values[metric.name] = np.nan
    return Evaluation(state, values, rows, tuple(metric.name for metric in metrics))
