"""Cross-entropies that give well-predicted rows another weight: focal, asymmetric, poly-1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, cast

import numpy as np

from xentexp._inputs.asarray import to_floats
from xentexp._inputs.block import Block
from xentexp._numerics import LOWEST_LOG, FloatArray
from xentexp.errors import InputError
from xentexp.losses._base import HIGHEST_POWER, LARGEST, Properties, check_number
from xentexp.losses._differentiable import (
    Probabilities,
    SeparableLoss,
    TrueClassLoss,
    of_each_class,
)
from xentexp.losses._registry import register_loss

_LIN = (
    "Lin, T.-Y. et al. (2017). Focal loss for dense object detection. ICCV. Improper for "
    "gamma > 0: Charoenphakdee, N. et al. (2021). On focal loss for class-posterior "
    "probability estimation. CVPR"
)


def _focal(proba: Probabilities, gamma: float) -> FloatArray:
    """``-(1 - p)^gamma log p``."""
    value = np.multiply(proba.miss**gamma, proba.log_p)
    return np.subtract(0.0, value, out=value)


@register_loss
@dataclass(frozen=True)
class BinaryFocalCrossentropy(TrueClassLoss):
    """Focal loss for two classes.

    Parameters
    ----------
    gamma : float
        Focusing exponent, from 0 to 1e6: larger values give less weight to well-predicted rows; 0
        gives the cross-entropy.
    alpha : float or None
        Weight of the second class, in [0, 1]; the first has weight ``1 - alpha``. Lin et al. use
        0.25. None means no class weights. Keras has the default 0.25, but only uses it with
        ``apply_class_balancing=True``.
    """

    name: ClassVar[str] = "binary_focal_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Focal loss for two classes: less weight on well-predicted rows.",
        formula="-alpha_y (1 - p_y)^gamma log p_y",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="soft",
        binary_only=True,
        smoothing=True,
        clip=True,
        reference=_LIN + "; keras BinaryFocalCrossentropy; optax sigmoid_focal_loss",
        peers=(
            "keras.losses.BinaryFocalCrossentropy",
            "optax.losses.sigmoid_focal_loss",
            "torchvision.ops.sigmoid_focal_loss",
        ),
        example="""\
>>> binary_focal_crossentropy([1], [0.5])  # .5^2 log 2
0.1732...
>>> binary_focal_crossentropy([1, 0], [0.5, 0.5], gamma=0, alpha=0.25, reduction="none")
array([0.1732..., 0.5198...])""",
    )
    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, 0.0, HIGHEST_POWER)
        if self.alpha is not None:
            check_number("alpha", self.alpha, 0.0, 1.0)

    def value(self, proba: Probabilities) -> FloatArray:
        return _focal(proba, self.gamma)

    def slope_of(self, proba: Probabilities) -> FloatArray:
        return _focal_slope(proba, self.gamma)

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        return _focal_curvature(proba, self.gamma)

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        return _focal_slope_change(proba, self.gamma)

    def class_factors(self, n_classes: int) -> FloatArray | None:
        return None if self.alpha is None else np.array([1.0 - self.alpha, self.alpha])


def _focal_parts(proba: Probabilities, gamma: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """``1 - p``, ``log p / (1 - p)`` and ``(1 - p)^gamma``."""
    # Below 1e-100 powers can overflow; there, both derivatives are 0 up to rounding.
    miss = np.maximum(proba.miss, 1e-100)
    log_p = np.maximum(proba.log_p, LOWEST_LOG)
    return miss, log_p / miss, miss**gamma  # the ratio tends to -1 for p near 1


def _focal_slope(proba: Probabilities, gamma: float) -> FloatArray:
    """First derivative of `_focal` in ``p``, times ``p``."""
    _, ratio, power = _focal_parts(proba, gamma)
    return np.asarray(gamma * proba.p * power * ratio - power)


def _focal_slope_change(proba: Probabilities, gamma: float) -> FloatArray:
    """Derivative of `_focal_slope` in ``log p``."""
    miss, ratio, power = _focal_parts(proba, gamma)
    if not gamma:
        return np.zeros_like(power)
    p = proba.p
    return np.asarray(gamma * p * power * (ratio + (2.0 - (gamma - 1.0) * p * ratio) / miss))


def _focal_curvature(proba: Probabilities, gamma: float) -> FloatArray:
    """Second derivative of `_focal` in ``p``, times ``p^2``."""
    miss, ratio, power = _focal_parts(proba, gamma)
    p = proba.p
    if gamma:
        power += gamma * p * power / miss * (2.0 - (gamma - 1.0) * p * ratio)
    return power


@register_loss
@dataclass(frozen=True)
class CategoricalFocalCrossentropy(TrueClassLoss):
    """Focal loss for any number of classes.

    Parameters
    ----------
    gamma : float
        Focusing exponent, from 0 to 1e6: larger values give less weight to well-predicted rows; 0
        gives the cross-entropy.
    alpha : float or sequence of float
        A factor above 0, at most 1e100, for the whole loss, as in Keras, or a factor from 0 to
        1e100 for each class, in the order of the classes, as class weights.
    """

    name: ClassVar[str] = "categorical_focal_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Focal loss: cross-entropy with less weight on well-predicted rows.",
        formula="-sum_j t_j alpha_j (1 - p_j)^gamma log p_j",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="soft",
        smoothing=True,
        clip=True,
        reference=_LIN + "; keras CategoricalFocalCrossentropy",
        peers=("keras.losses.CategoricalFocalCrossentropy",),
        example="""\
>>> categorical_focal_crossentropy([0], [[0.5, 0.3, 0.2]])  # .5^2 log 2
0.1732...
>>> categorical_focal_crossentropy([0], [[0.5, 0.3, 0.2]], gamma=0, alpha=[0.25, 1, 1])
0.1732...""",
    )
    gamma: float = 2.0
    alpha: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, 0.0, HIGHEST_POWER)
        if isinstance(self.alpha, Real):
            check_number("alpha", self.alpha, 0.0, LARGEST, low_open=True)
            return
        try:
            if isinstance(self.alpha, Mapping):
                raise TypeError
            factors = to_floats(self.alpha, "alpha")
        except (TypeError, ValueError):
            raise InputError(
                f"alpha must be a number, or a sequence with one number for each class; got "
                f"{self.alpha!r}"
            ) from None
        for factor in factors:
            check_number("alpha of each class", factor, 0.0, LARGEST)
        object.__setattr__(self, "alpha", factors)  # hashable

    def value(self, proba: Probabilities) -> FloatArray:
        return _focal(proba, self.gamma)

    def slope_of(self, proba: Probabilities) -> FloatArray:
        return _focal_slope(proba, self.gamma)

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        return _focal_curvature(proba, self.gamma)

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        return _focal_slope_change(proba, self.gamma)

    def class_factors(self, n_classes: int) -> FloatArray | None:
        if isinstance(self.alpha, Real):
            return None if self.alpha == 1.0 else np.full(n_classes, float(self.alpha))
        factors = cast(tuple[float, ...], self.alpha)
        if len(factors) != n_classes:
            raise InputError(
                f"alpha must have one number for each of {n_classes} classes; got {factors}"
            )
        return np.array(factors)


@register_loss
@dataclass(frozen=True)
class AsymmetricLoss(SeparableLoss):
    """Focal loss with its own exponent for each of two classes, and a margin for the first.

    Parameters
    ----------
    gamma_positive, gamma_negative : float
        Focusing exponents, from 0 to 1e6, of rows of the second class (positive) and of the first
        (negative): larger values give less weight to well-predicted rows. With
        ``gamma_negative=0`` the loss has a kink at the margin.
    margin : float
        Probability in [0, 1]: rows of the first class have loss 0 if the predicted probability
        of the second class is at most `margin`.
    """

    name: ClassVar[str] = "asymmetric_loss"
    properties: ClassVar[Properties] = Properties(
        summary="Asymmetric focal loss for two classes: easy rows of the first have least weight.",
        formula="-y (1 - p)^g+ log p - (1 - y) q^g- log(1 - q), q = max(p - margin, 0)",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="soft",
        binary_only=True,
        symmetric=False,
        clip=True,
        reference="Ridnik, T. et al. (2021). Asymmetric loss for multi-label classification. ICCV",
        example="""\
>>> asymmetric_loss([1, 0], [0.5, 0.55], reduction="none")  # log 2 / 2, .5^4 log 2
array([0.3465..., 0.0433...])""",
    )
    gamma_positive: float = 1.0
    gamma_negative: float = 4.0
    margin: float = 0.05

    def __post_init__(self) -> None:
        check_number("gamma_positive", self.gamma_positive, 0.0, HIGHEST_POWER)
        check_number("gamma_negative", self.gamma_negative, 0.0, HIGHEST_POWER)
        check_number("margin", self.margin, 0.0, 1.0)

    def _class_probabilities(self, block: Block) -> tuple[Probabilities, Probabilities]:
        """Probabilities of the first class, after the margin, and of the second class."""
        each = of_each_class(block)
        positive = Probabilities(*(array[1] for array in each))
        if self.margin == 0.0:
            return Probabilities(*(array[0] for array in each)), positive
        miss = np.maximum(each.miss[0] - self.margin, 0.0)
        return Probabilities(1.0 - miss, np.log1p(-miss), miss), positive

    def block_values(self, block: Block) -> FloatArray:
        negative, positive = self._class_probabilities(block)
        values = [_focal(negative, self.gamma_negative), _focal(positive, self.gamma_positive)]
        return block.expected(np.stack(values))

    def slope(self, block: Block) -> FloatArray:
        negative, positive = self._class_probabilities(block)
        first = _focal_slope(negative, self.gamma_negative) * self._margin_factor(block, negative)
        return self._of_targets(block, first, _focal_slope(positive, self.gamma_positive))

    def curvature(self, block: Block) -> FloatArray:
        negative, positive = self._class_probabilities(block)
        factor = self._margin_factor(block, negative)
        first = _focal_curvature(negative, self.gamma_negative) * (factor * factor)
        return self._of_targets(block, first, _focal_curvature(positive, self.gamma_positive))

    def slope_change(self, block: Block, u: FloatArray) -> FloatArray:
        negative, positive = self._class_probabilities(block)
        if self.margin == 0.0:
            first = _focal_slope_change(negative, self.gamma_negative)
        else:  # p is not small where the slope is not 0
            factor = self._margin_factor(block, negative)
            first = _focal_slope(negative, self.gamma_negative) * factor
            first = first + _focal_curvature(negative, self.gamma_negative) * (factor * factor)
        return self._of_targets(block, first, _focal_slope_change(positive, self.gamma_positive))

    def _margin_factor(self, block: Block, negative: Probabilities) -> FloatArray | float:
        """``p / (p + margin)`` of the first class, by which derivatives are multiplied."""
        # _focal_slope returns P f'(P) with P = p + margin, but u is p f'(P). The factor is 0 for
        # P >= 1, where the loss is constant.
        if self.margin == 0.0:
            return 1.0
        return np.where(negative.miss > 0.0, block.proba_by_class[0] / negative.p, 0.0)

    @staticmethod
    def _of_targets(block: Block, first: FloatArray, second: FloatArray) -> FloatArray:
        target = block.target_by_class
        return np.where(target > 0, target * np.stack([first, second]), 0.0)


@register_loss
@dataclass(frozen=True)
class Poly1Crossentropy(TrueClassLoss):
    """Cross-entropy with a changed first coefficient of its expansion in ``1 - p``.

    Parameters
    ----------
    epsilon : float
        Number that is added to the coefficient 1 of ``1 - p``, from -1 to 1e100; 0 gives the
        cross-entropy.
    """

    name: ClassVar[str] = "poly1_crossentropy"
    properties: ClassVar[Properties] = Properties(
        summary="Poly-1 loss: cross-entropy plus epsilon times 1 minus the true probability.",
        formula="-log p_y + epsilon (1 - p_y)",
        range="[0, inf)",
        properness="improper",
        response="predict_proba",
        targets="soft",
        smoothing=True,
        clip=True,
        convex=True,
        reference="Leng, Z. et al. (2022). PolyLoss: a polynomial expansion perspective of "
        "classification loss functions. ICLR; optax poly_loss_cross_entropy",
        peers=("optax.losses.poly_loss_cross_entropy",),
        example="""\
>>> poly1_crossentropy([0], [[0.5, 0.3, 0.2]])  # log 2 + .5
1.1931...""",
    )
    epsilon: float = 1.0

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, -1.0, LARGEST)

    def value(self, proba: Probabilities) -> FloatArray:
        return self.epsilon * proba.miss - proba.log_p

    def slope_of(self, proba: Probabilities) -> FloatArray:
        return -1.0 - self.epsilon * proba.p

    def curvature_of(self, proba: Probabilities) -> FloatArray:
        return np.ones_like(proba.p)

    def slope_change_of(self, proba: Probabilities) -> FloatArray:
        return -self.epsilon * proba.p
