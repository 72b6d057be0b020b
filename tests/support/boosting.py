"""Small data sets and losses for the tests of boosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import make_classification

from xentexp.errors import InputError
from xentexp.estimators._catboost import CatBoostLossClassifier
from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier
from xentexp.losses import LOSSES
from xentexp.objectives import TrainingObjective, get_training_loss

MODELS: list[Any] = [LightGBMLossClassifier, XGBoostLossClassifier, CatBoostLossClassifier]
TREES = MODELS[:2]  # boosters that support categories
SMALL = {"n_estimators": 10, "learning_rate": 0.1, "random_state": 0}


def table(k: int, n: int = 600, *, weighted: bool = False) -> tuple[Any, Any, Any]:
    """Rows, labels 0 to k - 1 in unequal proportions, and weights or None."""
    X, y = make_classification(
        n, 8, n_informative=5, n_classes=k, weights=[0.6] + [0.4 / (k - 1)] * (k - 1),
        flip_y=0.05, random_state=0,
    )  # fmt: skip
    weight = np.random.default_rng(1).uniform(0.1, 3.0, n) if weighted else None
    return X, y, weight


def trainable() -> list[tuple[str, int]]:
    """Name and number of classes (2, 3) of every loss that can be trained on."""
    names = []
    for name in LOSSES:
        for k in (2, 3):
            try:
                TrainingObjective(get_training_loss(name), np.arange(k), k)
            except InputError:
                continue
            names.append((name, k))
    return names


TRAINABLE = trainable()
