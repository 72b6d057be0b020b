"""What models are trained on: a loss, the rows it is trained on, and each library's own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentexp.objectives.catboost import catboost_metric, catboost_objective
from xentexp.objectives.lightgbm import lightgbm_metric, lightgbm_objective
from xentexp.objectives.objective import TrainingObjective, find_class_weight, find_loss
from xentexp.objectives.xgboost import xgboost_metric, xgboost_objective

if TYPE_CHECKING:
    from xentexp.objectives.torch import TorchLoss

__all__ = [
    "TorchLoss",
    "TrainingObjective",
    "catboost_metric",
    "catboost_objective",
    "find_class_weight",
    "find_loss",
    "lightgbm_metric",
    "lightgbm_objective",
    "xgboost_metric",
    "xgboost_objective",
]


def __getattr__(name: str) -> Any:
    """`TorchLoss`, which needs torch, when it is used."""
    if name != "TorchLoss":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xentexp.objectives.torch import TorchLoss

    return TorchLoss
