"""Lookup by name, for losses and for metrics of the whole data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from inspect import isabstract
from keyword import iskeyword
from typing import TypeVar

from xentexp._inputs.options import refuse_unordered
from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss
from xentexp.losses._base import MetricProperties
from xentexp.losses._registry import ALIASES as LOSS_ALIASES
from xentexp.losses._registry import (
    TAKEN,
    TAKEN_PREFIXES,
    check_example,
    check_parameters,
    check_peers,
    matching_losses,
)
from xentexp.metrics._base import DatasetMetric, Metric

DATASET_METRICS: dict[str, DatasetMetric] = {}
"""Every metric of the whole data set by the name of its function, with default parameters."""

T = TypeVar("T")
_MetricClass = TypeVar("_MetricClass", bound=type[DatasetMetric])

ALIASES: dict[str, str] = {
    **LOSS_ALIASES,
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "ece": "expected_calibration_error",
    "f1": "f1_score",
    "ks": "ks_statistic",
    "mcc": "matthews_corrcoef",
    "mce": "maximum_calibration_error",
    "precision": "precision_score",
    "recall": "recall_score",
}
"""Short names of losses and metrics; `xentexp.metrics` has the functions by these names too."""

PUBLIC_NAMES = (
    "DatasetMetric",
    "Evaluation",
    "LossState",
    "MetricInput",
    "MetricProperties",
    "credit",
    "evaluate",
    "get_loss",
    "get_metric",
    "register_metric",
)
"""Names of `xentexp.metrics` that are not functions of a loss or metric."""
TAKEN.update(ALIASES, PUBLIC_NAMES)

DEFAULT_METRICS = (
    "perplexity",
    "d2_categorical_crossentropy",
    "d2_brier_loss",
    "balanced_categorical_crossentropy",
    "balanced_zero_one_loss",
    "roc_auc",
    "gini",
    "ks_statistic",
    "h_measure",
    "expected_calibration_error",
    "maximum_calibration_error",
    "calibration_slope",
    "calibration_intercept",
)
"""Metrics of the whole data set that an experiment computes by default."""


def register_metric(metric: _MetricClass) -> _MetricClass:
    """Class decorator that adds a metric of the whole data set to the metrics found by name.

    After registration the metric has a function ``xentexp.metrics.<name>``, is found by
    `get_metric` and `evaluate`, and can be named in experiments. If it has a direction, "lower"
    or "higher", it also has a scorer. A metric that is passed as an object, as in
    ``evaluate(y_true, y_pred, [MyMetric()])``, does not need registration.

    Parameters
    ----------
    metric : type
        A class derived from `DatasetMetric` and decorated with ``@dataclass(frozen=True)``. Each
        of its parameters must have a default value. Its `properties` must state an `optimum` that
        agrees with `direction` and `range`: the lower end of the range for ``"lower"``, the upper
        end for ``"higher"``. The `example` must call the function of the metric.

    Returns
    -------
    type
        The same class, unchanged.

    Raises
    ------
    InputError
        If `metric` is not such a class, if another loss or metric has its name, or if one of its
        `peers` is a name by which another loss or metric is found.

    See Also
    --------
    xentexp.losses.register_loss : The same for a loss, which is an average over rows.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from xentexp.metrics import DatasetMetric, MetricProperties, register_metric
    >>> @register_metric
    ... @dataclass(frozen=True)
    ... class LowestTrueProbability(DatasetMetric):
    ...     function = "lowest_true_probability"
    ...     properties = MetricProperties(
    ...         summary="Lowest predicted probability of a true class.",
    ...         formula="min_i p_iy", range="[0, 1]", direction="higher", optimum=1.0,
    ...         response="predict_proba", reference="an example",
    ...         example=">>> lowest_true_probability([0, 1], [0.1, 0.8])")
    ...     def value(self, data):
    ...         return float(data.proba_by_class[data.index, range(len(data.index))].min())
    >>> from xentexp.metrics import evaluate, lowest_true_probability
    >>> lowest_true_probability([0, 1], [0.1, 0.8])
    0.8
    >>> evaluate([0, 1], [0.1, 0.8], ["brier_loss", "lowest_true_probability"]).values
    {'brier_loss': 0.02..., 'lowest_true_probability': 0.8}
    """
    name, properties = getattr(metric, "function", None), getattr(metric, "properties", None)
    derived = isinstance(metric, type) and issubclass(metric, DatasetMetric)
    if not (derived and "__dataclass_params__" in vars(metric)):  # its own, not one inherited
        raise InputError(
            f"a metric must be a class derived from DatasetMetric with @dataclass(frozen=True); "
            f"got {metric!r}"
        )
    if not (isinstance(name, str) and name.isidentifier() and not iskeyword(name)):
        raise InputError(
            f"function of {metric.__name__} must be a valid Python name, the name of the metric; "
            f"got {name!r}"
        )
    if not isinstance(properties, MetricProperties) or properties.optimum is None:
        raise InputError(
            f"properties of {metric.__name__} must be MetricProperties(...) with an optimum; got "
            f"{properties!r}"
        )
    check_parameters(metric, ("function", "prefix", "properties"))
    if isabstract(metric):
        missing = ", ".join(sorted(metric.__abstractmethods__))
        raise InputError(f"{metric.__name__} must define {missing}")
    registered = type(DATASET_METRICS.get(name))
    # The same class again, as when a cell of a notebook is run twice, replaces itself.
    same_class = (registered.__module__, registered.__qualname__) == (
        metric.__module__,
        metric.__qualname__,
    )
    if name in LOSSES or (name in TAKEN and not same_class):
        raise InputError(
            f"function of {metric.__name__} must be a new name; {name!r} is already the name of "
            f"another loss, metric or function of xentexp.metrics"
        )
    check_example(metric, name, properties.example)
    _check_optimum(metric)
    check_peers(metric, name, properties.peers, [*LOSSES.values(), *DATASET_METRICS.values()])
    DATASET_METRICS[name] = metric()
    TAKEN.add(name)
    if metric.prefix is not None:
        TAKEN_PREFIXES.add(metric.prefix)
    return metric


def _check_optimum(metric: type[DatasetMetric]) -> None:
    """Raise an InputError if the optimum is not the end of the range that `direction` states."""
    properties = metric.properties
    if properties.direction not in ("lower", "higher"):
        return
    # Without a direction, "lower" is the default, also for a metric that is best at 1.
    end = -1 if properties.direction == "higher" else 0
    text = properties.range.strip("[]()").split(",")[end].strip()
    try:
        best = float(text)
    except ValueError:  # e.g. "log k"
        return
    if properties.optimum != best:
        raise InputError(
            f"optimum of {metric.__name__} must be {best:g}, the best value in its range "
            f"{properties.range} with direction={properties.direction!r}; got "
            f"{properties.optimum:g}; set direction, e.g. to 'higher', or correct range or optimum"
        )


def get_metric(name: str | Metric, **parameters: object) -> Metric:
    """Return a loss or a metric of the whole data set by name.

    Parameters
    ----------
    name : str, Loss or DatasetMetric
        One of: the name of a function in `xentexp.metrics`; ``"balanced_<loss>"`` or
        ``"d2_<loss>"`` for a loss; a short name, e.g. ``"auc"`` or ``"nll"``; the name in
        another library, either in full (``"sklearn.metrics.roc_auc_score"``) or its last part
        (``"roc_auc_score"``). A loss or metric object is accepted too.
    **parameters : object
        Parameters of the loss or metric that differ from its defaults, e.g. ``n_bins=10``.

    Returns
    -------
    Loss or DatasetMetric
        An immutable object. Two objects with equal parameters are equal.

    Raises
    ------
    InputError
        If the name or a parameter is unknown (the message lists similar names), if the name in
        another library fits several losses, or if a parameter has an invalid value.

    See Also
    --------
    get_loss : The same for losses only; it has the return type `Loss`.

    Examples
    --------
    >>> from xentexp import get_metric
    >>> get_metric("ece", n_bins=10)
    ExpectedCalibrationError(n_bins=10, bins='width', of='auto', norm='l1', debiased=False)
    >>> get_metric("d2_brier_loss", null="uniform")
    D2Score(loss='brier_loss', null='uniform')
    """
    return _with_parameters(_find(name, "loss or metric"), parameters)


def get_loss(name: str | Loss, **parameters: object) -> Loss:
    """Return a loss by name.

    Parameters
    ----------
    name : str or Loss
        One of: the name of a loss (the command ``xentexp losses`` lists them); a short name,
        e.g. ``"nll"`` or ``"mse"``; the name in another library, either in full
        (``"torch.nn.CrossEntropyLoss"``) or, if it fits only one loss, its last part
        (``"BCEWithLogitsLoss"``). A loss object is accepted too.
    **parameters : object
        Parameters of the loss that differ from its defaults, e.g. ``gamma=2``.

    Returns
    -------
    Loss
        An immutable object that can be called on arrays and has the methods `per_sample`,
        `gradient` and `gradient_hessian`. Two losses with equal parameters are equal.

    Raises
    ------
    InputError
        If the name or a parameter is unknown (the message lists similar names), if a parameter
        has an invalid value, or if the name belongs to a metric of the whole data set, which is
        not a loss.

    See Also
    --------
    get_metric : The same for losses and for metrics of the whole data set.

    Examples
    --------
    >>> from xentexp import get_loss
    >>> get_loss("brier_loss")([1, 0], [0.9, 0.2])
    0.025...
    >>> get_loss("squared_error", over_classes="half_sum")
    SquaredError(over_classes='half_sum')
    >>> get_loss("torch.nn.CrossEntropyLoss")
    CategoricalCrossentropy()
    """
    loss = _find(name, "loss")
    if not isinstance(loss, Loss):
        raise InputError(
            f"a loss is required; got {name!r}, which is a metric of the whole data set; "
            f"get_metric and evaluate accept it"
        )
    return _with_parameters(loss, parameters)


def get_metrics(
    names: str | Metric | Iterable[str | Metric],
    subject: str = "losses and metrics",
    duplicate_hint: str = "",
) -> list[Metric]:
    """Losses and metrics by name, without duplicates; a single name gives a list of one."""
    if isinstance(names, (str, Loss, DatasetMetric)):
        names = [names]
    refuse_unordered(subject, names)
    if not isinstance(names, Iterable):
        raise InputError(
            f"{subject} must be a name, a loss or metric, or a list of these; got {names!r}"
        )
    metrics = [get_metric(name) for name in names]
    if not metrics:
        raise InputError(f"{subject} must have at least one entry; got an empty list")
    refuse_duplicates(metrics, subject, duplicate_hint)
    return metrics


def refuse_duplicates(metrics: Sequence[Metric], subject: str, hint: str = "") -> None:
    """Raise an InputError if two losses or metrics have the same name."""
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"{subject} must be distinct; duplicate: {', '.join(repeated)}{hint}")


def _with_parameters(metric: T, parameters: dict[str, object]) -> T:
    if not parameters:
        return metric
    known = [field.name for field in fields(metric)]  # type: ignore[arg-type]
    for parameter in parameters:
        if not known:
            raise InputError(f"{metric.name} has no parameters; got {parameter!r}")  # type: ignore[attr-defined]
        if parameter not in known:
            raise unknown_name(f"parameter of {metric.name}", parameter, known)  # type: ignore[attr-defined]
    return replace(metric, **parameters)  # type: ignore[type-var]


def _find(name: object, kind: str) -> Metric:
    matches: list[Metric] = []
    if isinstance(name, str):
        if (full_name := ALIASES.get(name, name)) in LOSSES:  # the usual case, without a search
            return LOSSES[full_name]
        matches = matching_metrics(name)
    elif isinstance(name, (Loss, DatasetMetric)):
        return name
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = " or ".join(metric.name for metric in matches)
        raise InputError(f"{kind} {name!r} is ambiguous; write {names}")
    if isinstance(name, str) and name.startswith("neg_") and matching_metrics(name[4:]):
        raise InputError(
            f"names of losses and metrics have no prefix neg_; got {name!r}; write {name[4:]!r}"
        )
    function = getattr(name, "__name__", None)
    if getattr(name, "__module__", None) == "xentexp.metrics" and (
        function in LOSSES or function in DATASET_METRICS
    ):
        raise InputError(
            f"a {kind} must be a name or an object; got the function {function}; write {function!r}"
        )
    known: dict[str, Metric] = {**LOSSES, **(DATASET_METRICS if kind != "loss" else {})}
    aliases = [alias for alias, full_name in ALIASES.items() if full_name in known]
    peers = [peer for metric in known.values() for peer in metric.properties.peers]
    last_parts = [peer.rpartition(".")[2] for peer in peers]
    accuracy = isinstance(name, str) and name in _ACCURACY
    hint = "use zero_one_loss, which is 1 - accuracy" if accuracy else None
    raise unknown_name(kind, name, [*known, *aliases, *peers, *last_parts], shown=known, hint=hint)


_ACCURACY = ("accuracy", "accuracy_score", "acc")  # names of the accuracy, which is not a loss


def matching_metrics(name: str) -> list[Metric]:
    """Losses and metrics with this name, alias, or name in another library."""
    if name in DATASET_METRICS or ALIASES.get(name) in DATASET_METRICS:
        return [DATASET_METRICS[ALIASES.get(name, name)]]
    matches: list[Metric] = [LOSSES[loss] for loss in sorted(matching_losses(name))]
    for metric in DATASET_METRICS.values():
        if any(name in (peer, peer.rpartition(".")[2]) for peer in metric.properties.peers):
            matches.append(metric)
        prefix = metric.prefix
        if prefix is not None and name.startswith(prefix):
            losses = matching_losses(name.removeprefix(prefix))
            matches += [replace(metric, loss=loss) for loss in sorted(losses)]  # type: ignore[call-arg]
    return matches
