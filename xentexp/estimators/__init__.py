"""scikit-learn classifiers that are trained on any loss."""

from __future__ import annotations

from xentexp.estimators.catboost import CatBoostLossClassifier
from xentexp.estimators.lightgbm import LightGBMLossClassifier
from xentexp.estimators.linear import LinearLossClassifier
from xentexp.estimators.network import NetworkLossClassifier
from xentexp.estimators.xgboost import XGBoostLossClassifier

__all__ = [
    "CatBoostLossClassifier",
    "LightGBMLossClassifier",
    "LinearLossClassifier",
    "NetworkLossClassifier",
    "XGBoostLossClassifier",
]
