"""Figures as display classes, as scikit-learn has them.

Each class has the methods `from_predictions`, `from_estimator` and `plot`, and draws into the axes
that it is given, or into a new pyplot figure:

- `DecompositionDisplay`: miscalibration and discrimination of models on one scale;
- `DifferenceDisplay`: paired differences of models to a reference, with intervals and folds;
- `KsDisplay`: distribution functions of the predictions of two classes, and their largest gap;
- `LossDistributionDisplay`: distribution of the losses of rows, and the share of the worst;
- `ReliabilityDisplay`: reliability curves with the band of calibrated predictions.
"""

from __future__ import annotations

from xentexp.displays._decomposition import DecompositionDisplay
from xentexp.displays._difference import DifferenceDisplay
from xentexp.displays._ks import KsDisplay
from xentexp.displays._loss_distribution import LossDistribution, LossDistributionDisplay
from xentexp.displays._reliability import ReliabilityDisplay, ReliabilityPanel

__all__ = [
    "DecompositionDisplay",
    "DifferenceDisplay",
    "KsDisplay",
    "LossDistribution",
    "LossDistributionDisplay",
    "ReliabilityDisplay",
    "ReliabilityPanel",
]
