"""The mathematics: one definition of each loss, and the one table of them."""

from __future__ import annotations

from xentexp.inputs.block import Block
from xentexp.losses.base import Loss, Properties
from xentexp.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    LogarithmicScore,
    SparseCategoricalCrossentropy,
)
from xentexp.losses.divergence import (
    AlphaDivergence,
    CrossEntropy,
    Entropy,
    JensenShannonDivergence,
    KLDivergence,
    RenyiDivergence,
    ReverseKLDivergence,
)
from xentexp.losses.focal import (
    AsymmetricLoss,
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    Poly1Crossentropy,
)
from xentexp.losses.margin import (
    CategoricalHinge,
    ExponentialLoss,
    HingeLoss,
    LogisticMarginLoss,
    ModifiedHuberLoss,
    MultiMarginLoss,
    SmoothedHingeLoss,
    SquaredHingeLoss,
    WestonWatkinsHinge,
)
from xentexp.losses.multilabel import MultilabelAsymmetricLoss, MultilabelCrossentropy
from xentexp.losses.ordinal import (
    CumulativeLinkLogLoss,
    CumulativeLogLoss,
    ExpectedAbsoluteGradeError,
    RankedProbabilityScore,
    SquaredEarthMoverDistance,
)
from xentexp.losses.proper import (
    BetaLoss,
    BrierLoss,
    PowerLoss,
    PseudosphericalLoss,
    SphericalLoss,
    ZeroOneLoss,
)
from xentexp.losses.registry import LOSSES, load_plugins, register_loss
from xentexp.losses.regression import (
    AbsoluteError,
    HuberLoss,
    LogCoshLoss,
    PoissonDeviance,
    SquaredError,
    SquaredLogError,
)
from xentexp.losses.robust import (
    BiTemperedLogisticLoss,
    GeneralizedCrossentropy,
    LabelRelaxation,
    SymmetricCrossentropy,
    TaylorCrossentropy,
)

for _loss in (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    LogarithmicScore,
    BrierLoss,
    SphericalLoss,
    PseudosphericalLoss,
    PowerLoss,
    BetaLoss,
    ZeroOneLoss,
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    AsymmetricLoss,
    Poly1Crossentropy,
    GeneralizedCrossentropy,
    SymmetricCrossentropy,
    TaylorCrossentropy,
    LabelRelaxation,
    BiTemperedLogisticLoss,
    RankedProbabilityScore,
    SquaredEarthMoverDistance,
    CumulativeLogLoss,
    CumulativeLinkLogLoss,
    ExpectedAbsoluteGradeError,
    HingeLoss,
    SquaredHingeLoss,
    SmoothedHingeLoss,
    ModifiedHuberLoss,
    CategoricalHinge,
    WestonWatkinsHinge,
    MultiMarginLoss,
    ExponentialLoss,
    LogisticMarginLoss,
    SquaredError,
    AbsoluteError,
    HuberLoss,
    LogCoshLoss,
    PoissonDeviance,
    SquaredLogError,
    Entropy,
    CrossEntropy,
    KLDivergence,
    ReverseKLDivergence,
    JensenShannonDivergence,
    RenyiDivergence,
    AlphaDivergence,
    MultilabelCrossentropy,
    MultilabelAsymmetricLoss,
):
    register_loss(_loss)
del _loss

__all__ = ["LOSSES", "Block", "Loss", "Properties", "load_plugins", "register_loss"]
