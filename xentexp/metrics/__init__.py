"""scikit-learn-style functions of losses and of metrics of the whole data set.

Arguments come in scikit-learn's order, targets first. All values are in nats where there is
a logarithm, and lower is better unless the docstring says otherwise. `evaluate` computes many
of them in one pass.
"""

from __future__ import annotations

from typing import Any

from xentexp.losses import LOSSES
from xentexp.metrics import _calibration as _calibration
from xentexp.metrics import _ranking as _ranking
from xentexp.metrics import _skill as _skill
from xentexp.metrics import _threshold as _threshold
from xentexp.metrics._evaluation import Evaluation, evaluate
from xentexp.metrics._functions import function_of
from xentexp.metrics._registry import DATASET_METRICS, get_loss, get_metric

__all__ = ["Evaluation", "evaluate", "get_loss", "get_metric", *LOSSES, *DATASET_METRICS]


def __getattr__(name: str) -> Any:
    """The function of a loss or metric, those registered from outside included."""
    function = None if name.startswith("_") else function_of(name)
    if function is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return function


def __dir__() -> list[str]:
    return sorted({*__all__, *LOSSES, *DATASET_METRICS})
