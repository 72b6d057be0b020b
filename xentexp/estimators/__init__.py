"""scikit-learn classifiers that are trained on any loss: linear, boosted trees, neural network."""

from __future__ import annotations

from xentexp.estimators._catboost import CatBoostLossClassifier
from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._linear import LinearLossClassifier
from xentexp.estimators._network import NetworkLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier

__all__ = [
    "CatBoostLossClassifier",
    "LightGBMLossClassifier",
    "LinearLossClassifier",
    "NetworkLossClassifier",
    "XGBoostLossClassifier",
]
