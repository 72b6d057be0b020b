"""Figures as display classes, as scikit-learn has them.

Each class has the methods `from_predictions`, `from_estimator` and `plot`, and draws into the axes
that it is given, or into a new pyplot figure:

- `DecompositionDisplay`: miscalibration and discrimination of models on one scale;
- `DifferenceDisplay`: paired differences of models to a reference, with intervals and folds;
- `GainsDisplay`: share of the events among the rows with the highest predictions;
- `KsDisplay`: distribution functions of the predictions of two classes, and their largest gap;
- `LossDistributionDisplay`: distribution of the losses of rows, and the share of the worst;
- `MurphyDisplay`, `MurphyDifferenceDisplay`: cost of the decisions at every threshold, and its
  difference to a reference;
- `ReliabilityDisplay`: reliability curves with the band of calibrated predictions;
- `SegmentDisplay`: mean prediction minus observed rate in segments of the rows;
- `StabilityDisplay`: values of models in each fold or period;
- `ThresholdDisplay`: cost of decisions over the cutoff, for given costs of errors.
"""

from __future__ import annotations

from xentexp.displays._decomposition import DecompositionDisplay
from xentexp.displays._difference import DifferenceDisplay
from xentexp.displays._gains import GainsDisplay
from xentexp.displays._ks import KsDisplay
from xentexp.displays._loss_distribution import LossDistribution, LossDistributionDisplay
from xentexp.displays._murphy import MurphyDifferenceDisplay, MurphyDisplay
from xentexp.displays._reliability import ReliabilityDisplay, ReliabilityPanel
from xentexp.displays._segment import SegmentDisplay
from xentexp.displays._stability import StabilityDisplay
from xentexp.displays._threshold import ThresholdDisplay

__all__ = [
    "DecompositionDisplay",
    "DifferenceDisplay",
    "GainsDisplay",
    "KsDisplay",
    "LossDistribution",
    "LossDistributionDisplay",
    "MurphyDifferenceDisplay",
    "MurphyDisplay",
    "ReliabilityDisplay",
    "ReliabilityPanel",
    "SegmentDisplay",
    "StabilityDisplay",
    "ThresholdDisplay",
]
