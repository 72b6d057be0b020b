"""Train on a loss: objectives and metrics for LightGBM, XGBoost and CatBoost, and a torch module.

`xentexp.estimators` has scikit-learn classifiers that use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentexp.objectives._catboost import CatBoostMetric, CatBoostObjective
from xentexp.objectives._lightgbm import LightGBMMetric, LightGBMObjective
from xentexp.objectives._objective import TrainingObjective, get_training_loss
from xentexp.objectives._xgboost import XGBoostMetric, XGBoostObjective

if TYPE_CHECKING:
    from xentexp.objectives._torch import TorchLoss

__all__ = [
    "CatBoostMetric",
    "CatBoostObjective",
    "LightGBMMetric",
    "LightGBMObjective",
    "TorchLoss",
    "TrainingObjective",
    "XGBoostMetric",
    "XGBoostObjective",
    "get_training_loss",
]


def __getattr__(name: str) -> Any:
    """Import `TorchLoss`, which needs torch, on first use."""
    if name != "TorchLoss":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xentexp.objectives._torch import TorchLoss

    return TorchLoss
