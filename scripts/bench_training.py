"""Cost of training with our objective, relative to the objective of the booster itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from bench_timing import Fact, interleaved
from sklearn.datasets import make_classification

from xentexp.estimators._lightgbm import LightGBMLossClassifier
from xentexp.estimators._xgboost import XGBoostLossClassifier

REPEATS = 3  # few, because a fit takes ten seconds and averages over 200 rounds


def table() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(100_000, 30, n_informative=15, n_classes=3, random_state=0)


def overhead(ours: Any, make: Callable[[], Any], bound: float) -> Callable[[], tuple[str, bool]]:
    """Median processor time of a fit divided by that of the booster, one thread, no evaluation."""

    def measure() -> tuple[str, bool]:
        if find_spec(ours.module) is None:
            return f"{ours.module} is not installed", True
        theirs, (X, y) = make(), table()
        seconds = interleaved(
            {"ours": lambda: ours.fit(X, y), "theirs": lambda: theirs.fit(X, y)}, REPEATS
        )
        difference = np.abs(ours.predict_proba(X[:5000]) - theirs.predict_proba(X[:5000])).max()
        ratio = seconds["ours"] / seconds["theirs"]
        measured = (
            f"{ratio:.3f} ({seconds['ours']:.1f} s / {seconds['theirs']:.1f} s), "
            f"largest difference of probabilities {difference:.0e}"
        )
        return measured, ratio <= bound

    return measure


def lightgbm_classifier() -> Any:
    from lightgbm import LGBMClassifier

    # Without force_row_wise LightGBM chooses rows or columns by a measurement of time.
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
