"""The one table of metrics of a sample."""

from __future__ import annotations

from dataclasses import fields, replace

from xentexp.errors import unknown_name
from xentexp.losses import LOSSES, load_plugins
from xentexp.metrics.base import SampleMetric
from xentexp.metrics.calibration import (
    CalibrationIntercept,
    CalibrationSlope,
    ExpectedCalibrationError,
    MaximumCalibrationError,
)
from xentexp.metrics.ranking import Gini, HMeasure, KsStatistic, RocAuc
from xentexp.metrics.skill import BalancedLoss, D2Score, Perplexity

_TABLE: tuple[SampleMetric, ...] = (
    Perplexity(),
    D2Score(),
    BalancedLoss(),
    RocAuc(),
    Gini(),
    KsStatistic(),
    HMeasure(),
    ExpectedCalibrationError(),
    MaximumCalibrationError(),
    CalibrationSlope(),
    CalibrationIntercept(),
)
SAMPLE_METRICS: dict[str, SampleMetric] = {metric.name: metric for metric in _TABLE}
"""Every metric of a sample by name, with its default parameters."""

LOGGED: tuple[SampleMetric, ...] = (
    Perplexity(),
    D2Score(),
    D2Score("brier_loss"),
    BalancedLoss(),
    BalancedLoss("zero_one_loss"),
    *_TABLE[3:],
)
"""What experiments compute by default, each under its label."""

_OF_LOSS: dict[str, type[BalancedLoss] | type[D2Score]] = {
    "balanced_": BalancedLoss,
    "d2_": D2Score,
}


def get_sample_metric(name: str | SampleMetric, **parameters: object) -> SampleMetric:
    """Metric of a sample by name, with other parameters than the default where given.

    Parameters
    ----------
    name : str or SampleMetric
        A key of `SAMPLE_METRICS`; ``balanced_<loss>`` or ``d2_<loss>``; or a metric itself.
    **parameters : object
        Fields of the metric, e.g. ``n_bins=10``.

    Returns
    -------
    SampleMetric
        A frozen value.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest ones, and for a bad value.

    Examples
    --------
    >>> get_sample_metric("d2_brier_loss", null="uniform")
    D2Score(loss='brier_loss', null='uniform')
    """
    metric = name if isinstance(name, SampleMetric) else _find(name)
    if metric is None:
        labels = [known.label for known in SAMPLE_METRICS.values()]
        raise unknown_name("metric of a sample", name, {*SAMPLE_METRICS, *labels})
    known = [field.name for field in fields(metric)]
    for parameter in parameters:
        if parameter not in known:
            raise unknown_name(f"parameter of {metric.name}", parameter, known)
    made: SampleMetric = replace(metric, **parameters)
    return made


def _find(name: object) -> SampleMetric | None:
    if not isinstance(name, str):
        return None
    if name in SAMPLE_METRICS:
        return SAMPLE_METRICS[name]
    for metric in SAMPLE_METRICS.values():
        if any(name in (peer, peer.rpartition(".")[2]) for peer in metric.properties.peers):
            return metric
    for prefix, kind in _OF_LOSS.items():
        loss = name.removeprefix(prefix)
        if name.startswith(prefix):
            if loss not in LOSSES:
                load_plugins()
            if loss in LOSSES:
                return kind(loss=loss)
    return None


def is_sample_metric(name: object) -> bool:
    """Whether `get_sample_metric` knows a name.

    Parameters
    ----------
    name : object
        Any.

    Returns
    -------
    bool
        False for the name of a loss.

    Examples
    --------
    >>> is_sample_metric("balanced_brier_loss"), is_sample_metric("brier_loss")
    (True, False)
    """
    return _find(name) is not None
