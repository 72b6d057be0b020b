"""Loss matrix: models trained on each of several losses, scored on each of several losses.

Examples
--------
>>> rows = [
...     Trained("linear", "brier_loss", {"brier_loss": [0.30, 0.31, 0.29]}, column="brier_loss"),
...     Trained("linear", "exponential_loss", {"brier_loss": [0.33, 0.33, 0.32]}),
... ]
>>> [matrix] = build_matrices(rows, test_train_ratio=0.5)
>>> matrix.to_frame("percent").round(1)
                  brier_loss
brier_loss               0.0
exponential_loss         8.9
"""

from xentexp.experiments._analysis.cells import (
    BestRow,
    Calibration,
    Cell,
    Change,
    LossMatrix,
    Trained,
    calibration_of,
    trained_from,
)
from xentexp.experiments._analysis.loss_matrix import build_matrices, matrices_of

__all__ = [
    "BestRow",
    "Calibration",
    "Cell",
    "Change",
    "LossMatrix",
    "Trained",
    "build_matrices",
    "calibration_of",
    "matrices_of",
    "trained_from",
]
