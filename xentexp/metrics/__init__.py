"""A function for each loss and metric, with the arguments of scikit-learn: targets first.

Lower is better unless the docstring of a function says otherwise. Values that contain a natural
logarithm are in nats. `evaluate` computes many losses and metrics in one pass.

A loss is an average over rows. A metric of the whole data set, such as AUC, is not: it is a
`DatasetMetric`, and `register_metric` adds your own.

Short names such as ``nll``, ``brier`` and ``auc`` can be imported too: each is another name for
the same function.
"""

from __future__ import annotations

from typing import Any

from xentexp.losses import LOSSES
from xentexp.losses._base import MetricProperties
from xentexp.metrics import _calibration as _calibration
from xentexp.metrics import _ranking as _ranking
from xentexp.metrics import _skill as _skill
from xentexp.metrics import _threshold as _threshold
from xentexp.metrics import credit as credit
from xentexp.metrics._base import DatasetMetric
from xentexp.metrics._evaluation import Evaluation, evaluate
from xentexp.metrics._functions import function_of, missing_name
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import (
    DATASET_METRICS,
    PUBLIC_NAMES,
    get_loss,
    get_metric,
    register_metric,
)
from xentexp.metrics._running_sums import LossState

__all__ = [
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
    *LOSSES,
    *DATASET_METRICS,
]


def __getattr__(name: str) -> Any:
    """The function of a loss or metric, plug-ins included, by its name or an alias."""
    function = None if name.startswith("_") else function_of(name)
    if function is None:
        raise missing_name(__name__, name)
    return function


def __dir__() -> list[str]:
    return sorted({*PUBLIC_NAMES, *LOSSES, *DATASET_METRICS})
