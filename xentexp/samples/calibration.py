"""Calibration errors: how far observed frequencies lie from predicted probabilities, in bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.numerics import FloatArray, IntArray
from xentexp.samples.base import SampleFacts, SampleMetric, one_of, parameter
from xentexp.samples.sample import Sample

_OF = ("auto", "second class", "top label", "classes")
_NOTES = (
    "A bin holds its lower edge; the last one holds 1 too. Empty bins count nothing. Rows of\n"
    "equal probability share a bin, whatever their order. Few rows per bin make it too large:\n"
    "perfect predictions have more than 0."
)


@dataclass(frozen=True)
class _Bins:
    """Weight, mean prediction and mean outcome of each bin.

    `variance` is that of the mean outcome, NaN for one row.
    """

    weight: FloatArray
    predicted: FloatArray
    observed: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class _Binned(SampleMetric):
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

    def unsuited(
        self, *, n_classes: int, one_hot: bool, has_proba: bool, has_decision: bool
    ) -> str | None:
        """See `SampleMetric.unsuited`."""
        if self.of == "second class" and n_classes != 2:
            return f"of='second class' is for two classes; there are {n_classes}"
        return super().unsuited(
            n_classes=n_classes, one_hot=one_hot, has_proba=has_proba, has_decision=has_decision
        )

    def tables(self, sample: Sample) -> Iterator[_Bins]:
        """Bins of the sample, or of each class in turn.

        Parameters
        ----------
        sample : Sample
            Of probabilities.

        Yields
        ------
        _Bins
            Without empty ones.
        """
        proba = sample.proba_by_class
        if self.of == "top label" or (self.of == "auto" and sample.n_classes > 2):
            top = proba.argmax(axis=0)
            yield self._table(proba.max(axis=0), top == sample.index, sample.weight)
            return
        columns = range(sample.n_classes) if self.of == "classes" else (1,)
        for column in columns:
            yield self._table(proba[column], sample.index == column, sample.weight)

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


@dataclass(frozen=True)
class ExpectedCalibrationError(_Binned):
    """Mean distance of observed frequencies from predicted probabilities."""

    name: ClassVar[str] = "expected_calibration_error"
    facts: ClassVar[SampleFacts] = SampleFacts(
        summary="Mean distance between predicted probability and observed frequency, over bins.",
        formula="sum_b (W_b / W) |o_b - p_b|",
        range="[0, 1]",
        direction="lower",
        optimum=0.0,
        needs="probabilities",
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

    def value(self, sample: Sample) -> float:
        """See `SampleMetric.value`."""
        errors = [self._error(table) for table in self.tables(sample)]
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


@dataclass(frozen=True)
class MaximumCalibrationError(_Binned):
    """Largest distance of an observed frequency from its predicted probability."""

    name: ClassVar[str] = "maximum_calibration_error"
    facts: ClassVar[SampleFacts] = SampleFacts(
        summary="Largest distance between predicted probability and observed frequency of a bin.",
        formula="max_b |o_b - p_b|",
        range="[0, 1]",
        direction="lower",
        optimum=0.0,
        needs="probabilities",
        reference="Naeini, M. P., Cooper, G. F. & Hauskrecht, M. (2015). Obtaining well "
        "calibrated probabilities\nusing Bayesian binning. AAAI.",
        notes=_NOTES + "\nA bin of one row decides as much as any other: prefer ``bins='mass'``.",
        peers=("netcal.metrics.MCE",),
        example=">>> y_true, y_pred = [0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75]\n"
        ">>> round(maximum_calibration_error(y_true, y_pred, n_bins=2), 4)\n0.3167",
    )

    def value(self, sample: Sample) -> float:
        """See `SampleMetric.value`."""
        return max(
            float(np.abs(table.observed - table.predicted).max()) for table in self.tables(sample)
        )
