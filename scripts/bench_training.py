"""What training on a loss costs: fits under our objective over those under the booster's own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from bench_timing import Fact, interleaved
from sklearn.datasets import make_classification

from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier

REPEATS = 3  # a fit takes ten seconds: what a round costs is averaged over its 200 rounds


def table() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(100_000, 30, n_informative=15, n_classes=3, random_state=0)


def overhead(ours: Any, make: Callable[[], Any], bound: float) -> Callable[[], tuple[str, bool]]:
    """Median processor time of a fit over that of the booster's own, one thread, no evaluation."""

    def measure() -> tuple[str, bool]:
        if find_spec(ours.module) is None:
            return f"{ours.module} is not installed", True
        own, (X, y) = make(), table()
        seconds = interleaved(
            {"ours": lambda: ours.fit(X, y), "own": lambda: own.fit(X, y)}, REPEATS
        )
        apart = np.abs(ours.predict_proba(X[:5000]) - own.predict_proba(X[:5000])).max()
        ratio = seconds["ours"] / seconds["own"]
        found = (
            f"{ratio:.3f} ({seconds['ours']:.1f} s over {seconds['own']:.1f} s), "
            f"probabilities {apart:.0e} apart"
        )
        return found, ratio <= bound

    return measure


def lightgbm_classifier() -> Any:
    from lightgbm import LGBMClassifier

    # LightGBM would choose between rows and columns by a clock.
    return LGBMClassifier(
        n_estimators=200, n_jobs=1, random_state=0, verbosity=-1, force_row_wise=True
    )


def xgboost_classifier() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=200, n_jobs=1, random_state=0, tree_method="hist")


def training_rows() -> list[Fact]:
    row_wise = {"force_row_wise": True}
    return [
        Fact(
            "training LightGBM, 100k x 30 x 3, 200 rounds",
            "<= 1.08 of its own objective",
            overhead(
                LightGBMLossClassifier(
                    n_estimators=200, n_jobs=1, random_state=0, booster_params=row_wise
                ),
                lightgbm_classifier,
                1.08,
            ),
            long=True,
        ),
        Fact(
            "training XGBoost, 100k x 30 x 3, 200 rounds",
            "<= 1.05 of its own objective",
            overhead(
                XGBoostLossClassifier(n_estimators=200, n_jobs=1, random_state=0),
                xgboost_classifier,
                1.05,
            ),
            long=True,
        ),
    ]
