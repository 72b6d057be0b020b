"""Calibration errors: how far observed frequencies lie from predicted probabilities, in bins."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.checked import InputTraits
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError, UndefinedError, unknown_name
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, one_of, parameter
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import register_metric

_OF = ("auto", "second class", "top label", "classes")
_NOTES = (
    "A bin holds its lower edge; the last one holds 1 too. Empty bins count nothing. Rows of\n"
    "equal probability share a bin, whatever their order. Few rows per bin make it too large:\n"
    "perfect predictions have more than 0."
)


@dataclass(frozen=True)
class _Bins:
    """Weight, mean prediction and mean outcome of each bin."""

    weight: FloatArray
    predicted: FloatArray
    observed: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class _Binned(DatasetMetric):
    """What binned calibration errors share."""

    n_bins: int = parameter(15, "int", "Number of bins.")
    bins: Literal["width", "mass"] = parameter(
        "width",
        "{'width', 'mass'}",
        "Bins of equal width on [0, 1], or of equal weight of rows.",
    )
    of: Literal["auto", "second class", "top label", "classes"] = parameter(
        "auto",
        "{'auto', 'second class', 'top label', 'classes'}",
        "Whose probability: that of the second of two classes; of the most probable class (the\n"
        "first of equals), against whether it is the true one; of each class in turn. 'auto' is\n"
        "the first for two classes and the second for more, as in torchmetrics.",
    )

    def __post_init__(self) -> None:
        whole = isinstance(self.n_bins, (int, np.integer)) and not isinstance(self.n_bins, bool)
        if not whole or self.n_bins < 1:
            raise InputError(f"n_bins must be a whole number of at least 1; got {self.n_bins!r}")
        one_of("bins", self.bins, ("width", "mass"))
        one_of("of", self.of, _OF)

    def why_not(self, given: InputTraits) -> str | None:
        if self.of == "second class" and given.n_classes != 2:
            return f"of='second class' is for two classes; there are {given.n_classes}"
        return super().why_not(given)

    def tables(self, data: MetricInput) -> Iterator[_Bins]:
        """Bins of all rows, or of each class in turn."""
        proba = data.proba_by_class
        if self.of == "top label" or (self.of == "auto" and data.n_classes > 2):
            top = proba.argmax(axis=0)
            yield self._table(proba.max(axis=0), top == data.index, data.weight)
            return
        columns = range(data.n_classes) if self.of == "classes" else (1,)
        for column in columns:
            yield self._table(proba[column], data.index == column, data.weight)

    def _table(
        self, proba: FloatArray, true: NDArray[np.bool_], weight: FloatArray | None
    ) -> _Bins:
        weight = np.ones(len(proba)) if weight is None else weight
        place = self._place(proba, weight)

        def total(values: FloatArray) -> FloatArray:
            return np.bincount(place, weights=values, minlength=self.n_bins).astype(np.float64)

        mass, squares = total(weight), total(weight * weight)
        some = mass > 0.0
        mass, squares = mass[some], squares[some]
        predicted, observed = total(weight * proba)[some] / mass, total(weight * true)[some] / mass
        # n (n - 1) of rows of equal weight; 0, up to rounding, for one row alone
        pairs = mass * mass - squares
        pairs[pairs <= 1e-12 * squares] = np.nan
        variance = observed * (1.0 - observed) * squares / pairs
        return _Bins(mass, predicted, observed, variance)

    def _place(self, proba: FloatArray, weight: FloatArray) -> IntArray:
        """Bin of each row."""
        if self.bins == "width":
            edges = np.arange(self.n_bins + 1) / self.n_bins
            return np.asarray(np.searchsorted(edges[1:-1], proba, side="right"))
        values, place = np.unique(proba, return_inverse=True)
        mass = np.bincount(place, weights=weight, minlength=len(values))
        middle = np.cumsum(mass) - mass / 2.0
        bins = (middle / mass.sum() * self.n_bins).astype(np.intp)
        return np.asarray(np.minimum(bins, self.n_bins - 1)[place])


@register_metric
@dataclass(frozen=True)
class ExpectedCalibrationError(_Binned):
    """Mean distance of observed frequencies from predicted probabilities."""

    function: ClassVar[str] = "expected_calibration_error"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Mean distance between predicted probability and observed frequency, over bins.",
        formula="sum_b (W_b / W) |o_b - p_b|",
        range="[0, 1]",
        direction="lower",
        optimum=0.0,
        response="predict_proba",
        reference="Naeini, M. P., Cooper, G. F. & Hauskrecht, M. (2015). Obtaining well "
        "calibrated probabilities\nusing Bayesian binning. AAAI; Guo, C. et al. (2017). On "
        "calibration of modern neural\nnetworks. ICML; Kumar, A., Liang, P. & Ma, T. (2019). "
        "Verified uncertainty calibration. NeurIPS;\nFerro, C. A. T. & Fricker, T. E. (2012). A "
        "bias-corrected decomposition of the Brier score.\nQJRMS 138.",
        notes=_NOTES,
        peers=(
            "torchmetrics.CalibrationError",
            "netcal.metrics.ECE",
        ),
        example=">>> y_true, y_pred = [0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75]\n"
        ">>> round(expected_calibration_error(y_true, y_pred, n_bins=2), 4)\n0.29",
    )

    norm: Literal["l1", "l2"] = parameter(
        "l1",
        "{'l1', 'l2'}",
        "Mean distance, or root of the mean squared distance; over the classes alike.",
    )
    debiased: bool = parameter(
        False,
        "bool",
        "Whether the variance of each bin's frequency, ``o (1 - o) / (n - 1)``, is taken off its\n"
        "squared distance (Kumar et al.); for ``norm='l2'``. A sum below 0 counts as 0, and a\n"
        "bin of one row, whose variance is unknown, as 0 too, as in their code.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("norm", self.norm, ("l1", "l2"))
        one_of("debiased", self.debiased, (True, False))
        if self.debiased and self.norm != "l2":
            raise InputError(f"debiased=True is for norm='l2'; got norm={self.norm!r}")

    def value(self, data: MetricInput) -> float:
        errors = [self._error(table) for table in self.tables(data)]
        if self.norm == "l1":
            return float(np.mean(errors))
        return float(np.sqrt(np.mean(errors)))

    def _error(self, table: _Bins) -> float:
        """Mean distance, or mean squared distance."""
        share, distance = (
            table.weight / table.weight.sum(),
            np.abs(table.observed - table.predicted),
        )
        if self.norm == "l1":
            return float(share @ distance)
        squared = distance**2
        if self.debiased:
            squared = np.nan_to_num(squared - table.variance, nan=0.0)
        return max(0.0, float(share @ squared))


@register_metric
@dataclass(frozen=True)
class MaximumCalibrationError(_Binned):
    """Largest distance of an observed frequency from its predicted probability."""

    function: ClassVar[str] = "maximum_calibration_error"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Largest distance between predicted probability and observed frequency of a bin.",
        formula="max_b |o_b - p_b|",
        range="[0, 1]",
        direction="lower",
        optimum=0.0,
        response="predict_proba",
        reference="Naeini, M. P., Cooper, G. F. & Hauskrecht, M. (2015). Obtaining well "
        "calibrated probabilities\nusing Bayesian binning. AAAI.",
        notes=_NOTES + "\nA bin of one row decides as much as any other: prefer ``bins='mass'``.",
        peers=("netcal.metrics.MCE",),
        example=">>> y_true, y_pred = [0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75]\n"
        ">>> round(maximum_calibration_error(y_true, y_pred, n_bins=2), 4)\n0.3167",
    )

    def value(self, data: MetricInput) -> float:
        return max(
            float(np.abs(table.observed - table.predicted).max()) for table in self.tables(data)
        )


_REFERENCE = (
    "Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika "
    "45;\nVan Calster, B. et al. (2019). Calibration: the Achilles heel of predictive analytics. "
    "BMC Medicine\n17:230. R's `rms::val.prob` leaves out rows of probability 0 or 1."
)
_CLIPPED = (
    "Probabilities of 0 and 1, whose log-odds are infinite, are clipped first: with forests they\n"
    "weigh heavily, and the result depends on `clip`."
)


@dataclass(frozen=True)
class _Recalibration(DatasetMetric):
    """What slope and intercept share: which class, and its log-odds."""

    positive: object = parameter(
        None,
        "label",
        "The class that is taken against the rest; by default the second of two.",
    )

    def class_odds(
        self, data: MetricInput, column: int
    ) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
        """Log-odds, labels and weights of a class against the rest; rows of no weight left out."""
        odds, labels = data.log_odds(column), data.index == column
        weight = np.ones(len(odds)) if data.weight is None else data.weight
        if not weight.all():
            some = weight > 0.0
            odds, labels, weight = odds[some], labels[some], weight[some]
        if labels.all() or not labels.any():
            which = "only" if labels.any() else "no"
            raise UndefinedError(
                f"{self.name} is undefined: there are {which} rows of class "
                f"{data.classes[column]!r}"
            )
        if not np.isfinite(odds).all():
            raise UndefinedError(
                f"{self.name} is undefined: probabilities of 0 or 1 have infinite log-odds; pass "
                f"a clip above 0"
            )
        return odds, labels, weight

    def column(self, data: MetricInput) -> int | None:
        """Column of the class; None where none is named and there are several."""
        if self.positive is None:
            return 1 if data.n_classes == 2 else None
        if self.positive not in data.classes:
            raise unknown_name("class", self.positive, map(str, data.classes))
        return data.classes.index(self.positive)


@register_metric
@dataclass(frozen=True)
class CalibrationSlope(_Recalibration):
    """Slope of the logistic regression of the labels on the predicted log-odds."""

    function: ClassVar[str] = "calibration_slope"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Slope of the labels on the predicted log-odds: below 1, predictions are too "
        "extreme.",
        formula="b of the logistic regression y ~ a + b log(p / (1 - p)), by maximum likelihood",
        range="(-inf, inf)",
        direction="nearest",
        optimum=1.0,
        response="predict_proba",
        clip=True,
        reference=_REFERENCE,
        notes="Above 1 they are too timid; below 0 they are turned round. With three classes or "
        "more and\nno class named it is the mean of the slopes of each class against the rest. "
        "Undefined for\nconstant predictions, for rows of a single class, and for one that the "
        "predictions separate:\nits slope is infinite.\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_slope(y_true, y_pred), 3)\n0.897",
    )

    def value(self, data: MetricInput) -> float:
        named = self.column(data)
        columns = range(data.n_classes) if named is None else [named]
        return float(np.mean([self._slope(data, column) for column in columns]))

    def _slope(self, data: MetricInput, column: int) -> float:
        odds, labels, weight = self.class_odds(data, column)
        label = data.classes[column]
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


@register_metric
@dataclass(frozen=True)
class CalibrationIntercept(_Recalibration):
    """Intercept of the logistic regression of the labels, with the log-odds as offset."""

    function: ClassVar[str] = "calibration_intercept"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Calibration in the large: by how much the log-odds are too low on the whole.",
        formula="a of the logistic regression y ~ a + log(p / (1 - p)), the slope fixed at 1",
        range="(-inf, inf)",
        direction="nearest",
        optimum=0.0,
        response="predict_proba",
        clip=True,
        reference=_REFERENCE,
        notes="Above 0 the class is more frequent than predicted. With three classes or more "
        "`positive`\nnames one, to be taken against the rest: intercepts of several would cancel "
        "in a mean.\nUndefined for rows of a single class.\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_intercept(y_true, y_pred), 3)\n0.486",
    )

    def why_not(self, given: InputTraits) -> str | None:
        if self.positive is None and given.n_classes != 2:
            return f"is for two classes, or one named by positive=; there are {given.n_classes}"
        return super().why_not(given)

    def value(self, data: MetricInput) -> float:
        from scipy.optimize import brentq
        from scipy.special import expit, logit

        column = self.column(data)
        assert column is not None
        odds, labels, weight = self.class_odds(data, column)
        weight = weight / weight.sum()
        share = float(weight @ labels)
        # The excess falls in a, and the mean of the predictions lies between their extremes.
        low, high = logit(share) - odds.max() - 1e-9, logit(share) - odds.min() + 1e-9
        return float(
            brentq(lambda a: share - float(weight @ expit(a + odds)), low, high, xtol=1e-14)
        )


def _fit_slope(odds: FloatArray, labels: NDArray[np.bool_], weight: FloatArray) -> float:
    """Maximum-likelihood slope, which exists because the classes overlap."""
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weight = weight / weight.mean()
    centre = np.average(odds, weights=weight)
    scale = np.sqrt(np.average((odds - centre) ** 2, weights=weight))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    with warnings.catch_warnings():
        # Where Newton's steps go too far it says so, and goes on with L-BFGS.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", "lbfgs failed", ConvergenceWarning)
        warnings.simplefilter("error", LinAlgWarning)
        try:
            model.fit(((odds - centre) / scale)[:, np.newaxis], labels, sample_weight=weight)
        except (LinAlgWarning, ConvergenceWarning):
            raise UndefinedError(
                "calibration_slope is undefined to rounding: but for rows of hardly any weight "
                "the predictions separate the classes"
            ) from None
    return float(model.coef_[0, 0] / scale)
