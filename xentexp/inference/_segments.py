"""`segment_bias`: mean prediction minus observed rate in groups of rows, column by column."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from xentexp._inputs.options import check_integer, refuse_unordered
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray, IntArray
from xentexp.errors import InputError
from xentexp.inference._checks import check_confidence, codes_of
from xentexp.inference._distributions import critical_value
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import get_loss

MISSING, OTHER = "missing", "other"

_MOST_VALUES, _MOST_CATEGORIES = 12, 30
"""Numbers of distinct values and of categories that get a segment each."""

_SUMS = [
    "n_rows",
    "events",
    "n_groups",
    "weight",
    "weight_squares",
    "predicted",
    "observed",
    "loss",
    "observed_squares",
    "cross_products",
    "group_weight_squares",
]


@dataclass(frozen=True)
class Segment:
    """Rows with a common value of one column, and how a model predicts them.

    Parameters
    ----------
    column : str
        Name of the column.
    label : str
        Value, range of values or category; "missing", or "other" for all small segments together.
    class_label : object
        Class whose rate is predicted.
    n_rows : int
        Number of rows.
    events : int
        Number of rows of the class.
    predicted, observed : float
        Mean predicted probability and observed rate of the class (weighted).
    bias : float
        `predicted` minus `observed`: above 0 if the model predicts too much.
    low, high : float
        Limits of the simultaneous interval of the bias; NaN without one.
    standard_error : float
        Standard error of the observed rate, with the predictions as given.
    loss : float
        Mean loss of the rows (weighted); NaN if there is none.
    kind : {"value", "range", "missing", "other"}
        What `label` is.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.inference import segment_bias
    >>> X = pd.DataFrame({"delay": [0, 2]}).loc[[0] * 60 + [1] * 60]
    >>> segment = segment_bias([0, 1] * 60, [0.4] * 120, X)[1]
    >>> segment.name
    'delay = 2'
    """

    column: str
    label: str
    class_label: Any
    n_rows: int
    events: int
    predicted: float
    observed: float
    bias: float
    low: float
    high: float
    standard_error: float
    loss: float
    kind: str = "value"

    @property
    def name(self) -> str:
        """Column and label, e.g. "delay = 2", "age: 28 to 34" or "age missing"."""
        joint = {"value": " = ", "range": ": "}.get(self.kind, " ")
        return f"{self.column}{joint}{self.label}"


@dataclass(frozen=True, eq=False)
class ColumnBins:
    """Segments of one column: distinct values, or ranges between inner edges."""

    column: str
    values: tuple[Any, ...] = ()  # numbers in ascending order, or categories
    edges: tuple[float, ...] = ()  # a range includes its upper edge
    labels: tuple[str, ...] = ()  # those of missing and of other values come last

    @property
    def kind(self) -> str:
        """Kind of the labels, see `Segment`."""
        return "range" if self.edges else "value"

    def codes(self, values: pd.Series[Any]) -> IntArray:
        """Position of the label of each row."""
        n = len(self.labels)
        missing = values.isna().to_numpy()
        if self.edges:
            codes = np.searchsorted(self.edges, values.to_numpy(np.float64), side="left")
        elif self.values:
            codes = pd.Index(self.values).get_indexer(pd.Index(values))
        else:
            codes = np.full(len(values), -1)
        return np.where(missing, n - 2, np.where(codes < 0, n - 1, codes)).astype(np.intp)


def bins_of(X: pd.DataFrame, *, n_bins: int = 5, min_rows: int = 1) -> tuple[ColumnBins, ...]:
    """Segments of each column, from its values; values of fewer than `min_rows` are not named."""
    return tuple(_bins(str(name), X.iloc[:, i], n_bins, min_rows) for i, name in enumerate(X))


def _bins(name: str, column: pd.Series[Any], n_bins: int, min_rows: int) -> ColumnBins:
    known = column.dropna()
    if not pd.api.types.is_numeric_dtype(known.dtype) or pd.api.types.is_bool_dtype(known.dtype):
        counts = known.value_counts()
        counts = counts[counts >= min_rows]
        chosen = tuple(counts.index.tolist()[:_MOST_CATEGORIES])
        return ColumnBins(name, chosen, labels=(*map(str, chosen), MISSING, OTHER))
    numbers = known.to_numpy(np.float64)
    distinct, sizes = np.unique(numbers, return_counts=True)
    if len(distinct) <= _MOST_VALUES:
        distinct = distinct[sizes >= min_rows]
        labels = tuple(f"{value:.15g}" for value in distinct)
        return ColumnBins(name, tuple(distinct.tolist()), labels=(*labels, MISSING, OTHER))
    edges = np.quantile(numbers, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
    edges = np.unique(edges[edges < distinct[-1]])
    if not len(edges):  # most rows have the largest value
        edges = distinct[-2:-1]
    edges = _short(edges)
    texts = [_text(edge) for edge in edges]
    labels = (
        f"up to {texts[0]}",
        *(f"{low} to {high}" for low, high in pairwise(texts)),
        f"above {texts[-1]}",
    )
    return ColumnBins(name, edges=tuple(edges.tolist()), labels=(*labels, MISSING, OTHER))


def _short(edges: FloatArray) -> FloatArray:
    """Edges rounded to the fewest digits, at least three, that keep them apart."""
    for digits in range(3, 17):
        rounded = np.array([float(f"{edge:.{digits - 1}e}") for edge in edges])
        if len(np.unique(rounded)) == len(edges):
            return rounded
    return edges


def _text(edge: float) -> str:
    return f"{edge:,.0f}" if edge == round(edge) and abs(edge) < 1e15 else f"{edge:.15g}"


def segment_sums(
    bins: Sequence[ColumnBins],
    X: pd.DataFrame,
    index: IntArray,
    proba: FloatArray,
    *,
    losses: FloatArray | None = None,
    weight: FloatArray | None = None,
    groups: IntArray | None = None,
) -> pd.DataFrame:
    """Sums of each segment and class (of two only the second); those of folds add up."""
    # `proba` has shape (n, k), `index` the column of the true class of each row. A group is a set
    # of rows that depend on each other; without groups, each row is one.
    n, k = proba.shape
    weight = np.ones(n) if weight is None else weight
    losses = np.full(n, math.nan) if losses is None else losses
    weighted_losses = np.where(weight > 0.0, weight * np.where(weight > 0.0, losses, 0.0), 0.0)
    frames = []
    for column, part in enumerate(bins):
        codes = part.codes(X.iloc[:, column])
        m = len(part.labels)
        sizes = np.bincount(codes, minlength=m)
        group_of_row, segment_of_group = np.arange(n), codes
        if groups is not None:
            keys, group_of_row = np.unique(codes * (groups.max() + 1) + groups, return_inverse=True)
            segment_of_group = keys // (groups.max() + 1)
        of_group = np.bincount(group_of_row, weight).astype(np.float64)

        def total(values: FloatArray, by: IntArray = codes, m: int = m) -> FloatArray:
            return np.asarray(np.bincount(by, values, minlength=m), dtype=np.float64)

        for class_ in range(k) if k > 2 else (1,):
            event = index == class_
            events_of_group = np.bincount(group_of_row, weight * event).astype(np.float64)
            sums = {
                "n_rows": sizes,
                "events": np.bincount(codes, event, minlength=m).astype(np.int64),
                "n_groups": np.bincount(segment_of_group, minlength=m),
                "weight": total(weight),
                "weight_squares": total(weight**2),
                "predicted": total(weight * proba[:, class_]),
                "observed": total(weight * event.astype(np.float64)),
                "loss": total(weighted_losses),
                "observed_squares": total(events_of_group**2, segment_of_group),
                "cross_products": total(events_of_group * of_group, segment_of_group),
                "group_weight_squares": total(of_group**2, segment_of_group),
            }
            names = {
                "column": part.column,
                "segment": np.arange(m),
                "label": list(part.labels),
                "kind": [*[part.kind] * (m - 2), MISSING, OTHER],
                "class": class_,
            }
            frames.append(pd.DataFrame({**names, **sums})[sizes > 0])
    return pd.concat(frames, ignore_index=True)


def segments_from_sums(
    sums: pd.DataFrame,
    classes: Sequence[Any],
    *,
    min_rows: int = 50,
    confidence: float = 0.95,
) -> tuple[Segment, ...]:
    """Segments of sums of folds: lines of `segment_sums` with the columns `repeat` and `fold`."""
    # Folds of a repeat add up; repeats predict the same rows again, so that their means and
    # variances are averaged. A group in two folds counts as two groups.
    by_repeat = sums.groupby(["column", "class", "segment", "repeat"], sort=False)
    table = by_repeat.agg({"label": "first", "kind": "first", **dict.fromkeys(_SUMS, "sum")})
    table = table.reset_index()
    of_segment = table.groupby(["column", "class", "segment"], sort=False)["n_rows"]
    small = (of_segment.transform("mean") < min_rows) | (table["kind"] == OTHER)
    table["segment"] = table["segment"].mask(small, np.iinfo(np.int32).max)
    table["label"], table["kind"] = (table[name].mask(small, OTHER) for name in ("label", "kind"))
    keys = ["column", "class", "segment", "label", "kind"]
    table = table.groupby([*keys, "repeat"], sort=False)[_SUMS].sum().reset_index()
    table = table[table["weight"] > 0.0]
    order = {name: i for i, name in enumerate(dict.fromkeys(sums["column"]))}
    # Positions of the rows of each segment: tables of single rows would be slow.
    positions: dict[Any, Any] = dict(table.groupby(keys, sort=False).indices)
    parts = sorted(positions.items(), key=lambda part: (order[part[0][0]], *part[0][1:3]))
    level = 1.0 - (1.0 - confidence) / max(len(parts), 1)
    values = table[_SUMS].to_numpy(np.float64)
    return tuple(
        _segment(key, dict(zip(_SUMS, values[rows].T, strict=True)), classes, level)
        for key, rows in parts
    )


def _segment(
    key: tuple[Any, ...], total: Mapping[str, FloatArray], classes: Sequence[Any], level: float
) -> Segment:
    """Segment of its sums in each repeat."""
    column, class_, _, label, kind = key
    weight = total["weight"]
    rates = total["observed"] / weight
    predicted, observed = float(np.mean(total["predicted"] / weight)), float(np.mean(rates))
    n_groups = total["n_groups"]
    # The sum over groups of the squares of (events - rate * weight).
    square = total["observed_squares"] - 2.0 * rates * total["cross_products"]
    square = np.maximum(square + rates**2 * total["group_weight_squares"], 0.0) / weight**2
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = float(np.mean(square * n_groups / (n_groups - 1.0)))
    rows = float(np.mean(weight**2 / total["weight_squares"]))
    groups = float(np.mean(weight**2 / total["group_weight_squares"]))
    low = high = math.nan
    if n_groups.min() > 1:
        independent = bool((n_groups == total["n_rows"]).all())
        spread = observed * (1.0 - observed) * rows / (rows - 1.0) if rows > 1.0 else 0.0
        known = spread > 1e-15 and variance > 1e-30
        effective = min(spread / variance, rows) if known else groups
        if not independent:
            df = float(n_groups.min()) - 1.0
            effective *= (critical_value(math.inf, level) / critical_value(df, level)) ** 2
        bottom, top = _exact(observed, effective, level)
        low, high = predicted - top, predicted - bottom
    with np.errstate(invalid="ignore"):
        loss = float(np.mean(total["loss"] / weight))
    return Segment(
        column=column,
        label=label,
        class_label=classes[class_],
        n_rows=round(float(np.mean(total["n_rows"]))),
        events=round(float(np.mean(total["events"]))),
        predicted=predicted,
        observed=observed,
        bias=predicted - observed,
        low=low,
        high=high,
        standard_error=math.sqrt(variance) if n_groups.min() > 1 else math.nan,
        loss=loss,
        kind=kind,
    )


def _exact(rate: float, n: float, level: float) -> tuple[float, float]:
    """Interval of Clopper and Pearson of a rate of `n` rows, not necessarily a whole number."""
    from scipy.special import betaincinv

    events, tail = n * rate, (1.0 - level) / 2.0
    others = n - events
    low = float(betaincinv(events, others + 1.0, tail)) if rate > 0.0 else 0.0
    high = float(betaincinv(events + 1.0, others, 1.0 - tail)) if rate < 1.0 else 1.0
    return low, high


def segment_bias(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    X: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    n_bins: int = 5,
    min_rows: int = 50,
    loss: str = "categorical_crossentropy",
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> tuple[Segment, ...]:
    """Mean predicted probability minus observed rate in segments of the rows.

    The segments of a numeric column are its distinct values if there are at most 12, otherwise
    `n_bins` ranges with about the same number of rows, whose edges are rounded to 3 digits (more if
    they would be equal). Those of another column are its 30 most frequent categories. Missing
    values are a segment. The other values and all segments of less than `min_rows` rows are one
    segment, "other".

    The intervals hold simultaneously for all returned segments (Bonferroni). Each is the mean
    prediction minus the interval of Clopper and Pearson of the rate; the predictions count as
    given. With groups or weights it has an effective number of rows (Korn and Graubard): that of
    independent rows whose rate has the same cluster-robust variance, at most Kish's number of rows,
    reduced for few groups.

    In simulations of calibrated predictions (400 and 2,000 rows, rates of 5 and 30%, and 200 and
    500 groups of four rows that depend on each other), all 20 intervals of a sample held at the
    same time in 97 to 98% of 300 samples.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels or one-hot rows.
    y_pred : array-like of shape (n,) or (n, k)
        Probabilities, from a model that was not trained on these rows; shape (n,) is for the
        second of two classes.
    X : DataFrame of shape (n, m)
        Columns that make the segments; the model need not use them.
    columns : sequence of str, default=None
        Columns of `X` to use. By default all.
    n_bins : int, default=5
        Number of ranges of a numeric column with more than 12 distinct values, at least 2.
    min_rows : int, default=50
        Segments with fewer rows become part of "other", at least 1.
    loss : str, default="categorical_crossentropy"
        Loss whose mean is returned for each segment.
    labels : array-like of shape (k,), default=None
        All classes, in the order of the columns of `y_pred`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. By default all rows have weight 1.
    groups : array-like of shape (n,), default=None
        Group of each row, such as a person. Rows of a group may depend on each other.
    confidence : float, default=0.95
        Simultaneous confidence level, between 0 and 1, both excluded.

    Returns
    -------
    tuple of Segment
        Segments in the order of the columns and of their values. Of two classes, the rate is that
        of the second; of more, there is one `Segment` for each class.

    Raises
    ------
    InputError
        If a column does not exist, the targets have no single true class in each row, or an
        argument has a wrong shape or value.

    References
    ----------
    Korn, E. L. & Graubard, B. I. (1998). Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data. Survey Methodology 24.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from xentexp.inference import segment_bias
    >>> X = pd.DataFrame({"delay": np.repeat([0, 1], 100)})
    >>> y = np.repeat([0, 1, 0, 1], [80, 20, 40, 60])
    >>> for s in segment_bias(y, np.full(200, 0.4), X):
    ...     print(f"{s.name}: {s.predicted:.2f} - {s.observed:.2f}, {s.low:.2f} to {s.high:.2f}")
    delay = 0: 0.40 - 0.20, 0.09 to 0.28
    delay = 1: 0.40 - 0.60, -0.31 to -0.08
    """
    check_confidence(confidence)
    check_integer("n_bins", n_bins, 2)
    check_integer("min_rows", min_rows, 1)
    chosen = _columns(X, columns)
    checked = read(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    if y_true is None or not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions or None; pass labels "
            "or one-hot rows"
        )
    if len(chosen) != checked.n_rows:
        raise InputError(f"X must have {checked.n_rows} rows, as y_pred; got {len(chosen)}")
    data = MetricInput(checked)
    proba = np.stack(list(data.proba_by_class), axis=1)
    losses = get_loss(loss).per_sample(y_true, y_pred, labels=labels)
    sums = segment_sums(
        bins_of(chosen, n_bins=n_bins),
        chosen,
        data.index,
        proba,
        losses=losses,
        weight=data.weight,
        groups=None if groups is None else codes_of("groups", groups, checked.n_rows),
    )
    return segments_from_sums(
        sums.assign(repeat=0, fold=0), data.classes, min_rows=min_rows, confidence=confidence
    )


def _columns(X: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"X must be a pandas.DataFrame; got {type(X).__name__}; pass pd.DataFrame(X)"
        )
    if isinstance(columns, str):
        columns = [columns]
    refuse_unordered("columns", columns)
    if columns is not None and not isinstance(columns, Iterable):
        raise InputError(f"columns must be a list of columns of X or None; got {columns!r}")
    names = list(X) if columns is None else list(columns)
    for name in names:
        if not isinstance(name, Hashable) or name not in X:
            raise InputError(f"columns must be columns of X; got {name!r}; X has {list(X)[:20]}")
    if not names:
        raise InputError("columns must name at least one column; got none")
    if not X.columns.is_unique:
        raise InputError("the columns of X must have different names; rename duplicate columns")
    return X[names]


__all__ = ["Segment", "segment_bias"]
