"""`evaluate`: many losses and metrics of one set of predictions, in one pass over the blocks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.options import InputOptions, check_bool, refuse_unknown
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray
from xentexp.errors import InputError, UndefinedError
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import get_metric, get_metrics
from xentexp.metrics._running_sums import LossState, sum_losses

if TYPE_CHECKING:
    import pandas as pd


_ROWS_OF_REPR = 10


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Values of losses and metrics for one set of predictions: the result of `evaluate`.

    ``result["brier_loss"]`` returns one value, `values` all of them, and `to_frame` a table.
    `repr` shows the first ten rows of the table, and a notebook the whole table.

    Parameters
    ----------
    state : LossState
        Sums from which the values of the losses are computed. The states of several evaluations
        can be added to merge them: ``Evaluation(first.state + second.state)``.
    metrics : dict of str to float, default={}
        Value of each metric of the whole data set, by name. Such values cannot be merged.
    per_sample : dict of str to ndarray of shape (n,), default=None
        Unweighted value of each row, by name of the loss; NaN for ignored rows. None, the
        default, if `evaluate` was called without ``per_sample=True``.
    order : tuple of str, default=()
        Names of the losses and metrics in the order of `values`. If it is empty, the losses come
        first, then the metrics.

    Examples
    --------
    >>> from xentexp.metrics import evaluate
    >>> result = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss", "roc_auc"])
    >>> result
    Evaluation(n_rows=3)
                   value  standard_error
    brier_loss  0.136667        0.112002
    roc_auc            1
    >>> result["roc_auc"]
    1.0
    """

    state: LossState
    metrics: dict[str, float] = field(default_factory=dict)
    per_sample: dict[str, FloatArray] | None = None
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.state, LossState):
            raise InputError(
                f"state must be a LossState, as from evaluate(...).state, or a sum of them; got "
                f"{self.state!r}"
            )

    def __repr__(self) -> str:
        values, errors = self.values, self.standard_error
        rows = [("", "value", "standard_error")]
        for name, value in list(values.items())[:_ROWS_OF_REPR]:
            error = f"{errors[name]:.6g}" if name in errors else ""
            rows.append((name, f"{value:.6g}", error))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"Evaluation(n_rows={self.state.n_rows})"]
        for row in rows:
            line = f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}"
            lines.append(line.rstrip())
        if (more := len(values) - _ROWS_OF_REPR) > 0:
            lines.append(f"... {more} more; to_frame() returns all")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(na_rep="")

    def __getitem__(self, name: str) -> float:
        """Value of a loss or metric by name, short name, or name in another library."""
        values = self.values
        full_name = name if name in values else get_metric(name).name
        if full_name not in values:
            more = f", ... ({len(values)} in all)" if len(values) > 20 else ""
            raise InputError(
                f"{name} was not computed; computed: {', '.join(list(values)[:20])}{more}"
            )
        return values[full_name]

    def _by_name(self, values: FloatArray) -> dict[str, float]:
        return dict(zip(self.state.names, values.tolist(), strict=True))

    @property
    def values(self) -> dict[str, float]:
        """Mean of each loss and value of each metric, by name, in the order of the request."""
        values = {**self.mean, **self.metrics}
        return {name: values[name] for name in self.order or values}

    @property
    def mean(self) -> dict[str, float]:
        """Weighted mean of each loss, by name. Lower is better, except for `entropy`."""
        return self._by_name(self.state.mean())

    @property
    def standard_error(self) -> dict[str, float]:
        """Standard error of the mean of each loss, by name; NaN for a single row."""
        return self._by_name(self.state.standard_error())

    @property
    def infinite(self) -> dict[str, int]:
        """Number of rows with an infinite value, by name of the loss."""
        return {name: int(n) for name, n in self._by_name(self.state.n_infinite).items()}

    @property
    def clipped(self) -> int:
        """Number of rows whose cross-entropy was changed by the clip."""
        return self.state.n_clipped

    @property
    def class_mean(self) -> dict[str, dict[Any, float]]:
        """Mean of each loss over the rows of each true class: by name, then by class."""
        table = self.state.class_mean().tolist()
        return {
            name: dict(zip(self.state.classes, row, strict=True))
            for name, row in zip(self.state.names, table, strict=True)
        }

    def to_frame(self) -> pd.DataFrame:
        """Table with one row for each loss and metric.

        Returns
        -------
        DataFrame
            Indexed by name. Columns: ``value``; ``standard_error`` of the mean; ``infinite``,
            the number of rows with an infinite value; ``class <label>``, the mean over the rows
            of each true class. Only ``value`` is given for metrics of the whole data set; the
            other columns are missing values.

        Examples
        --------
        >>> from xentexp.metrics import evaluate
        >>> result = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss", "roc_auc"])
        >>> list(result.to_frame().columns)
        ['value', 'standard_error', 'infinite', 'class 0', 'class 1']
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
    n_jobs: int | None = None,
    **options: Unpack[InputOptions],
) -> Evaluation:
    """Compute many losses and metrics of one set of predictions in one pass.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        True classes: labels, one-hot rows, or rows of target probabilities that sum to 1.
    y_pred : array-like of shape (n,) or (n, k), or None
        Predicted probabilities with a column for each of k classes, or raw scores (logits) with
        ``from_logits=True``. Shape (n,) holds those of the second of two classes. None if there
        are only decision scores.
    metrics : str, Loss, DatasetMetric or sequence of these, default=None
        Losses and metrics of the whole data set, by name or as objects. By default every loss
        that is defined for the input, and no metric of the whole data set.
    decision : array-like of shape (n,) or (n, k), default=None
        Decision scores as from `decision_function`, for margin losses such as `hinge_loss`. By
        default margin losses are computed only with ``from_logits=True``.
    from_logits : bool, default=False
        If True, `y_pred` holds raw scores. Their softmax gives the probabilities, and they are
        used as decision scores too. A score of ``-inf`` masks a class: its probability is 0.
    ordered : bool, default=False
        If True, the classes are ordered, and the losses for ordered classes are included in the
        default of `metrics`.
    prior : array-like of shape (k,), default=None
        Proportion of each class among the training rows, in the order of the classes. Required
        by D2 scores with ``null="training prior"``, and not used by other metrics.
    per_sample : bool, default=False
        If True, the result keeps the value of each loss on each row as `per_sample`.
    n_jobs : int or None, default=None
        Number of threads that compute the losses of blocks of rows; -1 for all cores. The result
        is equal to the last digit for any number. None means 1, or the `n_jobs` of a context
        ``joblib.parallel_config`` with a backend on this machine. In a worker of joblib or Dask,
        it is always 1. Metrics of the whole data set are computed on one thread.
    **options
        `labels`, `sample_weight`, `class_weight`, `label_smoothing`, `normalize`, `clip` and
        `ignore_label`, as for the functions in `xentexp.metrics`. They apply to all losses and
        metrics, except that label smoothing applies to losses only.

    Returns
    -------
    Evaluation
        Values by name. For losses also standard errors, means over each true class, counts of
        clipped and infinite rows, and a state that can be merged with the state of other rows.

    Raises
    ------
    InputError
        If an argument has a wrong shape or value, if a name is unknown, or if a requested loss
        or metric is not defined for the input, e.g. `hinge_loss` without decision scores.
    UndefinedError
        If a requested metric has no value for these rows, e.g. `roc_auc` for a single class.

    Notes
    -----
    Here `clip` also applies to `cross_entropy` and `kl_divergence`. The functions with these names
    in `xentexp.metrics` compare two distributions and do not clip.

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
    check_bool("ordered", ordered)
    check_bool("per_sample", per_sample)
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
        selected: Sequence[Metric] = losses_for(checked, ordered=ordered)
    else:
        selected = get_metrics(metrics)
        check_applies(checked, selected)
    return evaluate_checked(checked, selected, prior=prior, per_sample=per_sample, n_jobs=n_jobs)


def losses_for(checked: CheckedInput, *, ordered: bool = False) -> list[Loss]:
    """Every loss that is defined for the input; losses of ordered classes only with `ordered`."""
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
    """Raise an InputError for the first loss or metric that is not defined for the input."""
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
    n_jobs: int | None = None,
    undefined: Literal["raise", "nan", "warn"] = "raise",
) -> Evaluation:
    """Values of losses and metrics that are defined for the input; not checked again."""
    losses = [metric for metric in metrics if isinstance(metric, Loss)]
    state, rows = sum_losses(checked, losses, per_sample=per_sample, n_jobs=n_jobs)
    values = {}
    if len(losses) < len(metrics):
        values = _values_of(metrics, MetricInput(checked, prior=prior, state=state), undefined)
    return Evaluation(state, values, rows, tuple(metric.name for metric in metrics))


def evaluate_state(
    checked: CheckedInput,
    state: LossState,
    metrics: Sequence[Metric],
    *,
    undefined: Literal["raise", "nan", "warn"] = "raise",
) -> Evaluation:
    """Values of losses, and of metrics that `losses_of` derives from losses, from their sums."""
    # `checked`: some of the rows, for the classes and options that all of them share.
    values = _values_of(metrics, MetricInput(checked, state=state), undefined)
    shown = state.of([metric for metric in metrics if isinstance(metric, Loss)])
    return Evaluation(shown, values, None, tuple(metric.name for metric in metrics))


def _values_of(
    metrics: Sequence[Metric], data: MetricInput, undefined: Literal["raise", "nan", "warn"]
) -> dict[str, float]:
    """Values of metrics of the whole data set."""
    # An undefined metric raises its error, is NaN, or is NaN with a warning.
    values = {}
    for metric in metrics:
        if isinstance(metric, DatasetMetric):
            try:
                values[metric.name] = metric.value(data)
            except UndefinedError as error:
                if undefined == "raise":
                    raise
                if undefined == "warn":
                    from sklearn.exceptions import UndefinedMetricWarning

                    warnings.warn(str(error), UndefinedMetricWarning, stacklevel=3)
                values[metric.name] = np.nan
    return values
