"""Tables of credit scoring: gains, score bands, population stability and swap sets.

The second class is the event, e.g. a default, and its predicted probability is the score. Rows of
high score are refused, rows of low score are accepted. For the cost of a cutoff see
`xentexp.inference.cost_curve`.

- `gains_table`: events among the rows with the highest scores, and the row of the KS statistic;
- `score_bands`: rows, events and rates by band of the score;
- `population_stability_index`: how much a distribution differs between two samples;
- `swap_set`: rows that only one of two models accepts, and their events.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.asarray import as_array, plain, to_numeric
from xentexp._inputs.labels import is_missing
from xentexp._inputs.options import check_integer, real_number
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.metrics._stability_bins import quantile_edges, stability_terms
from xentexp.metrics._two_classes import Ranked, TwoClasses, named_weight, two_classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GainsRow",
    "GainsTable",
    "ScoreBand",
    "ScoreBands",
    "StabilityBin",
    "StabilityIndex",
    "SwapCell",
    "SwapSet",
    "gains_table",
    "population_stability_index",
    "score_bands",
    "swap_set",
]


# -- gains -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GainsRow:
    """Row of a `GainsTable`: the rows with the highest scores.

    Parameters
    ----------
    share : float
        Share of all rows that is selected.
    n_rows : float
        Number of selected rows (sum of their weights); a fraction if `share` ends within a row.
    events : float
        Number of events among them.
    rate : float
        Events divided by rows. Higher means that the selection is richer in events.
    caught : float
        Share of all events that are selected (recall); NaN without events.
    lift : float
        `rate` divided by the rate of all rows; NaN without events.
    threshold : float
        Score of the last selected row.

    Examples
    --------
    >>> from xentexp.metrics.credit import gains_table
    >>> row = gains_table([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], top=[0.5]).rows[0]
    >>> row.n_rows, row.events, row.caught, row.threshold
    (2.0, 1.0, 0.5, 0.4)
    """

    share: float
    n_rows: float
    events: float
    rate: float
    caught: float
    lift: float
    threshold: float


@dataclass(frozen=True)
class GainsTable:
    """Result of `gains_table`.

    Parameters
    ----------
    rows : tuple of GainsRow
        Selections, the smallest first.
    n_rows, events, rate : float
        Number of all rows (sum of weights), number of events, and events divided by rows.
    ks : float
        Kolmogorov-Smirnov statistic, the value of `ks_statistic`; NaN if a class has no rows.
    ks_share : float
        Share of rows with at least the score `ks_threshold`; NaN if `ks` is.
    ks_threshold : float
        Score at which the distance of the distributions of both classes is largest (the highest
        one if several are); NaN if `ks` is.

    Examples
    --------
    >>> from xentexp.metrics.credit import gains_table
    >>> table = gains_table([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> table.rate, table.ks, table.ks_share, table.ks_threshold
    (0.5, 0.5, 0.25, 0.8)
    """

    rows: tuple[GainsRow, ...]
    n_rows: float
    events: float
    rate: float
    ks: float
    ks_share: float
    ks_threshold: float

    def to_frame(self) -> pd.DataFrame:
        """Table with one line for each row of the gains table.

        Returns
        -------
        pandas.DataFrame
            Columns: the fields of `GainsRow`.
        """
        return _frame(self.rows, GainsRow)


def gains_table(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    top: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5),
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> GainsTable:
    """Rate and share of events among the rows with the highest scores.

    Rows that tie at the end of a selection count in part: with 3 of 5 tied rows selected, 3/5 of
    their events are. This is the mean over all orders of the tied rows.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes; the second class is the event.
    y_pred : array-like of shape (n,) or (n, 2)
        Probabilities; shape (n,) is for the event.
    top : sequence of float, default=(0.05, 0.1, 0.2, 0.3, 0.5)
        Shares of the rows, above 0 and at most 1.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.

    Returns
    -------
    GainsTable
        A row for each share, and the row of the KS statistic.

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, `top` has no share or one
        outside (0, 1], or an argument has a wrong shape or value.

    References
    ----------
    Thomas, L. C., Edelman, D. B. & Crook, J. N. (2002). Credit Scoring and its Applications, 7.

    Examples
    --------
    >>> from xentexp.metrics.credit import gains_table
    >>> y, p = [0, 1, 0, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    >>> for row in gains_table(y, p, top=[0.2, 0.5]).rows:
    ...     print(row.share, row.rate, row.caught, row.lift)
    0.2 0.5 0.5 2.5
    0.5 0.4 1.0 2.0
    """
    shares = _to_shares(top)
    data = two_classes("gains_table", y_true, y_pred, labels=labels, sample_weight=sample_weight)
    ranked = data.ranked()
    total, events = float(ranked.rows[-1]), float(ranked.events[-1])
    rate = events / total
    rows = []
    for share in shares:
        selected = share * total
        found = float(np.interp(selected, _from_zero(ranked.rows), _from_zero(ranked.events)))
        # Sums of weights may miss the end of a row by rounding.
        last = int(np.searchsorted(ranked.rows, selected * (1.0 - 1e-12)))
        rows.append(
            GainsRow(
                share=share,
                n_rows=selected,
                events=found,
                rate=found / selected,
                caught=_ratio(found, events),
                lift=_ratio(found / selected, rate),
                threshold=float(ranked.score[min(last, len(ranked.score) - 1)]),
            )
        )
    distance = np.abs(_distance(ranked))
    defined = 0.0 < events < total
    cut = int(distance.argmax()) if defined else 0
    return GainsTable(
        rows=tuple(rows),
        n_rows=total,
        events=events,
        rate=rate,
        ks=float(distance[cut]) if defined else math.nan,
        ks_share=float(ranked.rows[cut] / total) if defined else math.nan,
        ks_threshold=float(ranked.score[cut]) if defined else math.nan,
    )


def _to_shares(top: object) -> list[float]:
    values = list(top) if isinstance(top, (Sequence, np.ndarray)) else []
    numbers = [real_number(value) for value in values]
    shares = sorted({number for number in numbers if number is not None and 0.0 < number <= 1.0})
    if not shares or len(shares) != len(values):
        raise InputError(
            f"top must be a list of different shares of the rows, above 0 and at most 1; got "
            f"{top!r}; pass e.g. [0.05, 0.1]"
        )
    return shares


def _from_zero(sums: FloatArray) -> FloatArray:
    return np.append(0.0, sums)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _distance(ranked: Ranked) -> FloatArray:
    """Share of the events minus share of the other rows with at least each score."""
    others = ranked.rows - ranked.events
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(ranked.events / ranked.events[-1] - others / others[-1])


def _frame(rows: Sequence[Any], kind: type) -> pd.DataFrame:
    """Data frame of the fields of dataclasses."""
    import pandas as pd

    names = [field.name for field in dataclasses.fields(kind)]
    return pd.DataFrame({name: [getattr(row, name) for row in rows] for name in names})


# -- bands of the score ------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreBand:
    """Band of a `ScoreBands` table: rows whose scores are close.

    Parameters
    ----------
    low, high : float
        Smallest and largest score in the band. With `edges`, the limits: ``low <= score < high``.
    n_rows, events : float
        Number of rows (sum of their weights) and of events in the band.
    rate : float
        Events divided by rows; NaN for a band without rows.
    predicted : float
        Mean score, to compare with `rate`; NaN for a band without rows.
    caught : float
        Share of all events in this band and those above it; NaN without events.
    lift : float
        `rate` divided by the rate of all rows; NaN without events or for a band without rows.
    ks : float
        Share of all events minus share of all other rows, in this band and those above it. The
        largest absolute value is at most `ks_statistic`. NaN if a class has no rows.

    Examples
    --------
    >>> from xentexp.metrics.credit import score_bands
    >>> band = score_bands([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], n_bands=2).bands[0]
    >>> band.low, band.high, band.n_rows, band.rate, round(band.predicted, 6), band.ks
    (0.4, 0.8, 2.0, 0.5, 0.6, 0.0)
    """

    low: float
    high: float
    n_rows: float
    events: float
    rate: float
    predicted: float
    caught: float
    lift: float
    ks: float


@dataclass(frozen=True)
class ScoreBands:
    """Result of `score_bands`.

    Parameters
    ----------
    bands : tuple of ScoreBand
        Bands, that of the highest scores first.
    n_rows, events, rate : float
        Number of all rows (sum of weights), number of events, and events divided by rows.

    Examples
    --------
    >>> from xentexp.metrics.credit import score_bands
    >>> table = score_bands([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], edges=[0.5])
    >>> [(band.low, band.high, band.n_rows) for band in table.bands]
    [(0.5, 1.0, 1.0), (0.0, 0.5, 3.0)]
    """

    bands: tuple[ScoreBand, ...]
    n_rows: float
    events: float
    rate: float

    def to_frame(self) -> pd.DataFrame:
        """Table with one line for each band.

        Returns
        -------
        pandas.DataFrame
            Columns: the fields of `ScoreBand`.
        """
        return _frame(self.bands, ScoreBand)


def score_bands(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    n_bands: int = 10,
    edges: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> ScoreBands:
    """Rows, events and rates in bands of the score, from the highest scores to the lowest.

    Without `edges`, the bands have about the same number of rows. Rows of equal score are in one
    band, so that bands can be larger, and fewer than `n_bands`.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes; the second class is the event.
    y_pred : array-like of shape (n,) or (n, 2)
        Probabilities; shape (n,) is for the event.
    n_bands : int, default=10
        Number of bands, at least 1. Not used with `edges`.
    edges : array-like of shape (m,), default=None
        Ascending scores between 0 and 1, both excluded, that separate m + 1 bands. A score that
        equals an edge is in the band above it.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.

    Returns
    -------
    ScoreBands
        The bands, and the numbers of all rows.

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, `n_bands` is not an integer
        of at least 1, `edges` are not ascending within (0, 1), or an argument has a wrong shape or
        value.

    References
    ----------
    Siddiqi, N. (2017). Intelligent Credit Scoring, 2nd ed., Wiley.

    Examples
    --------
    >>> from xentexp.metrics.credit import score_bands
    >>> table = score_bands([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], n_bands=4)
    >>> [(band.rate, band.caught, band.ks) for band in table.bands]
    [(1.0, 0.5, 0.5), (0.0, 0.5, 0.0), (1.0, 1.0, 0.5), (0.0, 1.0, 0.0)]
    """
    check_integer("n_bands", n_bands, 1)
    inner = None if edges is None else _to_edges(edges)
    data = two_classes("score_bands", y_true, y_pred, labels=labels, sample_weight=sample_weight)
    ranked = data.ranked(data.weights * data.score)
    total = float(ranked.rows[-1])
    if inner is None:
        middle = (ranked.rows + _from_zero(ranked.rows[:-1])) / 2.0
        code = np.minimum((middle / total * n_bands).astype(np.intp), n_bands - 1)
        last = np.append(np.flatnonzero(np.diff(code)), len(code) - 1)
        first = np.append(0, last[:-1] + 1)
        low, high = ranked.score[last], ranked.score[first]
    else:
        # Number of distinct scores that are at least the lower limit of each band.
        low, high = np.append(inner[::-1], 0.0), np.append(1.0, inner[::-1])
        last = np.searchsorted(-ranked.score, -low, side="right") - 1
    return _bands(ranked, last, low, high)


def _to_edges(edges: ArrayLike) -> FloatArray:
    array = to_numeric(edges, "edges").astype(np.float64)
    inside = array.ndim == 1 and len(array) and bool(((array > 0.0) & (array < 1.0)).all())
    if not inside or (np.diff(array) <= 0.0).any():
        raise InputError(
            f"edges must be ascending scores between 0 and 1, both excluded; got {edges!r}"
        )
    return array


def _bands(ranked: Ranked, last: IntArray, low: FloatArray, high: FloatArray) -> ScoreBands:
    """Bands that end at the positions `last` of the distinct scores; -1 before the first."""
    at = last + 1
    distance = _from_zero(_distance(ranked))[at]
    cumulative = [_from_zero(sums)[at] for sums in (ranked.rows, ranked.events, *ranked.amounts)]
    n_rows, events, scores = (np.diff(sums, prepend=0.0) for sums in cumulative)
    total, all_events = float(ranked.rows[-1]), float(ranked.events[-1])
    bands = tuple(
        ScoreBand(
            low=float(low[i]),
            high=float(high[i]),
            n_rows=float(n_rows[i]),
            events=float(events[i]),
            rate=(rate := _ratio(float(events[i]), float(n_rows[i]))),
            predicted=_ratio(float(scores[i]), float(n_rows[i])),
            caught=_ratio(float(cumulative[1][i]), all_events),
            lift=_ratio(rate, all_events / total),
            ks=float(distance[i]),
        )
        for i in range(len(at))
    )
    return ScoreBands(bands, total, all_events, all_events / total)


# -- population stability ----------------------------------------------------------------------


@dataclass(frozen=True)
class StabilityBin:
    """Bin of a `StabilityIndex`.

    Parameters
    ----------
    label : str
        Range of the numbers, name of the category, or ``"missing"``.
    expected, actual : float
        Share of the bin in each of the two samples.
    contribution : float
        Part of the index, at least 0.

    Examples
    --------
    >>> from xentexp.metrics.credit import population_stability_index
    >>> population_stability_index(["a", "a", "b", "b"], ["a", "b", "b", "b"]).bins[0]
    StabilityBin(label='a', expected=0.5, actual=0.25, contribution=0.17328679513998632)
    """

    label: str
    expected: float
    actual: float
    contribution: float


@dataclass(frozen=True)
class StabilityIndex:
    """Result of `population_stability_index`.

    Parameters
    ----------
    value : float
        The index: 0 for equal distributions; lower is more stable.
    bins : tuple of StabilityBin
        Bins whose contributions add up to `value`; ranges ascend, categories are sorted,
        ``"missing"`` is last.
    by_chance : float
        About what the index is on average if both samples have the same distribution:
        ``(number of bins - 1) (1 / n_expected + 1 / n_actual)``. With weights, n is the effective
        number of rows (Kish).

    Examples
    --------
    >>> from xentexp.metrics.credit import population_stability_index
    >>> result = population_stability_index(["a", "b"] * 200, ["a", "a", "a", "b"] * 100)
    >>> round(result.value, 4), result.verdict, result.by_chance
    (0.2747, 'shift', 0.005)
    """

    value: float
    bins: tuple[StabilityBin, ...]
    by_chance: float

    @property
    def verdict(self) -> str:
        """Reading of the index by the usual marks.

        ``"stable"`` below 0.1, ``"some shift"`` from 0.1 to 0.25 and ``"shift"`` above. The marks
        do not depend on the numbers of rows: compare `value` with `by_chance` in small samples.
        """
        return "stable" if self.value < 0.1 else "some shift" if self.value <= 0.25 else "shift"

    def to_frame(self) -> pd.DataFrame:
        """Table with one line for each bin.

        Returns
        -------
        pandas.DataFrame
            Columns: the fields of `StabilityBin`.
        """
        return _frame(self.bins, StabilityBin)


def population_stability_index(
    expected: ArrayLike,
    actual: ArrayLike,
    *,
    n_bins: int = 10,
    expected_weight: ArrayLike | None = None,
    actual_weight: ArrayLike | None = None,
) -> StabilityIndex:
    """Population stability index (PSI): how much a distribution differs between two samples.

    ``sum (actual - expected) log(actual / expected)`` over the shares of bins, in nats. It is the
    sum of both Kullback-Leibler divergences between the two binned distributions. Numbers are
    binned at quantiles of `expected`; a number that equals a limit is in the bin below it. Other
    values are categories. Missing values (NaN, None, NA) are a bin of their own. In the logarithm
    and the difference, a bin that has no rows in a sample counts as half a row there, so that the
    index stays finite.

    Parameters
    ----------
    expected : array-like of shape (n,)
        Values of the first sample, e.g. scores at development: numbers, text or categories.
    actual : array-like of shape (m,)
        Values of the second sample, e.g. scores of a later period.
    n_bins : int, default=10
        Largest number of bins of numbers, at least 2; fewer if quantiles are equal.
    expected_weight : array-like of shape (n,), default=None
        Weight of each row of `expected`. By default all rows have weight 1.
    actual_weight : array-like of shape (m,), default=None
        Weight of each row of `actual`. By default all rows have weight 1.

    Returns
    -------
    StabilityIndex
        The index, its bins, and its size by chance.

    Raises
    ------
    InputError
        If a sample is not of one dimension or has no rows, `n_bins` is below 2, or weights have a
        wrong shape or value.

    References
    ----------
    Siddiqi, N. (2017). Intelligent Credit Scoring, 2nd ed., Wiley (marks .1 and .25). Yurdakul, B.
    & Naranjo, J. (2020). Statistical properties of the population stability index. Journal of Risk
    Model Validation 14(4) (size by chance). Lin, J. (1991). Divergence measures based on the
    Shannon entropy. IEEE Trans. Inf. Theory 37 (sum of both divergences).

    Examples
    --------
    >>> from xentexp.metrics.credit import population_stability_index
    >>> before, after = ["cook"] * 60 + ["clerk"] * 40, ["cook"] * 50 + ["clerk"] * 50
    >>> jobs = population_stability_index(before, after)
    >>> round(jobs.value, 4), jobs.verdict
    (0.0405, 'stable')
    """
    check_integer("n_bins", n_bins, 2)
    first, second = _to_sample(expected, "expected"), _to_sample(actual, "actual")
    weights = [
        np.ones(len(values)) if weight is None else named_weight(weight, len(values), name)
        for values, weight, name in (
            (first, expected_weight, "expected_weight"),
            (second, actual_weight, "actual_weight"),
        )
    ]
    missing = [_missing(values) for values in (first, second)]
    numbers = all(values.dtype.kind in "iuf" for values in (first, second))
    if numbers:
        labels, codes = _number_bins([first, second], weights[0], missing, n_bins)
    else:
        labels, codes = _category_bins([first, second], missing)
    sums = [
        np.bincount(code, weight, minlength=len(labels))
        for code, weight in zip(codes, weights, strict=True)
    ]
    kept = np.flatnonzero(sums[0] + sums[1])
    shares = [amount[kept] / amount.sum() for amount in sums]
    sizes = [float(weight.sum() ** 2 / (weight @ weight)) for weight in weights]
    contributions = stability_terms(*shares, *sizes)
    bins = tuple(
        StabilityBin(labels[i], float(shares[0][j]), float(shares[1][j]), float(contributions[j]))
        for j, i in enumerate(kept)
    )
    by_chance = (len(bins) - 1) * sum(1.0 / n for n in sizes)
    return StabilityIndex(float(contributions.sum()), bins, by_chance)


def _to_sample(values: object, name: str) -> NDArray[Any]:
    array = as_array(values, name)
    if array.ndim != 1 or not len(array):
        raise InputError(
            f"{name} must have shape (n,) with at least one row; got shape {array.shape}; pass one "
            f"column"
        )
    if array.dtype.kind == "O":  # numbers beside None or NA
        missing = _missing(array)
        if all(real_number(value) is not None for value in array[~missing]):
            return np.array(np.where(missing, np.nan, array), dtype=np.float64)
    return array


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.array([is_missing(value) for value in values], dtype=bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def _number_bins(
    samples: Sequence[NDArray[Any]],
    weight: FloatArray,
    missing: Sequence[NDArray[np.bool_]],
    n_bins: int,
) -> tuple[list[str], list[IntArray]]:
    """Labels of the bins, and the bin of each row; the last bin is for missing values."""
    known = samples[0][~missing[0]].astype(np.float64)
    edges = quantile_edges(known, weight[~missing[0]], n_bins)
    shown = [f"{edge:.4g}" for edge in edges]
    if len(set(shown)) < len(shown):
        shown = [repr(float(edge)) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    labels = [f"<= {shown[0]}", *between, f"> {shown[-1]}"] if shown else ["all"]
    codes = [
        np.where(gone, len(labels), np.searchsorted(edges, values.astype(np.float64)))
        for values, gone in zip(samples, missing, strict=True)
    ]
    return [*labels, "missing"], codes


def _category_bins(
    samples: Sequence[NDArray[Any]], missing: Sequence[NDArray[np.bool_]]
) -> tuple[list[str], list[IntArray]]:
    names = [
        [None if gone else str(plain(value)) for value, gone in zip(values, flags, strict=True)]
        for values, flags in zip(samples, missing, strict=True)
    ]
    labels: list[str] = sorted({name for part in names for name in part if name is not None})
    place = {name: i for i, name in enumerate(labels)}
    codes = [
        np.array([len(labels) if name is None else place[name] for name in part], dtype=np.intp)
        for part in names
    ]
    return [*labels, "missing"], codes


# -- swap set ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SwapCell:
    """Cell of a `SwapSet`: rows with the same two decisions.

    Parameters
    ----------
    n_rows, events : float
        Number of rows (sum of their weights) and of events.
    rate : float
        Events divided by rows; NaN without rows.
    low, high : float
        Limits of the Wilson interval of `rate`; NaN without rows.

    Examples
    --------
    >>> from xentexp.metrics.credit import swap_set
    >>> swap_set([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.1, 0.2, 0.8, 0.9], accepted=0.5).first_only
    SwapCell(n_rows=1.0, events=0.0, rate=0.0, low=0.0, high=0.7934506856227626)
    """

    n_rows: float
    events: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class SwapSet:
    """Result of `swap_set`.

    Parameters
    ----------
    both, first_only, second_only, neither : SwapCell
        Rows that both models accept, only the first, only the second, and none of them.
    accepted : float
        Share of the rows that each model accepts.
    first_threshold, second_threshold : float
        Highest score that each model accepts.
    confidence : float
        Level of the intervals.

    Examples
    --------
    >>> from xentexp.metrics.credit import swap_set
    >>> swap = swap_set([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.1, 0.2, 0.8, 0.9], accepted=0.5)
    >>> swap.both.n_rows, swap.first_only.events, swap.second_only.events, swap.events_avoided
    (1.0, 0.0, 1.0, 1.0)
    """

    both: SwapCell
    first_only: SwapCell
    second_only: SwapCell
    neither: SwapCell
    accepted: float
    first_threshold: float
    second_threshold: float
    confidence: float

    @property
    def events_avoided(self) -> float:
        """Events that only the second model accepts minus those that only the first accepts.

        Above 0, the first model accepts fewer events at the same number of accepted rows.
        """
        return self.second_only.events - self.first_only.events


def swap_set(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    accepted: float = 0.8,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    confidence: float = 0.95,
    random_state: int = 0,
) -> SwapSet:
    """Rows that only one of two models accepts at the same acceptance share, and their events.

    Each model accepts the share `accepted` of the rows with its lowest scores, rounded to whole
    rows. Rows of equal score are accepted in random order. All rows need a known outcome: in
    practice the outcomes of applicants who were refused are unknown, so the table then describes
    only those who were granted credit.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, 2)
        Labels or one-hot rows of two classes; the second class is the event.
    first, second : array-like of shape (n,) or (n, 2)
        Probabilities of each model; shape (n,) is for the event.
    accepted : float, default=0.8
        Share of the rows that each model accepts, between 0 and 1, both excluded.
    labels : array-like of shape (2,), default=None
        Both classes, in the order of the columns of the predictions.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.
    confidence : float, default=0.95
        Level of the intervals of the rates.
    random_state : int, default=0
        Seed of the order of rows of equal score.

    Returns
    -------
    SwapSet
        Four cells with numbers of rows and events, and rates with Wilson intervals. With weights,
        the interval uses the effective number of rows (Kish).

    Raises
    ------
    InputError
        If there are not two classes, a row has no single true class, `accepted` or `confidence` is
        not between 0 and 1, or an argument has a wrong shape or value.

    References
    ----------
    Siddiqi, N. (2017). Intelligent Credit Scoring, 2nd ed., Wiley. Wilson, E. B. (1927). Probable
    inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.metrics.credit import swap_set
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000) ** 3
    >>> y = (rng.random(2000) < p).astype(int)
    >>> swap = swap_set(y, p, np.clip(p + rng.normal(0, 0.2, 2000), 0, 1))
    >>> swap.first_only.n_rows == swap.second_only.n_rows
    True
    >>> swap.first_only.rate < swap.second_only.rate
    True
    """
    for name, value in (("accepted", accepted), ("confidence", confidence)):
        number = real_number(value)
        if number is None or not 0.0 < number < 1.0:
            raise InputError(f"{name} must be between 0 and 1; got {value!r}")
    check_integer("random_state", random_state, 0)
    options: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
    data, other = (two_classes("swap_set", y_true, p, **options) for p in (first, second))
    order = np.random.default_rng(random_state).permutation(len(data.score))
    taken, threshold = zip(
        *(_accepted(rows, accepted, order) for rows in (data, other)), strict=True
    )
    cells = {
        name: _cell(data, rows, confidence)
        for name, rows in (
            ("both", taken[0] & taken[1]),
            ("first_only", taken[0] & ~taken[1]),
            ("second_only", ~taken[0] & taken[1]),
            ("neither", ~taken[0] & ~taken[1]),
        )
    }
    return SwapSet(
        **cells,
        accepted=float(accepted),
        first_threshold=threshold[0],
        second_threshold=threshold[1],
        confidence=float(confidence),
    )


def _accepted(
    data: TwoClasses, share: float, order: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], float]:
    """Whether a row is accepted, and the highest accepted score (NaN if no row is)."""
    weight = data.weights
    ranked = order[np.argsort(data.score[order], kind="stable")]
    middle = np.cumsum(weight[ranked]) - weight[ranked] / 2.0
    taken = np.zeros(len(ranked), dtype=bool)
    taken[ranked[middle <= share * weight.sum()]] = True
    return taken, float(data.score[taken].max()) if taken.any() else math.nan


def _cell(data: TwoClasses, rows: NDArray[np.bool_], confidence: float) -> SwapCell:
    weight = data.weights[rows]
    n, events = float(weight.sum()), float(weight @ data.event[rows])
    if not len(weight):
        return SwapCell(n, events, math.nan, math.nan, math.nan)
    rate = events / n
    return SwapCell(n, events, rate, *_wilson(rate, n**2 / float(weight @ weight), confidence))


def _wilson(rate: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson interval of a proportion among n rows."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2.0) ** 2
    middle = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n)
    half = math.sqrt(z2 * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n))) / (1.0 + z2 / n)
    # Exactly 0 and 1 at the ends, where rounding may leave a rest.
    return (
        0.0 if rate == 0.0 else max(0.0, middle - half),
        1.0 if rate == 1.0 else min(1.0, middle + half),
    )
