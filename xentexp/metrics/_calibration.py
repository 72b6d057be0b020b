"""Calibration: binned calibration errors, calibration slope and calibration intercept."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.checked import InputTraits
from xentexp._inputs.options import check_bool, check_integer
from xentexp._inputs.temporary import TemporaryArray
from xentexp._numerics import FloatArray, IntArray, softplus
from xentexp.errors import InputError, UndefinedError, unknown_name
from xentexp.losses._base import MetricProperties
from xentexp.metrics._base import DatasetMetric, check_choice, parameter
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import register_metric

_OF = ("auto", "second class", "top label", "classes")
_SYMBOLS = (
    "Here p_b is the mean predicted probability of the rows in bin b and o_b the observed\n"
    "frequency of the class among them"
)
_NOTES = (
    "\nA bin includes its lower edge; the last bin also includes 1. Empty bins do not count. Rows\n"
    "with equal probabilities are in the same bin. With few rows per bin the value is biased\n"
    "upwards: even the true probabilities have a value above 0."
)


_Rows = tuple[FloatArray, NDArray[np.bool_], FloatArray]
"""Probability or log-odds of a class, whether the rows have the class, and their weights."""


@dataclass(frozen=True)
class _Bins:
    """One entry for each bin that is not empty."""

    weight: FloatArray  # sum of the weights of the rows
    predicted: FloatArray  # mean predicted probability
    observed: FloatArray  # frequency of the class
    variance: FloatArray  # of the observed frequency; NaN for a single row


@dataclass(frozen=True)
class _Binned(DatasetMetric):
    """Base of calibration errors in bins."""

    n_bins: int = parameter(
        15, "int", "Number of bins, at least 1. More bins show finer detail with more noise."
    )
    bins: Literal["width", "mass"] = parameter(
        "width",
        '{"width", "mass"}',
        '"width": bins of equal width on [0, 1]. "mass": bins with the same total weight of rows,\n'
        "i.e. quantiles of the predictions.",
    )
    of: Literal["auto", "second class", "top label", "classes"] = parameter(
        "auto",
        '{"auto", "second class", "top label", "classes"}',
        'Which probability is compared with which frequency. "second class": the probability of\n'
        'the second of two classes with its frequency. "top label": the largest probability of\n'
        'each row with the frequency of correct predictions. "classes": the probability of each\n'
        'class with its frequency, combined over the classes. "auto" is "second class" for two\n'
        'classes and "top label" for more, as in torchmetrics.',
    )

    def __post_init__(self) -> None:
        check_integer("n_bins", self.n_bins, 1)
        if self.n_bins > 10**6:
            raise InputError(f"n_bins must be at most 1,000,000; got {self.n_bins!r}")
        check_choice("bins", self.bins, ("width", "mass"))
        check_choice("of", self.of, _OF)

    def why_not(self, traits: InputTraits) -> str | None:
        if self.of == "second class" and traits.n_classes != 2:
            return f"of='second class' is for two classes; there are {traits.n_classes}"
        return super().why_not(traits)

    def tables(self, data: MetricInput) -> Iterator[_Bins]:
        """Bins of all rows, or one set of bins for each class."""
        columns: Iterable[int | None] = (1,)
        if self.of == "top label" or (self.of == "auto" and data.n_classes > 2):
            columns = (None,)
        elif self.of == "classes":
            columns = range(data.n_classes)
        for column in columns:
            # The edges of bins of equal mass depend on all rows.
            pieces = data.pieces() if self.bins == "width" else iter([data])
            yield self._table(self._rows(piece, column) for piece in pieces)

    def _rows(self, data: MetricInput, column: int | None) -> _Rows:
        """Probability of a class (None: the predicted one), whether a row has it, and weights."""
        proba = data.proba_by_class
        weight = np.ones(proba.shape[1]) if data.weight is None else data.weight
        if column is None:
            return proba.max(axis=0), proba.argmax(axis=0) == data.index, weight
        return proba[column], data.index == column, weight

    def _table(self, pieces: Iterable[_Rows]) -> _Bins:
        totals = np.zeros((4, self.n_bins))
        for proba, true, weight in pieces:
            bin_number = self._bin_number(proba, weight)
            added = (weight, weight * weight, weight * proba, weight * true)
            for total, values in zip(totals, added, strict=True):
                total += np.bincount(bin_number, values, minlength=self.n_bins)
        mass, squares, predicted, observed = totals[:, totals[0] > 0.0]
        predicted, observed = predicted / mass, observed / mass
        # n (n - 1) for rows of equal weight; 0, up to rounding, for a single row
        pairs = mass * mass - squares
        pairs[pairs <= 1e-12 * squares] = np.nan
        variance = observed * (1.0 - observed) * squares / pairs
        return _Bins(mass, predicted, observed, variance)

    def _bin_number(self, proba: FloatArray, weight: FloatArray) -> IntArray:
        """Number of the bin of each row."""
        if self.bins == "width":
            edges = np.arange(self.n_bins + 1) / self.n_bins
            return np.asarray(np.searchsorted(edges[1:-1], proba, side="right"))
        values, position = np.unique(proba, return_inverse=True)
        mass = np.bincount(position, weights=weight, minlength=len(values))
        # The middle of the weight of a value decides, so that equal values share a bin.
        middle = np.cumsum(mass) - mass / 2.0
        bins = (middle / mass.sum() * self.n_bins).astype(np.intp)
        return np.asarray(np.minimum(bins, self.n_bins - 1)[position])


@register_metric
@dataclass(frozen=True)
class ExpectedCalibrationError(_Binned):
    """Mean distance of observed frequencies from predicted probabilities, over bins."""

    function: ClassVar[str] = "expected_calibration_error"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Mean distance, over bins, of observed frequency from predicted probability.",
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
        notes=_SYMBOLS
        + "; W_b is the weight of the rows in bin b and W the weight of\nall rows.\n"
        + _NOTES,
        peers=(
            "torchmetrics.CalibrationError",
            "netcal.metrics.ECE",
        ),
        example=">>> y_true, y_pred = [0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75]\n"
        ">>> round(expected_calibration_error(y_true, y_pred, n_bins=2), 4)\n0.29",
    )

    norm: Literal["l1", "l2"] = parameter(
        "l1",
        '{"l1", "l2"}',
        '"l1": mean of the distances ``|o_b - p_b|``. "l2": root of the mean of their squares.\n'
        'With ``of="classes"`` the same mean is taken over the classes.',
    )
    debiased: bool = parameter(
        False,
        "bool",
        "If True, the upwards bias is corrected as by Kumar et al.: the variance of the frequency\n"
        "in each bin, ``o_b (1 - o_b) / (n_b - 1)`` for n_b rows, is subtracted from its squared\n"
        'distance. Only with ``norm="l2"``. A negative sum counts as 0, and so does a bin with a\n'
        "single row, whose variance is unknown.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("norm", self.norm, ("l1", "l2"))
        check_bool("debiased", self.debiased)
        if self.debiased and self.norm != "l2":
            raise InputError(f"debiased=True requires norm='l2'; got norm={self.norm!r}")

    def value(self, data: MetricInput) -> float:
        errors = [self._error(table) for table in self.tables(data)]
        if self.norm == "l1":
            return float(np.mean(errors))
        return float(np.sqrt(np.mean(errors)))

    def _error(self, table: _Bins) -> float:
        """Mean distance, or mean squared distance, over bins."""
        proportion = table.weight / table.weight.sum()
        distance = np.abs(table.observed - table.predicted)
        if self.norm == "l1":
            return float(proportion @ distance)
        squared = distance**2
        if self.debiased:
            squared = np.nan_to_num(squared - table.variance, nan=0.0)
        return max(0.0, float(proportion @ squared))


@register_metric
@dataclass(frozen=True)
class MaximumCalibrationError(_Binned):
    """Largest distance of an observed frequency from a predicted probability, over bins."""

    function: ClassVar[str] = "maximum_calibration_error"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Largest distance, over bins, of observed frequency from predicted probability.",
        formula="max_b |o_b - p_b|",
        range="[0, 1]",
        direction="lower",
        optimum=0.0,
        response="predict_proba",
        reference="Naeini, M. P., Cooper, G. F. & Hauskrecht, M. (2015). Obtaining well "
        "calibrated probabilities\nusing Bayesian binning. AAAI.",
        notes=_SYMBOLS
        + ".\n"
        + _NOTES
        + '\nA bin with a single row counts as much as any other: prefer ``bins="mass"``.',
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
    "BMC Medicine\n17:230. R's `rms::val.prob` leaves out the rows with a probability of 0 or 1."
)
_CLIPPED = (
    "Probabilities of 0 and 1 have infinite log-odds and are clipped first. With predictions of\n"
    "random forests such rows have a large influence, and the value depends on `clip`."
)


_ROUNDING = 4.0 * float(np.finfo(np.float32).eps)
"""Range of log-odds, as a proportion, below which predictions are constant up to rounding."""


@dataclass(frozen=True)
class _Recalibration(DatasetMetric):
    """Base of calibration slope and intercept: the class and its log-odds."""

    positive: object = parameter(
        None,
        "label",
        "Label of the class that is compared with all other classes together. By default the\n"
        "second of two classes; for three or more, see above.",
    )

    def class_odds(self, data: MetricInput, column: int) -> _Rows:
        """Log-odds, whether a row has the class, and weights, for the rows with weight."""
        odds, labels, weight = zip(*self.odds_pieces(data, column), strict=True)
        return np.concatenate(odds), np.concatenate(labels), np.concatenate(weight)

    def odds_pieces(self, data: MetricInput, column: int) -> Collection[_Rows]:
        """`class_odds` in pieces that fit in memory."""
        rows = (self._rows(piece, column) for piece in data.pieces())
        pieces = _StoredRows(rows) if data.large else list(rows)
        present = [bool(labels.any()) for _, labels, _ in pieces]
        if not any(present) or all(labels.all() for _, labels, _ in pieces):
            quantity = "only" if any(present) else "no"
            raise UndefinedError(
                f"{self.name} is undefined: there are {quantity} rows of class "
                f"{data.classes[column]!r}"
            )
        if not all(np.isfinite(odds).all() for odds, _, _ in pieces):
            raise UndefinedError(
                f"{self.name} is undefined: probabilities of 0 or 1 have infinite log-odds; pass "
                f"a clip above 0, or leave out clip"
            )
        return pieces

    def _rows(self, data: MetricInput, column: int) -> _Rows:
        odds, labels = data.log_odds(column), data.index == column
        weight = np.ones(len(odds)) if data.weight is None else data.weight
        if weight.all():
            return odds, labels, weight
        positive = weight > 0.0
        return odds[positive], labels[positive], weight[positive]

    def column(self, data: MetricInput) -> int | None:
        """Column of the class `positive`; None without `positive` if there are three or more."""
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
        summary="Calibration slope: below 1 the predicted probabilities are too extreme.",
        formula="b of the logistic regression y ~ a + b log(p / (1 - p)), by maximum likelihood",
        range="(-inf, inf)",
        direction="nearest",
        optimum=1.0,
        response="predict_proba",
        clip=True,
        reference=_REFERENCE,
        notes="Here y is 1 for rows of the class and 0 for the others, and p is its predicted "
        "probability.\n\nAbove 1 the probabilities are not extreme enough; below 0 they rank rows "
        "in the wrong\norder. With three or more classes and without `positive` the value is the "
        "mean of the\nslopes of each class against the rest. It is undefined for constant "
        "predictions (up to\nthe rounding of single precision), for rows of a single class, and if "
        "the predictions\nseparate a class from the rest (the slope is infinite).\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_slope(y_true, y_pred), 3)\n0.897",
    )

    def value(self, data: MetricInput) -> float:
        named = self.column(data)
        columns = range(data.n_classes) if named is None else [named]
        return float(np.mean([self._slope(data, column) for column in columns]))

    def _slope(self, data: MetricInput, column: int) -> float:
        pieces = self.odds_pieces(data, column)
        label = data.classes[column]
        low, high = _range(pieces)
        low_class, high_class = _range(pieces, of_class=True)
        low_rest, high_rest = _range(pieces, of_class=False)
        # Constant predictions that were computed in single precision differ by its rounding error.
        if high - low <= _ROUNDING * max(1.0, -low, high):
            raise UndefinedError(
                f"calibration_slope is undefined: the predicted probability of class {label!r} is "
                f"the same for every row, up to rounding"
            )
        if high_rest <= low_class or high_class <= low_rest:
            raise UndefinedError(
                f"calibration_slope is undefined: the predictions separate class {label!r} from "
                f"the rest, so the slope is infinite"
            )
        return _fit_slope(pieces)


@register_metric
@dataclass(frozen=True)
class CalibrationIntercept(_Recalibration):
    """Intercept of the logistic regression of the labels with the log-odds as offset."""

    function: ClassVar[str] = "calibration_intercept"
    properties: ClassVar[MetricProperties] = MetricProperties(
        summary="Calibration in the large: how much the predicted log-odds are too low on average.",
        formula="a of the logistic regression y ~ a + log(p / (1 - p)), the slope fixed at 1",
        range="(-inf, inf)",
        direction="nearest",
        optimum=0.0,
        response="predict_proba",
        clip=True,
        reference=_REFERENCE,
        notes="Here y is 1 for rows of the class and 0 for the others, and p is its predicted "
        "probability.\nThe unit is the nat.\n\nAbove 0 the class is more frequent than predicted. "
        "With three or more classes `positive`\nis required: the intercepts of several classes "
        "would cancel in a mean. The value is\nundefined for rows of a single class.\n" + _CLIPPED,
        example=">>> y_true, y_pred = [0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.7, 0.9]\n"
        ">>> round(calibration_intercept(y_true, y_pred), 3)\n0.486",
    )

    def why_not(self, traits: InputTraits) -> str | None:
        if self.positive is None and traits.n_classes != 2:
            return (
                f"is for two classes; there are {traits.n_classes}; pass positive= with the class "
                f"to compare with the rest"
            )
        return super().why_not(traits)

    def value(self, data: MetricInput) -> float:
        from scipy.optimize import brentq
        from scipy.special import expit, logit

        column = self.column(data)
        assert column is not None
        pieces = self.odds_pieces(data, column)
        total = sum(float(weight.sum()) for _, _, weight in pieces)
        frequency = sum(float(weight @ labels) for _, labels, weight in pieces) / total

        def excess(intercept: float) -> float:
            predicted = sum(float(weight @ expit(intercept + odds)) for odds, _, weight in pieces)
            return frequency - predicted / total

        # The mean prediction increases in a and lies between the smallest and largest one.
        lowest, highest = _range(pieces)
        low, high = logit(frequency) - highest - 1e-9, logit(frequency) - lowest + 1e-9
        return float(brentq(excess, low, high, xtol=1e-14))


class _StoredRows(Collection[_Rows]):
    """Pieces of rows in a temporary file."""

    def __init__(self, pieces: Iterable[_Rows]) -> None:
        self._values = TemporaryArray(np.float64, (3,))
        self._starts = [0]
        for rows in pieces:
            self._values.append(np.column_stack(rows))
            self._starts.append(len(self._values))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __contains__(self, piece: object) -> bool:
        return any(piece is rows for rows in self)

    def __iter__(self) -> Iterator[_Rows]:
        for start, stop in pairwise(self._starts):
            odds, labels, weight = self._values.read(start, stop).T.copy()
            yield odds, labels == 1.0, weight


def _range(pieces: Iterable[_Rows], *, of_class: bool | None = None) -> tuple[float, float]:
    """Smallest and largest log-odds, of all rows or of those with or without the class."""
    low, high = np.inf, -np.inf
    for odds, labels, _ in pieces:
        values = odds if of_class is None else odds[labels == of_class]
        if len(values):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _fit_slope(pieces: Iterable[_Rows]) -> float:
    """Maximum-likelihood slope by Newton's method; the classes must overlap."""
    from scipy.linalg import LinAlgError, LinAlgWarning, solve
    from scipy.special import expit

    total = sum(float(weight.sum()) for _, _, weight in pieces)
    centre = sum(float(weight @ odds) for odds, _, weight in pieces) / total
    square = sum(float(weight @ (odds - centre) ** 2) for odds, _, weight in pieces)
    scale = float(np.sqrt(square / total))

    def terms(intercept: float, slope: float) -> tuple[float, FloatArray, FloatArray]:
        """Mean loss, and its first and second derivatives by intercept and slope."""
        loss, gradient, hessian = 0.0, np.zeros(2), np.zeros((2, 2))
        for odds, labels, weight in pieces:
            x = (odds - centre) / scale
            # Of the class that is not true: no digits are lost if its probability is small.
            score = np.where(labels, -1.0, 1.0) * (intercept + slope * x)
            loss += float(weight @ softplus(score))
            p = weight * expit(score)
            residual, curvature = np.where(labels, -p, p), p * expit(-score)
            gradient += residual.sum(), residual @ x
            first = curvature @ x
            hessian += [[curvature.sum(), first], [first, (curvature * x) @ x]]
        return loss / total, gradient / total, hessian / total

    # Not from the predictions as they are: those near 0 and 1 have almost no second derivative.
    point = np.zeros(2)
    loss, gradient, hessian = terms(*point)
    for _ in range(_MOST_STEPS):
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinAlgWarning)
            try:
                step = solve(hessian, gradient, assume_a="sym")
            except (LinAlgError, LinAlgWarning):
                break
        close = float(gradient @ step) <= _CLOSE * loss
        size = 1.0
        tried = terms(*(point - step))
        while not close and tried[0] > loss * (1.0 + 1e-13) and size > 1e-6:
            size /= 2.0
            tried = terms(*(point - size * step))
        point = point - size * step
        loss, gradient, hessian = tried
        if close:
            return float(point[1] / scale)
    raise UndefinedError(_SEPARATED)


_MOST_STEPS = 100
_CLOSE = 1e-14  # relative decrease of the loss after which one more step has all digits
_SEPARATED = (
    "calibration_slope is undefined: without rows of almost no weight the predictions separate the "
    "classes, so the slope is infinite up to rounding"
)
