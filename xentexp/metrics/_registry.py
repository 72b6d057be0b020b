"""The one lookup by name, of losses and of metrics of the whole data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss
from xentexp.losses._base import MetricProperties
from xentexp.losses._registry import ALIASES as LOSS_ALIASES
from xentexp.losses._registry import TAKEN, TAKEN_PREFIXES, matching_losses
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
"""Everyday names of losses and metrics."""
TAKEN.update(ALIASES, ("Evaluation", "evaluate", "get_loss", "get_metric"))

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
"""Metrics of the whole data set that experiments compute unless they name others."""


def register_metric(metric: _MetricClass) -> _MetricClass:
    """Class decorator: add a metric of the whole data set to those that are found by name.

    Parameters
    ----------
    metric : type
        A frozen dataclass derived from `DatasetMetric`, whose parameters all have defaults.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        For a class that is not such a metric, and for a name that is taken.
    """
    name, properties = getattr(metric, "function", None), getattr(metric, "properties", None)
    derived = isinstance(metric, type) and issubclass(metric, DatasetMetric)
    if not (derived and "__dataclass_params__" in vars(metric)):  # its own, not one inherited
        raise InputError(
            f"a metric is a class derived from DatasetMetric, with @dataclass(frozen=True); got "
            f"{metric!r}"
        )
    if not (isinstance(name, str) and name.isidentifier()):
        raise InputError(f"{metric.__name__} must have the name of its function; got {name!r}")
    if not isinstance(properties, MetricProperties) or properties.optimum is None:
        raise InputError(
            f"{metric.__name__} must have properties: MetricProperties(...) with an optimum"
        )
    holder: object = DATASET_METRICS.get(name)
    same = (type(holder).__module__, type(holder).__qualname__) == (
        metric.__module__,
        metric.__qualname__,
    )
    if name in LOSSES or name in ALIASES or (holder is not None and not same):
        raise InputError(f"the name {name} is taken by another loss or metric; choose another")
    DATASET_METRICS[name] = metric()
    TAKEN.add(name)
    if metric.prefix is not None:
        TAKEN_PREFIXES.add(metric.prefix)
    return metric


def get_metric(name: str | Metric, **parameters: object) -> Metric:
    """Loss or metric of the whole data set by name, with other parameters than the defaults.

    Parameters
    ----------
    name : str or Metric
        Name of a function in `xentexp.metrics`; ``balanced_<loss>`` or ``d2_<loss>``; an
        everyday name, e.g. ``"auc"`` or ``"nll"``; what a peer calls it, in full
        (``"torch.nn.CrossEntropyLoss"``) or its last part alone; or a loss or metric itself.
    **parameters : object
        Parameters of the loss or metric, e.g. ``n_bins=10``.

    Returns
    -------
    Metric
        A frozen value; equal parameters make equal values.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest ones, and for a bad value.

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
    """Loss by name, with other parameters than the defaults where they are given.

    Parameters
    ----------
    name : str or Loss
        Name of a loss (``xentexp losses`` lists them); an everyday name, e.g. ``"nll"`` or
        ``"mse"``; what a peer calls it, in full (``"torch.nn.CrossEntropyLoss"``) or its last
        part alone where that is one loss (``"BCEWithLogitsLoss"``); or a loss itself.
    **parameters : object
        Parameters of the loss, e.g. ``gamma=2``.

    Returns
    -------
    Loss
        A frozen value that is called on arrays, and has `per_sample`, `gradient` and
        `gradient_hessian`; equal parameters make equal losses.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest ones; for a bad value; and for the
        name of a metric of the whole data set, which is not a loss.

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
    found = _find(name, "loss")
    if not isinstance(found, Loss):
        raise InputError(
            f"{name!r} is {found.name}, a metric of the whole data set and not a loss; use "
            f"get_metric({name!r}), or evaluate(y_true, y_pred, [{name!r}])"
        )
    return _with_parameters(found, parameters)


def get_metrics(
    names: str | Metric | Iterable[str | Metric], what: str = "losses and metrics"
) -> list[Metric]:
    """Losses and metrics by name; a single name is a list of one, and none may be repeated."""
    if isinstance(names, (str, Loss, DatasetMetric)):
        names = [names]
    if not isinstance(names, Iterable):
        raise InputError(f"{what} must be a name, an object, or several of them; got {names!r}")
    metrics = [get_metric(name) for name in names]
    if not metrics:
        raise InputError(f"{what} must name at least one; got none")
    refuse_duplicates(metrics, what)
    return metrics


def refuse_duplicates(metrics: Sequence[Metric], what: str) -> None:
    """Raise an InputError where two of some losses and metrics have the same name."""
    names = [metric.name for metric in metrics]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{what} must be distinct; duplicate: {', '.join(repeated)}")


def _with_parameters(metric: T, parameters: dict[str, object]) -> T:
    known = [field.name for field in fields(metric)]  # type: ignore[arg-type]
    for parameter in parameters:
        if not known:
            raise InputError(f"{metric.name} has no parameters; got {parameter!r}")  # type: ignore[attr-defined]
        if parameter not in known:
            raise unknown_name(f"parameter of {metric.name}", parameter, known)  # type: ignore[attr-defined]
    return replace(metric, **parameters) if parameters else metric  # type: ignore[type-var]


def _find(name: object, kind: str) -> Metric:
    if isinstance(name, (Loss, DatasetMetric)):
        return name
    found: list[Metric] = []
    if isinstance(name, str):
        if name in LOSSES:  # the usual case, without a search
            return LOSSES[name]
        found = _named(name)
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(metric.name for metric in found)
        raise InputError(f"{name!r} may be {names}; name the one you mean")
    everything: list[Metric] = [*LOSSES.values(), *DATASET_METRICS.values()]
    peers = [peer for metric in everything for peer in metric.properties.peers]
    short = [peer.rpartition(".")[2] for peer in peers]
    ours = [*LOSSES, *DATASET_METRICS]
    function = getattr(name, "__name__", None)
    if getattr(name, "__module__", None) == "xentexp.metrics" and function in ours:
        raise InputError(f"a {kind} is named or given as an object; write {function!r}")
    raise unknown_name(kind, name, [*ours, *ALIASES, *peers, *short], shown=ours)


def _named(name: str) -> list[Metric]:
    """Losses and metrics that a name, an alias or a peer's name may stand for."""
    if name in DATASET_METRICS or ALIASES.get(name) in DATASET_METRICS:
        return [DATASET_METRICS[ALIASES.get(name, name)]]
    found: list[Metric] = [LOSSES[loss] for loss in sorted(matching_losses(name))]
    for metric in DATASET_METRICS.values():
        if any(name in (peer, peer.rpartition(".")[2]) for peer in metric.properties.peers):
            found.append(metric)
        prefix = metric.prefix
        if prefix is not None and name.startswith(prefix):
            losses = matching_losses(name.removeprefix(prefix))
            found += [replace(metric, loss=loss) for loss in sorted(losses)]  # type: ignore[call-arg]
    return found
