"""Logistic recalibration: slope and intercept of the labels on the predicted log-odds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import unknown_name
from xentexp.numerics import FloatArray, softplus
from xentexp.samples.base import SampleFacts, SampleMetric, UndefinedError, parameter
from xentexp.samples.sample import Sample

_REFERENCE = (
    "Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika "
    "45;\nVan Calster, B. et al. (2019). Calibration: the Achilles heel of predictive analytics. "
    "BMC Medicine\n17:230. R's `rms::val.prob` leaves out rows of probability 0 or 1."
)
_CLIPPED = (
    "Probabilities of 0 and 1, whose log-odds are infinite, are clipped first: with forests they\n"
    "weigh heavily, and the result depends on `clip`."
)


_SEPARATE = (
    "calibration_slope is undefined to rounding: but for rows of hardly any weight the predictions "
    "separate the classes"
)


@dataclass(frozen=True)
class _Recalibration(SampleMetric):
    """What slope and intercept share: which class, and its log-odds."""

    positive: object = parameter(
        None,
        "label",
        "The class that is taken against the rest; by default the second of two.",
    )

    def class_odds(
        self, sample: Sample, column: int
    ) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
        """Log-odds, labels and weights of a class against the rest; rows of no weight left out.

        Parameters
        ----------
        sample : Sample
            Of probabilities.
        column : int
            Of the class.

        Returns
        -------
        odds, labels, weight : ndarray of shape (n,)
            Both labels occur, and the log-odds are finite.
        """
        odds, labels = sample.log_odds(column), sample.index == column
        weight = np.ones(len(odds)) if sample.weight is None else sample.weight
        if not weight.all():
            some = weight > 0.0
            odds, labels, weight = odds[some], labels[some], weight[some]
        if labels.all() or not labels.any():
            which = "only" if labels.any() else "no"
            raise UndefinedError(
                f"{self.name} is undefined: the sample has {which} rows of class "
                f"{sample.classes[column]!r}"
            )
        if not np.isfinite(odds).all():
            raise UndefinedError(
                f"{self.name} is undefined: probabilities of 0 or 1 have infinite log-odds; pass "
                f"a clip above 0"
            )
        return odds, labels, weight

    def column(self, sample: Sample) -> int | None:
        """Column of the class; None where none is named and there are several."""
        if self.positive is None:
            return 1 if sample.n_classes == 2 else None
        if self.positive not in sample.classes:
            raise unknown_name("class", self.positive, map(str, sample.classes))
        return sample.classes.index(self.positive)


@dataclass(frozen=True)
class CalibrationSlope(_Recalibration):
    """Slope of the logistic regression of the labels on the predicted log-odds."""

    name: ClassVar[str] = "calibration_slope"
    facts: ClassVar[SampleFacts] = SampleFacts(
        summary="Slope of the labels on the predicted log-odds: below 1, predictions are too "
        "extreme.",
        formula="b of the logistic regression y ~ a + b log(p / (1 - p)), by maximum likelihood",
        range="(-inf, inf)",
        direction="nearest",
        optimum=1.0,
        needs="probabilities",
        clip=True,
        reference=_REFERENCE,
        notes="Above 1 they are too timid; below 0 they are turned round. With three classes or "
        "more and\nno class named it is the mean of the slopes of each class against the rest. "
        "Undefined for\nconstant predictions, for a sample of one class, and for one that the "
        "predictions separate:\nits slope is infinite.\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_slope(y_true, y_pred), 3)\n0.897",
    )

    def value(self, sample: Sample) -> float:
        """See `SampleMetric.value`."""
        named = self.column(sample)
        columns = range(sample.n_classes) if named is None else [named]
        return float(np.mean([self._slope(sample, column) for column in columns]))

    def _slope(self, sample: Sample, column: int) -> float:
        odds, labels, weight = self.class_odds(sample, column)
        label = sample.classes[column]
        if odds.min() == odds.max():
            raise UndefinedError(
                f"calibration_slope is undefined: the prediction of class {label!r} is the same "
                f"for every row"
            )
        of_class, of_rest = odds[labels], odds[~labels]
        if of_rest.max() <= of_class.min() or of_class.max() <= of_rest.min():
            raise UndefinedError(
                f"calibration_slope is undefined: the predictions separate class {label!r} from "
                f"the rest, so the slope is infinite"
            )
        return _fit_slope(odds, labels, weight)


@dataclass(frozen=True)
class CalibrationIntercept(_Recalibration):
    """Intercept of the logistic regression of the labels, with the log-odds as offset."""

    name: ClassVar[str] = "calibration_intercept"
    facts: ClassVar[SampleFacts] = SampleFacts(
        summary="Calibration in the large: by how much the log-odds are too low on the whole.",
        formula="a of the logistic regression y ~ a + log(p / (1 - p)), the slope fixed at 1",
        range="(-inf, inf)",
        direction="nearest",
        optimum=0.0,
        needs="probabilities",
        clip=True,
        reference=_REFERENCE,
        notes="Above 0 the class is more frequent than predicted. With three classes or more "
        "`positive`\nnames one, to be taken against the rest: intercepts of several would cancel "
        "in a mean.\nUndefined for a sample of one class.\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_intercept(y_true, y_pred), 3)\n0.486",
    )

    def unsuited(
        self, *, n_classes: int, one_hot: bool, has_proba: bool, has_decision: bool
    ) -> str | None:
        """See `SampleMetric.unsuited`."""
        if self.positive is None and n_classes != 2:
            return f"is for two classes, or one named by positive=; there are {n_classes}"
        return super().unsuited(
            n_classes=n_classes, one_hot=one_hot, has_proba=has_proba, has_decision=has_decision
        )

    def value(self, sample: Sample) -> float:
        """See `SampleMetric.value`."""
        from scipy.optimize import brentq
        from scipy.special import expit, logit

        column = self.column(sample)
        assert column is not None
        odds, labels, weight = self.class_odds(sample, column)
        weight = weight / weight.sum()
        share = float(weight @ labels)
        # The excess falls in a, and the mean of the predictions lies between their extremes.
        low, high = logit(share) - odds.max() - 1e-9, logit(share) - odds.min() + 1e-9
        return float(
            brentq(lambda a: share - float(weight @ expit(a + odds)), low, high, xtol=1e-14)
        )


def _fit_slope(x: FloatArray, y: NDArray[np.bool_], weight: FloatArray) -> float:
    """Maximum-likelihood slope, which exists because the classes overlap.

    Newton's method; where its step goes too far, the curvature is raised (Levenberg).
    """
    from scipy.special import expit

    weight = weight / weight.sum()
    centre = weight @ x
    scale = np.sqrt(weight @ (x - centre) ** 2)
    u = (x - centre) / scale
    a, b, damping, gain = 0.0, 0.0, 0.0, np.inf
    value = _deviance(a, b, u, y, weight)
    for _ in range(200):
        p = expit(a + b * u)
        residual, curve = weight * (y - p), weight * p * (1.0 - p)
        slope_a, slope_b = residual.sum(), residual @ u
        aa, ab, bb = curve.sum(), curve @ u, curve @ (u * u)
        while True:
            raised_a, raised_b = aa + damping * (aa + bb), bb + damping * (aa + bb)
            determinant = raised_a * raised_b - ab * ab
            if determinant > 0.0:
                step_a = (raised_b * slope_a - ab * slope_b) / determinant
                step_b = (raised_a * slope_b - ab * slope_a) / determinant
                lowered = _deviance(a + step_a, b + step_b, u, y, weight)
                if lowered <= value * (1.0 + 1e-14):  # or no higher than rounding makes it
                    break
            damping = max(8.0 * damping, 1e-9)
            if damping > 1e6:
                raise UndefinedError(_SEPARATE)
        a, b, value = a + step_a, b + step_b, lowered
        # Twice what the step lowers the deviance by: squared in each step, until it is rounding.
        gain, before = slope_a * step_a + slope_b * step_b, gain
        if damping == 0.0 and gain <= 1e-8 * value and (gain <= 1e-18 * value or gain > before / 4):
            return float(b / scale)
        damping = damping / 64.0 if damping > 1e-7 else 0.0
    raise UndefinedError(_SEPARATE)


def _deviance(a: float, b: float, u: FloatArray, y: NDArray[np.bool_], weight: FloatArray) -> float:
    eta = a + b * u
    return float(weight @ (softplus(eta) - y * eta))
