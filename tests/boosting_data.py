"""Small tables for the tests of boosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import make_classification


def table(k: int, n: int = 600, *, weighted: bool = False) -> tuple[Any, Any, Any]:
    """Rows, labels 0 to k - 1 in unequal shares, and weights or None."""
    X, y = make_classification(
        n, 8, n_informative=5, n_classes=k, weights=[0.6] + [0.4 / (k - 1)] * (k - 1),
        flip_y=0.05, random_state=0,
    )  # fmt: skip
    weight = np.random.default_rng(1).uniform(0.1, 3.0, n) if weighted else None
    return X, y, weight
